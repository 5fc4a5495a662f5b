//! missing-tenant-rate-limit: tenants that may call as often as they like.

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Priority, Severity};
use crate::fix::{Applicability, Fix};
use crate::model::allowance;
use crate::model::tenants::{Model, RateLimit, model, rate_limit};

declare_rule! {
    /// ## What it does
    /// Reports a namespace with tenants (`TENANT_MODE`, or a label `tenant`) into which no gateway
    /// limits the rate of requests: a BackendTrafficPolicy of Envoy Gateway, a plugin of Kong, a
    /// middleware of Traefik, an EnvoyFilter of Istio. The `limit-*` annotations of ingress-nginx
    /// count half: they limit each client address and each replica of the controller, not each
    /// tenant. A limit inside the application can't be seen; an attestation settles it. It does not
    /// apply without a hint of tenants.
    ///
    /// ## Why it matters
    /// One tenant's script slows down everybody.
    ///
    /// ## Example
    /// ```yaml
    /// # complete: true
    /// apiVersion: v1
    /// kind: ConfigMap
    /// metadata: {name: config, namespace: shop}
    /// data: {TENANT_MODE: shared}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1, envFrom: [{configMapRef: {name: config}}]}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// # complete: true
    /// apiVersion: v1
    /// kind: ConfigMap
    /// metadata: {name: config, namespace: shop}
    /// data: {TENANT_MODE: shared}
    /// ---
    /// apiVersion: gateway.envoyproxy.io/v1alpha1
    /// kind: BackendTrafficPolicy
    /// metadata: {name: tenants, namespace: shop}
    /// spec:
    ///   targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: web}]
    ///   rateLimit:
    ///     type: Global
    ///     global:
    ///       rules:
    ///         - clientSelectors: [{headers: [{name: x-tenant, type: Distinct}]}]
    ///           limit: {requests: 100, unit: Second}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1, envFrom: [{configMapRef: {name: config}}]}]}
    /// ```
    ///
    /// ## Fix
    /// Manual. A limit is never added by itself: behind a load balancer that hides the clients'
    /// addresses it would throttle everybody as one client.
    ///
    /// ## References
    /// - <https://gateway.envoyproxy.io/docs/tasks/traffic/global-rate-limit/>
    /// - <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#rate-limiting>
    /// - <https://doc.traefik.io/traefik/middlewares/http/ratelimit/>
    id: "missing-tenant-rate-limit",
    summary: "no rate limit for each tenant",
    severity: Severity::Low,
    priority: Priority::LongTerm,
    category: Category::Scalability,
    fix: Some(Applicability::Manual),
    impact: "One tenant's requests slow down all others.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: &[Aspect::Replicas, Aspect::Budgets],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for namespace in inventory.audited_namespaces() {
        let name = namespace.name.as_str();
        let Some(Model::OfOne(hint) | Model::Shared(hint)) = model(inventory, name) else {
            verdicts.na(&namespace);
            continue;
        };
        if let Some(statement) = context.attested() {
            verdicts.attested(&namespace, statement);
            continue;
        }
        let unread = match rate_limit(inventory, name) {
            RateLimit::Policy(_) => {
                verdicts.pass(&namespace);
                continue;
            }
            RateLimit::ByAddress(reason) => {
                verdicts.partial(&namespace, reason);
                continue;
            }
            RateLimit::None(unread) => unread,
        };
        if let Some(reason) = unread.into_iter().next().or_else(|| allowance::unseen_namespace(inventory, name)) {
            verdicts.unknown(&namespace, reason);
            continue;
        }
        let finding = super::namespace_finding(context, &namespace, "no gateway limits what one tenant may call")
            .because(hint)
            .because("looked for BackendTrafficPolicy, EnvoyFilter, KongPlugin, Middleware and limit annotations of ingress-nginx");
        let fix = Fix::new("Limit requests for each tenant", Applicability::Manual)
            .note("limit by the tenant of the token, at the gateway or in the application, not by client address")
            .note("if the application does it, say so in attestations of the configuration");
        verdicts.fail(finding.fix(fix));
    }
}
