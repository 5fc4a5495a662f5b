//! Label selectors, as the API defines them.

use serde::{Deserialize, Serialize};

use super::object::nullable;
use super::texts::{Texts, texts};

/// Labels of an object.
pub type Labels = Texts;

/// `matchLabels` and `matchExpressions`, all of which must hold. Empty selects everything; what
/// an absent selector means is up to the field that leaves it out.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selector {
    /// Exact values.
    #[serde(skip_serializing_if = "Labels::is_empty", deserialize_with = "texts")]
    pub match_labels: Labels,
    /// Operators.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub match_expressions: Vec<Requirement>,
}

/// One expression of a selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// The values of `In` and `NotIn`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub values: Vec<String>,
}

impl Selector {
    /// A selector of exact labels.
    pub fn labels(labels: &Labels) -> Self {
        Self { match_labels: labels.clone(), match_expressions: Vec::new() }
    }

    /// True if it selects everything.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// True if the labels satisfy every term.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|term| term.matches(labels))
    }

    /// A text in kubectl's notation: `app=web,tier in (a,b),!canary`.
    pub fn text(&self) -> String {
        let exact = self.match_labels.iter().map(|(key, value)| format!("{key}={value}"));
        let terms = self.match_expressions.iter().map(Requirement::text);
        exact.chain(terms).collect::<Vec<_>>().join(",")
    }

    /// Reads kubectl's `-l` notation: `a=b`, `a==b`, `a!=b`, `a in (x,y)`, `a notin (x)`, `a`, `!a`.
    pub fn parse(text: &str) -> Result<Self, BadSelector> {
        let mut selector = Self::default();
        for term in split_terms(text) {
            selector.match_expressions.push(Requirement::parse(term).ok_or_else(|| BadSelector(term.to_owned()))?);
        }
        Ok(selector)
    }
}

/// A term that is not a selector.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a label selector such as app=web, tier!=cache or env in (a,b)")]
pub struct BadSelector(String);

/// The longest name in a label's key, and the longest value.
/// Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>.
const LONGEST_WORD: usize = 63;

impl Requirement {
    fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match self.operator.as_str() {
            "In" => value.is_some_and(|value| self.values.contains(value)),
            "NotIn" => value.is_none_or(|value| !self.values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    }

    fn text(&self) -> String {
        match self.operator.as_str() {
            "Exists" => self.key.clone(),
            "DoesNotExist" => format!("!{}", self.key),
            other => format!("{} {} ({})", self.key, other.to_lowercase(), self.values.join(",")),
        }
    }

    fn new(key: &str, operator: &str, values: Vec<String>) -> Option<Self> {
        let key = key.trim();
        let inside = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let word = |text: &str| {
            let ends = text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.ends_with(|c: char| c.is_ascii_alphanumeric());
            ends && text.len() <= LONGEST_WORD && text.chars().all(inside)
        };
        let valid_key = match key.split_once('/') {
            Some((prefix, name)) => !prefix.is_empty() && prefix.chars().all(inside) && word(name),
            None => word(key),
        };
        let valid = valid_key && values.iter().all(|value| value.is_empty() || word(value));
        valid.then(|| Self { key: key.to_owned(), operator: operator.to_owned(), values })
    }

    fn parse(term: &str) -> Option<Self> {
        let term = term.trim();
        if let Some(list) = term.strip_suffix(')') {
            let (head, values) = list.split_once('(')?;
            let (key, operator) = head.trim().rsplit_once(char::is_whitespace)?;
            let operator = match operator {
                "in" => "In",
                "notin" => "NotIn",
                _ => return None,
            };
            let values = values.split(',').map(|value| value.trim().to_owned()).collect();
            return Self::new(key, operator, values);
        }
        if let Some((key, value)) = term.split_once("!=") {
            return Self::new(key, "NotIn", vec![value.trim().to_owned()]);
        }
        if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
            return Self::new(key, "In", vec![value.trim().to_owned()]);
        }
        match term.strip_prefix('!') {
            Some(key) => Self::new(key, "DoesNotExist", Vec::new()),
            None => Self::new(term, "Exists", Vec::new()),
        }
    }
}

/// Splits at the commas that stand outside parentheses.
fn split_terms(text: &str) -> Vec<&str> {
    let (mut terms, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !text[start..].trim().is_empty() {
        terms.push(&text[start..]);
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        text.split(',').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect()
    }

    #[test]
    fn kubectl_notation() {
        let web = labels("app=web,tier=front");
        for (text, matches) in [
            ("app=web", true),
            ("app==web,tier=front", true),
            ("app!=web", false),
            ("canary!=yes", true),
            ("app in (web, api)", true),
            ("app notin (web)", false),
            ("app", true),
            ("!app", false),
            ("!canary", true),
            ("", true),
        ] {
            assert_eq!(Selector::parse(text).unwrap().matches(&web), matches, "{text}");
        }
        assert!(Selector::parse("app inside (x)").is_err());
        assert!(Selector::parse("a b=c").is_err());
    }

    #[test]
    fn empty_selects_everything() {
        assert!(Selector::default().matches(&Labels::new()));
    }

    proptest::proptest! {
        #[test]
        fn in_and_not_in_are_opposites_where_the_label_exists(value in "[a-c]", set in proptest::collection::vec("[a-c]", 0..3)) {
            let has = labels(&format!("k={value}"));
            let term = |operator: &str| Selector {
                match_expressions: vec![Requirement { key: "k".into(), operator: operator.into(), values: set.clone() }],
                ..Selector::default()
            };
            proptest::prop_assert_ne!(term("In").matches(&has), term("NotIn").matches(&has));
            proptest::prop_assert!(!term("In").matches(&Labels::new()));
            proptest::prop_assert!(term("NotIn").matches(&Labels::new()));
        }
    }
}
