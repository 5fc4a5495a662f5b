//! The machine output of `audit`, version `progrc.io/v1`: other people's scripts depend on it.
//!
//! Its structs are its own; those of rules and plans may change without it. Every value that may
//! not be shown is masked when the report is made, so that whatever is built from a report can't
//! leak one.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::rules::settings::Environment;

mod scorecard;
mod finding;
mod masked;
mod build;

pub use build::{About, Shown, report};
pub use finding::{Evidence, Finding, Fix, Input, Location, LoweredBy, Object, Operation, Ownership, Step};
pub use scorecard::{CategoryPriority, CategoryScore, CheckScore, Score};

/// The version of this output.
pub const API_VERSION: &str = "progrc.io/v1";

/// The whole report.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditReport {
    /// Always `progrc.io/v1`.
    pub api_version: &'static str,
    /// Always `AuditReport`.
    pub kind: &'static str,
    /// What was audited, when and by what.
    pub metadata: Metadata,
    /// The scorecard.
    pub score: Score,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// What can't be seen, by rule and object.
    pub unknown: Vec<Unknown>,
    /// What is accepted, by rule and object.
    pub waived: Vec<Waived>,
    /// What is half in order, by rule and object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<Unknown>,
    /// What passes because somebody vouches for it, by rule and object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attested: Vec<Attested>,
    /// What to know about waivers and attestations, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// Counts.
    pub summary: Summary,
}

/// What was audited, when and by what.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The version of this tool.
    pub tool_version: String,
    /// When the report was made, RFC 3339 in UTC.
    pub generated_at: String,
    /// Where the objects came from.
    pub source: Source,
    /// What the namespaces are for.
    pub environment: Environment,
    /// How many objects were audited.
    pub objects: usize,
    /// How long it took.
    pub elapsed_seconds: f64,
}

/// Where the objects came from.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Source {
    /// A live cluster.
    Cluster {
        /// The context; `null` in a pod.
        context: Option<String>,
        /// The server's URL.
        server: String,
        /// The uid of `kube-system`.
        cluster_uid: Option<String>,
        /// The audited namespaces.
        namespaces: Vec<String>,
    },
    /// Files.
    Manifests {
        /// The files, directories or `-`, as they were given.
        files: Vec<String>,
        /// True if they are declared to be all there is.
        complete: bool,
        /// The audited namespaces.
        namespaces: Vec<String>,
    },
}

impl Source {
    /// The audited namespaces.
    pub fn namespaces(&self) -> &[String] {
        match self {
            Self::Cluster { namespaces, .. } | Self::Manifests { namespaces, .. } => namespaces,
        }
    }

    /// True for a live cluster.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Cluster { .. })
    }
}

/// A verdict that says why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Unknown {
    /// The rule.
    pub rule: String,
    /// The object.
    pub object: Object,
    /// Why.
    pub reason: String,
}

/// An accepted finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Waived {
    /// The rule.
    pub rule: String,
    /// The object.
    pub object: Object,
    /// Why.
    pub reason: String,
    /// Until which day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// What somebody vouches for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Attested {
    /// The rule.
    pub rule: String,
    /// The object.
    pub object: Object,
    /// The statement and its date.
    pub statement: String,
}

/// What could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Gap {
    /// The resource.
    pub kind: String,
    /// The verb that failed.
    pub verb: String,
    /// Where.
    pub scope: String,
    /// Why.
    pub reason: String,
}

/// Findings by severity, and by the applicability of their first fix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// Critical findings.
    pub critical: usize,
    /// High findings.
    pub high: usize,
    /// Medium findings.
    pub medium: usize,
    /// Low findings.
    pub low: usize,
    /// Information.
    pub info: usize,
    /// Findings with a fix.
    pub fixes: FixCounts,
}

impl Summary {
    /// All findings.
    pub fn findings(&self) -> usize {
        self.critical + self.high + self.medium + self.low + self.info
    }
}

/// Findings by the applicability of their first fix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FixCounts {
    /// Safe ones.
    pub safe: usize,
    /// Unsafe ones.
    #[serde(rename = "unsafe")]
    pub not_safe: usize,
    /// Those that need answers.
    pub input: usize,
    /// Those for a person.
    pub manual: usize,
}

/// The JSON Schema of [`AuditReport`].
pub fn schema() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<AuditReport>().to_value()
}

#[cfg(test)]
mod tests;
