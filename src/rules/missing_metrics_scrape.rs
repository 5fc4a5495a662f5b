//! missing-metrics-scrape: nobody reads the metrics of a workload that serves.

mod monitor;

use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use super::vouch;
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::Applicability;
use crate::model::evidence;
use crate::model::scraped::{self, Effect, Scraped};

declare_rule! {
    /// ## What it does
    /// Reports a workload behind a Service whose metrics nobody reads: no ServiceMonitor, PodMonitor
    /// or counterpart of VictoriaMetrics that a Prometheus takes and whose endpoint names a port (see
    /// monitor-not-selected), no PodMonitoring of Google's Prometheus, no annotation for a scraper
    /// such as `prometheus.io/scrape: "true"`, no collector beside it, no variables by which it sends
    /// them, and no scraper whose configuration names its Service. Where a monitor targets it and it
    /// can't be seen whether the monitor is read, the verdict is unknown. It does not apply to
    /// development services.
    ///
    /// ## Why it matters
    /// Errors and latency of the application show only in its own metrics. The usage of CPU and
    /// memory does not tell that requests fail.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: web, namespace: shop, labels: {app: web}}
    /// spec:
    ///   selector: {app: web}
    ///   ports: [{name: http, port: 80}]
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: "web:1"}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: web, namespace: shop, labels: {app: web}}
    /// spec:
    ///   selector: {app: web}
    ///   ports: [{name: http, port: 80}]
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: "web:1"}]}
    /// ---
    /// apiVersion: monitoring.coreos.com/v1
    /// kind: ServiceMonitor
    /// metadata: {name: web, namespace: shop, labels: {release: monitoring}}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   endpoints: [{port: http, path: /metrics}]
    /// ---
    /// apiVersion: monitoring.coreos.com/v1
    /// kind: Prometheus
    /// metadata: {name: main, namespace: monitoring}
    /// spec:
    ///   serviceMonitorSelector: {matchLabels: {release: monitoring}}
    ///   serviceMonitorNamespaceSelector: {}
    /// ```
    ///
    /// ## Fix
    /// Input: the path, since nothing is probed blindly, and the port where the Service has several.
    /// Creates a ServiceMonitor with the labels that a Prometheus selects, a selector of the
    /// Service's labels, and the name of its port. Labels that change with each release, such as
    /// `helm.sh/chart`, are left out of the selector. Where no Prometheus was read, the labels
    /// are an answer too. The fix is refused if no port has a name, the Service has no labels, no Prometheus
    /// takes monitors of the namespace, the server has no such kind or nobody who reads it, a monitor
    /// targets the workload already and has to be mended, or the fix of another workload behind the
    /// same Service reads its pods too. A network policy of the pods must admit Prometheus. Undo deletes
    /// the ServiceMonitor.
    ///
    /// ## References
    /// - <https://prometheus-operator.dev/docs/developer/getting-started/>
    /// - <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#kubernetes_sd_config>
    /// - <https://cloud.google.com/stackdriver/docs/managed-prometheus/setup-managed>
    id: "missing-metrics-scrape",
    summary: "nobody reads the metrics of a workload",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::Monitoring,
    fix: Some(Applicability::Input),
    impact: "Failing requests show in no graph and no alert.",
    parameters: &[
        Parameter {
            key: "path",
            prompt: "the path under which the pods serve metrics",
            kind: ParameterKind::Text(r"/[A-Za-z0-9._~%!$&'()*+,;=:@/-]*"),
            default: None,
        },
        Parameter {
            key: "port",
            prompt: "the name of the Service's port with the metrics",
            kind: ParameterKind::Text("[a-z0-9]([a-z0-9-]*[a-z0-9])?"),
            default: None,
        },
        Parameter {
            key: "labels",
            prompt: "the labels by which the Prometheus selects monitors, KEY=VALUE,KEY=VALUE",
            kind: ParameterKind::Text(r"[A-Za-z0-9._/-]+=[A-Za-z0-9._-]*(,[A-Za-z0-9._/-]+=[A-Za-z0-9._-]*)*"),
            default: None,
        },
    ],
    next_stages: &["missing-metrics-scrape", "monitor-not-selected"],
    unmoved_by: &[Aspect::Replicas, Aspect::Budgets],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let scraped = Scraped::of(inventory);
    let lists = scraped::lists();
    for (position, workload) in inventory.audited_workloads() {
        let serves = inventory.services_of(position).next().is_some();
        let hidden = inventory.unseen("services", workload.namespace()).filter(|_| !serves);
        if workload.is_idle()
            || evidence::has_ended(inventory, workload)
            || super::is_development(context, workload)
            || !serves && hidden.is_none()
        {
            verdicts.na(&workload.subject);
        } else if let Some(reason) = hidden {
            verdicts.unknown(&workload.subject, reason);
        } else if scraped.how(inventory, position).is_some() {
            verdicts.pass(&workload.subject);
        } else {
            let unseen = scraped.effects(position).iter().find_map(|effect| match effect {
                Effect::Unseen(reason) => Some(reason.clone()),
                _ => None,
            });
            let unseen = unseen.or_else(|| evidence::gap(inventory, &lists));
            let found = || finding(context, position, &scraped);
            vouch::settle(context, verdicts, &workload.subject, unseen, found);
        }
    }
}

fn finding(context: &Context<'_>, position: usize, scraped: &Scraped<'_>) -> Finding {
    let (inventory, effects) = (context.inventory, scraped.effects(position));
    let workload = inventory.workloads.at(position);
    let missed = effects.iter().any(|effect| matches!(effect, Effect::Misses(..)));
    let message = if missed {
        "serves requests, and its monitor reads nothing"
    } else {
        "serves requests, and nobody reads its metrics"
    };
    let mut finding = context.finding(workload, message);
    finding = finding.at(Location::at(workload.template_pointer()));
    for service in inventory.services_of(position) {
        finding = finding.because_of(&service.subject, format!("{} sends requests to it", service.subject.short()));
    }
    finding = finding.because("searched: monitors that are read, annotations, sidecars, variables, files of scrapers");
    for effect in effects {
        if let Effect::Misses(monitor, reason) = effect {
            finding = finding.because_of(monitor, format!("{monitor} targets it and reads nothing: {reason}"));
        }
    }
    context.detail(finding, |finding| finding.fix(monitor::fix(context, position, scraped)))
}
