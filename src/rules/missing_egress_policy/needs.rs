//! What a workload must be able to call, each with its reason.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::rule::Context;
use crate::finding::Finding;
use crate::fix::{Applicability, Fix};
use crate::model::isolation::{self, PodPort};
use crate::model::network::{EndpointSlice, Service};
use crate::model::number::IntOrString;
use crate::model::plugin;
use crate::model::references::{Outside, Reference, References};
use crate::model::selector::Selector;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item};

/// The address at which NodeLocal DNSCache listens on every node.
const NODE_LOCAL_DNS: &str = "169.254.20.10/32";
/// The metadata service of clouds.
const METADATA: &str = "169.254.169.254/32";

/// What is known of the whole inventory, computed once.
pub(super) struct Known {
    references: References,
    is_cilium: bool,
    dns: Vec<Need>,
    /// Service accounts with roles: namespace and name.
    bound: BTreeSet<(String, String)>,
    api_server: Vec<Need>,
}

impl Known {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let mut bound = BTreeSet::new();
        for binding in inventory.role_bindings.iter() {
            for subject in binding.subjects.iter().filter(|subject| subject.kind == "ServiceAccount") {
                let namespace = subject.namespace.as_deref().unwrap_or(binding.namespace());
                bound.insert((namespace.to_owned(), subject.name.clone()));
            }
        }
        Self {
            references: References::of(inventory),
            is_cilium: plugin::runs(inventory, plugin::CILIUM),
            dns: dns(inventory),
            bound,
            api_server: endpoints(inventory, "default", "kubernetes", "the API server, for its service account's roles"),
        }
    }
}

/// Peers, ports, and why.
#[derive(Clone, Debug, PartialEq)]
struct Need {
    peers: Vec<Value>,
    ports: Vec<PodPort>,
    target: String,
    reason: String,
}

fn port(port: i64, protocol: &str) -> PodPort {
    PodPort { port: IntOrString::Int(port), protocol: protocol.to_owned() }
}

fn range(cidr: &str) -> Value {
    json!({"ipBlock": {"cidr": cidr}})
}

fn single(address: &str) -> String {
    format!("{address}/{}", if address.contains(':') { 128 } else { 32 })
}

/// DNS: the pods behind the cluster's DNS Service on their own ports, or what is usual.
fn dns(inventory: &Inventory) -> Vec<Need> {
    let open_shift = inventory.services.get("openshift-dns", "Service", "dns-default");
    let service = open_shift.or_else(|| inventory.services.get("kube-system", "Service", "kube-dns"));
    let mut ports = BTreeSet::from([port(53, "UDP"), port(53, "TCP")]);
    if let Some(service) = service {
        let slices = slices_of(inventory, service.namespace(), service.name());
        ports.extend(slices.flat_map(|slice| slice.ports.iter().filter_map(slice_port)).filter(|port| !is_metrics(port)));
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
    let has_cache = |workload: &Workload| workload.kind == "DaemonSet" && workload.metadata.name.starts_with("node-local-dns");
    if inventory.workloads.within("kube-system").iter().any(|workload| has_cache(workload)) {
        peers.push(range(NODE_LOCAL_DNS));
    }
    let reason = service.map_or("DNS, where it usually is".to_owned(), |service| format!("DNS ({})", service.subject));
    vec![Need { peers, ports: ports.into_iter().collect(), target: "DNS".to_owned(), reason }]
}

fn is_metrics(port: &PodPort) -> bool {
    !matches!(port.port, IntOrString::Int(53 | 1053 | 5353 | 8053))
}

fn slice_port(value: &Value) -> Option<PodPort> {
    Some(port(value.get("port")?.as_i64()?, value.get("protocol").and_then(Value::as_str).unwrap_or("TCP")))
}

fn slices_of<'a>(inventory: &'a Inventory, namespace: &'a str, service: &'a str) -> impl Iterator<Item = &'a EndpointSlice> {
    let slices = inventory.endpoint_slices.within(namespace).iter();
    slices.filter(move |slice| slice.metadata.label("kubernetes.io/service-name") == Some(service)).map(|slice| &slice.body)
}

/// The addresses and ports behind a Service without selector.
fn endpoints(inventory: &Inventory, namespace: &str, service: &str, reason: &str) -> Vec<Need> {
    let mut out = Vec::new();
    for slice in slices_of(inventory, namespace, service) {
        let peers: Vec<Value> = slice.endpoints.iter().flat_map(|e| &e.addresses).map(|address| range(&single(address))).collect();
        let ports: Vec<PodPort> = slice.ports.iter().filter_map(slice_port).collect();
        if !peers.is_empty() {
            out.push(Need { peers, ports, target: format!("Service/{namespace}/{service}"), reason: reason.to_owned() });
        }
    }
    out
}

/// What one workload must be able to call, and what is asked.
pub(super) struct Needs<'a> {
    context: &'a Context<'a>,
    known: &'a Known,
    position: usize,
    workload: &'a Item<Workload>,
    needs: Vec<Need>,
    /// Guards: applicability, guard, sentence; `Manual` refuses.
    guards: Vec<(Applicability, &'static str, String)>,
    inputs: Vec<crate::fix::Input>,
    /// Names outside the cluster, which no policy can hold.
    names: Vec<Outside>,
}

impl<'a> Needs<'a> {
    pub(super) fn of(context: &'a Context<'a>, known: &'a Known, position: usize) -> Self {
        let workload = context.inventory.workloads.at(position);
        let (needs, guards, inputs, names) = (known.dns.clone(), Vec::new(), Vec::new(), Vec::new());
        let mut needs = Self { context, known, position, workload, needs, guards, inputs, names };
        needs.dns();
        for reference in known.references.of_client(position) {
            needs.service(reference);
        }
        for outside in known.references.outside(position) {
            needs.outside(outside);
        }
        needs.api_server();
        needs.nodes();
        needs.callees();
        needs.external();
        needs
    }

    fn dns(&mut self) {
        let is_seen = self.needs.iter().any(|need| need.reason.contains("Service/"));
        if !is_seen {
            let text = "the DNS Service was not read; kube-system with k8s-app=kube-dns is assumed";
            self.guards.push((Applicability::Unsafe, "dns", text.to_owned()));
        }
        if self.known.is_cilium && self.needs.iter().any(|need| need.peers.contains(&range(NODE_LOCAL_DNS))) {
            self.guards.push((Applicability::Manual, "cilium", "Cilium does not match ranges against the node-local DNS cache".to_owned()));
        }
    }

    fn service(&mut self, reference: &Reference) {
        let inventory = self.context.inventory;
        let service = inventory.services.at(reference.service);
        let reason = format!("{} names {}", reference.reason, service.subject.short());
        if !service.has_selector() {
            let addresses = endpoints(inventory, service.namespace(), service.name(), &reason);
            if addresses.is_empty() {
                let text = format!("{} has no selector, and its endpoints were not read", service.subject.short());
                self.guards.push((Applicability::Unsafe, "endpoints", text));
            } else if self.known.is_cilium {
                let text = format!("Cilium may not match ranges against the endpoints of {}", service.subject.short());
                self.guards.push((Applicability::Manual, "cilium", text));
            }
            self.needs.extend(addresses);
            return;
        }
        let named = reference.port.map(IntOrString::Int);
        let targets: Vec<&Workload> = inventory.workloads_of(service).map(|workload| &workload.body).collect();
        let ports = match targets.as_slice() {
            [] => isolation::ports_for(&Workload::default(), service, named.as_ref()),
            some => merge(some.iter().flat_map(|target| isolation::ports_for(target, service, named.as_ref()))),
        };
        let target = service.subject.to_string();
        self.needs.push(Need { peers: vec![self.pods_behind(service)], ports, target, reason });
    }

    /// The pods that a Service selects.
    fn pods_behind(&self, service: &Item<Service>) -> Value {
        let selector = json!(Selector::labels(&service.spec.selector));
        if service.namespace() == self.workload.namespace() {
            return json!({"podSelector": selector});
        }
        json!({"namespaceSelector": isolation::namespace_selector(service.namespace()), "podSelector": selector})
    }

    fn outside(&mut self, outside: &Outside) {
        let ports: Vec<PodPort> = outside.port.map(PodPort::tcp).into_iter().collect();
        let labels: Vec<&str> = outside.host.split('.').collect();
        if outside.host.parse::<std::net::IpAddr>().is_ok() {
            let peers = vec![range(&single(&outside.host))];
            self.needs.push(Need { peers, ports, target: outside.host.clone(), reason: outside.reason.clone() });
        } else if let [_, namespace, "svc", ..] = labels[..] {
            let text = format!("{} was not read; every pod of its namespace may be called", outside.host);
            self.guards.push((Applicability::Unsafe, "service", text));
            let peers = vec![json!({"namespaceSelector": isolation::namespace_selector(namespace)})];
            self.needs.push(Need { peers, ports: Vec::new(), target: outside.host.clone(), reason: outside.reason.clone() });
        } else {
            self.names.push(outside.clone());
        }
    }

    fn api_server(&mut self) {
        let Some(template) = self.workload.template() else {
            return;
        };
        let account = template.spec.service_account();
        let key = (self.workload.namespace().to_owned(), account.to_owned());
        let no_token = template.spec.automount_service_account_token == Some(false);
        if no_token || !self.known.bound.contains(&key) {
            return;
        }
        if self.known.is_cilium {
            let text = format!("ServiceAccount/{account} has roles; on Cilium the API server is the entity kube-apiserver");
            self.guards.push((Applicability::Manual, "cilium", text));
        }
        if self.known.api_server.is_empty() {
            self.answer("apiServer", &format!("ServiceAccount/{account} has roles, and the API server's address was not read"));
        } else {
            self.needs.extend(self.known.api_server.iter().cloned());
        }
    }

    /// Agents on the node, which pods find through the node's address.
    fn nodes(&mut self) {
        let containers = self.workload.template().into_iter().flat_map(|template| &template.spec.containers);
        let mut fields = containers.flat_map(|container| &container.env).filter(|variable| {
            let field = variable.value_from.as_ref().and_then(|from| from.field_ref.as_ref()?.get("fieldPath")?.as_str());
            field == Some("status.hostIP")
        });
        let Some(variable) = fields.next() else {
            return;
        };
        let reason = format!("env {} is the node's address", variable.name);
        if self.known.is_cilium {
            self.guards.push((Applicability::Manual, "cilium", format!("{reason}; on Cilium nodes are the entity host")));
        }
        let nodes = &self.context.inventory.nodes;
        let addresses = nodes.iter().flat_map(|node| &node.status.addresses);
        let internal = addresses.filter(|a| a.get("type").and_then(Value::as_str) == Some("InternalIP"));
        let peers: Vec<Value> = internal.filter_map(|a| Some(range(&single(a.get("address")?.as_str()?)))).collect();
        if peers.is_empty() {
            self.answer("nodes", &format!("{reason}, and no node was read"));
        } else {
            self.needs.push(Need { peers, ports: Vec::new(), target: "nodes".to_owned(), reason });
        }
    }

    /// Services that only a Secret names.
    fn callees(&mut self) {
        let hidden = self.known.references.hidden(self.position);
        let input = self.context.input(&self.workload.subject, "callees", !hidden.is_empty());
        if !hidden.is_empty() {
            let to = if input.value.is_none() { Applicability::Input } else { Applicability::Unsafe };
            let text = format!("values in Secrets are not read, and may name what it calls: {}", hidden.join(", "));
            self.guards.push((to, "callees", text));
        }
        if input.value.as_deref() == Some("namespace") {
            let (target, reason) = ("every pod of the namespace".to_owned(), "callees=namespace".to_owned());
            self.needs.push(Need { peers: vec![json!({"podSelector": {}})], ports: Vec::new(), target, reason });
        }
        self.inputs.push(input);
    }

    fn external(&mut self) {
        let names: Vec<&str> = self.names.iter().map(|outside| outside.host.as_str()).collect();
        let seen = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
        let input = self.context.input(&self.workload.subject, "external", true);
        match input.value.as_deref() {
            None => {
                let text = format!("a policy can't hold names, and code and Secrets are not read{seen}");
                self.guards.push((Applicability::Input, "external", text));
            }
            Some("none") => {}
            Some("any") => self.anywhere(),
            Some(ranges) => self.ranges(ranges, "external"),
        }
        self.inputs.push(input);
        self.inputs.push(self.context.input(&self.workload.subject, "clusterRanges", false));
    }

    /// The weak fallback: everywhere but the cluster and the metadata service, on the known ports.
    fn anywhere(&mut self) {
        let cluster = self.context.value(&self.workload.subject, "clusterRanges").unwrap_or_default();
        let (six, four): (Vec<&str>, Vec<&str>) = cluster.split(',').filter(|r| !r.is_empty()).partition(|r| r.contains(':'));
        let four: Vec<&str> = [METADATA].into_iter().chain(four).collect();
        let mut ports: Vec<PodPort> = merge(self.names.iter().filter_map(|outside| outside.port).map(PodPort::tcp));
        if ports.is_empty() || self.names.iter().any(|outside| outside.port.is_none()) {
            ports.clear();
        }
        let mut all = json!({"ipBlock": {"cidr": "::/0", "except": six}});
        if six.is_empty() {
            all = range("::/0");
        }
        let peers = vec![json!({"ipBlock": {"cidr": "0.0.0.0/0", "except": four}}), all];
        let text = "external=any is weak: it opens these ports to every address outside the cluster";
        self.guards.push((Applicability::Unsafe, "external", text.to_owned()));
        self.needs.push(Need { peers, ports, target: "any address".to_owned(), reason: "external=any".to_owned() });
    }

    /// `10.0.0.0/8:443,10.1.0.0/16`: the port follows the length of the prefix.
    fn ranges(&mut self, text: &str, key: &str) {
        for item in text.split(',') {
            let Some((base, rest)) = item.rsplit_once('/') else {
                continue;
            };
            let (length, named) = rest.split_once(':').map_or((rest, None), |(length, port)| (length, port.parse().ok()));
            let cidr = format!("{base}/{length}");
            let ports = named.map(PodPort::tcp).into_iter().collect();
            self.needs.push(Need { peers: vec![range(&cidr)], ports, target: cidr, reason: format!("answer to {key}") });
        }
    }

    /// A required question whose answer is a list of ranges.
    fn answer(&mut self, key: &str, why: &str) {
        let input = self.context.input(&self.workload.subject, key, true);
        match input.value.clone() {
            Some(ranges) => self.ranges(&ranges, key),
            None => self.guards.push((Applicability::Input, "address", why.to_owned())),
        }
        self.inputs.push(input);
    }

    /// The rules of the policy, DNS first; what has the same ports shares one.
    pub(super) fn rules(&self) -> Vec<Value> {
        let mut rules: Vec<(&[PodPort], Vec<&Value>)> = Vec::new();
        for need in &self.needs {
            let at = rules.iter().position(|(ports, _)| *ports == need.ports.as_slice());
            let at = at.unwrap_or_else(|| {
                rules.push((&need.ports, Vec::new()));
                rules.len() - 1
            });
            for peer in &need.peers {
                if !rules[at].1.contains(&peer) {
                    rules[at].1.push(peer);
                }
            }
        }
        let show = |(ports, peers): (&[PodPort], Vec<&Value>)| {
            let mut rule = json!({"to": peers});
            if !ports.is_empty() {
                rule["ports"] = ports.iter().map(PodPort::to_policy).collect();
            }
            rule
        };
        rules.into_iter().map(show).collect()
    }

    /// The table of needs as evidence.
    pub(super) fn evidence(&self, mut finding: Finding) -> Finding {
        for need in &self.needs {
            let ports: Vec<String> = need.ports.iter().map(ToString::to_string).collect();
            let ports = if ports.is_empty() { "all ports".to_owned() } else { ports.join(", ") };
            finding = finding.because(format!("-> {} {ports}: {}", need.target, need.reason));
        }
        for outside in &self.names {
            let port = outside.port.map_or_else(String::new, |port| format!(":{port}"));
            finding = finding.because(format!("-> {}{port}, whose address is not known: {}", outside.host, outside.reason));
        }
        finding
    }

    /// Puts questions and guards on the fix.
    pub(super) fn lower(&mut self, fix: &mut Fix) {
        fix.inputs.append(&mut self.inputs);
        self.guards.sort_by_key(|(to, guard, _)| (std::cmp::Reverse(*to), *guard));
        self.guards.dedup();
        for (to, guard, reason) in self.guards.drain(..) {
            match to {
                Applicability::Manual => fix.refuse(guard, reason),
                _ => fix.demote(to, guard, reason),
            }
        }
    }
}

fn merge(ports: impl Iterator<Item = PodPort>) -> Vec<PodPort> {
    ports.collect::<BTreeSet<_>>().into_iter().collect()
}
