//! The records of an entry, one JSON line each.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::ObjectRef;
use crate::plan::change::Change;
use crate::plan::owners::{HandBack, Owned};

/// One line of an entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "a record lives for one line")]
pub enum Record {
    /// The first line.
    Begin(Begin),
    /// Written before a request is sent.
    Intent(Intent),
    /// Written after its answer.
    Result(StepResult),
    /// What a post-check found.
    Verify {
        /// The step.
        step: usize,
        /// Whether all is well.
        ok: bool,
        /// What was seen.
        message: String,
    },
    /// Written when the fields of a step that was taken back belong to their owners again.
    HandedBack {
        /// The step.
        step: usize,
        /// Why they stay ours, if they do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<String>,
        /// When.
        time: jiff::Timestamp,
    },
    /// Written when a workload that a step waits for needs no restart by us.
    NoRestart {
        /// The step.
        step: usize,
        /// The workload.
        object: ObjectRef,
        /// Why.
        reason: String,
        /// When.
        time: jiff::Timestamp,
    },
    /// Written before steps of the same entry are taken back.
    Rollback {
        /// The steps.
        steps: Vec<usize>,
        /// Why.
        reason: String,
        /// When.
        time: jiff::Timestamp,
    },
    /// The last line of a run that came to its end.
    End {
        /// `done`, `partial`, `rolled-back`, `interrupted`.
        status: String,
        /// When.
        time: jiff::Timestamp,
    },
}

/// Who changed what, where and when.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begin {
    /// The version of the records.
    pub schema: u32,
    /// The entry's ID.
    pub id: String,
    /// When.
    pub time: jiff::Timestamp,
    /// `fix`, `apply`, `undo`.
    pub command: String,
    /// This program's version.
    pub tool_version: String,
    /// The server's version.
    pub server_version: String,
    /// The uid of `kube-system`, or the server's URL where it may not be read.
    pub cluster: String,
    /// The server's URL.
    pub server: String,
    /// The context's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The audited namespaces.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// The user, as the server knows it; none where the server does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The SHA-256 of the plan: that of its file, or of the fixes that were chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// The entry that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
}

/// What a step does to its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Changes it.
    Patch,
    /// Makes it.
    Create,
    /// Removes it.
    Delete,
}

/// What is about to be sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// The step, from 0.
    pub step: usize,
    /// The rule whose fix it belongs to.
    pub rule: String,
    /// The fix in words.
    pub title: String,
    /// What it does.
    pub verb: Verb,
    /// To what.
    pub object: ObjectRef,
    /// `scale`, or the object itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    /// The fields that the dry run changed.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// Those of them that the server makes of its own accord: it may choose another value when it
    /// is no longer a dry run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived: Vec<String>,
    /// Who owns the fields before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Owned>,
    /// Who is to own them afterwards, when they are taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand_back: Option<HandBack>,
    /// The object that is made or removed, without what the server adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Value>,
    /// The mark on the object that is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_id: Option<String>,
    /// SHA-256 of what people write in the object that is made, as the dry run left it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// The version of the object before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
    /// What can't be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
    /// The earlier step of this entry that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<usize>,
    /// The step of the entry in [`Begin::undoes`] that it takes back, all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<usize>,
    /// The workloads that are to be restarted afterwards, since their pods read it at their start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awaits: Vec<ObjectRef>,
    /// When.
    pub time: jiff::Timestamp,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is done.
    Applied,
    /// Nothing was changed.
    NotApplied,
    /// Nobody knows.
    Ambiguous,
}

/// The answer to an intent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepResult {
    /// The step.
    pub step: usize,
    /// What became of it.
    pub outcome: Outcome,
    /// The HTTP status; 0 without an answer.
    pub code: u16,
    /// What the server said, if it refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The fields that really changed.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// The uid of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The version of the object afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
    /// SHA-256 of what people write in a made object: undo removes it only unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// Warnings of the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why the fields of a step that was taken back stay ours, if they do; its own record says it.
    #[serde(skip)]
    pub kept: Option<String>,
    /// When.
    pub time: jiff::Timestamp,
}

impl StepResult {
    /// An outcome without details, as of now.
    pub fn new(step: usize, outcome: Outcome) -> Self {
        Self {
            step,
            outcome,
            code: 0,
            message: String::new(),
            changes: Vec::new(),
            uid: None,
            resource_version: None,
            written: None,
            warnings: Vec::new(),
            kept: None,
            time: jiff::Timestamp::now(),
        }
    }
}
