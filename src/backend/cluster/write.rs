//! One write, dry or real, and what its answer means.
//!
//! A write is sent again only after an answer that proves that nothing was done. After one that
//! leaves that open the object is read and compared; nothing is sent again.

use http::{Method, Request};
use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation};
use serde_json::Value;

use super::answer::{Status, shorten};
use super::connect::{Connection, RawResponse, write_pause};
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

/// How often a write is sent in all that the server turned away because it is busy.
const BUSY_TRIES: usize = 3;
/// How often in all while an admission webhook does not answer.
const WEBHOOK_TRIES: usize = 2;

/// Sends a write and says what became of it. It is sent again only after an answer that proves
/// that nothing was done.
pub async fn send(connection: &Connection, request: &Write, options: &Options, dry: bool) -> Answer {
    let mut tries = 0;
    loop {
        tries += 1;
        let response = match connection.write(request.build(options, dry)).await {
            Ok(response) => response,
            Err(error) if error.never_sent() => {
                let reasons = vec![format!("{}: {error}", connection.server)];
                let hint = Some("check the connection and run the command again".to_owned());
                return Answer::Refused { code: 0, reasons, hint };
            }
            Err(error) if dry => return Answer::Refused { code: 0, reasons: vec![error.to_string()], hint: None },
            Err(error) => return look(connection, request, &error.to_string()).await,
        };
        let most = match response.status {
            429 => BUSY_TRIES,
            500 if is_webhook_failure(&Status::of(&response.body)) => WEBHOOK_TRIES,
            _ => 1,
        };
        if tries >= most {
            return classify(connection, request, response, dry).await;
        }
        tokio::time::sleep(write_pause(response.retry_after)).await;
    }
}

/// An admission webhook did not answer: the write was not carried out.
fn is_webhook_failure(status: &Status) -> bool {
    status.message.contains("failed calling webhook")
}

async fn classify(connection: &Connection, request: &Write, response: RawResponse, dry: bool) -> Answer {
    let status = Status::of(&response.body);
    match response.status {
        200..=202 => done(request, response, dry),
        422 if status.is_failed_guard() => failed_guard(connection, request).await,
        503 | 504 if !dry => {
            look(connection, request, &format!("{} {}", response.status, shorten(&status.message))).await
        }
        500 if !dry && !is_webhook_failure(&status) => {
            look(connection, request, &format!("500 {}", shorten(&status.message))).await
        }
        code => {
            let hint = hint(code, &status);
            let mut reasons = status.complaints();
            reasons.iter_mut().filter(|reason| reason.is_empty()).for_each(|reason| *reason = format!("HTTP {code}"));
            Answer::Refused { code, reasons, hint }
        }
    }
}

fn done(request: &Write, response: RawResponse, dry: bool) -> Answer {
    let object: Value = match request {
        Write::Delete { .. } => Value::Null,
        _ => serde_json::from_slice(&response.body).unwrap_or_default(),
    };
    if let Write::Patch { object: name, guarded, .. } = request {
        let version = |object: &Value| object.pointer("/metadata/resourceVersion").cloned();
        let same = version(&object).is_some() && version(&object) == version(&guarded.after);
        if same && !dry && !stands(guarded, &object) {
            let reason = format!("reverted by admission: the server accepted the patch and left {name} as it was");
            let hint = Some("a mutating webhook or policy takes the change back".to_owned());
            return Answer::Refused { code: response.status, reasons: vec![reason], hint };
        }
    }
    Answer::Done { object, code: response.status, warnings: response.warnings }
}

/// True if everything that a patch sets stands in an object: the server may have added to it.
fn stands(guarded: &Guarded, live: &Value) -> bool {
    guarded.patch.0.iter().all(|operation| match operation {
        PatchOperation::Test(test) if test.path.as_str() == "/metadata/uid" => {
            live.pointer("/metadata/uid") == Some(&test.value)
        }
        PatchOperation::Add(AddOperation { path, value })
        | PatchOperation::Replace(ReplaceOperation { path, value }) => {
            let path = path.to_string();
            match path.strip_suffix("/-") {
                Some(list) => live.pointer(list).and_then(Value::as_array).is_some_and(|list| list.contains(value)),
                None if path == "/metadata/resourceVersion" => true,
                None => live.pointer(&path).is_some_and(|found| covers(found, value)),
            }
        }
        PatchOperation::Remove(RemoveOperation { path }) => {
            let path = path.to_string();
            let parent = patch::parent_of(&path);
            match guarded.after.pointer(parent) {
                Some(list @ Value::Array(_)) => live.pointer(parent).is_some_and(|found| covers(found, list)),
                _ => live.pointer(&path).is_none(),
            }
        }
        _ => true,
    })
}

/// True if a value has all that is wanted; members that the server has added do not disturb.
fn covers(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| found.get(key).is_some_and(|found| covers(found, value)))
        }
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| covers(found, wanted))
        }
        _ => found == wanted,
    }
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
            if stands(guarded, &live) {
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
            400 => "the request is malformed: please report it",
            401 => "the credentials have expired: log in again, then run the command again",
            403 => forbidden(status),
            404 => "the object does not exist any more: audit again",
            409 if status.reason == "AlreadyExists" => "somebody has made it meanwhile: audit again",
            409 => "somebody changed it meanwhile: audit again",
            413 => "the patch is too large: please report it",
            422 if message.contains("ValidatingAdmissionPolicy") => "a policy of the cluster refuses it",
            429 => "the server is busy: run the command again later",
            500 => "an admission webhook does not answer: nothing was changed",
            _ => return None,
        }
        .to_owned(),
    )
}

/// Who forbids: the rights of the user, a quota, the namespace or a policy.
fn forbidden(status: &Status) -> &'static str {
    let message = &status.message;
    let says = |text: &str| message.contains(text);
    if status.details.causes.iter().any(|cause| cause.reason == "NamespaceTerminating") || says("being terminated") {
        "the namespace is being deleted: audit again"
    } else if says("exceeded quota") || says("must specify") || says("failed quota") {
        "a ResourceQuota of the namespace refuses it: see missing-limit-range and quota-exhausted"
    } else if says("violates PodSecurity") {
        "the namespace enforces a Pod Security Standard: see insecure-security-context"
    } else if says("denied the request") || says("denied request") {
        "a policy of the cluster refuses it"
    } else {
        "the user may not do this: `kubectl auth can-i` shows what it may"
    }
}
