//! Which custom resources the server has: one aggregated request, or one a group on older servers.

use std::collections::BTreeSet;

use http::Request;
use serde_json::Value;

use super::connect::Connection;
use super::resources::{Resource, custom};
use crate::model::inventory::CUSTOM;

/// The aggregated form of discovery, Kubernetes 1.27 and newer.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

/// What discovery found.
#[derive(Debug, Default)]
pub struct Discovered {
    /// Custom resources that rules read and that the server has.
    pub present: Vec<Resource>,
    /// Those that it does not have: evidence that there are no such objects.
    pub absent: BTreeSet<String>,
    /// Why nothing is known, if nothing is.
    pub failure: Option<String>,
}

/// Asks which of the custom resources that rules read are served.
pub async fn discover(connection: &Connection) -> Discovered {
    let groups = match get(connection, "/apis", AGGREGATED).await {
        Ok(groups) => groups,
        Err(failure) => return Discovered { failure: Some(failure), ..Discovered::default() },
    };
    let mut present =
        if groups.get("items").is_some() { from_aggregated(&groups) } else { from_groups(connection, &groups).await };
    present.sort_by(|a, b| (a.plural.as_str(), &a.api_version).cmp(&(b.plural.as_str(), &b.api_version)));
    let found: BTreeSet<String> = present.iter().map(full_name).collect();
    let absent = CUSTOM.iter().map(ToString::to_string).filter(|name| !found.contains(name)).collect();
    Discovered { present, absent, failure: None }
}

fn full_name(resource: &Resource) -> String {
    let group = resource.api_version.split_once('/').map_or("", |(group, _)| group);
    format!("{}.{group}", resource.plural)
}

async fn get(connection: &Connection, path: &str, accept: &str) -> Result<Value, String> {
    let request = Request::get(path).header("Accept", accept).body(Vec::new()).expect("a constant request");
    let response = connection.read(request).await.map_err(|error| error.to_string())?;
    if response.status != 200 {
        return Err(format!("{} {}", response.status, super::answer::message(&response.body)));
    }
    serde_json::from_slice(&response.body).map_err(|error| error.to_string())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// The first version of a group is the preferred one.
fn from_aggregated(groups: &Value) -> Vec<Resource> {
    let mut out = Vec::new();
    for group in items(groups, "items") {
        let name = text(group, "/metadata/name");
        let mut seen = BTreeSet::new();
        for version in items(group, "versions") {
            for resource in items(version, "resources") {
                let plural = text(resource, "/resource");
                let wanted = CUSTOM.binary_search(&format!("{plural}.{name}").as_str()).is_ok();
                if wanted && seen.insert(plural) {
                    let api_version = format!("{name}/{}", text(version, "/version"));
                    let namespaced = text(resource, "/scope") == "Namespaced";
                    out.push(custom(&api_version, plural, text(resource, "/responseKind/kind"), namespaced));
                }
            }
        }
    }
    out
}

async fn from_groups(connection: &Connection, groups: &Value) -> Vec<Resource> {
    let mut out = Vec::new();
    for group in items(groups, "groups") {
        let name = text(group, "/name");
        if !CUSTOM.iter().any(|wanted| wanted.split_once('.').is_some_and(|(_, group)| group == name)) {
            continue;
        }
        let version = text(group, "/preferredVersion/groupVersion");
        let Ok(resources) = get(connection, &format!("/apis/{version}"), "application/json").await else { continue };
        for resource in items(&resources, "resources") {
            let plural = text(resource, "/name");
            if CUSTOM.binary_search(&format!("{plural}.{name}").as_str()).is_ok() {
                let namespaced = resource.get("namespaced").and_then(Value::as_bool).unwrap_or(true);
                out.push(custom(version, plural, text(resource, "/kind"), namespaced));
            }
        }
    }
    out
}
