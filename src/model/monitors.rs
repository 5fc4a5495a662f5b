//! Monitors and rules of the Prometheus operator and of VictoriaMetrics: who reads them, and what
//! they target.
//!
//! Sources: the API reference of the Prometheus operator (an absent selector selects nothing, an
//! absent namespace selector means the reader's own namespace, an empty one all) and that of the
//! VictoriaMetrics operator (an absent selector beside a namespace selector selects everything
//! there; with both absent `selectAllByDefault` decides).

use std::collections::HashMap;

use serde_json::Value;

use super::cluster::Other;
use super::evidence;
use super::inventory::Inventory;
use super::makers::{self, Made};
use super::network::Service;
use super::object::{Meta, Subject};
use super::observability::{self, Role};
use super::selector::{Labels, Selector};
use super::store::Item;

/// Monitors of Services, by resource name.
pub const SERVICE_MONITORS: [&str; 2] =
    ["servicemonitors.monitoring.coreos.com", "vmservicescrapes.operator.victoriametrics.com"];
/// Monitors of pods, by resource name.
pub const POD_MONITORS: [&str; 2] = ["podmonitors.monitoring.coreos.com", "vmpodscrapes.operator.victoriametrics.com"];
/// Who reads monitors.
pub const READERS: [&str; 3] = [
    "prometheuses.monitoring.coreos.com",
    "prometheusagents.monitoring.coreos.com",
    "vmagents.operator.victoriametrics.com",
];
/// Who reads alerting rules.
pub const RULE_READERS: [&str; 3] = [
    "prometheuses.monitoring.coreos.com",
    "thanosrulers.monitoring.coreos.com",
    "vmalerts.operator.victoriametrics.com",
];
/// Alerting rules, by resource name.
pub const RULES: [&str; 2] = ["prometheusrules.monitoring.coreos.com", "vmrules.operator.victoriametrics.com"];

/// Whether anybody reads an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// This reader does.
    By(Subject),
    /// Nobody does, with a reason for each reader.
    Nobody(Vec<String>),
    /// It can't be seen.
    Unseen(String),
}

/// Why a reader does not take an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// Its selectors say no.
    No(String),
    /// The labels of the object's namespace are not known.
    Unseen(String),
}

/// The selectors of a reader for one sort of objects.
struct Selectors {
    labels: Option<Selector>,
    namespaces: Option<Selector>,
    field: &'static str,
}

fn selector_at(item: &Other, pointer: &str) -> Option<Selector> {
    serde_json::from_value(item.at(pointer).filter(|value| !value.is_null())?.clone()).ok()
}

/// The fields of a reader for a sort of object: `serviceMonitor`, `podMonitor` or `rule`.
fn selectors(reader: &Item<Other>, sort: &str) -> Selectors {
    let field = match (reader.kind.as_str(), sort) {
        ("VMAgent", "serviceMonitor") => "serviceScrape",
        ("VMAgent", "podMonitor") => "podScrape",
        (_, "serviceMonitor") => "serviceMonitor",
        (_, "podMonitor") => "podMonitor",
        _ => "rule",
    };
    let mut labels = selector_at(reader, &format!("/spec/{field}Selector"));
    let mut namespaces = selector_at(reader, &format!("/spec/{field}NamespaceSelector"));
    if reader.kind.starts_with("VM") && labels.is_none() {
        let all = reader.at("/spec/selectAllByDefault").and_then(Value::as_bool) == Some(true);
        if all && namespaces.is_none() {
            namespaces = Some(Selector::default());
        }
        labels = namespaces.is_some().then(Selector::default);
    }
    Selectors { labels, namespaces, field }
}

/// Whether a reader takes an object with these labels from this namespace.
pub fn takes(
    inventory: &Inventory,
    reader: &Item<Other>,
    sort: &str,
    namespace: &str,
    labels: &Labels,
) -> Result<(), Miss> {
    let selectors = selectors(reader, sort);
    let (name, field) = (reader.subject.to_string(), selectors.field);
    let Some(wanted) = selectors.labels else {
        return Err(Miss::No(format!("{name} has no spec.{field}Selector and takes none")));
    };
    match &selectors.namespaces {
        None if reader.namespace() == namespace => {}
        None => {
            let own = reader.namespace();
            return Err(Miss::No(format!("{name} has no spec.{field}NamespaceSelector and takes those in {own} only")));
        }
        Some(wanted) => {
            let (labels, known) = namespace_labels(inventory, namespace);
            if !wanted.matches(&labels) {
                if !known && !decides(wanted, &labels) {
                    return Err(Miss::Unseen(format!(
                        "Namespace {namespace} was not read, whose labels {name} asks for"
                    )));
                }
                let text = wanted.text();
                return Err(Miss::No(format!(
                    "{name} takes those in namespaces with {text}, which {namespace} is not"
                )));
            }
        }
    }
    if wanted.matches(labels) { Ok(()) } else { Err(Miss::No(format!("{name} takes those with {}", wanted.text()))) }
}

/// True if a reader takes a monitor or a rule, or may: the labels of its namespace are not known.
pub fn may_take(inventory: &Inventory, reader: &Item<Other>, item: &Item<Other>) -> bool {
    let taken = takes(inventory, reader, sort_of(&item.kind), item.namespace(), &item.metadata.labels);
    !matches!(taken, Err(Miss::No(_)))
}

/// The labels of a namespace, and whether they are all known. The server adds the name.
fn namespace_labels(inventory: &Inventory, namespace: &str) -> (Labels, bool) {
    let item = inventory.namespaces.get("", "Namespace", namespace);
    let mut labels = item.map(|item| item.metadata.labels.clone()).unwrap_or_default();
    labels.insert("kubernetes.io/metadata.name".to_owned(), namespace.to_owned());
    (labels, item.is_some())
}

/// True if a term over a known label fails, whatever the unknown ones are.
fn decides(wanted: &Selector, known: &Labels) -> bool {
    let exact = wanted.match_labels.iter().any(|(key, value)| known.get(key).is_some_and(|has| has != value));
    let terms = wanted.match_expressions.iter().filter(|term| known.contains_key(&term.key));
    exact
        || terms.into_iter().any(|term| {
            let alone = Selector { match_expressions: vec![term.clone()], ..Selector::default() };
            !alone.matches(known)
        })
}

/// The sort of a monitor or rule, by its kind.
fn sort_of(kind: &str) -> &'static str {
    match kind {
        "ServiceMonitor" | "VMServiceScrape" => "serviceMonitor",
        "PodMonitor" | "VMPodScrape" => "podMonitor",
        _ => "rule",
    }
}

/// The readers that may take an object of this kind. VictoriaMetrics converts objects of the
/// Prometheus operator; Prometheus does not read those of VictoriaMetrics.
pub fn readers_of<'a>(inventory: &'a Inventory, kind: &'a str) -> impl Iterator<Item = &'a Item<Other>> {
    let resources = if sort_of(kind) == "rule" { RULE_READERS } else { READERS };
    let fits = move |reader: &&Item<Other>| !kind.starts_with("VM") || reader.kind.starts_with("VM");
    resources.into_iter().flat_map(|resource| inventory.other(resource)).map(|item| &**item).filter(fits)
}

/// Who reads what, with what is gathered once for all objects.
#[derive(Debug)]
pub struct Readers<'a> {
    inventory: &'a Inventory,
    /// A program that reads monitors by a configuration of its own.
    other: Option<String>,
}

impl<'a> Readers<'a> {
    /// Looks for programs that read monitors without a resource of an operator.
    pub fn of(inventory: &'a Inventory) -> Self {
        Self { inventory, other: other_reader(inventory) }
    }

    /// Whether anybody reads a monitor or a rule.
    pub fn reading(&self, item: &Item<Other>) -> Reading {
        self.reading_of(&item.kind, &item.metadata)
    }

    /// True if nobody reads objects of this kind, and it can be seen that nobody does.
    pub fn is_unread(&self, kind: &str) -> bool {
        self.reading_of(kind, &Meta::default()) == Reading::Nobody(Vec::new())
    }

    fn reading_of(&self, kind: &str, meta: &Meta) -> Reading {
        let (mut reasons, mut unseen) = (Vec::new(), None);
        for reader in readers_of(self.inventory, kind) {
            match takes(self.inventory, reader, sort_of(kind), meta.namespace(), &meta.labels) {
                Ok(()) => return Reading::By(reader.subject.clone()),
                Err(Miss::No(reason)) => reasons.push(reason),
                Err(Miss::Unseen(reason)) => unseen = Some(reason),
            }
        }
        let resources = if sort_of(kind) == "rule" { RULE_READERS } else { READERS };
        let hidden = if reasons.is_empty() {
            evidence::unseen_anywhere(self.inventory, &resources).or_else(|| self.other.clone())
        } else {
            evidence::gap(self.inventory, &resources)
        };
        match unseen.or(hidden) {
            Some(reason) => Reading::Unseen(reason),
            None => Reading::Nobody(reasons),
        }
    }
}

/// A reader that takes monitors from a namespace, and the labels with which it takes one; else why
/// none does. `base` are labels that the monitor has anyhow.
pub fn labels_for(
    inventory: &Inventory,
    kind: &str,
    namespace: &str,
    base: &Labels,
) -> Result<(Subject, Labels), Vec<String>> {
    let mut reasons = Vec::new();
    for reader in readers_of(inventory, kind) {
        let wanted = selectors(reader, sort_of(kind)).labels.unwrap_or_default();
        let mut labels = wanted.match_labels.clone();
        for term in wanted.match_expressions.iter().filter(|term| term.operator == "In") {
            labels.entry(term.key.clone()).or_insert_with(|| term.values.first().cloned().unwrap_or_default());
        }
        let mut all = base.clone();
        all.extend(labels.clone());
        match takes(inventory, reader, sort_of(kind), namespace, &all) {
            Ok(()) => return Ok((reader.subject.clone(), labels)),
            Err(Miss::No(reason) | Miss::Unseen(reason)) => reasons.push(reason),
        }
    }
    Err(reasons)
}

/// A program that reads monitors by a configuration of its own.
fn other_reader(inventory: &Inventory) -> Option<String> {
    let allocator =
        |item: &Item<Other>| item.at("/spec/targetAllocator/enabled").and_then(Value::as_bool) == Some(true);
    let collector = inventory.other("opentelemetrycollectors.opentelemetry.io").find(|item| allocator(item));
    let name = match collector {
        Some(collector) => collector.subject.to_string(),
        None => observability::program(inventory, Role::Allocator)?.0.subject.to_string(),
    };
    Some(format!("{name} may read it by a configuration of its own"))
}

/// What monitors target: Services by label, so that each monitor looks at few of them.
#[derive(Debug, Default)]
pub struct Targets {
    by_label: HashMap<(String, String), Vec<usize>>,
}

impl Targets {
    /// Indexes the Services once.
    pub fn of(inventory: &Inventory) -> Self {
        let mut out = Self::default();
        for (position, service) in inventory.services.iter().enumerate() {
            for (key, value) in &service.metadata.labels {
                out.by_label.entry((key.clone(), value.clone())).or_default().push(position);
            }
        }
        out
    }

    /// The positions of the Services that a monitor selects.
    pub fn services(&self, inventory: &Inventory, monitor: &Item<Other>) -> Vec<usize> {
        let selector = selector_at(monitor, "/spec/selector").unwrap_or_default();
        match namespaces(monitor) {
            None => self.select(inventory, &selector, None, 0..inventory.services.len()),
            Some(names) => names.into_iter().flat_map(|name| self.within(inventory, name, &selector)).collect(),
        }
    }

    /// The positions of the Services of a namespace with labels that a selector matches.
    pub fn within(&self, inventory: &Inventory, namespace: &str, selector: &Selector) -> Vec<usize> {
        self.select(inventory, selector, Some(namespace), in_namespace(inventory, namespace))
    }

    fn select(
        &self,
        inventory: &Inventory,
        selector: &Selector,
        namespace: Option<&str>,
        all: std::ops::Range<usize>,
    ) -> Vec<usize> {
        let matches = |position: &usize| {
            let service = inventory.services.at(*position);
            let inside = namespace.is_none_or(|name| name == service.namespace());
            inside && selector.matches(&service.metadata.labels)
        };
        let lists = selector.match_labels.iter().map(|(key, value)| {
            let term = (key.clone(), value.clone());
            self.by_label.get(&term).map_or(&[][..], Vec::as_slice)
        });
        match lists.min_by_key(|list| list.len()).filter(|list| list.len() < all.len()) {
            Some(candidates) => candidates.iter().copied().filter(matches).collect(),
            None => all.filter(matches).collect(),
        }
    }
}

fn in_namespace(inventory: &Inventory, namespace: &str) -> std::ops::Range<usize> {
    let start = inventory.services.start_of(namespace);
    start..start + inventory.services.within(namespace).len()
}

/// The namespaces that a monitor looks at; `None` for all.
fn namespaces(monitor: &Item<Other>) -> Option<Vec<&str>> {
    if monitor.at("/spec/namespaceSelector/any").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let names = monitor.at("/spec/namespaceSelector/matchNames").and_then(Value::as_array);
    let mut names: Vec<&str> = names.into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() {
        names.push(monitor.namespace());
    }
    names.sort_unstable();
    names.dedup();
    Some(names)
}

/// The positions of the workloads whose pods a monitor of pods selects.
pub fn pods_of(inventory: &Inventory, monitor: &Item<Other>) -> Vec<usize> {
    let selector = selector_at(monitor, "/spec/selector").unwrap_or_default();
    let names = namespaces(monitor).unwrap_or_else(|| {
        let mut all: Vec<&str> = inventory.workloads.iter().map(|workload| workload.namespace()).collect();
        all.dedup();
        all
    });
    names.into_iter().flat_map(|name| inventory.selected_workloads(name, &selector)).collect()
}

/// Which custom resources make pods that a monitor of pods selects.
pub fn pods_made<'a>(inventory: &'a Inventory, monitor: &Item<Other>) -> Made<'a> {
    let selector = selector_at(monitor, "/spec/selector").unwrap_or_default();
    makers::made_in(inventory, namespaces(monitor), &selector)
}

/// The endpoints of a monitor with their place in it.
pub fn endpoints(monitor: &Item<Other>) -> impl Iterator<Item = (String, &Value)> {
    let (field, list) = ["endpoints", "podMetricsEndpoints"]
        .into_iter()
        .find_map(|field| Some((field, monitor.at(&format!("/spec/{field}"))?.as_array()?)))
        .map_or(("endpoints", None), |(field, list)| (field, Some(list)));
    list.into_iter().flatten().enumerate().map(move |(index, endpoint)| (format!("/spec/{field}/{index}"), endpoint))
}

/// The port name by which an endpoint goes; `None` if it goes by another field.
pub fn port_name(endpoint: &Value) -> Option<&str> {
    endpoint.get("port").and_then(Value::as_str).filter(|name| !name.is_empty())
}

/// True if an endpoint reads a port of this Service.
pub fn reads(service: &Service, endpoint: &Value) -> bool {
    port_name(endpoint).is_none_or(|name| service.spec.ports.iter().any(|port| port.name.as_deref() == Some(name)))
}

#[cfg(test)]
mod tests;
