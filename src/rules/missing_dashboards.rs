//! missing-dashboards: nowhere to look at metrics.

use super::rule::{Aspect, Context, Verdicts};
use super::vouch;
use crate::declare_rule;
use crate::finding::{Category, Finding, Priority, Severity};
use crate::fix::Applicability;
use crate::model::evidence;
use crate::model::observability::{self, Role, VENDOR_KINDS};

declare_rule! {
    /// ## What it does
    /// Reports a cluster without a program for dashboards: Grafana as a workload or as a resource of
    /// its operator, Kibana, OpenSearch Dashboards, Perses, or the agent of a vendor whose service
    /// has dashboards (Grafana's agents, Datadog, New Relic, Dynatrace, Elastic and others). They
    /// are known by their images. In manifests the absence is unknown, unless they are declared
    /// complete.
    ///
    /// ## Why it matters
    /// Without dashboards nobody sees a trend before it is an outage.
    ///
    /// ## Example
    /// ```yaml
    /// # complete: true
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: shop}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// # complete: true
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: grafana, namespace: monitoring}
    /// spec:
    ///   selector: {matchLabels: {app: grafana}}
    ///   template:
    ///     metadata: {labels: {app: grafana}}
    ///     spec: {containers: [{name: grafana, image: "grafana/grafana:11.1.0"}]}
    /// ```
    ///
    /// ## Fix
    /// Manual. Install Grafana, for one with the chart kube-prometheus-stack, or a vendor's agent.
    /// Dashboards outside the cluster that pull from it can't be seen: attest them.
    ///
    /// ## References
    /// - <https://grafana.com/docs/grafana/latest/setup-grafana/installation/kubernetes/>
    /// - <https://github.com/prometheus-community/helm-charts/tree/main/charts/kube-prometheus-stack>
    id: "missing-dashboards",
    summary: "no dashboards",
    severity: Severity::Low,
    priority: Priority::LongTerm,
    category: Category::Monitoring,
    fix: Some(Applicability::Manual),
    impact: "Nobody sees a trend before it is an outage.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

const GRAFANA: &str = "grafanas.grafana.integreatly.org";

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let cluster = inventory.cluster_subject();
    let found = observability::program(inventory, Role::Dashboards).is_some()
        || observability::program(inventory, Role::Vendor).is_some()
        || inventory.other(GRAFANA).next().is_some()
        || observability::custom_resource(inventory, &VENDOR_KINDS).is_some();
    if found {
        verdicts.pass(&cluster);
        return;
    }
    let lists: Vec<&str> = evidence::PROGRAMS.into_iter().chain([GRAFANA]).collect();
    let unseen = evidence::unseen_anywhere(inventory, &lists);
    vouch::settle(context, verdicts, &cluster, unseen, || finding(context));
}

fn finding(context: &Context<'_>) -> Finding {
    let cluster = context.inventory.cluster_subject();
    let notes = ["install Grafana, or the agent of a vendor that has dashboards"];
    context
        .finding_about(&cluster, "no program for dashboards was found")
        .because("searched: images of Grafana, Kibana and vendors' agents in all namespaces; Grafana resources")
        .fix(vouch::manual(context, "Install dashboards", &notes))
}
