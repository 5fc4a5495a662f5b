//! What the score would be after fixes: the rules judge the objects as the fixes would leave them.
//!
//! The rules are run by the caller, who knows the configuration and the waivers.

use crate::audit::{Audit, Score, score};
use crate::finding::Finding;
use crate::fix::{Applicability, Fix};
use crate::model::{Inventory, parallel};

use super::graph::{self, Planned};
use super::simulate::{self, SimulationError};

/// An inventory after fixes; `None` if there are none to apply.
pub type Outlook = Result<Option<Inventory>, SimulationError>;

/// The inventory after the first fix of every finding: the safe ones.
pub fn after_safe_fixes(inventory: &Inventory, findings: &[Finding]) -> Outlook {
    after(inventory, findings, |fix| fix.applicability == Applicability::Safe)
}

/// The inventory after the first fix of every finding: those that can be built, and are not left
/// to a person.
pub fn after_all_fixes(inventory: &Inventory, findings: &[Finding]) -> Outlook {
    after(inventory, findings, |fix| fix.applicability != Applicability::Manual)
}

/// How far a score looks ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// After the safe fixes.
    Safe,
    /// After the safe fixes, and after all of them.
    All,
}

/// The score with what it would be after the fixes. `run` judges an inventory as the audit was
/// judged: the same rules, settings and waivers, no filter. A score that can't be foreseen is
/// `None`.
pub fn score_with_outlook(
    inventory: &Inventory,
    audit: &Audit,
    reach: Reach,
    run: impl Fn(&Inventory) -> Audit + Sync,
) -> Score {
    let mut now = score(audit);
    let then = |after: Outlook| match after {
        Ok(Some(after)) => {
            let judged = run(&after);
            let overall = score(&judged).overall;
            // A report is the last thing that a command makes: to take thousands of objects apart
            // before it ends is time for nothing.
            std::mem::forget((judged, after));
            overall
        }
        Ok(None) => now.overall,
        Err(_) => None,
    };
    let safe = || then(after_safe_fixes(inventory, &audit.findings));
    let all = || (reach == Reach::All).then(|| then(after_all_fixes(inventory, &audit.findings))).flatten();
    (now.after_safe_fixes, now.after_all_fixes) = parallel::both(safe, all);
    now
}

fn after(inventory: &Inventory, findings: &[Finding], takes: impl Fn(&Fix) -> bool) -> Outlook {
    let wanted = |fix: &&Fix| takes(fix) && fix.is_built() && !fix.is_refused() && !fix.steps.is_empty();
    let first = findings.iter().filter_map(|finding| Some((finding, finding.fixes.first().filter(wanted)?)));
    let planned: Vec<Planned<'_>> = first.map(|(finding, fix)| Planned::of(finding, fix, inventory)).collect();
    if planned.is_empty() {
        return Ok(None);
    }
    let fixes: Vec<&Fix> = graph::order(&planned).into_iter().map(|index| &*planned[index].fix).collect();
    simulate::apply_what_fits(inventory, &fixes).map(Some)
}
