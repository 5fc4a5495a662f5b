//! One finding at a time at a prompt.

use super::run::Run;
use super::{Left, not_offered, purpose_of};
use crate::backend::change::Prepared;
use crate::cli::error::CliError;
use crate::cli::prompt::{self, Choice};
use crate::cli::session::{Session, offered};
use crate::finding::Finding;
use crate::fix::{Applicability, Fix};
use crate::plan::{diff, seen};
use crate::report::text::{Line, Role};
use crate::rules::rule::ParameterKind;
use crate::rules::settings::Answer;

/// What the user has said about whole rules.
#[derive(Default)]
struct Standing {
    all: Vec<(&'static str, Applicability)>,
    dropped: Vec<&'static str>,
}

enum Turn {
    Applied,
    Left(String),
    Quit,
}

/// Goes through the findings, and says what is left.
pub(super) fn run(run: &mut Run<'_>, session: &mut Session, selected: &[Finding]) -> Result<Vec<Left>, CliError> {
    let mut left = Vec::new();
    let mut offered_findings = Vec::new();
    for finding in selected {
        match not_offered(finding) {
            Some(reason) => left.push(Left::new(finding, reason, false)),
            None => offered_findings.push(finding),
        }
    }
    let total = offered_findings.len();
    let mut standing = Standing::default();
    for (index, finding) in offered_findings.iter().enumerate() {
        if standing.dropped.contains(&finding.rule) {
            left.push(Left::new(finding, "left with the rest of its rule", true));
            continue;
        }
        let turn = one(run, session, finding, (index + 1, total), &mut standing)?;
        if run.interrupted {
            return Ok(left);
        }
        match turn {
            Turn::Applied => {}
            Turn::Left(reason) => left.push(Left::new(finding, reason, true)),
            Turn::Quit => {
                let rest = offered_findings.iter().skip(index);
                left.extend(rest.map(|finding| Left::new(finding, "not decided", true)));
                break;
            }
        }
    }
    Ok(left)
}

/// Shows one finding and its fix, and asks until the answer settles it.
fn one(
    run: &mut Run<'_>,
    session: &mut Session,
    finding: &Finding,
    count: (usize, usize),
    standing: &mut Standing,
) -> Result<Turn, CliError> {
    let Some(mut fix) = offered(finding).cloned() else { return Ok(Turn::Left("there is no fix".to_owned())) };
    let by_standing = standing.all.contains(&(finding.rule, fix.applicability)) && fix.irreversible.is_none();
    heading(run, finding, &fix, count);
    if !fix.is_built() {
        match answer_all(run, session, finding, &fix, true)? {
            Some(built) => fix = built,
            None => return Ok(Turn::Left("its questions were not answered".to_owned())),
        }
    }
    loop {
        if let Some(reason) = refused(&fix) {
            run.shell.ui.note(&reason);
            return Ok(Turn::Left(reason));
        }
        let prepared = match run.prepare(&seen::pin(&fix.steps, &session.inventory)) {
            Ok(prepared) => prepared,
            Err(refusal) => {
                run.shell.ui.note(&format!("  server dry run: refused: {}", refusal.reasons.join("; ")));
                refusal.hint.iter().for_each(|hint| run.shell.ui.note(&format!("  {hint}")));
                return Ok(Turn::Left(refusal.reasons.join("; ")));
            }
        };
        if prepared.is_empty() {
            run.shell.ui.note("  it is already as it should be");
            return Ok(Turn::Applied);
        }
        run.shell.ui.ask_lines(&preview(&fix, &prepared));
        let choice = if by_standing {
            Choice::Yes
        } else {
            prompt::choose(&run.shell.ui, &run.interrupt, !editable(&fix).is_empty())?
        };
        match choice {
            Choice::Yes | Choice::All => {
                if choice == Choice::All {
                    standing.all.push((finding.rule, fix.applicability));
                }
                return apply(run, finding, &fix, &prepared);
            }
            Choice::No => return Ok(Turn::Left("answered no".to_owned())),
            Choice::Drop => {
                standing.dropped.push(finding.rule);
                return Ok(Turn::Left("left with the rest of its rule".to_owned()));
            }
            Choice::Quit => return Ok(Turn::Quit),
            Choice::Show => show_requests(run, &prepared),
            Choice::Edit => {
                if let Some(built) = answer_all(run, session, finding, &fix, false)? {
                    fix = built;
                }
            }
        }
    }
}

fn refused(fix: &Fix) -> Option<String> {
    let lowered = fix.lowered_by.iter().find(|lowered| lowered.refuses)?;
    Some(format!("  refused ({}): {}", lowered.guard, lowered.reason))
}

fn apply(run: &mut Run<'_>, finding: &Finding, fix: &Fix, prepared: &[Prepared]) -> Result<Turn, CliError> {
    let ui = &run.shell.ui;
    if let Some(lost) = &fix.irreversible {
        let (name, path) = (&finding.object.name, finding.object.path());
        if !prompt::type_name(ui, &run.interrupt, lost, name, &path)? {
            return Ok(Turn::Left("not confirmed by name".to_owned()));
        }
    }
    let whole = run.apply(&purpose_of(finding, fix), &finding.object, prepared)?;
    Ok(if whole { Turn::Applied } else { Turn::Left(run.last_failure()) })
}

/// The questions that are not confirmations by name: those come after the diff.
fn editable(fix: &Fix) -> Vec<&crate::fix::Input> {
    fix.inputs.iter().filter(|input| input.key != "confirm").collect()
}

/// Asks a fix's questions and builds it again with the answers. `None` if one stays open.
fn answer_all(
    run: &mut Run<'_>,
    session: &mut Session,
    finding: &Finding,
    fix: &Fix,
    open_only: bool,
) -> Result<Option<Fix>, CliError> {
    for input in editable(fix) {
        if open_only && !input.is_open() {
            continue;
        }
        match prompt::ask(&run.shell.ui, &run.interrupt, input)? {
            Some(value) => push_answer(session, finding, &input.key, value),
            None if input.required => return Ok(None),
            None => {}
        }
    }
    let rule = crate::rules::find(finding.rule);
    let confirms = |p: &&crate::rules::rule::Parameter| matches!(p.kind, ParameterKind::Confirm);
    if let Some(parameter) = rule.and_then(|rule| rule.parameters.iter().find(confirms)) {
        // Typed after the diff was seen; the fix is built as if it were.
        push_answer(session, finding, parameter.key, finding.object.path());
    }
    session.judge_again();
    let again = session.audit.findings.iter().find(|other| other.fingerprint() == finding.fingerprint());
    let built = again.and_then(offered).cloned();
    if built.as_ref().is_some_and(|fix| editable(fix).iter().any(|input| input.is_open())) {
        return Ok(None);
    }
    Ok(built)
}

fn push_answer(session: &mut Session, finding: &Finding, key: &str, value: String) {
    session.settings.answers.push(Answer {
        rule: finding.rule.to_owned(),
        object: Some(finding.object.to_string()),
        key: key.to_owned(),
        value,
    });
}

fn heading(run: &Run<'_>, finding: &Finding, fix: &Fix, (index, total): (usize, usize)) {
    let severity = finding.severity.word().to_uppercase();
    let mut lines = vec![
        Line::blank(),
        Line::of(Role::Strong, &format!("[{index}/{total}] "))
            .and(finding.severity.into(), &severity)
            .and(Role::Plain, &format!(" {} · ", finding.rule))
            .and(Role::Strong, &finding.object.to_string())
            .and(Role::Plain, "  ")
            .and(fix.applicability.into(), fix.applicability.word()),
        Line::of(Role::Plain, &format!("{}. {}", capital(&finding.message), finding.impact)),
    ];
    lines.extend(finding.evidence.iter().map(|evidence| Line::of(Role::Dim, &format!("  {}", evidence.text))));
    lines.push(Line::blank());
    let columns = run.shell.ui.width().unwrap_or(usize::MAX);
    run.shell.ui.ask_lines(&lines.into_iter().flat_map(|line| line.wrap(columns, 2)).collect::<Vec<_>>());
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The diffs of the steps and one line for each thing that one should know.
pub fn preview(fix: &Fix, prepared: &[Prepared]) -> Vec<Line> {
    let mut lines = Vec::new();
    for step in prepared {
        lines.extend(step_diff(step));
    }
    let plain = |text: &str| Line::of(Role::Plain, &format!("  {text}"));
    lines.extend(fix.notes.iter().map(|note| plain(note)));
    lines.extend(fix.lowered_by.iter().map(|lowered| plain(&format!("{}: {}", lowered.guard, lowered.reason))));
    lines.extend(fix.consequences.iter().map(|text| plain(text)));
    for warning in prepared.iter().flat_map(|step| &step.warnings) {
        lines.push(Line::of(Role::Medium, "  Warning: ").and(Role::Plain, warning));
    }
    let back = match fix.reversible {
        crate::fix::Reversible::Full => "reversible",
        crate::fix::Reversible::ConfigOnly => "undo restores the configuration only",
        crate::fix::Reversible::None => "can't be undone",
    };
    let restarts = if prepared.iter().any(|step| step.rolls_out) { "" } else { " · restarts nothing" };
    lines.push(plain(&format!("server dry run: accepted · {back}{restarts}")));
    lines.push(Line::blank());
    lines
}

/// One step as a diff between the object and the server's answer.
pub fn step_diff(step: &Prepared) -> Vec<Line> {
    let object = step.write.object();
    let state = match (&step.before, &step.after) {
        (None, _) => " (new)",
        (Some(_), None) => " (deleted)",
        _ => "",
    };
    let head = Line::of(Role::Strong, &format!("  {}{state}", object.short()));
    let body = diff::objects(step.before.as_ref(), step.after.as_ref());
    std::iter::once(head).chain(crate::report::diff::lines(&body, 2)).collect()
}

fn show_requests(run: &Run<'_>, prepared: &[Prepared]) {
    use crate::backend::cluster::write::Write;
    for step in prepared {
        let body = match &step.write {
            Write::Patch { guarded, .. } => serde_json::to_value(&guarded.patch).unwrap_or_default(),
            Write::Create { manifest, .. } => manifest.clone(),
            Write::Delete { uid, .. } => serde_json::json!({"preconditions": {"uid": uid}}),
        };
        let body = crate::report::diff::masked_request(&body);
        run.shell.ui.note(&format!("  {}", step.write.object()));
        body.lines().for_each(|line| run.shell.ui.note(&format!("  {line}")));
    }
}
