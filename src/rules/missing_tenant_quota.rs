//! missing-tenant-quota: tenants without bounds of their own.

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Priority, Severity};
use crate::fix::{Applicability, Fix};
use crate::model::allowance;
use crate::model::tenants::{Model, model};

declare_rule! {
    /// ## What it does
    /// Reports a namespace of one tenant (a label `tenant` on the Namespace) that no ResourceQuota
    /// bounds. Where tenants share a namespace (`TENANT_MODE`, or a label `tenant` on a workload)
    /// the verdict is unknown: a ResourceQuota can't tell them apart, and what the application does
    /// can't be seen. An attestation settles it. It does not apply without a hint of tenants.
    ///
    /// ## Why it matters
    /// One tenant's load takes what the others pay for.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: acme, labels: {tenant: acme}}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: acme}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: acme, labels: {tenant: acme}}
    /// ---
    /// apiVersion: v1
    /// kind: ResourceQuota
    /// metadata: {name: acme, namespace: acme}
    /// spec: {hard: {requests.cpu: "4", requests.memory: 8Gi}}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: acme}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ```
    ///
    /// ## Fix
    /// Manual. For a namespace of one tenant, missing-resource-quota computes the quota. Tenants that
    /// share a namespace are bounded in the application or at the gateway.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/security/multi-tenancy/>
    /// - <https://kubernetes.io/docs/concepts/policy/resource-quotas/>
    id: "missing-tenant-quota",
    summary: "tenants without bounds of their own",
    severity: Severity::Low,
    priority: Priority::LongTerm,
    category: Category::Architecture,
    fix: Some(Applicability::Manual),
    impact: "One tenant takes what the others pay for.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: &[Aspect::Budgets],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for namespace in inventory.audited_namespaces() {
        let name = namespace.name.as_str();
        let quotas = inventory.quotas.within(name);
        let bounded =
            quotas.iter().any(|quota| !allowance::compute_keys(quota).is_empty() && allowance::holds_for_all(quota));
        match (model(inventory, name), context.attested()) {
            (None, _) => verdicts.na(&namespace),
            (Some(_), Some(statement)) => verdicts.attested(&namespace, statement),
            (Some(Model::Shared(hint)), None) => {
                verdicts.unknown(
                    &namespace,
                    format!("{hint}: tenants share it, and what bounds each of them can't be seen"),
                );
            }
            (Some(Model::OfOne(_)), None) if bounded => verdicts.pass(&namespace),
            (Some(Model::OfOne(hint)), None) => {
                if let Some(reason) = inventory.unseen("resourcequotas", name) {
                    verdicts.unknown(&namespace, reason);
                    continue;
                }
                let message = "no ResourceQuota bounds the tenant";
                let fix = Fix::new("Bound the tenant", Applicability::Manual)
                    .note("missing-resource-quota computes the quota");
                verdicts.fail(super::namespace_finding(context, &namespace, message).because(hint).fix(fix));
            }
        }
    }
}
