//! conflicting-pdb: budgets that get in each other's way, or do nothing.

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Fix, Step};
use crate::model::policy::DisruptionBudget;
use crate::model::selector::Selector;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, eviction, lint, makers};

/// What a budget without a whole number of `minAvailable` may select.
const SCALED: &str = "select only pods of controllers with a scale subresource, or set minAvailable to a whole number";

declare_rule! {
    /// ## What it does
    /// Reports a PodDisruptionBudget that shares pods with another one, selects every pod of its
    /// namespace, selects no pods, or that the controller can't compute
    /// (`DisruptionAllowed=False/SyncFailed`). That happens with `maxUnavailable` or a percentage as
    /// soon as one selected pod is of a DaemonSet, Job or CronJob, which have no scale; pods without
    /// a controller are left out of the count. Of two budgets with the same selector only the
    /// younger one is reported, in manifests the one that comes later by name. That a budget selects
    /// no pods is unknown in manifests, unless they are declared complete and no custom resource may
    /// own such pods. A budget of a workload scaled to zero is right.
    ///
    /// ## Why it matters
    /// A pod with two budgets can't be evicted at all: the API answers with error 500, and the
    /// drain stops. A budget that can't be computed allows no eviction either. A budget without
    /// pods protects nobody, and looks as if it did.
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
    /// ---
    /// apiVersion: policy/v1
    /// kind: PodDisruptionBudget
    /// metadata: {name: web, namespace: shop}
    /// spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
    /// ---
    /// apiVersion: policy/v1
    /// kind: PodDisruptionBudget
    /// metadata: {name: web-pdb, namespace: shop}
    /// spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
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
    /// metadata: {name: web, namespace: shop}
    /// spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
    /// ```
    ///
    /// ## Fix
    /// Manual: which budget is right is a decision. Of two budgets with the same selector in a
    /// live cluster there is an unsafe fix that deletes the younger one. Undo makes it again.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/tasks/run-application/configure-pdb/>
    /// - <https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/core/pod/storage/eviction.go>
    id: "conflicting-pdb",
    summary: "PodDisruptionBudgets that overlap or do nothing",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::HighAvailability,
    fix: Some(Applicability::Unsafe),
    impact: "Evictions fail, or nothing bounds them.",
    parameters: &[],
    next_stages: &["conflicting-pdb"],
    unmoved_by: &[Aspect::Replicas, Aspect::Warnings],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let overlaps = eviction::overlaps(inventory);
    for (budget, shared) in inventory.budgets.iter().zip(&overlaps) {
        if !inventory.scope.covers(budget.namespace()) {
            continue;
        }
        let mut others = shared.iter().map(|(other, what)| (&**inventory.budgets.at(*other), what.as_str()));
        if let Some((twin, what)) =
            others.clone().find(|(other, _)| is_twin(budget, other) && comes_after(budget, other))
        {
            verdicts.fail(duplicate(context, budget, twin, what));
        } else if let Some((other, what)) = others.find(|(other, _)| !is_twin(budget, other)) {
            verdicts.fail(overlap(context, budget, other, what));
        } else if let Some(finding) = defect(context, budget) {
            verdicts.fail(finding);
        } else if let Some(reason) = unknown(inventory, budget) {
            verdicts.unknown(&budget.subject, reason);
        } else {
            verdicts.pass(&budget.subject);
        }
    }
}

fn is_twin(budget: &DisruptionBudget, other: &DisruptionBudget) -> bool {
    budget.spec.selector == other.spec.selector
}

/// True for the younger of two budgets; by name where ages are equal or unknown.
fn comes_after(budget: &Item<DisruptionBudget>, other: &Item<DisruptionBudget>) -> bool {
    let key = |budget: &Item<DisruptionBudget>| (budget.metadata.creation_timestamp, budget.name().to_owned());
    key(budget) > key(other)
}

/// A budget with the selector of an older one.
fn duplicate(
    context: &Context<'_>,
    budget: &Item<DisruptionBudget>,
    twin: &Item<DisruptionBudget>,
    what: &str,
) -> Finding {
    let title = format!("Delete {}, which repeats {}", budget.subject.short(), twin.subject.short());
    let fix = if context.inventory.is_live() {
        Fix::new(title, Applicability::Unsafe).step(Step::Delete { object: budget.subject.clone() })
    } else {
        Fix::new(title, Applicability::Manual).note("remove the document from its file")
    };
    let stays = format!("{} stays with {}", twin.subject.short(), eviction::terms(twin));
    let message = format!("selects the same pods as {}", twin.subject.short());
    context
        .finding(budget, message)
        .at(Location::at("/spec/selector"))
        .because_of(&twin.subject, format!("both select {}", text(budget.spec.selector.as_ref())))
        .because(format!("{what} has both budgets: it can't be evicted"))
        .because(format!("{} here, {} there", eviction::terms(budget), eviction::terms(twin)))
        .fix(fix.consequence(stays))
}

fn overlap(
    context: &Context<'_>,
    budget: &Item<DisruptionBudget>,
    other: &Item<DisruptionBudget>,
    what: &str,
) -> Finding {
    let advice = "make the selectors disjoint, or keep one of the two budgets";
    context
        .finding(budget, format!("shares pods with {}", other.subject.short()))
        .at(Location::at("/spec/selector"))
        .because(format!("{what} has both budgets: it can't be evicted"))
        .because_of(&other.subject, format!("{} selects {}", other.subject.short(), text(other.spec.selector.as_ref())))
        .fix(Fix::new("Leave each pod one budget", Applicability::Manual).note(advice))
}

/// What is wrong with a budget alone.
fn defect(context: &Context<'_>, budget: &Item<DisruptionBudget>) -> Option<Finding> {
    let inventory = context.inventory;
    let failed = budget.status.conditions.iter().find(|condition| {
        condition.kind == "DisruptionAllowed" && condition.status == "False" && condition.reason == "SyncFailed"
    });
    let uncounted = eviction::uncounted(inventory, budget);
    let (message, because, advice) = if let Some(condition) = failed {
        let because = format!("DisruptionAllowed=False/SyncFailed: {}", condition.message);
        ("can't be computed by its controller", because, SCALED)
    } else if budget.spec.selector.as_ref().is_some_and(Selector::is_empty) {
        let because = "an empty selector selects all pods".to_owned();
        ("selects every pod of its namespace", because, "select the pods of one workload, with one budget for each")
    } else if !uncounted.is_empty() {
        return Some(incomputable(context, budget, &uncounted));
    } else if selects_nothing(inventory, budget) && judges_absence(inventory, budget) {
        let because = format!("it selects {}: no pod and no template is there", text(budget.spec.selector.as_ref()));
        ("selects no pods", because, "correct the selector, or delete the budget")
    } else {
        return None;
    };
    let finding = context.finding(budget, message).at(Location::at("/spec/selector")).because(because);
    Some(finding.fix(Fix::new("Correct the budget", Applicability::Manual).note(advice)))
}

/// A budget that needs the scale of workloads that have none.
fn incomputable(context: &Context<'_>, budget: &Item<DisruptionBudget>, uncounted: &[&Item<Workload>]) -> Finding {
    let mut finding = context.finding(budget, "can't be computed by its controller").at(Location::at("/spec/selector"));
    for workload in uncounted {
        let name = workload.subject.short();
        let text = match workload.kind.as_str() {
            "Pod" => format!("{name} has no controller: the controller of the budget leaves it out of the count"),
            "CronJob" => format!("{name} has no scale: while one of its pods is there, no pod may be evicted"),
            _ => format!("{name} has no scale: no pod may be evicted"),
        };
        finding = finding.because_of(&workload.subject, text);
    }
    let because = format!("{} is computed from the scales of all controllers", eviction::terms(budget));
    finding.because(because).fix(Fix::new("Correct the budget", Applicability::Manual).note(SCALED))
}

/// True if no workload, at whatever number of pods, and no pod is selected.
fn selects_nothing(inventory: &Inventory, budget: &Item<DisruptionBudget>) -> bool {
    let Some(selector) = &budget.spec.selector else {
        return true;
    };
    let namespace = budget.namespace();
    budget.status.expected_pods == 0 && !lint::selects_any(inventory, namespace, selector)
}

/// True if pods that were not found are not there.
fn judges_absence(inventory: &Inventory, budget: &Item<DisruptionBudget>) -> bool {
    budget.spec.selector.is_none()
        || (inventory.is_live() || inventory.is_complete()) && unread(inventory, budget).is_none()
}

/// Why pods may be there that were not read, if they may.
fn unread(inventory: &Inventory, budget: &Item<DisruptionBudget>) -> Option<String> {
    let kinds = ["pods", "deployments", "statefulsets", "replicasets", "replicationcontrollers"];
    let listed = kinds.into_iter().find_map(|kind| inventory.unseen(kind, budget.namespace()));
    let made = || makers::made(inventory, budget.namespace(), budget.spec.selector.as_ref()?).reason();
    listed.or_else(made)
}

fn unknown(inventory: &Inventory, budget: &Item<DisruptionBudget>) -> Option<String> {
    if !selects_nothing(inventory, budget) {
        return None;
    }
    Some(unread(inventory, budget).unwrap_or_else(|| "the pods that it selects are not in the manifests".to_owned()))
}

fn text(selector: Option<&Selector>) -> String {
    match selector {
        None => "nothing (no selector, or an empty one before policy/v1)".to_owned(),
        Some(selector) if selector.is_empty() => "everything".to_owned(),
        Some(selector) => format!("`{}`", selector.text()),
    }
}
