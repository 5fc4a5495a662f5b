//! The scorecard: what the rules said, as numbers that can be taken apart. Pure.
//!
//! A check is one rule; its objects give a pass ratio, its severity the weight. A category is the
//! weighted mean of its checks, the whole the weighted mean of the categories, out of 10. What
//! can't be seen lowers the coverage, never the score.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::engine::{Audit, RuleOutcome};
use crate::finding::{Category, Finding, Severity, Verdict};
use crate::model::{Subject, parallel};

/// A category has at most this while a critical finding stands in it.
pub const CATEGORY_CAP: f64 = 5.0;
/// The whole has at most this while a critical finding stands anywhere.
pub const OVERALL_CAP: f64 = 6.0;
/// Below this coverage a score is marked as uncertain.
pub const CERTAIN: f64 = 0.6;
/// Below this coverage there is no score.
pub const ENOUGH: f64 = 0.3;
/// Differences that come from binary fractions alone.
const NOISE: f64 = 1e-9;

/// What a score means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// 7 or more.
    Good,
    /// 4 to 6.
    NeedsWork,
    /// 3 or less.
    Poor,
    /// Poor, and nothing of weight is there: monitoring and backups.
    Missing,
    /// No score: nothing applies, or too little can be seen.
    #[serde(rename = "n/a")]
    NotAvailable,
}

impl Status {
    /// The words in reports for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::NeedsWork => "needs work",
            Self::Poor => "poor",
            Self::Missing => "missing",
            Self::NotAvailable => "n/a",
        }
    }

    fn of(score: Option<f64>) -> Self {
        // Half a point counts as a whole one.
        match score {
            None => Self::NotAvailable,
            Some(score) if score + NOISE >= 6.5 => Self::Good,
            Some(score) if score + NOISE >= 3.5 => Self::NeedsWork,
            Some(_) => Self::Poor,
        }
    }
}

/// One check in its category.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckScore {
    /// The rule's id.
    pub rule: &'static str,
    /// The weight of the rule's severity, or of the configuration's.
    pub weight: u32,
    /// Objects that were judged.
    pub applicable: usize,
    /// Of them, those where all is well.
    pub passed: usize,
    /// Of them, those where half is well.
    pub partial: usize,
    /// Of those that passed, the ones that somebody vouches for.
    pub attested: usize,
    /// Objects that can't be seen.
    pub unknown: usize,
    /// The pass ratio from 0 to 1; `None` if no object was judged.
    pub ratio: Option<f64>,
    /// What it gives to the category's score, in points.
    pub contribution: f64,
    /// What it costs the category's score, in points.
    pub points_lost: f64,
}

/// One row of the scorecard.
#[derive(Clone, Debug, PartialEq)]
pub struct CategoryScore {
    /// The category.
    pub category: Category,
    /// Out of 10, not rounded; `None` without enough coverage.
    pub score: Option<f64>,
    /// What it means.
    pub status: Status,
    /// The share of the weights that could be judged, from 0 to 1; 0 if nothing applies.
    pub coverage: f64,
    /// True if a critical finding holds the score down.
    pub capped: bool,
    /// The checks that apply, or would if they could be seen, in the order of their rules.
    pub checks: Vec<CheckScore>,
}

/// The scorecard.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Out of 10, not rounded; `None` without enough coverage.
    pub overall: Option<f64>,
    /// What it means.
    pub status: Status,
    /// The share of the weights that could be judged, from 0 to 1; 0 if nothing applies.
    pub coverage: f64,
    /// True if a critical finding holds the score down.
    pub capped: bool,
    /// The overall score after every safe fix, if somebody simulated them.
    pub after_safe_fixes: Option<f64>,
    /// The overall score after every fix that can be built, if somebody simulated them.
    pub after_all_fixes: Option<f64>,
    /// Every category, in the order of the scorecard.
    pub categories: Vec<CategoryScore>,
}

/// A number with one decimal, rounded half up: 6.25 is 6.3.
pub fn displayed(number: f64) -> f64 {
    (number * 10.0 + 0.5 + NOISE).floor() / 10.0
}

/// True if a score of this coverage deserves a `~`.
pub fn is_uncertain(coverage: f64) -> bool {
    coverage + NOISE < CERTAIN
}

/// The priority that the assessment gives a category: true for high, false for medium, `None` for
/// the one that it found in order.
pub fn is_urgent(category: Category) -> Option<bool> {
    match category {
        Category::Architecture => None,
        Category::Security | Category::HighAvailability => Some(true),
        _ => Some(false),
    }
}

/// What a category weighs in the whole.
fn category_weight(category: Category) -> f64 {
    match category {
        Category::Architecture | Category::Security | Category::HighAvailability => 2.0,
        _ => 1.0,
    }
}

/// The scorecard of everything that the rules said, before any filter.
pub fn score(audit: &Audit) -> Score {
    score_of(&audit.rules.iter().collect::<Vec<_>>(), &critical(&audit.findings))
}

/// The categories with a critical finding.
pub fn critical<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> BTreeSet<Category> {
    let critical = findings.into_iter().filter(|finding| finding.severity == Severity::Critical);
    critical.map(|finding| finding.category).collect()
}

/// The scorecard of what each rule said, and of the categories with a critical finding.
pub fn score_of(outcomes: &[&RuleOutcome], critical: &BTreeSet<Category>) -> Score {
    let checks = parallel::map(outcomes, |outcome| check(outcome));
    let checks: Vec<_> =
        outcomes.iter().zip(checks).filter_map(|(said, check)| Some((said.rule.category, check?))).collect();
    let row = |category: Category| Row::of(&checks, category, critical.contains(&category));
    let rows: Vec<Row> = Category::ALL.into_iter().map(row).collect();
    let (seen, wanted) = rows.iter().fold((0.0, 0.0), |sum, row| (sum.0 + row.seen, sum.1 + row.wanted));
    let coverage = share(seen, wanted);
    let categories: Vec<CategoryScore> = rows.into_iter().map(Row::finish).collect();
    let scored = categories.iter().filter_map(|row| Some((category_weight(row.category), row.score?)));
    let (points, weights) = scored.fold((0.0, 0.0), |sum, (weight, score)| (sum.0 + weight * score, sum.1 + weight));
    let mean = (weights > 0.0 && coverage + NOISE >= ENOUGH).then(|| points / weights);
    let overall = mean.map(|mean| if critical.is_empty() { mean } else { mean.min(OVERALL_CAP) });
    Score {
        overall,
        status: Status::of(overall),
        coverage,
        capped: overall < mean,
        after_safe_fixes: None,
        after_all_fixes: None,
        categories,
    }
}

/// A category while its checks are summed.
struct Row {
    category: Category,
    checks: Vec<CheckScore>,
    critical: bool,
    /// The weights of what was judged, each by the share of its objects that could be seen.
    seen: f64,
    /// The weights of what applies or may apply.
    wanted: f64,
    medium_passes: bool,
}

impl Row {
    fn of(checks: &[(Category, CheckScore)], category: Category, critical: bool) -> Self {
        let checks = checks.iter().filter(|(of, _)| *of == category);
        let checks: Vec<CheckScore> = checks.map(|(_, check)| check.clone()).collect();
        let weight = |check: &CheckScore| f64::from(check.weight);
        Self {
            category,
            critical,
            seen: checks.iter().map(|c| weight(c) * share(count(c.applicable), count(c.applicable + c.unknown))).sum(),
            wanted: checks.iter().map(weight).sum(),
            medium_passes: checks.iter().any(|check| {
                check.weight == Severity::Medium.weight() && check.ratio.is_some_and(|ratio| ratio + NOISE >= 1.0)
            }),
            checks,
        }
    }

    fn finish(mut self) -> CategoryScore {
        let judged = self.checks.iter().filter(|check| check.ratio.is_some());
        let total: f64 = judged.map(|check| f64::from(check.weight)).sum();
        let coverage = share(self.seen, self.wanted);
        let mut points = 0.0;
        for check in &mut self.checks {
            if let Some(ratio) = check.ratio.filter(|_| total > 0.0) {
                check.contribution = 10.0 * f64::from(check.weight) * ratio / total;
                check.points_lost = 10.0 * f64::from(check.weight) * (1.0 - ratio) / total;
                points += f64::from(check.weight) * ratio;
            }
        }
        let mean = (total > 0.0 && coverage + NOISE >= ENOUGH).then(|| 10.0 * points / total);
        let score = mean.map(|mean| if self.critical { mean.min(CATEGORY_CAP) } else { mean });
        let empty = matches!(self.category, Category::Monitoring | Category::BackupDr) && !self.medium_passes;
        let status = match Status::of(score) {
            Status::Poor if empty => Status::Missing,
            status => status,
        };
        let (category, capped) = (self.category, score < mean);
        CategoryScore { category, score, status, coverage, capped, checks: self.checks }
    }
}

/// The verdicts of one rule as a check; `None` if it applies to nothing.
fn check<'a>(outcome: &'a RuleOutcome) -> Option<CheckScore> {
    // Names differ more often than kinds and namespaces.
    let objects = outcome.outcomes.chunk_by(|(one, _), (other, _)| one.name == other.name && one == other);
    let worst = |said: &'a [(Subject, Verdict)]| said.iter().map(|(_, verdict)| verdict).rev().max_by_key(|v| rank(v));
    let worst: Vec<&Verdict> = objects.filter_map(worst).collect();
    let number = |wanted: fn(&Verdict) -> bool| worst.iter().filter(|verdict| wanted(verdict)).count();
    let failed = number(|verdict| matches!(verdict, Verdict::Fail));
    let passed = number(|verdict| matches!(verdict, Verdict::Pass { .. }));
    let partial = number(|verdict| matches!(verdict, Verdict::Partial { .. }));
    let waived = number(|verdict| matches!(verdict, Verdict::Waived { .. }));
    let unknown = number(|verdict| matches!(verdict, Verdict::Unknown { .. }));
    let applicable = failed + passed + partial;
    if applicable + unknown == 0 {
        return None;
    }
    let objects = share(count(passed) + 0.5 * count(partial), count(applicable));
    let ratio = match (failed, outcome.ratio, outcome.severity) {
        (0, ..) => objects,
        // Of what the rule's own ratio lacks, the waived findings' part is not held against it.
        (_, Some(own), _) => 1.0 - (1.0 - own) * share(count(failed), count(failed + waived)),
        (_, None, Severity::Critical) => 0.0,
        (_, None, Severity::High) => objects.min(0.5),
        (_, None, _) => objects,
    };
    Some(CheckScore {
        rule: outcome.rule.id,
        weight: outcome.severity.weight(),
        applicable,
        passed,
        partial,
        attested: number(|verdict| matches!(verdict, Verdict::Pass { attested: Some(_) })),
        unknown,
        ratio: (applicable > 0).then_some(ratio),
        contribution: 0.0,
        points_lost: 0.0,
    })
}

/// Each object counts once in a check: with the worst that was said about it.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::NotApplicable => 0,
        Verdict::Waived { .. } => 1,
        Verdict::Pass { .. } => 2,
        Verdict::Unknown { .. } => 3,
        Verdict::Partial { .. } => 4,
        Verdict::Fail => 5,
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "counts of objects stay far below 2^52")]
fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;
