//! What the score would be after fixes: the rules judge the objects as the fixes would leave them.
//!
//! The rules are run by the caller, who knows the configuration and the waivers. A rule that says
//! that nothing which the fixes change can move it is not asked again.

use std::collections::BTreeSet;

use crate::audit::score::{critical, score_of};
use crate::audit::{Audit, RuleOutcome, Score, score};
use crate::finding::{Finding, Verdict};
use crate::fix::{Action, Applicability, Edit, Fix, Step};
use crate::model::{Inventory, parallel};
use crate::rules::rule::{Aspect, Rule};

use super::graph::{self, Planned};
use super::simulate::{self, Change, SimulationError};

/// The objects after fixes, and what these change: `None` for what no rule need say.
type After = (Inventory, BTreeSet<Option<Aspect>>);

/// How far a score looks ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// After the safe fixes.
    Safe,
    /// After the safe fixes, and after all of them.
    All,
}

/// The score with what it would be after the first fix of every finding: of the safe ones, and of
/// all that can be built and are not left to a person. `run` judges an inventory by some rules as
/// the audit was judged: the same settings and waivers, no filter. A score that can't be foreseen
/// is `None`.
pub fn score_with_outlook(
    inventory: &Inventory,
    audit: &Audit,
    reach: Reach,
    run: impl Fn(&Inventory, &[&'static Rule]) -> Audit + Sync,
) -> Score {
    let mut now = score(audit);
    let then = |takes: fn(&Fix) -> bool| match after(inventory, &audit.findings, takes) {
        Ok(Some(after)) => judge(audit, after, &run),
        Ok(None) => now.overall,
        Err(_) => None,
    };
    let safe = || then(|fix| fix.applicability == Applicability::Safe);
    let all = || (reach == Reach::All).then(|| then(|fix| fix.applicability != Applicability::Manual)).flatten();
    (now.after_safe_fixes, now.after_all_fixes) = parallel::both(safe, all);
    now
}

/// The whole score of the objects as fixes leave them: of the rules that may say something else
/// now, and of what the others said.
fn judge(audit: &Audit, after: After, run: impl Fn(&Inventory, &[&'static Rule]) -> Audit) -> Option<f64> {
    let (after, changes) = after;
    let is_moved = |rule: &Rule| !changes.iter().all(|aspect| aspect.is_some_and(|it| rule.unmoved_by.contains(&it)));
    let mut moved: Vec<&RuleOutcome> = audit.rules.iter().filter(|said| is_moved(said.rule)).collect();
    // Those that found the most take the longest, and the last one is waited for.
    let failed = |said: &RuleOutcome| said.outcomes.iter().filter(|(_, verdict)| *verdict == Verdict::Fail).count();
    moved.sort_by_key(|said| std::cmp::Reverse(failed(said)));
    let moved: Vec<&'static Rule> = moved.into_iter().map(|said| said.rule).collect();
    let judged = run(&after, &moved);
    let kept = audit.rules.iter().filter(|said| !is_moved(said.rule));
    let mut said: Vec<&RuleOutcome> = kept.chain(&judged.rules).collect();
    said.sort_by_key(|said| said.rule.id);
    let old = audit.findings.iter().filter(|finding| !moved.iter().any(|rule| rule.id == finding.rule));
    let overall = score_of(&said, &critical(old.chain(&judged.findings))).overall;
    if cfg!(debug_assertions) {
        let all: Vec<&'static Rule> = audit.rules.iter().map(|said| said.rule).collect();
        assert_eq!(overall, score(&run(&after, &all)).overall, "a rule is moved by {changes:?}");
    }
    // A report is the last thing that a command makes: to take thousands of objects apart before it
    // ends is time for nothing.
    std::mem::forget((judged, after));
    overall
}

/// `None` if there are no fixes to apply.
fn after(
    inventory: &Inventory,
    findings: &[Finding],
    takes: fn(&Fix) -> bool,
) -> Result<Option<After>, SimulationError> {
    let wanted = |fix: &&Fix| takes(fix) && fix.is_built() && !fix.is_refused() && !fix.steps.is_empty();
    let first = findings.iter().filter_map(|finding| Some((finding, finding.fixes.first().filter(wanted)?)));
    let (from, mut fixes): (Vec<&Finding>, Vec<&Fix>) = first.unzip();
    if fixes.is_empty() {
        return Ok(None);
    }
    put_in_order(inventory, &from, &mut fixes);
    let steps = fixes.iter().flat_map(|fix| &fix.steps);
    let changes: BTreeSet<_> = steps.flat_map(|step| aspects(inventory, step)).collect();
    let change = if changes.contains(&None) { Change::Any } else { Change::Slight };
    Ok(Some((simulate::apply_what_fits(inventory, &fixes, change)?, changes)))
}

/// Puts the fixes that touch an object of another one into the order in which they would be applied.
fn put_in_order(inventory: &Inventory, from: &[&Finding], fixes: &mut [&Fix]) {
    let groups = simulate::related(fixes).into_iter().filter(|group| group.len() > 1);
    let mut places: Vec<usize> = groups.flatten().collect();
    places.sort_unstable();
    let planned: Vec<Planned<'_>> =
        places.iter().map(|place| Planned::of(from[*place], fixes[*place], inventory)).collect();
    let ordered: Vec<&Fix> = graph::order(&planned).into_iter().map(|index| fixes[places[index]]).collect();
    places.into_iter().zip(ordered).for_each(|(place, fix)| fixes[place] = fix);
}

/// What a step changes.
fn aspects(inventory: &Inventory, step: &Step) -> Vec<Option<Aspect>> {
    match step {
        Step::Create { object, .. } | Step::Delete { object } if object.kind == "PodDisruptionBudget" => {
            vec![Some(Aspect::Budgets)]
        }
        Step::Patch { object, edits, .. } => {
            let aspect = |edit: &Edit| match &*object.kind {
                "Namespace" => warns(edit).then_some(Aspect::Warnings),
                _ => (replicas(edit) && runs(inventory, step)).then_some(Aspect::Replicas),
            };
            edits.iter().map(aspect).collect()
        }
        _ => vec![None],
    }
}

/// True for the level at which Pod Security Admission warns or audits.
fn warns(edit: &Edit) -> bool {
    let label = edit.pointer.strip_prefix("/metadata/labels/pod-security.kubernetes.io~1");
    label.is_some_and(|mode| mode.starts_with("warn") || mode.starts_with("audit"))
}

/// True for a number of replicas above none; where none is named, it is one, or an autoscaler's.
fn replicas(edit: &Edit) -> bool {
    let is_more = match &edit.action {
        Action::Set(number) => number.as_i64().is_some_and(|number| number > 0),
        Action::Remove => true,
        _ => false,
    };
    edit.pointer == "/spec/replicas" && is_more
}

/// True for a workload that has replicas.
fn runs(inventory: &Inventory, step: &Step) -> bool {
    let object = step.object();
    let workload = inventory.workloads.get(object.namespace(), &object.kind, &object.name);
    workload.is_some_and(|workload| !workload.is_idle())
}
