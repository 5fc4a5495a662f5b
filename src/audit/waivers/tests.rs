use serde_json::{Value, json};

use super::*;
use crate::audit::config::Config;
use crate::audit::run_configured;
use crate::audit::test_rules::RULES;
use crate::finding::Severity;
use crate::model::{Scope, World};

fn deployment(name: &str, annotations: &Value) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop", "annotations": annotations}, "spec": {"template": {}}})
}

fn inventory(objects: &[(&str, Value)]) -> Inventory {
    let now = "2026-06-15T23:00:00Z".parse().unwrap();
    let mut inventory = Inventory::new(World::default(), Scope::default(), now);
    for (kind, object) in objects {
        let version = if *kind == "Namespace" { "v1" } else { "apps/v1" };
        inventory.add(version, kind, object.clone(), None).unwrap();
    }
    inventory.finish()
}

fn audit(inventory: &Inventory, config: &str) -> Audit {
    let config = Config::parse(config, "c", RULES).unwrap();
    run_configured(inventory, &config.settings(), &config, RULES)
}

fn verdicts(audit: &Audit) -> Vec<&Verdict> {
    let outcome = audit.rules.iter().find(|outcome| outcome.rule.id == "test-many").unwrap();
    outcome.outcomes.iter().map(|(_, verdict)| verdict).collect()
}

fn waived(reason: &str, until: Option<&str>) -> Verdict {
    Verdict::Waived { reason: reason.to_owned(), until: until.map(str::to_owned) }
}

#[test]
fn an_annotation_waives_every_finding_of_its_object() {
    let marks = json!({IGNORE: "test-bare , test-many", IGNORE_REASON: "soon gone", IGNORE_UNTIL: "2026-06-15"});
    let inventory = inventory(&[("Deployment", deployment("a", &marks)), ("Deployment", deployment("b", &json!({})))]);
    let audit = audit(&inventory, "");
    assert_eq!(audit.findings.len(), 2);
    assert!(audit.findings.iter().all(|finding| finding.object.name == "b"));
    assert_eq!(audit.waived.len(), 2);
    let waiver = waived("soon gone", Some("2026-06-15"));
    assert_eq!(verdicts(&audit), [&waiver, &waiver, &Verdict::Fail, &Verdict::Fail]);
    assert_eq!(audit.warnings, ["the waiver of test-bare on Deployment/shop/a matches no finding"]);
}

#[test]
fn a_namespace_waives_what_is_inside_and_the_object_is_nearer() {
    let namespace = json!({"metadata": {"name": "shop", "annotations": {IGNORE: "test-many", IGNORE_REASON: "all"}}});
    let marks = json!({IGNORE: "test-many", IGNORE_REASON: "this"});
    let inventory = inventory(&[
        ("Namespace", namespace),
        ("Deployment", deployment("a", &marks)),
        ("Deployment", deployment("b", &json!({}))),
    ]);
    let audit = audit(&inventory, "");
    let reasons: Vec<&str> = audit.waived.iter().map(|waived| waived.reason.as_str()).collect();
    assert_eq!(reasons, ["this", "this", "all", "all"]);
    assert_eq!(audit.warnings, Vec::<String>::new());
}

#[test]
fn a_waiver_that_has_ended_is_a_finding_again() {
    let marks = json!({IGNORE: "test-many", IGNORE_UNTIL: "2026-06-14"});
    let inventory = inventory(&[("Deployment", deployment("a", &marks))]);
    let ended = audit(&inventory, "");
    assert_eq!((ended.findings.len(), ended.waived.len()), (2, 0));
    assert_eq!(ended.warnings, ["the waiver of test-many on Deployment/shop/a ended on 2026-06-14"]);
    let config = "waivers:\n- {rule: test-many, object: Deployment/shop/a, reason: renewed, until: 2026-07-01}\n";
    assert_eq!(audit(&inventory, config).waived[0].reason, "renewed");
}

#[test]
fn a_day_that_cannot_be_read_waives_nothing() {
    let marks = json!({IGNORE: "test-many,test-mny", IGNORE_UNTIL: "next year"});
    let audit_of = |marks: &Value| audit(&inventory(&[("Deployment", deployment("a", marks))]), "");
    let audit = audit_of(&marks);
    assert_eq!(audit.findings.len(), 2);
    assert!(audit.warnings[0].contains("progrc.io/ignore-until `next year` is not a day"), "{:?}", audit.warnings);
    let audit = audit_of(&json!({IGNORE: "test-mny"}));
    let warning = "progrc.io/ignore of Deployment/shop/a names an unknown rule `test-mny`; did you mean `test-many`?";
    assert_eq!(audit.warnings, [warning]);
}

#[test]
fn entries_of_the_configuration() {
    let inventory = inventory(&[("Deployment", deployment("a", &json!({})))]);
    let config = "waivers:\n\
                  - {rule: test-many, object: Deployment/shop/a, reason: known}\n\
                  - {rule: test-many, object: Deployment/shop/b}\n\
                  - {rule: test-many, object: Deployment/kube-system/b}\n\
                  - {rule: test-many, object: Cluster}\n";
    let audit = audit(&inventory, config);
    assert!(audit.findings.is_empty());
    assert_eq!(verdicts(&audit), [&waived("known", None); 2]);
    assert_eq!(
        audit.warnings,
        [
            "the waiver of test-many for Cluster, line 5 of the configuration matches no finding",
            "the waiver of test-many for Deployment/shop/b, line 3 of the configuration matches no finding",
        ]
    );
}

#[test]
fn what_was_not_audited_is_not_called_unused() {
    let mut shop = inventory(&[("Deployment", deployment("a", &json!({IGNORE: "test-many"})))]);
    shop.scope = Scope::only("other");
    let config = "ignore: [test-bare]\nwaivers:\n- {rule: test-bare, object: Namespace/other}\n\
                  - {rule: test-many, object: Deployment/shop/a}\n";
    assert_eq!(audit(&shop.finish(), config).warnings, Vec::<String>::new());
}

#[test]
fn severities_of_the_configuration_hold() {
    let inventory = inventory(&[("Deployment", deployment("a", &json!({})))]);
    let low = audit(&inventory, "rules: {test-many: {severity: low}}\n");
    assert!(low.findings.iter().all(|finding| finding.severity == Severity::Low));
    assert_eq!(low.rules[1].severity, Severity::Low);
    assert_eq!(verdicts(&low), [&Verdict::Fail; 2]);
    let info = audit(&inventory, "rules: {test-many: {severity: info}}\n");
    assert_eq!(verdicts(&info), [&Verdict::NotApplicable; 2]);
    let off = audit(&inventory, "ignore: [test-many]\n");
    assert!(off.findings.is_empty() && off.rules.len() == 1);
}

#[test]
fn attestations_age() {
    let inventory = inventory(&[]);
    let with = |date: &str| audit(&inventory, &format!("attestations: {{test-bare: {{statement: x, date: {date}}}}}"));
    assert_eq!(with("2026-03-17").warnings, Vec::<String>::new());
    assert_eq!(
        with("2026-03-16").warnings,
        ["the attestation of test-bare of 2026-03-16 is 91 days old: it holds for 90"]
    );
    assert!(with("2026-06-16").warnings[0].ends_with("does not hold: its day is to come"));
}
