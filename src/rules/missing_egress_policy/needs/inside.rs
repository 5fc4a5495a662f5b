//! What a workload calls inside the cluster without naming it: its own members, what it scrapes,
//! what it forwards to, and whoever lets it in. missing-ingress-policy lets in the same.

use std::borrow::Cow;
use std::fmt::Display;

use super::Needs;
use crate::fix::Applicability;
use crate::model::Item;
use crate::model::isolation::{self, PodPort};
use crate::model::network::Service;
use crate::model::workload::Workload;
use crate::rules::missing_egress_policy::cluster::{Peers, range};
use crate::rules::missing_ingress_policy::finds_itself;

impl Needs<'_> {
    /// The other pods of a StatefulSet behind a headless Service.
    pub(super) fn members(&mut self) {
        let inventory = self.context.inventory;
        for service in inventory.services_of(self.position) {
            if finds_itself(inventory, self.position, service) {
                let reason = format_args!("its pods have names of their own in headless {}", service.subject.short());
                let ports = self.served(service, isolation::ports_for(self.workload, service, None));
                self.calls(self.position, ports, &reason);
            }
        }
    }

    /// The workloads whose metrics it reads.
    pub(super) fn scrapes(&mut self) {
        if !self.known.scrapes.scrapers.contains(&self.position) {
            return;
        }
        for target in 0..self.context.inventory.workloads.len() {
            for scrape in self.known.scrapes.of_workload(target) {
                let (ports, _) = isolation::served(scrape.ports.clone());
                self.calls(target, ports, &format_args!("scrapes it by {}", scrape.reason));
            }
        }
    }

    /// The Services that it forwards to, for a controller of Ingresses or routes.
    pub(super) fn forwards(&mut self) {
        let known = self.known;
        for (service, port, reason) in known.forwards.get(&self.position).into_iter().flatten() {
            self.service(*service, port.as_ref(), reason);
        }
    }

    /// Whoever lets it in by a policy for incoming traffic.
    pub(super) fn permitted(&mut self) {
        let inventory = self.context.inventory;
        for permit in self.known.permits.get(&self.position).into_iter().flatten() {
            for target in inventory.selected_workloads(&permit.namespace, &permit.pods) {
                let ports = permit.ports_of(inventory, target);
                self.calls(target, ports, &format_args!("{} lets it in", permit.policy.short()));
            }
        }
    }

    /// The ports behind a Service, without names that no container has: nobody listens there.
    pub(super) fn served(&mut self, service: &Item<Service>, ports: Vec<PodPort>) -> Option<Vec<PodPort>> {
        let (served, lost) = isolation::served(ports);
        for PodPort { port, .. } in &lost {
            let name = service.subject.short();
            self.notes.push(format!("{name} leads to a port named {port}, which no container has: it is left out"));
        }
        served
    }

    /// Pods of a workload that was read; on its nodes' network they have the nodes' addresses.
    fn calls(&mut self, target: usize, ports: Option<Vec<PodPort>>, reason: &dyn Display) {
        let Some(ports) = ports else { return };
        let target = self.context.inventory.workloads.at(target);
        if target.template().is_some_and(|template| template.spec.on_host_network()) {
            self.on_nodes(target, ports, reason);
            return;
        }
        let pods = isolation::pod_selector(target).unwrap_or_else(|| {
            let name = target.subject.short();
            self.notes.push(format!("{name} has no labels: every pod of its namespace may be called"));
            Cow::default()
        });
        let peers = vec![isolation::pods_peer(&pods, target.namespace(), self.workload.namespace())];
        self.need(Peers::Listed(peers), ports, &target.subject, reason);
    }

    fn on_nodes(&mut self, target: &Item<Workload>, ports: Vec<PodPort>, reason: &dyn Display) {
        let name = target.subject.short();
        if self.known.is_cilium {
            let text = format!("{name} is on its nodes' network; on Cilium nodes are the entity host");
            self.guards.push((Applicability::Manual, "cilium", text));
        }
        let peers: Vec<_> = self.node_addresses().iter().map(|address| range(address)).collect();
        if peers.is_empty() {
            self.answer("nodes", &format!("{name} is on its nodes' network, and no node was read"));
        } else {
            self.need(Peers::Listed(peers), ports, &target.subject, reason);
        }
    }
}
