//! One list, page by page: each page is parsed while the next one is fetched, and dropped.
//!
//! Pages hold 500 objects, kubectl's chunk. All pages of a list show one version of the cluster;
//! if the server forgets it meanwhile (410), the list starts again, twice, and then goes on from
//! where it was with newer objects, which is a gap that the report names.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer as _};

use super::connect::{Connection, TransportError};
use super::resources::Resource;
use crate::model::inventory::BadObject;
use crate::model::{Gap, Inventory};

/// Objects in a page.
const PAGE: u32 = 500;
/// How often an expired list starts again.
const RESTARTS: u32 = 2;

/// A list could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The server did not answer.
    #[error("failed to list {resource}")]
    Transport {
        /// Which list.
        resource: String,
        /// Why.
        source: TransportError,
    },
    /// The server refused.
    #[error("failed to list {resource}: {message}")]
    Status {
        /// Which list.
        resource: String,
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// The answer is not a list.
    #[error("failed to read the list of {resource}")]
    Shape {
        /// Which list.
        resource: String,
        /// Why.
        source: BadObject,
    },
}

impl ListError {
    /// The HTTP status, if the server answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The reason in a gap.
    pub fn reason(&self) -> String {
        match self {
            Self::Status { status: 403, .. } => "forbidden".to_owned(),
            Self::Status { status: 404, .. } => "not served".to_owned(),
            Self::Status { status, message, .. } => format!("{status} {message}"),
            Self::Transport { source, .. } => source.to_string(),
            Self::Shape { source, .. } => source.to_string(),
        }
    }
}

/// Lists a resource into an inventory of its own, which is not finished.
pub async fn list(
    connection: &Connection,
    resource: &Resource,
    namespace: Option<&str>,
) -> Result<Inventory, ListError> {
    let path = resource.path(namespace);
    let mut restarts = 0;
    let mut inventory = Inventory::default();
    let mut token: Option<String> = None;
    let mut parsing: Option<Parsing> = None;
    // While one page is parsed, the next one comes into the memory of the one before.
    let mut spare = Vec::new();
    loop {
        let page = fetch(connection, resource, &path, token.as_deref(), std::mem::take(&mut spare)).await;
        if let Some(earlier) = parsing.take() {
            spare = absorb(&mut inventory, earlier, resource).await?;
        }
        let body = match page? {
            Page::Body(body) => body,
            Page::Expired(_) if restarts < RESTARTS => {
                restarts += 1;
                inventory = Inventory::default();
                token = None;
                continue;
            }
            Page::Expired(fresh) => {
                inventory.gaps.push(gap(resource, namespace, "inconsistent: changed while it was read"));
                token = Some(fresh);
                continue;
            }
        };
        token = continue_token(&body);
        let (version, kind) = (resource.api_version.clone(), resource.kind.clone());
        parsing = Some(tokio::task::spawn_blocking(move || (parse(&version, &kind, &body), body)));
        if token.is_none() {
            break;
        }
    }
    if let Some(last) = parsing {
        absorb(&mut inventory, last, resource).await?;
    }
    Ok(inventory)
}

/// A gap of a list.
pub fn gap(resource: &Resource, namespace: Option<&str>, reason: &str) -> Gap {
    let scope = namespace.map_or_else(|| "cluster".to_owned(), |namespace| format!("namespace {namespace}"));
    Gap { kind: resource.name(), verb: "list".to_owned(), scope, reason: reason.to_owned() }
}

/// A page that is parsed, and its bytes.
type Parsing = tokio::task::JoinHandle<(Result<Inventory, BadObject>, Vec<u8>)>;

enum Page {
    Body(Vec<u8>),
    Expired(String),
}

async fn fetch(
    connection: &Connection,
    resource: &Resource,
    path: &str,
    token: Option<&str>,
    mut body: Vec<u8>,
) -> Result<Page, ListError> {
    let token = token.map(|token| format!("&continue={}", encode(token))).unwrap_or_default();
    body.clear();
    let head = connection
        .read_into(&format!("{path}?limit={PAGE}{token}"), &mut body)
        .await
        .map_err(|source| ListError::Transport { resource: resource.name(), source })?;
    match head.status {
        200 => Ok(Page::Body(body)),
        410 => match continue_token(&body) {
            Some(fresh) => Ok(Page::Expired(fresh)),
            None => Err(refused(resource, 410, &body)),
        },
        status => Err(refused(resource, status, &body)),
    }
}

fn refused(resource: &Resource, status: u16, body: &[u8]) -> ListError {
    ListError::Status { resource: resource.name(), status, message: super::answer::message(body) }
}

/// The token of the next page. The server writes it before the objects, which are not looked at.
fn continue_token(body: &[u8]) -> Option<String> {
    let mut token = None;
    // That the rest is left over is an error here, and none to anybody: the page is read elsewhere.
    let _ = serde_json::Deserializer::from_slice(body).deserialize_map(Head { token: &mut token });
    token.filter(|token| !token.is_empty())
}

/// Reads a list as far as its metadata.
struct Head<'a> {
    token: &'a mut Option<String>,
}

impl<'de> Visitor<'de> for Head<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        #[derive(Deserialize)]
        struct Meta {
            #[serde(rename = "continue")]
            token: Option<String>,
        }
        while let Some(name) = map.next_key::<String>()? {
            if name == "metadata" {
                *self.token = map.next_value::<Meta>()?.token;
                break;
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Reads a page; objects of the wrong shape become gaps.
fn parse(api_version: &str, kind: &str, body: &[u8]) -> Result<Inventory, BadObject> {
    let mut inventory = Inventory::default();
    let end = inventory.add_page(api_version, kind, body)?;
    inventory.gaps.extend(end.bad.into_iter().map(|bad| Gap {
        kind: bad.object,
        verb: "read".to_owned(),
        scope: "object".to_owned(),
        reason: bad.reason,
    }));
    Ok(inventory)
}

/// Takes over the objects of a page; its memory is left.
async fn absorb(inventory: &mut Inventory, page: Parsing, resource: &Resource) -> Result<Vec<u8>, ListError> {
    let (parsed, body) = page.await.expect("parsing a page does not panic");
    let page = parsed.map_err(|source| ListError::Shape { resource: resource.name(), source })?;
    inventory.absorb(page);
    Ok(body)
}

/// Percent-encodes a token for a query.
pub fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is a digit").to_ascii_uppercase());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::continue_token;

    #[test]
    fn the_token_is_found_wherever_it_stands() {
        for (body, token) in [
            (r#"{"kind":"PodList","metadata":{"resourceVersion":"1","continue":"abc"},"items":[{"#, Some("abc")),
            (r#"{"items":[{"metadata":{"continue":"no"}}],"metadata":{"continue":"abc"}}"#, Some("abc")),
            (r#"{"metadata":{"continue":""},"items":[]}"#, None),
            (r#"{"metadata":{"resourceVersion":"1"},"items":[]}"#, None),
            ("not JSON", None),
            ("", None),
        ] {
            assert_eq!(continue_token(body.as_bytes()).as_deref(), token, "{body}");
        }
    }
}
