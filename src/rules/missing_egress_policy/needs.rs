//! What a workload must be able to call, each with its reason.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fmt::Display;

use serde_json::{Value, json};

use super::cluster::{Known, Need, Peers, endpoints, range, single};
use crate::finding::Finding;
use crate::fix::{Applicability, Fix};
use crate::model::Item;
use crate::model::isolation::{self, PodPort};
use crate::model::number::IntOrString;
use crate::model::references::{Outside, Reference};
use crate::model::workload::Workload;
use crate::rules::ranges;
use crate::rules::rule::Context;

mod inside;

/// The metadata service of clouds.
const METADATA: &str = "169.254.169.254/32";

/// What one workload must be able to call, and what is asked.
pub(super) struct Needs<'a> {
    context: &'a Context<'a>,
    known: &'a Known,
    position: usize,
    workload: &'a Item<Workload>,
    list: Vec<Cow<'a, Need>>,
    /// Guards: applicability, guard, sentence; `Manual` refuses.
    guards: Vec<(Applicability, &'static str, String)>,
    inputs: Vec<crate::fix::Input>,
    /// Names outside the cluster, which no policy can hold.
    names: Vec<&'a Outside>,
    notes: Vec<String>,
}

impl<'a> Needs<'a> {
    pub(super) fn of(context: &'a Context<'a>, known: &'a Known, position: usize) -> Self {
        let workload = context.inventory.workloads.at(position);
        let mut needs = Self {
            context,
            known,
            position,
            workload,
            list: vec![Cow::Borrowed(&known.dns)],
            guards: Vec::new(),
            inputs: Vec::new(),
            names: Vec::new(),
            notes: Vec::new(),
        };
        needs.dns();
        for reference in known.references.of_client(position) {
            needs.referred(reference);
        }
        needs.members();
        needs.scrapes();
        needs.forwards();
        needs.permitted();
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
        if !self.known.sees_dns {
            let text = "the DNS Service was not read; kube-system with k8s-app=kube-dns is assumed";
            self.guards.push((Applicability::Unsafe, "dns", text.to_owned()));
        }
        if self.known.is_cilium && self.known.has_dns_cache {
            self.guards.push((
                Applicability::Manual,
                "cilium",
                "Cilium does not match ranges against the node-local DNS cache".to_owned(),
            ));
        }
    }

    fn need(&mut self, peers: Peers, ports: Vec<PodPort>, target: &dyn Display, reason: &dyn Display) {
        self.list.push(Cow::Owned(Need::new(peers, ports, target, reason)));
    }

    fn referred(&mut self, reference: &Reference) {
        let service = self.context.inventory.services.at(reference.service);
        let reason = format_args!("{} names {}", reference.reason, service.subject.short());
        self.service(reference.service, reference.port.map(IntOrString::Int).as_ref(), &reason);
    }

    /// The pods or endpoints behind a Service.
    fn service(&mut self, position: usize, named: Option<&IntOrString>, reason: &dyn Display) {
        let inventory = self.context.inventory;
        let service = inventory.services.at(position);
        if !service.has_selector() {
            let addresses = endpoints(inventory, service.namespace(), service.name(), reason);
            if addresses.is_empty() {
                let text = format!("{} has no selector, and its endpoints were not read", service.subject.short());
                self.guards.push((Applicability::Unsafe, "endpoints", text));
            } else if self.known.is_cilium {
                let text = format!("Cilium may not match ranges against the endpoints of {}", service.subject.short());
                self.guards.push((Applicability::Manual, "cilium", text));
            }
            self.list.extend(addresses.into_iter().map(Cow::Owned));
            return;
        }
        let targets: Vec<&Workload> = inventory.workloads_of(service).map(|workload| &workload.body).collect();
        let ports = match targets.as_slice() {
            // Pods that were not read may have the port that the Service names.
            [] => Some(isolation::ports_for(&Workload::default(), service, named)),
            some => {
                let all = merge(some.iter().flat_map(|target| isolation::ports_for(target, service, named)));
                self.served(service, all)
            }
        };
        let Some(ports) = ports else { return };
        self.need(Peers::Behind(position), ports, &service.subject, reason);
    }

    fn outside(&mut self, outside: &'a Outside) {
        let Outside { host, port, reason } = outside;
        let mut labels = host.split('.').skip(1);
        if host.parse::<std::net::IpAddr>().is_ok() {
            let ports = port.map(PodPort::tcp).into_iter().collect();
            self.need(Peers::Listed(vec![range(&single(host))]), ports, host, reason);
        } else if let (Some(namespace), Some("svc")) = (labels.next(), labels.next()) {
            let text = format!("{host} was not read; every pod of its namespace may be called");
            self.guards.push((Applicability::Unsafe, "service", text));
            self.need(Peers::Within(namespace.to_owned()), Vec::new(), host, reason);
        } else {
            self.names.push(outside);
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
            let text =
                format!("ServiceAccount/{account} has roles; on Cilium the API server is the entity kube-apiserver");
            self.guards.push((Applicability::Manual, "cilium", text));
        }
        if self.known.api_server.is_empty() {
            self.answer(
                "apiServer",
                &format!("ServiceAccount/{account} has roles, and the API server's address was not read"),
            );
        } else {
            self.list.extend(self.known.api_server.iter().map(Cow::Borrowed));
        }
    }

    /// Agents on the node, which pods find through the node's address.
    fn nodes(&mut self) {
        let containers = self.workload.template().into_iter().flat_map(|template| &template.spec.containers);
        let mut fields = containers.flat_map(|container| &container.env).filter(|variable| {
            let field =
                variable.value_from.as_ref().and_then(|from| from.field_ref.as_ref()?.get("fieldPath")?.as_str());
            field == Some("status.hostIP")
        });
        let Some(variable) = fields.next() else {
            return;
        };
        let reason = format!("env {} is the node's address", variable.name);
        if self.known.is_cilium {
            self.guards.push((
                Applicability::Manual,
                "cilium",
                format!("{reason}; on Cilium nodes are the entity host"),
            ));
        }
        let peers: Vec<Value> = self.node_addresses().iter().map(|address| range(address)).collect();
        if peers.is_empty() {
            self.answer("nodes", &format!("{reason}, and no node was read"));
        } else {
            self.need(Peers::Listed(peers), Vec::new(), &"nodes", &reason);
        }
    }

    /// The ranges that are the nodes' own addresses.
    fn node_addresses(&self) -> Vec<String> {
        let nodes = &self.context.inventory.nodes;
        let addresses = nodes.iter().flat_map(|node| &node.status.addresses);
        let internal = addresses.filter(|a| a.get("type").and_then(Value::as_str) == Some("InternalIP"));
        internal.filter_map(|a| Some(single(a.get("address")?.as_str()?))).collect()
    }

    /// Services that only a Secret or a program names.
    fn callees(&mut self) {
        let hidden = self.known.references.hidden(self.position);
        let uncalled = self.known.uncalled.beside(self.workload.namespace(), self.position, 1);
        let input = self.context.input(&self.workload.subject, "callees", !hidden.is_empty() || uncalled.is_some());
        let to = if input.value.is_none() { Applicability::Input } else { Applicability::Unsafe };
        if !hidden.is_empty() {
            let text = format!("values in Secrets are not read, and may name what it calls: {}", hidden.join(", "));
            self.guards.push((to, "callees", text));
        }
        if let Some(uncalled) = uncalled {
            let text = format!("no object shows who calls {uncalled}: it may");
            self.guards.push((to, "callees", text));
        }
        if input.value.as_deref() == Some("namespace") {
            let peers = Peers::Listed(vec![json!({"podSelector": {}})]);
            self.need(peers, Vec::new(), &"every pod of the namespace", &"callees=namespace");
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
        let (six, four): (Vec<&str>, Vec<&str>) =
            cluster.split(',').filter(|r| !r.is_empty()).partition(|r| r.contains(':'));
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
        self.need(Peers::Listed(peers), ports, &"any address", &"external=any");
    }

    /// `10.0.0.0/8:443,10.1.0.0/16`: the port follows the length of the prefix.
    fn ranges(&mut self, text: &str, key: &str) {
        for item in text.split(',') {
            let Some((base, length, named)) = ranges::parts(item) else {
                continue;
            };
            let cidr = format!("{base}/{length}");
            let ports = named.and_then(|port| port.parse().ok()).map(PodPort::tcp).into_iter().collect();
            self.need(Peers::Listed(vec![range(&cidr)]), ports, &cidr, &format_args!("answer to {key}"));
        }
    }

    /// A required question whose answer is a list of ranges.
    fn answer(&mut self, key: &str, why: &str) {
        let input = self.context.input(&self.workload.subject, key, true);
        let is_asked = self.inputs.iter().any(|known| known.key == input.key);
        match input.value.clone() {
            Some(_) if is_asked => {}
            Some(ranges) => self.ranges(&ranges, key),
            None => self.guards.push((Applicability::Input, "address", why.to_owned())),
        }
        if !is_asked {
            self.inputs.push(input);
        }
    }

    /// The rules of the policy, DNS first; what has the same ports shares one.
    pub(super) fn rules(&self) -> Vec<Value> {
        let (inventory, namespace) = (self.context.inventory, self.workload.namespace());
        let mut rules: Vec<(&[PodPort], Vec<Value>)> = Vec::new();
        let mut seen: HashSet<(usize, Value)> = HashSet::new();
        for need in &self.list {
            let at = rules.iter().position(|(ports, _)| *ports == need.ports.as_slice());
            let at = at.unwrap_or_else(|| {
                rules.push((&need.ports, Vec::new()));
                rules.len() - 1
            });
            for peer in need.peers(inventory, namespace).iter() {
                if seen.insert((at, peer.clone())) {
                    rules[at].1.push(peer.clone());
                }
            }
        }
        rules.into_iter().map(|(ports, peers)| isolation::policy_rule("to", &peers, ports)).collect()
    }

    /// The table of needs as evidence.
    pub(super) fn evidence(&self, mut finding: Finding) -> Finding {
        for need in &self.list {
            finding = finding.because(need.told.clone());
        }
        for outside in &self.names {
            let port = outside.port.map_or_else(String::new, |port| format!(":{port}"));
            finding = finding
                .because(format!("calls {}{port}, whose address is not known: {}", outside.host, outside.reason));
        }
        finding
    }

    /// Puts questions and guards on the fix.
    pub(super) fn lower(&mut self, fix: &mut Fix) {
        fix.inputs.append(&mut self.inputs);
        self.notes.sort();
        self.notes.dedup();
        fix.notes.append(&mut self.notes);
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
