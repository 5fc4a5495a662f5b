//! What rules were told: enough of it that they say the same on another machine.

use std::collections::BTreeSet;

use serde_json::json;

use super::Settings;
use crate::model::mask;
use crate::rules::settings::{self, Answer};

/// True if an answer may not be kept.
pub(super) fn is_hidden(key: &str, value: &str) -> bool {
    mask::holds_masked_key(&json!({ key: value }))
}

impl Settings {
    /// What these rules were told.
    pub fn of(rules: &BTreeSet<&str>, system_namespaces: &BTreeSet<String>, told: &settings::Settings) -> Self {
        let parameters = told.parameters.iter().filter(|(rule, _)| rules.contains(rule.as_str()));
        let answers = told.answers.iter().filter(|answer| rules.contains(answer.rule.as_str()));
        Self {
            system_namespaces: system_namespaces.iter().cloned().collect(),
            rules: parameters.map(|(rule, map)| (rule.clone(), map.clone())).collect(),
            set: answers.filter(|answer| answer.key != "confirm").map(flag).collect(),
        }
    }

    /// Why a rule can't be in a plan: what it was told may not be kept.
    pub fn refusal(rule: &str, told: &settings::Settings) -> Option<String> {
        let parameters = told.parameters.get(rule);
        let hidden = parameters.is_some_and(|map| mask::holds_masked_key(&json!(map)))
            || told.answers.iter().any(|answer| answer.rule == rule && is_hidden(&answer.key, &answer.value));
        hidden.then(|| "its rule was told a value that may not be kept".to_owned())
    }
}

/// The answer as `--set` takes it.
fn flag(answer: &Answer) -> String {
    let Answer { rule, object, key, value } = answer;
    match object {
        Some(object) => format!("{rule}[{object}].{key}={value}"),
        None => format!("{rule}.{key}={value}"),
    }
}
