//! Pods and pod templates.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::number::IntOrString;
use super::object::{Condition, Meta, nullable};
use super::quantity::Quantity;
use super::selector::Labels;
use super::texts::texts;

pub use super::container::{Container, ContainerPort, EnvFrom, EnvVar, KeyRef, Resources, ValueFrom, VolumeMount};

/// The template of a workload's pods.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PodTemplate {
    /// Labels and annotations of the pods.
    #[serde(deserialize_with = "nullable")]
    pub metadata: Meta,
    /// What the pods run.
    #[serde(deserialize_with = "nullable")]
    pub spec: PodSpec,
}

impl PodTemplate {
    /// The labels that the pods get.
    pub fn labels(&self) -> &Labels {
        &self.metadata.labels
    }
}

/// What a pod runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// Application containers.
    #[serde(deserialize_with = "nullable")]
    pub containers: Vec<Container>,
    /// Containers that run before; with `restartPolicy: Always` they stay as sidecars.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub init_containers: Vec<Container>,
    /// Volumes.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub volumes: Vec<Volume>,
    /// The node the pod runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// Labels that a node must have.
    #[serde(skip_serializing_if = "Labels::is_empty", deserialize_with = "texts")]
    pub node_selector: Labels,
    /// True if the pod uses its node's network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_network: Option<bool>,
    /// True if the pod sees its node's processes.
    #[serde(rename = "hostPID", skip_serializing_if = "Option::is_none")]
    pub host_pid: Option<bool>,
    /// True if the pod shares its node's IPC.
    #[serde(rename = "hostIPC", skip_serializing_if = "Option::is_none")]
    pub host_ipc: Option<bool>,
    /// False if the pod runs in a user namespace of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_users: Option<bool>,
    /// Affinity, as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Box<Value>>,
    /// Spread constraints, as served.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub topology_spread_constraints: Vec<Value>,
    /// The service account; `default` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// The same under its old name, which counts where the new one is absent.
    #[serde(rename = "serviceAccount", skip_serializing_if = "Option::is_none")]
    pub old_service_account: Option<String>,
    /// Whether the account's token is mounted; the account decides if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<bool>,
    /// Pod-level security settings, as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<Box<Value>>,
    /// The operating system, as served: `{"name": "windows"}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<Box<Value>>,
    /// Pod-level resources; they override the containers' sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Box<Resources>>,
    /// What the runtime class adds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead: Option<Box<Value>>,
    /// Seconds that a pod gets to end; 30 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_grace_period_seconds: Option<i64>,
    /// Taints that the pod tolerates, as served.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub tolerations: Vec<Value>,
    /// How much the pod matters; absent means the class that the cluster gives by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
}

impl PodSpec {
    /// All containers that run from templates: init containers first, with the name of their list.
    pub fn all_containers(&self) -> impl Iterator<Item = (&'static str, usize, &Container)> {
        let init = self.init_containers.iter().enumerate().map(|(i, c)| ("initContainers", i, c));
        init.chain(self.containers.iter().enumerate().map(|(i, c)| ("containers", i, c)))
    }

    /// Containers that serve: the application's and the sidecars.
    pub fn serving_containers(&self) -> impl Iterator<Item = &Container> {
        self.init_containers.iter().filter(|c| c.is_sidecar()).chain(&self.containers)
    }

    /// True if the pod uses its node's network.
    pub fn on_host_network(&self) -> bool {
        self.host_network == Some(true)
    }

    /// True for Windows pods.
    pub fn is_windows(&self) -> bool {
        self.os.as_ref().and_then(|os| os.get("name")).and_then(Value::as_str) == Some("windows")
    }

    /// The name of the service account.
    pub fn service_account(&self) -> &str {
        let names = [&self.service_account_name, &self.old_service_account];
        names.into_iter().flatten().map(String::as_str).find(|name| !name.is_empty()).unwrap_or("default")
    }
}

/// A volume and where it comes from. Kinds that no rule asks about are kept by name only.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Volume {
    /// The volume's name.
    pub name: String,
    /// Everything else, as served: `configMap`, `persistentVolumeClaim`, `emptyDir`, `hostPath`.
    #[serde(flatten)]
    pub source: serde_json::Map<String, Value>,
}

impl Volume {
    /// The claim that it mounts.
    pub fn claim(&self) -> Option<&str> {
        self.source.get("persistentVolumeClaim")?.get("claimName")?.as_str()
    }

    /// The `ConfigMap`s that it shows as files, `projected` ones included.
    pub fn config_maps(&self) -> impl Iterator<Item = &str> {
        let direct = self.source.get("configMap").into_iter();
        let sources = self.source.get("projected").and_then(|p| p.get("sources")).and_then(Value::as_array);
        let projected = sources.into_iter().flatten().filter_map(|source| source.get("configMap"));
        direct.chain(projected).filter_map(|source| source.get("name").and_then(Value::as_str))
    }
}

/// A running pod. Of a controlled pod the template stands in its workload, so the containers of
/// the pod itself are dropped on reading.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Pod {
    /// Its metadata.
    pub metadata: Meta,
    /// What it runs.
    pub spec: PodSpec,
    /// How it is.
    pub status: PodStatus,
    /// What it requests in all, kept where its containers are dropped.
    #[serde(skip)]
    pub requests: Requests,
}

/// CPU and memory that a pod requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Cores.
    pub cpu: Quantity,
    /// Bytes.
    pub memory: Quantity,
}

impl<'de> Deserialize<'de> for Pod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PodReader)
    }
}

/// Reads a pod; of a controlled one, as which nearly all come, no more than its place and what it
/// requests.
struct PodReader;

/// The members of a pod that are read.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    Metadata,
    Spec,
    Status,
    #[serde(other)]
    Other,
}

/// What is read of the specification of a controlled pod.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Placed {
    node_name: Option<String>,
    #[serde(deserialize_with = "nullable")]
    containers: Vec<Load>,
    #[serde(deserialize_with = "nullable")]
    init_containers: Vec<Load>,
    resources: Option<Box<Resources>>,
    overhead: Option<Box<Value>>,
}

/// What a container of a controlled pod requests.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Load {
    #[serde(deserialize_with = "nullable")]
    resources: Resources,
    restart_policy: Option<String>,
}

impl From<Placed> for PodSpec {
    fn from(placed: Placed) -> Self {
        let container =
            |Load { resources, restart_policy }| Container { resources, restart_policy, ..Container::default() };
        Self {
            node_name: placed.node_name,
            containers: placed.containers.into_iter().map(container).collect(),
            init_containers: placed.init_containers.into_iter().map(container).collect(),
            resources: placed.resources,
            overhead: placed.overhead,
            ..Self::default()
        }
    }
}

impl<'de> Visitor<'de> for PodReader {
    type Value = Pod;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a pod")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pod, A::Error> {
        let mut pod = Pod::default();
        while let Some(member) = map.next_key()? {
            match member {
                Member::Metadata => pod.metadata = map.next_value()?,
                // The server writes the metadata first.
                Member::Spec if pod.metadata.controller().is_some() => {
                    pod.spec = map.next_value::<Placed>()?.into();
                }
                Member::Spec => pod.spec = map.next_value()?,
                Member::Status => pod.status = map.next_value::<Option<_>>()?.unwrap_or_default(),
                Member::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(pod)
    }
}

impl Pod {
    /// True if the pod takes part in service and budget arithmetic: not ended, not leaving.
    pub fn is_active(&self) -> bool {
        !self.has_ended() && self.metadata.deletion_timestamp.is_none()
    }

    /// True if its containers have ended and do not start again.
    pub fn has_ended(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }

    /// True if its `Ready` condition holds.
    pub fn is_ready(&self) -> bool {
        self.status.conditions.iter().any(|c| c.kind == "Ready" && c.status == "True")
    }

    /// Drops what the controlling workload's template says too.
    pub fn compact(&mut self) {
        self.metadata.managed_fields = Vec::new();
        if self.metadata.controller().is_some() {
            let node_name = self.spec.node_name.take();
            self.spec = PodSpec { node_name, ..PodSpec::default() };
            self.metadata.annotations.clear();
        }
        self.metadata.owner_references.shrink_to_fit();
        self.status.conditions.shrink_to_fit();
        self.status.container_statuses.iter_mut().for_each(ContainerStatus::compact);
        self.status.container_statuses.shrink_to_fit();
    }
}

/// How a pod is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded` or `Failed`.
    pub phase: String,
    /// Conditions.
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<Condition>,
    /// How its containers are.
    #[serde(deserialize_with = "nullable")]
    pub container_statuses: Vec<ContainerStatus>,
    /// Its address.
    #[serde(rename = "podIP", skip_serializing_if = "Option::is_none")]
    pub pod_ip: Option<String>,
}

/// How a container is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    /// The container.
    pub name: String,
    /// How often it was started again.
    pub restart_count: i64,
    /// What keeps it from running, as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<Value>>,
    /// How it ended the last time, as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_state: Option<Box<Value>>,
    /// The user it runs as, where the kubelet says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Box<Value>>,
}

impl ContainerStatus {
    /// Drops what says nothing but that it runs.
    fn compact(&mut self) {
        self.state.take_if(|state| state.get("waiting").is_none());
        self.last_state.take_if(|state| state.get("terminated").is_none());
    }

    /// The reason for which it waits: `ImagePullBackOff`.
    pub fn waiting(&self) -> Option<&str> {
        self.state.as_ref()?.get("waiting")?.get("reason")?.as_str()
    }
}

/// The port number in a pod that `target` means: a number, or a name among the container ports.
pub fn resolve_port(spec: &PodSpec, target: &IntOrString, protocol: &str) -> Option<i64> {
    match target {
        IntOrString::Int(number) => Some(*number),
        IntOrString::Text(name) => spec
            .serving_containers()
            .flat_map(|container| &container.ports)
            .find(|port| port.name.as_deref() == Some(name) && port.protocol.as_deref().unwrap_or("TCP") == protocol)
            .map(|port| port.container_port),
    }
}
