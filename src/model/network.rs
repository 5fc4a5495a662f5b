//! Services and network policies.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::number::IntOrString;
use super::object::{Meta, nullable};
use super::selector::{Labels, Selector};
use super::texts::texts;

pub use super::ingress::{
    BackendPort, BackendService, HttpPath, HttpRules, Ingress, IngressBackend, IngressClass, IngressClassSpec,
    IngressRule, IngressSpec, IngressTls,
};

/// A Service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// Its metadata.
    pub metadata: Meta,
    /// What it offers.
    #[serde(deserialize_with = "nullable")]
    pub spec: ServiceSpec,
    /// What it got.
    #[serde(deserialize_with = "nullable")]
    pub status: LoadBalancerOwner,
}

/// What a Service offers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    /// `ClusterIP` if absent.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The labels of its pods; absent or empty for a Service whose endpoints others write.
    #[serde(skip_serializing_if = "Labels::is_empty", deserialize_with = "texts")]
    pub selector: Labels,
    /// Its ports.
    #[serde(deserialize_with = "nullable")]
    pub ports: Vec<ServicePort>,
    /// Its address in the cluster, or `None`.
    #[serde(rename = "clusterIP", skip_serializing_if = "Option::is_none")]
    pub cluster_ip: Option<String>,
    /// `Local` or `Cluster`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<String>,
    /// The ranges that may call a load balancer.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub load_balancer_source_ranges: Vec<String>,
    /// A wanted address; deprecated.
    #[serde(rename = "loadBalancerIP", skip_serializing_if = "Option::is_none")]
    pub load_balancer_ip: Option<String>,
    /// Who makes the load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer_class: Option<String>,
    /// False if the load balancer needs no node ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocate_load_balancer_node_ports: Option<bool>,
    /// Node addresses that forward to it.
    #[serde(rename = "externalIPs", skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub external_ips: Vec<String>,
    /// The port of the health check with `Local`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_node_port: Option<i64>,
    /// `ClientIP` keeps a client at one pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_affinity: Option<String>,
    /// The name that an `ExternalName` Service stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_name: Option<String>,
}

/// A port of a Service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePort {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The port of the Service.
    pub port: i64,
    /// The port of the pods; the same number if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_port: Option<IntOrString>,
    /// The port of the nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_port: Option<i64>,
    /// `TCP` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// What is spoken: `http`, `grpc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
}

impl ServicePort {
    /// The protocol, `TCP` unless said.
    pub fn protocol(&self) -> &str {
        self.protocol.as_deref().unwrap_or("TCP")
    }

    /// The port of the pods, by number or name.
    pub fn target(&self) -> IntOrString {
        match &self.target_port {
            Some(IntOrString::Int(0)) | None => IntOrString::Int(self.port),
            Some(target) => target.clone(),
        }
    }
}

impl Service {
    /// The type, `ClusterIP` unless said.
    pub fn kind(&self) -> &str {
        self.spec.kind.as_deref().unwrap_or("ClusterIP")
    }

    /// True if its endpoints follow a selector.
    pub fn has_selector(&self) -> bool {
        !self.spec.selector.is_empty() && self.kind() != "ExternalName"
    }

    /// True if its name gives the addresses of the pods, so that clients name the pods' own ports.
    pub fn is_headless(&self) -> bool {
        self.spec.cluster_ip.as_deref() == Some("None")
    }

    /// True if it is reached from outside the cluster.
    pub fn is_external(&self) -> bool {
        matches!(self.kind(), "LoadBalancer" | "NodePort") || !self.spec.external_ips.is_empty()
    }

    /// The port with this number or name.
    pub fn port(&self, wanted: &IntOrString) -> Option<&ServicePort> {
        self.spec.ports.iter().find(|port| match wanted {
            IntOrString::Int(number) => port.port == *number,
            IntOrString::Text(name) => port.name.as_deref() == Some(name),
        })
    }
}

/// The status of whatever may own a load balancer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancerOwner {
    /// Its addresses.
    #[serde(deserialize_with = "nullable")]
    pub load_balancer: LoadBalancer,
}

impl LoadBalancerOwner {
    /// The addresses and host names it got.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.load_balancer.ingress.iter().filter_map(|i| i.ip.as_deref().or(i.hostname.as_deref()))
    }
}

/// The addresses of a load balancer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadBalancer {
    /// One entry an address.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub ingress: Vec<Address>,
}

/// One address.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// By number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// By name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
}

/// An `EndpointSlice`: the pods behind a Service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointSlice {
    /// Its metadata; the label `kubernetes.io/service-name` names the Service.
    pub metadata: Meta,
    /// The addresses.
    #[serde(deserialize_with = "nullable")]
    pub endpoints: Vec<Endpoint>,
    /// The ports of the pods, as served.
    #[serde(deserialize_with = "nullable")]
    pub ports: Vec<Value>,
}

/// One address behind a Service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// Its addresses.
    #[serde(deserialize_with = "nullable")]
    pub addresses: Vec<String>,
    /// Whether it may get traffic.
    #[serde(deserialize_with = "nullable")]
    pub conditions: EndpointConditions,
}

/// Whether an endpoint may get traffic.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointConditions {
    /// True, or unknown if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
}

/// A `NetworkPolicy`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkPolicy {
    /// Its metadata.
    pub metadata: Meta,
    /// What it allows.
    #[serde(deserialize_with = "nullable")]
    pub spec: NetworkPolicySpec,
}

/// What a `NetworkPolicy` allows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicySpec {
    /// The pods it isolates; all of the namespace if empty.
    #[serde(deserialize_with = "nullable")]
    pub pod_selector: Selector,
    /// The directions; from the rules if empty.
    #[serde(deserialize_with = "nullable")]
    pub policy_types: Vec<String>,
    /// Who may call.
    #[serde(deserialize_with = "nullable")]
    pub ingress: Vec<PolicyRule>,
    /// Whom the pods may call.
    #[serde(deserialize_with = "nullable")]
    pub egress: Vec<PolicyRule>,
}

/// Peers and ports that are allowed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyRule {
    /// Who may call; everybody if empty.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<PolicyPeer>,
    /// Who may be called; everybody if empty.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<PolicyPeer>,
    /// The ports of the pods; all if empty.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PolicyPort>,
}

/// One peer; two selectors in one peer must both hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyPeer {
    /// Pods, of the policy's own namespace if no namespace is selected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<Selector>,
    /// Namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<Selector>,
    /// Addresses, as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_block: Option<Value>,
}

/// A port or range.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyPort {
    /// `TCP` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The pod's port, by number or name; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<IntOrString>,
    /// The end of a range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_port: Option<i64>,
}

impl NetworkPolicy {
    /// True if it isolates its pods for this direction, `Ingress` or `Egress`. Without
    /// `policyTypes` a policy is for Ingress, and for Egress if it has egress rules.
    pub fn isolates(&self, direction: &str) -> bool {
        if self.spec.policy_types.is_empty() {
            return direction == "Ingress" || !self.spec.egress.is_empty();
        }
        self.spec.policy_types.iter().any(|kind| kind == direction)
    }
}
