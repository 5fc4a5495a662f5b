//! One finding at a time at a prompt.

use super::preflight::{self, Fresh, Now, Rights};
use super::run::Run;
use super::{FixArgs, Left, not_offered, portions, purpose_of};
use crate::backend::change::Prepared;
use crate::cli::error::CliError;
use crate::cli::prompt::{self, Choice};
use crate::cli::session::{Session, offered};
use crate::finding::Finding;
use crate::fix::{Applicability, Fix, Step};
use crate::model::ObjectRef;
use crate::plan::file::sum_of_fixes;
use crate::plan::{diff, merge, seen};
use crate::report::text::{Line, Role};
use crate::rules::rule::ParameterKind;
use crate::rules::settings::Answer;

/// What the user has said about whole rules, and what the server about rights.
#[derive(Default)]
struct Standing {
    rights: Rights,
    all: Vec<(&'static str, Applicability)>,
    dropped: Vec<&'static str>,
}

enum Turn {
    Applied,
    Gone(String),
    Left(String),
    Quit,
}

/// Goes through the findings, and says what is left.
pub(super) fn run(
    args: &FixArgs,
    run: &mut Run<'_>,
    session: &mut Session,
    selected: &[Finding],
) -> Result<Vec<Left>, CliError> {
    // What is read and judged on the way is not what the run began with.
    let before = session.audit.clone();
    let left = walk(args, run, session, selected);
    session.audit = before;
    left
}

fn walk(args: &FixArgs, run: &mut Run<'_>, session: &mut Session, selected: &[Finding]) -> Result<Vec<Left>, CliError> {
    let mut left = Vec::new();
    let mut offered_findings = Vec::new();
    for finding in selected {
        match not_offered(finding) {
            Some(reason) => left.push(Left::new(finding, reason, false)),
            None => offered_findings.push(finding),
        }
    }
    let fixes = offered_findings.iter().filter_map(|finding| Some((*finding, offered(finding)?)));
    run.plan_hash = Some(sum_of_fixes(fixes));
    let total = offered_findings.len();
    let mut standing = Standing::default();
    for (index, finding) in offered_findings.iter().enumerate() {
        if standing.dropped.contains(&finding.rule) {
            left.push(Left::new(finding, "left with the rest of its rule", true));
            continue;
        }
        let turn = one(args, run, session, finding, (index + 1, total), &mut standing)?;
        if run.interrupted {
            return Ok(left);
        }
        match turn {
            Turn::Applied => {}
            Turn::Gone(reason) => left.push(Left::new(finding, reason, false)),
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

/// The finding as it is now, read and judged again; or what is to be said of it.
fn again(
    run: &mut Run<'_>,
    session: &mut Session,
    finding: &Finding,
    (index, total): (usize, usize),
) -> Result<Result<(Finding, Fresh), Turn>, CliError> {
    if session.is_old(jiff::Timestamp::now()) {
        session.read_again(run.runtime)?;
    }
    let steps = offered(finding).map(|fix| fix.steps.as_slice()).unwrap_or_default();
    let written: Vec<ObjectRef> = run.settled.iter().flat_map(|it| &it.results).map(|it| it.0.clone()).collect();
    let fresh = preflight::read(run, session, [finding], steps, &written);
    let say = |reason: &str| {
        run.shell.ui.note(&format!("[{index}/{total}] {} · {}: {reason}", finding.rule, finding.object));
    };
    Ok(match preflight::judge(session, &[finding]).pop().expect("one for each finding") {
        Now::Holds(finding) => Ok((*finding, fresh)),
        Now::Gone(reason) => {
            say(&reason);
            Err(Turn::Gone(reason))
        }
        Now::Unclear(reason) => {
            say(&reason);
            Err(Turn::Left(reason))
        }
    })
}

/// Lets the server try the first portion of a fix; says why it can't be applied.
fn attempt(
    run: &Run<'_>,
    rights: &mut Rights,
    fresh: &Fresh,
    fix: &Fix,
    steps: &[Vec<Step>],
) -> Result<Vec<Prepared>, String> {
    let ui = &run.shell.ui;
    rights.ask(run, steps.iter().flatten());
    if let Some(reason) = refused(fix).or_else(|| rights.missing(&steps.concat())) {
        ui.note(&format!("  {reason}"));
        return Err(reason);
    }
    let tried = preflight::prepare(run, fresh, &steps[..1]).pop().expect("one for each portion");
    tried.map_err(|refusal| {
        let reason = refusal.reasons.join("; ");
        ui.note(&format!("  server dry run: refused: {reason}"));
        refusal.hint.iter().for_each(|hint| ui.note(&format!("  {hint}")));
        reason
    })
}

/// Shows one finding and its fix, and asks until the answer settles it.
fn one(
    args: &FixArgs,
    run: &mut Run<'_>,
    session: &mut Session,
    finding: &Finding,
    count: (usize, usize),
    standing: &mut Standing,
) -> Result<Turn, CliError> {
    let (finding, fresh) = match again(run, session, finding, count)? {
        Ok(held) => held,
        Err(turn) => return Ok(turn),
    };
    let finding = &finding;
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
        let steps = merge::portions(&seen::pin(&merge::alone(&fix), &session.inventory));
        let prepared = match attempt(run, &mut standing.rights, &fresh, &fix, &steps) {
            Ok(prepared) => prepared,
            Err(reason) => return Ok(Turn::Left(reason)),
        };
        let later = &steps[1..];
        if prepared.is_empty() && later.is_empty() {
            run.shell.ui.note("  it is already as it should be");
            return Ok(Turn::Applied);
        }
        run.shell.ui.ask_lines(&preview(&fix, &prepared, later));
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
                return apply(args, run, finding, &fix, (&prepared, later));
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
    Some(format!("refused ({}): {}", lowered.guard, lowered.reason))
}

fn apply(
    args: &FixArgs,
    run: &mut Run<'_>,
    finding: &Finding,
    fix: &Fix,
    steps: (&[Prepared], &[Vec<Step>]),
) -> Result<Turn, CliError> {
    let ui = &run.shell.ui;
    if let Some(lost) = &fix.irreversible {
        let (name, path) = (&finding.object.name, finding.object.path());
        if !prompt::type_name(ui, &run.interrupt, lost, name, &path)? {
            return Ok(Turn::Left("not confirmed by name".to_owned()));
        }
    }
    let whole = portions::apply(run, args.write.patience(), &purpose_of(finding, fix), &finding.object, steps)?;
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
    let rule = crate::rules::find(finding.rule);
    let parameters = rule.map_or(&[][..], |rule| rule.parameters);
    for input in editable(fix) {
        if open_only && !input.is_open() {
            continue;
        }
        let parameter = parameters.iter().find(|parameter| parameter.key == input.key);
        let reject = |answer: &str| parameter.and_then(|parameter| parameter.reject(answer));
        match prompt::ask(&run.shell.ui, &run.interrupt, input, reject)? {
            Some(value) => push_answer(session, finding, &input.key, value),
            None if input.required => return Ok(None),
            None => {}
        }
    }
    if let Some(parameter) = parameters.iter().find(|parameter| matches!(parameter.kind, ParameterKind::Confirm)) {
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

/// A fix as the server would carry it out now, or why it would not.
pub fn rehearsal(run: &Run<'_>, fix: &Fix) -> Vec<Line> {
    let steps = merge::portions(&merge::alone(fix));
    match preflight::prepare(run, &Fresh::default(), &steps[..1]).pop().expect("one for each portion") {
        Ok(prepared) => preview(fix, &prepared, &steps[1..]),
        Err(refusal) => {
            let why = format!("  server dry run: refused: {}", refusal.reasons.join("; "));
            vec![Line::of(Role::Medium, &why), Line::blank()]
        }
    }
}

/// The diffs of the steps and one line for each thing that one should know.
fn preview(fix: &Fix, prepared: &[Prepared], later: &[Vec<Step>]) -> Vec<Line> {
    let mut lines = Vec::new();
    for step in prepared {
        lines.extend(step_diff(step));
    }
    let plain = |text: &str| Line::of(Role::Plain, &format!("  {text}"));
    lines.extend(portions::outlook(later).iter().map(|text| plain(text)));
    lines.extend(fix.notes.iter().map(|note| plain(note)));
    lines.extend(fix.lowered_by.iter().map(|lowered| plain(&format!("{}: {}", lowered.guard, lowered.reason))));
    let end = summary(fix, prepared, later);
    lines.extend(fix.consequences.iter().filter(|text| !end.contains(*text)).map(|text| plain(text)));
    for warning in prepared.iter().flat_map(|step| &step.warnings) {
        lines.push(Line::of(Role::Medium, "  Warning: ").and(Role::Plain, warning));
    }
    if let Some(lost) = &fix.irreversible {
        lines.push(Line::of(Role::Critical, "  does not come back: ").and(Role::Plain, lost));
    }
    lines.push(plain(&end));
    lines.push(Line::blank());
    lines
}

/// What the server said, how far the fix can be taken back and whose pods it replaces.
fn summary(fix: &Fix, prepared: &[Prepared], later: &[Vec<Step>]) -> String {
    let tried = if prepared.iter().all(|step| step.after.is_some() || step.write.deletes()) {
        "server dry run: accepted"
    } else {
        "no server dry run: a webhook does not support it"
    };
    let back = match fix.reversible {
        crate::fix::Reversible::Full => "reversible",
        crate::fix::Reversible::ConfigOnly => "undo restores the configuration only",
        crate::fix::Reversible::None => "can't be undone",
    };
    let restarts: Vec<String> = prepared.iter().filter(|step| step.rolls_out).map(restarted).collect();
    let unseen = later.iter().flatten().any(merge::rolls_out);
    let restarts = match (restarts.as_slice(), unseen) {
        ([], false) => "restarts nothing".to_owned(),
        ([], true) => "restarts pods later".to_owned(),
        (list, _) => format!("restarts {}", list.join(", ")),
    };
    format!("{tried} · {back} · {restarts}")
}

/// `Deployment/web (3 pods)`: as many as there are at this moment.
fn restarted(step: &Prepared) -> String {
    let number = |pointer: &str| step.before.as_ref().and_then(|it| it.pointer(pointer)?.as_i64());
    let name = step.write.object().short();
    match number("/status/desiredNumberScheduled").or_else(|| number("/spec/replicas")) {
        Some(1) => format!("{name} (1 pod)"),
        Some(pods) => format!("{name} ({pods} pods)"),
        None => name,
    }
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
