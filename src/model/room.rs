//! Whether the nodes have room for more pods of a shape, as far as that was read.
//!
//! Sources: the reference documentation on taints and tolerations, and on the scheduler's filters
//! for resources. What is not read, such as pods of other namespaces, can only take more room: too
//! little is a proof, enough is none.

use serde_json::Value;

use super::capacity::Obstacle;
use super::cluster::Node;
use super::inventory::Inventory;
use super::pod::{PodSpec, Requests};
use super::quantity::Quantity;
use super::store::Item;
use super::{allowance, amounts};

/// Why `more` pods of this shape may find no node.
pub fn shortage(inventory: &Inventory, spec: &PodSpec, more: i64) -> Option<Obstacle> {
    if more < 1 {
        return None;
    }
    let not_known = |why: String| {
        Obstacle::new("capacity", format!("whether the nodes have room for it is not known: {why}")).unknown()
    };
    if let Some(why) = inventory.unseen("nodes", "") {
        return Some(not_known(why));
    }
    if inventory.nodes.is_empty() {
        return Some(not_known("no node was read".to_owned()));
    }
    let each = amounts::requests(spec);
    let mut fits: i64 = 0;
    for node in inventory.nodes.iter().filter(|node| takes(node, spec)) {
        fits = fits.saturating_add(places(inventory, node, each));
    }
    if fits < more {
        let asks = format!("cpu {} and memory {}", each.cpu, allowance::text("memory", each.memory));
        let pods = if more == 1 { "a pod".to_owned() } else { format!("{more} pods") };
        let reason = match fits {
            0 => format!("no node that takes it has room for {pods} with {asks}"),
            _ => format!("the nodes that take it have room for {fits}, not for {pods} with {asks} each"),
        };
        return Some(Obstacle::new("capacity", reason));
    }
    unseen(inventory, spec).map(not_known)
}

/// What may take room and was not seen.
fn unseen(inventory: &Inventory, spec: &PodSpec) -> Option<String> {
    if inventory.scope.namespaces.is_some() {
        return Some("the pods of other namespaces were not read (-A reads them)".to_owned());
    }
    if let Some(gap) = inventory.gaps.iter().find(|gap| gap.kind == "pods") {
        return Some(format!("pods not readable in {}: {}", gap.scope, gap.reason));
    }
    let required = |kind: &str| {
        let affinity =
            spec.affinity.as_ref().and_then(|it| it.get(kind)?.get("requiredDuringSchedulingIgnoredDuringExecution"));
        affinity.is_some()
    };
    let hard = |it: &Value| it.get("whenUnsatisfiable").and_then(Value::as_str) != Some("ScheduleAnyway");
    if ["nodeAffinity", "podAffinity", "podAntiAffinity"].into_iter().any(required)
        || spec.topology_spread_constraints.iter().any(hard)
    {
        return Some("its affinity and spread constraints are the scheduler's to judge".to_owned());
    }
    None
}

/// True unless a node takes no pods of this shape, whatever room it has.
fn takes(node: &Node, spec: &PodSpec) -> bool {
    let labels = &node.metadata.labels;
    let selected = spec.node_selector.iter().all(|(key, value)| labels.get(key) == Some(value));
    let cordon = serde_json::json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
    let cordoned = node.spec.unschedulable == Some(true);
    let mut taints = node.spec.taints.iter().chain(cordoned.then_some(&cordon));
    selected && taints.all(|taint| !blocks(taint) || spec.tolerations.iter().any(|it| tolerates(it, taint)))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn blocks(taint: &Value) -> bool {
    matches!(text(taint, "effect"), "NoSchedule" | "NoExecute")
}

fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let effect = text(toleration, "effect");
    let key = text(toleration, "key");
    let same = (effect.is_empty() || effect == text(taint, "effect")) && (key.is_empty() || key == text(taint, "key"));
    match text(toleration, "operator") {
        "" | "Equal" => same && !key.is_empty() && text(toleration, "value") == text(taint, "value"),
        // `Exists`, and comparisons of a newer server, which are not ours to deny.
        _ => same,
    }
}

/// How many pods of this shape a node has room for; many where it does not say what it has.
fn places(inventory: &Inventory, node: &Item<Node>, each: Requests) -> i64 {
    let taken = inventory.taken(node.name());
    let has = |resource: &str| node.status.allocatable.get(resource).and_then(Quantity::from_value);
    let share = |resource: &str, used: Quantity, each: Quantity| {
        let times = has(resource)?.minus(used).as_milli().checked_div(each.as_milli())?;
        i64::try_from(times).ok()
    };
    let shares = [
        share("pods", Quantity::units(taken.pods), Quantity::units(1)),
        share("cpu", taken.requests.cpu, each.cpu),
        share("memory", taken.requests.memory, each.memory),
    ];
    shares.into_iter().flatten().min().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Scope, World};
    use serde_json::json;

    /// Nodes, and pods on them, each with what it requests of CPU.
    fn world(nodes: &[Value], pods: &[(&str, &str)], scope: Scope) -> Inventory {
        let live = World::Cluster { context: None, server: String::new(), uid: None, version: None };
        let mut out = Inventory::new(live, scope, jiff::Timestamp::UNIX_EPOCH);
        nodes.iter().for_each(|node| out.add("v1", "Node", node, None).unwrap());
        for (number, (node, cpu)) in pods.iter().enumerate() {
            let owner =
                json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "r", "controller": true}]);
            let container = json!({"name": "c", "resources": {"requests": {"cpu": cpu}}});
            let pod = json!({"metadata": {"name": format!("p{number}"), "namespace": "a", "ownerReferences": owner},
                "spec": {"nodeName": node, "containers": [container]}});
            out.add("v1", "Pod", &pod, None).unwrap();
        }
        out.finish()
    }

    fn node(name: &str, cpu: &str, pods: &str) -> Value {
        json!({"metadata": {"name": name, "labels": {"disk": "ssd"}},
            "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": pods}}})
    }

    fn spec(mut spec: Value) -> PodSpec {
        if spec.get("containers").is_none() {
            spec["containers"] = json!([{"name": "c", "resources": {"requests": {"cpu": "500m"}}}]);
        }
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn too_little_is_a_proof_and_enough_needs_every_pod() {
        let nodes = [node("a", "2", "10"), node("b", "1", "1")];
        let pods = [("a", "1"), ("b", "100m")];
        let all = world(&nodes, &pods, Scope::default());
        let plain = spec(json!({}));
        assert_eq!(shortage(&all, &plain, 2), None);
        let three = shortage(&all, &plain, 3).unwrap();
        let text = "the nodes that take it have room for 2, not for 3 pods with cpu 500m and memory 0 each";
        assert_eq!((three.reason.as_str(), three.known), (text, true));
        let one = world(&nodes, &pods, Scope::only("a"));
        let doubt = shortage(&one, &plain, 2).unwrap();
        assert!(!doubt.known && doubt.reason.contains("-A reads them"), "{doubt:?}");
        assert!(shortage(&one, &plain, 3).unwrap().known, "what was not read can't make room");
        let none = shortage(&world(&[], &[], Scope::default()), &plain, 1).unwrap();
        assert!(!none.known && none.reason.ends_with("no node was read"), "{none:?}");
    }

    #[test]
    fn taints_cordons_and_selectors_close_a_node() {
        let mut tainted = node("a", "2", "10");
        tainted["spec"] = json!({"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]});
        let mut cordoned = node("b", "2", "10");
        cordoned["spec"] = json!({"unschedulable": true});
        let all = world(&[tainted, cordoned], &[], Scope::default());
        let closed = |more: Value| shortage(&all, &spec(more), 1).is_some_and(|it| it.known);
        assert!(closed(json!({})));
        assert!(closed(json!({"tolerations": [{"key": "gpu", "operator": "Equal", "value": "no"}]})));
        assert!(!closed(json!({"tolerations": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]})));
        let tolerant = json!({"tolerations": [{"operator": "Exists"}], "nodeSelector": {"disk": "hdd"}});
        assert!(closed(tolerant));
        assert!(!closed(json!({"tolerations": [{"operator": "Exists"}], "nodeSelector": {"disk": "ssd"}})));
    }

    #[test]
    fn what_the_scheduler_alone_can_judge_is_not_known() {
        let all = world(&[node("a", "2", "10")], &[], Scope::default());
        let apart = json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}}});
        assert!(!shortage(&all, &spec(apart), 1).unwrap().known);
    }
}
