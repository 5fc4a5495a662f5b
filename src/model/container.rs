//! Containers of a pod.

use memchr::{memchr, memrchr};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::object::nullable;
use super::quantity::Quantity;

/// One container.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// The container's name.
    pub name: String,
    /// The image.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "nullable")]
    pub image: String,
    /// The entry point.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub command: Vec<String>,
    /// Its arguments.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub args: Vec<String>,
    /// Ports it declares.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub ports: Vec<ContainerPort>,
    /// Its own variables.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub env: Vec<EnvVar>,
    /// Whole objects as variables.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub env_from: Vec<EnvFrom>,
    /// Requests and limits.
    #[serde(deserialize_with = "nullable")]
    pub resources: Resources,
    /// Where volumes appear.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Container-level security settings, as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<Box<Value>>,
    /// Whether it may get traffic, as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<Box<Value>>,
    /// Whether it must be restarted, as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<Box<Value>>,
    /// Whether it has started, as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<Box<Value>>,
    /// Hooks, as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Box<Value>>,
    /// `Always` makes an init container a sidecar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<String>,
}

impl Container {
    /// The image without tag and digest: `quay.io/prometheus/prometheus`.
    pub fn image_path(&self) -> &str {
        let bytes = self.image.as_bytes();
        let end = memchr(b'@', bytes).unwrap_or(bytes.len());
        let name = memrchr(b'/', &bytes[..end]).map_or(0, |at| at + 1);
        let end = memchr(b':', &bytes[name..end]).map_or(end, |at| name + at);
        &self.image[..end]
    }

    /// The last part of the image's path: `prometheus`.
    pub fn image_name(&self) -> &str {
        let path = self.image_path();
        &path[memrchr(b'/', path.as_bytes()).map_or(0, |at| at + 1)..]
    }

    /// True for an init container that keeps running.
    pub fn is_sidecar(&self) -> bool {
        self.restart_policy.as_deref() == Some("Always")
    }
}

/// A port that a container declares.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerPort {
    /// The port's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The number.
    pub container_port: i64,
    /// The same port on the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_port: Option<i64>,
    /// `TCP` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

/// One variable.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvVar {
    /// The variable's name.
    pub name: String,
    /// Its literal value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where its value comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ValueFrom>,
}

/// Where a variable's value comes from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ValueFrom {
    /// A key of a `ConfigMap`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeyRef>,
    /// A key of a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeyRef>,
    /// A field of the pod, as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_ref: Option<Box<Value>>,
    /// A resource of the container, as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_field_ref: Option<Box<Value>>,
}

/// A key of a `ConfigMap` or Secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyRef {
    /// The object.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    /// The key; empty where the whole object is meant.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// True if the pod starts without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// All keys of an object as variables.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvFrom {
    /// Put before each key.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "nullable")]
    pub prefix: String,
    /// The `ConfigMap`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<KeyRef>,
    /// The Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<KeyRef>,
}

/// Requests and limits, as served.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// What the scheduler reserves.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty", deserialize_with = "nullable")]
    pub requests: serde_json::Map<String, Value>,
    /// What the kernel allows.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty", deserialize_with = "nullable")]
    pub limits: serde_json::Map<String, Value>,
}

impl Resources {
    /// The limit of a resource.
    pub fn limit(&self, resource: &str) -> Option<Quantity> {
        self.limits.get(resource).and_then(Quantity::from_value)
    }

    /// The request of a resource as pods get it: the limit stands in for an absent request.
    pub fn request(&self, resource: &str) -> Option<Quantity> {
        self.requests.get(resource).and_then(Quantity::from_value).or_else(|| self.limit(resource))
    }
}

/// Where a volume appears in a container.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeMount {
    /// The volume's name.
    pub name: String,
    /// The directory.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "nullable")]
    pub mount_path: String,
    /// A part of the volume; such a mount is never updated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_path: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_a_path_and_a_name() {
        for (image, path, name) in [
            ("postgres", "postgres", "postgres"),
            ("postgres:16", "postgres", "postgres"),
            ("localhost:5000/db/postgres:16@sha256:0", "localhost:5000/db/postgres", "postgres"),
            ("localhost:5000/postgres", "localhost:5000/postgres", "postgres"),
            ("calico/node:${TAG:-v3}", "calico/node", "node"),
            ("", "", ""),
        ] {
            let container = Container { image: image.to_owned(), ..Container::default() };
            assert_eq!((container.image_path(), container.image_name()), (path, name), "{image}");
        }
    }
}
