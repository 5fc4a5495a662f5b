//! What a server says in a `Status`, made fit to be shown.

use serde::Deserialize;

/// A `Status` object, as far as it is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Status {
    /// One word: `Forbidden`, `Invalid`, `AlreadyExists`.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// More.
    pub details: Details,
}

/// The details of a `Status`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Details {
    /// One entry a complaint.
    pub causes: Vec<Cause>,
    /// When to ask again, in seconds.
    pub retry_after_seconds: u64,
}

/// One complaint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Cause {
    /// One word: `FieldValueInvalid`.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// The field, in the server's own notation.
    pub field: String,
}

impl Status {
    /// Reads a body; an unreadable one gives an empty status.
    pub fn of(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// True for the anonymous refusal of a patch whose guard or path failed.
    pub fn is_failed_guard(&self) -> bool {
        self.reason == "Invalid"
            && self.details.causes.is_empty()
            && self.message.contains("rejected our request due to an error in our request")
    }

    /// The complaints, or else the message, in one line each.
    pub fn complaints(&self) -> Vec<String> {
        if self.details.causes.is_empty() {
            return vec![shorten(&self.message)];
        }
        let one = |cause: &Cause| {
            let message = shorten(&cause.message);
            if cause.field.is_empty() { message } else { format!("{}: {message}", cause.field) }
        };
        self.details.causes.iter().map(one).collect()
    }
}

/// The message of a body in one line.
pub fn message(body: &[u8]) -> String {
    shorten(&Status::of(body).message)
}

/// Keeps of a message what may be shown. A strict decoding error repeats the whole object, with
/// data that may be secret: only what follows the last mark is about the error.
pub fn shorten(message: &str) -> String {
    const MARK: &str = "strict decoding error:";
    let line = match message.rfind(MARK) {
        Some(at) => message[at..].to_owned(),
        None => message.replace(['\n', '\r'], " "),
    };
    let most = line.char_indices().nth(500).map_or(line.len(), |(at, _)| at);
    line[..most].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_decoding_error_loses_the_object() {
        let long = "ConfigMap in version \"v1\" cannot be handled: data:{\"PASSWORD\":\"hunter2\"}: strict decoding error: unknown field \"x\"";
        assert_eq!(shorten(long), "strict decoding error: unknown field \"x\"");
    }

    #[test]
    fn the_anonymous_refusal_is_known() {
        let body = br#"{"reason":"Invalid","message":"the server rejected our request due to an error in our request","details":{}}"#;
        assert!(Status::of(body).is_failed_guard());
    }
}
