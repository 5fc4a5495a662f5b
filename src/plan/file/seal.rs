//! Hashes of a plan and its fixes.

use serde::Serialize;
use serde_json::{Value, json};

use super::{API_VERSION, KIND, Metadata, Omitted, Plan, Planned};
use crate::finding::Finding;
use crate::fix::{Action, Edit, Fix, Step};
use crate::plan::change;

/// SHA-256 of a value, whatever order its members stand in.
fn sum_of<T: Serialize>(value: &T) -> String {
    let mut value = serde_json::to_value(value).expect("a plan is JSON");
    value.sort_all_objects();
    format!("sha256:{}", change::hash(&value.to_string()))
}

/// The hash of fixes that are applied without a file: their findings, and what they do.
pub fn sum_of_fixes<'a>(fixes: impl Iterator<Item = (&'a Finding, &'a Fix)>) -> String {
    let one = |(finding, fix): (&Finding, &Fix)| {
        let steps: Vec<Value> = fix.steps.iter().map(step).collect();
        json!({"rule": finding.rule, "finding": finding.fingerprint(), "title": fix.title, "steps": steps})
    };
    sum_of(&fixes.map(one).collect::<Vec<_>>())
}

fn step(step: &Step) -> Value {
    let object = &**step.object();
    match step {
        Step::Patch { subresource, edits, .. } => {
            let edits: Vec<Value> = edits.iter().map(edit).collect();
            json!({"action": "patch", "object": object, "subresource": subresource, "edits": edits})
        }
        Step::Create { manifest, .. } => json!({"action": "create", "object": object, "manifest": manifest}),
        Step::Delete { .. } => json!({"action": "delete", "object": object}),
        Step::Restart { .. } => json!({"action": "restart", "object": object}),
        Step::Wait { condition, .. } => json!({"action": "wait", "object": object, "condition": condition}),
    }
}

fn edit(edit: &Edit) -> Value {
    match &edit.action {
        Action::Set(value) => json!([edit.pointer, "set", value]),
        Action::Remove => json!([edit.pointer, "remove"]),
        Action::DropInText(member) => json!([edit.pointer, "drop", member]),
        Action::PutInText(member, value) => json!([edit.pointer, "put", member, value]),
    }
}

impl Planned {
    /// The hash that belongs to what it says.
    pub fn sum(&self) -> String {
        sum_of(&Self { hash: String::new(), ..self.clone() })
    }
}

impl Plan {
    /// A plan with its hash.
    pub fn new(metadata: Metadata, fixes: Vec<Planned>, omitted: Vec<Omitted>) -> Self {
        let mut this = Self { api_version: API_VERSION.to_owned(), kind: KIND.to_owned(), metadata, fixes, omitted };
        this.metadata.hash = this.sum();
        this
    }

    /// The hash that belongs to what it says.
    pub fn sum(&self) -> String {
        let mut unsealed = self.clone();
        unsealed.metadata.hash.clear();
        sum_of(&unsealed)
    }

    /// The file.
    pub fn to_yaml(&self) -> String {
        serde_saphyr::to_string(self).expect("a plan is YAML")
    }

    /// What was edited since the plan was made, a line each; empty if nothing was.
    pub fn edits(&self) -> Vec<String> {
        let named = |(index, fix): (usize, &Planned)| {
            let object = &fix.object;
            (fix.hash != fix.sum())
                .then(|| format!("fix {} ({} of {}/{})", index + 1, fix.rule, object.kind, object.name))
        };
        let mut out: Vec<String> = self.fixes.iter().enumerate().filter_map(named).collect();
        if out.is_empty() && self.metadata.hash != self.sum() {
            out.push("its metadata, or which fixes stand in it, and in which order".to_owned());
        }
        out
    }
}
