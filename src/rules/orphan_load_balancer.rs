//! orphan-load-balancer: a load balancer in front of nothing, or one that never comes.

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Location, Priority, Severity};
use crate::fix::{Applicability, Fix};
use crate::model::Item;
use crate::model::endpoints::{Answer, Endpoints};
use crate::model::network::Service;

declare_rule! {
    /// ## What it does
    /// Reports a Service of type LoadBalancer without a ready endpoint, one whose selector matches
    /// nothing or only workloads at zero, and one that has waited for an address for more than ten
    /// minutes. In files the selector is judged, and target ports whose name no container declares; pods of custom resources count where a template
    /// shows them, and leave it unknown where none does. It does not apply to development services.
    ///
    /// ## Why it matters
    /// The load balancer is paid for and serves nobody. One without an address has no controller
    /// that makes it, and holds node ports for nothing.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   replicas: 0
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ---
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: web, namespace: shop}
    /// spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   replicas: 2
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ---
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: web, namespace: shop}
    /// spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
    /// ```
    ///
    /// ## Fix
    /// Manual. Bring the pods back, correct the selector, or delete the Service. Deleting it, like
    /// changing its type, gives the address away.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer>
    /// - <https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/>
    id: "orphan-load-balancer",
    summary: "load balancer that serves nobody",
    severity: Severity::Low,
    priority: Priority::LongTerm,
    category: Category::Cost,
    fix: Some(Applicability::Manual),
    impact: "The load balancer is paid for and serves nobody.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

/// How long an address may take.
const PATIENCE_MINUTES: i64 = 10;

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let endpoints = Endpoints::of(inventory);
    let balancers = inventory.services.iter().filter(|service| service.kind() == "LoadBalancer");
    for service in balancers.filter(|service| inventory.scope.covers(service.namespace())) {
        if inventory.workloads_of(service).any(|workload| super::is_development(context, workload)) {
            verdicts.na(&service.subject);
            continue;
        }
        match (pending_minutes(context, service), endpoints.answer(inventory, service)) {
            (_, Answer::No(reason)) => report(context, verdicts, service, "serves nobody", reason),
            (Some(minutes), _) if minutes > PATIENCE_MINUTES => {
                let reason = format!("no address {minutes} minutes after it was made: no controller makes it");
                report(context, verdicts, service, "never got an address", reason);
            }
            (Some(minutes), _) => {
                verdicts.unknown(&service.subject, format!("no address yet, {minutes} minutes after it was made"));
            }
            (None, Answer::Unknown(reason)) => verdicts.unknown(&service.subject, reason),
            (None, Answer::Yes) => verdicts.pass(&service.subject),
        }
    }
}

/// For how long a live load balancer has had no address.
fn pending_minutes(context: &Context<'_>, service: &Item<Service>) -> Option<i64> {
    let pending = context.inventory.is_live() && service.status.addresses().next().is_none();
    let made = service.metadata.creation_timestamp.filter(|_| pending)?;
    Some((context.inventory.taken_at.as_second() - made.as_second()) / 60)
}

fn report(context: &Context<'_>, verdicts: &mut Verdicts<'_>, service: &Item<Service>, what: &str, reason: String) {
    let addresses: Vec<&str> = service.status.addresses().collect();
    let mut finding = context.finding(service, format!("load balancer {what}")).because(reason);
    if !addresses.is_empty() {
        finding = finding.because(format!("its address is {}", addresses.join(", ")));
    }
    for workload in context.inventory.workloads_of(service) {
        finding = finding.because_of(&workload.subject, format!("it selects {}", workload.subject.short()));
    }
    let name = service.subject.short();
    let fix = Fix::new(format!("Bring back what {name} serves, or delete it"), Applicability::Manual).note(format!(
        "kubectl delete service {} -n {} gives its address away",
        service.name(),
        service.namespace()
    ));
    verdicts.fail(finding.at(Location::at("/spec/type")).fix(fix));
}
