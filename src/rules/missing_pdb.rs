//! missing-pdb: replicated pods that a node drain may evict all at once.

use serde_json::json;

use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Location, Priority, Severity};
use crate::fix::{Applicability, Fix, Step, free_name};
use crate::model::capacity::{self, Bound};
use crate::model::selector::Selector;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item};

declare_rule! {
    /// ## What it does
    /// Reports a Deployment, StatefulSet, ReplicaSet or ReplicationController that keeps two or
    /// more pods and that no PodDisruptionBudget selects. The pods that it keeps are the
    /// autoscaler's minimum (of KEDA: the ScaledObject's), else its own replicas. It does not apply
    /// to a workload of one pod, where a budget either blocks every drain or does nothing, and to
    /// development services. Custom resources with a scale subresource, such as an Argo Rollout,
    /// are not judged: where their labels and numbers stand differs from kind to kind.
    ///
    /// ## Why it matters
    /// A node drain evicts all pods of a node at once, and drains of several nodes overlap. Without
    /// a budget the Eviction API has no reason to wait. A budget bounds evictions only: node
    /// failures, `kubectl delete pod`, scaling down and rollouts do not ask it.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   replicas: 3
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
    ///   replicas: 3
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ---
    /// apiVersion: policy/v1
    /// kind: PodDisruptionBudget
    /// metadata: {name: web-pdb, namespace: shop}
    /// spec:
    ///   maxUnavailable: 1
    ///   selector: {matchLabels: {app: web}}
    /// ```
    ///
    /// ## Fix
    /// Safe. Creates a PodDisruptionBudget with the workload's own selector and
    /// `maxUnavailable: 1`, which follows scaling; `--set missing-pdb.style=minAvailable` gives a
    /// fixed floor of one pod less than the workload keeps. On a server of version 1.27 or newer
    /// the budget of a Deployment lets pods go that run but are not ready. The fix is refused if
    /// the selector also selects pods of another workload, since a pod with two budgets can't be
    /// evicted at all, or misses the pods of its own template. Undo deletes the budget.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/workloads/pods/disruptions/>
    /// - <https://kubernetes.io/docs/tasks/run-application/configure-pdb/>
    /// - <https://github.com/kubernetes/enhancements/tree/master/keps/sig-apps/3017-pod-healthy-policy-for-pdb>
    id: "missing-pdb",
    summary: "no PodDisruptionBudget for replicated pods",
    severity: Severity::High,
    priority: Priority::Immediate,
    category: Category::HighAvailability,
    fix: Some(Applicability::Safe),
    impact: "A node drain may evict all pods at once.",
    parameters: &[Parameter {
        key: "style",
        prompt: "maxUnavailable follows scaling, minAvailable is a fixed floor",
        kind: ParameterKind::Choice(&["maxUnavailable", "minAvailable"]),
        default: Some("maxUnavailable"),
    }],
    next_stages: &[],
    unmoved_by: &[Aspect::Warnings],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for (position, workload) in inventory.audited_workloads() {
        let floor = capacity::floor(inventory, position);
        if !workload.is_scalable() || workload.is_idle() || floor.pods < 2 || super::is_development(context, workload) {
            verdicts.na(&workload.subject);
        } else if let Some(reason) = inventory.unseen("poddisruptionbudgets", workload.namespace()) {
            verdicts.unknown(&workload.subject, reason);
        } else if inventory.budgets_of(position).next().is_some() {
            verdicts.pass(&workload.subject);
        } else {
            let message = format!("no PodDisruptionBudget selects its {} pods", floor.pods);
            let finding = context.finding(workload, message).at(Location::at("/spec"));
            let finding = finding.because(format!("floor {} = {}", floor.pods, floor.source));
            verdicts.fail(context.detail(finding, |finding| finding.fix(fix(context, position, workload, &floor))));
        }
    }
}

fn fix(context: &Context<'_>, position: usize, workload: &Item<Workload>, floor: &Bound) -> Fix {
    let inventory = context.inventory;
    let selector = workload.spec.selector.clone().unwrap_or_default();
    let taken = |name: &str| inventory.budgets.get(workload.namespace(), "PodDisruptionBudget", name).is_some();
    let name = free_name(&format!("{}-pdb", workload.name()), taken);
    let style = context.input(&workload.subject, "style", false);
    let fixed = style.value.as_deref() == Some("minAvailable");
    let mut spec = json!({"selector": selector});
    if fixed {
        spec["minAvailable"] = json!(floor.pods - 1);
    } else {
        spec["maxUnavailable"] = json!(1);
    }
    if workload.kind == "Deployment" && inventory.server_minor().is_some_and(|minor| minor >= 27) {
        spec["unhealthyPodEvictionPolicy"] = json!("AlwaysAllow");
    }
    let step = Step::create("missing-pdb", "policy/v1", "PodDisruptionBudget", workload.namespace(), &name, spec);
    let mut fix =
        Fix::new(format!("Create PodDisruptionBudget {name}"), Applicability::Safe).ask(style).note(if fixed {
            format!("minAvailable {}: one less than the {} pods of {}", floor.pods - 1, floor.pods, floor.source)
        } else {
            "maxUnavailable 1: default, follows scaling (--set missing-pdb.style=minAvailable for a fixed floor)".into()
        });
    if workload.is_selected_by(&selector) {
        fix.steps.push(step);
    }
    guard(&mut fix, inventory, position, &selector);
    fix
}

/// A budget must select the workload's own pods and nobody else's.
fn guard(fix: &mut Fix, inventory: &Inventory, position: usize, selector: &Selector) {
    let namespace = inventory.workloads.at(position).namespace();
    if selector.is_empty() {
        fix.refuse("selector", "the workload has no selector that a budget could copy");
    } else if !inventory.workloads.at(position).is_selected_by(selector) {
        fix.refuse("selector", format!("`{}` does not select the pods of its own template", selector.text()));
    } else if !inventory.is_exclusive(selector, position) {
        fix.refuse("selector", format!("`{}` also selects pods of another workload", selector.text()));
    } else if let Some(reason) = inventory.unseen("pods", namespace) {
        fix.demote(Applicability::Unsafe, "selector", format!("not verified against pods: {reason}"));
    }
    for (pod, _) in inventory.selected_pods(namespace, selector) {
        let budgets = inventory.budgets.within(namespace);
        let bound = budgets.iter().find(|budget| {
            budget.spec.selector.as_ref().is_some_and(|selector| selector.matches(&pod.metadata.labels))
        });
        if let Some(budget) = bound {
            let reason =
                format!("{} already selects Pod/{}; two budgets block evictions", budget.subject.short(), pod.name());
            fix.refuse("second-budget", reason);
            return;
        }
    }
}
