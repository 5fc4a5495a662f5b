//! missing-resource-quota: a namespace whose pods may take the whole cluster.

use serde_json::{Map, Value, json};

use super::missing_limit_range;
use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Priority, Severity};
use crate::fix::{Applicability, Fix, Step, free_name};
use crate::model::allowance::{self, Need};
use crate::model::quantity::Quantity;
use crate::model::{Inventory, Subject};

mod sums;
use sums::Sums;

declare_rule! {
    /// ## What it does
    /// Reports a namespace with workloads that no ResourceQuota with CPU or memory bounds. A quota
    /// with a scope counts only if the scope leaves out nothing that runs for long
    /// (`NotBestEffort`, `NotTerminating`). It does not apply while all workloads are at zero,
    /// suspended or finished.
    ///
    /// ## Why it matters
    /// One namespace can take all that the nodes have: a leak, a runaway autoscaler or a tenant
    /// then starves the others.
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
    ///   replicas: 3
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec:
    ///       containers:
    ///         - name: web
    ///           image: web:1
    ///           resources:
    ///             requests: {cpu: 250m, memory: 512Mi}
    ///             limits: {memory: 1Gi}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: shop}
    /// ---
    /// apiVersion: v1
    /// kind: ResourceQuota
    /// metadata: {name: shop-quota, namespace: shop}
    /// spec:
    ///   hard: {requests.cpu: "1500m", requests.memory: 2560Mi, limits.memory: 5Gi, pods: "5"}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   replicas: 3
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec:
    ///       containers:
    ///         - name: web
    ///           image: web:1
    ///           resources:
    ///             requests: {cpu: 250m, memory: 512Mi}
    ///             limits: {memory: 1Gi}
    /// ```
    ///
    /// ## Fix
    /// Unsafe. Creates a ResourceQuota of 1.2 times what the workloads need at their peak: the
    /// autoscaler's maximum plus the pods of a rollout, times what a pod requests. CPU is rounded
    /// up to 500m, memory to 256Mi, counts to whole objects. Where a container states no request or
    /// memory limit, the LimitRange of missing-limit-range comes first, since the quota would reject
    /// its pods, and its defaults are part of the sum. `--set missing-resource-quota.profile=assessment`
    /// adds `limits.cpu` and takes the numbers of the assessment as the least. Requests that are given
    /// with `--set missing-resource-requests.memory=` count where they are above the defaults. The fix
    /// is refused where pods belong to something whose needs nobody can see, and where the nodes of
    /// a DaemonSet are not known: its status states no number, and the files have no nodes. Pods of
    /// workloads that are at zero or suspended have no room in it. Undo deletes the quota.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/policy/resource-quotas/>
    /// - <https://kubernetes.io/docs/concepts/policy/limit-range/>
    /// - <https://github.com/kubernetes/kubernetes/issues/98656>
    id: "missing-resource-quota",
    summary: "no ResourceQuota for the namespace",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::Architecture,
    fix: Some(Applicability::Unsafe),
    impact: "One namespace can take all CPU and memory of the cluster.",
    parameters: &[Parameter {
        key: "profile",
        prompt: "default bounds requests, memory limits and counts; assessment also CPU limits, with its numbers as the least",
        kind: ParameterKind::Choice(&["default", "assessment"]),
        default: Some("default"),
    }],
    next_stages: &["missing-limit-range"],
    unmoved_by: &[Aspect::Budgets, Aspect::Warnings],
    check: check,
}

/// Kinds whose absence from what was read would make the sums too small.
const COUNTED: [&str; 8] = [
    "cronjobs",
    "daemonsets",
    "deployments",
    "horizontalpodautoscalers",
    "jobs",
    "replicasets",
    "replicationcontrollers",
    "statefulsets",
];

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for namespace in inventory.audited_namespaces() {
        let name = namespace.name.as_str();
        let unseen = allowance::unseen_namespace(inventory, name).or_else(|| inventory.unseen("resourcequotas", name));
        let quotas = inventory.quotas.within(name);
        let bounds = |quota: &&_| !allowance::compute_keys(quota).is_empty() && allowance::holds_for_all(quota);
        if allowance::active_workloads(inventory, name).next().is_none() {
            verdicts.na(&namespace);
        } else if let Some(reason) = unseen {
            verdicts.unknown(&namespace, reason);
        } else if quotas.iter().map(|quota| &quota.body).any(|quota| bounds(&quota)) {
            verdicts.pass(&namespace);
        } else {
            verdicts.fail(finding(context, &namespace));
        }
    }
}

fn finding(context: &Context<'_>, namespace: &Subject) -> Finding {
    let inventory = context.inventory;
    let message = "no ResourceQuota bounds its CPU and memory";
    let mut finding = super::namespace_finding(context, namespace, message);
    for quota in inventory.quotas.within(&namespace.name) {
        let keys: Vec<&str> = quota.spec.hard.keys().map(String::as_str).collect();
        let scoped = if allowance::holds_for_all(quota) { "" } else { " of some pods" };
        let text = format!("{} bounds only {}{scoped}", quota.subject.short(), keys.join(", "));
        finding = finding.because_of(&quota.subject, text);
    }
    let sums = Sums::of(context, namespace);
    for need in &sums.needs {
        finding = finding.because_of(&need.workload, arithmetic(need, &sums.keys));
    }
    for (key, least) in &sums.answers {
        let resource = key.trim_start_matches("requests.");
        let least = allowance::text(key, *least);
        let text = format!(
            "containers without {key} count at least {least}: the answer to missing-resource-requests.{resource}"
        );
        finding = finding.because(text);
    }
    for (key, sum) in &sums.hard {
        finding = finding.because(format!("{key} {}: {}", allowance::text(key, sum.hard), sum.derivation));
    }
    context.detail(finding, |finding| finding.fix(fix(context, namespace, &sums)))
}

/// `Deployment/web: 4 pods (3 from … + surge 1 + ending 0), each requests.cpu 250m`.
fn arithmetic(need: &Need, keys: &[&'static str]) -> String {
    let each = keys.iter().filter_map(|key| {
        let amount = (*need.each.get(key)?)?;
        Some(format!("{key} {}", allowance::text(key, amount)))
    });
    let each = each.collect::<Vec<_>>().join(", ");
    let pods = need.pods.map_or_else(|| "pods".to_owned(), |pods| format!("{pods} pods"));
    format!("{}: {pods} ({}), each {each}", need.workload.short(), need.arithmetic)
}

fn fix(context: &Context<'_>, namespace: &Subject, sums: &Sums) -> Fix {
    let inventory = context.inventory;
    let name = namespace.name.as_str();
    let taken = |quota: &str| inventory.quotas.get(name, "ResourceQuota", quota).is_some();
    let quota = free_name(&format!("{name}-quota"), taken);
    let mut fix = Fix::new(format!("Create ResourceQuota {quota}"), Applicability::Unsafe)
        .ask(context.input(namespace, "profile", false));
    if !sums.hard.is_empty() {
        fix = with_steps(fix, inventory, name, &quota, sums);
    }
    guard(&mut fix, inventory, name, sums);
    fix
}

/// Creates the quota, and the defaults that it needs first.
fn with_steps(mut fix: Fix, inventory: &Inventory, name: &str, quota: &str, sums: &Sums) -> Fix {
    if let Some(proposal) = &sums.proposal {
        let step = missing_limit_range::step(inventory, name, proposal);
        fix = fix.note(format!("{} first: the quota rejects containers without these fields", step.object().short()));
        for reason in &proposal.reasons {
            fix = fix.note(reason);
        }
        for consequence in missing_limit_range::consequences(inventory, name, proposal) {
            fix = fix.consequence(consequence);
        }
        missing_limit_range::guard(&mut fix, inventory, name, proposal);
        fix = fix.step(step);
    }
    let hard: Map<String, Value> =
        sums.hard.iter().map(|(key, sum)| ((*key).to_owned(), Value::String(allowance::text(key, sum.hard)))).collect();
    fix = fix.consequence("pods above the quota are refused from now on; running pods stay").step(Step::create(
        "missing-resource-quota",
        "v1",
        "ResourceQuota",
        name,
        quota,
        json!({"hard": hard}),
    ));
    for (key, what) in [
        ("persistentvolumeclaims", "PersistentVolumeClaim"),
        ("services.loadbalancers", "Service of type LoadBalancer"),
    ] {
        if sums.hard.get(key).is_some_and(|sum| sum.hard.is_zero()) {
            fix = fix.consequence(format!("no {what} can be created: there is none now"));
        }
    }
    if sums.keys.contains(&"limits.cpu") {
        fix = fix.consequence("every container needs a CPU limit and is throttled at it");
    }
    fix
}

/// What must be seen before a number may be enforced.
fn guard(fix: &mut Fix, inventory: &Inventory, namespace: &str, sums: &Sums) {
    for resource in COUNTED {
        if let Some(reason) = inventory.unseen(resource, namespace) {
            fix.refuse("needs", format!("the sum would be too small: {reason}"));
        }
    }
    for need in sums.needs.iter().filter(|need| need.pods.is_none()) {
        let name = need.workload.short();
        fix.refuse("needs", format!("the pods of {name} can't be counted ({})", need.arithmetic));
    }
    if let (Some(_), Some(reason)) = (&sums.proposal, inventory.unseen("limitranges", namespace)) {
        fix.refuse("limit-range", format!("containers lack fields that the quota demands, and {reason}"));
    }
    if let Some(reason) = inventory.unseen("pods", namespace) {
        fix.demote(Applicability::Unsafe, "pods", format!("not verified against pods: {reason}"));
    }
    let foreign = allowance::unaccounted_pods(inventory, namespace);
    if let Some(pod) = foreign.first() {
        let more = foreign.len() - 1;
        let others = if more == 0 { " belongs".to_owned() } else { format!(" and {more} more belong") };
        fix.refuse(
            "needs",
            format!("{}{others} to no workload that was read: what that needs is not known", pod.short()),
        );
    }
    let idle = inventory.workloads.within(namespace).iter().filter(|workload| {
        workload.is_idle() && matches!(workload.kind.as_str(), "Deployment" | "StatefulSet" | "CronJob")
    });
    for workload in idle {
        fix.notes.push(format!("{} runs nothing now and is not counted", workload.subject.short()));
    }
    fix.notes.extend(overcommitment(inventory, namespace, sums));
}

/// A warning if all quotas together allow more than the nodes have.
fn overcommitment(inventory: &Inventory, namespace: &str, sums: &Sums) -> Vec<String> {
    if inventory.nodes.is_empty() {
        return Vec::new();
    }
    let warn = |(key, resource): (&'static str, &str)| {
        let allocatable =
            inventory.nodes.iter().filter_map(|node| Quantity::from_value(node.status.allocatable.get(resource)?));
        let nodes: Quantity = allocatable.sum();
        let others = inventory.quotas.iter().filter(|quota| quota.namespace() != namespace);
        let others: Quantity = others.filter_map(|quota| Quantity::from_value(quota.spec.hard.get(key)?)).sum();
        let own = sums.hard.get(key)?.hard;
        let text = |amount| allowance::text(key, amount);
        (others + own > nodes)
            .then(|| format!("all quotas together allow {key} {}, the nodes have {}", text(others + own), text(nodes)))
    };
    [("requests.cpu", "cpu"), ("requests.memory", "memory")].into_iter().filter_map(warn).collect()
}
