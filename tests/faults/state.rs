//! What people wrote in the objects of some namespaces, and how two such states differ.

use std::collections::BTreeMap;

use http::Method;
use kubectl_progrc::backend::cluster::objects;
use kubectl_progrc::backend::cluster::resources::{Reach, built_in, list_path};
use kubectl_progrc::model::ObjectRef;
use serde_json::{Value, json};

use crate::harness::ControlPlane;
use crate::kinds::CUSTOM;

/// The parts of an object that people write.
const PARTS: [&str; 3] = ["spec", "data", "binaryData"];

/// The annotation of somebody who writes in between.
pub(crate) const BESIDE: &str = "example.com/beside";

/// Annotations that servers, controllers and others write.
const FOREIGN: [&str; 3] = ["deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation", BESIDE];

/// Annotations that differ from run to run.
const FRESH: [&str; 2] = ["progrc.io/change-id", "kubectl.kubernetes.io/restartedAt"];

/// Every object by its path, whole as served.
#[derive(Clone, Debug, Default)]
pub(crate) struct State(pub(crate) BTreeMap<String, Value>);

impl State {
    /// Reads it. Objects that belong to a controller are left out, but for autoscalers: they say whose
    /// replicas are nobody's.
    pub(crate) fn read(plane: &ControlPlane, namespaces: &[String]) -> Self {
        let own = ["replicasets", "endpointslices"];
        let table = built_in();
        let ours = table.iter().filter(|it| it.reach != Reach::Cluster && !own.contains(&it.plural.as_str()));
        let kinds: Vec<(&str, &str)> = ours
            .map(|it| (it.api_version.as_str(), it.plural.as_str()))
            .chain(CUSTOM.iter().filter(|it| it.namespaced).map(|it| (it.version, it.plural)))
            .collect();
        let mut all = BTreeMap::new();
        for namespace in namespaces {
            let path = format!("/api/v1/namespaces/{namespace}");
            all.insert(path.clone(), plane.request(Method::GET, &path, None).success());
            for (version, plural) in &kinds {
                let list = list_path(version, plural, Some(namespace));
                let answer = plane.request(Method::GET, &list, None);
                let objects = answer.body["items"].as_array().into_iter().flatten();
                let is_own = |object: &&Value| object["metadata"]["ownerReferences"].is_null();
                let scales = *plural == "horizontalpodautoscalers";
                for object in objects.filter(|object| scales || is_own(object)) {
                    let name = object["metadata"]["name"].as_str().unwrap();
                    all.insert(format!("{list}/{name}"), object.clone());
                }
            }
        }
        Self(all)
    }

    /// What was written, object by object.
    fn written(&self, fresh: bool) -> BTreeMap<&str, Value> {
        let mut all: BTreeMap<&str, Value> =
            self.0.iter().map(|(path, object)| (path.as_str(), written(object, fresh))).collect();
        for target in self.autoscaled() {
            // At 0 nobody scales it: that is a person's number.
            if let Some(replicas) = all.get_mut(target.as_str()).and_then(|it| it.pointer_mut("/spec/replicas"))
                && *replicas != 0
            {
                *replicas = "of the autoscaler".into();
            }
        }
        all
    }

    /// The paths of what autoscalers scale.
    pub(crate) fn autoscaled(&self) -> Vec<String> {
        let scalers = self.0.iter().filter(|(path, _)| path.contains("/horizontalpodautoscalers/"));
        scalers
            .filter_map(|(_, scaler)| {
                let target = &scaler["spec"]["scaleTargetRef"];
                let text = |key: &str| target[key].as_str();
                let namespace = scaler["metadata"]["namespace"].as_str();
                let place = ObjectRef::new(text("apiVersion")?, text("kind")?, namespace, text("name")?);
                Some(objects::path(&place, None))
            })
            .collect()
    }

    /// The differences, a line each; none if all is the same.
    pub(crate) fn differs(&self, other: &Self) -> Vec<String> {
        differences(&self.written(true), &other.written(true))
    }

    /// As [`Self::differs`], but marks and times of the run that made an object count as equal.
    pub(crate) fn differs_in_more_than_time(&self, other: &Self) -> Vec<String> {
        differences(&self.written(false), &other.written(false))
    }

    /// Brings the server back to this state by force: for the case after one that failed. What the
    /// server refuses stays, and the next case says so.
    pub(crate) fn restore(&self, plane: &ControlPlane, namespaces: &[String]) {
        let now = Self::read(plane, namespaces);
        for path in now.0.keys().filter(|path| !self.0.contains_key(*path)) {
            plane.request(Method::DELETE, path, None);
        }
        for (path, object) in &self.0 {
            let mut object = object.clone();
            let metadata = object["metadata"].as_object_mut().unwrap();
            metadata.retain(|key, _| matches!(key.as_str(), "name" | "namespace" | "labels" | "annotations"));
            match now.0.get(path) {
                Some(there) if written(there, true) == written(&object, true) => {}
                Some(there) => {
                    object["metadata"]["resourceVersion"] = there["metadata"]["resourceVersion"].clone();
                    plane.request(Method::PUT, path, Some(&object));
                }
                None => {
                    let (list, _) = path.rsplit_once('/').unwrap();
                    plane.request(Method::POST, list, Some(&object));
                }
            }
        }
    }
}

fn written(object: &Value, fresh: bool) -> Value {
    let mut out = json!({});
    for part in PARTS.iter().filter(|part| !object[**part].is_null()) {
        out[*part] = object[*part].clone();
    }
    for part in ["labels", "annotations"] {
        let map = &object["metadata"][part];
        if map.as_object().is_some_and(|map| !map.is_empty()) {
            out[part] = map.clone();
        }
    }
    for pointer in ["/annotations", "/spec/template/metadata/annotations", "/spec/jobTemplate/metadata/annotations"] {
        let Some(map) = out.pointer_mut(pointer).and_then(Value::as_object_mut) else { continue };
        map.retain(|key, _| !FOREIGN.contains(&key.as_str()));
        for key in FRESH.iter().filter(|_| !fresh) {
            map.entry(*key).and_modify(|value| *value = "of this run".into());
        }
    }
    if out["annotations"] == json!({}) {
        out.as_object_mut().unwrap().shift_remove("annotations");
    }
    out.sort_all_objects();
    out
}

fn differences(one: &BTreeMap<&str, Value>, other: &BTreeMap<&str, Value>) -> Vec<String> {
    let mut paths: Vec<&&str> = one.keys().chain(other.keys()).collect();
    paths.sort();
    paths.dedup();
    let mut lines = Vec::new();
    for path in paths {
        match (one.get(*path), other.get(*path)) {
            (Some(a), Some(b)) => fields("", a, b, &mut |field, a, b| lines.push(format!("{path} {field}: {a} → {b}"))),
            (Some(_), None) => lines.push(format!("{path} is gone")),
            (None, _) => lines.push(format!("{path} is new")),
        }
    }
    lines
}

fn fields(at: &str, one: &Value, other: &Value, say: &mut dyn FnMut(&str, &Value, &Value)) {
    match (one, other) {
        (one, other) if one == other => {}
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let part = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                fields(&format!("{at}/{key}"), &part(a), &part(b), say);
            }
        }
        (one, other) => say(at, one, other),
    }
}
