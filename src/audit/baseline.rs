//! The baseline: findings that were there before, and do not fail a run. A file in YAML or JSON.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::ConfigError;
use crate::finding::Finding;

/// Findings that were there before, by fingerprint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    known: BTreeMap<String, Known>,
}

/// The file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Document {
    /// The version of this format.
    api_version: ApiVersion,
    /// What this file is.
    kind: Kind,
    /// The findings, sorted by rule and object.
    findings: Vec<Known>,
}

/// The version of this format.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum ApiVersion {
    /// The first.
    #[serde(rename = "progrc.io/v1")]
    V1,
}

/// What this file is.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum Kind {
    /// A baseline.
    Baseline,
}

/// One finding. Its fingerprint is what counts; rule and object are there for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The rule's id.
    #[serde(default)]
    pub rule: String,
    /// `Kind/namespace/name`.
    #[serde(default)]
    pub object: String,
    /// [`Finding::fingerprint`].
    pub fingerprint: String,
}

impl Baseline {
    /// A baseline of these findings.
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let known = findings.into_iter().map(|finding| {
            let fingerprint = finding.fingerprint();
            let (rule, object) = (finding.rule.to_owned(), finding.object.to_string());
            (fingerprint.clone(), Known { rule, object, fingerprint })
        });
        Self { known: known.collect() }
    }

    /// Reads a baseline; `file` is its name in messages.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        let document: Document = serde_saphyr::from_str(text).map_err(|error| ConfigError::shape(file, &error))?;
        let known = document.findings.into_iter().map(|known| (known.fingerprint.clone(), known));
        Ok(Self { known: known.collect() })
    }

    /// True if the finding was there before.
    pub fn contains(&self, finding: &Finding) -> bool {
        self.known.contains_key(&finding.fingerprint())
    }

    /// The entries that none of these findings has, sorted: what they name was fixed or waived.
    pub fn gone<'a>(&self, findings: impl IntoIterator<Item = &'a Finding>) -> Vec<Known> {
        let mut known = self.known.clone();
        for finding in findings {
            known.remove(&finding.fingerprint());
        }
        let mut gone: Vec<Known> = known.into_values().collect();
        gone.sort();
        gone
    }

    /// How many findings it names.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// True if it names none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The file as YAML: one entry a finding, in an order that makes for small diffs.
    pub fn to_yaml(&self) -> String {
        let document = self.document();
        let body = serde_saphyr::to_string(&document).expect("texts in lists are YAML");
        format!("# Findings that do not fail a run: kubectl progrc audit --baseline FILE\n{body}")
    }

    /// The same as JSON.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(&self.document()).expect("texts in lists are JSON");
        text.push('\n');
        text
    }

    fn document(&self) -> Document {
        let mut findings: Vec<Known> = self.known.values().cloned().collect();
        findings.sort();
        Document { api_version: ApiVersion::V1, kind: Kind::Baseline, findings }
    }
}

/// The JSON Schema of the file, 2020-12.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Document).to_value()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::audit;
    use crate::audit::test_rules::RULES;
    use crate::model::{Inventory, Scope, World};
    use crate::rules::settings::Settings;

    fn findings(names: &[&str]) -> Vec<Finding> {
        let mut inventory = Inventory::new(World::default(), Scope::default(), jiff::Timestamp::UNIX_EPOCH);
        for name in names {
            let object = json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"template": {}}});
            inventory.add("apps/v1", "Deployment", object, None).unwrap();
        }
        audit::run(&inventory.finish(), &Settings::default(), RULES).findings
    }

    #[test]
    fn what_was_written_is_read() {
        let old = findings(&["b", "a"]);
        let baseline = Baseline::of(&old);
        assert_eq!(baseline.len(), 4);
        for text in [baseline.to_yaml(), baseline.to_json()] {
            assert_eq!(Baseline::parse(&text, "b").unwrap(), baseline, "{text}");
        }
        let new = findings(&["a", "c"]);
        let names: Vec<&str> =
            new.iter().filter(|finding| !baseline.contains(finding)).map(|f| f.object.name.as_str()).collect();
        assert_eq!(names, ["c", "c"]);
        assert!(baseline.gone(&new).iter().all(|known| known.object == "Deployment/shop/b"));
        let validator = jsonschema::validator_for(&schema()).unwrap();
        assert!(validator.is_valid(&serde_json::from_str(&baseline.to_json()).unwrap()));
    }

    #[test]
    fn the_file_is_readable_and_sorted() {
        let text = Baseline::of(&findings(&["b", "a"])).to_yaml();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1..6],
            [
                "apiVersion: progrc.io/v1",
                "kind: Baseline",
                "findings:",
                "- rule: test-many",
                "  object: Deployment/shop/a",
            ]
        );
        let empty = Baseline::default();
        assert_eq!(Baseline::parse(&empty.to_yaml(), "b").unwrap(), empty);
    }

    #[test]
    fn another_file_is_refused() {
        for (text, message) in [
            ("apiVersion: progrc.io/v1\nkind: Config\nfindings: []\n", "b:2: `Config` is not `Baseline`"),
            ("apiVersion: progrc.io/v2\nkind: Baseline\nfindings: []\n", "b:1: `progrc.io/v2` is not `progrc.io/v1`"),
            (
                "apiVersion: progrc.io/v1\nkind: Baseline\nfindngs: []\n",
                "b:3: unknown key `findngs`; did you mean `findings`?",
            ),
        ] {
            assert_eq!(Baseline::parse(text, "b").unwrap_err().to_string(), message);
        }
        assert!(Baseline::parse("", "b").is_err());
    }
}
