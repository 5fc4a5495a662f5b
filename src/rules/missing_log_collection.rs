//! missing-log-collection: logs that go with the pod.

use super::rule::{Aspect, Context, Verdicts};
use super::vouch;
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::Applicability;
use crate::model::evidence;
use crate::model::observability::{self, LOG_KINDS, Role, VENDOR_KINDS};
use crate::model::workload::Workload;
use crate::model::{Inventory, Item};

declare_rule! {
    /// ## What it does
    /// Reports a cluster without a DaemonSet that collects the logs of containers: Fluent Bit,
    /// Fluentd, Vector, Promtail, Alloy, Filebeat, the OpenTelemetry Collector, or a vendor's agent.
    /// They are known by their images. A resource of their operators counts too. A collector that
    /// is not ready on every node that wants it counts as half; one that is ready nowhere, as none.
    /// In manifests the absence is unknown, unless they are declared complete.
    ///
    /// ## Why it matters
    /// The kubelet keeps the logs of a container only until its pod is gone and the file is rotated.
    /// After a crash on a lost node there is nothing to read.
    ///
    /// ## Example
    /// ```yaml
    /// # complete: true
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: shop}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// # complete: true
    /// apiVersion: apps/v1
    /// kind: DaemonSet
    /// metadata: {name: fluent-bit, namespace: logging}
    /// spec:
    ///   selector: {matchLabels: {app: fluent-bit}}
    ///   template:
    ///     metadata: {labels: {app: fluent-bit}}
    ///     spec: {containers: [{name: fluent-bit, image: "fluent/fluent-bit:3.1.4"}]}
    /// ```
    ///
    /// ## Fix
    /// Manual. Install a collector and a store that outlives the nodes, or switch the provider's
    /// addon on. Collection that needs no pods can't be seen: attest it.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/cluster-administration/logging/>
    /// - <https://docs.fluentbit.io/manual/installation/kubernetes>
    id: "missing-log-collection",
    summary: "no collector of logs",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::Monitoring,
    fix: Some(Applicability::Manual),
    impact: "The logs of a lost pod are lost with it.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

const COLLECTORS: &str = "opentelemetrycollectors.opentelemetry.io";

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let cluster = inventory.cluster_subject();
    let collectors: Vec<&Item<Workload>> =
        evidence::running(inventory).map(|(_, workload)| workload).filter(|workload| collects(workload)).collect();
    let ready = |workload: &&&Item<Workload>| {
        let status = &workload.status;
        status.desired_number_scheduled > 0 && status.number_ready >= status.desired_number_scheduled
    };
    let by_operator = !inventory.is_live() && by_operator(inventory);
    if by_operator || !collectors.is_empty() && !inventory.is_live() || collectors.iter().find(ready).is_some() {
        verdicts.pass(&cluster);
        return;
    }
    if let Some(partly) = collectors.iter().find(|workload| workload.status.number_ready > 0) {
        verdicts.partial(&cluster, readiness(partly));
        return;
    }
    let unseen = evidence::unseen_anywhere(inventory, &["daemonsets"]);
    vouch::settle(context, verdicts, &cluster, unseen, || finding(context, &collectors));
}

/// True for a DaemonSet of a collector, or of a vendor's agent that is not told to leave logs alone.
fn collects(workload: &Workload) -> bool {
    let Some(template) = workload.template().filter(|_| workload.kind == "DaemonSet") else {
        return false;
    };
    let mut variables = template.spec.containers.iter().flat_map(|container| &container.env);
    let leaves = variables.any(|v| v.name == "DD_LOGS_ENABLED" && v.value.as_deref() == Some("false"));
    let agent = observability::image_of(workload, Role::Vendor).is_some() && !leaves;
    agent || observability::image_of(workload, Role::Logs).is_some()
}

/// True if a resource asks an operator for a collector on every node. On a live cluster the
/// operator's DaemonSet shows whether it came.
fn by_operator(inventory: &Inventory) -> bool {
    let on_nodes = inventory
        .other(COLLECTORS)
        .any(|item| item.at("/spec/mode").and_then(serde_json::Value::as_str) == Some("daemonset"));
    on_nodes
        || observability::custom_resource(inventory, &LOG_KINDS).is_some()
        || observability::custom_resource(inventory, &VENDOR_KINDS).is_some()
}

fn readiness(workload: &Item<Workload>) -> String {
    let status = &workload.status;
    format!("{} is ready on {} of {} nodes", workload.subject, status.number_ready, status.desired_number_scheduled)
}

fn finding(context: &Context<'_>, collectors: &[&Item<Workload>]) -> Finding {
    let cluster = context.inventory.cluster_subject();
    let mut finding = context.finding_about(&cluster, "no DaemonSet collects the logs of containers");
    finding = finding.because("searched: DaemonSets of all namespaces by the images of collectors and vendors' agents");
    for collector in collectors {
        let at = Location::at("/status/numberReady").of(&collector.subject);
        finding = finding.at(at).because_of(&collector.subject, readiness(collector));
    }
    let notes = if collectors.is_empty() {
        "install a collector, such as Fluent Bit, and a store that outlives the nodes"
    } else {
        "find out why the collector's pods are not ready"
    };
    context.detail(finding, |finding| finding.fix(vouch::manual(context, "Collect logs", &[notes])))
}
