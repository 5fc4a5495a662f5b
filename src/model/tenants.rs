//! Whether a namespace serves tenants, and what bounds one of them.

use serde_json::Value;

use super::allowance::active_workloads;
use super::inventory::Inventory;
use super::selector::Labels;

/// How tenants and namespaces go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Model {
    /// The namespace belongs to one tenant, as its label says.
    OfOne(String),
    /// Tenants share the namespace; what says so.
    Shared(String),
}

/// The tenants of a namespace; `None` without a hint: a label `tenant` of the namespace or of a
/// workload, or a variable `TENANT_MODE`.
pub fn model(inventory: &Inventory, namespace: &str) -> Option<Model> {
    let named = inventory.namespaces.get("", "Namespace", namespace);
    if let Some((key, tenant)) = named.and_then(|namespace| tenant_label(&namespace.metadata.labels)) {
        return Some(Model::OfOne(format!("label {key} of the Namespace is {tenant}")));
    }
    for map in inventory.config_maps.within(namespace) {
        if let Some(mode) = map.data.get("TENANT_MODE").filter(|mode| has_tenants(mode)) {
            return Some(Model::Shared(format!("TENANT_MODE of {} is {mode}", map.subject.short())));
        }
    }
    active_workloads(inventory, namespace).find_map(|(_, workload)| {
        let name = workload.subject.short();
        let template = workload.template()?;
        let own = tenant_label(&workload.metadata.labels).or_else(|| tenant_label(template.labels()));
        if let Some((key, tenant)) = own {
            return Some(Model::Shared(format!("label {key} of {name} is {tenant}")));
        }
        let mut variables = template.spec.containers.iter().flat_map(|container| &container.env);
        let mode = variables.find(|variable| variable.name == "TENANT_MODE")?;
        let value = mode.value.as_deref().unwrap_or("set");
        has_tenants(value).then(|| Model::Shared(format!("TENANT_MODE of {name} is {value}")))
    })
}

/// False for values of `TENANT_MODE` by which there is one tenant only.
fn has_tenants(mode: &str) -> bool {
    !matches!(mode.trim().to_ascii_lowercase().as_str(), "" | "single" | "none" | "off" | "false" | "disabled" | "0")
}

fn tenant_label(labels: &Labels) -> Option<(&str, &str)> {
    let is_tenant = |key: &str| key == "tenant" || key.ends_with("/tenant");
    labels.iter().find(|(key, _)| is_tenant(key)).map(|(key, value)| (key.as_str(), value.as_str()))
}

/// What limits the rate of requests into a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RateLimit {
    /// A policy of a gateway.
    Policy(String),
    /// Annotations that limit each client address, not each tenant.
    ByAddress(String),
    /// Nothing that was read; the kinds that were looked for and could not be read.
    None(Vec<String>),
}

/// Policies of gateways that may limit rates, and the words that tell in their specification.
const POLICIES: [(&str, &[&str]); 6] = [
    ("backendtrafficpolicies.gateway.envoyproxy.io", &["rateLimit"]),
    ("envoyfilters.networking.istio.io", &["ratelimit", "rate_limit"]),
    ("kongclusterplugins.configuration.konghq.com", &["rate-limiting"]),
    ("kongplugins.configuration.konghq.com", &["rate-limiting"]),
    ("middlewares.traefik.containo.us", &["rateLimit"]),
    ("middlewares.traefik.io", &["rateLimit"]),
];

/// What limits the rate of requests into a namespace: a policy that targets or is named by one of
/// its routes, or an annotation of ingress-nginx.
pub fn rate_limit(inventory: &Inventory, namespace: &str) -> RateLimit {
    for (resource, words) in POLICIES {
        for policy in inventory.other(resource) {
            let text = Value::Object(policy.rest.clone()).to_string();
            let limits = words.iter().any(|word| text.contains(word));
            let here = policy.namespace() == namespace || resource.starts_with("envoyfilters");
            if limits
                && (here && targets_itself(resource)
                    || is_named(inventory, namespace, policy.namespace(), policy.name()))
            {
                return RateLimit::Policy(policy.subject.to_string());
            }
        }
    }
    for ingress in inventory.ingresses.within(namespace) {
        for key in ["limit-rps", "limit-rpm", "limit-connections"] {
            if ingress.metadata.annotations.contains_key(&format!("nginx.ingress.kubernetes.io/{key}")) {
                return RateLimit::ByAddress(format!(
                    "{} of {} limits each client address",
                    key,
                    ingress.subject.short()
                ));
            }
        }
    }
    let looked = POLICIES.iter().map(|(resource, _)| *resource).chain(["ingresses"]);
    let unread = looked.filter_map(|resource| inventory.unseen(resource, namespace));
    RateLimit::None(unread.collect())
}

/// True for policies that name their target; the others are named by annotations of routes.
fn targets_itself(resource: &str) -> bool {
    resource.starts_with("backendtrafficpolicies") || resource.starts_with("envoyfilters")
}

/// True if a route of the namespace names a middleware or plugin.
fn is_named(inventory: &Inventory, namespace: &str, of: &str, name: &str) -> bool {
    let traefik = format!("{of}-{name}@kubernetescrd");
    let names = |text: &str| text.split(',').map(str::trim).any(|word| word == name || word == traefik);
    let meta = |annotations: &Labels| {
        let keys = ["konghq.com/plugins", "traefik.ingress.kubernetes.io/router.middlewares"];
        keys.iter().filter_map(|key| annotations.get(*key)).any(|text| names(text))
    };
    let ingresses = inventory.ingresses.within(namespace).iter().any(|i| meta(&i.metadata.annotations));
    let services = inventory.services.within(namespace).iter().any(|s| meta(&s.metadata.annotations));
    let routes = ["ingressroutes.traefik.io", "httproutes.gateway.networking.k8s.io"]
        .iter()
        .flat_map(|resource| inventory.other(resource))
        .filter(|route| route.namespace() == namespace)
        .any(|route| {
            let quoted = format!("\"name\":\"{name}\"");
            meta(&route.metadata.annotations) || Value::Object(route.rest.clone()).to_string().contains(&quoted)
        });
    ingresses || services || routes
}
