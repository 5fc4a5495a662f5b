//! Which pods carry traffic from outside to a Service: the controllers behind Ingresses, routes of
//! the Gateway API, and virtual services of Istio.
//!
//! A controller is found through its class and its image or arguments, and cross-checked: the
//! address of its Service is the address in the Ingress's status. What was not read is assumed by
//! name and said to be an assumption, or not known.

use std::collections::BTreeMap;

use serde_json::Value;

use super::inventory::{Inventory, is_top_level};
use super::network::Ingress;
use super::number::IntOrString;
use super::object::Subject;
use super::selector::Labels;
use super::store::Item;

mod gateways;
mod known;

/// A way from outside to a Service.
#[derive(Clone, Debug)]
pub struct Route {
    /// The Ingress or route.
    pub object: Subject,
    /// Where in it the Service stands.
    pub pointer: String,
    /// The position of the Service.
    pub service: usize,
    /// The Service's port, if one is named.
    pub port: Option<IntOrString>,
    /// Who forwards.
    pub controller: Controller,
}

/// Who forwards traffic to the pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Controller {
    /// Pods of workloads that were read.
    Pods {
        /// The positions of the workloads.
        workloads: Vec<usize>,
        /// How they were found, in words.
        evidence: String,
        /// True if the addresses agree.
        checked: bool,
    },
    /// A controller that was not read.
    Assumed {
        /// The controller's name: `k8s.io/ingress-nginx`.
        name: String,
        /// Where it usually is.
        namespace: String,
        /// The labels that its pods usually have; empty if installations differ.
        labels: Labels,
    },
    /// Load balancers outside the cluster that call pods from these addresses.
    Addresses {
        /// The controller's name.
        name: String,
        /// The ranges.
        ranges: Vec<String>,
    },
    /// Nobody knows.
    Unknown {
        /// Why not.
        reason: String,
    },
}

/// All ways from outside, by Service.
#[derive(Debug, Default)]
pub struct Routes {
    by_service: BTreeMap<usize, Vec<Route>>,
}

impl Routes {
    /// Reads every Ingress and route once.
    pub fn of(inventory: &Inventory) -> Self {
        let finder = Finder::new(inventory);
        let mut out = Self::default();
        let mut classes: BTreeMap<String, Controller> = BTreeMap::new();
        for ingress in inventory.ingresses.iter() {
            let addresses: Vec<&str> = ingress.status.addresses().collect();
            let key = format!("{:?} {addresses:?}", ingress.class());
            let controller = classes.entry(key).or_insert_with(|| finder.of_ingress(ingress)).clone();
            for (pointer, _, backend) in ingress.backends() {
                let Some(service) = inventory.services.position(ingress.namespace(), "Service", &backend.name) else {
                    continue;
                };
                out.add(Route {
                    object: ingress.subject.clone(),
                    pointer: format!("{pointer}/service"),
                    service,
                    port: Some(backend.port.wanted()),
                    controller: controller.clone(),
                });
            }
        }
        gateways::add_routes(&finder, &mut out);
        out
    }

    /// The ways to a Service, by position.
    pub fn to_service(&self, service: usize) -> &[Route] {
        self.by_service.get(&service).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, route: Route) {
        self.by_service.entry(route.service).or_default().push(route);
    }
}

/// Finds controllers; knows the addresses of all Services.
struct Finder<'a> {
    inventory: &'a Inventory,
    by_address: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Finder<'a> {
    fn new(inventory: &'a Inventory) -> Self {
        let mut by_address: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (position, service) in inventory.services.iter().enumerate() {
            for address in service.status.addresses() {
                by_address.entry(address).or_default().push(position);
            }
        }
        Self { inventory, by_address }
    }

    fn of_ingress(&self, ingress: &Item<Ingress>) -> Controller {
        let classes = &self.inventory.ingress_classes;
        let class = match ingress.class() {
            Some(name) => classes.get("", "IngressClass", name),
            None => classes.iter().find(|class| class.is_default()),
        };
        let addresses: Vec<&str> = ingress.status.addresses().collect();
        if let Some(class) = class {
            return self.by_name(&class.spec.controller, &addresses);
        }
        match ingress.class().map(|class| (class, known::by_class(class))) {
            Some((_, Some((name, _)))) => self.by_name(name, &addresses),
            Some((class, None)) => self.by_address_alone(&addresses, &format!("IngressClass/{class} was not read")),
            None => self.by_address_alone(&addresses, "the Ingress names no class, and no default class was read"),
        }
    }

    /// The controller of this name: by its pods, else by what is usual.
    fn by_name(&self, controller: &str, addresses: &[&str]) -> Controller {
        let candidates = self.workloads(|position| known::runs(self.inventory.workloads.at(position), controller));
        if !candidates.is_empty() {
            return self.choose(controller, candidates, addresses);
        }
        let holders = self.holders(addresses);
        match known::by_name(controller) {
            Some(known) if !known.ranges.is_empty() => Controller::Addresses {
                name: controller.to_owned(),
                ranges: known.ranges.iter().map(|range| (*range).to_owned()).collect(),
            },
            _ if holders.len() == 1 => self.by_address_alone(addresses, ""),
            Some(known) => Controller::Assumed {
                name: controller.to_owned(),
                namespace: known.namespace.to_owned(),
                labels: known.labels(),
            },
            None => Controller::Unknown { reason: format!("no workload of the controller {controller} was read") },
        }
    }

    /// Of several installations the one whose Service has the address.
    fn choose(&self, controller: &str, candidates: Vec<usize>, addresses: &[&str]) -> Controller {
        let holders = self.holders(addresses);
        let checked: Vec<usize> = candidates.iter().copied().filter(|position| holders.contains(position)).collect();
        let is_checked = !checked.is_empty();
        let workloads = if is_checked { checked } else { candidates };
        let evidence = if is_checked {
            format!("controller {controller}; its Service has the address {}", addresses.join(", "))
        } else {
            format!("controller {controller}")
        };
        Controller::Pods { workloads, evidence, checked: is_checked }
    }

    fn by_address_alone(&self, addresses: &[&str], reason: &str) -> Controller {
        let holders = self.holders(addresses);
        if holders.len() == 1 {
            let evidence = format!("its Service has the address {}", addresses.join(", "));
            return Controller::Pods { workloads: holders, evidence, checked: true };
        }
        Controller::Unknown { reason: reason.to_owned() }
    }

    /// The workloads behind the Services that have one of the addresses.
    fn holders(&self, addresses: &[&str]) -> Vec<usize> {
        let services = addresses.iter().filter_map(|address| self.by_address.get(address)).flatten();
        let mut out: Vec<usize> = services
            .flat_map(|service| self.inventory.workloads_of(self.inventory.services.at(*service)))
            .filter_map(|workload| {
                self.inventory.workloads.position(workload.namespace(), &workload.subject.kind, workload.name())
            })
            .collect();
        out.sort_unstable();
        out.dedup();
        out
    }

    fn workloads(&self, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        let all = self.inventory.workloads.iter().enumerate();
        all.filter(|(_, workload)| is_top_level(workload))
            .map(|(position, _)| position)
            .filter(|position| wanted(*position))
            .collect()
    }
}

/// The text at a pointer of a JSON value.
fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn world(address: Option<&str>) -> Inventory {
        let mut inventory = Inventory::default();
        let mut add = |version: &str, kind: &str, value: Value| inventory.add(version, kind, value, None).unwrap();
        for (namespace, argument) in
            [("edge", "--x"), ("inner", "--controller-class=k8s.io/internal"), ("other", "--x")]
        {
            add(
                "apps/v1",
                "Deployment",
                json!({"metadata": {"name": "c", "namespace": namespace}, "spec": {"template": {
                "metadata": {"labels": {"app": "c"}},
                "spec": {"containers": [{"name": "c", "image": "registry.k8s.io/ingress-nginx/controller:v1@sha256:0", "args": [argument]}]}}}}),
            );
        }
        add(
            "v1",
            "Service",
            json!({"metadata": {"name": "lb", "namespace": "edge"}, "spec": {"type": "LoadBalancer", "selector": {"app": "c"}},
            "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}}),
        );
        add(
            "v1",
            "Service",
            json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}}),
        );
        add(
            "networking.k8s.io/v1",
            "IngressClass",
            json!({"metadata": {"name": "internal"}, "spec": {"controller": "k8s.io/internal"}}),
        );
        for (name, class) in [("a", "nginx"), ("b", "internal"), ("c", "mystery"), ("d", "traefik")] {
            let mut ingress = json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"ingressClassName": class,
                "rules": [{"http": {"paths": [{"backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}});
            if let Some(address) = address.filter(|_| class == "nginx") {
                ingress["status"] = json!({"loadBalancer": {"ingress": [{"ip": address}]}});
            }
            add("networking.k8s.io/v1", "Ingress", ingress);
        }
        inventory.finish()
    }

    fn controllers(inventory: &Inventory) -> Vec<String> {
        let service = inventory.services.position("shop", "Service", "web").unwrap();
        let show = |route: &Route| match &route.controller {
            Controller::Pods { workloads, checked, .. } => {
                let names: Vec<&str> = workloads.iter().map(|at| inventory.workloads.at(*at).namespace()).collect();
                format!("{} {checked}", names.join(","))
            }
            Controller::Assumed { namespace, .. } => format!("assumed {namespace}"),
            Controller::Addresses { .. } => "addresses".to_owned(),
            Controller::Unknown { reason } => reason.clone(),
        };
        Routes::of(inventory).to_service(service).iter().map(show).collect()
    }

    #[test]
    fn a_controller_is_found_by_class_and_checked_by_address() {
        let rest = ["inner false", "IngressClass/mystery was not read", "assumed traefik"];
        let with = controllers(&world(Some("203.0.113.7")));
        assert_eq!(with[0], "edge true");
        assert_eq!(with[1..], rest);
        assert_eq!(controllers(&world(None))[0], "edge,other false");
    }
}
