//! missing-tracing: requests that nobody can follow.

use super::rule::{Aspect, Context, Verdicts};
use super::vouch;
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::Applicability;
use crate::model::databases;
use crate::model::observability::{self, Role};
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, evidence, telemetry};

declare_rule! {
    /// ## What it does
    /// Reports a workload that takes part in no tracing: no variable of OpenTelemetry or of a vendor
    /// (`OTEL_EXPORTER_OTLP_ENDPOINT`, `DD_TRACE_*`, `NEW_RELIC_*`, `ELASTIC_APM_*` and others) with
    /// a value that leaves it on, no annotation or label that injects an agent into its pods or its
    /// namespace, no agent in its start command, and no program on the nodes that traces without
    /// help. Variables in a Secret are not read: with a whole Secret as variables, or a ConfigMap
    /// that was not read, the verdict is unknown. It does not apply to jobs, to DaemonSets, to
    /// databases, to programs that observe others, and to development services, since they take no
    /// requests of the application's own.
    ///
    /// ## Why it matters
    /// Logs of one program do not tell which of five caused the slow request.
    ///
    /// ## Example
    /// ```yaml
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
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec:
    ///       containers:
    ///         - name: web
    ///           image: "web:1"
    ///           env: [{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: "http://collector.monitoring:4317"}]
    /// ```
    ///
    /// ## Fix
    /// Manual. The program needs an SDK, or an agent that the OpenTelemetry operator injects by an
    /// annotation of the pod template; where its data go is a decision.
    ///
    /// ## References
    /// - <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>
    /// - <https://opentelemetry.io/docs/platforms/kubernetes/operator/automatic/>
    id: "missing-tracing",
    summary: "no traces of requests",
    severity: Severity::Low,
    priority: Priority::LongTerm,
    category: Category::Monitoring,
    fix: Some(Applicability::Manual),
    impact: "Nobody can tell which program made a request slow.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let tracer = observability::program(inventory, Role::Tracer).is_some();
    for (_, workload) in inventory.audited_workloads() {
        if !applies(context, workload) {
            verdicts.na(&workload.subject);
        } else if tracer || telemetry::traces(inventory, workload).is_some() {
            verdicts.pass(&workload.subject);
        } else {
            let unseen = unseen(inventory, workload);
            vouch::settle(context, verdicts, &workload.subject, unseen, || finding(context, workload));
        }
    }
}

fn applies(context: &Context<'_>, workload: &Item<Workload>) -> bool {
    let serves = workload.is_scalable() || workload.kind == "Pod";
    let roles = [Role::Dashboards, Role::Logs, Role::Alerts, Role::Scraper, Role::Vendor];
    let observes = || is_alone(workload) && roles.iter().any(|role| observability::image_of(workload, *role).is_some());
    serves
        && !workload.is_idle()
        && !evidence::has_ended(context.inventory, workload)
        && !observes()
        && databases::running(workload).is_none()
        && !super::is_development(context, workload)
}

/// True for pods of one container: a collector beside an application is its sidecar.
fn is_alone(workload: &Workload) -> bool {
    workload.template().is_some_and(|template| template.spec.containers.len() == 1)
}

fn unseen(inventory: &Inventory, workload: &Item<Workload>) -> Option<String> {
    let of_namespace = || {
        let read = inventory.namespaces.get("", "Namespace", workload.namespace()).is_some();
        let gap = inventory.unseen("namespaces", workload.namespace()).filter(|_| !read)?;
        Some(format!("{gap}; its annotations may inject an agent"))
    };
    telemetry::hidden_variables(inventory, workload).or_else(of_namespace)
}

fn finding(context: &Context<'_>, workload: &Item<Workload>) -> Finding {
    let notes = ["add an OpenTelemetry SDK, or annotate the pod template for the OpenTelemetry operator"];
    let searched = "searched: variables, annotations and start commands of OpenTelemetry and vendors; tracers on nodes";
    let finding = context.finding(workload, "takes part in no tracing").at(Location::at(workload.template_pointer()));
    context.detail_as(Some(Applicability::Manual), finding, |finding| {
        finding.because(searched).fix(vouch::manual(context, "Trace its requests", &notes))
    })
}
