//! Where a database that runs in the cluster keeps its files.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::container::Container;
use super::databases::Running;
use super::object::pointer;
use super::pod::Volume;
use super::workload::Workload;

static DIRECTORY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|\s)(?:--?(?:datadir|dbpath|data_directory|data-dir)[=\s]|-D\s*|-c\s*data_directory=)(/\S+)")
        .expect("a constant pattern")
});

/// Where a database keeps its files.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// On something that outlives the pod.
    Kept,
    /// On something that goes with the pod, or stays on one node.
    Lost {
        /// What it is: `an emptyDir`.
        what: &'static str,
        /// The volume, or the container if there is none, and the same with names.
        pointer: (String, String),
        /// The volume as it stands.
        current: Option<Value>,
        /// The directory.
        directory: String,
    },
}

/// Where the database of a workload keeps its files.
pub fn place(workload: &Workload, running: &Running<'_>) -> Place {
    let directories = directories(running);
    let Some(template) = workload.template() else {
        return Place::Kept;
    };
    let spec = workload.pod_spec_pointer();
    let kind = |name: &str| {
        let made = workload.spec.volume_claim_templates.iter();
        let made = made.filter_map(|claim| claim.pointer("/metadata/name")).any(|claim| claim == name);
        let found = template.spec.volumes.iter().enumerate().find(|(_, volume)| volume.name == name);
        if made { (None, None) } else { (lost(found.map(|(_, volume)| volume)), found) }
    };
    let mounted =
        directories.iter().find_map(|directory| Some((directory, mount(running.container, directory, &kind)?)));
    if let Some((directory, volume)) = mounted {
        let (what, found) = kind(volume);
        return match (what, found) {
            (Some(what), Some((index, volume))) => Place::Lost {
                what,
                pointer: (pointer(&spec, &["volumes", &index.to_string()]), pointer(&spec, &["volumes", &volume.name])),
                current: Some(Value::Object(volume.source.clone())),
                directory: directory.clone(),
            },
            _ => Place::Kept,
        };
    }
    // A claim elsewhere in the container: the image may keep its data in a directory of its own.
    if running.container.volume_mounts.iter().any(|mount| keeps(&kind(&mount.name))) {
        return Place::Kept;
    }
    let (list, index) = running.place;
    Place::Lost {
        what: "the file system of its container",
        pointer: (pointer(&spec, &[list, &index.to_string()]), pointer(&spec, &[list, &running.container.name])),
        current: None,
        directory: directories.into_iter().next().unwrap_or_default(),
    }
}

type Kind<'a> = (Option<&'static str>, Option<(usize, &'a Volume)>);

/// True for a claim or another volume that outlives the pod, and not for files of the API.
fn keeps((lost, found): &Kind<'_>) -> bool {
    lost.is_none() && found.is_none_or(|(_, volume)| !is_of_api(volume))
}

fn is_of_api(volume: &Volume) -> bool {
    ["configMap", "downwardAPI", "image", "projected", "secret"].iter().any(|kind| volume.source.contains_key(*kind))
}

/// Why the data on a volume do not outlive the pod, if they don't.
fn lost(volume: Option<&Volume>) -> Option<&'static str> {
    let source = &volume?.source;
    if source.contains_key("emptyDir") {
        Some("an emptyDir")
    } else if source.contains_key("hostPath") {
        Some("a hostPath")
    } else if source.contains_key("ephemeral") {
        Some("an ephemeral volume")
    } else {
        None
    }
}

/// The directories in which the data may be: what the container is told, else what its image does.
fn directories(running: &Running<'_>) -> Vec<String> {
    let container = running.container;
    let line: Vec<&str> = container.command.iter().chain(&container.args).map(String::as_str).collect();
    if let Some(found) = DIRECTORY.captures(&line.join(" ")) {
        return vec![found[1].to_owned()];
    }
    let told = container.env.iter().find(|variable| variable.name == "PGDATA").and_then(|own| own.value.clone());
    if let Some(told) = told.filter(|told| told.starts_with('/')) {
        return vec![told];
    }
    running.engine.directories().iter().map(|directory| (*directory).to_owned()).collect()
}

/// The volume at a directory, at the nearest one above, or inside it.
fn mount<'a, 'v>(container: &'a Container, directory: &str, kind: &impl Fn(&str) -> Kind<'v>) -> Option<&'a str> {
    let inside = |outer: &str, inner: &str| {
        let outer = outer.trim_end_matches('/');
        inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
    };
    let directory = directory.trim_end_matches('/');
    let path = |mount: &'a super::pod::VolumeMount| mount.mount_path.trim_end_matches('/');
    let mounts = container.volume_mounts.iter();
    let above = mounts.clone().filter(|mount| inside(path(mount), directory)).max_by_key(|mount| path(mount).len());
    let below = || {
        let mut below = mounts.clone().filter(|mount| inside(directory, path(mount)));
        below.find(|mount| kind(&mount.name).1.is_none_or(|(_, volume)| !is_of_api(volume)))
    };
    above.or_else(below).map(|mount| mount.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::databases;
    use serde_json::json;

    fn what(container: Value, volumes: &Value, claims: &Value) -> Option<&'static str> {
        let mut container = container;
        container["name"] = json!("db");
        let workload: Workload = serde_json::from_value(json!({"kind": "StatefulSet", "spec": {
            "volumeClaimTemplates": claims,
            "template": {"spec": {"containers": [container], "volumes": volumes}}}}))
        .unwrap();
        match place(&workload, &databases::running(&workload).unwrap()) {
            Place::Kept => None,
            Place::Lost { what, .. } => Some(what),
        }
    }

    #[test]
    fn places_of_data() {
        let none = json!([]);
        let claim = json!([{"metadata": {"name": "data"}}]);
        let empty =
            json!([{"name": "data", "emptyDir": {}}, {"name": "claim", "persistentVolumeClaim": {"claimName": "x"}}]);
        let at =
            |image: &str, path: &str| json!({"image": image, "volumeMounts": [{"name": "data", "mountPath": path}]});
        assert_eq!(what(at("postgres", "/var/lib/postgresql/data"), &none, &claim), None);
        assert_eq!(what(at("postgres:18", "/var/lib/postgresql"), &none, &claim), None);
        assert_eq!(what(at("postgres", "/somewhere"), &none, &claim), None);
        assert_eq!(what(at("mysql", "/var/lib/mysql"), &empty, &none), Some("an emptyDir"));
        assert_eq!(
            what(at("mongo", "/data"), &json!([{"name": "data", "hostPath": {"path": "/x"}}]), &none),
            Some("a hostPath")
        );
        assert_eq!(what(json!({"image": "mongo"}), &none, &none), Some("the file system of its container"));
        let mut told = at("postgres", "/pg");
        told["env"] = json!([{"name": "PGDATA", "value": "/pg/data"}]);
        assert_eq!(what(told.clone(), &none, &claim), None);
        assert_eq!(what(told, &empty, &none), Some("an emptyDir"));
        let two = json!({"image": "mysql", "args": ["--datadir=/db"], "volumeMounts": [
            {"name": "claim", "mountPath": "/db"}, {"name": "data", "mountPath": "/var/lib/mysql"}]});
        assert_eq!(what(two, &empty, &none), None);
    }
}
