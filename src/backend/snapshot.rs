//! The inventory of manifests: the same model as that of a cluster, from files.

use serde_json::Value;

use super::manifests::Manifests;
use crate::model::object::is_cluster_wide;
use crate::model::store::Origin;
use crate::model::{Gap, Inventory, Scope, World};

/// Puts the objects of manifests into an inventory. A namespace that is left out is `namespace`,
/// else `default`. Objects that do not have the shape of their kind become gaps and messages.
/// The values are taken from the manifests: what is in the inventory is all that stays of them.
pub fn of(
    manifests: &mut Manifests,
    scope: Scope,
    complete: bool,
    namespace: Option<&str>,
) -> (Inventory, Vec<String>) {
    let mut inventory = Inventory::new(World::Manifests { complete }, scope, jiff::Timestamp::now());
    let mut bad = Vec::new();
    for (document, loaded) in manifests.objects.iter_mut().enumerate() {
        let mut value = loaded.value.take();
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (version, kind) = (text("apiVersion"), text("kind"));
        let origin = Some(Origin { document, item: None });
        if place(&mut value, &version, &kind, namespace) && namespace.is_none() {
            inventory.unplaced.extend(origin);
        }
        let added = inventory.add(&version, &kind, &value, origin);
        if let Err(error) = added {
            let line = loaded.line("").map(|line| format!(":{line}")).unwrap_or_default();
            bad.push(format!("{}{line}: {error}", loaded.source.file()));
            let (kind, reason) = (error.object, error.reason);
            inventory.gaps.push(Gap { kind, verb: "read".into(), scope: "object".into(), reason });
        }
    }
    (inventory.finish(), bad)
}

/// Gives an object its namespace where the manifest leaves it out; true if it did.
fn place(value: &mut Value, version: &str, kind: &str, namespace: Option<&str>) -> bool {
    let given = value.pointer("/metadata/namespace").and_then(Value::as_str).is_some_and(|n| !n.is_empty());
    if given || is_cluster_wide(version, kind) {
        return false;
    }
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return false };
    metadata.insert("namespace".into(), namespace.unwrap_or("default").into());
    true
}
