//! Which flows a set of NetworkPolicies lets through: the rules of the API's reference, for tests.
//!
//! A pod is isolated in a direction once a policy of its namespace selects it for that direction;
//! then it needs a rule that lets the other end in, or out. A flow needs both of its ends. What a
//! plugin adds to that, such as its own kinds or what becomes of open connections, is not known here.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

/// A pod, or the one pod of a template.
#[derive(Debug)]
pub(crate) struct Pod {
    pub(crate) namespace: String,
    /// The name of the pod, or of its workload.
    pub(crate) name: String,
    labels: Value,
    spec: Value,
}

/// One end of a flow.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End<'a> {
    Pod(&'a Pod),
    /// Somebody outside of the cluster.
    Address(IpAddr),
    /// The node on which the pod at the other end runs: its kubelet.
    OwnNode,
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Ingress,
    Egress,
}

/// Protocol and port, as the pod at the end of the flow sees it.
pub(crate) type Port = (&'static str, u64);

/// Pods, the labels of their namespaces, and what isolates them.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) pods: Vec<Pod>,
    namespaces: BTreeMap<String, Value>,
    policies: Vec<Value>,
}

impl Network {
    /// Of Namespaces, Pods, workloads (one pod each) and NetworkPolicies; other kinds don't matter.
    pub(crate) fn of<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut network = Self { pods: Vec::new(), namespaces: BTreeMap::new(), policies: Vec::new() };
        for object in objects {
            let metadata = &object["metadata"];
            match object["kind"].as_str().unwrap_or_default() {
                "Namespace" => drop(network.namespaces.insert(text(&metadata["name"]), metadata["labels"].clone())),
                "NetworkPolicy" => network.policies.push(object.clone()),
                "Pod" => network.pods.push(Pod::of(metadata, object)),
                "Deployment" | "StatefulSet" | "DaemonSet" => {
                    network.pods.push(Pod::of(metadata, &object["spec"]["template"]));
                }
                _ => {}
            }
        }
        // The server labels each namespace with its name.
        for name in network.pods.iter().map(|pod| pod.namespace.clone()).collect::<Vec<_>>() {
            let labels = network.namespaces.entry(name.clone()).or_default();
            labels["kubernetes.io/metadata.name"] = name.into();
        }
        network
    }

    /// The pods whose name begins so; at least one.
    #[track_caller]
    pub(crate) fn named(&self, namespace: &str, prefix: &str) -> Vec<&Pod> {
        let found: Vec<&Pod> =
            self.pods.iter().filter(|pod| pod.namespace == namespace && pod.name.starts_with(prefix)).collect();
        assert!(!found.is_empty(), "no pod {prefix} in {namespace}");
        found
    }

    /// Whether a flow goes through.
    pub(crate) fn allows(&self, from: End, to: End, port: Port) -> bool {
        let to_itself = matches!((from, to), (End::Pod(one), End::Pod(other)) if std::ptr::eq(one, other));
        let of_its_node = matches!(from, End::OwnNode) || matches!(to, End::OwnNode);
        to_itself
            || of_its_node
            || (self.passes(Direction::Egress, from, to, to, port)
                && self.passes(Direction::Ingress, to, from, to, port))
    }

    /// Whether the policies of one end let the flow through.
    fn passes(&self, direction: Direction, own: End, other: End, target: End, port: Port) -> bool {
        let End::Pod(own) = own else { return true };
        if own.spec["hostNetwork"] == true {
            return true;
        }
        let mine = self.policies.iter().filter(|policy| {
            text(&policy["metadata"]["namespace"]) == own.namespace
                && isolates(&policy["spec"], direction)
                && selects(&policy["spec"]["podSelector"], &own.labels)
        });
        let (rules, peers) = match direction {
            Direction::Ingress => ("ingress", "from"),
            Direction::Egress => ("egress", "to"),
        };
        let mine: Vec<&Value> = mine.collect();
        let lists = mine.iter().flat_map(|policy| list(&policy["spec"][rules]));
        let mut fitting = lists.filter(|rule| {
            let peers = list(&rule[peers]);
            let ports = list(&rule["ports"]);
            (peers.is_empty() || peers.iter().any(|peer| self.is_peer(peer, &own.namespace, other)))
                && (ports.is_empty() || ports.iter().any(|it| is_port(it, target, port)))
        });
        mine.is_empty() || fitting.next().is_some()
    }

    fn is_peer(&self, peer: &Value, namespace: &str, end: End) -> bool {
        match end {
            // Blocks are for addresses outside of the cluster; pods are told by labels.
            End::Pod(pod) if peer["ipBlock"].is_null() => {
                let here = match &peer["namespaceSelector"] {
                    Value::Null => pod.namespace == namespace,
                    selector => selects(selector, &self.namespaces[&pod.namespace]),
                };
                here && (peer["podSelector"].is_null() || selects(&peer["podSelector"], &pod.labels))
            }
            End::Address(address) if peer["ipBlock"].is_object() => {
                let block = &peer["ipBlock"];
                let excepted = list(&block["except"]).iter().any(|range| contains(&text(range), address));
                contains(&text(&block["cidr"]), address) && !excepted
            }
            _ => false,
        }
    }
}

impl Pod {
    fn of(metadata: &Value, template: &Value) -> Self {
        Self {
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            labels: template["metadata"]["labels"].clone(),
            spec: template["spec"].clone(),
        }
    }

    /// The ports that its containers declare.
    pub(crate) fn ports(&self) -> Vec<(String, u64)> {
        let containers = list(&self.spec["containers"]).iter().flat_map(|container| list(&container["ports"]));
        containers.map(|port| (text(&port["name"]), port["containerPort"].as_u64().unwrap_or_default())).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Ingress unless it says otherwise, and Egress if there are rules for it.
fn isolates(spec: &Value, direction: Direction) -> bool {
    match (&spec["policyTypes"], direction) {
        (Value::Array(types), _) => types.iter().any(|it| *it == format!("{direction:?}").as_str()),
        (_, Direction::Ingress) => true,
        (_, Direction::Egress) => !list(&spec["egress"]).is_empty(),
    }
}

/// Empty selects all.
fn selects(selector: &Value, labels: &Value) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| labels[key] == *value);
    equal
        && list(&selector["matchExpressions"]).iter().all(|expression| {
            let value = &labels[expression["key"].as_str().unwrap_or_default()];
            match expression["operator"].as_str() {
                Some("In") => list(&expression["values"]).contains(value),
                Some("NotIn") => !list(&expression["values"]).contains(value),
                Some("Exists") => !value.is_null(),
                Some("DoesNotExist") => value.is_null(),
                other => panic!("{other:?} is no operator"),
            }
        })
}

/// A port by number, by a range, or by the name that it has in the pod at the end of the flow.
fn is_port(wanted: &Value, target: End, (protocol, port): Port) -> bool {
    if wanted["protocol"].as_str().unwrap_or("TCP") != protocol {
        return false;
    }
    match &wanted["port"] {
        Value::Null => true,
        Value::String(name) => {
            matches!(target, End::Pod(pod) if pod.ports().contains(&(name.clone(), port)))
        }
        number => {
            let first = number.as_u64().unwrap_or_default();
            (first..=wanted["endPort"].as_u64().unwrap_or(first)).contains(&port)
        }
    }
}

fn contains(range: &str, address: IpAddr) -> bool {
    let (base, length) = range.split_once('/').expect("a range has a length");
    let length: u32 = length.parse().expect("its length is a number");
    match (base.parse().expect("it begins with an address"), address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            (base.to_bits() ^ address.to_bits()).checked_shr(32 - length).unwrap_or(0) == 0
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            (base.to_bits() ^ address.to_bits()).checked_shr(128 - length).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Two pods of one namespace, one of another, and a policy of the first.
    fn network(spec: &Value) -> Network {
        let pod = |namespace: &str, name: &str| {
            json!({"kind": "Pod", "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}]}})
        };
        let policy = json!({"kind": "NetworkPolicy", "metadata": {"namespace": "shop", "name": "p"}, "spec": spec});
        let space = json!({"kind": "Namespace", "metadata": {"name": "other", "labels": {"team": "x"}}});
        Network::of([&pod("shop", "web"), &pod("shop", "api"), &pod("other", "api"), &policy, &space])
    }

    /// Whether `web` may be called by `api`, by that of the other namespace, from outside; and call
    /// `api` and the outside. On its port 8080.
    fn flows(spec: &Value) -> [bool; 5] {
        let network = network(spec);
        let pod = |namespace: &str, name: &str| End::Pod(network.named(namespace, name)[0]);
        let (web, api, foreign) = (pod("shop", "web"), pod("shop", "api"), pod("other", "api"));
        let outside = End::Address("192.0.2.7".parse().expect("it is one"));
        assert!(network.allows(web, web, ("TCP", 8080)) && network.allows(End::OwnNode, web, ("TCP", 8080)));
        [(api, web), (foreign, web), (outside, web), (web, api), (web, outside)]
            .map(|(from, to)| network.allows(from, to, ("TCP", 8080)))
    }

    #[test]
    fn the_reference_holds() {
        let web = json!({"matchLabels": {"app": "web"}});
        let api = json!({"matchLabels": {"app": "api"}});
        let spec = |rest: Value| {
            let mut spec = rest;
            spec["podSelector"] = web.clone();
            spec
        };
        let ingress = |rule: Value| spec(json!({"policyTypes": ["Ingress"], "ingress": [rule]}));
        let cases = [
            (json!({"podSelector": {"matchLabels": {"app": "nobody"}}}), [true, true, true, true, true]),
            (spec(json!({})), [false, false, false, true, true]),
            (json!({"podSelector": {}, "policyTypes": ["Egress"]}), [false, true, true, false, false]),
            (spec(json!({"egress": [{}]})), [false, false, false, true, true]),
            (
                spec(json!({"ingress": [{}], "egress": [{"to": [{"podSelector": api}]}]})),
                [true, true, true, true, false],
            ),
            (ingress(json!({"from": [{"podSelector": api}]})), [true, false, false, true, true]),
            (ingress(json!({"from": [{"namespaceSelector": {}}]})), [true, true, false, true, true]),
            (
                ingress(json!({"from": [{"namespaceSelector": {"matchLabels": {"team": "x"}}, "podSelector": api}]})),
                [false, true, false, true, true],
            ),
            (
                ingress(json!({"from": [{"namespaceSelector": {"matchLabels": {"team": "x"}}}, {"podSelector": api}]})),
                [true, true, false, true, true],
            ),
            (
                ingress(json!({"from": [{"namespaceSelector": {"matchExpressions": [
                    {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["other"]}]}}]})),
                [true, false, false, true, true],
            ),
            (ingress(json!({"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]})), [false, false, true, true, true]),
            (
                ingress(json!({"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["192.0.2.0/29"]}}]})),
                [false, false, false, true, true],
            ),
            (ingress(json!({"ports": [{"port": "http"}]})), [true, true, true, true, true]),
            (
                ingress(json!({"ports": [{"port": 80}, {"port": 8080, "protocol": "UDP"}]})),
                [false, false, false, true, true],
            ),
            (ingress(json!({"ports": [{"port": 8000, "endPort": 8090}]})), [true, true, true, true, true]),
        ];
        for (spec, expected) in cases {
            assert_eq!(flows(&spec), expected, "{spec}");
        }
    }
}
