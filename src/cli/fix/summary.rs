//! The end of a run: what was applied, what is left and why, the score, the way back.

use serde_json::{Value, json};

use super::run::{Run, kubectl_name};
use super::settled::Settled;
use super::{DryRun, FixArgs, Left};
use crate::audit::{self, Audit, score};
use crate::backend::cluster::refresh::{self, Wanted};
use crate::backend::journal::{Outcome, Record};
use crate::cli::error::{CliError, code};
use crate::cli::history::journal;
use crate::cli::session::Session;
use crate::finding::Finding;
use crate::model::ObjectRef;
use crate::report::table::unread;
use crate::report::text::{Line, Role};

/// What pods are that were to be replaced and were not.
pub const STALE: &str = "its pods run with what was before";

/// Audits again, tells how it ended and returns the exit code.
pub fn finish(args: &FixArgs, mut run: Run<'_>, session: &Session, left: &[Left]) -> Result<u8, CliError> {
    let mut left: Vec<Left> = left.to_vec();
    let dry = args.write.dry_run != DryRun::None;
    let again = !dry && !run.settled.is_empty() && !run.interrupted;
    let after = again.then(|| audit_again(&run, session));
    if let Some(fresh) = &after {
        left.extend(verify(&mut run, session, fresh)?);
    }
    let counted = left.iter().filter(|left| left.counts).count();
    run.close(counted == 0)?;
    let unfinished = unfinished(&run)?;
    run.needs_look |= !unfinished.is_empty();
    let code = match () {
        () if run.needs_look => code::LOOK,
        () if run.interrupted => code::INTERRUPTED,
        () if counted > 0 => code::LEFT,
        () => code::DONE,
    };
    match args.output.as_deref() {
        Some("name") => run.shell.ui.data(&run.entry().map(|id| format!("{id}\n")).unwrap_or_default()),
        Some(format) => {
            let value = to_json(&run, &left, session, after.as_ref(), code);
            let text = if format == "json" { format!("{value:#}\n") } else { serde_saphyr::to_string(&value)? };
            run.shell.ui.data(&text);
        }
        None => run.shell.ui.lines(&lines(&run, &left, session, after.as_ref(), dry)),
    }
    if code == code::LOOK {
        let mut error = needs_a_look(&run);
        if !unfinished.is_empty() {
            error.causes = unfinished.iter().map(|name| format!("{name} was not restarted: {STALE}")).collect();
            let entry = run.entry().unwrap_or_default();
            error = error.hint(format!(
                "`kubectl progrc recover {entry}` restarts it, `kubectl progrc undo {entry}` takes all of it back"
            ));
        }
        run.shell.ui.error(&error);
    }
    Ok(code)
}

/// The workloads that the entry of a run leaves with old values, as kubectl names them.
fn unfinished(run: &Run<'_>) -> Result<Vec<String>, CliError> {
    let Some(id) = run.entry() else { return Ok(Vec::new()) };
    let entry = journal(run.shell)?.entry(id)?;
    let mut names: Vec<String> = entry.unfinished().iter().map(|(_, workload)| kubectl_name(workload)).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// The journal entry and the next command, for a run that ended in a state that needs a look.
pub fn needs_a_look(run: &Run<'_>) -> CliError {
    let Some(entry) = run.entry() else { return CliError::new("nothing was written") };
    let shows = format!("`kubectl progrc history {entry}` shows what was done");
    let hint = if run.stands() { format!("`kubectl progrc undo {entry}` takes it back, {shows}") } else { shows };
    CliError::new(format!("journal entry {entry} needs a look")).code(code::LOOK).hint(hint)
}

/// Holds each fix against the fresh objects: a finding that is still there, word for word, was not
/// fixed.
fn verify(run: &mut Run<'_>, session: &Session, fresh: &Audit) -> Result<Vec<Left>, CliError> {
    let mut left = Vec::new();
    let whole = |settled: &&Settled| settled.failure.is_none() && !settled.steps.is_empty();
    let settled: Vec<(usize, Settled)> = run.settled.iter().cloned().enumerate().filter(|(_, it)| whole(&it)).collect();
    for (index, settled) in settled {
        let about = |finding: &&Finding| finding.rule == settled.rule && finding.object.same(&settled.object);
        let still = session.audit.findings.iter().filter(about).find(|old| {
            let same = |new: &Finding| new.fingerprint() == old.fingerprint() && new.message == old.message;
            old.fixes.first().is_some_and(|fix| fix.title == settled.title) && fresh.findings.iter().any(same)
        });
        let message = still.map_or("the finding is gone".to_owned(), |old| format!("still found: {}", old.message));
        if let Some(why) = unselected(&settled, said(fresh)) {
            run.fallen(index, &why)?;
            continue;
        }
        if let Some(step) = settled.steps.last() {
            run.record(&Record::Verify { step: *step, ok: still.is_none(), message: message.clone() })?;
        }
        left.extend(still.filter(|_| run.waits()).map(|old| Left::new(old, "still found after its fix", true)));
    }
    Ok(left)
}

/// Why a monitor that a fix made does nothing: no Prometheus selects it. The findings are those of
/// fresh objects: rule, object and message.
fn unselected<'f>(
    settled: &Settled,
    mut findings: impl Iterator<Item = (&'f str, &'f ObjectRef, &'f str)>,
) -> Option<String> {
    let made = |object: &ObjectRef| settled.results.iter().any(|(other, _)| object.same(other));
    let (_, object, message) = findings.find(|(rule, object, _)| *rule == "monitor-not-selected" && made(object))?;
    Some(format!("{}: {message}", object.short()))
}

/// The findings of an audit, as words.
fn said(audit: &Audit) -> impl Iterator<Item = (&str, &ObjectRef, &str)> {
    audit.findings.iter().map(|finding| (finding.rule, &*finding.object, finding.message.as_str()))
}

/// Judges again with the objects that were touched as they are now, and what was seen of rollouts.
fn audit_again(run: &Run<'_>, session: &Session) -> Audit {
    run.interrupt.all_is_settled(if run.needs_look { code::LOOK } else { code::INTERRUPTED });
    let mut inventory = session.inventory.clone();
    run.seen.iter().for_each(|(object, seen)| refresh::absorb(&mut inventory, object, seen));
    let known = |object: &ObjectRef| run.seen.iter().any(|(other, seen)| other.same(object) && seen.is_whole());
    let mut wanted = Wanted::default();
    for settled in &run.settled {
        for (object, result) in settled.results.iter().filter(|(object, _)| !known(object)) {
            if result.written.is_some() { wanted.list_of(object) } else { wanted.object(object) }
        }
    }
    let (mut inventory, _) = run.runtime.block_on(refresh::refresh(&run.connection, inventory, wanted));
    inventory.taken_at = jiff::Timestamp::now();
    audit::run_configured(&inventory, &session.settings, &session.config, &session.rules)
}

fn overall(audit: &Audit) -> Option<f64> {
    score::score(audit).overall.map(score::displayed)
}

fn lines(run: &Run<'_>, left: &[Left], session: &Session, after: Option<&Audit>, dry: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    let applied: Vec<&Settled> = run.settled.iter().filter(|settled| settled.failure.is_none()).collect();
    let failed: Vec<&Settled> = run.settled.iter().filter(|settled| settled.failure.is_some()).collect();
    if !dry {
        lines.push(Line::of(Role::Strong, &format!("{} applied", count(applied.len(), "fix", "fixes"))));
    }
    for settled in applied {
        lines.push(Line::of(Role::Good, "  done  ").and(Role::Plain, &format!("{} · {}", settled.rule, settled.title)));
    }
    for settled in failed {
        let why = settled.failure.as_deref().unwrap_or_default();
        let state = if settled.taken_back { "  taken back  " } else { "  failed  " };
        lines.push(
            Line::of(Role::Critical, state).and(Role::Plain, &format!("{} · {}: {why}", settled.rule, settled.title)),
        );
    }
    if !left.is_empty() {
        lines.push(Line::of(Role::Strong, &format!("{} left", count(left.len(), "finding", "findings"))));
    }
    for left in left {
        let object = left.finding.object.short();
        lines.push(Line::of(Role::Plain, &format!("  {} · {object}: {}", left.finding.rule, left.reason)));
    }
    let gaps = &session.inventory.gaps;
    if !gaps.is_empty() {
        let (were, them) = if gaps.len() == 1 { ("was", "it") } else { ("were", "them") };
        let unread = unread(gaps.iter().map(|gap| gap.verb.as_str()));
        let line = Line::of(Role::Plain, &format!("{unread} {were} not read and what rests on {them} is unknown: "));
        lines.push(line.and(Role::Command, "kubectl progrc audit"));
    }
    if let (Some(before), Some(now)) = (overall(&session.audit), after.and_then(overall)) {
        lines.push(Line::of(Role::Plain, &format!("Score {before:.1} before, {now:.1} now")));
    }
    if let Some(entry) = run.entry().filter(|_| run.stands()) {
        lines.push(Line::of(Role::Plain, "Undo: ").and(Role::Command, &format!("kubectl progrc undo {entry}")));
    }
    lines
}

/// `1 fix`, `2 fixes`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn to_json(run: &Run<'_>, left: &[Left], session: &Session, after: Option<&Audit>, code: u8) -> Value {
    let settled: Vec<Value> = run.settled.iter().map(settled_json).collect();
    let left: Vec<Value> = left
        .iter()
        .map(|left| json!({"rule": left.finding.rule, "object": left.finding.object, "reason": left.reason, "counts": left.counts}))
        .collect();
    json!({
        "apiVersion": "progrc.io/v1", "kind": if run.command == "apply" { "ApplyReport" } else { "FixReport" },
        "entry": run.entry(), "exitCode": code, "applied": settled, "left": left,
        "score": {"before": overall(&session.audit), "after": after.and_then(overall)},
    })
}

/// One fix and the answers to its requests.
pub fn settled_json(settled: &Settled) -> Value {
    let step = |(object, result): &(ObjectRef, crate::backend::journal::StepResult)| {
        let outcome = match result.outcome {
            Outcome::Applied => "applied",
            Outcome::NotApplied => "not-applied",
            Outcome::Ambiguous => "ambiguous",
        };
        json!({
            "object": object, "name": kubectl_name(object), "outcome": outcome, "code": result.code,
            "message": result.message, "changes": result.changes, "warnings": result.warnings,
        })
    };
    json!({
        "rule": settled.rule, "title": settled.title, "object": settled.object, "failure": settled.failure,
        "takenBack": settled.taken_back,
        "steps": settled.results.iter().map(step).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::change::Purpose;
    use crate::backend::journal::StepResult;
    use crate::model::Subject;

    #[test]
    fn a_monitor_that_nobody_selects_is_seen() {
        let monitor = ObjectRef::new("monitoring.coreos.com/v1", "ServiceMonitor", Some("a"), "web");
        let purpose = Purpose {
            rule: "missing-metrics-scrape".into(),
            title: "t".into(),
            irreversible: None,
            awaits: Vec::new(),
        };
        let mut settled = Settled::new(&purpose, &Subject::new(ObjectRef::new("v1", "Service", Some("a"), "web")));
        let result: StepResult = serde_json::from_value(
            json!({"step": 0, "outcome": "applied", "code": 201, "time": "2026-01-01T00:00:00Z"}),
        )
        .unwrap();
        settled.results.push((monitor.clone(), result));
        let said =
            |rule: &'static str| unselected(&settled, [(rule, &monitor, "no Prometheus selects it")].into_iter());
        assert_eq!(said("monitor-not-selected").as_deref(), Some("ServiceMonitor/web: no Prometheus selects it"));
        assert_eq!(said("missing-metrics-scrape"), None);
        let other = ObjectRef { name: "other".to_owned(), ..monitor.clone() };
        assert_eq!(unselected(&settled, [("monitor-not-selected", &other, "no")].into_iter()), None);
    }
}
