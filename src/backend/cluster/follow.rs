//! The objects of one list as they are now: listed once, then kept up by a watch.
//!
//! Where a watch is refused (a role may allow to list and no more) the list is read again every
//! two seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::TryStreamExt;
use http::Request;
use kube::core::WatchEvent;
use serde_json::Value;
use tokio::sync::watch::Sender;

use super::connect::Connection;
use super::list::encode;
use super::resources::list_path;

/// The server ends a watch after so many seconds; the list is then read anew.
const WATCH_SECONDS: u64 = 60;
/// A watch that is silent for longer has lost its connection.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS + 15);
/// The pause before a list is read again without a watch.
const PAUSE: Duration = Duration::from_secs(2);

/// Which objects.
#[derive(Clone, Debug)]
pub struct Query {
    path: String,
    parameters: String,
}

impl Query {
    /// All objects of a list.
    pub fn new(api_version: &str, plural: &str, namespace: Option<&str>) -> Self {
        Self::at(list_path(api_version, plural, namespace))
    }

    /// All objects of the list at a path.
    pub fn at(path: String) -> Self {
        Self { path, parameters: String::new() }
    }

    /// Only those with these labels.
    #[must_use]
    pub fn labels(self, selector: &str) -> Self {
        self.with("labelSelector", selector)
    }

    /// Only those with these fields.
    #[must_use]
    pub fn fields(self, selector: &str) -> Self {
        self.with("fieldSelector", selector)
    }

    /// Reads the list once.
    pub async fn read(&self, connection: &Connection) -> Result<View, String> {
        match list(connection, self).await {
            Ok((objects, _)) => Ok(View::Objects(objects)),
            Err(Unreadable::Refused(why) | Unreadable::Failed(why)) => Err(why),
        }
    }

    fn with(mut self, name: &str, selector: &str) -> Self {
        let joint = if self.parameters.is_empty() { "" } else { "&" };
        self.parameters = format!("{}{joint}{name}={}", self.parameters, encode(selector));
        self
    }
}

/// What is known about a list.
#[derive(Clone, Debug, Default)]
pub enum View {
    /// Nothing yet; the last failure, if there was one.
    #[default]
    Unread,
    /// It can't be read for now: why.
    Failing(String),
    /// It may not be read: why.
    Refused(String),
    /// The objects, by name.
    Objects(BTreeMap<String, Value>),
}

impl View {
    /// The objects; none if they could not be read.
    pub fn objects(&self) -> impl Iterator<Item = &Value> {
        let objects = match self {
            Self::Objects(objects) => Some(objects),
            _ => None,
        };
        objects.into_iter().flat_map(BTreeMap::values)
    }

    /// True once it was read, or is known not to be readable.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Objects(_) | Self::Refused(_))
    }

    fn take(&mut self, event: WatchEvent<Value>) -> bool {
        let Self::Objects(objects) = self else { return false };
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => objects.insert(name_of(&object), object),
            WatchEvent::Deleted(object) => objects.remove(&name_of(&object)),
            WatchEvent::Bookmark(_) | WatchEvent::Error(_) => return false,
        };
        true
    }
}

fn name_of(object: &Value) -> String {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Keeps a view up to date for as long as it is polled.
pub async fn follow(connection: &Connection, query: &Query, view: &Sender<View>) {
    loop {
        match list(connection, query).await {
            Ok((objects, version)) => {
                view.send_replace(View::Objects(objects));
                if watch(connection, query, &version, view).await {
                    continue;
                }
            }
            Err(Unreadable::Refused(why)) => {
                view.send_replace(View::Refused(why));
                return std::future::pending().await;
            }
            Err(Unreadable::Failed(why)) => {
                view.send_if_modified(|view| {
                    let unread = !matches!(view, View::Objects(_));
                    if unread {
                        *view = View::Failing(why);
                    }
                    unread
                });
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

enum Unreadable {
    Refused(String),
    Failed(String),
}

async fn list(connection: &Connection, query: &Query) -> Result<(BTreeMap<String, Value>, String), Unreadable> {
    let mut body = Vec::new();
    let path = format!("{}?{}", query.path, query.parameters);
    let head = connection
        .read_into(&path, &mut body)
        .await
        .map_err(|error| Unreadable::Failed(format!("{}: {error}", connection.server)))?;
    let message = || format!("{} {}", head.status, super::answer::message(&body));
    match head.status {
        200 => {}
        403 | 404 => return Err(Unreadable::Refused(message())),
        _ => return Err(Unreadable::Failed(message())),
    }
    let mut list: Value = serde_json::from_slice(&body).map_err(|error| Unreadable::Failed(error.to_string()))?;
    let version = list.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    // Objects in a list do not say what they are; those of a watch do.
    let kind = list.get("kind").and_then(Value::as_str).and_then(|kind| kind.strip_suffix("List")).map(Value::from);
    let api_version = list.get("apiVersion").cloned().unwrap_or_default();
    let mut items = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    for item in &mut items {
        item["kind"] = kind.clone().unwrap_or_default();
        item["apiVersion"] = api_version.clone();
    }
    Ok((items.into_iter().map(|item| (name_of(&item), item)).collect(), version))
}

/// Takes over changes; true if the watch came to its regular end.
async fn watch(connection: &Connection, query: &Query, version: &str, view: &Sender<View>) -> bool {
    let joint = if query.parameters.is_empty() { "" } else { "&" };
    let path = format!(
        "{}?{}{joint}watch=1&resourceVersion={version}&timeoutSeconds={WATCH_SECONDS}",
        query.path, query.parameters
    );
    let request = Request::get(path).body(Vec::new()).expect("paths of lists are URIs");
    let Ok(events) = connection.read_client().request_events::<Value>(request).await else { return false };
    let mut events = std::pin::pin!(events);
    loop {
        match tokio::time::timeout(SILENCE, events.try_next()).await {
            Ok(Ok(Some(WatchEvent::Error(_)) | None)) | Err(_) => return true,
            Ok(Ok(Some(event))) => {
                view.send_if_modified(|view| view.take(event));
            }
            Ok(Err(_)) => return false,
        }
    }
}
