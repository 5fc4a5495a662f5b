//! The values of `ConfigMap`s that a workload mounts as files.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::inventory::Inventory;
use crate::model::object::Subject;
use crate::model::pod::{PodSpec, Volume};
use crate::model::store::Item;
use crate::model::workload::Workload;

/// The `ConfigMap` and key of every file that a container of the workload sees, once and in order.
pub(super) fn files<'a>(inventory: &'a Inventory, workload: &Item<Workload>) -> Vec<(&'a Subject, &'a str)> {
    let mut out = BTreeMap::new();
    let Some(template) = workload.template() else {
        return Vec::new();
    };
    for volume in &template.spec.volumes {
        let Some(parts) = mounted_parts(&template.spec, &volume.name) else {
            continue;
        };
        for source in sources(volume) {
            let name = source.get("name").and_then(Value::as_str).unwrap_or_default();
            let Some(map) = inventory.config_maps.get(workload.namespace(), "ConfigMap", name) else {
                continue;
            };
            for key in map.data.keys() {
                let path = path_of(source, key);
                if path.is_some_and(|path| parts.is_empty() || parts.contains(&path)) {
                    out.insert((map.subject.name.as_str(), key.as_str()), &map.subject);
                }
            }
        }
    }
    out.into_iter().map(|((_, key), subject)| (subject, key)).collect()
}

/// The `subPath`s by which a volume is mounted; empty if it is mounted as a whole, `None` if no
/// container mounts it.
fn mounted_parts<'a>(spec: &'a PodSpec, volume: &str) -> Option<Vec<&'a str>> {
    let mounts: Vec<_> = spec
        .all_containers()
        .flat_map(|(_, _, container)| &container.volume_mounts)
        .filter(|mount| mount.name == volume)
        .collect();
    if mounts.is_empty() {
        return None;
    }
    let parts: Option<Vec<&str>> = mounts.iter().map(|mount| mount.sub_path.as_deref()).collect();
    Some(parts.unwrap_or_default())
}

fn sources(volume: &Volume) -> impl Iterator<Item = &Value> {
    let projected = volume.source.get("projected").and_then(|p| p.get("sources")?.as_array());
    let inner = projected.into_iter().flatten().filter_map(|source| source.get("configMap"));
    volume.source.get("configMap").into_iter().chain(inner)
}

/// The file name of a key; `None` if the volume leaves the key out.
fn path_of<'a>(source: &'a Value, key: &'a str) -> Option<&'a str> {
    let Some(items) = source.get("items").and_then(Value::as_array) else {
        return Some(key);
    };
    let item = items.iter().find(|item| item.get("key").and_then(Value::as_str) == Some(key))?;
    item.get("path").and_then(Value::as_str)
}
