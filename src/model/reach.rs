//! What is reached from outside the cluster: workloads behind a public load balancer or a route.

use std::collections::BTreeMap;

use serde_json::Value;

use super::inventory::Inventory;
use super::network::Service;

/// Annotations by which a load balancer is one of the inner network, and the values that say so.
const INTERNAL: [(&str, &[&str]); 10] = [
    ("service.beta.kubernetes.io/aws-load-balancer-internal", &["true", "0.0.0.0/0"]),
    ("service.beta.kubernetes.io/aws-load-balancer-scheme", &["internal"]),
    ("service.beta.kubernetes.io/azure-load-balancer-internal", &["true"]),
    ("service.beta.kubernetes.io/do-loadbalancer-network", &["INTERNAL"]),
    ("service.beta.kubernetes.io/oci-load-balancer-internal", &["true"]),
    ("service.beta.kubernetes.io/openstack-internal-load-balancer", &["true"]),
    ("service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type", &["private"]),
    ("load-balancer.hetzner.cloud/disable-public-network", &["true"]),
    ("networking.gke.io/load-balancer-type", &["Internal"]),
    ("cloud.google.com/load-balancer-type", &["Internal", "internal"]),
];

/// The Services that routes lead to, gathered once.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    by_service: BTreeMap<(String, String), String>,
}

impl Routes {
    /// Reads every Ingress and `HTTPRoute`.
    pub fn of(inventory: &Inventory) -> Self {
        let mut routes = Self::default();
        for ingress in inventory.ingresses.iter() {
            for (_, _, service) in ingress.backends() {
                routes.add(ingress.namespace(), &service.name, ingress.subject.short());
            }
        }
        for route in inventory.other("httproutes.gateway.networking.k8s.io") {
            let rules = route.at("/spec/rules").and_then(Value::as_array).into_iter().flatten();
            let backends = rules.filter_map(|rule| rule.get("backendRefs")?.as_array()).flatten();
            for backend in backends {
                let text = |key: &str| backend.get(key).and_then(Value::as_str);
                if let Some(name) = text("name").filter(|_| text("kind").is_none_or(|kind| kind == "Service")) {
                    routes.add(text("namespace").unwrap_or(route.namespace()), name, route.subject.short());
                }
            }
        }
        routes
    }

    fn add(&mut self, namespace: &str, service: &str, route: String) {
        self.by_service.entry((namespace.to_owned(), service.to_owned())).or_insert(route);
    }

    /// How a workload is reached from outside, in words; `None` if it is not.
    pub fn to_workload(&self, inventory: &Inventory, position: usize) -> Option<String> {
        inventory.services_of(position).find_map(|service| {
            let name = service.subject.short();
            if is_public_balancer(service) {
                return Some(format!("{name} is a public load balancer"));
            }
            let key = (service.namespace().to_owned(), service.name().to_owned());
            self.by_service.get(&key).map(|route| format!("{route} leads to {name}"))
        })
    }
}

/// True for a load balancer that is not marked as one of the inner network.
pub fn is_public_balancer(service: &Service) -> bool {
    let internal =
        |(key, values): &(&str, &[&str])| service.metadata.annotation(key).is_some_and(|value| values.contains(&value));
    service.kind() == "LoadBalancer" && !INTERNAL.iter().any(internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_internal_balancer_is_not_public() {
        let service = |annotations: Value| -> Service {
            let object = json!({"metadata": {"annotations": annotations}, "spec": {"type": "LoadBalancer"}});
            serde_json::from_value(object).unwrap()
        };
        assert!(is_public_balancer(&service(json!({}))));
        let inner = json!({"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"});
        assert!(!is_public_balancer(&service(inner)));
    }
}
