//! Findings and fixes in the report.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::finding::{Category, Confidence, Priority, Severity};
use crate::fix::{Applicability, Reversible};
use crate::model::ownership::OwnershipClass;

/// What is wrong with one object.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Finding {
    /// The rule.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// When to act.
    pub priority: Priority,
    /// Where it counts.
    pub category: Category,
    /// Always `fail`; what is accepted stands in `waived`.
    pub verdict: &'static str,
    /// How sure it is.
    pub confidence: Confidence,
    /// What it is about.
    pub object: Object,
    /// Where it is; the first is the main place.
    pub locations: Vec<Location>,
    /// What is wrong.
    pub message: String,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// Who keeps the object.
    pub ownership: Ownership,
    /// What can be done: the first is the default.
    pub fixes: Vec<Fix>,
    /// The same for the same finding, whatever else changes.
    pub fingerprint: String,
    /// How many others say the same and are left out after it: none in a report for machines.
    #[serde(skip)]
    pub more: usize,
}

/// The name of one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// Group and version; empty for the cluster itself.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The namespace; absent for objects of the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
    /// The server's identifier; live objects only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

/// A place in an object.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Location {
    /// The object, if it is not the finding's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
    /// The field, a JSON pointer.
    pub pointer: String,
    /// What stands there, masked.
    pub current: Option<Value>,
    /// What should stand there, masked.
    pub wanted: Option<Value>,
    /// The file; manifests only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in the file, from 1; manifests only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Evidence {
    /// The fact, in one line.
    pub text: String,
    /// The object that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
}

/// Who keeps an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ownership {
    /// What kind of keeper.
    pub class: OwnershipClass,
    /// The field managers, sorted.
    pub managers: Vec<String>,
    /// The keeper itself, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keeper: Option<String>,
}

/// What can be done about a finding.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// One line.
    pub title: String,
    /// How far it may be applied without a person.
    pub applicability: Applicability,
    /// How far it can be taken back.
    pub reversible: Reversible,
    /// What happens besides.
    pub consequences: Vec<String>,
    /// What it asks.
    pub inputs: Vec<Input>,
    /// The guards that lowered its applicability.
    pub lowered_by: Vec<LoweredBy>,
    /// What is lost for good and must be confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
    /// What a person has to know or do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What it does, in order.
    pub steps: Vec<Step>,
}

/// A question of a fix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Input {
    /// The key: `--set RULE.KEY=VALUE`.
    pub key: Cow<'static, str>,
    /// The question.
    pub prompt: Cow<'static, str>,
    /// The answer if none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// A regular expression that the answer must match as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Cow<'static, str>>,
    /// True if there is no fix without it.
    pub required: bool,
    /// The answer that the fix was built with, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A guard that lowered a fix's applicability, or stopped it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LoweredBy {
    /// The guard's name.
    pub guard: Cow<'static, str>,
    /// Why.
    pub reason: String,
    /// True if the fix is stopped; its steps stay for `emit`.
    pub refuses: bool,
}

/// One request to the server, or one wait.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Step {
    /// Changes fields of one object.
    Patch {
        /// The object.
        object: Object,
        /// `scale`, if it is not the object itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        subresource: Option<String>,
        /// The operations of RFC 6902, guards first, masked.
        patch: Vec<Operation>,
    },
    /// Creates one object.
    Create {
        /// The object.
        object: Object,
        /// All of it, masked.
        manifest: Value,
    },
    /// Deletes one object.
    Delete {
        /// The object.
        object: Object,
    },
    /// Replaces the pods of a workload.
    Restart {
        /// The workload.
        object: Object,
    },
    /// Waits for a condition.
    Wait {
        /// The object.
        object: Object,
        /// The condition's type.
        condition: String,
    },
}

/// One operation of RFC 6902.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Operation {
    /// `test`, `add`, `replace` or `remove`.
    pub op: String,
    /// The field, a JSON pointer.
    pub path: String,
    /// The value; absent for `remove`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}
