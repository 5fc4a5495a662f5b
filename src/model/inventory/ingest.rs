//! From JSON into stores: one object, or the bytes of a page.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Inventory;
use crate::model::object::{Meta, ObjectRef};
use crate::model::pod::PodTemplate;
use crate::model::store::{Item, Origin, Projection, Store};
use crate::model::workload::{Workload, WorkloadSpec};

/// An object that does not have the shape of its kind.
#[derive(Debug, thiserror::Error)]
#[error("failed to read {object}: {reason}")]
pub struct BadObject {
    /// Which object, as far as its metadata could be read.
    pub object: String,
    /// What is wrong.
    pub reason: String,
}

/// How a page of a list ended.
#[derive(Debug, Default)]
pub struct PageEnd {
    /// The token of the next page; `None` after the last.
    pub continue_token: Option<String>,
    /// The version that all pages show.
    pub resource_version: String,
    /// Objects of the page that do not have the shape of their kind.
    pub bad: Vec<BadObject>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Page<T> {
    #[serde(default)]
    metadata: PageMeta,
    #[serde(
        default = "Vec::new",
        deserialize_with = "crate::model::object::nullable"
    )]
    items: Vec<T>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMeta {
    #[serde(rename = "continue")]
    continue_token: String,
    resource_version: String,
}

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

/// Groups in which a kind of the table above means the built-in one.
fn is_built_in_group(api_version: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    matches!(
        group,
        "" | "apps" | "batch" | "autoscaling" | "policy" | "extensions"
    ) || group.ends_with(".k8s.io")
}

/// What a kind needs after reading: its own name where a list leaves it out, and less memory.
trait Arrive {
    fn arrive(&mut self, _api_version: &str, _kind: &str) {}
}

macro_rules! arrive_as_is {
    ($($module:ident :: $name:ident),* $(,)?) => {$( impl Arrive for crate::model::$module::$name {} )*};
}
arrive_as_is!(
    network::Service,
    network::EndpointSlice,
    network::Ingress,
    network::IngressClass,
    network::NetworkPolicy,
    policy::Autoscaler,
    policy::DisruptionBudget,
    policy::ResourceQuota,
    policy::LimitRange,
    cluster::Namespace,
    cluster::ConfigMap,
    cluster::Node,
    cluster::VolumeClaim,
    cluster::ServiceAccount,
    cluster::RoleBinding,
    cluster::WebhookConfiguration,
    cluster::ApiService,
    cluster::Definition,
);

impl Arrive for Workload {
    fn arrive(&mut self, api_version: &str, kind: &str) {
        api_version.clone_into(&mut self.api_version);
        kind.clone_into(&mut self.kind);
        self.compact();
    }
}

impl Arrive for crate::model::pod::Pod {
    fn arrive(&mut self, _api_version: &str, _kind: &str) {
        self.compact();
    }
}

impl Arrive for crate::model::cluster::Other {
    fn arrive(&mut self, api_version: &str, kind: &str) {
        api_version.clone_into(&mut self.api_version);
        kind.clone_into(&mut self.kind);
    }
}

impl Inventory {
    /// Adds one object. Kinds that no rule knows are kept as they are under `KIND.GROUP`.
    pub fn add(
        &mut self,
        api_version: &str,
        kind: &str,
        value: Value,
        origin: Option<Origin>,
    ) -> Result<(), BadObject> {
        macro_rules! dispatch {
            ($($name:literal => $store:ident),* $(,)?) => {
                match kind {
                    $($name if is_built_in_group(api_version) => add(&mut self.$store, api_version, kind, value, origin),)*
                    _ => {
                        let resource = other_key(api_version, kind);
                        add(self.others.entry(resource).or_default(), api_version, kind, value, origin)
                    }
                }
            };
        }
        kinds!(dispatch)
    }

    /// Adds the objects of a page of a list, straight from its bytes. An object of the wrong shape
    /// is left out and named; the others stay.
    pub fn add_page(
        &mut self,
        api_version: &str,
        kind: &str,
        bytes: &[u8],
    ) -> Result<PageEnd, BadObject> {
        macro_rules! dispatch {
            ($($name:literal => $store:ident),* $(,)?) => {
                match kind {
                    $($name if is_built_in_group(api_version) => add_page(&mut self.$store, api_version, kind, bytes),)*
                    _ => {
                        let resource = other_key(api_version, kind);
                        add_page(self.others.entry(resource).or_default(), api_version, kind, bytes)
                    }
                }
            };
        }
        kinds!(dispatch)
    }

    /// The projection of an object as JSON, with the fields where the API has them.
    pub fn projection(&self, subject: &ObjectRef) -> Option<Value> {
        let (namespace, kind, name) = (
            subject.namespace(),
            subject.kind.as_str(),
            subject.name.as_str(),
        );
        macro_rules! dispatch {
            ($($known:literal => $store:ident),* $(,)?) => {
                match kind {
                    $($known if is_built_in_group(&subject.api_version) => {
                        body_of(self.$store.get(namespace, kind, name)?)
                    })*
                    _ => {
                        let resource = other_key(&subject.api_version, kind);
                        body_of(self.others.get(&resource)?.get(namespace, kind, name)?)
                    }
                }
            };
        }
        kinds!(dispatch)
    }

    /// Takes over everything that another, unfinished inventory holds.
    pub fn absorb(&mut self, other: &Self) {
        absorb_stores(self, other);
        for (resource, store) in &other.others {
            let mine = self.others.entry(resource.clone()).or_default();
            store.iter().for_each(|item| mine.push((**item).clone()));
        }
        self.gaps.extend(other.gaps.iter().cloned());
        self.absent_kinds.extend(other.absent_kinds.iter().cloned());
    }

    /// Shows pods without a controller as workloads of their own.
    pub(super) fn adopt_bare_pods(&mut self) {
        let bare: Vec<_> = self
            .pods
            .iter()
            .filter(|pod| pod.metadata.controller().is_none())
            .cloned()
            .collect();
        for pod in bare {
            let template = PodTemplate {
                metadata: pod.metadata.clone(),
                spec: pod.spec.clone(),
            };
            let workload = Workload {
                api_version: "v1".to_owned(),
                kind: "Pod".to_owned(),
                metadata: pod.metadata.clone(),
                spec: WorkloadSpec {
                    template: Some(template),
                    ..WorkloadSpec::default()
                },
                ..Workload::default()
            };
            self.workloads.push(Item {
                subject: pod.subject.clone(),
                origin: pod.origin,
                body: workload,
            });
        }
    }
}

fn body_of<T: serde::Serialize>(item: &Item<T>) -> Option<Value> {
    serde_json::to_value(&item.body).ok()
}

/// The name under which objects of a custom kind are kept: the plural as definitions name it is not
/// known from a manifest, so the usual English one is built.
pub(super) fn other_key(api_version: &str, kind: &str) -> String {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let lower = kind.to_lowercase();
    let plural = match lower.as_bytes() {
        [.., b's' | b'x'] | [.., b'c' | b's', b'h'] => format!("{lower}es"),
        [.., before, b'y'] if !b"aeiou".contains(before) => {
            format!("{}ies", &lower[..lower.len() - 1])
        }
        _ => format!("{lower}s"),
    };
    if group.is_empty() {
        plural
    } else {
        format!("{plural}.{group}")
    }
}

fn add<T: DeserializeOwned + Projection + Arrive>(
    store: &mut Store<T>,
    api_version: &str,
    kind: &str,
    value: Value,
    origin: Option<Origin>,
) -> Result<(), BadObject> {
    let name = value
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let mut body: T = serde_json::from_value(value).map_err(|error| BadObject {
        object: format!("{kind}/{name}"),
        reason: error.to_string(),
    })?;
    body.arrive(api_version, kind);
    store.push(Item::new(api_version, kind, body, origin));
    Ok(())
}

fn add_page<T: DeserializeOwned + Projection + Arrive>(
    store: &mut Store<T>,
    api_version: &str,
    kind: &str,
    bytes: &[u8],
) -> Result<PageEnd, BadObject> {
    let mut bad = Vec::new();
    let page = match serde_json::from_slice::<Page<T>>(bytes) {
        Ok(page) => page,
        Err(_) => one_by_one(kind, bytes, &mut bad)?,
    };
    for mut body in page.items {
        body.arrive(api_version, kind);
        store.push(Item::new(api_version, kind, body, None));
    }
    let continue_token = Some(page.metadata.continue_token).filter(|token| !token.is_empty());
    Ok(PageEnd {
        continue_token,
        resource_version: page.metadata.resource_version,
        bad,
    })
}

/// Reads a page whose objects are not all of the right shape.
fn one_by_one<T: DeserializeOwned>(
    kind: &str,
    bytes: &[u8],
    bad: &mut Vec<BadObject>,
) -> Result<Page<T>, BadObject> {
    #[derive(Default, Deserialize)]
    struct Named {
        #[serde(default)]
        metadata: Meta,
    }
    let raw: Page<Box<RawValue>> = serde_json::from_slice(bytes).map_err(|error| BadObject {
        object: format!("a page of {kind}"),
        reason: error.to_string(),
    })?;
    let mut items = Vec::new();
    for text in raw.items {
        match serde_json::from_str(text.get()) {
            Ok(item) => items.push(item),
            Err(error) => {
                let meta = serde_json::from_str::<Named>(text.get())
                    .unwrap_or_default()
                    .metadata;
                let object =
                    ObjectRef::new("", kind, meta.namespace.as_deref(), &meta.name).to_string();
                bad.push(BadObject {
                    object,
                    reason: error.to_string(),
                });
            }
        }
    }
    Ok(Page {
        metadata: raw.metadata,
        items,
    })
}

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

fn absorb_stores(into: &mut Inventory, from: &Inventory) {
    macro_rules! take { ($($store:ident),*) => {$( into.$store.absorb(&from.$store); )*}; }
    every_store!(take);
}

impl Inventory {
    pub(super) fn sort(&mut self) {
        macro_rules! sort { ($($store:ident),*) => {$( self.$store.sort(); )*}; }
        every_store!(sort);
        self.others.values_mut().for_each(Store::sort);
    }

    /// Takes one object out, wherever it is. [`Inventory::finish`] must follow.
    pub fn remove(&mut self, subject: &ObjectRef) {
        macro_rules! remove { ($($store:ident),*) => {$( self.$store.remove(subject); )*}; }
        every_store!(remove);
        self.others
            .values_mut()
            .for_each(|store| store.remove(subject));
    }
}

impl Inventory {
    /// The metadata of an object, wherever it is.
    pub fn meta(&self, subject: &ObjectRef) -> Option<&Meta> {
        let (namespace, kind, name) = (
            subject.namespace(),
            subject.kind.as_str(),
            subject.name.as_str(),
        );
        macro_rules! dispatch {
            ($($known:literal => $store:ident),* $(,)?) => {
                match kind {
                    $($known if is_built_in_group(&subject.api_version) => {
                        self.$store.get(namespace, kind, name).map(|item| item.body.meta())
                    })*
                    _ => {
                        let resource = other_key(&subject.api_version, kind);
                        self.others.get(&resource)?.get(namespace, kind, name).map(|item| item.body.meta())
                    }
                }
            };
        }
        kinds!(dispatch)
    }

    /// Where an object stands in the manifests.
    pub fn origin(&self, subject: &ObjectRef) -> Option<Origin> {
        let (namespace, kind, name) = (
            subject.namespace(),
            subject.kind.as_str(),
            subject.name.as_str(),
        );
        macro_rules! dispatch {
            ($($known:literal => $store:ident),* $(,)?) => {
                match kind {
                    $($known if is_built_in_group(&subject.api_version) => {
                        self.$store.get(namespace, kind, name).and_then(|item| item.origin)
                    })*
                    _ => {
                        let resource = other_key(&subject.api_version, kind);
                        self.others.get(&resource)?.get(namespace, kind, name).and_then(|item| item.origin)
                    }
                }
            };
        }
        kinds!(dispatch)
    }
}

pub(super) fn count(inventory: &Inventory) -> usize {
    macro_rules! sum { ($($store:ident),*) => { 0 $( + inventory.$store.len() )* }; }
    let built_in = every_store!(sum);
    let bare_pods = inventory
        .workloads
        .iter()
        .filter(|workload| workload.subject.kind == "Pod")
        .count();
    built_in - bare_pods + inventory.others.values().map(Store::len).sum::<usize>()
}

pub(super) fn count_audited(inventory: &Inventory) -> usize {
    let covered = |subject: &ObjectRef| match &subject.namespace {
        Some(namespace) => inventory.scope.covers(namespace),
        None => subject.kind == "Namespace" && inventory.scope.covers(&subject.name),
    };
    macro_rules! sum {
        ($($store:ident),*) => { 0 $( + inventory.$store.iter().filter(|item| covered(&item.subject)).count() )* };
    }
    let built_in = every_store!(sum);
    let bare = |workload: &&std::sync::Arc<Item<Workload>>| {
        workload.subject.kind == "Pod" && covered(&workload.subject)
    };
    let others = inventory
        .others
        .values()
        .flat_map(Store::iter)
        .filter(|item| covered(&item.subject))
        .count();
    built_in - inventory.workloads.iter().filter(bare).count() + others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_object_does_not_spoil_a_page() {
        let mut inventory = Inventory::default();
        let page = br#"{"metadata":{"continue":"x","resourceVersion":"7"},"items":[
            {"metadata":{"name":"good","namespace":"a"},"data":{"K":"v"}},
            {"metadata":{"name":"bad","namespace":"a"},"data":{"K":7}}]}"#;
        let end = inventory.add_page("v1", "ConfigMap", page).unwrap();
        assert_eq!(end.continue_token.as_deref(), Some("x"));
        assert_eq!(inventory.config_maps.len(), 1);
        assert_eq!(end.bad[0].object, "ConfigMap/a/bad");
    }

    #[test]
    fn plurals() {
        assert_eq!(other_key("velero.io/v1", "Backup"), "backups.velero.io");
        assert_eq!(
            other_key("cilium.io/v2", "CiliumNetworkPolicy"),
            "ciliumnetworkpolicies.cilium.io"
        );
        assert_eq!(
            other_key("gateway.networking.k8s.io/v1", "Gateway"),
            "gateways.gateway.networking.k8s.io"
        );
        assert_eq!(
            other_key("monitoring.coreos.com/v1", "Prometheus"),
            "prometheuses.monitoring.coreos.com"
        );
    }
}
