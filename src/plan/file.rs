//! The plan file: fixes as they were when somebody looked at them, to be reviewed and applied later.
//!
//! Its structs are a format of their own. Nothing in it may be hidden: a fix that would need such a
//! value stands in `omitted`. Each fix has a hash, and the file one of them all, so that what was
//! reviewed is what is applied. The hashes find mistakes; they are no signature.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::change::TextChange;
use super::draft::Drafted;
use crate::finding::{Finding, Severity};
use crate::fix::{Applicability, Fix, Reversible};
use crate::model::{ObjectRef, mask};
use crate::rules::settings::Environment;

mod compare;
mod read;
mod seal;
mod told;

pub use compare::{differences, expectations};
pub use read::{FileError, read};
pub use seal::sum_of_fixes;

/// The version of the format that this program writes and understands.
pub const API_VERSION: &str = "progrc.io/v1";
/// The kind of the document.
pub const KIND: &str = "Plan";

/// A plan: what would be done, to which cluster, in which order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// `progrc.io/v1`.
    pub api_version: String,
    /// `Plan`.
    pub kind: String,
    /// Who made it, when, for what.
    pub metadata: Metadata,
    /// What is done, in order.
    pub fixes: Vec<Planned>,
    /// What is not, and why.
    pub omitted: Vec<Omitted>,
}

/// Who made a plan, when, for what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The version of the program that made it.
    pub tool_version: String,
    /// When, in UTC: `2026-01-01T00:00:00Z`.
    pub created_at: String,
    /// The cluster.
    pub cluster: Cluster,
    /// The audited namespaces; empty for all but the system's.
    pub namespaces: Vec<String>,
    /// What the namespaces are for.
    pub environment: Environment,
    /// What the rules of these fixes were told.
    pub settings: Settings,
    /// SHA-256 of the rest.
    pub hash: String,
}

/// A cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// The uid of its namespace `kube-system`: what tells it from others. Absent where that may not
    /// be read; then its server does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The URL of its server.
    pub server: String,
    /// The context through which it was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// What rules were told, so that they say the same again on another machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Namespaces that belong to the cluster, besides the three of Kubernetes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub system_namespaces: Vec<String>,
    /// Parameters of rules, by rule and key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, Map<String, Value>>,
    /// Answers of `--set`, confirmations aside: those are given when the plan is applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
}

/// One fix of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Planned {
    /// The rule.
    pub rule: String,
    /// How bad the finding is.
    pub severity: Severity,
    /// What it is about.
    pub object: Object,
    /// What is wrong.
    pub message: String,
    /// The fingerprint of the finding.
    pub fingerprint: String,
    /// The fix in one line.
    pub title: String,
    /// How far it may be applied without a person.
    pub applicability: Applicability,
    /// How far it can be taken back.
    pub reversible: Reversible,
    /// What is lost for good and must be confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
    /// What happens besides.
    pub consequences: Vec<String>,
    /// The answers that it was built with, by key.
    pub inputs: BTreeMap<String, String>,
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// SHA-256 of the rest.
    pub hash: String,
}

/// A finding that the plan does nothing about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Omitted {
    /// The rule.
    pub rule: String,
    /// What it is about.
    pub object: Object,
    /// Why.
    pub reason: String,
}

/// The name of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Object {
    /// Group and version; empty for the cluster itself.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The namespace; absent for objects of the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
    /// The server's identifier; absent for objects that are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

impl From<&ObjectRef> for Object {
    fn from(object: &ObjectRef) -> Self {
        let ObjectRef { kind, namespace, name, api_version, uid } = object.clone();
        Self { api_version, kind, namespace, name, uid }
    }
}

impl From<&Object> for ObjectRef {
    fn from(object: &Object) -> Self {
        let Object { api_version, kind, namespace, name, uid } = object.clone();
        Self { kind, namespace, name, api_version, uid }
    }
}

/// One request to the server, or one wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
pub enum Step {
    /// Changes fields of one object.
    Patch {
        /// The object.
        object: Object,
        /// `scale`, if it is not the object itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subresource: Option<String>,
        /// The operations of RFC 6902, guards first.
        patch: Vec<Operation>,
        /// What changes inside texts that may not be kept; their operations are made anew when the
        /// plan is applied.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        texts: Vec<Text>,
    },
    /// Makes one object.
    Create {
        /// The object.
        object: Object,
        /// All of it.
        manifest: Value,
    },
    /// Removes one object, if it is still the same.
    Delete {
        /// The object.
        object: Object,
    },
    /// Replaces the pods of a workload, and waits for the new ones.
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

impl Step {
    /// The object that it touches.
    pub fn object(&self) -> &Object {
        match self {
            Self::Patch { object, .. }
            | Self::Create { object, .. }
            | Self::Delete { object }
            | Self::Restart { object }
            | Self::Wait { object, .. } => object,
        }
    }

    /// What it does, in one word.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Patch { .. } => "patch",
            Self::Create { .. } => "create",
            Self::Delete { .. } => "delete",
            Self::Restart { .. } => "restart",
            Self::Wait { .. } => "wait",
        }
    }
}

/// A member that goes from a JSON text which may not be kept, such as what `kubectl apply` keeps of
/// an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The field that holds the text, a JSON pointer.
    pub path: String,
    /// The member and its value, and SHA-256 of the text before and after.
    pub change: TextChange,
}

/// One operation of RFC 6902.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// `test`, `add`, `replace` or `remove`.
    pub op: String,
    /// The field, a JSON pointer.
    pub path: String,
    /// The value; absent for `remove`, `null` for a field that must be absent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub value: Option<Value>,
}

/// A member that is there has a value, even if that is `null`.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl From<&Drafted> for Step {
    fn from(drafted: &Drafted) -> Self {
        match drafted {
            Drafted::Patch { object, subresource, guarded, texts, .. } => {
                let json = serde_json::to_value(&guarded.patch).unwrap_or_default();
                let patch = serde_json::from_value(json).expect("a patch is a list of operations");
                let texts = texts.iter().map(|(path, change)| Text { path: path.clone(), change: change.clone() });
                Self::Patch { object: object.into(), subresource: subresource.clone(), patch, texts: texts.collect() }
            }
            Drafted::Create { object, manifest } => Self::Create { object: object.into(), manifest: manifest.clone() },
            Drafted::Delete { object } => Self::Delete { object: object.into() },
            Drafted::Restart { object, .. } => Self::Restart { object: object.into() },
            Drafted::Wait { object, condition } => Self::Wait { object: object.into(), condition: condition.clone() },
        }
    }
}

impl Planned {
    /// The fix of a finding, with its drafted steps; why not, if an answer may not be kept.
    pub fn new(finding: &Finding, fix: &Fix, steps: &[Drafted]) -> Result<Self, String> {
        let text = |text: &str| mask::mask("", text);
        let answer = |input: &crate::fix::Input| Some((input.key.to_string(), input.value.clone()?));
        let answers = fix.inputs.iter().filter(|input| input.key != "confirm");
        let inputs: BTreeMap<String, String> = answers.filter_map(answer).collect();
        if let Some(key) = inputs.iter().find(|(key, value)| told::is_hidden(key, value)).map(|(key, _)| key) {
            return Err(format!("the answer to {key} may not be kept"));
        }
        let mut this = Self {
            rule: finding.rule.to_owned(),
            severity: finding.severity,
            object: (&*finding.object).into(),
            message: text(&finding.message),
            fingerprint: finding.fingerprint(),
            title: text(&fix.title),
            applicability: fix.applicability,
            reversible: fix.reversible,
            irreversible: fix.irreversible.as_deref().map(text),
            consequences: fix.consequences.iter().map(|line| text(line)).collect(),
            inputs,
            steps: steps.iter().map(Step::from).collect(),
            hash: String::new(),
        };
        this.hash = this.sum();
        Ok(this)
    }
}

/// The JSON Schema of [`Plan`], 2020-12.
pub fn schema() -> Value {
    schemars::schema_for!(Plan).to_value()
}

#[cfg(test)]
mod tests;
