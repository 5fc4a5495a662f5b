//! The requests that the API server saw, from its audit log.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde_json::Value;

use super::wait::{WAIT, wait_until};

/// A place in the audit log: the requests after it are those of interest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(u64);

/// One request and its answer.
#[derive(Debug, Clone)]
pub(crate) struct AuditEntry {
    /// The server's id of the request.
    id: String,
    /// The verb of the API: `get`, `list`, `watch`, `create`, `patch`, …
    pub(crate) verb: String,
    /// Path and query.
    pub(crate) uri: String,
    /// Who sent it.
    pub(crate) user: String,
    /// Whom that user impersonated.
    pub(crate) impersonated: Option<String>,
    /// The user agent.
    pub(crate) user_agent: String,
    /// The resource, with its subresource after a slash; empty for a path that is none.
    pub(crate) resource: String,
    /// The namespace; empty for what has none.
    pub(crate) namespace: String,
    /// The name; empty for a list.
    pub(crate) name: String,
    /// The status code; none while the answer is on its way (a watch).
    pub(crate) code: Option<u16>,
}

impl AuditEntry {
    /// Whether the request could change something: neither a read nor a review of rights, and
    /// no dry run.
    pub(crate) fn writes(&self) -> bool {
        let read = matches!(self.verb.as_str(), "get" | "list" | "watch");
        !read && !self.resource.ends_with("reviews") && !self.uri.contains("dryRun=All")
    }

    fn parse(event: &Value) -> Self {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let subresource = text("/objectRef/subresource");
        let slash = if subresource.is_empty() { "" } else { "/" };
        Self {
            id: text("/auditID"),
            verb: text("/verb"),
            uri: text("/requestURI"),
            user: text("/user/username"),
            impersonated: event.pointer("/impersonatedUser/username").map(|_| text("/impersonatedUser/username")),
            user_agent: text("/userAgent"),
            resource: format!("{}{slash}{subresource}", text("/objectRef/resource")),
            namespace: text("/objectRef/namespace"),
            name: text("/objectRef/name"),
            code: None,
        }
    }
}

/// The end of the log.
pub(crate) fn mark(log: &Path) -> Mark {
    Mark(log.metadata().map_or(0, |metadata| metadata.len()))
}

/// The requests after a mark that `wanted` accepts, in the order in which they came in.
///
/// A request is on disk before the server works on it, its answer only after it was sent: so this
/// waits for the answers, those of watches aside.
pub(crate) fn requests(log: &Path, since: Mark, wanted: impl Fn(&AuditEntry) -> bool) -> Vec<AuditEntry> {
    wait_until(WAIT, "the answers in the audit log", || {
        let entries: Vec<AuditEntry> = read(log, since).into_iter().filter(&wanted).collect();
        match entries.iter().find(|entry| entry.code.is_none() && entry.verb != "watch") {
            Some(open) => Err(format!("no answer yet to {} {}", open.verb, open.uri)),
            None => Ok(entries),
        }
    })
}

/// The log after a mark, without a last line that is only half written.
fn read(log: &Path, Mark(offset): Mark) -> Vec<AuditEntry> {
    let mut bytes = Vec::new();
    let mut file = File::open(log).expect("the server writes it from its start");
    // From the byte before: the mark may stand inside a line that was just being written, which is
    // of before.
    file.seek(SeekFrom::Start(offset.saturating_sub(1))).expect("a file can be sought");
    file.read_to_end(&mut bytes).expect("a file can be read");
    let text = String::from_utf8_lossy(&bytes);
    let start = if offset == 0 { 0 } else { text.find('\n').map_or(text.len(), |end| end + 1) };
    let whole = text.rfind('\n').filter(|end| *end >= start).map_or("", |end| &text[start..end]);
    let mut entries: Vec<AuditEntry> = Vec::new();
    for line in whole.lines() {
        let event: Value = serde_json::from_str(line).expect("each line is an event");
        let entry = AuditEntry::parse(&event);
        if event["stage"] == "RequestReceived" {
            entries.push(entry);
        } else if let Some(open) = entries.iter_mut().rev().find(|open| open.id == entry.id) {
            let code = event.pointer("/responseStatus/code").and_then(Value::as_u64);
            // Impersonation and object are known only after authorization.
            *open = AuditEntry { code: code.and_then(|code| u16::try_from(code).ok()), ..entry };
        }
    }
    entries
}
