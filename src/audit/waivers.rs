//! Findings that somebody accepts: by annotation of the object or its namespace, or by an entry of
//! the configuration. A waived finding leaves the score and stays in the report.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::finding::{Finding, Verdict};
use crate::model::{Inventory, Meta, Subject};
use crate::rules::RULES;
use crate::rules::rule::Rule;

use super::config::{ConfigWaiver, parse_date};
use super::engine::{Audit, Waived};
use super::suggest;

/// The annotation that names the rules, with commas between.
pub const IGNORE: &str = "progrc.io/ignore";
/// The annotation that says why.
pub const IGNORE_REASON: &str = "progrc.io/ignore-reason";
/// The annotation with the last day that the waiver holds, `2027-01-31`.
pub const IGNORE_UNTIL: &str = "progrc.io/ignore-until";

/// One waiver of one rule, wherever it stands.
#[derive(Debug)]
struct Waiver {
    /// Where it stands, for warnings.
    place: String,
    reason: String,
    until: Option<Date>,
    /// True if it covers a finding, be it that it has ended.
    is_used: bool,
}

/// All waivers, by rule and by what they are about.
#[derive(Debug, Default)]
struct Waivers {
    by_target: BTreeMap<(String, Target), Vec<Waiver>>,
    warnings: BTreeSet<String>,
}

/// What a waiver is about. The nearest comes first, and wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    /// One object, as it is displayed.
    Object(String),
    /// Everything inside a namespace.
    Inside(String),
    /// The cluster, whatever its name.
    Cluster,
}

/// Takes the waived findings out of the audit, and turns their verdicts. Waivers that have ended or
/// match nothing, and annotations that can't be read, become warnings.
///
/// A waiver holds to the end of its last day, UTC, measured against the time of the inventory.
/// Names of rules that are neither registered nor among `rules` are unknown.
pub fn apply(audit: &mut Audit, inventory: &Inventory, entries: &[ConfigWaiver], rules: &[&'static Rule]) {
    let today = inventory.taken_at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let known: BTreeSet<&str> = RULES.iter().chain(rules).map(|rule| rule.id).collect();
    let mut waivers = Waivers::default();
    waivers.read_annotations(inventory, &known);
    for entry in entries {
        waivers.add_entry(entry);
    }
    let findings = if waivers.by_target.is_empty() { Vec::new() } else { std::mem::take(&mut audit.findings) };
    for finding in findings {
        match waivers.accept(&finding, today) {
            Some((reason, until)) => {
                turn_verdict(audit, &finding, &reason, until.as_ref());
                audit.waived.push(Waived { finding, reason, until });
            }
            None => audit.findings.push(finding),
        }
    }
    waivers.warn_of_unused(audit, inventory);
    audit.warnings.extend(waivers.warnings);
    audit.warnings.sort();
}

impl Waivers {
    fn add(&mut self, rule: &str, target: Target, place: String, reason: &str, until: Option<Date>) {
        let waiver = Waiver { place, reason: reason.trim().to_owned(), until, is_used: false };
        self.by_target.entry((rule.to_owned(), target)).or_default().push(waiver);
    }

    fn add_entry(&mut self, entry: &ConfigWaiver) {
        let target = if entry.object == "Cluster" { Target::Cluster } else { Target::Object(entry.object.clone()) };
        let line = entry.line.map(|line| format!(", line {line} of the configuration")).unwrap_or_default();
        let place = format!("the waiver of {} for {}{line}", entry.rule, entry.object);
        self.add(entry.rule, target, place, &entry.reason, entry.until);
    }

    /// What a controller made carries copies of its owner's annotations, and is never judged itself.
    fn read_annotations(&mut self, inventory: &Inventory, known: &BTreeSet<&str>) {
        let mut seen = BTreeSet::new();
        inventory.each_meta(|subject, meta| {
            let Some(names) = meta.annotation(IGNORE) else {
                return;
            };
            if meta.controller().is_none() && is_audited(inventory, subject) && seen.insert(subject.clone()) {
                self.read_annotation(subject, meta, names, known);
            }
        });
    }

    fn read_annotation(&mut self, subject: &Subject, meta: &Meta, names: &str, known: &BTreeSet<&str>) {
        let until = match meta.annotation(IGNORE_UNTIL).map(|text| (text, parse_date(text))) {
            Some((text, None)) => {
                self.warnings.insert(format!(
                    "the waiver of {subject} does not hold: {IGNORE_UNTIL} `{text}` is not a day of the form 2027-01-31"
                ));
                return;
            }
            Some((_, date)) => date,
            None => None,
        };
        let reason = meta.annotation(IGNORE_REASON).unwrap_or_default();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if !known.contains(name) {
                let near = suggest::nearest(name, known.iter().copied());
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                self.warnings.insert(format!("{IGNORE} of {subject} names an unknown rule `{name}`{near}"));
                continue;
            }
            let place = format!("the waiver of {name} on {subject}");
            self.add(name, Target::Object(subject.to_string()), place.clone(), reason, until);
            if subject.kind == "Namespace" {
                self.add(name, Target::Inside(subject.name.clone()), place, reason, until);
            }
        }
    }

    /// The reason and the last day of the nearest waiver that holds for a finding. One that has
    /// ended becomes a warning.
    fn accept(&mut self, finding: &Finding, today: Date) -> Option<(String, Option<String>)> {
        let object = &finding.object;
        let mut targets = vec![Target::Object(object.to_string()), Target::Inside(object.namespace().to_owned())];
        if object.is_whole_cluster() {
            targets.push(Target::Cluster);
        }
        let mut found = None;
        for target in targets {
            let waivers = self.by_target.get_mut(&(finding.rule.to_owned(), target));
            for waiver in waivers.into_iter().flatten() {
                waiver.is_used = true;
                match waiver.until {
                    Some(until) if until < today => {
                        self.warnings.insert(format!("{} ended on {until}", waiver.place));
                    }
                    until if found.is_none() => {
                        found = Some((waiver.reason.clone(), until.map(|date| date.to_string())));
                    }
                    _ => {}
                }
            }
        }
        found
    }

    /// Names the waivers without a finding, if their rule ran and could see their object.
    fn warn_of_unused(&mut self, audit: &Audit, inventory: &Inventory) {
        let used: BTreeSet<String> =
            self.all().filter(|(_, _, w)| w.is_used).map(|(_, _, w)| w.place.clone()).collect();
        let open = |rule: &str, target: &Target| match audit.rules.iter().find(|outcome| outcome.rule.id == rule) {
            None => true,
            Some(outcome) => outcome
                .outcomes
                .iter()
                .any(|(subject, verdict)| matches!(verdict, Verdict::Unknown { .. }) && target.covers(subject)),
        };
        let unused = self.all().filter(|(rule, target, waiver)| {
            !used.contains(&waiver.place) && target.is_audited(inventory) && !open(rule, target)
        });
        let unused: Vec<String> = unused.map(|(_, _, waiver)| format!("{} matches no finding", waiver.place)).collect();
        self.warnings.extend(unused);
    }

    fn all(&self) -> impl Iterator<Item = (&str, &Target, &Waiver)> {
        self.by_target
            .iter()
            .flat_map(|((rule, target), waivers)| waivers.iter().map(move |waiver| (rule.as_str(), target, waiver)))
    }
}

impl Target {
    fn covers(&self, subject: &Subject) -> bool {
        match self {
            Self::Object(name) => *name == subject.to_string(),
            Self::Inside(namespace) => namespace == subject.namespace(),
            Self::Cluster => subject.is_whole_cluster(),
        }
    }

    /// False for objects of namespaces that are not audited now.
    fn is_audited(&self, inventory: &Inventory) -> bool {
        let parts: Vec<&str> = match self {
            Self::Object(name) => name.split('/').collect(),
            Self::Inside(namespace) => vec!["Namespace", namespace],
            Self::Cluster => return true,
        };
        match parts[..] {
            ["Namespace", namespace] | [_, namespace, _] => inventory.scope.covers(namespace),
            _ => true,
        }
    }
}

fn is_audited(inventory: &Inventory, subject: &Subject) -> bool {
    match (&subject.namespace, subject.kind.as_str()) {
        (Some(namespace), _) => inventory.scope.covers(namespace),
        (None, "Namespace") => inventory.scope.covers(&subject.name),
        (None, _) => true,
    }
}

/// Turns one failure of the finding's object into a waiver. Outcomes are sorted by object.
fn turn_verdict(audit: &mut Audit, finding: &Finding, reason: &str, until: Option<&String>) {
    let Some(outcome) = audit.rules.iter_mut().find(|outcome| outcome.rule.id == finding.rule) else {
        return;
    };
    let start = outcome.outcomes.partition_point(|(subject, _)| *subject < finding.object);
    let same = outcome.outcomes[start..].iter_mut().take_while(|(subject, _)| *subject == finding.object);
    if let Some((_, verdict)) = same.into_iter().find(|(_, verdict)| *verdict == Verdict::Fail) {
        *verdict = Verdict::Waived { reason: reason.to_owned(), until: until.cloned() };
    }
}

#[cfg(test)]
mod tests;
