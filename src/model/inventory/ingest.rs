//! From JSON into stores: one object, or the bytes of a page.

use std::borrow::Borrow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Inventory;
use super::bad::BadObject;
use super::kinds::{every_store, is_built_in_group, kinds, other_key};
use crate::model::amounts;
use crate::model::object::Condition;
use crate::model::parallel;
use crate::model::pod::PodTemplate;
use crate::model::store::{Item, Origin, Projection, Replaced, Store};
use crate::model::workload::{Workload, WorkloadSpec};

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
    #[serde(default = "Vec::new", deserialize_with = "crate::model::object::nullable")]
    items: Vec<T>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMeta {
    #[serde(rename = "continue")]
    continue_token: String,
    resource_version: String,
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
        self.default_selector();
        self.compact();
    }
}

impl Arrive for crate::model::policy::DisruptionBudget {
    /// Before `policy/v1` an empty selector selects no pods.
    fn arrive(&mut self, api_version: &str, _kind: &str) {
        if api_version == "policy/v1beta1" {
            self.spec.selector = self.spec.selector.take().filter(|selector| !selector.is_empty());
        }
    }
}

impl Arrive for crate::model::pod::Pod {
    fn arrive(&mut self, _api_version: &str, _kind: &str) {
        self.requests = amounts::requests(&self.spec);
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
        value: impl Borrow<Value>,
        origin: Option<Origin>,
    ) -> Result<(), BadObject> {
        let value = value.borrow();
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let name = text("/metadata/name").or_else(|| text("/metadata/generateName")).unwrap_or_default();
        self.add_from(api_version, kind, name, value, origin)
    }

    /// The same from anything that reads like JSON. The name is for an object whose metadata has none,
    /// since the server completes it, and for the message of a refusal.
    pub fn add_from<'de, D: Deserializer<'de, Error = serde_json::Error> + Copy>(
        &mut self,
        api_version: &str,
        kind: &str,
        name: &str,
        value: D,
        origin: Option<Origin>,
    ) -> Result<(), BadObject> {
        macro_rules! dispatch {
            ($($name:literal => $store:ident),* $(,)?) => {
                match kind {
                    $($name if is_built_in_group(api_version) => add(&mut self.$store, api_version, kind, name, value, origin),)*
                    _ => {
                        let resource = other_key(api_version, kind);
                        add(self.others.entry(resource).or_default(), api_version, kind, name, value, origin)
                    }
                }
            };
        }
        kinds!(dispatch)
    }

    /// Adds the objects of a page of a list, straight from its bytes. An object of the wrong shape
    /// is left out and named; the others stay.
    pub fn add_page(&mut self, api_version: &str, kind: &str, bytes: &[u8]) -> Result<PageEnd, BadObject> {
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

    /// Takes over everything that another, unfinished inventory holds.
    pub fn absorb(&mut self, mut other: Self) {
        absorb_stores(self, &mut other);
        for (resource, store) in other.others {
            self.others.entry(resource).or_default().absorb(store);
        }
        self.gaps.append(&mut other.gaps);
        self.absent_kinds.append(&mut other.absent_kinds);
        self.unplaced.append(&mut other.unplaced);
    }

    /// The same for manifests that follow after this many documents.
    pub fn absorb_after(&mut self, documents: usize, mut other: Self) {
        let moved = |origin: Origin| Origin { document: origin.document + documents, ..origin };
        macro_rules! displace { ($($store:ident),*) => {$( other.$store.displace(moved); )*}; }
        every_store!(displace);
        other.others.values_mut().for_each(|store| store.displace(moved));
        other.unplaced = other.unplaced.into_iter().map(moved).collect();
        self.absorb(other);
    }

    /// Shows pods without a controller as workloads of their own.
    pub(super) fn adopt_bare_pods(&mut self) {
        let bare: Vec<_> = self.pods.iter().filter(|pod| pod.metadata.controller().is_none()).cloned().collect();
        for pod in bare {
            let template = PodTemplate { metadata: pod.metadata.clone(), spec: pod.spec.clone() };
            let mut workload = Workload {
                api_version: "v1".to_owned(),
                kind: "Pod".to_owned(),
                metadata: pod.metadata.clone(),
                spec: WorkloadSpec { template: Some(template), ..WorkloadSpec::default() },
                ..Workload::default()
            };
            if pod.has_ended() {
                let ended =
                    Condition { kind: "Complete".to_owned(), status: "True".to_owned(), ..Condition::default() };
                workload.status.conditions.push(ended);
            }
            self.workloads.push(Item { subject: pod.subject.clone(), origin: pod.origin, body: workload });
        }
    }
}

fn add<'de, T: DeserializeOwned + Projection + Arrive, D: Deserializer<'de, Error = serde_json::Error> + Copy>(
    store: &mut Store<T>,
    api_version: &str,
    kind: &str,
    name: &str,
    value: D,
    origin: Option<Origin>,
) -> Result<(), BadObject> {
    let mut body = T::deserialize(value).map_err(|error| {
        let value = Value::deserialize(value).unwrap_or_default();
        BadObject::traced::<T>(kind, name, &error, &value)
    })?;
    if body.meta().name.is_empty() {
        name.clone_into(&mut body.meta_mut().name);
    }
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
    Ok(PageEnd { continue_token, resource_version: page.metadata.resource_version, bad })
}

/// Reads a page whose objects are not all of the right shape.
fn one_by_one<T: DeserializeOwned>(kind: &str, bytes: &[u8], bad: &mut Vec<BadObject>) -> Result<Page<T>, BadObject> {
    let raw: Page<Box<RawValue>> =
        serde_json::from_slice(bytes).map_err(|error| BadObject::new(format!("a page of {kind}"), &error))?;
    let mut items = Vec::new();
    for text in raw.items {
        match serde_json::from_str(text.get()) {
            Ok(item) => items.push(item),
            Err(error) => {
                let value: Value = serde_json::from_str(text.get()).unwrap_or_default();
                let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                bad.push(BadObject::traced::<T>(kind, name, &error, &value));
            }
        }
    }
    Ok(Page { metadata: raw.metadata, items })
}

fn absorb_stores(into: &mut Inventory, from: &mut Inventory) {
    macro_rules! take { ($($store:ident),*) => {$( into.$store.absorb(std::mem::take(&mut from.$store)); )*}; }
    every_store!(take);
}

impl Inventory {
    pub(super) fn sort(&mut self) {
        let mut jobs: Vec<parallel::Job<'_, Vec<Replaced>>> = Vec::new();
        macro_rules! sort { ($($store:ident),*) => {$( jobs.push(Box::new(|| self.$store.sort())); )*}; }
        every_store!(sort);
        jobs.extend(self.others.values_mut().map(|store| -> parallel::Job<'_, _> { Box::new(|| store.sort()) }));
        let mut replaced: Vec<Replaced> = parallel::all(jobs).into_iter().flatten().collect();
        replaced.sort_by_key(|replaced| replaced.origin);
        self.replaced.append(&mut replaced);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_by_the_server_has_the_begin_of_its_name() {
        let mut inventory = Inventory::default();
        let job = |begin: &str| serde_json::json!({"metadata": {"generateName": begin, "namespace": "a"}});
        inventory.add("batch/v1", "Job", job("migrate-"), None).unwrap();
        inventory.add("batch/v1", "Job", job("seed-"), None).unwrap();
        let names: Vec<_> = inventory.finish().workloads.iter().map(|job| job.name().to_owned()).collect();
        assert_eq!(names, ["migrate-", "seed-"]);
    }

    #[test]
    fn an_empty_selector_of_the_first_budgets_selects_nothing() {
        let mut inventory = Inventory::default();
        for version in ["policy/v1", "policy/v1beta1"] {
            let name = version.replace('/', "-");
            let budget = serde_json::json!({"metadata": {"name": name, "namespace": "a"}, "spec": {"selector": {}}});
            inventory.add(version, "PodDisruptionBudget", budget, None).unwrap();
        }
        let budgets = inventory.finish().budgets;
        let selects = |name| budgets.get("a", "PodDisruptionBudget", name).unwrap().spec.selector.is_some();
        assert!(selects("policy-v1") && !selects("policy-v1beta1"));
    }

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
}
