//! monitor-not-selected: a monitor that nobody reads, or whose port does not exist.

use serde_json::json;

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::cluster::Other;
use crate::model::monitors::{self, POD_MONITORS, Readers, Reading, SERVICE_MONITORS, Targets};
use crate::model::object::pointer;
use crate::model::{Inventory, Item, evidence, scraped};

declare_rule! {
    /// ## What it does
    /// Reports a ServiceMonitor or PodMonitor, or their counterparts of VictoriaMetrics, that no
    /// Prometheus takes: its labels are not those of the `serviceMonitorSelector`, or its namespace
    /// is not that of the `serviceMonitorNamespaceSelector`. An absent selector takes none, an
    /// absent namespace selector only the Prometheus' own namespace, an empty one all. It also
    /// reports an endpoint whose `port` no selected Service has as the name of a port; a PodMonitor's
    /// must be the name of a container's port. In manifests without a Prometheus, or without the
    /// selected Services, the verdict is unknown, unless they are declared complete; so it is where
    /// a custom resource may own the selected pods, and where another program reads monitors by a
    /// configuration of its own.
    ///
    /// ## Why it matters
    /// The operator leaves such a monitor out without a word. Dashboards stay empty and alerts
    /// silent.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: monitoring.coreos.com/v1
    /// kind: Prometheus
    /// metadata: {name: main, namespace: monitoring}
    /// spec:
    ///   serviceMonitorSelector: {matchLabels: {release: monitoring}}
    ///   serviceMonitorNamespaceSelector: {}
    /// ---
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: web, namespace: shop, labels: {app: web}}
    /// spec:
    ///   selector: {app: web}
    ///   ports: [{name: http, port: 80}]
    /// ---
    /// apiVersion: monitoring.coreos.com/v1
    /// kind: ServiceMonitor
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   endpoints: [{port: http}]
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: monitoring.coreos.com/v1
    /// kind: Prometheus
    /// metadata: {name: main, namespace: monitoring}
    /// spec:
    ///   serviceMonitorSelector: {matchLabels: {release: monitoring}}
    ///   serviceMonitorNamespaceSelector: {}
    /// ---
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: web, namespace: shop, labels: {app: web}}
    /// spec:
    ///   selector: {app: web}
    ///   ports: [{name: http, port: 80}]
    /// ---
    /// apiVersion: monitoring.coreos.com/v1
    /// kind: ServiceMonitor
    /// metadata: {name: web, namespace: shop, labels: {release: monitoring}}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   endpoints: [{port: http}]
    /// ```
    ///
    /// ## Fix
    /// Manual. Where labels are all that is missing, the fix names them as a patch to emit. Else
    /// change the selectors of the Prometheus, the endpoint, or the name of the Service's port.
    ///
    /// ## References
    /// - <https://prometheus-operator.dev/docs/developer/getting-started/>
    /// - <https://prometheus-operator.dev/docs/api-reference/api/>
    /// - <https://prometheus-operator.dev/docs/platform/troubleshooting/>
    /// - <https://docs.victoriametrics.com/operator/resources/vmagent/>
    id: "monitor-not-selected",
    summary: "a monitor that nobody reads",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::Monitoring,
    fix: Some(Applicability::Manual),
    impact: "Its metrics are not read, and nobody says so.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: &[Aspect::Replicas, Aspect::Budgets],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    if let Some(reason) = evidence::gap_here(inventory, &[SERVICE_MONITORS, POD_MONITORS].concat()) {
        verdicts.unknown(&inventory.cluster_subject(), reason);
    }
    let (targets, readers) = (Targets::of(inventory), Readers::of(inventory));
    let all = SERVICE_MONITORS.into_iter().chain(POD_MONITORS).flat_map(|resource| inventory.other(resource));
    for monitor in all.filter(|monitor| inventory.scope.covers(monitor.namespace())) {
        let ports = if SERVICE_MONITORS.iter().any(|name| is_of(monitor, name)) {
            service_ports(inventory, &targets, monitor)
        } else {
            pod_ports(inventory, monitor)
        };
        let reading = readers.reading(monitor);
        match (&reading, &ports) {
            (Reading::Nobody(_), _) | (_, Ports::Wrong(..)) => {
                verdicts.fail(finding(context, monitor, &reading, &ports));
            }
            (Reading::Unseen(reason), _) | (_, Ports::Unseen(reason)) => {
                verdicts.unknown(&monitor.subject, reason.clone());
            }
            (Reading::By(_), Ports::Right) => verdicts.pass(&monitor.subject),
        }
    }
}

fn is_of(monitor: &Item<Other>, resource: &str) -> bool {
    resource.starts_with(&monitor.kind.to_lowercase())
}

/// Whether the endpoints of a monitor exist.
enum Ports {
    Right,
    /// The message, and the endpoint's pointer with the name that leads nowhere.
    Wrong(String, Vec<(String, String)>),
    Unseen(String),
}

fn service_ports(inventory: &Inventory, targets: &Targets, monitor: &Item<Other>) -> Ports {
    let services = targets.services(inventory, monitor);
    if services.is_empty() {
        return nothing(inventory, "services", "Service");
    }
    let names = services.iter().map(|at| inventory.services.at(*at));
    let wrong = wrong(monitor, |name| {
        names.clone().any(|service| service.spec.ports.iter().any(|port| port.name.as_deref() == Some(name)))
    });
    let shown: Vec<String> = names.clone().take(3).map(|service| service.subject.short()).collect();
    told(wrong, &format!("is not the name of a port of {}", shown.join(", ")))
}

fn pod_ports(inventory: &Inventory, monitor: &Item<Other>) -> Ports {
    let workloads = monitors::pods_of(inventory, monitor);
    if workloads.is_empty() {
        if inventory.is_live() {
            return Ports::Unseen("it selects the pods of no workload that was read".to_owned());
        }
        return match monitors::pods_made(inventory, monitor).reason() {
            Some(reason) => Ports::Unseen(format!("it selects no pod that was read: {reason}")),
            None => nothing(inventory, "pods", "pod"),
        };
    }
    let wrong = wrong(monitor, |name| {
        workloads.iter().any(|position| scraped::has_port(inventory.workloads.at(*position), name))
    });
    let shown = workloads.iter().take(3).map(|position| inventory.workloads.at(*position).subject.short());
    told(wrong, &format!("is not the name of a container's port of {}", shown.collect::<Vec<_>>().join(", ")))
}

fn nothing(inventory: &Inventory, resource: &str, what: &str) -> Ports {
    match crate::model::evidence::unseen_anywhere(inventory, &[resource]) {
        Some(reason) => Ports::Unseen(format!("it selects no {what} that was read: {reason}")),
        None => Ports::Wrong(format!("selects no {what}"), Vec::new()),
    }
}

/// The endpoints whose port name nothing has.
fn wrong(monitor: &Item<Other>, exists: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let named = monitors::endpoints(monitor).filter_map(|(at, endpoint)| Some((at, monitors::port_name(endpoint)?)));
    named.filter(|(_, name)| !exists(name)).map(|(at, name)| (format!("{at}/port"), name.to_owned())).collect()
}

fn told(wrong: Vec<(String, String)>, text: &str) -> Ports {
    match wrong.first() {
        None => Ports::Right,
        Some((_, name)) => Ports::Wrong(format!("endpoint port {name} {text}"), wrong),
    }
}

fn finding(context: &Context<'_>, monitor: &Item<Other>, reading: &Reading, ports: &Ports) -> Finding {
    let unread = matches!(reading, Reading::Nobody(_));
    let mut sentences = Vec::new();
    if unread {
        sentences.push("no Prometheus or VMAgent takes it".to_owned());
    }
    if let Ports::Wrong(text, _) = ports {
        sentences.push(text.clone());
    }
    let mut finding = context.finding(monitor, sentences.join("; "));
    if let Reading::Nobody(reasons) = reading {
        finding = finding.at(misplaced(context, monitor));
        if reasons.is_empty() {
            finding = finding.because("searched: Prometheus, PrometheusAgent and VMAgent; there is none");
        }
        finding = reasons.iter().fold(finding, |finding, reason| finding.because(reason.clone()));
    }
    if let Ports::Wrong(text, places) = ports {
        if places.is_empty() {
            finding = finding.at(Location::at("/spec/selector").values(monitor.at("/spec/selector").cloned(), None));
        }
        for (at, name) in places {
            finding = finding.at(Location::at(at).values(Some(json!(name)), None));
        }
        finding = finding.because(text.clone());
    }
    context.detail(finding, |finding| finding.fix(fix(context, monitor, unread, ports)))
}

/// What keeps a monitor from being read: its labels if others would do, else its namespace.
fn misplaced(context: &Context<'_>, monitor: &Item<Other>) -> Location {
    let own = &monitor.metadata.labels;
    match monitors::labels_for(context.inventory, &monitor.kind, monitor.namespace(), own) {
        Ok((_, labels)) => {
            let current = Some(json!(own)).filter(|_| !own.is_empty());
            Location::at("/metadata/labels").values(current, Some(json!(labels)))
        }
        Err(_) => Location::at("/metadata/namespace").values(Some(json!(monitor.namespace())), None),
    }
}

fn fix(context: &Context<'_>, monitor: &Item<Other>, unread: bool, ports: &Ports) -> Fix {
    let mut fix = Fix::new(format!("Make {} reach its metrics", monitor.subject.short()), Applicability::Manual);
    if let Ports::Wrong(_, places) = ports {
        fix = fix.note(if places.is_empty() {
            "give the monitor a selector that the labels of a Service meet"
        } else {
            "name the port of the Service, or of the container, as the endpoint does"
        });
    }
    if !unread {
        return fix;
    }
    let found = monitors::labels_for(context.inventory, &monitor.kind, monitor.namespace(), &monitor.metadata.labels);
    let Ok((reader, labels)) = found else {
        return fix.note("change the selectors of a Prometheus so that they take this monitor and its namespace");
    };
    let missing: Vec<_> =
        labels.iter().filter(|(key, value)| monitor.metadata.labels.get(*key) != Some(value)).collect();
    let text: Vec<String> = missing.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let fix = fix.note(format!("{reader} takes monitors with {}", text.join(",")));
    if matches!(ports, Ports::Wrong(..)) {
        return fix;
    }
    let edits = missing.into_iter().map(|(key, value)| Edit::set(pointer("/metadata/labels", &[key]), value.as_str()));
    fix.step(Step::patch(&monitor.subject, edits.collect()))
}
