//! pdb-blocks-eviction: a budget that no drain gets past.

use super::more_pods;
use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::eviction::{self, Covered};
use crate::model::policy::DisruptionBudget;
use crate::model::{Inventory, Item};

declare_rule! {
    /// ## What it does
    /// Reports a PodDisruptionBudget that allows no eviction when its workloads run with as few
    /// pods as they keep: an autoscaler's minimum, else their own replicas. That is `minAvailable`
    /// of all pods, `maxUnavailable: 0`, or neither of the two. Percentages round up in both
    /// fields, as the controller rounds. A budget over several workloads is judged by their sum. It does not
    /// apply to a budget that selects no pods, or whose controller can't count all that it selects
    /// (conflicting-pdb looks at those), or that selects a DaemonSet. Jobs end and count for
    /// nothing. Pods of custom resources are taken as many as the controller counts.
    ///
    /// ## Why it matters
    /// A node drain waits until the budget lets a pod go. Here it never does, so upgrades of the
    /// cluster stop at this node, or delete the pod by force.
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
    /// spec:
    ///   minAvailable: 3
    ///   selector: {matchLabels: {app: web}}
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
    /// spec:
    ///   minAvailable: 2
    ///   selector: {matchLabels: {app: web}}
    /// ```
    ///
    /// ## Fix
    /// Unsafe, since it lets pods go that the budget kept. `minAvailable` becomes one less than
    /// the workloads keep; `maxUnavailable`, or nothing, becomes `maxUnavailable: 1`. Manual for
    /// one pod: there a budget that blocks may be meant, so that a person moves the pod. Undo puts
    /// the old number back.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/tasks/run-application/configure-pdb/>
    /// - <https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/>
    id: "pdb-blocks-eviction",
    summary: "a PodDisruptionBudget that blocks every drain",
    severity: Severity::High,
    priority: Priority::Immediate,
    category: Category::HighAvailability,
    fix: Some(Applicability::Unsafe),
    impact: "A node drain waits for ever.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: &[Aspect::Warnings],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for budget in inventory.budgets.iter().filter(|budget| inventory.scope.covers(budget.namespace())) {
        let covered = eviction::covered(inventory, budget);
        let development = |position: &usize| super::is_development(context, inventory.workloads.at(*position));
        let is_for_development = !covered.workloads.is_empty() && covered.workloads.iter().all(development);
        if covered.pods == 0 || covered.unscaled || is_for_development {
            verdicts.na(&budget.subject);
        } else if let Some(reason) = inventory.unseen("horizontalpodautoscalers", budget.namespace()) {
            verdicts.unknown(&budget.subject, reason);
        } else if budget.allowed_at(covered.pods) > 0 {
            verdicts.pass(&budget.subject);
        } else {
            verdicts.fail(blocks(context, budget, &covered));
        }
    }
}

fn blocks(context: &Context<'_>, budget: &Item<DisruptionBudget>, covered: &Covered) -> Finding {
    let inventory = context.inventory;
    let pods = more_pods::pods(covered.pods);
    let message = format!("{} allows no eviction of {pods}", eviction::terms(budget));
    let (pointer, current, wanted) = wanted(budget, covered.pods);
    let mut place = Location::at(pointer);
    if covered.pods > 1 {
        place = place.values(current, Some(wanted.into()));
    }
    let mut finding = context.finding(budget, message).at(place);
    for source in &covered.sources {
        finding = finding.because(format!("floor {source}"));
    }
    finding = finding.because(format!("{} allows 0 of {pods} to be evicted", eviction::terms(budget)));
    if inventory.is_live() {
        let status = &budget.status;
        let now = format!(
            "now {} of {} are healthy, {} may be evicted",
            status.current_healthy,
            more_pods::pods(status.expected_pods),
            status.disruptions_allowed
        );
        finding = finding.because_of(&budget.subject, now);
    }
    context.detail(finding, |finding| finding.fix(fix(inventory, budget, covered)))
}

/// The field to change, what stands there and what should.
fn wanted(budget: &DisruptionBudget, pods: i64) -> (&'static str, Option<serde_json::Value>, i64) {
    let value = |field: &Option<_>| field.as_ref().and_then(|field| serde_json::to_value(field).ok());
    if budget.spec.min_available.is_some() {
        ("/spec/minAvailable", value(&budget.spec.min_available), pods - 1)
    } else {
        ("/spec/maxUnavailable", value(&budget.spec.max_unavailable), 1)
    }
}

fn fix(inventory: &Inventory, budget: &Item<DisruptionBudget>, covered: &Covered) -> Fix {
    if covered.pods == 1 {
        return Fix::new("Decide who moves the only pod", Applicability::Manual)
            .note("a budget that blocks may be meant for one pod: then delete it before a drain, and make it again")
            .note("else run two pods or more, or delete the budget");
    }
    let (pointer, _, wanted) = wanted(budget, covered.pods);
    let field = pointer.trim_start_matches("/spec/");
    let derivation = if field == "minAvailable" {
        format!("{wanted} = one less than the {} pods that the workloads keep", covered.pods)
    } else {
        "maxUnavailable 1 follows scaling".to_owned()
    };
    let mut fix = Fix::new(format!("Set {field} to {wanted}"), Applicability::Unsafe)
        .consequence("one pod at a time may be evicted")
        .note(derivation)
        .step(Step::patch(&budget.subject, vec![Edit::set(pointer, wanted)]));
    if let Some(reason) = inventory.unseen("pods", budget.namespace()) {
        fix = fix.note(format!("not verified against pods: {reason}"));
    }
    fix
}
