//! Which store holds which kind.

/// Calls a macro once for the store of every built-in kind.
macro_rules! kinds {
    ($on:ident) => {
        $on! {
            "Namespace" => namespaces, "Pod" => pods, "Service" => services,
            "EndpointSlice" => endpoint_slices, "Ingress" => ingresses, "IngressClass" => ingress_classes,
            "NetworkPolicy" => network_policies, "HorizontalPodAutoscaler" => autoscalers,
            "PodDisruptionBudget" => budgets, "ResourceQuota" => quotas, "LimitRange" => limit_ranges,
            "ConfigMap" => config_maps, "Node" => nodes, "PersistentVolumeClaim" => volume_claims,
            "ServiceAccount" => service_accounts, "RoleBinding" => role_bindings,
            "ClusterRoleBinding" => role_bindings, "ValidatingWebhookConfiguration" => webhooks,
            "MutatingWebhookConfiguration" => webhooks, "APIService" => api_services,
            "CustomResourceDefinition" => definitions, "CronJob" => workloads, "DaemonSet" => workloads,
            "Deployment" => workloads, "Job" => workloads, "ReplicaSet" => workloads,
            "ReplicationController" => workloads, "StatefulSet" => workloads,
        }
    };
}

pub(super) use kinds;

/// Lists every store of an inventory once, in one place.
macro_rules! every_store {
    ($on:ident) => {
        $on!(
            namespaces,
            workloads,
            pods,
            services,
            endpoint_slices,
            ingresses,
            ingress_classes,
            network_policies,
            autoscalers,
            budgets,
            quotas,
            limit_ranges,
            config_maps,
            nodes,
            volume_claims,
            service_accounts,
            role_bindings,
            webhooks,
            api_services,
            definitions
        )
    };
}

pub(super) use every_store;

/// Groups in which a kind of the table above means the built-in one.
pub(super) fn is_built_in_group(api_version: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    matches!(group, "" | "apps" | "batch" | "autoscaling" | "policy" | "extensions") || group.ends_with(".k8s.io")
}

/// The name under which objects of a custom kind are kept: the plural as definitions name it is not
/// known from a manifest, so the usual English one is built.
pub fn other_key(api_version: &str, kind: &str) -> String {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let lower = kind.to_lowercase();
    let plural = match lower.as_bytes() {
        [.., b's' | b'x'] | [.., b'c' | b's', b'h'] => format!("{lower}es"),
        [.., before, b'y'] if !b"aeiou".contains(before) => {
            format!("{}ies", &lower[..lower.len() - 1])
        }
        _ => format!("{lower}s"),
    };
    if group.is_empty() { plural } else { format!("{plural}.{group}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals() {
        assert_eq!(other_key("velero.io/v1", "Backup"), "backups.velero.io");
        assert_eq!(other_key("cilium.io/v2", "CiliumNetworkPolicy"), "ciliumnetworkpolicies.cilium.io");
        assert_eq!(other_key("gateway.networking.k8s.io/v1", "Gateway"), "gateways.gateway.networking.k8s.io");
        assert_eq!(other_key("monitoring.coreos.com/v1", "Prometheus"), "prometheuses.monitoring.coreos.com");
    }
}
