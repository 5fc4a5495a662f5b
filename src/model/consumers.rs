//! Who takes the values of a `ConfigMap`, and how: as variables, read when a container starts, or
//! as files, which change while it runs unless they are mounted by `subPath`.

use std::collections::BTreeMap;
use std::fmt;

use super::cluster::ConfigMap;
use super::environment::{self, config_maps_as_variables};
use super::inventory::{Inventory, is_top_level};
use super::object::pointer;
use super::pod::PodSpec;
use super::store::Item;
use super::workload::Workload;

/// The workloads that name a `ConfigMap`, by namespace and name. Built once for a rule's run.
#[derive(Debug, Default)]
pub struct Consumers {
    by_map: BTreeMap<String, Vec<usize>>,
}

/// One container that takes one value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Consumer {
    /// The workload's position in the inventory.
    pub workload: usize,
    /// The container's name.
    pub container: String,
    /// How it takes it.
    pub way: Way,
}

/// How a container takes a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// As this variable, read at start.
    Variable(String),
    /// As this file, which is updated while the container runs.
    Mounted(String),
    /// As this file, mounted by `subPath` and never updated.
    FixedFile(String),
}

impl Way {
    /// True if a running container keeps the old value.
    pub fn needs_restart(&self) -> bool {
        !matches!(self, Self::Mounted(_))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "variable {name}, read at start"),
            Self::Mounted(path) => write!(f, "file {path}, updated while it runs"),
            Self::FixedFile(path) => {
                write!(f, "file {path} by subPath, never updated without a restart")
            }
        }
    }
}

/// A `ConfigMap` that a container shows as files.
#[derive(Clone, Debug)]
pub struct Mount<'a> {
    /// The `ConfigMap`.
    pub config_map: &'a str,
    /// The container.
    pub container: &'a str,
    keys: Option<Vec<(&'a str, &'a str)>>,
    directory: &'a str,
    sub_path: Option<&'a str>,
}

impl Mount<'_> {
    /// The file in which a key appears, if it does.
    pub fn file(&self, key: &str) -> Option<String> {
        let path = match &self.keys {
            Some(keys) => keys.iter().find(|(name, _)| *name == key)?.1,
            None => key,
        };
        let directory = self.directory.trim_end_matches('/');
        match self.sub_path {
            None => Some(format!("{directory}/{path}")),
            Some(part) if part == path => Some(directory.to_owned()),
            Some(part) => path.strip_prefix(part)?.strip_prefix('/').map(|rest| format!("{directory}/{rest}")),
        }
    }

    fn way(&self, file: String) -> Way {
        if self.sub_path.is_some() { Way::FixedFile(file) } else { Way::Mounted(file) }
    }
}

/// The `ConfigMap`s that containers show as files, with the keys that appear.
pub fn mounts(pod: &PodSpec) -> Vec<Mount<'_>> {
    let mut out = Vec::new();
    for (_, _, container) in pod.all_containers() {
        for mount in &container.volume_mounts {
            let volumes = pod.volumes.iter().filter(|volume| volume.name == mount.name);
            for source in volumes.flat_map(|volume| config_map_sources(&volume.source)) {
                let Some(config_map) = source.get("name").and_then(serde_json::Value::as_str) else {
                    continue;
                };
                out.push(Mount {
                    config_map,
                    container: &container.name,
                    keys: source
                        .get("items")
                        .and_then(serde_json::Value::as_array)
                        .map(|items| items.iter().filter_map(key_and_path).collect()),
                    directory: &mount.mount_path,
                    sub_path: mount.sub_path.as_deref().filter(|part| !part.is_empty()),
                });
            }
        }
    }
    out
}

fn key_and_path(item: &serde_json::Value) -> Option<(&str, &str)> {
    Some((item.get("key")?.as_str()?, item.get("path")?.as_str()?))
}

fn config_map_sources(source: &serde_json::Map<String, serde_json::Value>) -> impl Iterator<Item = &serde_json::Value> {
    let parts = source.get("projected").and_then(|projected| projected.get("sources"));
    let parts = parts.and_then(serde_json::Value::as_array).into_iter().flatten();
    source.get("configMap").into_iter().chain(parts.filter_map(|part| part.get("configMap")))
}

impl Consumers {
    /// Relates all top-level workloads to the `ConfigMap`s that they name.
    pub fn of(inventory: &Inventory) -> Self {
        let mut by_map: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (position, workload) in inventory.workloads.iter().enumerate() {
            let Some(template) = workload.template().filter(|_| is_top_level(workload)) else {
                continue;
            };
            let mut names = config_maps_as_variables(workload);
            names.extend(mounts(&template.spec).iter().map(|mount| mount.config_map));
            names.sort_unstable();
            names.dedup();
            for name in names {
                by_map.entry(format!("{}/{name}", workload.namespace())).or_default().push(position);
            }
        }
        Self { by_map }
    }

    /// Positions of the workloads that name a `ConfigMap`.
    pub fn workloads(&self, namespace: &str, name: &str) -> &[usize] {
        self.by_map.get(&format!("{namespace}/{name}")).map_or(&[], Vec::as_slice)
    }

    /// The containers that really get the value of a key: a variable that another source
    /// overrides is not taken.
    pub fn takers(&self, inventory: &Inventory, map: &Item<ConfigMap>, key: &str) -> Vec<Consumer> {
        let at = pointer("/data", &[key]);
        let mut out = Vec::new();
        for position in self.workloads(map.namespace(), map.name()) {
            let workload = inventory.workloads.at(*position);
            let Some(template) = workload.template() else {
                continue;
            };
            for (list, index, container) in template.spec.all_containers() {
                let variables = environment::effective(inventory, workload, (list, index, container));
                let taken = variables.values().filter(|variable| {
                    variable.from_config_map && variable.pointer == at && variable.holder.name == map.name()
                });
                out.extend(taken.map(|variable| Consumer {
                    workload: *position,
                    container: container.name.clone(),
                    way: Way::Variable(variable.name.clone()),
                }));
            }
            let mounted = mounts(&template.spec).into_iter().filter(|mount| mount.config_map == map.name());
            out.extend(mounted.filter_map(|mount| {
                Some(Consumer {
                    workload: *position,
                    container: mount.container.to_owned(),
                    way: mount.way(mount.file(key)?),
                })
            }));
        }
        out.sort();
        out.dedup();
        out
    }
}

/// True if Stakater Reloader restarts this workload by itself when the `ConfigMap` changes.
pub fn is_reloaded(workload: &Workload, map: &Item<ConfigMap>) -> bool {
    let template = workload.template().map(|template| &template.metadata);
    let on_workload =
        |key: &str| workload.metadata.annotation(key).or_else(|| template.and_then(|meta| meta.annotation(key)));
    let yes = |value: Option<&str>| value == Some("true");
    if yes(map.metadata.annotation("reloader.stakater.com/ignore")) {
        return false;
    }
    let named = on_workload("configmap.reloader.stakater.com/reload").unwrap_or_default();
    yes(on_workload("reloader.stakater.com/auto"))
        || yes(on_workload("configmap.reloader.stakater.com/auto"))
        || named.split(',').any(|name| name.trim() == map.name())
        || yes(on_workload("reloader.stakater.com/search"))
            && yes(map.metadata.annotation("reloader.stakater.com/match"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn inventory(annotations: &serde_json::Value) -> Inventory {
        let mut inventory = Inventory::default();
        let map = json!({"metadata": {"name": "c", "namespace": "a"}, "data": {"A": "1", "app.env": "X=1"}});
        inventory.add("v1", "ConfigMap", map, None).unwrap();
        let workload = json!({"metadata": {"name": "web", "namespace": "a", "annotations": annotations}, "spec": {"template": {"spec": {
            "volumes": [{"name": "v", "configMap": {"name": "c", "items": [{"key": "app.env", "path": "sub/.env"}]}}],
            "containers": [
                {"name": "one", "envFrom": [{"configMapRef": {"name": "c"}}], "env": [{"name": "A", "value": "own"}]},
                {"name": "two", "env": [{"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "A"}}}],
                    "volumeMounts": [{"name": "v", "mountPath": "/etc/app/"}]},
                {"name": "three", "volumeMounts": [{"name": "v", "mountPath": "/srv/.env", "subPath": "sub/.env"}]}]}}}});
        inventory.add("apps/v1", "Deployment", workload, None).unwrap();
        inventory.finish()
    }

    #[test]
    fn takers_are_those_that_get_the_value() {
        let inventory = inventory(&json!({}));
        let consumers = Consumers::of(&inventory);
        let map = inventory.config_maps.get("a", "ConfigMap", "c").unwrap();
        let ways = |key: &str| -> Vec<String> {
            let takers = consumers.takers(&inventory, map, key);
            takers.iter().map(|taker| format!("{} {}", taker.container, taker.way)).collect()
        };
        assert_eq!(ways("A"), ["two variable B, read at start"]);
        assert_eq!(
            ways("app.env"),
            [
                "one variable app.env, read at start",
                "three file /srv/.env by subPath, never updated without a restart",
                "two file /etc/app/sub/.env, updated while it runs",
            ]
        );
    }

    #[test]
    fn reloader_is_asked_by_annotation() {
        for (annotations, reloaded) in [
            (json!({}), false),
            (json!({"reloader.stakater.com/auto": "true"}), true),
            (json!({"reloader.stakater.com/auto": "false"}), false),
            (json!({"configmap.reloader.stakater.com/reload": "b, c"}), true),
            (json!({"configmap.reloader.stakater.com/reload": "b"}), false),
            (json!({"reloader.stakater.com/search": "true"}), false),
        ] {
            let inventory = inventory(&annotations);
            let map = inventory.config_maps.get("a", "ConfigMap", "c").unwrap();
            let web = inventory.workloads.get("a", "Deployment", "web").unwrap();
            assert_eq!(is_reloaded(web, map), reloaded, "{annotations}");
        }
    }
}
