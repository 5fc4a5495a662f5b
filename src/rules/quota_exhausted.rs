//! quota-exhausted: a quota without room for the next rollout.

use serde_json::{Map, Value};

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::allowance::{self, Defaults, compute_key};
use crate::model::object::pointer;
use crate::model::policy::ResourceQuota;
use crate::model::quantity::Quantity;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, Subject};

declare_rule! {
    /// ## What it does
    /// Reports a ResourceQuota whose use, together with the pods that the rollout of its largest
    /// workload starts beside the old ones, is more than it allows: CPU, memory and pods. Pods that
    /// are still ending count too. A quota with scopes is reported only when it is full, since which
    /// pods it counts is not derived. In files nothing is used yet, unless a status was exported.
    ///
    /// ## Why it matters
    /// The next rollout can't start new pods. With `maxUnavailable: 0` it then waits until its
    /// deadline, and the old version stays.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: ResourceQuota
    /// metadata: {name: shop, namespace: shop}
    /// spec: {hard: {requests.cpu: "1", pods: "10"}}
    /// status:
    ///   hard: {requests.cpu: "1", pods: "10"}
    ///   used: {requests.cpu: 900m, pods: "3"}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   replicas: 3
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1, resources: {requests: {cpu: 300m}}}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: v1
    /// kind: ResourceQuota
    /// metadata: {name: shop, namespace: shop}
    /// spec: {hard: {requests.cpu: 1500m, pods: "10"}}
    /// status:
    ///   hard: {requests.cpu: 1500m, pods: "10"}
    ///   used: {requests.cpu: 900m, pods: "3"}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   replicas: 3
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1, resources: {requests: {cpu: 300m}}}]}
    /// ```
    ///
    /// ## Fix
    /// Unsafe, since a quota is a decision about shares. Raises each exhausted number to the least
    /// with which the rollout fits, CPU rounded up to 500m, memory to 256Mi. The alternative is to
    /// lower the surge or the requests. Undo lowers it again.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/policy/resource-quotas/>
    /// - <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment>
    /// - <https://github.com/kubernetes/kubernetes/issues/98656>
    id: "quota-exhausted",
    summary: "no room in the quota for a rollout",
    severity: Severity::High,
    priority: Priority::Immediate,
    category: Category::Scalability,
    fix: Some(Applicability::Unsafe),
    impact: "The next rollout can't start its pods.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: &[Aspect::Budgets, Aspect::Warnings],
    check: check,
}

/// One number of a quota that is too small.
struct Shortage {
    key: String,
    hard: Quantity,
    least: Quantity,
    text: String,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for quota in inventory.quotas.iter().filter(|quota| inventory.scope.covers(quota.namespace())) {
        if quota.status.used.is_empty() {
            verdicts.unknown(&quota.subject, "it has no status that says what is used");
            continue;
        }
        let shortages = shortages(inventory, quota);
        if shortages.is_empty() {
            verdicts.pass(&quota.subject);
        } else {
            verdicts.fail(finding(context, quota, shortages));
        }
    }
}

fn shortages(inventory: &Inventory, quota: &Item<ResourceQuota>) -> Vec<Shortage> {
    let read = |map: &Map<String, Value>, key: &str| map.get(key).and_then(Quantity::from_value);
    let mut out = Vec::new();
    for key in quota.spec.hard.keys() {
        let counted = compute_key(key).is_some() || matches!(key.as_str(), "pods" | "count/pods");
        let (Some(hard), Some(used)) = (read(&quota.spec.hard, key), read(&quota.status.used, key)) else {
            continue;
        };
        if !counted {
            continue;
        }
        let scoped = !allowance::holds_for_all(quota);
        let (more, source) = match surge(inventory, quota.namespace(), key).filter(|_| !scoped) {
            Some((amount, workload, text)) => (amount, format!("{} {text}", workload.short())),
            None => (Quantity::ZERO, "nothing else".to_owned()),
        };
        let full = scoped && used >= hard;
        if used + more > hard || full {
            let show = |amount| allowance::text(key, amount);
            let text = format!("{key}: {} used + {} for {source} > {}", show(used), show(more), show(hard));
            let text = if full { format!("{key}: {} of {} used", show(used), show(hard)) } else { text };
            out.push(Shortage { key: key.clone(), hard, least: used + more, text });
        }
    }
    out
}

/// The most that the rollout of one workload takes of a key beside its present pods.
fn surge<'a>(inventory: &'a Inventory, namespace: &str, key: &str) -> Option<(Quantity, &'a Subject, String)> {
    let defaults = Defaults::of(inventory, namespace);
    let of = |(_, workload): (usize, &'a Item<Workload>)| {
        let (above, ending) = match workload.kind.as_str() {
            "DaemonSet" => (workload.daemon_surge(workload.status.desired_number_scheduled), 0),
            _ => workload.surge_and_unavailable(workload.replicas()),
        };
        let each = match compute_key(key) {
            Some(known) => allowance::pod_need(&defaults.fill(&workload.template()?.spec), known)?,
            None => Quantity::units(1),
        };
        let text = format!("(surge {above} + ending {ending}, each {})", allowance::text(key, each));
        Some((each * (above + ending), &workload.subject, text))
    };
    let all = allowance::active_workloads(inventory, namespace).filter_map(of);
    all.max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(a.1))).filter(|(amount, ..)| !amount.is_zero())
}

fn finding(context: &Context<'_>, quota: &Item<ResourceQuota>, shortages: Vec<Shortage>) -> Finding {
    let keys: Vec<&str> = shortages.iter().map(|shortage| shortage.key.as_str()).collect();
    let message = format!("no room for the next rollout: {}", keys.join(", "));
    let mut finding = context.finding(quota, message);
    let mut edits = Vec::new();
    let fix = Fix::new(format!("Raise {}", quota.subject.short()), Applicability::Unsafe)
        .consequence("the namespace may take more of the cluster")
        .note("or lower maxSurge or the requests of the workload");
    for Shortage { key, hard, least, text } in shortages {
        let step = match compute_key(&key) {
            Some(known) if known.ends_with("memory") => Quantity::mebi(256),
            Some(_) => Quantity::milli(500),
            None => Quantity::units(1),
        };
        let room = if least > hard { least } else { least + step };
        let wanted = Value::from(allowance::text(&key, room.round_up(step)));
        let at = pointer("/spec/hard", &[&key]);
        finding = finding.at(Location::at(&at).values(quota.spec.hard.get(&key).cloned(), Some(wanted.clone())));
        finding = finding.because(text);
        edits.push(Edit::set(at, wanted));
    }
    finding.fix(fix.step(Step::patch(&quota.subject, edits)))
}
