//! What the objects of a fixture need to stand on a real server: namespaces of their own, fields that
//! fixtures leave out, and a status.

use std::collections::BTreeMap;

use http::Method;
use kubectl_progrc::backend::cluster::objects;
use kubectl_progrc::model::ObjectRef;
use kubectl_progrc::model::object::is_cluster_wide;
use regex::Regex;
use serde_json::{Value, json};

use crate::harness::ControlPlane;
use crate::scene::Scene;

/// Namespaces whose names mean something.
pub(crate) const FIXED: [&str; 3] = ["default", "ingress-nginx", "kube-system"];

/// Kinds whose age rules look at.
const AGED: [&str; 3] = ["Deployment", "StatefulSet", "HorizontalPodAutoscaler"];

/// When what is old was made.
const OLD: &str = "2026-01-01T00:00:00Z";

/// The namespace that most objects are in; `default` where they leave it out.
pub(crate) fn main_namespace(text: &str) -> String {
    if let Some(named) = text.lines().find_map(|line| line.strip_prefix("# namespace: ")) {
        return named.trim().to_owned();
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for object in Scene::parse(text).objects {
        if let Some(name) = object.pointer("/metadata/namespace").and_then(Value::as_str) {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or("default".to_owned(), |(name, _)| name)
}

/// The text with names of its own for its namespaces, and those names.
pub(crate) fn renamed(text: &str, main: &str, own: &str) -> (String, Vec<String>) {
    let scene = Scene::parse(text);
    let mut names: Vec<String> = scene
        .objects
        .iter()
        .filter_map(|object| match object["kind"].as_str() {
            Some("Namespace") => object.pointer("/metadata/name"),
            _ => object.pointer("/metadata/namespace"),
        })
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    names.sort();
    names.dedup();
    let mut out = text.to_owned();
    let mut new = Vec::new();
    for name in names {
        let to = match name.as_str() {
            name if name == main => own.to_owned(),
            name if FIXED.contains(&name) => name.to_owned(),
            name => format!("{name}-{own}"),
        };
        if name == "default" {
            // It is also a word of its own in many places.
            out = out.replace("/default/", &format!("/{to}/")).replace("default/", &format!("{to}/"));
        } else {
            // Not in `monitoring.coreos.com` nor in `batch/v1`.
            let word = Regex::new(&format!(r"\b{name}\b(\.[a-z]|/v[0-9])?")).unwrap();
            let other = |found: &regex::Captures<'_>| match found.get(1) {
                Some(_) => found[0].to_owned(),
                None => to.clone(),
            };
            out = word.replace_all(&out, other).into_owned();
        }
        new.push(to);
    }
    (out, new)
}

/// Makes the objects, and gives them their status.
pub(crate) fn put(plane: &ControlPlane, main: &str, others: &[String], objects: &[Value]) -> Result<(), String> {
    for name in others {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        create(plane, "/api/v1/namespaces", &object, true)?;
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
        create(plane, &format!("/api/v1/namespaces/{name}/serviceaccounts"), &account, true)?;
    }
    let mut uids: BTreeMap<String, String> = BTreeMap::new();
    for object in objects {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
        if kind.ends_with("WebhookConfiguration") {
            return Err("its webhook would refuse everybody's writes".to_owned());
        }
        let shared = is_cluster_wide(version, kind) || FIXED.contains(&text("/metadata/namespace"));
        let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str);
        let reference = ObjectRef::new(version, kind, namespace, name);
        if kind == "Namespace" {
            let change = json!({"metadata": {
                "labels": object["metadata"]["labels"], "annotations": object["metadata"]["annotations"],
            }});
            let path = format!("/api/v1/namespaces/{}", if name.is_empty() { main } else { name });
            plane.request(Method::PATCH, &path, Some(&change)).success();
            continue;
        }
        let mut object = object.clone();
        complete(&mut object);
        let issuer = matches!(kind, "Issuer" | "ClusterIssuer") && object["status"].is_null();
        if issuer {
            object["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        }
        let old = object["metadata"]["uid"].as_str().map(str::to_owned);
        let dated = !object["metadata"]["creationTimestamp"].is_null();
        let metadata = object["metadata"].as_object_mut().unwrap();
        for key in ["uid", "resourceVersion", "creationTimestamp", "generation", "deletionTimestamp"] {
            metadata.shift_remove(key);
        }
        for owner in object["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
            if let Some(uid) = owner["uid"].as_str().and_then(|uid| uids.get(uid)) {
                owner["uid"] = uid.as_str().into();
            }
        }
        let made = create(plane, &objects::collection_path(&reference), &object, shared)?;
        uids.extend(old.zip(made["metadata"]["uid"].as_str().map(str::to_owned)));
        play(plane, &reference, &object);
        if dated && AGED.contains(&kind) {
            age(plane, &objects::path(&reference, None));
        }
    }
    Ok(())
}

/// What controllers make of an object: the status that the fixture gives it, and a node that was not
/// ready when it was new takes pods by now.
fn play(plane: &ControlPlane, reference: &ObjectRef, object: &Value) {
    if !object["status"].is_null() {
        let status = json!({"status": object["status"]});
        plane.request(Method::PATCH, &objects::path(reference, Some("status")), Some(&status));
    }
    if reference.kind == "Node" {
        let taints = json!({"spec": {"taints": object["spec"]["taints"]}});
        plane.request(Method::PATCH, &objects::path(reference, None), Some(&taints)).success();
    }
}

/// Makes an object and its fields as old as a fixture says that they are. Rules leave alone what an
/// autoscaler may still change, and a server lets nobody set a date.
pub(crate) fn age(plane: &ControlPlane, path: &str) {
    let mut object = plane.request(Method::GET, path, None).success();
    object["metadata"]["creationTimestamp"] = OLD.into();
    for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
        entry["time"] = OLD.into();
    }
    let mut parts = path.rsplit('/');
    let mut part = || parts.next().unwrap();
    let (name, plural, namespace) = (part(), part(), part());
    plane.store(&format!("{plural}/{namespace}/{name}"), &object);
}

/// Adds what fixtures leave out and the server demands, and takes out what it hands out itself.
fn complete(object: &mut Value) {
    let claims = match object["kind"].as_str() {
        Some("PersistentVolumeClaim") => vec![&mut object["spec"]],
        Some("StatefulSet") => {
            let templates = object["spec"]["volumeClaimTemplates"].as_array_mut().into_iter().flatten();
            templates.map(|template| &mut template["spec"]).collect()
        }
        Some("Service") => {
            let spec = object["spec"].as_object_mut().unwrap();
            if spec.get("clusterIP").is_some_and(|ip| ip != "None") {
                spec.shift_remove("clusterIP");
            }
            for (number, port) in spec["ports"].as_array_mut().into_iter().flatten().enumerate() {
                if port["name"].is_null() {
                    port["name"] = format!("port-{number}").into();
                }
            }
            Vec::new()
        }
        _ => Vec::new(),
    };
    for claim in claims {
        if claim["resources"]["requests"]["storage"].is_null() {
            claim["resources"]["requests"]["storage"] = "1Gi".into();
        }
        if claim["accessModes"].is_null() {
            claim["accessModes"] = json!(["ReadWriteOnce"]);
        }
    }
}

fn create(plane: &ControlPlane, list: &str, object: &Value, shared: bool) -> Result<Value, String> {
    let answer = plane.request(Method::POST, list, Some(object));
    match answer.code {
        200..300 => Ok(answer.body),
        409 if shared => Ok(Value::Null),
        _ => Err(format!("the server refuses {}: {}", object["kind"], answer.body["message"])),
    }
}
