//! workload-in-default-namespace: a workload without a namespace of its own.

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Location, Priority, Severity};
use crate::model::evidence;

declare_rule! {
    /// ## What it does
    /// Reports a workload in the namespace `default`. A manifest without a namespace is unknown, since
    /// whoever applies it decides where it goes. It does not apply to workloads at zero.
    ///
    /// ## Why it matters
    /// Quotas, network policies, Pod Security and access are given to namespaces. What stands in
    /// `default` shares them with everything that somebody forgot to place, and `default` itself can't
    /// be deleted.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: default}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: "web:1"}]}
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
    ///     spec: {containers: [{name: web, image: "web:1"}]}
    /// ```
    ///
    /// ## Fix
    /// None. A namespace can't be changed: create another one, apply the workload with everything that
    /// it needs there, move the data and the clients, then delete the old one.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/>
    /// - <https://kubernetes.io/docs/concepts/security/multi-tenancy/#namespaces>
    id: "workload-in-default-namespace",
    summary: "a workload in the namespace default",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::Architecture,
    fix: None,
    impact: "It shares policies and access with everything that was never placed.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for (_, workload) in inventory.audited_workloads() {
        let unplaced = workload.origin.is_some_and(|origin| inventory.unplaced.contains(&origin));
        if workload.is_idle() || evidence::has_ended(inventory, workload) {
            verdicts.na(&workload.subject);
        } else if unplaced {
            let reason = "the manifest leaves its namespace out: whoever applies it decides";
            verdicts.unknown(&workload.subject, reason);
        } else if workload.namespace() == "default" {
            let at = Location::at("/metadata/namespace").values(Some("default".into()), None);
            let finding = context.finding(workload, "runs in the namespace default").at(at);
            verdicts.fail(finding.because("metadata.namespace is default"));
        } else {
            verdicts.pass(&workload.subject);
        }
    }
}
