//! Batch mode: every fix that the flags allow, in order, restarts put together.

use super::run::Run;
use super::{DryRun, FixArgs, Left, is_allowed, is_confirmed, not_offered, purpose_of};
use crate::cli::error::CliError;
use crate::cli::session::{Session, offered};
use crate::finding::Finding;
use crate::fix::{Fix, Step};
use crate::model::Subject;
use crate::plan::{order, seen};

/// Applies, or tries, every fix that the flags allow.
pub(super) fn run(
    args: &FixArgs,
    run: &mut Run<'_>,
    session: &Session,
    selected: &[Finding],
) -> Result<Vec<Left>, CliError> {
    let mut left = Vec::new();
    let mut chosen = Vec::new();
    for finding in selected {
        match (not_offered(finding), offered(finding)) {
            (Some(reason), _) => left.push(Left::new(finding, reason, false)),
            (None, Some(fix)) if !is_allowed(finding, fix, args.unsafe_fixes) => {
                left.push(Left::new(finding, outside(fix, finding), false));
            }
            (None, Some(fix)) => {
                let steps = seen::pin(&fix.steps, &session.inventory);
                chosen.push((finding, Fix { steps, ..fix.clone() }));
            }
            (None, None) => {}
        }
    }
    if args.write.dry_run != DryRun::None {
        return Ok(try_all(args, run, &chosen, left));
    }
    let mut restarts: Vec<(Subject, &Finding)> = Vec::new();
    let mut stopped = false;
    for (finding, fix) in &chosen {
        if order::follows_restarts(finding.rule) && !restarts.is_empty() && !stopped {
            stopped |= !restart_all(run, &mut restarts, &mut left)?;
        }
        if run.interrupted || (stopped && !args.keep_going) {
            left.push(Left::new(finding, "not begun, after the stop", true));
            continue;
        }
        let (steps, wanted) = order::split_restarts(fix);
        match apply(run, finding, fix, &steps)? {
            None => {
                run.awaits(&wanted);
                restarts.extend(wanted.into_iter().map(|workload| (workload, *finding)));
            }
            Some(reason) => {
                stopped |= run.needs_look || run.after.atomic;
                left.push(Left::new(finding, reason, true));
            }
        }
    }
    let hopeless = stopped && run.after.atomic;
    if !hopeless && !restarts.is_empty() {
        restart_all(run, &mut restarts, &mut left)?;
    }
    Ok(left)
}

/// Why a fix is not part of this batch, and what would make it one.
fn outside(fix: &Fix, finding: &Finding) -> String {
    let open: Vec<String> = fix
        .inputs
        .iter()
        .filter(|input| input.is_open())
        .map(|input| format!("--set {}.{}=…", finding.rule, input.key))
        .collect();
    if open.is_empty() && !is_confirmed(finding, fix) {
        let lost = fix.irreversible.as_deref().unwrap_or_default();
        let confirm = format!("--set '{}[{}].confirm={}'", finding.rule, finding.object, finding.object.path());
        return format!("{lost} does not come back: {confirm} with --unsafe-fixes");
    }
    if open.is_empty() {
        return "unsafe: --unsafe-fixes applies it".to_owned();
    }
    format!("needs input: {} with --unsafe-fixes", open.join(" "))
}

/// Applies one fix; says why not.
fn apply(run: &mut Run<'_>, finding: &Finding, fix: &Fix, steps: &[Step]) -> Result<Option<String>, CliError> {
    let prepared = match run.prepare(steps) {
        Ok(prepared) => prepared,
        Err(refusal) => return Ok(Some(refusal.reasons.join("; "))),
    };
    let whole = run.apply(&purpose_of(finding, fix), &finding.object, &prepared)?;
    Ok((!whole).then(|| run.last_failure()))
}

/// Restarts each workload once, one after another.
fn restart_all(
    run: &mut Run<'_>,
    restarts: &mut Vec<(Subject, &Finding)>,
    left: &mut Vec<Left>,
) -> Result<bool, CliError> {
    let mut wanted = std::mem::take(restarts);
    wanted.sort_by(|a, b| a.0.cmp(&b.0));
    wanted.dedup_by(|a, b| a.0.same(&b.0));
    for (workload, finding) in wanted {
        let mut fix = Fix::new(format!("Restart {}", workload.short()), crate::fix::Applicability::Unsafe);
        fix.steps = vec![Step::Restart { object: workload }];
        if run.interrupted {
            left.push(Left::new(finding, format!("not begun: {}", fix.title), true));
        } else if let Some(reason) = apply(run, finding, &fix, &fix.steps.clone())? {
            left.push(Left::new(finding, reason, true));
            return Ok(false);
        }
    }
    Ok(true)
}

/// `--dry-run`: nothing is written; the server tries every request, or nothing is sent at all.
fn try_all(args: &FixArgs, run: &mut Run<'_>, chosen: &[(&Finding, Fix)], mut left: Vec<Left>) -> Vec<Left> {
    for (finding, fix) in chosen {
        let server = args.write.dry_run == DryRun::Server;
        let refusal = if server { run.prepare(&fix.steps).err() } else { None };
        let mode = if server { "server dry run" } else { "dry run" };
        match refusal {
            Some(refusal) => {
                run.shell.ui.note(&format!("{}: refused: {} ({mode})", fix.title, refusal.reasons.join("; ")));
                left.push(Left::new(finding, refusal.reasons.join("; "), true));
            }
            None => {
                run.shell.ui.note(&format!("{} ({mode})", fix.title));
            }
        }
    }
    left
}
