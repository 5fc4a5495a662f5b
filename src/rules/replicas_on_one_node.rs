//! replicas-on-one-node: replicas that one node takes down together.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::more_pods;
use super::rule::{Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::pod::PodTemplate;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, capacity};

const BY_NODE: &str = "kubernetes.io/hostname";

declare_rule! {
    /// ## What it does
    /// Reports a workload of two or more pods all of whose ready pods run on one node, while its
    /// template says nothing about nodes. Severity medium if two nodes or more take pods and fit
    /// its node selector, low if the nodes can't be read. It does not apply where only one node
    /// fits. The scheduler spreads softly by default, so that an absent constraint alone is no
    /// finding; therefore the verdict is unknown in manifests without a constraint. The Example is
    /// what a cluster shows.
    ///
    /// ## Why it matters
    /// The replicas are there to survive the loss of a node, and here they do not.
    ///
    /// ## Example
    /// ```yaml
    /// # world: live
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop, uid: uid-web}
    /// spec:
    ///   replicas: 2
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ---
    /// apiVersion: v1
    /// kind: Pod
    /// metadata:
    ///   name: web-1
    ///   namespace: shop
    ///   labels: {app: web}
    ///   ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: uid-web, controller: true}]
    /// spec: {nodeName: node-a}
    /// status: {phase: Running, conditions: [{type: Ready, status: "True"}]}
    /// ---
    /// apiVersion: v1
    /// kind: Pod
    /// metadata:
    ///   name: web-2
    ///   namespace: shop
    ///   labels: {app: web}
    ///   ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: uid-web, controller: true}]
    /// spec: {nodeName: node-a}
    /// status: {phase: Running, conditions: [{type: Ready, status: "True"}]}
    /// ---
    /// apiVersion: v1
    /// kind: Node
    /// metadata: {name: node-a}
    /// ---
    /// apiVersion: v1
    /// kind: Node
    /// metadata: {name: node-b}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   replicas: 2
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec:
    ///       topologySpreadConstraints:
    ///       - maxSkew: 1
    ///         topologyKey: kubernetes.io/hostname
    ///         whenUnsatisfiable: ScheduleAnyway
    ///         labelSelector: {matchLabels: {app: web}}
    ///       containers: [{name: web, image: web:1}]
    /// ```
    ///
    /// ## Fix
    /// Unsafe, since it replaces the pods. Adds a soft spread constraint over nodes with the
    /// workload's own selector. `DoNotSchedule` is never proposed: it leaves pods pending when
    /// nodes are short. It is refused for a volume that only one node can mount. Undo removes the
    /// constraint and replaces the pods again.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>
    /// - <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/#internal-default-constraints>
    id: "replicas-on-one-node",
    summary: "all replicas run on one node",
    severity: Severity::Low,
    priority: Priority::LongTerm,
    category: Category::HighAvailability,
    fix: Some(Applicability::Unsafe),
    impact: "The loss of one node takes every replica down.",
    parameters: &[],
    next_stages: &[],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts) {
    let inventory = context.inventory;
    for (position, workload) in inventory.audited_workloads() {
        let Some(template) = workload.template().filter(|_| workload.is_scalable() && !workload.is_idle()) else {
            verdicts.na(&workload.subject);
            continue;
        };
        let pods = capacity::floor(inventory, position).pods.max(workload.replicas());
        if pods < 2 || super::is_development(context, workload) {
            verdicts.na(&workload.subject);
        } else if speaks_of_nodes(template) {
            verdicts.pass(&workload.subject);
        } else if !inventory.is_live() {
            verdicts.unknown(&workload.subject, "manifests do not say where pods run");
        } else if let Some(reason) = inventory.unseen("pods", workload.namespace()) {
            verdicts.unknown(&workload.subject, reason);
        } else {
            judge(context, position, workload, template, verdicts);
        }
    }
}

fn judge(
    context: &Context<'_>,
    position: usize,
    workload: &Item<Workload>,
    template: &PodTemplate,
    verdicts: &mut Verdicts,
) {
    let inventory = context.inventory;
    let ready: Vec<&str> = inventory
        .pods_of(position)
        .filter(|pod| pod.is_active() && pod.is_ready())
        .filter_map(|pod| pod.spec.node_name.as_deref())
        .collect();
    let nodes: BTreeSet<&str> = ready.iter().copied().collect();
    let fitting = fitting_nodes(inventory, template);
    match nodes.first() {
        _ if ready.len() < 2 => verdicts.na(&workload.subject),
        Some(node) if nodes.len() == 1 => {
            if fitting.is_some_and(|count| count < 2) {
                verdicts.na(&workload.subject);
            } else {
                verdicts.fail(together(context, workload, (ready.len(), node), fitting));
            }
        }
        _ => verdicts.pass(&workload.subject),
    }
}

/// How many nodes take pods of this template; `None` if the nodes can't be read.
fn fitting_nodes(inventory: &Inventory, template: &PodTemplate) -> Option<usize> {
    if inventory.nodes.is_empty() || inventory.unseen("nodes", "").is_some() {
        return None;
    }
    let wanted = &template.spec.node_selector;
    let fits = |label: (&String, &String), labels: &std::collections::BTreeMap<String, String>| {
        labels.get(label.0) == Some(label.1)
    };
    let nodes = inventory.nodes.iter().filter(|node| node.is_schedulable());
    Some(nodes.filter(|node| wanted.iter().all(|label| fits(label, &node.metadata.labels))).count())
}

/// True if the template says how its pods relate to nodes: spread, apart, together, or pinned.
fn speaks_of_nodes(template: &PodTemplate) -> bool {
    let by_node = |term: &Value| term.get("topologyKey").and_then(Value::as_str) == Some(BY_NODE);
    let affinity = template.spec.affinity.as_ref();
    let terms = |kind: &str| {
        let required = format!("/{kind}/requiredDuringSchedulingIgnoredDuringExecution");
        let preferred = format!("/{kind}/preferredDuringSchedulingIgnoredDuringExecution");
        let list = |pointer: &str| affinity.and_then(|affinity| affinity.pointer(pointer)?.as_array());
        let required = list(&required).into_iter().flatten();
        let preferred = list(&preferred).into_iter().flatten().filter_map(|term| term.get("podAffinityTerm"));
        required.chain(preferred).any(by_node)
    };
    template.spec.topology_spread_constraints.iter().any(by_node)
        || terms("podAntiAffinity")
        || terms("podAffinity")
        || template.spec.node_name.is_some()
        || template.spec.node_selector.contains_key(BY_NODE)
}

fn together(
    context: &Context<'_>,
    workload: &Item<Workload>,
    (ready, node): (usize, &str),
    fitting: Option<usize>,
) -> Finding {
    let selector = workload.spec.selector.clone().unwrap_or_default();
    let constraint = json!({
        "maxSkew": 1, "topologyKey": BY_NODE, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector,
    });
    let pointer = "/spec/template/spec/topologySpreadConstraints";
    let mut finding = context
        .finding(workload, format!("all {ready} ready pods run on Node/{node}"))
        .at(Location::at(pointer))
        .because(format!("{ready} ready pods of {ready} have spec.nodeName {node}"))
        .because("the template has no spread constraint and no affinity over nodes");
    if let Some(fitting) = fitting {
        finding = finding.severity(Severity::Medium).because(format!("{fitting} nodes take such pods"));
        finding.priority = Severity::Medium.priority();
    } else {
        finding = finding.because("the nodes can't be read");
    }
    let mut fix = Fix::new("Spread the pods over nodes", Applicability::Unsafe)
        .note(format!("labelSelector = the selector of {}", workload.subject.short()))
        .note("ScheduleAnyway: no pod waits for a node")
        .step(Step::patch(&workload.subject, vec![Edit::set(format!("{pointer}/-"), constraint)]));
    let pods = i64::try_from(ready).unwrap_or(i64::MAX);
    for obstacle in capacity::obstacles(context.inventory, workload, pods) {
        match obstacle.guard {
            "volume" if obstacle.known => fix.refuse("volume", obstacle.reason),
            "volume" => fix.demote(Applicability::Unsafe, "volume", obstacle.reason),
            _ => {}
        }
    }
    if workload.strategy_kind() == "Recreate" {
        fix = fix.consequence(format!("strategy Recreate: all {} are down meanwhile", more_pods::pods(pods)));
    }
    finding.fix(fix)
}
