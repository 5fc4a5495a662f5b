//! What the rules of network policies permit at one end, as evidence for the other: who is let out
//! to a workload calls it, and whom it is let in by it calls.

use std::collections::{BTreeMap, BTreeSet};

use super::inventory::Inventory;
use super::isolation::{self, PodPort};
use super::lint;
use super::network::{PolicyPeer, PolicyPort, PolicyRule};
use super::number::IntOrString;
use super::object::Subject;
use super::pod::resolve_port;
use super::selector::{Labels, Selector};

/// A connection that a policy permits to or from a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Permit {
    /// The policy.
    pub policy: Subject,
    /// The namespace of the pods at the other end.
    pub namespace: String,
    /// The pods at the other end: those that the policy selects.
    pub pods: Selector,
    /// The ports of the called pods; all if empty.
    ports: Vec<PolicyPort>,
    /// True if the policy names whole namespaces, not pods.
    is_wide: bool,
}

/// What the policies of one direction permit, by the workload that their peers name. Of `Egress`
/// that are its callers, of `Ingress` those that it calls. A peer that names nobody in particular
/// is no evidence.
pub fn by_peer(inventory: &Inventory, direction: &str) -> BTreeMap<usize, Vec<Permit>> {
    let namespaces = namespaces(inventory);
    let mut out: BTreeMap<usize, Vec<Permit>> = BTreeMap::new();
    for policy in inventory.network_policies.iter().filter(|policy| policy.isolates(direction)) {
        let (list, rules) = lint::rules(policy, direction);
        for rule in rules {
            for peer in lint::peers(rule, list).iter().filter(|peer| is_evidence(peer, rule, direction)) {
                let is_wide = !names_pods(peer);
                for position in lint::selected(inventory, &namespaces, policy, peer) {
                    let permit = Permit {
                        policy: policy.subject.clone(),
                        namespace: policy.namespace().to_owned(),
                        pods: policy.spec.pod_selector.clone(),
                        ports: rule.ports.clone(),
                        is_wide,
                    };
                    let known = out.entry(position).or_default();
                    if !known.contains(&permit) {
                        known.push(permit);
                    }
                }
            }
        }
    }
    out
}

/// The namespaces of policies and workloads: files have workloads in namespaces that they do not hold.
fn namespaces(inventory: &Inventory) -> Vec<(&str, Labels)> {
    let mut out = lint::namespaces(inventory);
    let known: BTreeSet<&str> = out.iter().map(|(name, _)| *name).collect();
    let used: BTreeSet<&str> = inventory.workloads.iter().map(|workload| workload.namespace()).collect();
    let named = |name: &str| Labels::from_iter([(isolation::NAMESPACE_NAME.to_owned(), name.to_owned())]);
    out.extend(used.difference(&known).map(|name| (*name, named(name))));
    out
}

fn names_pods(peer: &PolicyPeer) -> bool {
    peer.pod_selector.as_ref().is_some_and(|selector| !selector.is_empty())
}

/// Pods that are named by labels are meant. Whole namespaces are only where ports say what is called.
fn is_evidence(peer: &PolicyPeer, rule: &PolicyRule, direction: &str) -> bool {
    let namespaces = peer.namespace_selector.as_ref().is_some_and(|selector| !selector.is_empty());
    names_pods(peer) || direction == "Egress" && namespaces && !rule.ports.is_empty()
}

impl Permit {
    /// The ports of a called workload: as they stand in the policy, or, where that names none or a
    /// range, those at which the workload is known to listen. `None` if nobody listens there.
    pub fn ports_of(&self, inventory: &Inventory, workload: usize) -> Option<Vec<PodPort>> {
        let known = listening(inventory, workload);
        if self.ports.is_empty() {
            return Some(known.into_iter().collect());
        }
        let spec = inventory.workloads.at(workload).template().map(|template| &template.spec);
        let mut out = BTreeSet::new();
        for port in &self.ports {
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let first = port.port.as_ref().map(|port| spec.and_then(|spec| resolve_port(spec, port, protocol)));
            match (first, port.end_port) {
                // A name that no container has.
                (Some(None), _) => {}
                (Some(Some(number)), None) => {
                    out.insert(PodPort { port: IntOrString::Int(number), protocol: protocol.to_owned() });
                }
                (first, last) => {
                    let range = first.flatten().unwrap_or(1)..=last.unwrap_or(65535);
                    let within = |port: &&PodPort| {
                        port.protocol == protocol
                            && matches!(port.port, IntOrString::Int(number) if range.contains(&number))
                    };
                    out.extend(known.iter().filter(within).cloned());
                }
            }
        }
        if self.is_wide {
            out.retain(|port| known.contains(port));
        }
        Some(out.into_iter().collect()).filter(|ports: &Vec<_>| !ports.is_empty())
    }
}

/// The ports of the pods that a container declares or a Service leads to.
fn listening(inventory: &Inventory, position: usize) -> BTreeSet<PodPort> {
    let workload = inventory.workloads.at(position);
    let containers = workload.template().into_iter().flat_map(|template| template.spec.serving_containers());
    let declared = containers.flat_map(|container| &container.ports).map(|port| PodPort {
        port: IntOrString::Int(port.container_port),
        protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
    });
    let services = inventory.services_of(position);
    let served = services.flat_map(|service| isolation::ports_for(workload, service, None));
    declared.chain(served).filter(|port| matches!(port.port, IntOrString::Int(_))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Workloads `api` and `db` (which declares 5432 as `pg` and is served at 5432 and 9187), and
    /// one policy for `api` with these egress rules.
    fn callers_of_db(egress: &Value) -> Vec<Option<Vec<i64>>> {
        let mut inventory = Inventory::default();
        for (name, ports) in [("api", json!([])), ("db", json!([{"name": "pg", "containerPort": 5432}]))] {
            let template = json!({"metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": name, "image": name, "ports": ports}]}});
            let deployment = json!({"metadata": {"name": name, "namespace": "a"},
                "spec": {"selector": {"matchLabels": {"app": name}}, "template": template}});
            inventory.add("apps/v1", "Deployment", deployment, None).unwrap();
        }
        let service = json!({"metadata": {"name": "db", "namespace": "a"}, "spec": {"selector": {"app": "db"},
            "ports": [{"name": "pg", "port": 5432}, {"name": "metrics", "port": 9187}]}});
        inventory.add("v1", "Service", service, None).unwrap();
        let policy = json!({"metadata": {"name": "api", "namespace": "a"}, "spec": {
            "podSelector": {"matchLabels": {"app": "api"}}, "policyTypes": ["Egress"], "egress": egress}});
        inventory.add("networking.k8s.io/v1", "NetworkPolicy", policy, None).unwrap();
        let inventory = inventory.finish();
        let db = inventory.workloads.position("a", "Deployment", "db").unwrap();
        let number = |port: PodPort| match port.port {
            IntOrString::Int(number) => number,
            IntOrString::Text(name) => panic!("{name} has a number"),
        };
        let numbers = |permit: &Permit| {
            let ports = permit.ports_of(&inventory, db)?;
            Some(ports.into_iter().map(number).collect())
        };
        by_peer(&inventory, "Egress").get(&db).into_iter().flatten().map(numbers).collect()
    }

    #[test]
    fn a_named_peer_is_a_caller_and_everybody_is_none() {
        let pods = json!([{"podSelector": {"matchLabels": {"app": "db"}}}]);
        let namespace = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "a"}}}]);
        for (rule, expected) in [
            (json!({"to": pods, "ports": [{"port": 5432}]}), vec![Some(vec![5432])]),
            (json!({"to": pods, "ports": [{"port": "pg"}]}), vec![Some(vec![5432])]),
            (json!({"to": pods, "ports": [{"port": "nobody"}]}), vec![None]),
            (json!({"to": pods, "ports": [{"port": 9000, "endPort": 9999}]}), vec![Some(vec![9187])]),
            (json!({"to": pods, "ports": [{"protocol": "TCP"}]}), vec![Some(vec![5432, 9187])]),
            (json!({"to": pods}), vec![Some(vec![5432, 9187])]),
            (json!({"to": namespace, "ports": [{"port": 5432}]}), vec![Some(vec![5432])]),
            (json!({"to": namespace, "ports": [{"port": 443}]}), vec![None]),
            (json!({"to": namespace}), vec![]),
            (json!({"to": [{"podSelector": {}}], "ports": [{"port": 5432}]}), vec![]),
            (json!({"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}), vec![]),
            (json!({}), vec![]),
        ] {
            assert_eq!(callers_of_db(&json!([rule])), expected, "{rule}");
        }
    }
}
