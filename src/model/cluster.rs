//! Namespaces, nodes, configuration, storage, access and the server's extensions.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::object::{Condition, Meta, nullable};
use super::selector::Labels;
use super::texts::texts;

/// A Namespace.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// Its metadata.
    pub metadata: Meta,
}

/// A `ConfigMap`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigMap {
    /// Its metadata.
    pub metadata: Meta,
    /// Its values.
    #[serde(deserialize_with = "texts")]
    pub data: Labels,
    /// True if its values can never change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub immutable: Option<bool>,
}

/// A Node.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Node {
    /// Its metadata.
    pub metadata: Meta,
    /// Whether it takes pods.
    #[serde(deserialize_with = "nullable")]
    pub spec: NodeSpec,
    /// What it has.
    #[serde(deserialize_with = "nullable")]
    pub status: NodeStatus,
}

/// Whether a node takes pods.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeSpec {
    /// True if it takes no new pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unschedulable: Option<bool>,
    /// What pods must tolerate, as served.
    #[serde(deserialize_with = "nullable")]
    pub taints: Vec<Value>,
}

/// What a node has.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeStatus {
    /// What pods may request, quantities as served.
    #[serde(deserialize_with = "nullable")]
    pub allocatable: Map<String, Value>,
    /// Conditions.
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<Condition>,
    /// Its addresses, as served.
    #[serde(deserialize_with = "nullable")]
    pub addresses: Vec<Value>,
}

impl Node {
    /// True if a pod without tolerations may be scheduled here.
    pub fn is_schedulable(&self) -> bool {
        let blocking =
            |taint: &Value| matches!(taint.get("effect").and_then(Value::as_str), Some("NoSchedule" | "NoExecute"));
        self.spec.unschedulable != Some(true) && !self.spec.taints.iter().any(blocking)
    }
}

/// A `PersistentVolumeClaim`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeClaim {
    /// Its metadata.
    pub metadata: Meta,
    /// What it asks for.
    #[serde(deserialize_with = "nullable")]
    pub spec: VolumeClaimSpec,
    /// How it is, as served.
    #[serde(deserialize_with = "nullable")]
    pub status: Map<String, Value>,
}

/// What a claim asks for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeClaimSpec {
    /// Who may mount it at once.
    #[serde(deserialize_with = "nullable")]
    pub access_modes: Vec<String>,
    /// The class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
}

impl VolumeClaim {
    /// True if several nodes may mount it.
    pub fn is_shared(&self) -> bool {
        self.spec.access_modes.iter().any(|mode| mode == "ReadWriteMany" || mode == "ReadOnlyMany")
    }

    /// True if only one pod may mount it.
    pub fn is_for_one_pod(&self) -> bool {
        self.spec.access_modes.iter().any(|mode| mode == "ReadWriteOncePod")
    }
}

/// A `ServiceAccount`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceAccount {
    /// Its metadata.
    pub metadata: Meta,
    /// Whether pods mount its token, unless they say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<bool>,
}

/// A `RoleBinding` or `ClusterRoleBinding`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleBinding {
    /// Its metadata.
    pub metadata: Meta,
    /// Who gets the role.
    #[serde(deserialize_with = "nullable")]
    pub subjects: Vec<BoundSubject>,
    /// The role.
    #[serde(deserialize_with = "nullable")]
    pub role_ref: Map<String, Value>,
}

/// Who gets a role.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BoundSubject {
    /// `User`, `Group` or `ServiceAccount`.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The namespace of a service account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// A Validating- or `MutatingWebhookConfiguration`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WebhookConfiguration {
    /// Its metadata.
    pub metadata: Meta,
    /// Its webhooks.
    #[serde(deserialize_with = "nullable")]
    pub webhooks: Vec<Webhook>,
}

/// One webhook.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Webhook {
    /// Its name.
    pub name: String,
    /// Where it is called.
    #[serde(deserialize_with = "nullable")]
    pub client_config: ServiceClient,
}

/// The Service that the API server calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceClient {
    /// The Service; absent for a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceRef>,
}

/// A Service by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceRef {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// An `APIService`: a part of the API that another server answers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiService {
    /// Its metadata.
    pub metadata: Meta,
    /// Who answers.
    #[serde(deserialize_with = "nullable")]
    pub spec: ServiceClient,
    /// How it is.
    #[serde(deserialize_with = "nullable")]
    pub status: ConditionStatus,
}

/// A status of which only the conditions are read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConditionStatus {
    /// Conditions.
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<Condition>,
}

/// A `CustomResourceDefinition`, of which only the conversion webhook is read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Definition {
    /// Its metadata.
    pub metadata: Meta,
    /// Its conversion, as served.
    #[serde(deserialize_with = "nullable")]
    pub spec: DefinitionSpec,
}

/// What of a definition is read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DefinitionSpec {
    /// How versions are converted, as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversion: Option<Value>,
}

impl Definition {
    /// The Service that converts versions.
    pub fn converter(&self) -> Option<ServiceRef> {
        let service = self.spec.conversion.as_ref()?.pointer("/webhook/clientConfig/service")?;
        serde_json::from_value(service.clone()).ok()
    }
}

/// An object of a kind that rules read field by field: custom resources and the rest.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Other {
    /// Group and version.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// Its metadata.
    pub metadata: Meta,
    /// Everything else, as served.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Other {
    /// A value by JSON pointer below the object; metadata is not part of it.
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        let (first, rest) = pointer.strip_prefix('/')?.split_once('/').unwrap_or((&pointer[1..], ""));
        let value = self.rest.get(first)?;
        if rest.is_empty() { Some(value) } else { value.pointer(&format!("/{rest}")) }
    }
}
