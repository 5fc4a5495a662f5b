//! Hashes of a plan and its fixes.

use serde::Serialize;

use super::{API_VERSION, KIND, Metadata, Omitted, Plan, Planned};
use crate::plan::change;

/// SHA-256 of a value, whatever order its members stand in.
fn sum_of<T: Serialize>(value: &T) -> String {
    let mut value = serde_json::to_value(value).expect("a plan is JSON");
    value.sort_all_objects();
    format!("sha256:{}", change::hash(&value.to_string()))
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
