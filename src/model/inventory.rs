//! All objects that were read, sorted and related, and what could not be read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster::{
    ApiService, ConfigMap, Definition, Namespace, Node, Other, RoleBinding, ServiceAccount, VolumeClaim,
    WebhookConfiguration,
};
use super::network::{EndpointSlice, Ingress, IngressClass, NetworkPolicy, Service};
use super::object::{Meta, ObjectRef, Subject};
use super::pod::Pod;
use super::policy::{Autoscaler, DisruptionBudget, LimitRange, ResourceQuota};
use super::store::{Item, Origin, Replaced, Store};
use super::workload::Workload;

mod bad;
mod custom;
mod kinds;
mod ingest;
mod lookup;
mod relations;
mod revised;

pub use bad::BadObject;
pub use custom::{CLUSTER_WIDE, CUSTOM};
pub use ingest::PageEnd;
pub use kinds::other_key as resource_name;
pub use relations::Taken;
use relations::{Budgets, Relations};

/// Namespaces that belong to the cluster itself.
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// Something that could not be read, and what rests on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// The resource: `pods`, or `certificates.cert-manager.io`.
    pub kind: String,
    /// The verb that failed: `list`.
    pub verb: String,
    /// Where: `cluster`, `namespace NAME`, or `object` for one that was served and is not of its kind.
    pub scope: String,
    /// Why: `forbidden`, `not served`, `inconsistent`.
    pub reason: String,
}

/// Which namespaces are audited. Others are evidence.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The audited namespaces; `None` for all but the system's.
    pub namespaces: Option<BTreeSet<String>>,
    /// Namespaces that belong to the cluster besides [`SYSTEM_NAMESPACES`].
    pub system: BTreeSet<String>,
}

impl Scope {
    /// One namespace.
    pub fn only(namespace: &str) -> Self {
        Self { namespaces: Some(BTreeSet::from([namespace.to_owned()])), system: BTreeSet::new() }
    }

    /// True if findings are made for this namespace. A system namespace has to be named.
    pub fn covers(&self, namespace: &str) -> bool {
        match &self.namespaces {
            Some(names) => names.contains(namespace),
            None => !self.is_system(namespace),
        }
    }

    /// True if the namespace belongs to the cluster itself.
    pub fn is_system(&self, namespace: &str) -> bool {
        SYSTEM_NAMESPACES.contains(&namespace) || self.system.contains(namespace)
    }
}

/// Where the objects came from.
#[derive(Clone, Debug)]
pub enum World {
    /// A live cluster.
    Cluster {
        /// The context; `None` in a pod.
        context: Option<String>,
        /// The server's URL.
        server: String,
        /// The uid of `kube-system`, which identifies the cluster.
        uid: Option<String>,
        /// The server's version, major and minor.
        version: Option<(u32, u32)>,
    },
    /// Files.
    Manifests {
        /// True if they are declared to be all there is.
        complete: bool,
    },
}

impl Default for World {
    fn default() -> Self {
        Self::Manifests { complete: false }
    }
}

/// All objects that were read. Made by adding objects and [`Inventory::finish`].
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Where the objects came from.
    pub world: World,
    /// Which namespaces are audited.
    pub scope: Scope,
    /// When the objects were read; ages are measured against it.
    pub taken_at: jiff::Timestamp,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// Kinds of the API that the server does not have: evidence that there are no such objects.
    pub absent_kinds: BTreeSet<String>,
    /// Manifests that leave their namespace out, so that whoever applies them decides.
    pub unplaced: BTreeSet<Origin>,
    /// Manifests whose objects others describe again, in their order.
    pub replaced: Vec<Replaced>,
    /// Namespaces.
    pub namespaces: Store<Namespace>,
    /// Everything that makes pods, and pods without a controller.
    pub workloads: Store<Workload>,
    /// Pods.
    pub pods: Store<Pod>,
    /// Services.
    pub services: Store<Service>,
    /// Endpoint slices.
    pub endpoint_slices: Store<EndpointSlice>,
    /// Ingresses.
    pub ingresses: Store<Ingress>,
    /// Ingress classes.
    pub ingress_classes: Store<IngressClass>,
    /// Network policies.
    pub network_policies: Store<NetworkPolicy>,
    /// Autoscalers.
    pub autoscalers: Store<Autoscaler>,
    /// Disruption budgets.
    pub budgets: Store<DisruptionBudget>,
    /// Quotas.
    pub quotas: Store<ResourceQuota>,
    /// Limit ranges.
    pub limit_ranges: Store<LimitRange>,
    /// `ConfigMap`s.
    pub config_maps: Store<ConfigMap>,
    /// Nodes.
    pub nodes: Store<Node>,
    /// Volume claims.
    pub volume_claims: Store<VolumeClaim>,
    /// Service accounts.
    pub service_accounts: Store<ServiceAccount>,
    /// Role bindings of namespaces and of the cluster.
    pub role_bindings: Store<RoleBinding>,
    /// Admission webhooks.
    pub webhooks: Store<WebhookConfiguration>,
    /// API services.
    pub api_services: Store<ApiService>,
    /// Definitions of custom resources.
    pub definitions: Store<Definition>,
    /// Custom resources and other kinds, by resource name: `certificates.cert-manager.io`.
    pub others: BTreeMap<String, Store<Other>>,
    relations: Arc<Relations>,
    budgets_of: Arc<Budgets>,
}

impl Inventory {
    /// An inventory without objects.
    pub fn new(world: World, scope: Scope, taken_at: jiff::Timestamp) -> Self {
        Self { world, scope, taken_at, ..Self::default() }
    }

    /// Puts everything in order and relates it. Must follow the last change.
    #[must_use]
    pub fn finish(mut self) -> Self {
        self.adopt_bare_pods();
        self.sort();
        self.gaps.sort();
        self.gaps.dedup();
        self.relations = Arc::new(Relations::of(&self));
        self.budgets_of = Arc::new(self.relations.budgets(&self));
        self
    }

    /// True for a live cluster.
    pub fn is_live(&self) -> bool {
        matches!(self.world, World::Cluster { .. })
    }

    /// True if the files are declared to be all there is.
    pub fn is_complete(&self) -> bool {
        matches!(self.world, World::Manifests { complete: true })
    }

    /// The server's minor version, where there is a server that says.
    pub fn server_minor(&self) -> Option<u32> {
        match self.world {
            World::Cluster { version: Some((_, minor)), .. } => Some(minor),
            _ => None,
        }
    }

    /// Why objects of this resource may be missing from a namespace, if they may.
    pub fn gap(&self, resource: &str, namespace: &str) -> Option<&Gap> {
        let is_here = |scope: &str| scope == "cluster" || scope.strip_prefix("namespace ") == Some(namespace);
        self.gaps.iter().find(|gap| gap.kind == resource && is_here(&gap.scope))
    }

    /// A sentence for a verdict that a gap leaves open.
    pub fn unseen(&self, resource: &str, namespace: &str) -> Option<String> {
        self.gap(resource, namespace).map(|gap| format!("{} not readable in {}: {}", gap.kind, gap.scope, gap.reason))
    }

    /// Workloads of the audited namespaces: top-level kinds, and others without a controller.
    pub fn audited_workloads(&self) -> impl Iterator<Item = (usize, &Arc<Item<Workload>>)> {
        let namespaces = self.relations.top_level().iter();
        let audited = namespaces.filter(|group| self.scope.covers(self.workloads.at(group[0]).namespace()));
        audited.flatten().map(|position| (*position, self.workloads.at(*position)))
    }

    /// The audited namespaces that have workloads, by name, with the Namespace object if it was read.
    pub fn audited_namespaces(&self) -> Vec<Subject> {
        let mut names: Vec<&str> = Vec::new();
        for (_, workload) in self.audited_workloads() {
            if names.last() != Some(&workload.namespace()) {
                names.push(workload.namespace());
            }
        }
        names.into_iter().map(|name| self.namespace_subject(name)).collect()
    }

    /// The name of a namespace as the subject of a verdict.
    pub fn namespace_subject(&self, name: &str) -> Subject {
        self.namespaces.get("", "Namespace", name).map_or_else(
            || Arc::new(ObjectRef::new("v1", "Namespace", None, name)),
            |namespace| namespace.subject.clone(),
        )
    }

    /// The whole cluster as the subject of a verdict: the context's name.
    pub fn cluster_subject(&self) -> Subject {
        let name = match &self.world {
            World::Cluster { context: Some(context), .. } => context,
            World::Cluster { server, .. } => server,
            World::Manifests { .. } => "manifests",
        };
        Arc::new(ObjectRef::new("", "Cluster", None, name))
    }

    /// Custom resources of one kind, by resource name; none if it was never read.
    pub fn other(&self, resource: &str) -> impl Iterator<Item = &Arc<Item<Other>>> {
        self.custom(resource).into_iter().flat_map(Store::iter)
    }

    /// Shows every object with its metadata, kind by kind. Bare pods are shown twice: they are
    /// workloads, too.
    pub fn each_meta(&self, show: impl FnMut(&Subject, &Meta)) {
        lookup::each_meta(self, show);
    }

    /// How many objects were read.
    pub fn len(&self) -> usize {
        lookup::count(self)
    }

    /// True if nothing was read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many objects of the audited namespaces, and of the whole cluster, were read.
    pub fn audited_len(&self) -> usize {
        lookup::count_audited(self)
    }
}

/// True for workloads that a rule judges: not those that another workload made.
pub fn is_top_level(workload: &Workload) -> bool {
    match workload.kind.as_str() {
        "Deployment" | "StatefulSet" | "DaemonSet" | "CronJob" => true,
        _ => workload.metadata.controller().is_none(),
    }
}
