//! What network policies need to know of workloads: how their pods are selected, on which ports
//! they serve, and whether a policy isolates them already.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Value, json};

use super::cluster::ServiceRef;
use super::inventory::Inventory;
use super::network::{Service, ServicePort};
use super::number::IntOrString;
use super::object::Subject;
use super::pod::resolve_port;
use super::selector::{Labels, Requirement, Selector};
use super::store::Item;
use super::workload::Workload;

/// Labels that controllers put on pods, different for each run or revision.
const GENERATED: [&str; 7] = [
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
    "controller-revision-hash",
    "controller-uid",
    "job-name",
    "pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
];

/// The label that every namespace has with its own name
/// (<https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name>).
pub const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Kinds of other policies whose meaning is not read here, by resource, with what they select:
/// pods of their namespace, or of all.
const FOREIGN: [(&str, bool); 9] = [
    ("adminnetworkpolicies.policy.networking.k8s.io", true),
    ("baselineadminnetworkpolicies.policy.networking.k8s.io", true),
    ("ciliumclusterwidenetworkpolicies.cilium.io", true),
    ("ciliumnetworkpolicies.cilium.io", false),
    ("clusternetworkpolicies.policy.networking.k8s.io", true),
    ("globalnetworkpolicies.crd.projectcalico.org", true),
    ("globalnetworkpolicies.projectcalico.org", true),
    ("networkpolicies.crd.projectcalico.org", false),
    ("networkpolicies.projectcalico.org", false),
];

/// The selector of a workload's pods for a policy in its namespace: its own selector, or the labels
/// of its template for kinds whose selector is generated. `None` if its pods have no label of their own.
pub fn pod_selector(workload: &Workload) -> Option<Cow<'_, Selector>> {
    let own = workload.spec.selector.as_ref().filter(|selector| !selector.is_empty());
    let generated = matches!(workload.kind.as_str(), "Job" | "CronJob" | "Pod");
    own.filter(|_| !generated).map(Cow::Borrowed).or_else(|| {
        let mut labels: Labels = workload.template()?.labels().clone();
        labels.retain(|key, _| !GENERATED.contains(&key.as_str()));
        Some(Selector::labels(&labels)).filter(|selector| !selector.is_empty()).map(Cow::Owned)
    })
}

/// The peer of a policy in `namespace` that is this workload's pods, and a remark if it is wider.
pub fn peer(workload: &Item<Workload>, namespace: &str) -> (Value, Option<String>) {
    let jobs = || Selector {
        match_expressions: vec![Requirement {
            key: "job-name".to_owned(),
            operator: "Exists".to_owned(),
            values: Vec::new(),
        }],
        ..Selector::default()
    };
    let is_job = matches!(workload.kind.as_str(), "Job" | "CronJob");
    let (selector, remark) = match pod_selector(workload) {
        Some(selector) => (selector, None),
        None if is_job => (
            Cow::Owned(jobs()),
            Some(format!("{} has no labels; all pods of Jobs are let in", workload.subject.short())),
        ),
        None => (
            Cow::default(),
            Some(format!("{} has no labels; all pods of its namespace are let in", workload.subject.short())),
        ),
    };
    (pods_peer(&selector, workload.namespace(), namespace), remark)
}

/// The peer of a policy in `namespace` that is the pods of another namespace, or of its own.
pub fn pods_peer(pods: &Selector, of: &str, namespace: &str) -> Value {
    if of == namespace {
        return json!({"podSelector": pods});
    }
    json!({"namespaceSelector": namespace_selector(of), "podSelector": pods})
}

/// Selects one namespace by name.
pub fn namespace_selector(namespace: &str) -> Value {
    json!({"matchLabels": {NAMESPACE_NAME: namespace}})
}

/// A port of pods, as a policy names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodPort {
    /// The number, or the name where no number is known.
    pub port: IntOrString,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
}

impl PodPort {
    /// A TCP port.
    pub fn tcp(port: i64) -> Self {
        Self { port: IntOrString::Int(port), protocol: "TCP".to_owned() }
    }

    /// The port as a policy has it.
    pub fn to_policy(&self) -> Value {
        json!({"protocol": self.protocol, "port": self.port})
    }
}

impl std::fmt::Display for PodPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.port, self.protocol)
    }
}

/// A rule of a policy whose peers are `from` or `to`; no ports at all are every port.
pub fn policy_rule(end: &str, peers: &[impl Serialize], ports: &[PodPort]) -> Value {
    let mut rule = json!({end: peers});
    if !ports.is_empty() {
        rule["ports"] = ports.iter().map(PodPort::to_policy).collect();
    }
    rule
}

/// Ports of pods as a text: `8080/TCP, 9090/TCP`. None at all is every port.
pub struct Ports<'a>(pub &'a [PodPort]);

impl std::fmt::Display for Ports<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some((first, rest)) = self.0.split_first() else { return f.write_str("all ports") };
        write!(f, "{first}")?;
        rest.iter().try_for_each(|port| write!(f, ", {port}"))
    }
}

/// The port of the workload's pods behind a port of a Service: policies see pods, not Services.
pub fn pod_port(workload: &Workload, port: &ServicePort) -> PodPort {
    let target = port.target();
    let number = workload.template().and_then(|template| resolve_port(&template.spec, &target, port.protocol()));
    PodPort { port: number.map_or(target, IntOrString::Int), protocol: port.protocol().to_owned() }
}

/// The pods' ports that a client reaches through a Service. A client that names no port, or one
/// that the Service does not have, may mean each of them; the pods of a headless Service are called
/// on the very port that the client names.
pub fn ports_for(workload: &Workload, service: &Service, named: Option<&IntOrString>) -> Vec<PodPort> {
    if let (true, Some(IntOrString::Int(number))) = (service.is_headless(), named) {
        let known = service.port(&IntOrString::Int(*number));
        let protocol = known.map_or("TCP", ServicePort::protocol);
        return vec![PodPort { port: IntOrString::Int(*number), protocol: protocol.to_owned() }];
    }
    let chosen = named.and_then(|named| service.port(named));
    let all = service.spec.ports.iter().filter(|port| chosen.is_none_or(|chosen| std::ptr::eq(*port, chosen)));
    let mut out: Vec<PodPort> = all.map(|port| pod_port(workload, port)).collect();
    out.sort();
    out.dedup();
    out
}

/// Ports that pods have, and names that no container declares, which bring no traffic. `None` if there
/// are only such names: no ports at all would be every port.
pub fn served(ports: Vec<PodPort>) -> (Option<Vec<PodPort>>, Vec<PodPort>) {
    let (served, lost): (Vec<_>, Vec<_>) = ports.into_iter().partition(|port| matches!(port.port, IntOrString::Int(_)));
    ((lost.is_empty() || !served.is_empty()).then_some(served), lost)
}

/// The policy that isolates a workload in this direction, `Ingress` or `Egress`.
pub fn isolated_by<'a>(inventory: &'a Inventory, workload: usize, direction: &str) -> Option<&'a Subject> {
    inventory.policies_of(workload).find(|policy| policy.isolates(direction)).map(|policy| &policy.subject)
}

/// Why it is not known whether a workload of this namespace is isolated: policies that may not be
/// read, or of kinds that are not understood.
pub fn unknown_isolation(inventory: &Inventory, namespace: &str) -> Option<String> {
    if let Some(reason) = inventory.unseen("networkpolicies", namespace) {
        return Some(reason);
    }
    for (resource, is_global) in FOREIGN {
        let store = inventory.custom(resource);
        let found =
            store.and_then(|store| if is_global { store.iter().next() } else { store.within(namespace).first() });
        if let Some(item) = found {
            return Some(format!("{} may isolate it, and its kind is not understood", item.subject));
        }
        // Gaps name kinds of Kubernetes' own groups by plural alone.
        let plural = resource.split_once('.').filter(|(_, group)| group.ends_with(".k8s.io")).map(|(plural, _)| plural);
        let unseen = inventory.unseen(resource, namespace).or_else(|| inventory.unseen(plural?, namespace));
        if unseen.is_some() {
            return unseen;
        }
    }
    None
}

/// The Services that the API server calls: by namespace and name the webhook, API service or
/// definition for which it does. Its address can't be selected by a policy.
pub fn called_by_api_server(inventory: &Inventory) -> BTreeMap<(String, String), Subject> {
    let mut out = BTreeMap::new();
    let mut add = |service: &ServiceRef, subject: &Subject| {
        out.entry((service.namespace.clone(), service.name.clone())).or_insert_with(|| subject.clone());
    };
    for item in inventory.webhooks.iter() {
        item.webhooks.iter().filter_map(|hook| hook.client_config.service.as_ref()).for_each(|s| add(s, &item.subject));
    }
    for item in inventory.api_services.iter() {
        item.spec.service.iter().for_each(|service| add(service, &item.subject));
    }
    for item in inventory.definitions.iter() {
        item.converter().iter().for_each(|service| add(service, &item.subject));
    }
    out
}

/// Why it is not known which Services the API server calls.
pub fn unknown_api_calls(inventory: &Inventory) -> Option<String> {
    let kinds = [
        "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations",
        "apiservices",
        "customresourcedefinitions",
    ];
    kinds.iter().find_map(|kind| inventory.unseen(kind, ""))
}

/// True if an address lies in a range such as `10.0.0.0/8`; false for what is neither.
pub fn contains(range: &str, address: &str) -> bool {
    let Some((base, length)) = range.split_once('/') else {
        return false;
    };
    let bits = |text: &str| match text.parse().ok()? {
        IpAddr::V4(ip) => Some((u128::from(ip.to_bits()) << 96, 32)),
        IpAddr::V6(ip) => Some((ip.to_bits(), 128)),
    };
    let (Some((base, width)), Some((address, other)), Ok(length)) = (bits(base), bits(address), length.parse::<u32>())
    else {
        return false;
    };
    let mask = u128::MAX.checked_shl(128 - length.min(width)).unwrap_or(0);
    width == other && base & mask == address & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert!(contains("10.0.0.0/8", "10.1.2.3") && !contains("10.0.0.0/8", "11.1.2.3"));
        assert!(contains("0.0.0.0/0", "1.2.3.4") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("10.0.0.7/32", "10.0.0.7") && !contains("10.0.0.7/32", "10.0.0.8"));
        assert!(contains("fd00::/8", "fd12::1") && !contains("x/8", "10.0.0.1"));
    }
}
