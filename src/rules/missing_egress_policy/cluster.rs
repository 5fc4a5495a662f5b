//! What the cluster itself offers to call: DNS, the API server, endpoints.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::model::inventory::is_top_level;
use crate::model::isolation::{self, PodPort, Ports};
use crate::model::network::{EndpointSlice, Service};
use crate::model::number::IntOrString;
use crate::model::permits::{self, Permit};
use crate::model::plugin;
use crate::model::references::References;
use crate::model::routes::{Controller, Routes};
use crate::model::scrapes::Scrapes;
use crate::model::selector::Selector;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item};
use crate::rules::missing_ingress_policy::Others;

/// The address at which NodeLocal DNSCache listens on every node.
pub(super) const NODE_LOCAL_DNS: &str = "169.254.20.10/32";

/// What is known of the whole inventory, computed once.
pub(super) struct Known {
    pub(super) references: Arc<References>,
    pub(super) is_cilium: bool,
    pub(super) dns: Need,
    /// True if the Service of the cluster's DNS was read.
    pub(super) sees_dns: bool,
    /// True if nodes keep a cache of it.
    pub(super) has_dns_cache: bool,
    /// Service accounts with roles: namespace and name.
    pub(super) bound: BTreeSet<(String, String)>,
    pub(super) api_server: Vec<Need>,
    /// The workloads with a Service of which no object shows who calls them.
    pub(super) uncalled: Others,
    pub(super) scrapes: Arc<Scrapes>,
    /// By controller what it forwards to: position and port of the Service, and why.
    pub(super) forwards: BTreeMap<usize, Vec<Forward>>,
    /// By workload who lets it in.
    pub(super) permits: BTreeMap<usize, Vec<Permit>>,
}

/// The position and the port of a Service that something forwards to, and why.
type Forward = (usize, Option<IntOrString>, String);

impl Known {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let mut bound = BTreeSet::new();
        for binding in inventory.role_bindings.iter() {
            for subject in binding.subjects.iter().filter(|subject| subject.kind == "ServiceAccount") {
                let namespace = subject.namespace.as_deref().unwrap_or(binding.namespace());
                bound.insert((namespace.to_owned(), subject.name.clone()));
            }
        }
        let (routes, scrapes) = (inventory.routes(), inventory.scrapes());
        let dns = dns(inventory);
        Self {
            references: inventory.references(),
            uncalled: uncalled(inventory, &routes, &scrapes),
            forwards: forwards(inventory, &routes),
            scrapes,
            permits: permits::by_peer(inventory, "Ingress"),
            is_cilium: plugin::runs(inventory, plugin::CILIUM),
            dns: Need::new(Peers::Listed(dns.peers), dns.ports, &"DNS", &dns.reason),
            sees_dns: dns.is_seen,
            has_dns_cache: dns.has_cache,
            bound,
            api_server: endpoints(
                inventory,
                "default",
                "kubernetes",
                &"the API server, for its service account's roles",
            ),
        }
    }
}

/// Who is called by somebody unseen: none of their Services is named, routed to, open to the outside
/// or scraped.
fn uncalled(inventory: &Inventory, routes: &Routes, scrapes: &Scrapes) -> Others {
    let references = inventory.references();
    let mut out = Others::default();
    for (position, workload) in inventory.workloads.iter().enumerate().filter(|(_, workload)| is_top_level(workload)) {
        let is_called = |service: &Arc<Item<Service>>| {
            let at = inventory.services.position(service.namespace(), "Service", service.name());
            let by_others = |at| references.to_service(at).any(|reference| reference.client != position);
            service.is_external() || at.is_some_and(|at| by_others(at) || !routes.to_service(at).is_empty())
        };
        let mut services = inventory.services_of(position).peekable();
        if services.peek().is_some() && !services.any(is_called) && scrapes.of_workload(position).is_empty() {
            out.push(workload.namespace(), position, workload.subject.short());
        }
    }
    out
}

/// What the controllers that were read forward to.
fn forwards(inventory: &Inventory, routes: &Routes) -> BTreeMap<usize, Vec<Forward>> {
    let mut out: BTreeMap<usize, Vec<Forward>> = BTreeMap::new();
    for (at, service) in inventory.services.iter().enumerate() {
        for route in routes.to_service(at) {
            let Controller::Pods { workloads, .. } = &route.controller else { continue };
            let reason = format!("{} routes to {}", route.object.short(), service.subject.short());
            for controller in workloads {
                out.entry(*controller).or_default().push((at, route.port.clone(), reason.clone()));
            }
        }
    }
    for list in out.values_mut() {
        list.dedup();
    }
    out
}

/// Peers, ports, and why.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Need {
    pub(super) peers: Peers,
    pub(super) ports: Vec<PodPort>,
    /// As a fact.
    pub(super) told: String,
}

impl Need {
    pub(super) fn new(peers: Peers, ports: Vec<PodPort>, target: &dyn Display, reason: &dyn Display) -> Self {
        let told = format!("calls {target} on {}: {reason}", Ports(&ports));
        Self { peers, ports, told }
    }

    /// The peers of a policy in `namespace`.
    pub(super) fn peers(&self, inventory: &Inventory, namespace: &str) -> Cow<'_, [Value]> {
        match &self.peers {
            Peers::Listed(peers) => Cow::Borrowed(peers),
            Peers::Behind(service) => {
                let service = inventory.services.at(*service);
                let selector = Selector::labels(&service.spec.selector);
                Cow::Owned(vec![isolation::pods_peer(&selector, service.namespace(), namespace)])
            }
            Peers::Within(of) => Cow::Owned(vec![json!({"namespaceSelector": isolation::namespace_selector(of)})]),
        }
    }
}

/// Who is called.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Peers {
    /// As a policy lists them.
    Listed(Vec<Value>),
    /// The pods that the Service at this position selects.
    Behind(usize),
    /// Every pod of a namespace.
    Within(String),
}

/// How the cluster's DNS is called.
struct Dns {
    peers: Vec<Value>,
    ports: Vec<PodPort>,
    reason: String,
    is_seen: bool,
    has_cache: bool,
}

fn port(port: i64, protocol: &str) -> PodPort {
    PodPort { port: IntOrString::Int(port), protocol: protocol.to_owned() }
}

pub(super) fn range(cidr: &str) -> Value {
    json!({"ipBlock": {"cidr": cidr}})
}

pub(super) fn single(address: &str) -> String {
    format!("{address}/{}", if address.contains(':') { 128 } else { 32 })
}

/// DNS: the pods behind the cluster's DNS Service on their own ports, or what is usual.
fn dns(inventory: &Inventory) -> Dns {
    let open_shift = inventory.services.get("openshift-dns", "Service", "dns-default");
    let service = open_shift.or_else(|| inventory.services.get("kube-system", "Service", "kube-dns"));
    let mut ports = BTreeSet::from([port(53, "UDP"), port(53, "TCP")]);
    if let Some(service) = service {
        let slices = slices_of(inventory, service.namespace(), service.name());
        ports.extend(
            slices.flat_map(|slice| slice.ports.iter().filter_map(slice_port)).filter(|port| !is_metrics(port)),
        );
        for workload in inventory.workloads_of(service) {
            let dns = service.spec.ports.iter().filter(|port| port.port == 53);
            ports.extend(dns.map(|port| isolation::pod_port(workload, port)));
        }
    }
    let mut peer = json!({
        "namespaceSelector": isolation::namespace_selector("kube-system"),
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    });
    if open_shift.is_some() {
        ports.extend([port(5353, "UDP"), port(5353, "TCP")]);
        peer = json!({"namespaceSelector": isolation::namespace_selector("openshift-dns")});
    } else if let Some(service) = service.filter(|service| service.has_selector()) {
        peer["podSelector"] = json!({"matchLabels": service.spec.selector});
    }
    let mut peers = vec![peer];
    let is_cache =
        |workload: &Workload| workload.kind == "DaemonSet" && workload.metadata.name.starts_with("node-local-dns");
    let has_cache = inventory.workloads.within("kube-system").iter().any(|workload| is_cache(workload));
    if has_cache {
        peers.push(range(NODE_LOCAL_DNS));
    }
    let reason = service.map_or("DNS, where it usually is".to_owned(), |service| format!("DNS ({})", service.subject));
    Dns { peers, ports: ports.into_iter().collect(), reason, is_seen: service.is_some(), has_cache }
}

/// A rule that lets pods call DNS.
pub(crate) fn dns_rule(inventory: &Inventory) -> Value {
    let dns = dns(inventory);
    isolation::policy_rule("to", &dns.peers, &dns.ports)
}

fn is_metrics(port: &PodPort) -> bool {
    !matches!(port.port, IntOrString::Int(53 | 1053 | 5353 | 8053))
}

fn slice_port(value: &Value) -> Option<PodPort> {
    Some(port(value.get("port")?.as_i64()?, value.get("protocol").and_then(Value::as_str).unwrap_or("TCP")))
}

fn slices_of<'a>(
    inventory: &'a Inventory,
    namespace: &'a str,
    service: &'a str,
) -> impl Iterator<Item = &'a EndpointSlice> {
    let slices = inventory.endpoint_slices.within(namespace).iter();
    slices
        .filter(move |slice| slice.metadata.label("kubernetes.io/service-name") == Some(service))
        .map(|slice| &slice.body)
}

/// The addresses and ports behind a Service without selector.
pub(super) fn endpoints(inventory: &Inventory, namespace: &str, service: &str, reason: &dyn Display) -> Vec<Need> {
    let mut out = Vec::new();
    for slice in slices_of(inventory, namespace, service) {
        let peers: Vec<Value> =
            slice.endpoints.iter().flat_map(|e| &e.addresses).map(|address| range(&single(address))).collect();
        let ports: Vec<PodPort> = slice.ports.iter().filter_map(slice_port).collect();
        if !peers.is_empty() {
            let target = format_args!("Service/{namespace}/{service}");
            out.push(Need::new(Peers::Listed(peers), ports, &target, reason));
        }
    }
    out
}
