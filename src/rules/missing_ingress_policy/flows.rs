//! Which flows a workload must let in, each with its reason.

use serde_json::{Value, json};

use super::flow::{self, Flow};
use super::known::Known;
use crate::finding::Finding;
use crate::fix::{Applicability, Fix, Input};
use crate::model::Item;
use crate::model::container::ContainerPort;
use crate::model::isolation::{self, PodPort};
use crate::model::network::Service;
use crate::model::number::IntOrString;
use crate::model::plugin::Enforcement;
use crate::model::routes::{Controller, Route};
use crate::model::workload::Workload;
use crate::rules::missing_ingress_policy::finds_itself;
use crate::rules::rule::Context;

/// The flows of one workload, and what they do to its fix.
pub(super) struct Flows<'a> {
    context: &'a Context<'a>,
    known: &'a Known,
    workload: &'a Item<Workload>,
    position: usize,
    list: Vec<Flow>,
    /// Applicability, guard, sentence; `Manual` refuses.
    guards: Vec<(Applicability, &'static str, String)>,
    inputs: Vec<Input>,
    notes: Vec<String>,
    is_public: bool,
}

impl<'a> Flows<'a> {
    pub(super) fn of(context: &'a Context<'a>, known: &'a Known, position: usize) -> Self {
        let workload = context.inventory.workloads.at(position);
        let mut flows = Self {
            context,
            known,
            workload,
            position,
            list: Vec::new(),
            guards: Vec::new(),
            inputs: Vec::new(),
            notes: Vec::new(),
            is_public: false,
        };
        flows.derive();
        flows
    }

    fn derive(&mut self) {
        let inventory = self.context.inventory;
        for service in inventory.services_of(self.position) {
            let Some(at) = inventory.services.position(service.namespace(), "Service", service.name()) else {
                continue;
            };
            for route in self.known.routes.to_service(at) {
                self.routed(service, route);
            }
            for reference in self.known.references.to_service(at) {
                let named = reference.port.map(IntOrString::Int);
                let reason = format!("{} names {}", reference.reason, service.subject.short());
                if let Some(ports) = self.ports(service, named.as_ref()) {
                    self.caller(reference.client, ports, reason);
                }
            }
            self.members(service);
            if service.is_external()
                && let Some(ports) = self.ports(service, None)
            {
                self.everybody(&ports, &format!("{} has type {}", service.subject.short(), service.kind()));
            }
        }
        self.host_ports();
        self.scraped();
        self.permitted();
        self.mesh();
    }

    /// The pods' ports behind a Service, without names that no container has: they bring no traffic.
    fn ports(&mut self, service: &Item<Service>, named: Option<&IntOrString>) -> Option<Vec<PodPort>> {
        let (served, lost) = isolation::served(isolation::ports_for(self.workload, service, named));
        for PodPort { port, .. } in &lost {
            let name = service.subject.short();
            self.notes.push(format!("{name} leads to a port named {port}, which no container has: it is not let in"));
        }
        served
    }

    /// Pods of a workload that was read.
    fn caller(&mut self, client: usize, ports: Vec<PodPort>, reason: String) {
        let client = self.context.inventory.workloads.at(client);
        let on_host = client.template().is_some_and(|template| template.spec.on_host_network());
        if on_host && client.subject != self.workload.subject {
            let text =
                format!("{} calls it from its node's network, which no selector matches", client.subject.short());
            self.guards.push((Applicability::Manual, "host-network", text));
            return;
        }
        let (peer, remark) = isolation::peer(client, self.workload.namespace());
        self.notes.extend(remark);
        self.list.push(Flow { peer, ports, source: client.subject.to_string(), reason });
    }

    /// Pods of one StatefulSet find each other through a headless Service, under names made at run time.
    fn members(&mut self, service: &Item<Service>) {
        if finds_itself(self.context.inventory, self.position, service) {
            let Some(ports) = self.ports(service, None) else { return };
            let reason = format!("its pods have names of their own in headless {}", service.subject.short());
            self.caller(self.position, ports, reason);
        }
    }

    fn everybody(&mut self, ports: &[PodPort], reason: &str) {
        self.is_public = true;
        for range in ["0.0.0.0/0", "::/0"] {
            let peer = json!({"ipBlock": {"cidr": range}});
            self.list.push(Flow { peer, ports: ports.to_vec(), source: range.to_owned(), reason: reason.to_owned() });
        }
    }

    fn host_ports(&mut self) {
        let ports = self.ports_where(|port| port.host_port.is_some_and(|port| port > 0));
        if !ports.is_empty() {
            self.everybody(&ports, "a hostPort opens it on its nodes");
        }
    }

    fn scraped(&mut self) {
        for scrape in self.known.scrapes.of_workload(self.position) {
            let (Some(ports), _) = isolation::served(scrape.ports.clone()) else { continue };
            for scraper in &self.known.scrapes.scrapers {
                self.caller(*scraper, ports.clone(), scrape.reason.clone());
            }
            for reader in &scrape.readers {
                let peer = flow::pods_of(reader, self.workload.namespace());
                let source = format!("pods of {reader}");
                self.list.push(Flow { peer, ports: ports.clone(), source, reason: scrape.reason.clone() });
            }
            if self.known.scrapes.scrapers.is_empty() && scrape.readers.is_empty() {
                let input = self.context.input(&self.workload.subject, "monitoringNamespace", false);
                let namespace = input.value.clone().unwrap_or_default();
                let text = format!(
                    "no Prometheus that scrapes it was read; namespace {namespace} is assumed ({})",
                    scrape.reason
                );
                self.guards.push((Applicability::Unsafe, "monitoring", text));
                self.ask(input);
                let peer = json!({"namespaceSelector": isolation::namespace_selector(&namespace)});
                let source = format!("namespace {namespace}");
                self.list.push(Flow { peer, ports, source, reason: scrape.reason.clone() });
            }
        }
    }

    /// Ports that its containers declare.
    fn ports_where(&self, is_wanted: impl Fn(&ContainerPort) -> bool) -> Vec<PodPort> {
        let containers = self.workload.template().into_iter().flat_map(|template| template.spec.serving_containers());
        let ports = containers.flat_map(|container| &container.ports).filter(|port| is_wanted(port));
        let declared = |port: &ContainerPort| PodPort {
            port: IntOrString::Int(port.container_port),
            protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
        };
        ports.map(declared).collect()
    }

    /// Whom a policy lets out to it: without the same at this end that connection ends.
    fn permitted(&mut self) {
        let inventory = self.context.inventory;
        for permit in self.known.permits.get(&self.position).into_iter().flatten() {
            let Some(ports) = permit.ports_of(inventory, self.position) else { continue };
            let peer = isolation::pods_peer(&permit.pods, &permit.namespace, self.workload.namespace());
            let source = match permit.pods.text() {
                all if all.is_empty() => format!("namespace {}", permit.namespace),
                pods => format!("pods {pods} of namespace {}", permit.namespace),
            };
            let reason = format!("{} lets them call it", permit.policy.short());
            self.list.push(Flow { peer, ports, source, reason });
        }
    }

    /// In Istio's ambient mode traffic between pods comes through a tunnel, and probes from one
    /// address (<https://istio.io/latest/docs/ambient/usage/networkpolicy/>).
    fn mesh(&mut self) {
        let namespace = self.context.inventory.namespaces.get("", "Namespace", self.workload.namespace());
        let mode = namespace.and_then(|namespace| namespace.metadata.label("istio.io/dataplane-mode"));
        if mode != Some("ambient") {
            return;
        }
        let reason = "Istio's ambient mode".to_owned();
        for flow in self.list.iter_mut().filter(|flow| !flow.ports.is_empty()) {
            flow.ports.push(PodPort::tcp(15008));
        }
        let peer = json!({"ipBlock": {"cidr": "169.254.7.127/32"}});
        self.list.push(Flow {
            peer,
            ports: Vec::new(),
            source: "kubelet probes from 169.254.7.127/32".to_owned(),
            reason,
        });
    }

    /// The controller that forwards to a Service.
    fn routed(&mut self, service: &Item<Service>, route: &Route) {
        let Some(ports) = self.ports(service, route.port.as_ref()) else { return };
        let reason = format!("{} routes to {}", route.object.short(), service.subject.short());
        match &route.controller {
            Controller::Pods { workloads, evidence, checked } => {
                if !checked {
                    let text = format!(
                        "{evidence}: no address of its Service confirms that it serves {}",
                        route.object.short()
                    );
                    self.guards.push((Applicability::Unsafe, "controller", text));
                }
                for controller in workloads {
                    self.caller(*controller, ports.clone(), format!("{reason}; {evidence}"));
                }
            }
            Controller::Addresses { name, ranges } => {
                let text = format!("{name} calls from outside the cluster; its published ranges are assumed");
                self.guards.push((Applicability::Unsafe, "controller", text));
                for range in ranges {
                    let peer = json!({"ipBlock": {"cidr": range}});
                    self.list.push(Flow { peer, ports: ports.clone(), source: range.clone(), reason: reason.clone() });
                }
            }
            Controller::Assumed { name, namespace, labels } => {
                let shown: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                let reason = format!("{reason}; controller {name}");
                let text = format!("the controller {name} was not read; where it is by default is assumed");
                self.assumed(&text, Some((namespace, &shown.join(","))), &ports, reason);
            }
            Controller::Unknown { reason: why } => {
                self.assumed(&format!("the controller is not known: {why}"), None, &ports, reason);
            }
        }
    }

    /// A controller that was not read: answers, else what is usual, else a question.
    fn assumed(&mut self, why: &str, usual: Option<(&str, &str)>, ports: &[PodPort], reason: String) {
        let subject = &self.workload.subject;
        let ranges = self.context.input(subject, "controllerRanges", false);
        let mut namespace =
            self.context.input(subject, "controllerNamespace", usual.is_none() && ranges.value.is_none());
        let mut labels = self.context.input(subject, "controllerLabels", false);
        let is_answered = namespace.value.is_some() || ranges.value.is_some();
        if let (Some((usual_namespace, usual_labels)), false) = (usual, is_answered) {
            namespace.default = Some(usual_namespace.to_owned());
            namespace.value.clone_from(&namespace.default);
            if labels.value.is_none() && !usual_labels.is_empty() {
                labels.default = Some(usual_labels.to_owned());
                labels.value.clone_from(&labels.default);
            }
        }
        if !is_answered {
            self.guards.push((
                if usual.is_some() { Applicability::Unsafe } else { Applicability::Input },
                "controller",
                why.to_owned(),
            ));
        }
        for range in ranges.value.iter().flat_map(|ranges| ranges.split(',')) {
            let peer = json!({"ipBlock": {"cidr": range}});
            self.list.push(Flow { peer, ports: ports.to_vec(), source: range.to_owned(), reason: reason.clone() });
        }
        if let Some(namespace) = &namespace.value {
            let mut peer = json!({"namespaceSelector": isolation::namespace_selector(namespace)});
            let pairs = labels.value.iter().flat_map(|text| text.split(',')).filter_map(|pair| pair.split_once('='));
            let pairs: serde_json::Map<String, Value> =
                pairs.map(|(key, value)| (key.to_owned(), json!(value))).collect();
            if !pairs.is_empty() {
                peer["podSelector"] = json!({"matchLabels": pairs});
            }
            self.list.push(Flow { peer, ports: ports.to_vec(), source: format!("namespace {namespace}"), reason });
        }
        for input in [namespace, labels, ranges] {
            self.ask(input);
        }
    }

    fn ask(&mut self, input: Input) {
        if !self.inputs.iter().any(|known| known.key == input.key) {
            self.inputs.push(input);
        }
    }

    /// Asks about callers that no object shows: of a Service that nobody is seen to call, and beside
    /// addresses in Secrets. The answer may let the whole namespace in.
    pub(super) fn unseen_callers(&mut self) {
        let inventory = self.context.inventory;
        let has_service = inventory.services_of(self.position).next().is_some();
        // Its Service, and whoever names it, may be in other files.
        let may_miss = !has_service && !inventory.is_live() && !inventory.is_complete();
        let own = if may_miss { self.ports_where(|_| true) } else { Vec::new() };
        let is_apart = !own.is_empty();
        if !has_service && !is_apart {
            return;
        }
        let kinds = ["configmaps", "cronjobs", "daemonsets", "deployments", "ingresses", "statefulsets"];
        let gap = inventory.gaps.iter().find(|gap| kinds.contains(&gap.kind.as_str()));
        if let Some(gap) = gap {
            let text = format!("callers may be missing: {} not readable in {}: {}", gap.kind, gap.scope, gap.reason);
            self.guards.push((Applicability::Unsafe, "callers", text));
        }
        let refused = self.guards.iter().any(|(to, ..)| *to == Applicability::Manual);
        let unseen = self.list.is_empty() && !refused && !self.inputs.iter().any(Input::is_open);
        let nobody = unseen || is_apart;
        // Workloads of the namespace with addresses in Secrets, which may call this one.
        let hidden = self.known.hidden.beside(self.workload.namespace(), self.position, 3);
        let input = self.context.input(&self.workload.subject, "callers", nobody || hidden.is_some());
        if input.value.as_deref() == Some("namespace") {
            let services = inventory.services_of(self.position);
            let served: Vec<_> = services.filter_map(|service| self.ports(service, None)).collect();
            // None at all is every port, which a Service that leads nowhere does not ask for.
            if is_apart || !served.is_empty() {
                let ports = if is_apart { own } else { served.concat() };
                let (source, reason) = ("every pod of the namespace".to_owned(), "callers=namespace".to_owned());
                self.list.push(Flow { peer: json!({"podSelector": {}}), ports, source, reason });
            }
        }
        let to = if input.value.is_none() { Applicability::Input } else { Applicability::Unsafe };
        if let Some(text) = hidden {
            self.guards.push((to, "callers", format!("values in Secrets are not read, and may name it: {text}")));
        }
        if nobody && input.value.is_none() {
            let text = if is_apart {
                "it has ports, and its Service is not in the files, nor who calls it"
            } else {
                "it has a Service, and no object shows who calls it"
            };
            self.guards.push((to, "callers", text.to_owned()));
        }
        self.ask(input);
    }

    /// The rules of the policy.
    pub(super) fn rules(&self) -> Vec<Value> {
        flow::rules(&self.list)
    }

    /// The table of flows as evidence.
    pub(super) fn evidence(&self, finding: Finding) -> Finding {
        let mut lines: Vec<String> = self.list.iter().map(Flow::told).collect();
        // Several paths of an Ingress lead to one port.
        lines.dedup();
        if lines.is_empty() {
            lines.push("no object shows a caller".to_owned());
        }
        let finding = lines.into_iter().fold(finding, Finding::because);
        match &self.known.enforcement {
            Enforcement::Enforced { by, seen } => finding.because_of(seen, format!("{by} enforces policies")),
            Enforcement::NotEnforced { by, seen, .. } => finding.because_of(seen, format!("{by} enforces no policies")),
            Enforcement::Unknown { .. } => finding,
        }
    }

    /// Puts questions, guards and notes on the fix.
    pub(super) fn lower(&mut self, fix: &mut Fix) {
        if self.is_public {
            fix.notes.push("the policy lets everybody call the ports that are open to the outside; close them first where they are not needed".to_owned());
        }
        fix.inputs.append(&mut self.inputs);
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

    /// True if the policy lets in address ranges.
    pub(super) fn has_ranges(&self) -> bool {
        self.list.iter().any(|flow| flow.peer.get("ipBlock").is_some())
    }

    /// A node whose address one of the ranges is meant for, all addresses apart.
    pub(super) fn node_in_range(&self) -> Option<String> {
        let ranges = self.list.iter().filter_map(|flow| flow.peer.pointer("/ipBlock/cidr")?.as_str());
        let ranges: Vec<&str> = ranges.filter(|range| !range.ends_with("/0")).collect();
        let holds = |address: &Value| {
            let address = address.get("address").and_then(Value::as_str).unwrap_or_default();
            ranges.iter().any(|range| isolation::contains(range, address))
        };
        let node = self.context.inventory.nodes.iter().find(|node| node.status.addresses.iter().any(holds))?;
        Some(node.name().to_owned())
    }
}
