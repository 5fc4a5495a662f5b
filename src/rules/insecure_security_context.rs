//! insecure-security-context: pod templates that the restricted profile forbids.

use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::pod::PodTemplate;
use crate::model::pod_security::{self, Level, Repair, Risk, Violation};
use crate::model::workload::Workload;
use crate::model::{Inventory, Item};

declare_rule! {
    /// ## What it does
    /// Reports a workload whose pod template fails a check of the restricted profile of the Pod
    /// Security Standards: privileged, host namespaces, hostPath and other volume types, host
    /// ports, `allowPrivilegeEscalation` not false, capabilities other than `ALL` dropped and at
    /// most `NET_BIND_SERVICE` added, no seccomp profile, `runAsNonRoot` not true, user 0,
    /// AppArmor, SELinux, `procMount`, sysctls, `hostProcess`, hosts in probes and hooks. Judged
    /// at the version of the namespace's label, else the server's, else the newest known (1.37).
    /// Windows pods and pods in a user namespace are exempt where the standard exempts them. One
    /// finding for each workload, with one location for each field.
    ///
    /// ## Why it matters
    /// Each of these settings gives an attacker inside a container more to work with: root, the
    /// node's files, its network, or system calls that programs do not need.
    ///
    /// ## Example
    /// ```yaml
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
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec:
    ///       securityContext:
    ///         runAsNonRoot: true
    ///         seccompProfile: {type: RuntimeDefault}
    ///       containers:
    ///         - name: web
    ///           image: web:1
    ///           securityContext:
    ///             allowPrivilegeEscalation: false
    ///             capabilities: {drop: [ALL]}
    /// ```
    ///
    /// ## Fix
    /// Unsafe. One patch, and so one rollout, of the fields that fail, in the order of what they may
    /// break: `allowPrivilegeEscalation: false` and the seccomp profile of the runtime;
    /// `ALL` capabilities dropped; `runAsNonRoot: true`. `--set insecure-security-context.upTo=`
    /// `low-risk` or `capabilities` stops earlier, and the rest is a later stage. Everything that
    /// somebody wrote on purpose (privileged, host access, user 0, added capabilities) is left to
    /// a person, and so is what Linux alone has where the template names Windows.
    /// `readOnlyRootFilesystem` is not part of the profile. Manual for a bare pod: the API
    /// refuses the change while the pod exists. Refused where the namespace would not let the new
    /// pods in all the same: by its own level, a LimitRange or a quota.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/security/pod-security-standards/>
    /// - <https://kubernetes.io/docs/tasks/configure-pod-container/security-context/>
    /// - <https://github.com/kubernetes/pod-security-admission>
    id: "insecure-security-context",
    summary: "a pod template that the restricted profile forbids",
    severity: Severity::High,
    priority: Priority::Immediate,
    category: Category::Security,
    fix: Some(Applicability::Unsafe),
    impact: "Whoever breaks into a container gets more than the container.",
    parameters: &[Parameter {
        key: "upTo",
        prompt: "how far the fix goes: low-risk fields, also capabilities, also non-root",
        kind: ParameterKind::Choice(&["low-risk", "capabilities", "non-root"]),
        default: Some("non-root"),
    }],
    next_stages: &["insecure-security-context"],
    unmoved_by: &[Aspect::Replicas, Aspect::Budgets],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    for (position, workload) in context.inventory.audited_workloads() {
        let Some(template) = workload.template().filter(|_| !workload.is_idle()) else {
            verdicts.na(&workload.subject);
            continue;
        };
        let (minor, label) = version(context.inventory, workload.namespace());
        let violations = pod_security::evaluate(template, Level::Restricted, minor);
        if violations.is_empty() {
            verdicts.pass(&workload.subject);
        } else {
            verdicts.fail(context.detail(place(context, workload, &violations), |finding| {
                let details = violations.iter().map(|violation| violation.detail.as_str());
                let source = source(context.inventory, label);
                let finding = details.fold(finding, Finding::because);
                let finding = finding.because(format!("judged as version 1.{minor}, {source}"));
                finding.fix(fix(context, position, workload, template, &violations))
            }));
        }
    }
}

/// The labels of a namespace that name a version.
const VERSIONS: [&str; 3] = [
    "pod-security.kubernetes.io/enforce-version",
    "pod-security.kubernetes.io/warn-version",
    "pod-security.kubernetes.io/audit-version",
];

/// A label and its value.
type Label<'a> = (&'static str, &'a str);

/// The minor version that a namespace's label asks for, and the label.
fn version<'a>(inventory: &'a Inventory, namespace: &str) -> (u32, Option<Label<'a>>) {
    let labels = inventory.namespaces.get("", "Namespace", namespace).map(|item| &item.metadata);
    let label = VERSIONS.into_iter().find_map(|key| Some((key, labels?.label(key)?)));
    (pod_security::version(label.map(|(_, value)| value), inventory.server_minor()), label)
}

/// Where a version comes from, in words.
fn source(inventory: &Inventory, label: Option<Label<'_>>) -> String {
    match label {
        Some((key, value)) => {
            let mode = key.rsplit_once('/').map_or(key, |(_, mode)| mode);
            format!("the namespace's {mode} {value}")
        }
        None if inventory.server_minor().is_some() => "the server's".to_owned(),
        None => "the newest known".to_owned(),
    }
}

/// What fails, and where.
fn place(context: &Context<'_>, workload: &Item<Workload>, violations: &[Violation]) -> Finding {
    let ids = pod_security::failing(violations);
    let noun = if ids.len() == 1 { "check" } else { "checks" };
    let message = format!("fails {} {noun} of the restricted profile: {}", ids.len(), ids.join(", "));
    let base = workload.template_pointer();
    violations.iter().fold(context.finding(workload, message), |finding, violation| {
        let wanted = violation.repair.as_ref().map(|repair| match (&violation.found, &repair.value) {
            (Some(serde_json::Value::Array(list)), value) if repair.pointer.ends_with("/-") => {
                list.iter().chain([value]).cloned().collect()
            }
            (_, value) => value.clone(),
        });
        let location = Location::at(format!("{base}{}", violation.pointer))
            .named(format!("{base}{}", violation.stable))
            .values(violation.found.clone(), wanted);
        finding.at(location)
    })
}

fn fix(
    context: &Context<'_>,
    position: usize,
    workload: &Item<Workload>,
    template: &PodTemplate,
    violations: &[Violation],
) -> Fix {
    let name = workload.subject.short();
    let approved = context.input(&workload.subject, "upTo", false);
    let most = match approved.value.as_deref() {
        Some("low-risk") => Risk::Low,
        Some("capabilities") => Risk::Capabilities,
        _ => Risk::NonRoot,
    };
    let mut repairs: Vec<&Repair> = violations.iter().filter_map(|violation| violation.repair.as_ref()).collect();
    repairs.sort_by_key(|repair| repair.risk);
    let later = repairs.iter().filter(|repair| repair.risk > most).count();
    repairs.retain(|repair| repair.risk <= most);
    let mut fix = Fix::new(format!("Harden the pod template of {name}"), Applicability::Unsafe).ask(approved);
    for violation in violations.iter().filter(|violation| violation.repair.is_none()) {
        fix.notes.push(format!("left to a person: {}", violation.detail));
    }
    if later > 0 {
        fix.notes.push(format!("{later} riskier fields stay for a later stage (upTo)"));
    }
    if repairs.is_empty() {
        fix.applicability = Applicability::Manual;
        return fix;
    }
    for risk in [Risk::Capabilities, Risk::NonRoot] {
        if repairs.iter().any(|repair| repair.risk == risk) {
            fix.consequences.push(consequence(context.inventory, position, template, risk));
        }
    }
    let base = workload.template_pointer();
    let edits = repairs.iter().map(|repair| Edit::set(format!("{base}{}", repair.pointer), repair.value.clone()));
    fix.steps.push(Step::patch(&workload.subject, edits.collect()));
    match workload.kind.as_str() {
        "CronJob" => fix.consequences.push(format!("{name} takes the new template with its next run")),
        "Pod" if context.inventory.is_live() => {
            fix.refuse("immutable", format!("the security settings of {name} can't be changed while it exists"));
        }
        "Pod" => {
            fix.steps.clear();
            fix.applicability = Applicability::Manual;
            fix.notes.push("its template can't change; write the fields down, delete the pod and make it anew".into());
        }
        _ => {}
    }
    fix
}

fn consequence(inventory: &Inventory, position: usize, template: &PodTemplate, risk: Risk) -> String {
    if risk == Risk::Capabilities {
        return "without capabilities, binding ports below 1024, chown and ping fail for programs of root".into();
    }
    match user(inventory, position, template) {
        Some(known) => format!("runAsNonRoot: {known}"),
        None => "images whose user is root or has no number do not start: \
            the kubelet can't verify that the user is not root"
            .into(),
    }
}

/// What shows that the containers run as another user than root.
fn user(inventory: &Inventory, position: usize, template: &PodTemplate) -> Option<String> {
    let uid = |context: &Option<Box<serde_json::Value>>| context.as_ref()?.get("runAsUser")?.as_i64();
    let of_the_pod = uid(&template.spec.security_context);
    let mut containers = template.spec.all_containers();
    if containers.all(|(_, _, container)| uid(&container.security_context).or(of_the_pod).is_some_and(|uid| uid > 0)) {
        return Some("the template names a user that is not root".into());
    }
    let statuses = inventory.pods_of(position).flat_map(|pod| &pod.status.container_statuses);
    let uids: Vec<i64> = statuses
        .map(|status| status.user.as_ref().and_then(|user| user.pointer("/linux/uid")?.as_i64()).unwrap_or(0))
        .collect();
    let known = !uids.is_empty() && uids.iter().all(|uid| *uid > 0) && template.spec.init_containers.is_empty();
    known.then(|| format!("the containers report user {}, which is not root", uids[0]))
}
