//! bare-pod: a pod that nothing brings back.

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Location, Priority, Severity};
use crate::model::evidence;

declare_rule! {
    /// ## What it does
    /// Reports a pod without a controller. Every other workload passes. It does not apply to pods that
    /// have ended, to pods that the kubelet mirrors from files of its node, to hooks of Helm, and to
    /// workloads at zero.
    ///
    /// ## Why it matters
    /// A pod is bound to one node for its life. When the node goes, is drained or runs out of memory,
    /// nothing starts the pod elsewhere.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: Pod
    /// metadata: {name: web, namespace: shop}
    /// spec: {containers: [{name: web, image: "web:1"}]}
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
    /// None. Put the pod's specification into the template of a Deployment, a StatefulSet or a Job,
    /// apply it, and delete the pod once the new one serves.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/workloads/pods/#working-with-pods>
    /// - <https://kubernetes.io/docs/concepts/configuration/overview/>
    id: "bare-pod",
    summary: "a pod that nothing brings back",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::Architecture,
    fix: None,
    impact: "Nothing starts the pod again when its node goes.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for (_, workload) in inventory.audited_workloads() {
        let is_hook = workload.metadata.annotations.contains_key("helm.sh/hook");
        let pod = inventory.pods.get(workload.namespace(), "Pod", workload.name()).filter(|_| workload.kind == "Pod");
        let leaves = workload.is_idle() || is_hook || workload.is_mirror();
        if leaves || evidence::has_ended(inventory, workload) {
            verdicts.na(&workload.subject);
        } else if workload.kind == "Pod" {
            let node = pod.and_then(|pod| pod.spec.node_name.as_deref());
            let mut finding = context.finding(workload, "has no controller that would start it again");
            finding = finding.at(Location::at("/metadata/ownerReferences"));
            if let Some(node) = node {
                finding = finding.because(format!("it is bound to node {node}"));
            }
            verdicts.fail(finding.because("metadata.ownerReferences names no controller"));
        } else {
            verdicts.pass(&workload.subject);
        }
    }
}
