//! What every object has: its identity and its metadata.

use std::fmt;
use std::sync::Arc;

use memchr::memchr2;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::texts::{Texts, texts};

/// The annotation in which client-side `kubectl apply` keeps the manifest it applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The name of one object: enough to find it again, and to print it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// The kind, as in manifests: `Deployment`.
    pub kind: String,
    /// The namespace; `None` for objects of the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
    /// Group and version: `apps/v1`, or `v1` for the core group.
    #[serde(default)]
    pub api_version: String,
    /// The server's identifier; `None` for manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

/// A shared [`ObjectRef`]: what a verdict is about.
pub type Subject = Arc<ObjectRef>;

impl ObjectRef {
    /// A reference without a uid.
    pub fn new(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
            api_version: api_version.to_owned(),
            uid: None,
        }
    }

    /// The namespace, or `""` for cluster-wide objects.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    /// The API group: `apps` of `apps/v1`, `""` for the core group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// True for the subject of verdicts about the whole cluster; operators have kinds of that name.
    pub fn is_whole_cluster(&self) -> bool {
        self.kind == "Cluster" && self.api_version.is_empty()
    }

    /// `Kind/name`, for sentences whose namespace is known.
    pub fn short(&self) -> String {
        // Sentences about thousands of objects begin with it.
        let mut out = String::with_capacity(self.kind.len() + 1 + self.name.len());
        out.extend([&self.kind, "/", &self.name]);
        out
    }

    /// `NAMESPACE/NAME`, or the name alone: what a person types to confirm.
    pub fn path(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }

    /// True if both name the same object, whatever version or uid they were read with.
    pub fn same(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.name == other.name
            && self.namespace == other.namespace
            && self.group() == other.group()
    }
}

/// `Kind/namespace/name`, or `Kind/name` without a namespace.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{namespace}/{}", self.kind, self.name),
            None => write!(f, "{}/{}", self.kind, self.name),
        }
    }
}

/// The metadata that rules read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// The object's name.
    pub name: String,
    /// The namespace; filled in for manifests that leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The server's identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The version of the object that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
    /// Rises with each change of the specification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// When the object was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<jiff::Timestamp>,
    /// Set while the object is being deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<String>,
    /// Labels.
    #[serde(skip_serializing_if = "Texts::is_empty", deserialize_with = "texts")]
    pub labels: Texts,
    /// Annotations; the last-applied one is reduced to what rules may know of it.
    #[serde(skip_serializing_if = "Texts::is_empty", deserialize_with = "annotations")]
    pub annotations: Texts,
    /// Who made this object.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub owner_references: Vec<OwnerReference>,
    /// What must happen before it may vanish.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub finalizers: Vec<String>,
    /// Who wrote which field; only the managers and the two fields that rules ask about.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub managed_fields: Vec<ManagedFields>,
}

impl Meta {
    /// The namespace, or `""`.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    /// The owner that controls this object.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller == Some(true))
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str)
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }
}

/// Who owns an object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// Group and version of the owner.
    pub api_version: String,
    /// Kind of the owner.
    pub kind: String,
    /// Name of the owner, in the same namespace.
    pub name: String,
    /// The owner's identifier.
    pub uid: String,
    /// True for the one owner that controls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controller: Option<bool>,
}

/// One entry of `metadata.managedFields`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedFields {
    /// The writer's name.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// The subresource that was written, `""` for the object itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
    /// When; the server leaves it out for some of its own writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<jiff::Timestamp>,
    /// The fields that rules ask about.
    #[serde(rename = "fieldsV1")]
    pub fields: OwnedFields,
}

impl ManagedFields {
    /// True if this entry owns `spec.replicas`.
    pub fn owns_replicas(&self) -> bool {
        self.fields.spec.as_ref().is_some_and(|spec| spec.replicas.is_some())
    }

    /// True if this entry owns `spec.minReplicas`.
    pub fn owns_min_replicas(&self) -> bool {
        self.fields.spec.as_ref().is_some_and(|spec| spec.min_replicas.is_some())
    }
}

/// The part of a field set that is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnedFields {
    /// Fields below `spec`.
    #[serde(rename = "f:spec", skip_serializing_if = "Option::is_none")]
    pub spec: Option<OwnedSpec>,
}

/// Fields below `spec` that rules ask about.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnedSpec {
    /// Present when `spec.replicas` is owned.
    #[serde(rename = "f:replicas", skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Empty>,
    /// Present when `spec.minReplicas` is owned.
    #[serde(rename = "f:minReplicas", skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<Empty>,
}

/// The empty object that stands for "owned" in a field set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Empty {}

/// One entry of `status.conditions`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// A sentence why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<jiff::Timestamp>,
}

/// Reads `null` as the default: the API writes and accepts both.
pub fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads annotations and reduces the last-applied one, which may hold credentials.
fn annotations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Texts, D::Error> {
    let mut map = texts(deserializer)?;
    if let Some(text) = map.get_mut(LAST_APPLIED) {
        *text = reduce_last_applied(text);
    }
    Ok(map)
}

/// What rules may know of a last-applied text: `spec.replicas`, and whether a masked key is in it.
fn reduce_last_applied(text: &str) -> String {
    let full: Value = serde_json::from_str(text).unwrap_or_default();
    let mut reduced = serde_json::Map::new();
    if let Some(replicas) = full.pointer("/spec/replicas") {
        reduced.insert("spec".into(), serde_json::json!({ "replicas": replicas }));
    }
    if super::mask::holds_masked_key(&full) {
        reduced.insert("masked".into(), Value::Bool(true));
    }
    Value::Object(reduced).to_string()
}

/// True for kinds whose objects belong to no namespace. Custom kinds count as namespaced.
pub fn is_cluster_wide(api_version: &str, kind: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    match kind {
        "Namespace" | "Node" | "PersistentVolume" => group.is_empty(),
        "IngressClass"
        | "StorageClass"
        | "PriorityClass"
        | "RuntimeClass"
        | "VolumeAttachment"
        | "CSIDriver"
        | "CSINode"
        | "ClusterRole"
        | "ClusterRoleBinding"
        | "APIService"
        | "CustomResourceDefinition"
        | "ValidatingWebhookConfiguration"
        | "MutatingWebhookConfiguration"
        | "ValidatingAdmissionPolicy"
        | "ValidatingAdmissionPolicyBinding"
        | "CertificateSigningRequest"
        | "FlowSchema"
        | "PriorityLevelConfiguration"
        | "VolumeSnapshotClass"
        | "VolumeSnapshotContent"
        | "GatewayClass"
        | "AdminNetworkPolicy"
        | "BaselineAdminNetworkPolicy" => group.ends_with("k8s.io"),
        "ClusterIssuer" => group == "cert-manager.io",
        "CiliumClusterwideNetworkPolicy" => group == "cilium.io",
        "GlobalNetworkPolicy" => group.ends_with("projectcalico.org"),
        "ClusterPolicy" => group == "kyverno.io",
        _ => false,
    }
}

/// Joins pointer segments below `base`, escaped as RFC 6901 says.
pub fn pointer(base: &str, segments: &[&str]) -> String {
    let mut out = String::with_capacity(base.len() + segments.iter().map(|segment| segment.len() + 1).sum::<usize>());
    out.push_str(base);
    for segment in segments {
        out.push('/');
        if memchr2(b'~', b'/', segment.as_bytes()).is_some() {
            out.push_str(&segment.replace('~', "~0").replace('/', "~1"));
        } else {
            out.push_str(segment);
        }
    }
    out
}

/// The value at a pointer through mappings whose names need no escapes: `/capabilities/drop`.
pub fn member<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/').skip(1).try_fold(value, |value, name| value.get(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_applied_keeps_replicas_and_forgets_the_rest() {
        let text = r#"{"spec":{"replicas":1,"x":"hunter2"},"data":{"DB_PASSWORD":"hunter2"}}"#;
        let meta: Meta = serde_json::from_value(serde_json::json!({
            "name": "x", "annotations": { LAST_APPLIED: text }
        }))
        .unwrap();
        let kept = meta.annotation(LAST_APPLIED).unwrap();
        assert_eq!(kept, r#"{"spec":{"replicas":1},"masked":true}"#);
    }

    #[test]
    fn pointers_are_escaped() {
        assert_eq!(pointer("/data", &["a/b~c"]), "/data/a~1b~0c");
    }

    #[test]
    fn null_maps_are_empty() {
        let meta: Meta = serde_json::from_str(r#"{"name":"x","labels":null,"annotations":null}"#).unwrap();
        assert!(meta.labels.is_empty() && meta.annotations.is_empty());
    }

    #[test]
    fn null_is_an_empty_text() {
        let meta: Meta = serde_json::from_str(r#"{"labels":{"a":null,"b":"x"},"annotations":{"c":null}}"#).unwrap();
        assert_eq!((meta.label("a"), meta.label("b"), meta.annotation("c")), (Some(""), Some("x"), Some("")));
        assert!(serde_json::from_str::<Meta>(r#"{"labels":{"a":1}}"#).is_err());
    }
}
