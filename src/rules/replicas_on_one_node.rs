//! replicas-on-one-node: replicas that one node takes down together.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::more_pods;
use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::cluster::Node;
use crate::model::pod::PodTemplate;
use crate::model::selector::Selector;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, capacity};

const BY_NODE: &str = "kubernetes.io/hostname";
const CONSTRAINTS: &str = "/spec/template/spec/topologySpreadConstraints";

declare_rule! {
    /// ## What it does
    /// Reports a workload of two or more pods all of whose ready pods run on one node, while its
    /// template says nothing about nodes. A spread constraint or an anti-affinity counts only if its
    /// selector selects the pods themselves. Severity medium if two nodes or more take pods and fit
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
    /// workload's own selector, or gives that selector to a soft constraint of other pods.
    /// `DoNotSchedule` is never proposed: it leaves pods pending when nodes are short. It is refused
    /// for a volume that only one node can mount. Undo takes the constraint back and replaces the pods
    /// again.
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
    unmoved_by: &[Aspect::Warnings],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for (position, workload) in inventory.audited_workloads() {
        let Some(template) = workload.template().filter(|_| workload.is_scalable() && !workload.is_idle()) else {
            verdicts.na(&workload.subject);
            continue;
        };
        let pods = capacity::floor(inventory, position).pods.max(workload.replicas());
        if pods < 2 || super::is_development(context, workload) {
            verdicts.na(&workload.subject);
        } else if speaks_of_nodes(workload.namespace(), template) {
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
    verdicts: &mut Verdicts<'_>,
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
    let fits = |node: &Node| wanted.iter().all(|(key, value)| node.metadata.labels.get(key) == Some(value));
    let nodes = inventory.nodes.iter().filter(|node| node.is_schedulable());
    Some(nodes.filter(|node| fits(node)).count())
}

/// True if the template says how its pods relate to nodes: spread, apart, together, or pinned. What
/// keeps them from the pods of others says nothing about one another.
fn speaks_of_nodes(namespace: &str, template: &PodTemplate) -> bool {
    let affinity = template.spec.affinity.as_ref();
    let terms = |kind: &str| {
        let required = format!("/{kind}/requiredDuringSchedulingIgnoredDuringExecution");
        let preferred = format!("/{kind}/preferredDuringSchedulingIgnoredDuringExecution");
        let list = |pointer: &str| affinity.and_then(|affinity| affinity.pointer(pointer)?.as_array());
        let required = list(&required).into_iter().flatten();
        let preferred = list(&preferred).into_iter().flatten().filter_map(|term| term.get("podAffinityTerm"));
        required.chain(preferred).filter(|term| is_by_node(term))
    };
    let mut constraints = template.spec.topology_spread_constraints.iter().filter(|constraint| is_by_node(constraint));
    constraints.any(|constraint| selects_own(namespace, template, constraint))
        || terms("podAntiAffinity").any(|term| selects_own(namespace, template, term))
        || terms("podAffinity").next().is_some()
        || template.spec.node_name.is_some()
        || template.spec.node_selector.contains_key(BY_NODE)
}

fn is_by_node(term: &Value) -> bool {
    term.get("topologyKey").and_then(Value::as_str) == Some(BY_NODE)
}

/// True if the selector of a spread constraint, or of a term of anti-affinity, selects the pods of the
/// template themselves. An absent one selects nothing. `matchLabelKeys` takes the pod's own values,
/// `mismatchLabelKeys` all others.
fn selects_own(namespace: &str, template: &PodTemplate, term: &Value) -> bool {
    let selector =
        term.get("labelSelector").and_then(|selector| serde_json::from_value::<Selector>(selector.clone()).ok());
    let texts = |field: &str| {
        let list = term.get(field).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>()
    };
    let names = texts("namespaces");
    let elsewhere = !names.is_empty() && !names.contains(&namespace) && term.get("namespaceSelector").is_none();
    let differs = texts("mismatchLabelKeys").into_iter().any(|key| template.labels().contains_key(key));
    !elsewhere && !differs && selector.is_some_and(|selector| selector.matches(template.labels()))
}

/// The edit that spreads the pods. Two constraints with the same key and the same answer to a lack of
/// nodes are not valid, so that one of other pods gets the right selector.
fn spread(template: &PodTemplate, selector: &Selector) -> Edit {
    let is_soft = |constraint: &Value| {
        is_by_node(constraint) && constraint.get("whenUnsatisfiable").and_then(Value::as_str) == Some("ScheduleAnyway")
    };
    if let Some(index) = template.spec.topology_spread_constraints.iter().position(is_soft) {
        return Edit::set(format!("{CONSTRAINTS}/{index}/labelSelector"), json!(selector));
    }
    let constraint = json!({
        "maxSkew": 1, "topologyKey": BY_NODE, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector,
    });
    Edit::set(format!("{CONSTRAINTS}/-"), constraint)
}

fn together(
    context: &Context<'_>,
    workload: &Item<Workload>,
    (ready, node): (usize, &str),
    fitting: Option<usize>,
) -> Finding {
    let selector = workload.spec.selector.clone().unwrap_or_default();
    let edits = workload.template().map(|template| spread(template, &selector)).into_iter().collect();
    let mut finding = context
        .finding(workload, format!("all {ready} ready pods run on Node/{node}"))
        .at(Location::at(CONSTRAINTS))
        .because(format!("{ready} ready pods of {ready} have spec.nodeName {node}"))
        .because("no spread constraint and no affinity over nodes selects these pods");
    if let Some(fitting) = fitting {
        finding = finding.severity(Severity::Medium).because(format!("{fitting} nodes take such pods"));
        finding.priority = Severity::Medium.priority();
    } else {
        finding = finding.because("the nodes can't be read");
    }
    let mut fix = Fix::new("Spread the pods over nodes", Applicability::Unsafe)
        .note(format!("labelSelector = the selector of {}", workload.subject.short()))
        .note("ScheduleAnyway: no pod waits for a node")
        .step(Step::patch(&workload.subject, edits));
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
