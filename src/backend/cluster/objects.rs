//! One object: where it is, and how it stands now, as served.

use futures::stream::{self, StreamExt};
use http::Request;
use serde_json::Value;

use super::answer::{self, Status};
use super::connect::{Connection, TransportError};
use super::resources::list_path;
use crate::model::ObjectRef;
use crate::model::inventory::resource_name;

/// Requests of [`find_all`] that run at the same time.
const PARALLEL: usize = 8;

/// An object could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// It is not there.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The server refused.
    #[error("failed to read {object}: {message}")]
    Refused {
        /// The object.
        object: String,
        /// What the server said.
        message: String,
    },
    /// The server did not answer.
    #[error("failed to read {object}")]
    Transport {
        /// The object.
        object: String,
        /// Why.
        source: TransportError,
    },
}

/// The path of the list that an object is in.
pub fn collection_path(object: &ObjectRef) -> String {
    let name = resource_name(&object.api_version, &object.kind);
    let plural = name.split('.').next().unwrap_or_default();
    list_path(&object.api_version, plural, object.namespace.as_deref())
}

/// The path of an object, or of a part of it.
pub fn path(object: &ObjectRef, subresource: Option<&str>) -> String {
    let part = subresource.map(|part| format!("/{part}")).unwrap_or_default();
    format!("{}/{}{part}", collection_path(object), object.name)
}

/// Reads an object as served; `None` if it does not exist.
pub async fn find(
    connection: &Connection,
    object: &ObjectRef,
    subresource: Option<&str>,
) -> Result<Option<Value>, GetError> {
    let request = Request::get(path(object, subresource)).body(Vec::new()).expect("paths of objects are URIs");
    let name = object.to_string();
    let response =
        connection.read(request).await.map_err(|source| GetError::Transport { object: name.clone(), source })?;
    match response.status {
        200 => serde_json::from_slice(&response.body)
            .map(Some)
            .map_err(|error| GetError::Refused { object: name, message: error.to_string() }),
        404 => Ok(None),
        status => {
            let message = format!("{status} {}", answer::shorten(&Status::of(&response.body).message));
            Err(GetError::Refused { object: name, message })
        }
    }
}

/// An object, or a part of it such as `scale`.
pub type Place = (ObjectRef, Option<String>);

/// Reads objects as served, several at a time, in order.
pub async fn find_all(
    connection: &Connection,
    places: impl IntoIterator<Item = Place>,
) -> Vec<(Place, Result<Option<Value>, GetError>)> {
    let read = |(object, part): Place| async move {
        let answer = find(connection, &object, part.as_deref()).await;
        ((object, part), answer)
    };
    stream::iter(places.into_iter().map(read)).buffered(PARALLEL).collect().await
}

/// Reads an object that must exist.
pub async fn get(connection: &Connection, object: &ObjectRef, part: Option<&str>) -> Result<Value, GetError> {
    find(connection, object, part).await?.ok_or_else(|| GetError::NotFound(object.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let path = |version: &str, kind: &str, namespace: Option<&str>, part| {
            super::path(&ObjectRef::new(version, kind, namespace, "x"), part)
        };
        assert_eq!(
            path("apps/v1", "Deployment", Some("a"), Some("scale")),
            "/apis/apps/v1/namespaces/a/deployments/x/scale"
        );
        assert_eq!(path("v1", "Namespace", None, None), "/api/v1/namespaces/x");
        assert_eq!(
            path("networking.k8s.io/v1", "NetworkPolicy", Some("a"), None),
            "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies/x"
        );
        assert_eq!(
            path("autoscaling/v2", "HorizontalPodAutoscaler", Some("a"), None),
            "/apis/autoscaling/v2/namespaces/a/horizontalpodautoscalers/x"
        );
    }
}
