//! pod-security-not-enforced: namespaces that admit any pod.

use super::namespace_finding;
use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::cluster::Namespace;
use crate::model::object::pointer;
use crate::model::pod::PodTemplate;
use crate::model::pod_security::{self, Level};
use crate::model::{Inventory, Item, Subject};

declare_rule! {
    /// ## What it does
    /// Reports a namespace with workloads that does not enforce a Pod Security Standard: the label
    /// `pod-security.kubernetes.io/enforce` is neither `baseline` nor `restricted`. The fix aims
    /// at `restricted`; `level` sets another target, and a target that is set by hand has to be
    /// met: then `baseline` is reported too. In manifests a namespace without a Namespace document
    /// is unknown, unless the manifests are complete.
    ///
    /// ## Why it matters
    /// Without the label the API server admits privileged pods, pods of the host's network and
    /// pods that mount its files, whoever may create pods there.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: shop}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata:
    ///   name: shop
    ///   labels: {pod-security.kubernetes.io/enforce: restricted}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ```
    ///
    /// ## Fix
    /// Two stages. Safe: the labels `warn` and `audit`, which refuse nothing and show what would
    /// be refused. Unsafe: the label `enforce`. The version labels are pinned to the server's
    /// minor version, so that an upgrade does not tighten the policy by itself. Enforcing is
    /// refused while a pod template of the namespace fails the level, or can't be seen: the server
    /// looks at running pods only, so a CronJob or a Deployment without pods would fail later.
    /// Running pods stay; a violating pod is refused at its next start.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/security/pod-security-admission/>
    /// - <https://kubernetes.io/docs/concepts/security/pod-security-standards/>
    /// - <https://github.com/kubernetes/enhancements/tree/master/keps/sig-auth/2579-psp-replacement>
    id: "pod-security-not-enforced",
    summary: "a namespace that enforces no Pod Security Standard",
    severity: Severity::High,
    priority: Priority::Immediate,
    category: Category::Security,
    fix: Some(Applicability::Safe),
    impact: "Whoever may create pods here may create privileged ones.",
    parameters: &[Parameter {
        key: "level",
        prompt: "the level to enforce",
        kind: ParameterKind::Choice(&["baseline", "restricted"]),
        default: Some("restricted"),
    }],
    next_stages: &["pod-security-not-enforced"],
    unmoved_by: &[Aspect::Replicas, Aspect::Budgets],
    check: check,
}

const PREFIX: &str = "pod-security.kubernetes.io/";

/// Plurals of the kinds whose templates must be seen before a level is enforced.
const TEMPLATES: [&str; 8] =
    ["deployments", "statefulsets", "daemonsets", "replicasets", "replicationcontrollers", "cronjobs", "jobs", "pods"];

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for subject in inventory.audited_namespaces() {
        let target = target(context, &subject);
        let Some(namespace) = inventory.namespaces.get("", "Namespace", &subject.name) else {
            if inventory.is_complete() {
                let finding = namespace_finding(context, &subject, "no Namespace document enforces a level")
                    .because(format!("the manifests are complete and hold no Namespace/{}", subject.name));
                let title = format!("Write a Namespace that enforces {}", target.word());
                verdicts.fail(finding.fix(Fix::new(title, Applicability::Manual)));
            } else {
                let unread = || "no Namespace document, or it was not read".to_owned();
                verdicts.unknown(&subject, inventory.unseen("namespaces", "").unwrap_or_else(unread));
            }
            continue;
        };
        let enforced = level(namespace, "enforce");
        let set_by_hand = context.settings.answer(context.rule.id, &subject, "level").is_some();
        let least = if set_by_hand { target } else { Level::Baseline };
        if enforced >= least {
            verdicts.pass(&subject);
        } else {
            verdicts.fail(describe(context, namespace, target));
        }
    }
}

fn target(context: &Context<'_>, subject: &Subject) -> Level {
    let named = context.value(subject, "level");
    named.and_then(|text| Level::parse(&text)).unwrap_or(Level::Restricted)
}

/// The level of a mode; none is privileged.
fn level(namespace: &Namespace, mode: &str) -> Level {
    let label = namespace.metadata.label(&format!("{PREFIX}{mode}"));
    label.and_then(Level::parse).unwrap_or(Level::Privileged)
}

fn label_pointer(key: &str) -> String {
    pointer("/metadata/labels", &[&format!("{PREFIX}{key}")])
}

fn describe(context: &Context<'_>, namespace: &Item<Namespace>, target: Level) -> Finding {
    let inventory = context.inventory;
    let set = |mode: &str| namespace.metadata.label(&format!("{PREFIX}{mode}"));
    let warned = ["warn", "audit"].iter().all(|mode| level(namespace, mode) >= target);
    let state = match set("enforce") {
        Some(value) => format!("enforces only {value}"),
        None => "enforces no Pod Security Standard".to_owned(),
    };
    let message = if warned { format!("{state}, and warns of {}", target.word()) } else { state };
    let at = label_pointer("enforce");
    let location = Location::at(at).values(set("enforce").map(Into::into), Some(target.word().into()));
    let mut finding = context.finding(namespace, message).at(location);
    let (violating, seen) = violating(inventory, namespace.name(), target);
    for (subject, ids) in violating.iter().take(SHOWN) {
        finding = finding.because_of(subject, format!("{} fails {}", subject.short(), ids.join(", ")));
    }
    if violating.len() > SHOWN {
        finding = finding.because(format!("and {} more pod templates fail", violating.len() - SHOWN));
    }
    if violating.is_empty() {
        let templates = if seen == 1 { "the one pod template meets" } else { "all pod templates meet" };
        finding = finding.because(format!("{templates} {}", target.word()));
    }
    let minor = pod_security::version(None, inventory.server_minor());
    finding = finding.because(format!("templates are judged as version 1.{minor}"));
    if !warned {
        finding = context.detail(finding, |finding| finding.fix(warn(context, namespace, target)));
    }
    context.detail(finding, |finding| finding.fix(enforce(context, namespace, target, &violating)))
}

/// Templates that the evidence names.
const SHOWN: usize = 20;

/// The templates of a namespace that fail the level, and how many there are.
fn violating(inventory: &Inventory, namespace: &str, target: Level) -> (Vec<(Subject, Vec<&'static str>)>, usize) {
    let minor = pod_security::version(None, inventory.server_minor());
    let mut seen = 0;
    let mut out = Vec::new();
    let mut judge = |subject: &Subject, template: &PodTemplate| {
        seen += 1;
        let ids = pod_security::failing(&pod_security::evaluate(template, target, minor));
        if !ids.is_empty() {
            out.push((subject.clone(), ids));
        }
    };
    for workload in inventory.workloads.within(namespace) {
        let ended = matches!(workload.kind.as_str(), "Job" | "Pod") && workload.is_finished();
        if let Some(template) = workload.template().filter(|_| !ended) {
            judge(&workload.subject, template);
        }
    }
    for other in inventory.others.values().flat_map(|store| store.within(namespace)) {
        let template = other.at("/spec/template").filter(|template| template.pointer("/spec/containers").is_some());
        let template = template.and_then(|value| serde_json::from_value::<PodTemplate>(value.clone()).ok());
        if let Some(template) = template {
            judge(&other.subject, &template);
        }
    }
    (out, seen)
}

/// The first stage: warnings and audit entries.
fn warn(context: &Context<'_>, namespace: &Item<Namespace>, target: Level) -> Fix {
    let modes = ["warn", "audit"].into_iter().filter(|mode| level(namespace, mode) < target);
    let edits = modes.flat_map(|mode| labels(context.inventory, mode, target)).collect();
    let title = format!("Warn of and audit pods that {} forbids", target.word());
    Fix::new(title, Applicability::Safe)
        .ask(context.input(&namespace.subject, "level", false))
        .note("nothing is refused: kubectl shows warnings, the audit log gets entries")
        .step(Step::patch(&namespace.subject, edits))
}

/// The second stage.
fn enforce(
    context: &Context<'_>,
    namespace: &Item<Namespace>,
    target: Level,
    violating: &[(Subject, Vec<&'static str>)],
) -> Fix {
    let inventory = context.inventory;
    let title = format!("Enforce {} in namespace {}", target.word(), namespace.name());
    let mut fix = Fix::new(title, Applicability::Unsafe)
        .ask(context.input(&namespace.subject, "level", false))
        .consequence("running pods stay; a pod that violates the level is refused at its next start")
        .step(Step::patch(&namespace.subject, labels(inventory, "enforce", target)));
    if let Some((subject, ids)) = violating.first() {
        let more = match violating.len() {
            1 => String::new(),
            2 => ", and another template fails".to_owned(),
            count => format!(", and {} more templates fail", count - 1),
        };
        let reason = format!("{} fails {}{more}: its next pod would be refused", subject.short(), ids.join(", "));
        fix.refuse("templates", reason);
    }
    if let Some(reason) = TEMPLATES.iter().find_map(|plural| inventory.unseen(plural, namespace.name())) {
        fix.refuse("templates", format!("not every pod template can be judged: {reason}"));
    }
    if !inventory.is_live() && !inventory.is_complete() {
        fix.notes.push("pod templates outside the files were not judged".into());
    }
    fix
}

/// The labels of a mode, with the version of the server where it is known.
fn labels(inventory: &Inventory, mode: &str, target: Level) -> Vec<Edit> {
    let mut edits = vec![Edit::set(label_pointer(mode), target.word())];
    if let Some(minor) = inventory.server_minor() {
        edits.push(Edit::set(label_pointer(&format!("{mode}-version")), format!("v1.{minor}")));
    }
    edits
}
