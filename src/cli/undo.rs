//! `undo`: takes changes back, guarded and journaled like any other.

use clap::Args;
use serde_json::{Value, json};

use super::Shell;
use super::error::{CliError, code};
use super::fix::{DryRun, Run, WriteArgs, count, kubectl_name, settled_json, step_diff};
use super::history::{entry_of_cluster, journal, moment, undone};
use super::prompt;
use super::recover::look;
use super::session::{connect, runtime};
use crate::backend::change::{Prepared, Purpose};
use crate::backend::journal::{Entry, StepEntry};
use crate::backend::undo::{self, Back};
use crate::model::{ObjectRef, Subject};
use crate::report::text::{Line, Role};

/// The flags of `undo`.
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// Entries of the journal; the newest of this cluster that is not undone yet, if none is named
    #[arg(value_name = "ID", add = super::completion::entries())]
    ids: Vec<String>,
    /// Only this step of the entry, from 1
    #[arg(long, value_name = "N")]
    step: Option<usize>,
    /// Put the old value back even where somebody has changed ours since
    #[arg(long, help_heading = "Writing")]
    force_value: bool,
    /// Without asking, too: take back the fields that nobody has touched, and leave those that somebody has changed
    #[arg(long, help_heading = "Writing", conflicts_with = "force_value")]
    per_path: bool,
    /// How it is written
    #[command(flatten)]
    write: WriteArgs,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json", "yaml", "name"], help_heading = "Output")]
    output: Option<String>,
}

/// What undo does about one step.
struct Planned<'a> {
    step: &'a StepEntry,
    /// None if it can be tried only when later changes of the same object are back.
    back: Option<Prepared>,
    /// True if some of its fields stay as they are.
    is_part: bool,
}

/// What an undo has not brought back.
#[derive(Default)]
struct Rest {
    /// What was refused or failed, and why.
    left: Vec<String>,
    /// What was lost with the change and stays lost.
    lost: Vec<String>,
}

/// Runs `undo`.
pub fn run(args: &UndoArgs, shell: &Shell) -> Result<u8, CliError> {
    args.write.check_consent(shell)?;
    let runtime = runtime()?;
    let (connection, identity) = runtime.block_on(connect(&shell.connection, &shell.env))?;
    let mut run = Run::new(shell, &runtime, connection, identity, &args.write);
    run.command = "undo";
    let entries = chosen(args, shell, &run.cluster())?;
    let (mut all, mut made) = (Rest::default(), Vec::new());
    for entry in &entries {
        run.undoes = Some(entry.begin.id.clone());
        run.namespaces.clone_from(&entry.begin.namespaces);
        let mut rest = Rest::default();
        if let Err(error) = one(args, &mut run, entry, &mut rest) {
            return Err(run.close_after(error));
        }
        // Of a part the rest is still to be undone.
        made.extend(run.end(rest.left.is_empty() && args.step.is_none())?);
        all.left.extend(rest.left);
        all.lost.extend(rest.lost);
        if run.interrupted {
            break;
        }
    }
    finish(args, &run, &made, &all)
}

/// The entries to take back, newest first.
fn chosen(args: &UndoArgs, shell: &Shell, cluster: &str) -> Result<Vec<Entry>, CliError> {
    let journal = journal(shell)?;
    let mut entries =
        args.ids.iter().map(|id| entry_of_cluster(&journal, id, cluster)).collect::<Result<Vec<_>, _>>()?;
    if args.ids.is_empty() {
        let (all, _) = journal.entries()?;
        let done = undone(&all);
        let fresh = |entry: &&Entry| {
            entry.begin.cluster == cluster
                && entry.begin.command != "undo"
                && entry.standing().chain(entry.open()).next().is_some()
                && !done.contains(&entry.begin.id)
        };
        match all.iter().find(fresh) {
            Some(entry) => entries.push(entry.clone()),
            None => {
                return Err(CliError::new("there is nothing to undo on this cluster")
                    .hint("`kubectl progrc history` lists what was changed; an undo is undone by its ID"));
            }
        }
    }
    if let Some(entry) = entries.iter().find(|entry| entry.is_running) {
        return Err(CliError::new(format!("the run of journal entry {} has not ended", entry.begin.id))
            .hint("wait for it, or end it first"));
    }
    entries.sort_by(|a, b| b.begin.id.cmp(&a.begin.id));
    entries.dedup_by(|a, b| a.begin.id == b.begin.id);
    Ok(entries)
}

/// Takes one entry back: looks at every step, shows it, asks once, writes.
fn one(args: &UndoArgs, run: &mut Run<'_>, entry: &Entry, rest: &mut Rest) -> Result<(), CliError> {
    let ui = &run.shell.ui;
    let context = run.connection.context.as_deref().unwrap_or("in-cluster");
    ui.note(&format!("Context {context} · {}", run.connection.server));
    ui.note(&format!("Undo {} ({} of {})", entry.begin.id, entry.begin.command, moment(&entry.begin)));
    // What a crash has left open is settled first, by what the objects show: of the entry, and of an
    // undo that did not come to its end.
    let journal = journal(run.shell)?;
    let (mut all, _) = journal.entries()?;
    let id = &entry.begin.id;
    let concerns = |other: &Entry| other.begin.id == *id || other.begin.undoes.as_ref() == Some(id);
    let is_left = |other: &Entry| other.is_open() && concerns(other);
    let open = run.runtime.block_on(look(&run.connection, &mut all, is_left, None));
    for open in &open {
        ui.ask_lines(&open.lines());
        rest.left.extend(open.unclear());
    }
    let settled = all.iter().find(|other| other.begin.id == *id).unwrap_or(entry);
    let planned = plan(args, run, settled, rest);
    show(run, &planned);
    if args.write.dry_run != DryRun::None {
        return Ok(());
    }
    if !planned.is_empty()
        && !args.write.yes
        && !prompt::confirm(&run.shell.ui, &run.interrupt, "Take these changes back?")?
    {
        rest.left.push("answered no".to_owned());
        return Ok(());
    }
    for open in &open {
        run.runtime.block_on(open.write(&journal, &run.connection))?;
    }
    if planned.is_empty() && rest.left.is_empty() {
        // Nothing to take back is as good as taken back, and the journal has to know.
        run.begin()?;
    }
    let mut touched: Vec<&ObjectRef> = Vec::new();
    for planned in planned {
        let object = &planned.step.intent.object;
        // Earlier steps of this undo may have changed the same object, or made it again.
        let is_stale = touched.iter().any(|touched| touched.same(object));
        rest.lost.extend(planned.step.intent.irreversible.clone());
        write(args, run, planned, is_stale, rest)?;
        touched.push(object);
    }
    Ok(())
}

/// Lets the server try the way back of every step, and says what is refused.
fn plan<'a>(args: &UndoArgs, run: &Run<'_>, entry: &'a Entry, rest: &mut Rest) -> Vec<Planned<'a>> {
    let ui = &run.shell.ui;
    let mut planned = Vec::new();
    let is_asked = |step: &&StepEntry| args.step.is_none_or(|only| step.intent.step + 1 == only);
    for step in entry.applied().filter(is_asked).filter(|step| step.is_taken_back) {
        ui.note(&format!("  {}: taken back already: {}", kubectl_name(&step.intent.object), step.intent.title));
    }
    for step in undo::order(entry, args.step) {
        let name = kubectl_name(&step.intent.object);
        let refuse = |lines: &[String]| {
            ui.ask_lines(&[Line::of(Role::Plain, &format!("  {name}: refused"))]);
            ui.ask_lines(&lines.iter().map(|line| Line::of(Role::Plain, &format!("    {line}"))).collect::<Vec<_>>());
        };
        // What a later step of ours has changed again is not somebody else's work.
        let changed_again = |planned: &Planned<'_>| planned.step.intent.object.same(&step.intent.object);
        let is_covered = planned.iter().any(changed_again);
        match run.runtime.block_on(undo::prepare(&run.connection, step, &run.options, args.force_value)) {
            Back::Ready(prepared) => planned.push(Planned { step, back: Some(*prepared), is_part: false }),
            Back::Part(..) | Back::Refused(_) if is_covered => {
                planned.push(Planned { step, back: None, is_part: false });
            }
            Back::Part(prepared, lines) => {
                refuse(&lines);
                rest.left.push(format!("{name}: {}", lines.join(" ")));
                if offers_part(args, run, &name) {
                    planned.push(Planned { step, back: Some(*prepared), is_part: true });
                } else {
                    ui.note("    --per-path takes its other fields back, --force-value all of them");
                }
            }
            Back::Nothing(why) => ui.note(&format!("  {name}: {why}")),
            Back::Refused(lines) => {
                refuse(&lines);
                rest.left.push(format!("{name}: {}", lines.join(" ")));
            }
        }
    }
    planned
}

/// True if the untouched fields of an object are taken back, although others stay: asked for by
/// the flag, or at the prompt, where the diff follows before anything is written.
fn offers_part(args: &UndoArgs, run: &Run<'_>, name: &str) -> bool {
    let asks = !args.write.yes && args.write.dry_run == DryRun::None;
    let question = format!("Take back the other fields of {name}, which nobody has touched?");
    args.per_path || asks && prompt::confirm(&run.shell.ui, &run.interrupt, &question).unwrap_or(false)
}

/// Takes one step back, as it was tried; what is stale is looked at again.
fn write(
    args: &UndoArgs,
    run: &mut Run<'_>,
    planned: Planned<'_>,
    is_stale: bool,
    rest: &mut Rest,
) -> Result<(), CliError> {
    let Planned { step, mut back, is_part } = planned;
    let name = kubectl_name(&step.intent.object);
    if run.interrupted {
        rest.left.push(format!("{name}: interrupted"));
        return Ok(());
    }
    if is_stale {
        let step = &again(run, step)?;
        match run.runtime.block_on(undo::prepare(&run.connection, step, &run.options, args.force_value)) {
            Back::Ready(fresh) => back = Some(*fresh),
            Back::Part(fresh, _) if is_part => back = Some(*fresh),
            Back::Nothing(_) => return Ok(()),
            Back::Part(_, lines) | Back::Refused(lines) => {
                rest.left.push(format!("{name}: {}", lines.join(" ")));
                return Ok(());
            }
        }
    }
    // What was only listed stands on the same object as a step before it, and is stale by then.
    let Some(back) = back else { return Ok(()) };
    // Not before: earlier steps may have changed what judges pods.
    let refused = run.runtime.block_on(undo::pods::refused(&run.connection, &back));
    if !refused.is_empty() {
        rest.left.push(format!("{name}: {}", refused.join("; ")));
        return Ok(());
    }
    let purpose = Purpose {
        rule: step.intent.rule.clone(),
        title: format!("Undo: {}", step.intent.title),
        irreversible: None,
        awaits: Vec::new(),
    };
    let back = Prepared { undoes: (!is_part).then_some(step.intent.step), ..back };
    if !run.apply(&purpose, &Subject::new(step.intent.object.clone()), &[back])? {
        rest.left.push(format!("{name}: {}", run.last_failure()));
    }
    let answers = run.settled.last().map(|settled| settled.results.as_slice()).unwrap_or_default();
    for why in answers.iter().filter_map(|(_, result)| result.kept.as_ref()) {
        rest.left.push(format!("{name}: the value is back, but the ownership of the fields stays with us: {why}"));
    }
    Ok(())
}

/// A step as the journal knows it now: under which uid this undo has made its object again.
fn again(run: &Run<'_>, step: &StepEntry) -> Result<StepEntry, CliError> {
    let (entries, _) = journal(run.shell)?.entries()?;
    let entry = entries.into_iter().find(|entry| Some(&entry.begin.id) == run.undoes.as_ref());
    let steps = entry.map(|entry| entry.steps).unwrap_or_default();
    Ok(steps.into_iter().find(|it| it.intent.step == step.intent.step).unwrap_or_else(|| step.clone()))
}

fn show(run: &Run<'_>, planned: &[Planned<'_>]) {
    let mut lines = Vec::new();
    for Planned { step, back, .. } in planned {
        if let Some(back) = back {
            lines.extend(step_diff(back));
        } else {
            let name = kubectl_name(&step.intent.object);
            lines.push(Line::of(Role::Plain, &format!("  {name}, then: undo \"{}\"", step.intent.title)));
        }
        if let Some(lost) = &step.intent.irreversible {
            lines.push(Line::of(Role::Critical, "  does not come back: ").and(Role::Plain, lost));
        }
    }
    run.shell.ui.ask_lines(&lines);
}

/// Says how it ended; `made` are the journal entries of this undo.
fn finish(args: &UndoArgs, run: &Run<'_>, made: &[String], rest: &Rest) -> Result<u8, CliError> {
    let entry = made.last();
    let code = match () {
        () if run.needs_look => code::LOOK,
        () if run.interrupted => code::INTERRUPTED,
        () if !rest.left.is_empty() => code::LEFT,
        () => code::DONE,
    };
    match args.output.as_deref() {
        Some("name") => run.shell.ui.data(&made.iter().map(|id| format!("{id}\n")).collect::<String>()),
        Some(format) => {
            let steps: Vec<Value> = run.settled.iter().map(settled_json).collect();
            let value = json!({
                "apiVersion": "progrc.io/v1", "kind": "UndoReport", "entry": entry, "undoes": run.undoes,
                "exitCode": code, "applied": steps, "left": rest.left, "lost": rest.lost,
            });
            run.shell.ui.data(&if format == "json" {
                format!("{value:#}\n")
            } else {
                serde_saphyr::to_string(&value)?
            });
        }
        None => {
            let done = run.settled.iter().filter(|settled| settled.failure.is_none()).count();
            let mut lines = vec![Line::of(Role::Strong, &format!("{} taken back", count(done, "change", "changes")))];
            lines.extend(rest.left.iter().map(|text| Line::of(Role::Plain, &format!("  left: {text}"))));
            let lost = |text: &String| Line::of(Role::Critical, "  does not come back: ").and(Role::Plain, text);
            lines.extend(rest.lost.iter().map(lost));
            for entry in made {
                lines.push(
                    Line::of(Role::Plain, "Undo of this undo: ")
                        .and(Role::Command, &format!("kubectl progrc undo {entry}")),
                );
            }
            run.shell.ui.lines(&lines);
        }
    }
    if code == code::LOOK
        && let Some(entry) = entry
    {
        let hint = format!(
            "`kubectl progrc history {entry}` shows what was done, `kubectl progrc undo {entry}` takes it back"
        );
        run.shell.ui.error(&CliError::new(format!("journal entry {entry} needs a look")).hint(hint));
    }
    Ok(code)
}
