//! A snapshot of the cluster: the lists that rules need, at most four at a time.

use std::sync::Arc;

use futures::stream::{self, StreamExt};
use serde_json::Value;

use super::connect::{Connection, TransportError};
use super::discover::discover;
use super::list::{self, ListError};
use super::resources::{Reach, Resource, built_in};
use crate::model::{Inventory, Scope, World};

/// Lists that run at the same time.
const PARALLEL: usize = 4;

/// No snapshot could be taken.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The server could not be reached.
    #[error("failed to reach {server}")]
    Unreachable {
        /// The server.
        server: String,
        /// Why.
        source: TransportError,
    },
    /// The server does not know the user, or allows nothing.
    #[error("{server} refused: {message}")]
    Refused {
        /// The server.
        server: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
        /// The body, for the explanation.
        body: Vec<u8>,
    },
}

/// Who the cluster is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The uid of `kube-system`; `None` if it may not be read.
    pub uid: Option<String>,
    /// The server's version as it says it: `v1.37.2`.
    pub version: String,
    /// Major and minor.
    pub numbers: Option<(u32, u32)>,
}

/// Asks the server who it is.
pub async fn identify(connection: &Connection) -> Result<Identity, LoadError> {
    let version = get(connection, "/version").await?;
    let (_, version) = match version {
        (200, body) => (200, body),
        (status @ (401 | 403), body) => {
            let message = super::answer::message(&body);
            return Err(LoadError::Refused { server: connection.server.clone(), status, message, body });
        }
        (status, _) => (status, Vec::new()),
    };
    let version: Value = serde_json::from_slice(&version).unwrap_or_default();
    let text = version.get("gitVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |key: &str| {
        let digits = version.get(key)?.as_str()?.trim_end_matches(|c: char| !c.is_ascii_digit()).to_owned();
        digits.parse::<u32>().ok()
    };
    let numbers = number("major").zip(number("minor"));
    let (status, system) = get(connection, "/api/v1/namespaces/kube-system").await?;
    if status == 401 {
        let message = super::answer::message(&system);
        return Err(LoadError::Refused { server: connection.server.clone(), status, message, body: system });
    }
    let system: Value = serde_json::from_slice(&system).unwrap_or_default();
    let uid = system.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned);
    Ok(Identity { uid, version: text, numbers })
}

async fn get(connection: &Connection, path: &str) -> Result<(u16, Vec<u8>), LoadError> {
    let mut body = Vec::new();
    let head = connection.read_into(path, &mut body).await.map_err(|source| unreachable(connection, source))?;
    Ok((head.status, body))
}

fn unreachable(connection: &Connection, source: TransportError) -> LoadError {
    LoadError::Unreachable { server: connection.server.clone(), source }
}

/// Takes a snapshot: of one namespace with its evidence around it, or of everything.
pub async fn load(connection: &Arc<Connection>, identity: &Identity, scope: &Scope) -> Result<Inventory, LoadError> {
    let world = World::Cluster {
        context: connection.context.clone(),
        server: connection.server.clone(),
        uid: identity.uid.clone(),
        version: identity.numbers,
    };
    let mut inventory = Inventory::new(world, scope.clone(), jiff::Timestamp::now());
    let only = scope.namespaces.as_ref().and_then(|names| names.first()).cloned();
    let discovering = {
        let connection = connection.clone();
        tokio::spawn(async move { discover(&connection).await })
    };
    gather(connection, built_in(), only.as_deref(), &mut inventory).await?;
    let discovered = discovering.await.expect("discovery does not panic");
    inventory.absent_kinds = discovered.absent;
    if let Some(reason) = discovered.failure {
        let gap = |name: &&str| crate::model::Gap {
            kind: (*name).to_owned(),
            verb: "discover".to_owned(),
            scope: "cluster".to_owned(),
            reason: reason.clone(),
        };
        inventory.gaps.extend(crate::model::inventory::CUSTOM.iter().map(gap));
    }
    gather(connection, discovered.present, only.as_deref(), &mut inventory).await?;
    Ok(inventory.finish())
}

/// Runs lists and takes over what they bring.
async fn gather(
    connection: &Arc<Connection>,
    resources: Vec<Resource>,
    only: Option<&str>,
    inventory: &mut Inventory,
) -> Result<(), LoadError> {
    let mut lists = stream::iter(resources)
        .map(|resource| {
            let (connection, only) = (connection.clone(), only.map(str::to_owned));
            tokio::spawn(async move { read(&connection, &resource, only.as_deref()).await })
        })
        .buffer_unordered(PARALLEL);
    while let Some(part) = lists.next().await {
        inventory.absorb(part.expect("a list does not panic")?);
    }
    Ok(())
}

/// One list, with the way around what is forbidden: an older version, then the audited namespace.
async fn read(connection: &Connection, resource: &Resource, only: Option<&str>) -> Result<Inventory, LoadError> {
    let here = match resource.reach {
        Reach::Here => only,
        Reach::Cluster | Reach::Everywhere => None,
    };
    let mut answer = list::list(connection, resource, here).await;
    if let (Err(error), Some(older)) = (&answer, resource.older())
        && error.status() == Some(404)
    {
        answer = list::list(connection, &older, here).await;
    }
    let error = match answer {
        Ok(inventory) => return Ok(inventory),
        Err(ListError::Transport { source, .. }) if source.never_sent() => return Err(unreachable(connection, source)),
        Err(error) => error,
    };
    if error.status() == Some(401) {
        let message = error.to_string();
        return Err(LoadError::Refused { server: connection.server.clone(), status: 401, message, body: Vec::new() });
    }
    let mut partial = Inventory::default();
    if let (Reach::Everywhere, Some(namespace), Some(403)) = (resource.reach, only, error.status()) {
        match list::list(connection, resource, Some(namespace)).await {
            Ok(inventory) => partial = inventory,
            Err(error) => partial.gaps.push(list::gap(resource, Some(namespace), &error.reason())),
        }
        let mut gap = list::gap(resource, None, &error.reason());
        "other namespaces".clone_into(&mut gap.scope);
        partial.gaps.push(gap);
        return Ok(partial);
    }
    if resource.kind == "Namespace" && only.is_some() {
        return one_namespace(connection, resource, only.unwrap_or_default(), &error).await;
    }
    if error.status() == Some(404) {
        partial.absent_kinds.insert(resource.name());
    } else {
        partial.gaps.push(list::gap(resource, here, &error.reason()));
    }
    Ok(partial)
}

/// The audited namespace by its name, where namespaces may not be listed.
async fn one_namespace(
    connection: &Connection,
    resource: &Resource,
    namespace: &str,
    error: &ListError,
) -> Result<Inventory, LoadError> {
    let mut partial = Inventory::default();
    let (status, body) = get(connection, &format!("/api/v1/namespaces/{namespace}")).await?;
    let object: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut gap = list::gap(resource, None, &error.reason());
    if status == 200 && partial.add("v1", "Namespace", object, None).is_ok() {
        "other namespaces".clone_into(&mut gap.scope);
    }
    partial.gaps.push(gap);
    Ok(partial)
}
