//! What the user said about rules: environment, parameters, answers, attestations.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::finding::Severity;
use crate::model::ObjectRef;

/// What the audited namespace is for. Never guessed from a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Every rule applies.
    #[default]
    Production,
    /// Every rule applies.
    Staging,
    /// Development services are at home.
    Dev,
}

impl Environment {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Dev => "dev",
        }
    }
}

/// An answer to one of a rule's questions: `--set RULE.KEY=VALUE`, or typed at the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The rule's id.
    pub rule: String,
    /// `Kind/NAMESPACE/NAME`, for one finding; `None` for every finding of the rule.
    pub object: Option<String>,
    /// The parameter.
    pub key: String,
    /// The answer.
    pub value: String,
}

/// Something that nobody can see from inside the cluster, and somebody vouches for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// What is so.
    pub statement: String,
    /// The day it was said, `2026-10-01`; it holds for 90 days.
    pub date: String,
}

impl Attestation {
    /// For how many days it holds after its date.
    pub const DAYS: i32 = 90;

    /// How many days old it is, by the calendar of UTC; less than 0 if its day is to come. `None` if
    /// its date is none.
    pub fn age(&self, now: jiff::Timestamp) -> Option<i32> {
        let said: jiff::civil::Date = self.date.parse().ok()?;
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        today.since(said).ok().map(|span| span.get_days())
    }

    /// True if it holds now.
    pub fn holds(&self, now: jiff::Timestamp) -> bool {
        self.age(now).is_some_and(|age| (0..=Self::DAYS).contains(&age))
    }
}

/// What the user said about rules.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What the namespaces are for.
    pub environment: Environment,
    /// Parameters of rules from the configuration, by rule and key.
    pub parameters: BTreeMap<String, Map<String, Value>>,
    /// Answers, the later wins.
    pub answers: Vec<Answer>,
    /// Severities that replace those of rules, by rule.
    pub severities: BTreeMap<String, Severity>,
    /// Attestations by rule.
    pub attestations: BTreeMap<String, Attestation>,
    /// Keepers whose objects may be changed although they put their own state back: `helm`.
    pub allow_managed: Vec<String>,
}

impl Settings {
    /// The answer to a rule's question about one object: an answer for that object, else one whose
    /// value is that object's `NAMESPACE/NAME`, else one for the rule, else the configuration's
    /// scalar.
    pub fn answer(&self, rule: &str, object: &ObjectRef, key: &str) -> Option<String> {
        let configured = || scalar(self.parameters.get(rule)?.get(key)?);
        if self.answers.is_empty() {
            return configured();
        }
        let name = object.to_string();
        let given = |of_object: bool| {
            self.answers.iter().rev().find(|answer| {
                let matches = match &answer.object {
                    Some(wanted) => of_object && *wanted == name,
                    None => !of_object,
                };
                matches && answer.rule == rule && answer.key == key
            })
        };
        // A confirmation names its object, so several stand side by side.
        let path = object.path();
        let naming = || {
            let mut all = self.answers.iter();
            all.find(|a| a.object.is_none() && a.rule == rule && a.key == key && a.value == path)
        };
        let answer = given(true).or_else(naming).or_else(|| given(false)).map(|answer| answer.value.clone());
        answer.or_else(configured)
    }
}

/// A scalar as text: configuration files may write numbers and switches without quotes.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(switch) => Some(switch.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_answer_wins() {
        let web = ObjectRef::new("v1", "Service", Some("a"), "web");
        let api = ObjectRef::new("v1", "Service", Some("a"), "api");
        let answer = |object: Option<&str>, value: &str| Answer {
            rule: "r".into(),
            object: object.map(Into::into),
            key: "k".into(),
            value: value.into(),
        };
        let mut settings = Settings::default();
        settings.parameters.insert("r".into(), serde_json::from_str(r#"{"k": 24}"#).unwrap());
        assert_eq!(settings.answer("r", &web, "k").as_deref(), Some("24"));
        settings.answers = vec![answer(Some("Service/a/web"), "1"), answer(None, "2")];
        assert_eq!(settings.answer("r", &web, "k").as_deref(), Some("1"));
        assert_eq!(settings.answer("r", &api, "k").as_deref(), Some("2"));
    }
}
