//! A small namespace, and rules that say of it whatever a report can show. For tests.

use serde_json::{Value, json};

use super::audit::{About, AuditReport, Shown, report};
use crate::audit::folded::fold;
use crate::audit::{Audit, run};
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Action, Applicability, Edit, Fix, Input, Step};
use crate::model::object::LAST_APPLIED;
use crate::model::{Gap, Inventory, Scope, Subject, World};
use crate::plan::outlook;
use crate::rules::missing_pdb;
use crate::rules::rule::{Context, Rule, Verdicts};
use crate::rules::settings::Settings;

const FLAG: Rule = Rule {
    id: "open-flag",
    severity: Severity::Critical,
    priority: Priority::Immediate,
    category: Category::Security,
    parameters: &[],
    check: flags,
    ..missing_pdb::RULE
};
const BALANCER: Rule =
    Rule { id: "public-balancer", severity: Severity::Medium, category: Category::Cost, check: balancers, ..FLAG };
const SEEN: Rule = Rule { id: "seen", severity: Severity::Medium, category: Category::Monitoring, check: seen, ..FLAG };

/// The rules of the sample.
pub(super) static RULES: &[&Rule] = &[&FLAG, &missing_pdb::RULE, &BALANCER, &SEEN];

fn flags(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    for map in context.inventory.config_maps.iter().filter(|map| context.inventory.scope.covers(map.namespace())) {
        let Some(text) = map.data.get("ALLOW") else {
            continue;
        };
        if text == "false" {
            verdicts.pass(&map.subject);
            continue;
        }
        let deployment = Subject::new(crate::model::ObjectRef::new("apps/v1", "Deployment", Some("shop"), "web"));
        let annotation = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
        let edits = vec![
            Edit::set("/data/ALLOW", "false"),
            Edit::set("/data/DB_PASSWORD", "hunter2-new"),
            Edit { pointer: annotation.into(), action: Action::DropInText("/spec/replicas".into()) },
        ];
        let fix = Fix::new("Set ALLOW to false", Applicability::Unsafe)
            .step(Step::patch(&map.subject, edits))
            .step(Step::Restart { object: deployment });
        let finding = context.finding(map, format!("ALLOW is {text:?}, secure value \"false\""));
        let at = Location::at("/data/ALLOW").values(Some(json!(text)), Some(json!("false")));
        let secret = Location::at("/data/DB_PASSWORD").values(Some(json!("hunter2")), None);
        verdicts.fail(finding.at(at).at(secret).because("read by Deployment/web at start").fix(fix));
    }
}

fn balancers(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    for service in context.inventory.services.iter() {
        let subject = &service.subject;
        let host = Input {
            key: "host".into(),
            prompt: "the host".into(),
            default: None,
            pattern: None,
            required: true,
            value: None,
        };
        let mut fix = Fix::new("Make it internal", Applicability::Input).ask(host);
        if subject.name.ends_with('0') {
            fix.refuse("routing", "no Ingress routes to it");
        }
        let finding = context.finding(service, "has a public load balancer of its own");
        verdicts.fail(finding.at(Location::at("/spec/type")).fix(fix));
    }
}

fn seen(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for map in inventory.config_maps.iter() {
        verdicts.unknown(&map.subject, "forbidden\nforged \u{1b}[31mline");
    }
    for (_, workload) in inventory.audited_workloads() {
        verdicts.attested(&workload.subject, "provider's logs (2026-01-01)".into());
        verdicts.partial(&inventory.cluster_subject(), "half of it");
    }
}

/// The objects of the sample, with as many Services as asked.
pub(super) fn objects(services: usize) -> Vec<(&'static str, &'static str, Value)> {
    let meta = |name: &str| json!({"name": name, "namespace": "shop", "uid": format!("uid-{name}")});
    let mut config = meta("config");
    config["annotations"] = json!({ LAST_APPLIED: r#"{"spec":{"replicas":1},"data":{"DB_PASSWORD":"hunter2"}}"# });
    let labels = json!({"app": "web"});
    let mut objects = vec![
        ("v1", "ConfigMap", json!({"metadata": config, "data": {"ALLOW": "true", "DB_PASSWORD": "hunter2"}})),
        (
            "apps/v1",
            "Deployment",
            json!({"metadata": meta("web"), "spec": {"replicas": 3, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web"}]}}}}),
        ),
    ];
    let service = |i: usize| ("v1", "Service", json!({"metadata": meta(&format!("s{i}")), "spec": {}}));
    objects.extend((0..services).map(service));
    objects
}

/// The inventory of some objects: live, or manifests.
pub(super) fn inventory(objects: &[(&'static str, &'static str, Value)], is_live: bool) -> Inventory {
    let world = if is_live {
        let (context, uid) = (Some("prod-nyc3".to_owned()), Some("cluster-uid".to_owned()));
        World::Cluster { context, server: "https://admin:hunter2@10.0.0.1".into(), uid, version: Some((1, 37)) }
    } else {
        World::Manifests { complete: false }
    };
    let scope = if is_live { Scope::only("shop") } else { Scope::default() };
    let mut inventory = Inventory::new(world, scope, jiff::Timestamp::default());
    for (version, kind, value) in objects {
        inventory.add(version, kind, value.clone(), None).unwrap();
    }
    if is_live {
        let (kind, verb) = ("certificates.cert-manager.io".to_owned(), "list".to_owned());
        inventory.gaps.push(Gap { kind, verb, scope: "namespace shop".into(), reason: "forbidden".into() });
    }
    inventory.finish()
}

/// The report of some objects.
pub(super) fn report_of(objects: &[(&'static str, &'static str, Value)], is_live: bool) -> AuditReport {
    report_with(objects, is_live, |findings| (0..findings.len()).map(|position| (position, 0)).collect())
}

/// The same for a table: what says the same is told once.
pub(super) fn folded_report_of(objects: &[(&'static str, &'static str, Value)], is_live: bool) -> AuditReport {
    report_with(objects, is_live, fold)
}

fn report_with(
    objects: &[(&'static str, &'static str, Value)],
    is_live: bool,
    choose: impl Fn(&[&Finding]) -> Vec<(usize, usize)>,
) -> AuditReport {
    let inventory = inventory(objects, is_live);
    let again = |inventory: &Inventory, rules: &[_]| -> Audit { run(inventory, &Settings::default(), rules) };
    let audit = again(&inventory, RULES);
    let score = outlook::score_with_outlook(&inventory, &audit, outlook::Reach::All, again);
    let about = About {
        tool_version: "0.1.0".into(),
        elapsed_seconds: 0.214,
        files: if is_live { Vec::new() } else { vec!["k8s".into()] },
        ..About::default()
    };
    let all: Vec<_> = audit.findings.iter().collect();
    let shown = |(position, more): (usize, usize)| Shown { finding: all[position], more };
    let findings: Vec<_> = choose(&all).into_iter().map(shown).collect();
    report(&inventory, &audit, &findings, &score, &about)
}
