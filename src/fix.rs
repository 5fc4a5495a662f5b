//! What a fix is: steps, inputs, applicability. Pure.
//!
//! A fix says what it wants (edits); how that is guarded against other writers is the business of
//! [`patch`], which builds the RFC 6902 operations from the object as it is served.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::short::push;
use crate::model::{Meta, ObjectRef, Subject};

pub mod encode;
pub mod patch;

/// The label that names the rule on a created object.
pub const RULE_LABEL: &str = "progrc.io/rule";
/// The annotation that names the change on a created object.
pub const CHANGE_ID: &str = "progrc.io/change-id";
/// The annotation whose change restarts a workload, as `kubectl rollout restart` writes it.
pub const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// How far a fix may be applied without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Applicability {
    /// Declared intent, reversible, restarts nothing.
    Safe,
    /// Correct, but changes what runs, or may be refused later.
    Unsafe,
    /// Can't be built without answers; then unsafe.
    Input,
    /// Never applied; a person does it.
    Manual,
}

impl Applicability {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Unsafe => "unsafe",
            Self::Input => "input",
            Self::Manual => "manual",
        }
    }
}

/// How far a fix can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reversible {
    /// The objects become what they were.
    Full,
    /// The objects do; something outside them does not, such as an address.
    ConfigOnly,
    /// Not at all.
    None,
}

impl Reversible {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ConfigOnly => "config-only",
            Self::None => "none",
        }
    }
}

/// A question whose answer a fix needs, or that changes it. The key is that of `--set`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The key: `--set RULE.KEY=VALUE`.
    pub key: Cow<'static, str>,
    /// The question.
    pub prompt: Cow<'static, str>,
    /// The answer if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// A regular expression that the answer must match as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Cow<'static, str>>,
    /// True if there is no fix without it.
    pub required: bool,
    /// The answer that this fix was built with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Input {
    /// True if the fix can't be built because of it.
    pub fn is_open(&self) -> bool {
        self.required && self.value.is_none()
    }
}

/// A guard that lowered a fix's applicability, or stopped it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoweredBy {
    /// The guard's name: `ownership`, `volume`, `selector`.
    pub guard: Cow<'static, str>,
    /// The sentence.
    pub reason: String,
    /// True if the fix is stopped, not only lowered.
    pub refuses: bool,
}

/// What a fix wants of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// The field, as a JSON pointer. A last segment `-` appends to a list.
    pub pointer: String,
    /// What becomes of it.
    pub action: Action,
}

/// What becomes of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// It gets this value; absent parents are made.
    Set(Value),
    /// It goes.
    Remove,
    /// It is a JSON text from which the member at this pointer goes: the last-applied annotation,
    /// whose text nobody but the server and the patch may see.
    DropInText(String),
    /// It is a JSON text into which this member comes back, with this value.
    PutInText(String, Value),
}

impl Edit {
    /// Sets a field.
    pub fn set(pointer: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { pointer: pointer.into(), action: Action::Set(value.into()) }
    }

    /// Removes a field.
    pub fn remove(pointer: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), action: Action::Remove }
    }

    /// True if the field of this object is already as the edit wants it.
    pub fn is_done(&self, object: &Value) -> bool {
        match &self.action {
            Action::Set(value) => object.pointer(&self.pointer) == Some(value),
            Action::Remove => object.pointer(&self.pointer).is_none(),
            Action::DropInText(_) | Action::PutInText(..) => false,
        }
    }
}

/// One request to the server, or one wait.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Changes fields of one object.
    Patch {
        /// The object.
        object: Subject,
        /// `scale`, or the object itself.
        subresource: Option<String>,
        /// What it wants.
        edits: Vec<Edit>,
        /// Values that must hold besides those that are edited: pointer and value.
        expect: Vec<(String, Value)>,
    },
    /// Creates one object.
    Create {
        /// The object.
        object: Subject,
        /// All of it.
        manifest: Value,
    },
    /// Deletes one object, if it is still the same.
    Delete {
        /// The object.
        object: Subject,
    },
    /// Replaces the pods of a workload, and waits for the new ones.
    Restart {
        /// The workload.
        object: Subject,
    },
    /// Waits for a condition of an object.
    Wait {
        /// The object.
        object: Subject,
        /// The condition's type.
        condition: String,
    },
}

impl Step {
    /// A patch of one object.
    pub fn patch(object: &Subject, edits: Vec<Edit>) -> Self {
        Self::Patch { object: object.clone(), subresource: None, edits, expect: Vec::new() }
    }

    /// The object that it touches.
    pub fn object(&self) -> &Subject {
        match self {
            Self::Patch { object, .. }
            | Self::Create { object, .. }
            | Self::Delete { object }
            | Self::Restart { object }
            | Self::Wait { object, .. } => object,
        }
    }

    /// The object, or the part of it, that the step is built from; `None` if it needs none.
    pub fn source(&self) -> Option<(&ObjectRef, Option<&str>)> {
        match self {
            Self::Patch { object, subresource, .. } => Some((object, subresource.as_deref())),
            Self::Restart { object } if object.kind == "CronJob" => None,
            Self::Restart { object } | Self::Delete { object } => Some((object, None)),
            Self::Create { .. } | Self::Wait { .. } => None,
        }
    }

    /// True if the step changes something on the server.
    pub fn writes(&self) -> bool {
        !matches!(self, Self::Wait { .. })
    }

    /// Creates an object in the form every created object has: three marks of ours, and never a
    /// label or annotation of the workload, which could make Helm or Argo CD adopt it.
    pub fn create(rule: &str, api_version: &str, kind: &str, namespace: &str, name: &str, spec: Value) -> Self {
        let mut object = ObjectRef::new(api_version, kind, Some(namespace), name);
        object.uid = None;
        let mut manifest = serde_json::json!({
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {"app.kubernetes.io/managed-by": "kubectl-progrc", RULE_LABEL: rule},
            },
        });
        manifest["spec"] = spec;
        Self::Create { object: Subject::new(object), manifest }
    }
}

/// What can be done about a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    /// One line, imperative: `Create PodDisruptionBudget web-pdb`.
    pub title: String,
    /// How far it may be applied without a person.
    pub applicability: Applicability,
    /// How far it can be taken back.
    pub reversible: Reversible,
    /// What happens besides, one line each: `restarts Deployment/web (3 pods)`.
    pub consequences: Vec<String>,
    /// What it asks.
    pub inputs: Vec<Input>,
    /// The guards that lowered it.
    pub lowered_by: Vec<LoweredBy>,
    /// What is lost for good and must be confirmed by typing the object's name.
    pub irreversible: Option<String>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// What a person has to know or do, one line each: derivations, instructions of manual fixes.
    pub notes: Vec<String>,
}

impl Fix {
    /// A fix without steps yet.
    pub fn new(title: impl Into<String>, applicability: Applicability) -> Self {
        Self {
            title: title.into(),
            applicability,
            reversible: Reversible::Full,
            consequences: Vec::new(),
            inputs: Vec::new(),
            lowered_by: Vec::new(),
            irreversible: None,
            steps: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// With one more step.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        push(&mut self.steps, step);
        self
    }

    /// With one more consequence.
    #[must_use]
    pub fn consequence(mut self, text: impl Into<String>) -> Self {
        push(&mut self.consequences, text.into());
        self
    }

    /// With one more note.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        push(&mut self.notes, text.into());
        self
    }

    /// With one more question.
    #[must_use]
    pub fn ask(mut self, input: Input) -> Self {
        push(&mut self.inputs, input);
        self
    }

    /// Lowers the applicability to at most `to`, for a reason. It never rises.
    pub fn demote(&mut self, to: Applicability, guard: impl Into<Cow<'static, str>>, reason: impl Into<String>) {
        self.applicability = self.applicability.max(to);
        push(&mut self.lowered_by, LoweredBy { guard: guard.into(), reason: reason.into(), refuses: false });
    }

    /// Stops the fix; its steps stay for `emit`.
    pub fn refuse(&mut self, guard: impl Into<Cow<'static, str>>, reason: impl Into<String>) {
        self.applicability = Applicability::Manual;
        push(&mut self.lowered_by, LoweredBy { guard: guard.into(), reason: reason.into(), refuses: true });
    }

    /// True if a guard stopped it.
    pub fn is_refused(&self) -> bool {
        self.lowered_by.iter().any(|lowered| lowered.refuses)
    }

    /// True if every question that must be answered is.
    pub fn is_built(&self) -> bool {
        !self.inputs.iter().any(Input::is_open)
    }

    /// True if another fix does the same, whatever it expects to find.
    pub fn does_the_same(&self, other: &Self) -> bool {
        let bare = |step: &Step| match step {
            Step::Patch { object, subresource, edits, .. } => Step::Patch {
                object: object.clone(),
                subresource: subresource.clone(),
                edits: edits.clone(),
                expect: Vec::new(),
            },
            step => step.clone(),
        };
        self.steps.iter().map(bare).eq(other.steps.iter().map(bare))
    }

    /// The workloads that it restarts.
    pub fn restarts(&self) -> impl Iterator<Item = &Subject> {
        self.steps.iter().filter_map(|step| match step {
            Step::Restart { object } => Some(object),
            Step::Patch { object, edits, .. } if edits.iter().any(|edit| is_in_template(&edit.pointer)) => Some(object),
            _ => None,
        })
    }
}

/// True for a field of a pod template: changing it replaces the pods.
fn is_in_template(pointer: &str) -> bool {
    pointer.starts_with("/spec/template/")
}

/// A name for an object beside `base` that is not taken: `base`, else `base-progrc`; at most 253
/// characters, the API's limit for names.
pub fn free_name(base: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let cut = |most: usize| base[..base.floor_char_boundary(most)].trim_end_matches(['-', '.']);
    let first = cut(253);
    if is_taken(first) { format!("{}-progrc", cut(246)) } else { first.to_owned() }
}

/// True if the object was created by us.
pub fn is_ours(meta: &Meta) -> bool {
    meta.label("app.kubernetes.io/managed-by") == Some("kubectl-progrc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applicability_only_falls() {
        let mut fix = Fix::new("x", Applicability::Input);
        fix.demote(Applicability::Unsafe, "g", "r");
        assert_eq!(fix.applicability, Applicability::Input);
        fix.refuse("g", "r");
        assert_eq!(fix.applicability, Applicability::Manual);
    }

    #[test]
    fn names_stay_within_the_limit() {
        let long = "a".repeat(253);
        assert_eq!(free_name(&format!("{long}-pdb"), |_| false).len(), 253);
        assert!(free_name(&format!("{long}-pdb"), |_| true).len() <= 253);
    }
}
