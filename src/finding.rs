//! What a rule says about one object: verdict, severity, evidence. Pure.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::fix::{Applicability, Fix};
use crate::model::Subject;
use crate::model::ownership::Ownership;
use crate::model::short::push;

/// How bad a finding is; drives the score. Ordered from worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Weight 10.
    Critical,
    /// Weight 6.
    High,
    /// Weight 3.
    Medium,
    /// Weight 1.
    Low,
    /// Weight 0; never fails a run.
    Info,
}

impl Severity {
    /// All, worst first.
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Info];

    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
        }
    }

    /// What a check of this severity weighs in the score.
    pub fn weight(self) -> u32 {
        match self {
            Self::Critical => 10,
            Self::High => 6,
            Self::Medium => 3,
            Self::Low => 1,
            Self::Info => 0,
        }
    }

    /// The priority where a rule names none.
    pub fn priority(self) -> Priority {
        match self {
            Self::Critical | Self::High => Priority::Immediate,
            Self::Medium => Priority::ShortTerm,
            Self::Low | Self::Info => Priority::LongTerm,
        }
    }
}

/// When to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Before production.
    Immediate,
    /// Within a month.
    ShortTerm,
    /// Within three months.
    LongTerm,
}

impl Priority {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::ShortTerm => "short-term",
            Self::LongTerm => "long-term",
        }
    }
}

/// The part of the scorecard that a rule counts in, in the order of the scorecard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Structure, tenants, quotas.
    Architecture,
    /// Flags, pod security, credentials.
    Security,
    /// Replicas, budgets, rollouts, probes.
    HighAvailability,
    /// Autoscaling, requests, pools.
    Scalability,
    /// Load balancers.
    Cost,
    /// Metrics, logs, alerts.
    Monitoring,
    /// Backups and drills.
    BackupDr,
    /// Policies, TLS, exposure.
    NetworkSecurity,
}

impl Category {
    /// All, in the order of the scorecard.
    pub const ALL: [Self; 8] = [
        Self::Architecture,
        Self::Security,
        Self::HighAvailability,
        Self::Scalability,
        Self::Cost,
        Self::Monitoring,
        Self::BackupDr,
        Self::NetworkSecurity,
    ];

    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Architecture => "architecture",
            Self::Security => "security",
            Self::HighAvailability => "high-availability",
            Self::Scalability => "scalability",
            Self::Cost => "cost",
            Self::Monitoring => "monitoring",
            Self::BackupDr => "backup-dr",
            Self::NetworkSecurity => "network-security",
        }
    }
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Read in the objects.
    #[default]
    Observed,
    /// Concluded from names or conventions.
    Inferred,
    /// Said by the configuration.
    Attested,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Where a finding is, and what stands there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Location {
    /// The object, if it is not the finding's own.
    pub object: Option<Subject>,
    /// The field, as a JSON pointer.
    pub pointer: String,
    /// The same with names in place of list positions, for the fingerprint; empty if equal.
    pub stable_pointer: String,
    /// What stands there; reports mask it.
    pub current: Option<Box<Value>>,
    /// What should; reports mask it.
    pub wanted: Option<Box<Value>>,
    /// The file, for manifests.
    pub file: Option<String>,
    /// The line in the file, from 1.
    pub line: Option<u32>,
}

impl Location {
    /// A field of the finding's object.
    pub fn at(pointer: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), ..Self::default() }
    }

    /// With what stands there and what should.
    #[must_use]
    pub fn values(mut self, current: Option<Value>, wanted: Option<Value>) -> Self {
        self.current = current.map(Box::new);
        self.wanted = wanted.map(Box::new);
        self
    }

    /// In another object.
    #[must_use]
    pub fn of(mut self, object: &Subject) -> Self {
        self.object = Some(object.clone());
        self
    }

    /// With names in place of list positions.
    #[must_use]
    pub fn named(mut self, stable_pointer: impl Into<String>) -> Self {
        self.stable_pointer = stable_pointer.into();
        self
    }
}

/// One fact that a finding rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The fact, in one line: `floor 3 = HorizontalPodAutoscaler/web spec.minReplicas`.
    pub text: String,
    /// The object that shows it, if one does.
    pub object: Option<Subject>,
}

/// What is wrong with one object.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule's id.
    pub rule: &'static str,
    /// How bad it is here.
    pub severity: Severity,
    /// When to act.
    pub priority: Priority,
    /// Where it counts.
    pub category: Category,
    /// How sure it is.
    pub confidence: Confidence,
    /// What it is about.
    pub object: Subject,
    /// Where it is; the first is the main one.
    pub locations: Vec<Location>,
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// Why it matters here, a sentence for the prompt.
    pub impact: &'static str,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// Who keeps the object.
    pub ownership: Ownership,
    /// What can be done: the first is the default.
    pub fixes: Vec<Fix>,
    /// How far its fix may be applied, if [`Self::abridge`] took its details.
    pub abridged: Option<Option<Applicability>>,
}

impl Finding {
    /// With one more fact.
    #[must_use]
    pub fn because(mut self, text: impl Into<String>) -> Self {
        push(&mut self.evidence, Evidence { text: text.into(), object: None });
        self
    }

    /// With one more fact that an object shows.
    #[must_use]
    pub fn because_of(mut self, object: &Subject, text: impl Into<String>) -> Self {
        push(&mut self.evidence, Evidence { text: text.into(), object: Some(object.clone()) });
        self
    }

    /// With one more place.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        push(&mut self.locations, location);
        self
    }

    /// With one more way out.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        push(&mut self.fixes, fix);
        self
    }

    /// With another severity than the rule's own.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// With another confidence than observed.
    #[must_use]
    pub fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// Keeps what orders, counts and scores it: which fix it has, the steps of a safe one, the objects
    /// that it rests on. Everything that is told goes.
    pub fn abridge(&mut self) {
        self.abridged = Some(self.class());
        self.evidence.retain(|evidence| evidence.object.is_some());
        self.evidence.iter_mut().for_each(|evidence| evidence.text = String::new());
        for location in &mut self.locations {
            (location.current, location.wanted) = (None, None);
        }
        let fix = std::mem::take(&mut self.fixes).into_iter().next();
        if let Some(fix) = fix.filter(|fix| fix.applicability == Applicability::Safe && fix.is_built()) {
            self.fixes = vec![Fix { steps: fix.steps, ..Fix::new("", Applicability::Safe) }];
        }
    }

    /// How far its first fix may be applied without a person.
    pub fn class(&self) -> Option<Applicability> {
        self.abridged.unwrap_or_else(|| self.fixes.first().map(|fix| fix.applicability))
    }

    /// Hashes rule, kind, namespace, name and the stable part of the pointer, and nothing else, so
    /// that it survives renamed files, moved lines and changes of other objects.
    pub fn fingerprint(&self) -> String {
        let pointer = self.locations.first().map_or("", |location| {
            if location.stable_pointer.is_empty() { &location.pointer } else { &location.stable_pointer }
        });
        let object = &self.object;
        // A namespace left out of a manifest is `default`; a context has many names.
        let name = if object.is_whole_cluster() { "" } else { &object.name };
        let text = [self.rule, &object.kind, object.namespace(), name, pointer].join("\0");
        let digest = Sha256::digest(text.as_bytes());
        format!("sha256:{}", hex(&digest))
    }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).expect("a nibble is a digit");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// What a rule says about one object.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// All is well; attested if only the configuration says so.
    Pass {
        /// The statement and its date.
        attested: Option<String>,
    },
    /// Half of what should be is there.
    Partial {
        /// Why only half.
        reason: String,
    },
    /// A finding.
    Fail,
    /// It can't be seen.
    Unknown {
        /// Why not.
        reason: String,
    },
    /// It does not apply.
    NotApplicable,
    /// A finding that somebody accepts.
    Waived {
        /// Why.
        reason: String,
        /// Until which day, `2027-01-31`.
        until: Option<String>,
    },
}

impl Verdict {
    /// The verdict that a finding of this severity stands for: one of severity info never fails a check.
    pub fn of(severity: Severity) -> Self {
        if severity == Severity::Info { Self::NotApplicable } else { Self::Fail }
    }
}
