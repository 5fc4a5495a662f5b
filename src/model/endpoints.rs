//! The pods that answer for a Service, as far as it can be seen.

use std::collections::BTreeMap;

use serde_json::Value;

use super::inventory::Inventory;
use super::makers::{self, Made};
use super::network::{Service, ServicePort};
use super::number::IntOrString;
use super::pod::resolve_port;
use super::selector::Selector;
use super::store::Item;

/// The ready endpoints of every Service of a live cluster, counted once.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    ready: BTreeMap<(String, String), Ready>,
}

/// The ready endpoints of one Service.
#[derive(Clone, Debug, Default)]
struct Ready {
    /// With or without ports: a pod that has none of the ports that the Service names is in a slice
    /// without ports, and ready.
    all: usize,
    /// Those that have a port, by the name that the Service gives it; `""` if it gives none.
    by_port: BTreeMap<String, usize>,
}

impl Ready {
    fn has(&self, port: &ServicePort) -> bool {
        self.by_port.get(port.name.as_deref().unwrap_or_default()).is_some_and(|ready| *ready > 0)
    }
}

/// Whether somebody answers for a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Somebody does.
    Yes,
    /// Nobody does, and why.
    No(String),
    /// It can't be seen, and why.
    Unknown(String),
}

impl Endpoints {
    /// Counts the ready addresses of all endpoint slices; an absent `ready` counts as ready.
    pub fn of(inventory: &Inventory) -> Self {
        let mut out = Self::default();
        for slice in inventory.endpoint_slices.iter() {
            let Some(service) = slice.metadata.label("kubernetes.io/service-name") else { continue };
            let ready = slice.endpoints.iter().filter(|endpoint| endpoint.conditions.ready != Some(false)).count();
            let of_service = out.ready.entry((slice.namespace().to_owned(), service.to_owned())).or_default();
            of_service.all += ready;
            for port in &slice.ports {
                let name = port.get("name").and_then(Value::as_str).unwrap_or_default();
                *of_service.by_port.entry(name.to_owned()).or_default() += ready;
            }
        }
        out
    }

    /// Whether somebody answers: by endpoint slices in a cluster, by templates in files, where a
    /// workload at zero answers nobody.
    pub fn answer(&self, inventory: &Inventory, service: &Item<Service>) -> Answer {
        if let Some(ready) = self.of_service(service).filter(|ready| ready.all > 0) {
            let ports = &service.spec.ports;
            return match ports.first() {
                Some(first) if !ports.iter().any(|port| ready.has(port)) => Answer::No(lacking(first)),
                _ => Answer::Yes,
            };
        }
        let selected: Vec<_> = inventory.workloads_of(service).collect();
        if inventory.is_live() {
            if let Some(reason) = inventory.unseen("endpointslices", service.namespace()) {
                return Answer::Unknown(reason);
            }
            return Answer::No(match (selected.first(), service.has_selector()) {
                (Some(workload), _) => format!("no ready endpoint; it selects {}", workload.subject.short()),
                (None, true) => "no ready endpoint; its selector matches no workload".to_owned(),
                (None, false) => "no ready endpoint and no selector".to_owned(),
            });
        }
        if !service.has_selector() {
            return Answer::Unknown("it has no selector, and its endpoints are not in the files".to_owned());
        }
        match selected.iter().find(|workload| !workload.is_idle()) {
            Some(_) => unnamed(inventory, service, service.spec.ports.iter()).map_or(Answer::Yes, Answer::No),
            None if !selected.is_empty() => {
                Answer::No(format!("it selects {}, which runs nothing", selected[0].subject.short()))
            }
            None => of_custom_resources(inventory, service),
        }
    }

    /// Why nobody answers at one port of a Service that answers at others, as endpoint slices show.
    pub fn unserved(&self, service: &Item<Service>, port: &ServicePort) -> Option<String> {
        let ready = self.of_service(service).filter(|ready| ready.all > 0)?;
        (!ready.has(port)).then(|| lacking(port))
    }

    fn of_service(&self, service: &Item<Service>) -> Option<&Ready> {
        self.ready.get(&(service.namespace().to_owned(), service.name().to_owned()))
    }
}

fn lacking(port: &ServicePort) -> String {
    format!("no ready endpoint has its port {}", port.target())
}

/// Why nobody answers at any of these ports of a Service whose pods are in the files: they name ports
/// that no container declares with the same protocol. A pod without the port is no endpoint of it.
pub fn unnamed<'a>(
    inventory: &Inventory,
    service: &Item<Service>,
    ports: impl Iterator<Item = &'a ServicePort>,
) -> Option<String> {
    let running: Vec<_> = inventory.workloads_of(service).filter(|workload| !workload.is_idle()).collect();
    let first = running.first().filter(|_| !inventory.is_live())?;
    let mut missing = None;
    for port in ports {
        let target @ IntOrString::Text(name) = port.target_port.as_ref()? else { return None };
        let protocol = port.protocol();
        let mut specs = running.iter().filter_map(|workload| workload.template()).map(|template| &template.spec);
        if specs.any(|spec| resolve_port(spec, target, protocol).is_some()) {
            return None;
        }
        missing.get_or_insert((name, protocol));
    }
    let (name, protocol) = missing?;
    Some(format!("no container of {} declares the {protocol} port {name}", first.subject.short()))
}

/// Whether custom resources make the pods of a Service that selects no workload of the files.
fn of_custom_resources(inventory: &Inventory, service: &Item<Service>) -> Answer {
    let selector = Selector::labels(&service.spec.selector);
    match makers::made(inventory, service.namespace(), &selector) {
        Made::By(maker) if makers::is_idle(maker) => {
            Answer::No(format!("it selects {}, which runs nothing", maker.subject.short()))
        }
        Made::By(_) => Answer::Yes,
        made @ Made::Perhaps(_) if inventory.is_complete() => {
            Answer::Unknown(format!("its selector matches no workload, but {}", made.reason().unwrap_or_default()))
        }
        Made::No if inventory.is_complete() => Answer::No("its selector matches no workload".to_owned()),
        _ => Answer::Unknown("the workload that it selects is not in the files".to_owned()),
    }
}
