//! Objects by name, whatever their kind, and how many there are.

use serde_json::Value;

use super::Inventory;
use super::kinds::{every_store, is_built_in_group, kinds, other_key};
use crate::model::object::{Meta, ObjectRef, Subject};
use crate::model::store::{Item, Origin, Projection, Store};
use crate::model::workload::Workload;

impl Inventory {
    /// The projection of an object as JSON, with the fields where the API has them.
    pub fn projection(&self, subject: &ObjectRef) -> Option<Value> {
        let (namespace, kind, name) = (subject.namespace(), subject.kind.as_str(), subject.name.as_str());
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

    /// Leaves just the objects that `stays` says, wherever they are. [`Inventory::finish`] must
    /// follow.
    pub fn retain(&mut self, stays: impl Fn(&ObjectRef) -> bool) {
        macro_rules! retain { ($($store:ident),*) => {$( self.$store.retain(&stays); )*}; }
        every_store!(retain);
        self.others.values_mut().for_each(|store| store.retain(&stays));
    }

    /// The metadata of an object, wherever it is.
    pub fn meta(&self, subject: &ObjectRef) -> Option<&Meta> {
        let (namespace, kind, name) = (subject.namespace(), subject.kind.as_str(), subject.name.as_str());
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
        let (namespace, kind, name) = (subject.namespace(), subject.kind.as_str(), subject.name.as_str());
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

/// Every object with its metadata, kind by kind. Bare pods stand twice: they are workloads, too.
pub(super) fn each_meta(inventory: &Inventory, mut show: impl FnMut(&Subject, &Meta)) {
    macro_rules! show {
        ($($store:ident),*) => {$(
            inventory.$store.iter().for_each(|item| show(&item.subject, item.body.meta()));
        )*};
    }
    every_store!(show);
    inventory.others.values().flat_map(Store::iter).for_each(|item| show(&item.subject, item.body.meta()));
}

pub(super) fn count(inventory: &Inventory) -> usize {
    macro_rules! sum { ($($store:ident),*) => { 0 $( + inventory.$store.len() )* }; }
    let built_in = every_store!(sum);
    let bare_pods = inventory.workloads.iter().filter(|workload| workload.subject.kind == "Pod").count();
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
    let bare =
        |workload: &&std::sync::Arc<Item<Workload>>| workload.subject.kind == "Pod" && covered(&workload.subject);
    let others = inventory.others.values().flat_map(Store::iter).filter(|item| covered(&item.subject)).count();
    built_in - inventory.workloads.iter().filter(bare).count() + others
}

fn body_of<T: serde::Serialize>(item: &Item<T>) -> Option<Value> {
    serde_json::to_value(&item.body).ok()
}
