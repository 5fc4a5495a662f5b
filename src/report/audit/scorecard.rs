//! The scorecard in the report.

use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::score::Status;
use crate::finding::Category;

/// The scorecard. Scores are out of 10 with one decimal, `null` without enough coverage.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// The whole.
    pub overall: Option<f64>,
    /// What it means.
    pub status: Status,
    /// The share of the weights that could be judged, rounded down to two decimals.
    pub coverage: f64,
    /// True if a critical finding holds the score down.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub capped: bool,
    /// The whole after every safe fix, by simulation.
    pub after_safe_fixes: Option<f64>,
    /// The whole after every fix that can be built, by simulation.
    pub after_all_fixes: Option<f64>,
    /// Every category, in the order of the scorecard.
    pub categories: Vec<CategoryScore>,
}

/// One row of the scorecard.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CategoryScore {
    /// The category.
    pub category: Category,
    /// Out of 10.
    pub score: Option<f64>,
    /// What it means.
    pub status: Status,
    /// How urgent the category is; `null` for architecture.
    pub priority: Option<CategoryPriority>,
    /// The share of the weights that could be judged, rounded down to two decimals.
    pub coverage: f64,
    /// True if a critical finding holds the score down.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub capped: bool,
    /// What the score is made of, by rule.
    pub checks: Vec<CheckScore>,
}

/// How urgent a category is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CategoryPriority {
    /// Security and high availability.
    High,
    /// The others.
    Medium,
}

impl CategoryPriority {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
        }
    }
}

/// One check of a category.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckScore {
    /// The rule.
    pub rule: String,
    /// The weight of its severity.
    pub weight: u32,
    /// Objects that were judged.
    pub applicable: usize,
    /// Of them, those where all is well.
    pub passed: usize,
    /// Of them, those where half is well.
    #[serde(skip_serializing_if = "is_zero")]
    pub partial: usize,
    /// Of those that passed, the ones that somebody vouches for.
    #[serde(skip_serializing_if = "is_zero")]
    pub attested: usize,
    /// Objects that can't be seen.
    #[serde(skip_serializing_if = "is_zero")]
    pub unknown: usize,
    /// What it gives to the category's score, in points.
    pub contribution: f64,
    /// What it costs the category's score, in points.
    pub points_lost: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}
