//! What is listed: the kinds that rules read, and where.

/// A list of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Group and version: `apps/v1`, or `v1` for the core group.
    pub api_version: String,
    /// The name in paths: `deployments`.
    pub plural: String,
    /// The kind of its objects.
    pub kind: String,
    /// Where its objects live, and which of them are read when one namespace is audited.
    pub reach: Reach,
    /// An older version to ask if this one is not served.
    pub fallback: Option<&'static str>,
}

/// Where objects live, and which of them are read when one namespace is audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In no namespace.
    Cluster,
    /// In namespaces; those of other namespaces are evidence too: who calls whom, who is
    /// monitored by whom.
    Everywhere,
    /// In namespaces; only those of the audited one matter.
    Here,
}

impl Resource {
    fn new(api_version: &str, plural: &str, kind: &str, reach: Reach) -> Self {
        Self {
            api_version: api_version.to_owned(),
            plural: plural.to_owned(),
            kind: kind.to_owned(),
            reach,
            fallback: None,
        }
    }

    /// The name in gaps: `pods`, or `certificates.cert-manager.io` for kinds that are not
    /// Kubernetes' own.
    pub fn name(&self) -> String {
        let group = self.api_version.split_once('/').map_or("", |(group, _)| group);
        let own = !group.contains('.') || group.ends_with("k8s.io") && !group.starts_with("gateway.");
        if own { self.plural.clone() } else { format!("{}.{group}", self.plural) }
    }

    /// The path of the list, in one namespace or everywhere.
    pub fn path(&self, namespace: Option<&str>) -> String {
        list_path(&self.api_version, &self.plural, namespace)
    }

    /// The same list in its older version.
    pub fn older(&self) -> Option<Self> {
        let version = self.fallback?;
        Some(Self { api_version: version.to_owned(), fallback: None, ..self.clone() })
    }
}

/// The path of a list.
pub fn list_path(api_version: &str, plural: &str, namespace: Option<&str>) -> String {
    let root = if api_version.contains('/') { "/apis" } else { "/api" };
    match namespace {
        Some(namespace) => format!("{root}/{api_version}/namespaces/{namespace}/{plural}"),
        None => format!("{root}/{api_version}/{plural}"),
    }
}

/// The lists of the built-in kinds, the longest first so that it does not end alone.
pub fn built_in() -> Vec<Resource> {
    use Reach::{Cluster, Everywhere, Here};
    const TABLE: &[(&str, &str, &str, Reach)] = &[
        ("v1", "pods", "Pod", Here),
        ("apps/v1", "replicasets", "ReplicaSet", Here),
        ("v1", "configmaps", "ConfigMap", Everywhere),
        ("discovery.k8s.io/v1", "endpointslices", "EndpointSlice", Here),
        ("apps/v1", "deployments", "Deployment", Everywhere),
        ("v1", "services", "Service", Everywhere),
        ("apps/v1", "statefulsets", "StatefulSet", Everywhere),
        ("apps/v1", "daemonsets", "DaemonSet", Everywhere),
        ("batch/v1", "cronjobs", "CronJob", Everywhere),
        ("batch/v1", "jobs", "Job", Here),
        ("v1", "replicationcontrollers", "ReplicationController", Here),
        ("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", Here),
        ("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", Here),
        ("networking.k8s.io/v1", "ingresses", "Ingress", Everywhere),
        ("networking.k8s.io/v1", "ingressclasses", "IngressClass", Cluster),
        ("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", Everywhere),
        ("v1", "namespaces", "Namespace", Cluster),
        ("v1", "nodes", "Node", Cluster),
        ("v1", "persistentvolumeclaims", "PersistentVolumeClaim", Here),
        ("v1", "resourcequotas", "ResourceQuota", Here),
        ("v1", "limitranges", "LimitRange", Here),
        ("v1", "serviceaccounts", "ServiceAccount", Here),
        ("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", Here),
        ("rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding", Cluster),
        (
            "admissionregistration.k8s.io/v1",
            "validatingwebhookconfigurations",
            "ValidatingWebhookConfiguration",
            Cluster,
        ),
        ("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", Cluster),
        ("apiregistration.k8s.io/v1", "apiservices", "APIService", Cluster),
        ("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", Cluster),
    ];
    let mut resources: Vec<Resource> =
        TABLE.iter().map(|(version, plural, kind, reach)| Resource::new(version, plural, kind, *reach)).collect();
    for resource in &mut resources {
        resource.fallback = match resource.kind.as_str() {
            "HorizontalPodAutoscaler" => Some("autoscaling/v1"),
            "PodDisruptionBudget" => Some("policy/v1beta1"),
            _ => None,
        };
    }
    resources
}

/// A custom resource found by discovery.
pub fn custom(api_version: &str, plural: &str, kind: &str, namespaced: bool) -> Resource {
    let reach = if namespaced { Reach::Everywhere } else { Reach::Cluster };
    Resource::new(api_version, plural, kind, reach)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::CUSTOM;

    #[test]
    fn secrets_are_never_listed() {
        assert!(built_in().iter().all(|resource| resource.plural != "secrets"));
        assert!(CUSTOM.iter().all(|name| !name.contains("secret")));
    }

    #[test]
    fn paths_and_names() {
        let resources = built_in();
        let of = |kind: &str| resources.iter().find(|resource| resource.kind == kind).unwrap();
        assert_eq!(of("Pod").path(Some("a")), "/api/v1/namespaces/a/pods");
        assert_eq!(of("Deployment").path(None), "/apis/apps/v1/deployments");
        assert_eq!(of("Ingress").name(), "ingresses");
        assert_eq!(
            custom("cert-manager.io/v1", "certificates", "Certificate", true).name(),
            "certificates.cert-manager.io"
        );
        assert!(CUSTOM.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
