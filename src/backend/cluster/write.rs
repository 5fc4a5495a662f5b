//! One write, dry or real, and what its answer means.
//!
//! A write is sent once. After an answer that leaves open whether it was carried out, the object
//! is read and compared; nothing is sent again.

use http::{Method, Request};
use serde_json::Value;

use super::answer::Status;
use super::connect::{Connection, RawResponse};
use super::list::encode;
use super::objects::{self, GetError};
use crate::model::ObjectRef;
use crate::plan::encode::to_bytes;
use crate::plan::patch::{self, Guarded};

/// The media type of RFC 6902.
const JSON_PATCH: &str = "application/json-patch+json";

/// A write as it is sent.
#[derive(Clone, Debug)]
pub enum Write {
    /// Changes an object or a part of it.
    Patch {
        /// The object.
        object: ObjectRef,
        /// `scale`, or all of it.
        subresource: Option<String>,
        /// The operations, and what is expected of them.
        guarded: Guarded,
    },
    /// Makes an object.
    Create {
        /// The object.
        object: ObjectRef,
        /// All of it.
        manifest: Value,
    },
    /// Removes an object, if it is still the same.
    Delete {
        /// The object.
        object: ObjectRef,
        /// Its uid.
        uid: String,
    },
}

/// How writes are sent.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name in `managedFields`.
    pub field_manager: String,
    /// Whether to write without a dry run where a webhook does not support it.
    pub allow_no_dry_run: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { field_manager: "kubectl-progrc".to_owned(), allow_no_dry_run: false }
    }
}

/// What an answer means.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Carried out; the object as the server has it now, `null` if it was removed.
    Done {
        /// The object.
        object: Value,
        /// The HTTP status; 0 if the answer was lost and the object shows that it was done.
        code: u16,
        /// Warnings of the server.
        warnings: Vec<String>,
    },
    /// Nothing was changed.
    Refused {
        /// The HTTP status; 0 if nothing was sent.
        code: u16,
        /// Why, in one line each.
        reasons: Vec<String>,
        /// The way out.
        hint: Option<String>,
    },
    /// Nobody knows.
    Ambiguous {
        /// What is known.
        message: String,
    },
}

impl Write {
    /// The object that it writes.
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::Patch { object, .. } | Self::Create { object, .. } | Self::Delete { object, .. } => object,
        }
    }

    /// True if it removes its object.
    pub fn deletes(&self) -> bool {
        matches!(self, Self::Delete { .. })
    }

    fn subresource(&self) -> Option<&str> {
        match self {
            Self::Patch { subresource, .. } => subresource.as_deref(),
            _ => None,
        }
    }

    fn build(&self, options: &Options, dry: bool) -> Request<Vec<u8>> {
        let dry = if dry { "&dryRun=All" } else { "" };
        let query = format!("?fieldManager={}&fieldValidation=Strict{dry}", encode(&options.field_manager));
        let (method, path, media, body) = match self {
            Self::Patch { object, subresource, guarded } => {
                let path = objects::path(object, subresource.as_deref());
                (Method::PATCH, path + &query, JSON_PATCH, to_bytes(&guarded.patch))
            }
            Self::Create { object, manifest } => {
                (Method::POST, objects::collection_path(object) + &query, "application/json", to_bytes(manifest))
            }
            Self::Delete { object, uid } => {
                let mut body = serde_json::json!({
                    "apiVersion": "v1", "kind": "DeleteOptions",
                    "preconditions": {"uid": uid}, "propagationPolicy": "Background",
                });
                let mut path = objects::path(object, None);
                if !dry.is_empty() {
                    // The server reads the body alone; the query shows in its audit log.
                    body["dryRun"] = serde_json::json!(["All"]);
                    path += "?dryRun=All";
                }
                (Method::DELETE, path, "application/json", to_bytes(&body))
            }
        };
        Request::builder()
            .method(method)
            .uri(path)
            .header("Content-Type", media)
            .header("Accept", "application/json")
            .body(body)
            .expect("paths of objects are URIs")
    }
}

/// Sends a write and says what became of it.
pub async fn send(connection: &Connection, request: &Write, options: &Options, dry: bool) -> Answer {
    match connection.write(request.build(options, dry)).await {
        Ok(response) => classify(connection, request, response, dry).await,
        Err(error) if error.never_sent() => {
            let reasons = vec![format!("{}: {error}", connection.server)];
            Answer::Refused {
                code: 0,
                reasons,
                hint: Some("check the connection and run the command again".to_owned()),
            }
        }
        Err(error) if dry => Answer::Refused { code: 0, reasons: vec![error.to_string()], hint: None },
        Err(error) => look(connection, request, &error.to_string()).await,
    }
}

async fn classify(connection: &Connection, request: &Write, response: RawResponse, dry: bool) -> Answer {
    let status = Status::of(&response.body);
    match response.status {
        200..=202 => done(request, response),
        422 if status.is_failed_guard() => failed_guard(connection, request).await,
        503 | 504 if !dry => look(connection, request, &format!("{} {}", response.status, status.message)).await,
        500 if !dry && !status.message.contains("failed calling webhook") => {
            look(connection, request, &format!("500 {}", super::answer::shorten(&status.message))).await
        }
        code => {
            let hint = hint(code, &status);
            let mut reasons = status.complaints();
            reasons.iter_mut().filter(|reason| reason.is_empty()).for_each(|reason| *reason = format!("HTTP {code}"));
            Answer::Refused { code, reasons, hint }
        }
    }
}

fn done(request: &Write, response: RawResponse) -> Answer {
    let object = match request {
        Write::Delete { .. } => Value::Null,
        _ => serde_json::from_slice(&response.body).unwrap_or_default(),
    };
    Answer::Done { object, code: response.status, warnings: response.warnings }
}

/// The server does not say which guard failed; the object does.
async fn failed_guard(connection: &Connection, request: &Write) -> Answer {
    let Write::Patch { object, subresource, guarded } = request else {
        return Answer::Refused { code: 422, reasons: vec!["the server refused the request".to_owned()], hint: None };
    };
    let hint = Some("somebody changed it meanwhile: audit again".to_owned());
    let reasons = match objects::find(connection, object, subresource.as_deref()).await {
        Ok(Some(live)) => patch::failed_tests(&guarded.patch, &live).iter().map(ToString::to_string).collect(),
        Ok(None) => vec![format!("{object} does not exist any more")],
        Err(error) => vec![error.to_string()],
    };
    let reasons = if reasons.is_empty() {
        vec!["a guard of the patch failed, and the object has changed again since".to_owned()]
    } else {
        reasons
    };
    Answer::Refused { code: 422, reasons, hint }
}

/// Reads the object after an answer that leaves everything open.
async fn look(connection: &Connection, request: &Write, why: &str) -> Answer {
    let live = match objects::find(connection, request.object(), request.subresource()).await {
        Ok(live) => live,
        Err(GetError::Transport { source, .. }) => {
            return Answer::Ambiguous { message: format!("{why}; then {source}") };
        }
        Err(error) => return Answer::Ambiguous { message: format!("{why}; then {error}") },
    };
    settle(request, live, why)
}

/// What an object shows about a write whose answer was lost.
pub fn settle(request: &Write, live: Option<Value>, why: &str) -> Answer {
    let refused = |reason: String| Answer::Refused { code: 0, reasons: vec![reason], hint: None };
    match (request, live) {
        (Write::Create { .. } | Write::Patch { .. }, None) => refused(format!("{why}; the object does not exist")),
        (Write::Create { manifest, .. }, Some(live)) => {
            let mark = "/metadata/annotations/progrc.io~1change-id";
            if manifest.pointer(mark).is_some() && live.pointer(mark) == manifest.pointer(mark) {
                Answer::Done { object: live, code: 0, warnings: Vec::new() }
            } else {
                refused(format!("{why}; an object of this name exists and is not ours"))
            }
        }
        (Write::Patch { guarded, .. }, Some(live)) => {
            let wanted = crate::plan::change::between(&live, &guarded.after);
            if wanted.is_empty() {
                Answer::Done { object: live, code: 0, warnings: Vec::new() }
            } else if patch::failed_tests(&guarded.patch, &live).is_empty() {
                refused(format!("{why}; the object is as it was"))
            } else {
                Answer::Ambiguous { message: format!("{why}; the object is neither as it was nor as it should be") }
            }
        }
        (Write::Delete { .. }, None) => Answer::Done { object: Value::Null, code: 0, warnings: Vec::new() },
        (Write::Delete { uid, .. }, Some(live)) => {
            let same = live.pointer("/metadata/uid").and_then(Value::as_str) == Some(uid);
            let leaving = live.pointer("/metadata/deletionTimestamp").is_some();
            match (same, leaving) {
                (true, false) => refused(format!("{why}; the object is still there")),
                _ => Answer::Done { object: Value::Null, code: 0, warnings: Vec::new() },
            }
        }
    }
}

fn hint(code: u16, status: &Status) -> Option<String> {
    let message = &status.message;
    Some(
        match code {
            400 if message.contains("does not support dry run") => {
                "a webhook can't be dry-run; --allow-no-dry-run writes without it"
            }
            401 => "the credentials have expired: log in again",
            403 if message.contains("exceeded quota") || message.contains("must specify") => {
                "a ResourceQuota of the namespace refuses it: see missing-limit-range and quota-exhausted"
            }
            403 if message.contains("violates PodSecurity") => {
                "the namespace enforces a Pod Security Standard: see insecure-security-context"
            }
            403 if message.contains("being terminated") => "the namespace is being deleted",
            403 => "the user may not do this: `kubectl auth can-i` shows what it may",
            404 => "the object does not exist any more: audit again",
            409 if status.reason == "AlreadyExists" => "somebody has made it meanwhile: audit again",
            409 => "somebody changed it meanwhile: audit again",
            413 => "the patch is too large",
            429 => "the server is busy: run the command again later",
            500 => "an admission webhook does not answer",
            _ => return None,
        }
        .to_owned(),
    )
}
