//! Which workloads are read for metrics, and by what.

use super::cluster::Other;
use super::evidence;
use super::inventory::Inventory;
use super::monitors::{self, POD_MONITORS, Readers, Reading, SERVICE_MONITORS, Targets};
use super::object::{Meta, Subject};
use super::observability::{self, Role};
use super::selector::Selector;
use super::store::Item;
use super::telemetry;
use super::workload::Workload;

/// Monitors of Google's managed Prometheus, which reads all of them.
const GOOGLE: [&str; 2] =
    ["clusterpodmonitorings.monitoring.googleapis.com", "podmonitorings.monitoring.googleapis.com"];

/// Every list in which a monitor may stand.
pub fn lists() -> Vec<&'static str> {
    SERVICE_MONITORS.into_iter().chain(POD_MONITORS).chain(GOOGLE).collect()
}

/// What a monitor does for a workload that it targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is read, and names a port of the workload.
    Reads(String),
    /// It reads nothing, for a reason.
    Misses(Subject, String),
    /// Whether it is read can't be seen.
    Unseen(String),
}

/// The monitors of all workloads.
#[derive(Debug)]
pub struct Scraped<'a> {
    /// Who reads monitors.
    pub readers: Readers<'a>,
    /// The Services by label.
    pub targets: Targets,
    effects: Vec<Vec<Effect>>,
    named: Vec<bool>,
}

impl<'a> Scraped<'a> {
    /// Reads every monitor once, and the files of scrapers that name Services.
    pub fn of(inventory: &'a Inventory) -> Self {
        let mut out = Self {
            readers: Readers::of(inventory),
            targets: Targets::of(inventory),
            effects: vec![Vec::new(); inventory.workloads.len()],
            named: vec![false; inventory.services.len()],
        };
        for monitor in SERVICE_MONITORS.into_iter().flat_map(|resource| inventory.other(resource)) {
            out.add_services(inventory, monitor);
        }
        for monitor in POD_MONITORS.into_iter().flat_map(|resource| inventory.other(resource)) {
            out.add_pods(inventory, monitor);
        }
        for monitor in GOOGLE.into_iter().flat_map(|resource| inventory.other(resource)) {
            out.add_google(inventory, monitor);
        }
        if observability::program(inventory, Role::Scraper).is_some() {
            out.add_files(inventory);
        }
        out
    }

    /// What monitors do for a workload.
    pub fn effects(&self, workload: usize) -> &[Effect] {
        &self.effects[workload]
    }

    /// By what a workload's metrics are read or sent, monitors included.
    pub fn how(&self, inventory: &Inventory, position: usize) -> Option<String> {
        let workload = inventory.workloads.at(position);
        let read = self.effects[position].iter().find_map(|effect| match effect {
            Effect::Reads(reason) => Some(reason.clone()),
            _ => None,
        });
        read.or_else(|| by_mark(inventory, position))
            .or_else(|| by_sidecar(workload))
            .or_else(|| telemetry::pushes_metrics(inventory, workload))
            .or_else(|| self.by_file(inventory, position))
    }

    fn by_file(&self, inventory: &Inventory, position: usize) -> Option<String> {
        inventory.services_of(position).find_map(|service| {
            let at = inventory.services.position(service.namespace(), "Service", service.name())?;
            self.named[at].then(|| format!("the configuration of a scraper names {}", service.subject.short()))
        })
    }

    fn add_services(&mut self, inventory: &Inventory, monitor: &Item<Other>) {
        let reading = self.readers.reading(monitor);
        for at in self.targets.services(inventory, monitor) {
            let service = inventory.services.at(at);
            let fits = monitors::endpoints(monitor).any(|(_, endpoint)| monitors::reads(service, endpoint));
            let effect = if fits {
                effect(monitor, &reading)
            } else {
                let reason = format!("none of its endpoints names a port of {}", service.subject.short());
                Effect::Misses(monitor.subject.clone(), reason)
            };
            for workload in inventory.workloads_of(service) {
                let subject = &workload.subject;
                if let Some(position) = inventory.workloads.position(subject.namespace(), &subject.kind, &subject.name)
                {
                    self.effects[position].push(effect.clone());
                }
            }
        }
    }

    fn add_pods(&mut self, inventory: &Inventory, monitor: &Item<Other>) {
        let reading = self.readers.reading(monitor);
        for position in monitors::pods_of(inventory, monitor) {
            let workload = inventory.workloads.at(position);
            let fits = monitors::endpoints(monitor)
                .any(|(_, endpoint)| monitors::port_name(endpoint).is_none_or(|name| has_port(workload, name)));
            let effect = if fits {
                effect(monitor, &reading)
            } else {
                let reason = format!("none of its endpoints names a port of {}", workload.subject.short());
                Effect::Misses(monitor.subject.clone(), reason)
            };
            self.effects[position].push(effect);
        }
    }

    fn add_google(&mut self, inventory: &Inventory, monitor: &Item<Other>) {
        let everywhere = monitor.kind == "ClusterPodMonitoring";
        let selector = monitor.at("/spec/selector").and_then(|value| serde_json::from_value(value.clone()).ok());
        let selector: Selector = selector.unwrap_or_default();
        let mut names = vec![monitor.namespace()];
        if everywhere {
            names = inventory.workloads.iter().map(|workload| workload.namespace()).collect();
            names.dedup();
        }
        for position in names.into_iter().flat_map(|name| inventory.selected_workloads(name, &selector)) {
            self.effects[position].push(Effect::Reads(monitor.subject.short()));
        }
    }

    fn add_files(&mut self, inventory: &Inventory) {
        let references = inventory.references();
        for (position, workload) in evidence::running(inventory) {
            if observability::image_of(workload, Role::Scraper).is_some() {
                for reference in references.of_client(position) {
                    self.named[reference.service] = true;
                }
            }
        }
    }
}

fn effect(monitor: &Item<Other>, reading: &Reading) -> Effect {
    match reading {
        Reading::By(reader) => Effect::Reads(format!("{} reads {}", reader.short(), monitor.subject.short())),
        Reading::Unseen(reason) => Effect::Unseen(format!("{} targets it; {reason}", monitor.subject)),
        Reading::Nobody(reasons) => {
            let why = reasons.first().map_or("there is nobody who reads monitors", String::as_str);
            Effect::Misses(monitor.subject.clone(), why.to_owned())
        }
    }
}

/// True if a container declares a port of this name.
pub fn has_port(workload: &Workload, name: &str) -> bool {
    let containers = workload.template().into_iter().flat_map(|template| template.spec.serving_containers());
    containers.flat_map(|container| &container.ports).any(|port| port.name.as_deref() == Some(name))
}

/// Annotations of pods and Services by which scrapers and vendors' agents find them.
fn by_mark(inventory: &Inventory, position: usize) -> Option<String> {
    let template = inventory.workloads.at(position).template()?;
    if let Some(key) = mark(&template.metadata) {
        return Some(format!("annotation {key} of its pods"));
    }
    let mut services = inventory.services_of(position);
    services.find_map(|service| Some(format!("annotation {} of {}", mark(&service.metadata)?, service.subject.short())))
}

fn mark(meta: &Meta) -> Option<&str> {
    let is_mark = |key: &str, value: &str| match key {
        "prometheus.io/scrape" | "k8s.grafana.com/scrape" | "newrelic.io/scrape" => value == "true",
        "sidecar.opentelemetry.io/inject" => value != "false",
        _ => {
            let of_check = [".checks", ".check_names", ".instances"].iter().any(|end| key.ends_with(end));
            key.starts_with("ad.datadoghq.com/") && of_check || key.starts_with("co.elastic.metrics/")
        }
    };
    meta.annotations.iter().find(|(key, value)| is_mark(key, value)).map(|(key, _)| key.as_str())
}

/// A collector in the workload's own pods.
fn by_sidecar(workload: &Workload) -> Option<String> {
    let template = workload.template()?;
    let beside = template.spec.serving_containers().count() > 1;
    let image = observability::image_of(workload, Role::Scraper)?;
    beside.then(|| format!("a container with {image} beside it"))
}
