//! One flow that a policy lets in, and the rules that many of them make.

use std::collections::HashMap;

use serde_json::Value;

use crate::model::isolation::{self, PodPort, Ports};
use crate::model::object::ObjectRef;
use crate::model::selector::{Labels, Selector};

/// One caller, the ports that it may call, and why.
pub(super) struct Flow {
    pub(super) peer: Value,
    pub(super) ports: Vec<PodPort>,
    pub(super) source: String,
    pub(super) reason: String,
}

impl Flow {
    /// As a fact.
    pub(super) fn told(&self) -> String {
        format!("{} -> {}: {}", self.source, Ports(&self.ports), self.reason)
    }
}

/// The peer of a policy in `namespace` that is the pods of an operator's resource. The operator runs
/// them in the namespace of the resource. For a Prometheus it documents this label as reserved
/// (<https://prometheus-operator.dev/docs/api-reference/api/>); for others the namespace is the peer.
pub(super) fn pods_of(resource: &ObjectRef, namespace: &str) -> Value {
    let labels = if resource.kind == "Prometheus" {
        Labels::from_iter([("app.kubernetes.io/name".to_owned(), "prometheus".to_owned())])
    } else {
        Labels::default()
    };
    isolation::pods_peer(&Selector::labels(&labels), resource.namespace(), namespace)
}

/// The rules of the policy: callers with the same ports share one.
pub(super) fn rules(list: &[Flow]) -> Vec<Value> {
    let mut callers: Vec<(&Value, Vec<PodPort>, bool)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for flow in list {
        let place = *places.entry(flow.peer.to_string()).or_insert_with(|| {
            callers.push((&flow.peer, Vec::new(), false));
            callers.len() - 1
        });
        callers[place].1.extend(flow.ports.iter().cloned());
        callers[place].2 |= flow.ports.is_empty();
    }
    let mut rules: Vec<(Vec<PodPort>, Vec<&Value>)> = Vec::new();
    for (peer, mut ports, all) in callers {
        ports.sort();
        ports.dedup();
        if all {
            ports.clear();
        }
        match rules.iter_mut().find(|(known, _)| *known == ports) {
            Some((_, peers)) => peers.push(peer),
            None => rules.push((ports, vec![peer])),
        }
    }
    rules.into_iter().map(|(ports, peers)| isolation::policy_rule("from", &peers, &ports)).collect()
}
