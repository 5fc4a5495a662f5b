//! What is reached from outside the cluster: workloads behind a public load balancer or a route.

use std::sync::Arc;

use super::inventory::Inventory;
use super::network::Service;
use super::routes::Routes;

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

/// Every way from outside, gathered once.
#[derive(Debug, Default)]
pub struct Reach {
    routes: Arc<Routes>,
}

impl Reach {
    /// Reads every Ingress and route.
    pub fn of(inventory: &Inventory) -> Self {
        Self { routes: inventory.routes() }
    }

    /// How a workload is reached from outside, in words; `None` if it is not.
    pub fn to_workload(&self, inventory: &Inventory, position: usize) -> Option<String> {
        inventory.services_of(position).find_map(|service| {
            let name = service.subject.short();
            if is_public_balancer(service) {
                return Some(format!("{name} is a public load balancer"));
            }
            let service = inventory.services.position(service.namespace(), "Service", service.name())?;
            let route = self.routes.to_service(service).first()?;
            Some(format!("{} leads to {name}", route.object.short()))
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
    use serde_json::{Value, json};

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
