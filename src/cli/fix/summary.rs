//! The end of a run: what was applied, what is left and why, the score, the way back.

use serde_json::{Value, json};

use super::run::{Run, Settled, kubectl_name};
use super::{DryRun, FixArgs, Left};
use crate::audit::score;
use crate::backend::journal::Outcome;
use crate::cli::error::{CliError, code};
use crate::cli::session::Session;
use crate::report::text::{Line, Role};

/// Audits again, tells how it ended and returns the exit code.
pub fn finish(args: &FixArgs, mut run: Run<'_>, session: &Session, left: &[Left]) -> Result<u8, CliError> {
    let counted = left.iter().filter(|left| left.counts).count();
    run.close(counted == 0)?;
    let dry = args.write.dry_run != DryRun::None;
    let after = if dry || run.settled.is_empty() || run.interrupted { None } else { audit_again(args, &run) };
    let code = match () {
        () if run.needs_look => code::LOOK,
        () if run.interrupted => code::INTERRUPTED,
        () if counted > 0 => code::LEFT,
        () => code::DONE,
    };
    match args.output.as_deref() {
        Some("name") => run.shell.ui.data(&run.entry().map(|id| format!("{id}\n")).unwrap_or_default()),
        Some(format) => {
            let value = to_json(&run, left, session, after.as_ref(), code);
            let text = if format == "json" { format!("{value:#}\n") } else { serde_saphyr::to_string(&value)? };
            run.shell.ui.data(&text);
        }
        None => run.shell.ui.lines(&lines(&run, left, session, after.as_ref(), dry)),
    }
    if code == code::LOOK
        && let Some(entry) = run.entry()
    {
        let hint = format!("`kubectl progrc undo {entry}` takes it back, `kubectl progrc history {entry}` shows it");
        run.shell.ui.error(&CliError::new(format!("journal entry {entry} needs a look")).hint(hint));
    }
    Ok(code)
}

fn audit_again(args: &FixArgs, run: &Run<'_>) -> Option<Session> {
    let shell = run.shell;
    match Session::open(&args.what, &shell.connection, &shell.env, &shell.ui, run.runtime) {
        Ok(session) => Some(session),
        Err(error) => {
            shell.ui.warn(&format!("no audit after the changes: {}", error.message));
            None
        }
    }
}

fn overall(session: &Session) -> Option<f64> {
    score::score(&session.audit).overall.map(score::displayed)
}

fn lines(run: &Run<'_>, left: &[Left], session: &Session, after: Option<&Session>, dry: bool) -> Vec<Line> {
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
        lines.push(
            Line::of(Role::Critical, "  failed  ")
                .and(Role::Plain, &format!("{} · {}: {why}", settled.rule, settled.title)),
        );
    }
    if !left.is_empty() {
        lines.push(Line::of(Role::Strong, &format!("{} left", count(left.len(), "finding", "findings"))));
    }
    for left in left {
        let object = left.finding.object.short();
        lines.push(Line::of(Role::Plain, &format!("  {} · {object}: {}", left.finding.rule, left.reason)));
    }
    if let (Some(before), Some(now)) = (overall(session), after.and_then(overall)) {
        lines.push(Line::of(Role::Plain, &format!("Score {before:.1} before, {now:.1} now")));
    }
    if let Some(entry) = run.entry() {
        lines.push(Line::of(Role::Plain, "Undo: ").and(Role::Command, &format!("kubectl progrc undo {entry}")));
    }
    lines
}

/// `1 fix`, `2 fixes`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn to_json(run: &Run<'_>, left: &[Left], session: &Session, after: Option<&Session>, code: u8) -> Value {
    let settled: Vec<Value> = run.settled.iter().map(settled_json).collect();
    let left: Vec<Value> = left
        .iter()
        .map(|left| json!({"rule": left.finding.rule, "object": left.finding.object, "reason": left.reason, "counts": left.counts}))
        .collect();
    json!({
        "apiVersion": "progrc.io/v1", "kind": if run.command == "apply" { "ApplyReport" } else { "FixReport" },
        "entry": run.entry(), "exitCode": code, "applied": settled, "left": left,
        "score": {"before": overall(session), "after": after.and_then(overall)},
    })
}

/// One fix and the answers to its requests.
pub fn settled_json(settled: &Settled) -> Value {
    let step = |(object, result): &(crate::model::ObjectRef, crate::backend::journal::StepResult)| {
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
        "steps": settled.results.iter().map(step).collect::<Vec<_>>(),
    })
}
