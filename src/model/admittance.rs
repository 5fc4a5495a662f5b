//! Whether network policies let an entry point's pods call a Service's pods.

use super::exposure::Entry;
use super::inventory::Inventory;
use super::network::{NetworkPolicy, PolicyPeer, PolicyPort, Service};
use super::number::IntOrString;
use super::pod::{PodSpec, resolve_port};
use super::selector::Labels;
use super::store::Item;

/// Pods that call: their namespace and labels.
struct Caller<'a> {
    namespace: &'a str,
    namespace_labels: Labels,
    labels: &'a Labels,
}

/// Why the pods of a Service would not hear the pods of an entry point, if they would not: only
/// pods that a policy isolates are asked about.
pub fn shut_out(inventory: &Inventory, service: &Item<Service>, entry: Option<&Entry>) -> Option<String> {
    if let Some(reason) = inventory.unseen("networkpolicies", service.namespace()) {
        return Some(reason);
    }
    for workload in inventory.workloads_of(service) {
        let position = inventory.workloads.position(service.namespace(), &workload.kind, workload.name())?;
        let policies: Vec<_> = inventory.policies_of(position).filter(|policy| policy.isolates("Ingress")).collect();
        if policies.is_empty() {
            continue;
        }
        let spec = &workload.template()?.spec;
        let callers = entry.map(|entry| callers(inventory, entry)).unwrap_or_default();
        let heard = |caller: Option<&Caller<'_>>, port: &super::network::ServicePort| {
            policies.iter().any(|policy| admits(policy, caller, spec, &port.target()))
        };
        let ports = &service.spec.ports;
        if ports.iter().all(|port| heard(None, port)) {
            continue;
        }
        let name = workload.subject.short();
        if callers.is_empty() {
            return Some(format!("{name} is isolated, and which pods the entry point runs was not read"));
        }
        if !callers.iter().all(|caller| ports.iter().all(|port| heard(Some(caller), port))) {
            return Some(format!("the policies of {name} do not let the entry point's pods in"));
        }
    }
    None
}

fn callers<'a>(inventory: &'a Inventory, entry: &Entry) -> Vec<Caller<'a>> {
    let services = entry.services.iter().filter_map(|s| inventory.services.get(s.namespace(), "Service", &s.name));
    services
        .flat_map(|service| inventory.workloads_of(service))
        .filter_map(|workload| {
            let namespace = workload.namespace();
            let known = inventory.namespaces.get("", "Namespace", namespace);
            let mut namespace_labels = known.map(|n| n.metadata.labels.clone()).unwrap_or_default();
            namespace_labels.insert("kubernetes.io/metadata.name".to_owned(), namespace.to_owned());
            Some(Caller { namespace, namespace_labels, labels: workload.template()?.labels() })
        })
        .collect()
}

/// True if a policy lets a caller at a port; without a caller, if it lets everybody.
fn admits(policy: &Item<NetworkPolicy>, caller: Option<&Caller<'_>>, spec: &PodSpec, target: &IntOrString) -> bool {
    policy.spec.ingress.iter().any(|rule| {
        let open = rule.ports.is_empty() || rule.ports.iter().any(|port| is_port(port, spec, target));
        let welcome = |caller: &Caller<'_>| rule.from.iter().any(|peer| is_peer(peer, policy.namespace(), caller));
        open && (rule.from.is_empty() || caller.is_some_and(welcome))
    })
}

/// An address block says nothing about pods: network plugins differ.
fn is_peer(peer: &PolicyPeer, namespace: &str, caller: &Caller<'_>) -> bool {
    if peer.ip_block.is_some() {
        return false;
    }
    let here = match &peer.namespace_selector {
        Some(selector) => selector.matches(&caller.namespace_labels),
        None => caller.namespace == namespace,
    };
    here && peer.pod_selector.as_ref().is_none_or(|selector| selector.matches(caller.labels))
}

fn is_port(port: &PolicyPort, spec: &PodSpec, target: &IntOrString) -> bool {
    if port.protocol.as_deref().unwrap_or("TCP") != "TCP" {
        return false;
    }
    let Some(wanted) = &port.port else { return true };
    let (Some(wanted), Some(number)) = (resolve_port(spec, wanted, "TCP"), resolve_port(spec, target, "TCP")) else {
        return false;
    };
    (wanted..=port.end_port.unwrap_or(wanted)).contains(&number)
}
