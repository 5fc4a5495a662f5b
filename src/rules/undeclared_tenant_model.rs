//! undeclared-tenant-model: tenants that nobody says how to keep apart.

use super::rule::{Aspect, Context, Verdicts};
use super::vouch;
use crate::declare_rule;
use crate::finding::{Category, Confidence, Finding, Priority, Severity};
use crate::model::Subject;
use crate::model::allowance;
use crate::model::tenancy::{self, Tenancy};

declare_rule! {
    /// ## What it does
    /// Reports a namespace whose ConfigMap keys or variables have a word for tenants, and where nothing
    /// says how tenants are kept apart: no key such as `TENANT_MODE` with a value, and no label `tenant`
    /// on the Namespace or a workload. It does not apply where nothing hints at tenants. Row-level
    /// security and claims in tokens can't be seen: attest them.
    ///
    /// ## Why it matters
    /// Whether tenants share a database, a namespace or a cluster decides what a quota, a policy and a
    /// backup have to separate. Who does not know can't check it.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: shop}
    /// ---
    /// apiVersion: v1
    /// kind: ConfigMap
    /// metadata: {name: web, namespace: shop}
    /// data: {DEFAULT_TENANT_ID: acme}
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
    /// kind: Namespace
    /// metadata: {name: shop}
    /// ---
    /// apiVersion: v1
    /// kind: ConfigMap
    /// metadata: {name: web, namespace: shop}
    /// data: {DEFAULT_TENANT_ID: acme, TENANT_MODE: shared}
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
    /// ## Fix
    /// None. Decide how tenants are kept apart, say so with `TENANT_MODE` or a label, and attest what
    /// only the application does.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/security/multi-tenancy/>
    /// - <https://www.postgresql.org/docs/current/ddl-rowsecurity.html>
    id: "undeclared-tenant-model",
    summary: "nothing says how tenants are kept apart",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::Architecture,
    fix: None,
    impact: "Nobody can check that tenants are kept apart.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: &[Aspect::Replicas, Aspect::Budgets],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for namespace in inventory.audited_namespaces() {
        let name = namespace.name.as_str();
        let found = tenancy::of(inventory, name);
        let unseen = allowance::unseen_namespace(inventory, name)
            .or_else(|| inventory.unseen("configmaps", name))
            .or_else(|| inventory.unseen("namespaces", name));
        if found.declared.is_some() {
            verdicts.pass(&namespace);
        } else if !found.hints.is_empty() {
            vouch::settle(context, verdicts, &namespace, unseen, || finding(context, &namespace, &found));
        } else if let Some(reason) = unseen {
            verdicts.unknown(&namespace, reason);
        } else {
            verdicts.na(&namespace);
        }
    }
}

fn finding(context: &Context<'_>, namespace: &Subject, found: &Tenancy) -> Finding {
    let message = "has tenants, and nothing says how they are kept apart";
    let mut finding = super::namespace_finding(context, namespace, message).confidence(Confidence::Inferred);
    for hint in found.hints.iter().take(5) {
        finding = finding.because(format!("{hint} hints at tenants"));
    }
    let more = found.hints.len().saturating_sub(5);
    if more > 0 {
        finding = finding.because(format!("{more} more keys hint at tenants"));
    }
    finding.because(
        "searched: TENANT_MODE and the like in ConfigMaps and variables; labels of the Namespace and workloads",
    )
}
