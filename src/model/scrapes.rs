//! Who reads metrics from which workload: monitors of the Prometheus operator, annotations, and the
//! workloads that scrape.

use serde_json::Value;

use super::cluster::Other;
use super::inventory::{Inventory, is_top_level};
use super::isolation::{PodPort, pod_port};
use super::network::Service;
use super::number::IntOrString;
use super::object::Meta;
use super::pod::{PodSpec, resolve_port};
use super::selector::Selector;
use super::store::Item;
use super::workload::Workload;

/// Images of programs that scrape.
const SCRAPERS: [&str; 6] = ["alloy", "grafana-agent", "prometheus", "prometheus-agent", "vmagent", "victoria-metrics"];

/// A port from which metrics are read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scrape {
    /// The ports of the pods.
    pub ports: Vec<PodPort>,
    /// What says so: `ServiceMonitor/web`.
    pub reason: String,
}

/// All scrapes of an inventory.
#[derive(Debug, Default)]
pub struct Scrapes {
    of_workload: Vec<Vec<Scrape>>,
    /// The positions of the workloads that scrape.
    pub scrapers: Vec<usize>,
}

impl Scrapes {
    /// Reads every monitor and annotation once.
    pub fn of(inventory: &Inventory) -> Self {
        let mut out = Self { of_workload: vec![Vec::new(); inventory.workloads.len()], scrapers: Vec::new() };
        for (position, workload) in
            inventory.workloads.iter().enumerate().filter(|(_, workload)| is_top_level(workload))
        {
            if is_scraper(workload) {
                out.scrapers.push(position);
            }
            out.of_workload[position].extend(by_annotation(inventory, position, workload));
        }
        for monitor in inventory.other("podmonitors.monitoring.coreos.com") {
            out.add_pod_monitor(inventory, monitor);
        }
        for monitor in inventory.other("servicemonitors.monitoring.coreos.com") {
            out.add_service_monitor(inventory, monitor);
        }
        for scrapes in &mut out.of_workload {
            scrapes.sort();
            scrapes.dedup();
        }
        out
    }

    /// The scrapes of a workload.
    pub fn of_workload(&self, workload: usize) -> &[Scrape] {
        &self.of_workload[workload]
    }

    fn add_pod_monitor(&mut self, inventory: &Inventory, monitor: &Item<Other>) {
        let selector = selector(monitor);
        for namespace in namespaces(inventory, monitor) {
            for position in inventory.selected_workloads(namespace, &selector) {
                let Some(template) = inventory.workloads.at(position).template() else {
                    continue;
                };
                let endpoints = list(monitor.at("/spec/podMetricsEndpoints"));
                let ports: Vec<PodPort> =
                    endpoints.filter_map(|endpoint| endpoint_port(&template.spec, endpoint)).collect();
                self.of_workload[position].push(Scrape { ports, reason: monitor.subject.short() });
            }
        }
    }

    fn add_service_monitor(&mut self, inventory: &Inventory, monitor: &Item<Other>) {
        let selector = selector(monitor);
        for namespace in namespaces(inventory, monitor) {
            let services = inventory.services.within(namespace);
            for service in services.iter().filter(|service| selector.matches(&service.metadata.labels)) {
                for workload in inventory.workloads_of(service) {
                    let subject = &workload.subject;
                    let Some(position) =
                        inventory.workloads.position(subject.namespace(), &subject.kind, &subject.name)
                    else {
                        continue;
                    };
                    let endpoints = list(monitor.at("/spec/endpoints"));
                    let ports = endpoints.filter_map(|endpoint| service_port(workload, service, endpoint)).collect();
                    self.of_workload[position].push(Scrape { ports, reason: monitor.subject.short() });
                }
            }
        }
    }
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn is_scraper(workload: &Workload) -> bool {
    let mut containers = workload.template().into_iter().flat_map(|template| &template.spec.containers);
    containers.any(|container| SCRAPERS.contains(&container.image_name()))
}

fn selector(monitor: &Item<Other>) -> Selector {
    monitor.at("/spec/selector").and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default()
}

/// The namespaces that a monitor looks at: its own, those that it names, or all with Services.
fn namespaces<'a>(inventory: &'a Inventory, monitor: &'a Item<Other>) -> Vec<&'a str> {
    if monitor.at("/spec/namespaceSelector/any").and_then(Value::as_bool) == Some(true) {
        let mut all: Vec<&str> = inventory.workloads.iter().map(|workload| workload.namespace()).collect();
        all.dedup();
        return all;
    }
    let named: Vec<&str> = list(monitor.at("/spec/namespaceSelector/matchNames")).filter_map(Value::as_str).collect();
    if named.is_empty() { vec![monitor.namespace()] } else { named }
}

fn int_or_string(value: &Value) -> Option<IntOrString> {
    serde_json::from_value(value.clone()).ok()
}

fn endpoint_port(spec: &PodSpec, endpoint: &Value) -> Option<PodPort> {
    let target = ["portNumber", "port", "targetPort"].iter().find_map(|key| int_or_string(endpoint.get(key)?))?;
    let number = resolve_port(spec, &target, "TCP");
    Some(PodPort { port: number.map_or(target, IntOrString::Int), protocol: "TCP".to_owned() })
}

fn service_port(workload: &Workload, service: &Service, endpoint: &Value) -> Option<PodPort> {
    if let Some(name) = endpoint.get("port").and_then(int_or_string) {
        return service.port(&name).map(|port| pod_port(workload, port));
    }
    endpoint_port(&workload.template()?.spec, endpoint)
}

/// The annotations `prometheus.io/scrape` and `prometheus.io/port` of the pods and their Services.
fn by_annotation(inventory: &Inventory, position: usize, workload: &Item<Workload>) -> Vec<Scrape> {
    let is_on = |meta: &Meta| meta.annotation("prometheus.io/scrape") == Some("true");
    let port = |meta: &Meta| meta.annotation("prometheus.io/port").and_then(|port| port.parse().ok()).map(PodPort::tcp);
    let mut out = Vec::new();
    let Some(template) = workload.template() else {
        return out;
    };
    if is_on(&template.metadata) {
        let declared = template.spec.serving_containers().flat_map(|container| &container.ports);
        let all = || declared.map(|port| PodPort::tcp(port.container_port)).collect();
        let ports = port(&template.metadata).map_or_else(all, |port| vec![port]);
        out.push(Scrape { ports, reason: "annotation prometheus.io/scrape of its pods".to_owned() });
    }
    for service in inventory.services_of(position).filter(|service| is_on(&service.metadata)) {
        let all = || service.spec.ports.iter().map(|port| pod_port(workload, port)).collect();
        let ports = port(&service.metadata).map_or_else(all, |port| vec![port]);
        out.push(Scrape { ports, reason: format!("annotation prometheus.io/scrape of {}", service.subject.short()) });
    }
    out
}
