//! `--select` and `--ignore`: rules by id, category or severity.

use std::fmt;

use crate::finding::{Category, Finding, Severity};
use crate::rules::rule::Rule;

use super::suggest;

/// One word of `--select` or `--ignore`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Findings of one rule, by its id.
    Rule(&'static str),
    /// Findings of a category.
    Category(Category),
    /// Findings of a severity.
    Severity(Severity),
}

/// A word that names no rule, category or severity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not a rule, a category or a severity{instead}")]
pub struct UnknownTerm {
    /// The word.
    pub word: String,
    instead: String,
}

impl Term {
    /// One word; spaces around it do not count.
    pub fn parse(word: &str, rules: &[&'static Rule]) -> Result<Self, UnknownTerm> {
        let word = word.trim();
        let category = || Category::ALL.into_iter().find(|category| category.word() == word).map(Self::Category);
        let severity = || Severity::ALL.into_iter().find(|severity| severity.word() == word).map(Self::Severity);
        let rule = rules.iter().find(|rule| rule.id == word).map(|rule| Self::Rule(rule.id));
        rule.or_else(category).or_else(severity).ok_or_else(|| {
            let known: Vec<&str> = (rules.iter().map(|rule| rule.id))
                .chain(Category::ALL.map(Category::word))
                .chain(Severity::ALL.map(Severity::word))
                .collect();
            let instead = suggest::nearest(word, known)
                .map_or("; `kubectl progrc rules` lists them".to_owned(), |near| format!("; did you mean `{near}`?"));
            UnknownTerm { word: word.to_owned(), instead }
        })
    }

    /// True if the term names a rule, its category, or the severity that holds for it.
    pub fn covers(self, rule: &Rule, severity: Severity) -> bool {
        match self {
            Self::Rule(id) => rule.id == id,
            Self::Category(category) => rule.category == category,
            Self::Severity(wanted) => severity == wanted,
        }
    }

    fn names(self, finding: &Finding) -> bool {
        match self {
            Self::Rule(id) => finding.rule == id,
            Self::Category(category) => finding.category == category,
            Self::Severity(severity) => finding.severity == severity,
        }
    }
}

/// The word that was parsed.
impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rule(id) => id,
            Self::Category(category) => category.word(),
            Self::Severity(severity) => severity.word(),
        })
    }
}

/// Which findings are shown, fixed and counted for the exit code. The score never asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// A finding must be named by one of these; all are, if there is none.
    pub select: Vec<Term>,
    /// A finding must be named by none of these.
    pub ignore: Vec<Term>,
}

impl Filter {
    /// Reads the values of `--select` and `--ignore`, each a list of words with commas between.
    pub fn parse(select: &[String], ignore: &[String], rules: &[&'static Rule]) -> Result<Self, UnknownTerm> {
        let terms = |values: &[String]| -> Result<Vec<Term>, UnknownTerm> {
            let words = values.iter().flat_map(|value| value.split(','));
            words.map(str::trim).filter(|word| !word.is_empty()).map(|word| Term::parse(word, rules)).collect()
        };
        Ok(Self { select: terms(select)?, ignore: terms(ignore)? })
    }

    /// True if the finding is shown.
    pub fn keeps(&self, finding: &Finding) -> bool {
        let selected = self.select.is_empty() || self.select.iter().any(|term| term.names(finding));
        selected && !self.ignore.iter().any(|term| term.names(finding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RULES;

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn words_are_rules_categories_or_severities() {
        let filter = Filter::parse(&texts(&["missing-pdb, security", "high"]), &texts(&["low,"]), RULES).unwrap();
        let words: Vec<String> = filter.select.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["missing-pdb", "security", "high"]);
        assert_eq!(filter.ignore, [Term::Severity(Severity::Low)]);
    }

    #[test]
    fn an_unknown_word_is_refused() {
        let error = Filter::parse(&texts(&["missing-pbd"]), &[], RULES).unwrap_err();
        let text = "`missing-pbd` is not a rule, a category or a severity; did you mean `missing-pdb`?";
        assert_eq!(error.to_string(), text);
        let error = Filter::parse(&[], &texts(&["qqq"]), RULES).unwrap_err();
        assert!(error.to_string().ends_with("; `kubectl progrc rules` lists them"), "{error}");
    }
}
