//! `--set RULE.KEY=VALUE`: an answer to a rule's question, checked against its parameters.

use crate::rules::rule::{Parameter, ParameterKind, Rule};
use crate::rules::settings::Answer;

use super::suggest;

/// The two forms of an answer.
const FORMS: &str = "RULE.KEY=VALUE or RULE[Kind/NAMESPACE/NAME].KEY=VALUE";

/// Why an answer is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// It is not of one of the two forms.
    #[error("`{text}` is not of the form {FORMS}")]
    Form {
        /// What was given.
        text: String,
    },
    /// No rule of this id.
    #[error("unknown rule `{rule}`{instead}")]
    Rule {
        /// The id.
        rule: String,
        /// How the message ends.
        instead: String,
    },
    /// The rule does not ask this.
    #[error("{rule} has no key `{key}`{instead}")]
    Key {
        /// The rule.
        rule: &'static str,
        /// The key.
        key: String,
        /// How the message ends: the nearest key, and all of them.
        instead: String,
    },
    /// The value is not allowed.
    #[error("{rule}.{key}: {reason}")]
    Value {
        /// The rule.
        rule: &'static str,
        /// The key.
        key: &'static str,
        /// Why not.
        reason: String,
    },
}

/// Reads `RULE.KEY=VALUE` or `RULE[Kind/NAMESPACE/NAME].KEY=VALUE`; objects of the whole cluster are
/// `Kind/NAME`. The value is everything behind the first `=`.
pub fn parse_set(text: &str, rules: &[&'static Rule]) -> Result<Answer, SetError> {
    let form = || SetError::Form { text: text.to_owned() };
    let (place, value) = text.split_once('=').ok_or_else(form)?;
    let (rule, object, key) = split(place).ok_or_else(form)?;
    let rule = find(rule, rules)?;
    let parameter = parameter(rule, key)?;
    let reject = |reason| SetError::Value { rule: rule.id, key: parameter.key, reason };
    if let ParameterKind::List | ParameterKind::Map = parameter.kind {
        return Err(reject(format!("is set in the configuration only, below `rules.{}`", rule.id)));
    }
    if let Some(reason) = parameter.reject(value) {
        return Err(reject(reason));
    }
    Ok(Answer {
        rule: rule.id.to_owned(),
        object: object.map(str::to_owned),
        key: key.to_owned(),
        value: value.to_owned(),
    })
}

/// Rule, object and key. Names of objects may have dots, ids of rules have none.
fn split(place: &str) -> Option<(&str, Option<&str>, &str)> {
    let (rule, object, key) = match place.find(['[', '.'])? {
        at if place[at..].starts_with('[') => {
            let (object, key) = place[at + 1..].split_once("].")?;
            (&place[..at], Some(object), key)
        }
        at => (&place[..at], None, &place[at + 1..]),
    };
    let named = object.is_none_or(|object| {
        let parts: Vec<&str> = object.split('/').collect();
        matches!(parts.len(), 2 | 3) && parts.iter().all(|part| !part.is_empty())
    });
    (named && !rule.is_empty() && !key.is_empty()).then_some((rule, object, key))
}

fn find(id: &str, rules: &[&'static Rule]) -> Result<&'static Rule, SetError> {
    rules.iter().find(|rule| rule.id == id).copied().ok_or_else(|| {
        let ids: Vec<&str> = rules.iter().map(|rule| rule.id).collect();
        SetError::Rule { rule: id.to_owned(), instead: suggest::instead_of(id, &ids) }
    })
}

fn parameter(rule: &'static Rule, key: &str) -> Result<&'static Parameter, SetError> {
    rule.parameters.iter().find(|parameter| parameter.key == key).ok_or_else(|| {
        let keys: Vec<&str> = rule.parameters.iter().map(|parameter| parameter.key).collect();
        let instead = match suggest::nearest(key, keys.iter().copied()) {
            _ if keys.is_empty() => "; it has none".to_owned(),
            Some(near) => format!("; did you mean `{near}`? Its keys: {}", keys.join(", ")),
            None => format!("; its keys: {}", keys.join(", ")),
        };
        SetError::Key { rule: rule.id, key: key.to_owned(), instead }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::test_rules::RULES;

    fn set(text: &str) -> Result<Answer, String> {
        parse_set(text, RULES).map_err(|error| error.to_string())
    }

    #[test]
    fn answers_for_a_rule_and_for_an_object() {
        let answer = set("test-many.endpoint=https://a.example/?x=1&y=[2].z").unwrap();
        assert_eq!((answer.key.as_str(), answer.object), ("endpoint", None));
        assert_eq!(answer.value, "https://a.example/?x=1&y=[2].z");
        let answer = set("test-many[Service/shop/a.b].count=3").unwrap();
        assert_eq!(answer.object.as_deref(), Some("Service/shop/a.b"));
        assert_eq!((answer.rule.as_str(), answer.value.as_str()), ("test-many", "3"));
        assert_eq!(set("test-many[Namespace/a].count=3").unwrap().object.as_deref(), Some("Namespace/a"));
    }

    #[test]
    fn what_is_not_an_answer_says_why() {
        for (text, message) in [
            ("test-many", "`test-many` is not of the form RULE.KEY=VALUE or RULE[Kind/NAMESPACE/NAME].KEY=VALUE"),
            ("test-many=3", "`test-many=3` is not of the form RULE.KEY=VALUE or RULE[Kind/NAMESPACE/NAME].KEY=VALUE"),
            (
                "test-many[web].count=3",
                "`test-many[web].count=3` is not of the form RULE.KEY=VALUE or RULE[Kind/NAMESPACE/NAME].KEY=VALUE",
            ),
            ("tset-many.count=3", "unknown rule `tset-many`; did you mean `test-many`?"),
            (
                "test-many.cuont=3",
                "test-many has no key `cuont`; did you mean `count`? Its keys: endpoint, style, count, done, confirm, hosts, flags",
            ),
            ("test-bare.x=3", "test-bare has no key `x`; it has none"),
            ("test-many.count=two", "test-many.count: `two` is not a whole number"),
            ("test-many.count=0", "test-many.count: `0` is less than 1"),
            ("test-many.style=c", "test-many.style: `c` is not one of a, b"),
            ("test-many.flags=A", "test-many.flags: is set in the configuration only, below `rules.test-many`"),
        ] {
            assert_eq!(set(text).unwrap_err(), message, "{text}");
        }
    }
}
