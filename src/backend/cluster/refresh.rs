//! Some objects of a snapshot read once more.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};
use serde_json::Value;

use super::connect::Connection;
use super::follow::View;
use super::objects::{self, GetError, Place};
use super::rollout::Seen;
use super::{list, resources};
use crate::fix::Step;
use crate::model::inventory::resource_name;
use crate::model::{Inventory, ObjectRef, Subject};
use crate::plan::merge::rolls_out;

/// Lists that run at the same time.
const PARALLEL: usize = 4;

/// So many objects of a kind in a namespace are read by one list, unless they are fewer than one in so
/// many of those that are known.
const MANY: usize = 8;
const FEW: usize = 20;

/// What is to be read again.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Those that are needed raw.
    places: BTreeMap<String, Place>,
    /// Those that rules read.
    objects: BTreeMap<String, ObjectRef>,
    lists: BTreeSet<List>,
}

/// All objects of a kind in a namespace: version, kind, namespace.
type List = (String, String, Option<String>);

impl Wanted {
    /// An object. Secrets are never read, and the whole cluster is none.
    pub fn object(&mut self, object: &ObjectRef) {
        if !object.is_whole_cluster() && object.kind != "Secret" {
            self.objects.entry(key(object, None)).or_insert_with(|| object.clone());
        }
    }

    /// What a step is built from. For an object that is to be made all of its kind in the namespace:
    /// any of them may be the one that was missing. For pods that are replaced the quotas that were
    /// there, of which earlier rollouts may have taken the rest.
    pub fn step(&mut self, step: &Step, known: &Inventory) {
        let namespace = step.object().namespace();
        if rolls_out(step) && !known.quotas.within(namespace).is_empty() {
            self.list_of(&ObjectRef::new("v1", "ResourceQuota", Some(namespace), ""));
        }
        if let Some((object, part)) = step.source() {
            let place = || (object.clone(), part.map(str::to_owned));
            self.places.entry(key(object, part)).or_insert_with(place);
        } else if let Step::Create { object, .. } = step {
            self.list_of(object);
        }
    }

    /// All objects of the kind and namespace of this one.
    pub fn list_of(&mut self, object: &ObjectRef) {
        self.lists.insert(list_of(object));
    }

    /// What is read one by one, where many of a kind and namespace are wanted by a list of them.
    fn plan(mut self, inventory: &Inventory) -> (Vec<Place>, BTreeSet<List>) {
        let mut kinds: BTreeMap<List, Vec<String>> = BTreeMap::new();
        for (key, object) in self.objects.iter().filter(|(key, _)| !self.places.contains_key(*key)) {
            kinds.entry(list_of(object)).or_default().push(key.clone());
        }
        for (list, members) in kinds.into_iter().filter(|(_, members)| members.len() >= MANY) {
            let mut known = 0;
            inventory.each_meta(|object, _| known += usize::from(is_in(&list, object)));
            if known <= members.len() * FEW {
                members.iter().for_each(|key| drop(self.objects.remove(key)));
                self.lists.insert(list);
            }
        }
        self.objects.retain(|_, object| !self.lists.iter().any(|list| is_in(list, object)));
        let single = self.objects.into_iter().map(|(key, object)| (key, (object, None)));
        self.places = single.chain(self.places).collect();
        (self.places.into_values().collect(), self.lists)
    }
}

fn list_of(object: &ObjectRef) -> List {
    (object.api_version.clone(), object.kind.clone(), object.namespace.clone())
}

fn is_in((version, kind, namespace): &List, object: &ObjectRef) -> bool {
    object.kind == *kind && object.namespace == *namespace && same_group(&object.api_version, version)
}

/// What tells a place from others: one object may be named with its uid and without.
pub fn key(object: &ObjectRef, part: Option<&str>) -> String {
    format!("{} {object} {}", object.group(), part.unwrap_or_default())
}

/// What was read of a place.
pub type Read = (Place, Result<Option<Value>, GetError>);

/// The inventory with what is wanted as it is now, and the objects raw. What can't be read stays as it
/// was: of an object the answer says so, of a list the dry run has the last word.
pub async fn refresh(connection: &Connection, mut inventory: Inventory, wanted: Wanted) -> (Inventory, Vec<Read>) {
    let (places, lists) = wanted.plan(&inventory);
    let (read, lists) = (objects::find_all(connection, places).await, read_lists(connection, lists).await);
    let listed = |object: &ObjectRef, lists: &[(List, Inventory)]| lists.iter().any(|(list, _)| is_in(list, object));
    // The newer of two answers counts: lists are read last.
    let answers =
        || read.iter().filter(|((place, part), answer)| part.is_none() && answer.is_ok() && !listed(place, &lists));
    let single: BTreeSet<String> = answers().map(|((place, _), _)| key(place, None)).collect();
    inventory.retain(|object| !listed(object, &lists) && !single.contains(&key(object, None)));
    for ((object, _), answer) in answers() {
        if let Ok(Some(value)) = answer {
            // What the audit could read, the server still serves in that shape.
            let _ = inventory.add(&object.api_version, &object.kind, value, None);
        }
    }
    lists.into_iter().for_each(|(_, list)| inventory.absorb(list));
    (inventory.finish(), read)
}

/// Puts a workload with its ReplicaSets and pods into an inventory, as the watches of its rollout saw
/// them last; what they could not see stays as it was.
pub fn absorb(inventory: &mut Inventory, object: &ObjectRef, seen: &Seen) {
    let namespace = object.namespace();
    let of_workload = |labels: &crate::model::selector::Labels| seen.selector.matches(labels);
    let stale = |store: Vec<Subject>, view: &View| if matches!(view, View::Objects(_)) { store } else { Vec::new() };
    let pods = inventory.pods.within(namespace).iter().filter(|pod| of_workload(&pod.metadata.labels));
    let mut gone = stale(pods.map(|pod| pod.subject.clone()).collect(), &seen.pods);
    let workloads = inventory.workloads.within(namespace).iter();
    let sets = workloads.filter(|it| it.kind == "ReplicaSet" && of_workload(&it.metadata.labels));
    gone.extend(stale(sets.map(|set| set.subject.clone()).collect(), &seen.sets));
    let news = [&seen.workload, &seen.sets, &seen.pods].into_iter().flat_map(View::objects);
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let whole = seen.workload.objects().next().is_some();
    inventory.retain(|other| !(gone.iter().any(|it| it.same(other)) || whole && object.same(other)));
    for value in news {
        // The audit read these kinds in that shape.
        let _ = inventory.add(&text(value, "apiVersion"), &text(value, "kind"), value, None);
    }
}

async fn read_lists(connection: &Connection, wanted: BTreeSet<List>) -> Vec<(List, Inventory)> {
    let lists = stream::iter(wanted).map(|wanted| async move {
        let (version, kind, namespace) = &wanted;
        let name = resource_name(version, kind);
        let plural = name.split('.').next().unwrap_or_default();
        let resource = resources::custom(version, plural, kind, namespace.is_some());
        let inventory = list::list(connection, &resource, namespace.as_deref()).await.ok()?;
        Some((wanted, inventory))
    });
    lists.buffered(PARALLEL).filter_map(|list| async move { list }).collect().await
}

fn same_group(one: &str, other: &str) -> bool {
    let group = |version: &str| version.split_once('/').map_or(String::new(), |(group, _)| group.to_owned());
    group(one) == group(other)
}
