//! `undo`: takes changes back, guarded and journaled like any other.

use clap::Args;
use serde_json::{Value, json};

use super::Shell;
use super::error::{CliError, code};
use super::fix::{DryRun, Run, WriteArgs, count, kubectl_name, settled_json, step_diff};
use super::history::{journal, undone};
use super::prompt;
use super::session::{connect, runtime};
use crate::backend::change::{Prepared, Purpose};
use crate::backend::journal::{Entry, StepEntry};
use crate::backend::undo::{self, Back};
use crate::model::Subject;
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
    back: Prepared,
}

/// Runs `undo`.
pub fn run(args: &UndoArgs, shell: &Shell) -> Result<u8, CliError> {
    args.write.check_consent(shell)?;
    let runtime = runtime()?;
    let (connection, identity) = runtime.block_on(connect(&shell.connection, &shell.env))?;
    let mut run = Run::new(shell, &runtime, connection, identity, &args.write);
    run.command = "undo";
    let entries = chosen(args, shell, &run.cluster())?;
    let (mut left, mut made) = (Vec::new(), Vec::new());
    for entry in &entries {
        run.undoes = Some(entry.begin.id.clone());
        run.namespaces.clone_from(&entry.begin.namespaces);
        let rest = match one(args, &mut run, entry) {
            Ok(rest) => rest,
            Err(error) => return Err(run.close_after(error)),
        };
        // Of a part the rest is still to be undone.
        made.extend(run.end(rest.is_empty() && args.step.is_none())?);
        left.extend(rest);
        if run.interrupted {
            break;
        }
    }
    finish(args, &run, &made, &left)
}

/// The entries to take back, newest first.
fn chosen(args: &UndoArgs, shell: &Shell, cluster: &str) -> Result<Vec<Entry>, CliError> {
    let journal = journal(shell)?;
    let (all, _) = journal.entries()?;
    let mut entries = Vec::new();
    for id in &args.ids {
        let entry = journal
            .entry(id)
            .map_err(|error| CliError::of(&error).hint("`kubectl progrc history` lists the entries"))?;
        if entry.begin.cluster != cluster {
            return Err(CliError::new(format!(
                "entry {} is of another cluster ({})",
                entry.begin.id, entry.begin.server
            ))
            .hint("name its context with --context"));
        }
        entries.push(entry);
    }
    if args.ids.is_empty() {
        let done = undone(&all);
        let fresh = |entry: &&Entry| {
            entry.begin.cluster == cluster
                && entry.begin.command != "undo"
                && entry.applied().next().is_some()
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
    entries.sort_by(|a, b| b.begin.id.cmp(&a.begin.id));
    entries.dedup_by(|a, b| a.begin.id == b.begin.id);
    Ok(entries)
}

/// Takes one entry back: looks at every step, shows it, asks once, writes.
fn one(args: &UndoArgs, run: &mut Run<'_>, entry: &Entry) -> Result<Vec<String>, CliError> {
    let ui = &run.shell.ui;
    let context = run.connection.context.as_deref().unwrap_or("in-cluster");
    ui.note(&format!("Context {context} · {}", run.connection.server));
    ui.note(&format!(
        "Undo {} ({} of {})",
        entry.begin.id,
        entry.begin.command,
        entry.begin.time.strftime("%Y-%m-%d %H:%M:%SZ")
    ));
    let mut left = Vec::new();
    let planned = look(args, run, entry, &mut left);
    show(run, &planned);
    if args.write.dry_run != DryRun::None {
        return Ok(left);
    }
    if planned.is_empty() {
        if left.is_empty() {
            // Nothing to take back is as good as taken back, and the journal has to know.
            run.begin()?;
        }
        return Ok(left);
    }
    if !args.write.yes && !prompt::confirm(&run.shell.ui, &run.interrupt, "Take these changes back?")? {
        left.push("answered no".to_owned());
        return Ok(left);
    }
    for step in planned.iter().map(|planned| planned.step) {
        write(run, step, &mut left)?;
    }
    Ok(left)
}

/// Lets the server try the way back of every step, and says what is refused.
fn look<'a>(args: &UndoArgs, run: &Run<'_>, entry: &'a Entry, left: &mut Vec<String>) -> Vec<Planned<'a>> {
    let ui = &run.shell.ui;
    let mut planned = Vec::new();
    for step in undo::order(entry, args.step) {
        match run.runtime.block_on(undo::prepare(&run.connection, step, &run.options)) {
            Back::Ready(prepared) => planned.push(Planned { step, back: *prepared }),
            Back::Nothing(why) => ui.note(&format!("  {}: {why}", kubectl_name(&step.intent.object))),
            Back::Refused(lines) => {
                let name = kubectl_name(&step.intent.object);
                ui.note(&format!("  {name}: refused"));
                lines.iter().for_each(|line| ui.note(&format!("    {line}")));
                left.push(format!("{name}: {}", lines.first().cloned().unwrap_or_default()));
            }
        }
    }
    planned
}

/// Takes one step back. It is looked at again: earlier steps of this undo may have touched the
/// same object.
fn write(run: &mut Run<'_>, step: &StepEntry, left: &mut Vec<String>) -> Result<(), CliError> {
    let name = kubectl_name(&step.intent.object);
    if run.interrupted {
        left.push(format!("{name}: interrupted"));
        return Ok(());
    }
    let fresh = match run.runtime.block_on(undo::prepare(&run.connection, step, &run.options)) {
        Back::Ready(fresh) => *fresh,
        Back::Nothing(_) => return Ok(()),
        Back::Refused(lines) => {
            left.extend(lines.first().map(|line| format!("{name}: {line}")));
            return Ok(());
        }
    };
    let purpose =
        Purpose { rule: step.intent.rule.clone(), title: format!("Undo: {}", step.intent.title), irreversible: None };
    if !run.apply(&purpose, &Subject::new(step.intent.object.clone()), &[fresh])? {
        left.push(format!("{name}: {}", run.last_failure()));
    }
    Ok(())
}

fn show(run: &Run<'_>, planned: &[Planned<'_>]) {
    let mut lines = Vec::new();
    for Planned { step, back } in planned {
        lines.extend(step_diff(back));
        if let Some(lost) = &step.intent.irreversible {
            lines.push(Line::of(Role::Critical, "  does not come back: ").and(Role::Plain, lost));
        }
    }
    run.shell.ui.ask_lines(&lines);
}

/// Says how it ended; `made` are the journal entries of this undo.
fn finish(args: &UndoArgs, run: &Run<'_>, made: &[String], left: &[String]) -> Result<u8, CliError> {
    let entry = made.last();
    let code = match () {
        () if run.needs_look => code::LOOK,
        () if run.interrupted => code::INTERRUPTED,
        () if !left.is_empty() => code::LEFT,
        () => code::DONE,
    };
    match args.output.as_deref() {
        Some("name") => run.shell.ui.data(&made.iter().map(|id| format!("{id}\n")).collect::<String>()),
        Some(format) => {
            let steps: Vec<Value> = run.settled.iter().map(settled_json).collect();
            let value = json!({
                "apiVersion": "progrc.io/v1", "kind": "UndoReport", "entry": entry, "undoes": run.undoes,
                "exitCode": code, "applied": steps, "left": left,
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
            lines.extend(left.iter().map(|text| Line::of(Role::Plain, &format!("  left: {text}"))));
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
        let hint = format!("`kubectl progrc history {entry}` shows what was done, `kubectl progrc undo {entry}` takes it back");
        run.shell.ui.error(&CliError::new(format!("journal entry {entry} needs a look")).hint(hint));
    }
    Ok(code)
}
