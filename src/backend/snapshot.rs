//! The inventory of manifests: the same model as that of a cluster, from files.

use serde_json::Value;

use super::manifests::{Loaded, Manifests};
use crate::model::object::is_cluster_wide;
use crate::model::store::Origin;
use crate::model::{Gap, Inventory, Scope, World};

/// Puts the objects of manifests into an inventory. A namespace that is left out is `namespace`,
/// else `default`. Objects that do not have the shape of their kind become gaps and messages.
pub fn of(manifests: &Manifests, scope: Scope, complete: bool, namespace: Option<&str>) -> (Inventory, Vec<String>) {
    let mut inventory = Inventory::new(World::Manifests { complete }, scope, jiff::Timestamp::now());
    let mut bad = Vec::new();
    for (document, loaded) in manifests.objects.iter().enumerate() {
        let text = |key: &str| loaded.value.get(key).and_then(Value::as_str).unwrap_or_default();
        let (version, kind) = (text("apiVersion"), text("kind"));
        let origin = Some(Origin { document, item: None });
        let added = match placed(loaded, version, kind, namespace) {
            Some(value) => {
                if namespace.is_none() {
                    inventory.unplaced.extend(origin);
                }
                inventory.add(version, kind, value, origin)
            }
            None => inventory.add(version, kind, &loaded.value, origin),
        };
        if let Err(error) = added {
            let line = loaded.line("").map(|line| format!(":{line}")).unwrap_or_default();
            bad.push(format!("{}{line}: {error}", loaded.source.file()));
            let (kind, reason) = (error.object, error.reason);
            inventory.gaps.push(Gap { kind, verb: "read".into(), scope: "object".into(), reason });
        }
    }
    (inventory.finish(), bad)
}

/// The object with its namespace, where the manifest leaves it out.
fn placed(loaded: &Loaded, version: &str, kind: &str, namespace: Option<&str>) -> Option<Value> {
    let given = loaded.value.pointer("/metadata/namespace").and_then(Value::as_str).is_some_and(|n| !n.is_empty());
    if given || is_cluster_wide(version, kind) {
        return None;
    }
    let mut value = loaded.value.clone();
    value.get_mut("metadata")?.as_object_mut()?.insert("namespace".into(), namespace.unwrap_or("default").into());
    Some(value)
}
