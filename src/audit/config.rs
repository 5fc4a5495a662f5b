//! The configuration, `.progrc.yaml`: read strictly, checked against the rules. Where the file is
//! found is the business of `backend`.

mod check;
mod document;
mod error;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::finding::Severity;
use crate::rules::rule::Rule;
use crate::rules::settings::{Attestation, Environment, Settings};

pub(in crate::audit) use check::parse_date;
pub use error::{ConfigError, ConfigProblem};
pub use schema::schema;

/// What the configuration says. The default says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// What the namespaces are for, if the file says; `--env` wins.
    pub environment: Option<Environment>,
    /// True if the manifests given with `-f` are all there is.
    pub complete: bool,
    /// Namespaces that belong to the cluster, besides the three of Kubernetes.
    pub system_namespaces: BTreeSet<String>,
    /// Rules that are switched off.
    pub ignored: BTreeSet<&'static str>,
    /// Severities that replace those of rules.
    pub severities: BTreeMap<String, Severity>,
    /// Parameters of rules, by rule and key: texts, lists of texts, texts by name.
    pub parameters: BTreeMap<String, Map<String, Value>>,
    /// Findings that somebody accepts, in the order of the file.
    pub waivers: Vec<ConfigWaiver>,
    /// What somebody vouches for, by rule.
    pub attestations: BTreeMap<String, Attestation>,
}

/// An entry of `waivers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigWaiver {
    /// The rule.
    pub rule: &'static str,
    /// Of which object: `Kind/namespace/name`, `Kind/name` for one of the whole cluster, `Cluster`
    /// for the cluster itself, whatever context it is reached through.
    pub object: String,
    /// Why; empty if the file does not say.
    pub reason: String,
    /// The last day that it holds.
    pub until: Option<jiff::civil::Date>,
    /// The line of the entry, from 1.
    pub line: Option<u32>,
}

impl Config {
    /// Reads a configuration. `file` is its name in messages; `rules` are all that exist.
    pub fn parse(text: &str, file: &str, rules: &[&'static Rule]) -> Result<Self, ConfigError> {
        let options = serde_saphyr::options! {
            strict_booleans: true,
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
            with_snippet: false,
        };
        let document: Option<document::Document> =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| ConfigError::shape(file, &error))?;
        let (config, mut problems) = check::check(document.unwrap_or_default(), rules);
        problems.sort_by_key(|problem| problem.line);
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { file: file.to_owned(), problems }) }
    }

    /// What the rules see of it.
    pub fn settings(&self) -> Settings {
        Settings {
            environment: self.environment.unwrap_or_default(),
            parameters: self.parameters.clone(),
            attestations: self.attestations.clone(),
            severities: self.severities.clone(),
            ..Settings::default()
        }
    }

    /// The rules that it leaves on.
    pub fn rules(&self, rules: &[&'static Rule]) -> Vec<&'static Rule> {
        rules.iter().filter(|rule| !self.ignored.contains(rule.id)).copied().collect()
    }
}

#[cfg(test)]
mod tests;
