//! Who reads metrics from which workload: monitors of the Prometheus operator, annotations, the
//! workloads that scrape, and the resources whose operator runs such workloads.

use serde_json::Value;

use super::cluster::Other;
use super::inventory::{Inventory, is_top_level};
use super::isolation::{PodPort, pod_port};
use super::monitors;
use super::network::Service;
use super::number::IntOrString;
use super::object::{Meta, Subject};
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
    /// The resources of an operator that may read it, where no scraping workload was read beside them.
    pub readers: Vec<Subject>,
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
        let top = || inventory.workloads.iter().enumerate().filter(|(_, workload)| is_top_level(workload));
        let scrapers = top().filter(|(_, workload)| is_scraper(workload)).map(|(position, _)| position).collect();
        let mut out = Self { of_workload: vec![Vec::new(); inventory.workloads.len()], scrapers };
        let unread = unread(inventory, &out.scrapers);
        // Which scraper reads annotations stands in its configuration.
        let by_default = unread.iter().filter(|_| out.scrapers.is_empty());
        let by_default: Vec<Subject> = by_default.map(|reader| reader.subject.clone()).collect();
        for (position, workload) in top() {
            out.of_workload[position].extend(by_annotation(inventory, position, workload, &by_default));
        }
        for monitor in inventory.other("podmonitors.monitoring.coreos.com") {
            out.add_pod_monitor(inventory, monitor, &takers(inventory, monitor, &unread));
        }
        for monitor in inventory.other("servicemonitors.monitoring.coreos.com") {
            out.add_service_monitor(inventory, monitor, &takers(inventory, monitor, &unread));
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

    fn add_pod_monitor(&mut self, inventory: &Inventory, monitor: &Item<Other>, readers: &[Subject]) {
        let selector = selector(monitor);
        for namespace in namespaces(inventory, monitor) {
            for position in inventory.selected_workloads(namespace, &selector) {
                let Some(template) = inventory.workloads.at(position).template() else {
                    continue;
                };
                let endpoints = list(monitor.at("/spec/podMetricsEndpoints"));
                let ports: Vec<PodPort> =
                    endpoints.filter_map(|endpoint| endpoint_port(&template.spec, endpoint)).collect();
                let (reason, readers) = (monitor.subject.short(), readers.to_vec());
                self.of_workload[position].push(Scrape { ports, reason, readers });
            }
        }
    }

    fn add_service_monitor(&mut self, inventory: &Inventory, monitor: &Item<Other>, readers: &[Subject]) {
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
                    let (reason, readers) = (monitor.subject.short(), readers.to_vec());
                    self.of_workload[position].push(Scrape { ports, reason, readers });
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

/// The resources of operators that scrape and whose pods were not read: in their namespace no
/// workload scrapes.
fn unread<'a>(inventory: &'a Inventory, scrapers: &[usize]) -> Vec<&'a Item<Other>> {
    let spaces: Vec<&str> = scrapers.iter().map(|position| inventory.workloads.at(*position).namespace()).collect();
    monitors::readers_of(inventory, "ServiceMonitor").filter(|reader| !spaces.contains(&reader.namespace())).collect()
}

/// Those of the readers whose selectors take a monitor.
fn takers(inventory: &Inventory, monitor: &Item<Other>, readers: &[&Item<Other>]) -> Vec<Subject> {
    let taking = readers.iter().filter(|reader| monitors::may_take(inventory, reader, monitor));
    taking.map(|reader| reader.subject.clone()).collect()
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
fn by_annotation(
    inventory: &Inventory,
    position: usize,
    workload: &Item<Workload>,
    readers: &[Subject],
) -> Vec<Scrape> {
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
        let reason = "annotation prometheus.io/scrape of its pods".to_owned();
        out.push(Scrape { ports, reason, readers: readers.to_vec() });
    }
    for service in inventory.services_of(position).filter(|service| is_on(&service.metadata)) {
        let all = || service.spec.ports.iter().map(|port| pod_port(workload, port)).collect();
        let ports = port(&service.metadata).map_or_else(all, |port| vec![port]);
        let reason = format!("annotation prometheus.io/scrape of {}", service.subject.short());
        out.push(Scrape { ports, reason, readers: readers.to_vec() });
    }
    out
}
