//! `recover`: settles what a crash, or a lost answer, has left open in the journal, and finishes what
//! it has left half done.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Shell;
use super::error::{CliError, code};
use super::fix::{DryRun, Run, STALE, WriteArgs, count, kubectl_name, step_diff};
use super::history::{entry_of_cluster, journal};
use super::prompt;
use super::session::{connect, runtime};
use crate::backend::change::Purpose;
use crate::backend::journal::{Entry, Journal, Outcome, StepEntry};
use crate::fix::Step;
use crate::model::{ObjectRef, Subject};
use crate::report::text::{Line, Role};

mod looked;

pub use looked::{Looked, look};

/// The flags of `recover`.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// Entries of the journal; every open one of this cluster, if none is named
    #[arg(value_name = "ID", add = super::completion::entries())]
    ids: Vec<String>,
    /// What became of the steps of the named entry that the cluster does not show, by a look of your own
    #[arg(long, value_name = "OUTCOME", value_enum, requires = "ids")]
    decide: Option<Decision>,
    /// How the restart of pods that a crash has kept from their new values is written
    #[command(flatten)]
    write: WriteArgs,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json", "yaml", "name"], help_heading = "Output")]
    output: Option<String>,
}

/// What a person says about a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Decision {
    /// It was carried out
    Applied,
    /// It was not
    NotApplied,
}

impl From<Decision> for Outcome {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Applied => Self::Applied,
            Decision::NotApplied => Self::NotApplied,
        }
    }
}

/// Runs `recover`.
pub fn run(args: &RecoverArgs, shell: &Shell) -> Result<u8, CliError> {
    let runtime = runtime()?;
    let (connection, identity) = runtime.block_on(connect(&shell.connection, &shell.env))?;
    let journal = journal(shell)?;
    let mut run = Run::quiet(shell, &runtime, connection, identity, &args.write);
    run.command = "recover";
    let (mut all, ids) = chosen(args, shell, &journal, &run.cluster())?;
    let wanted = |entry: &Entry| ids.contains(&entry.begin.id);
    let mut looked = runtime.block_on(look(&run.connection, &mut all, wanted, args.decide.map(Outcome::from)));
    // Oldest first.
    looked.reverse();
    let lines: Vec<Line> = looked.iter().flat_map(Looked::lines).collect();
    match args.output {
        Some(_) => shell.ui.ask_lines(&lines),
        None => shell.ui.lines(&lines),
    }
    let restarts = looked.iter().any(|one| !one.restarts().is_empty());
    let mut settled = false;
    if args.write.dry_run == DryRun::None && (restarts || looked.iter().any(Looked::writes)) {
        if !args.write.yes && !shell.ui.is_interactive() {
            return Err(CliError::new("there is no terminal to ask on")
                .hint("--yes settles the journal and restarts what is half done, --dry-run shows what it would say"));
        }
        settled = settle(args, &mut run, &journal, &looked)?;
    }
    finish(args, &run, &looked, settled)
}

/// Writes what is known into the journal, and finishes what is half done. True if the journal is
/// settled as far as it can be.
fn settle(args: &RecoverArgs, run: &mut Run<'_>, journal: &Journal, looked: &[Looked]) -> Result<bool, CliError> {
    let ui = &run.shell.ui;
    let writes = looked.iter().any(Looked::writes);
    if writes && !args.write.yes && !prompt::confirm(ui, &run.interrupt, "Settle the journal so?")? {
        return Ok(false);
    }
    for one in looked {
        run.runtime.block_on(one.write(journal, &run.connection))?;
    }
    for one in looked.iter().filter(|one| !one.restarts().is_empty()) {
        run.resume(journal.reopen(&one.entry)?, &one.entry);
        for (step, workload) in one.restarts() {
            if let Err(error) = restart(args, run, step, workload) {
                return Err(run.leave(error));
            }
        }
        run.release();
    }
    Ok(true)
}

/// Restarts a workload whose pods a crash has kept from a new value, if that is wanted.
fn restart(args: &RecoverArgs, run: &mut Run<'_>, step: &StepEntry, workload: &ObjectRef) -> Result<(), CliError> {
    let ui = &run.shell.ui;
    let name = kubectl_name(workload);
    run.interrupted |= run.interrupt.is_set();
    if run.interrupted {
        return Ok(());
    }
    let subject = Subject::new(workload.clone());
    let prepared = match run.prepare(&[Step::Restart { object: subject.clone() }]) {
        Ok(prepared) => prepared,
        Err(refusal) => {
            ui.note(&format!("{name}: refused: {}", refusal.reasons.join("; ")));
            refusal.hint.iter().for_each(|hint| ui.note(&format!("  {hint}")));
            return Ok(());
        }
    };
    prepared.iter().for_each(|prepared| ui.ask_lines(&step_diff(prepared)));
    if !args.write.yes && !prompt::confirm(ui, &run.interrupt, &format!("Restart {name}?"))? {
        return Ok(());
    }
    let purpose = Purpose {
        rule: step.intent.rule.clone(),
        title: format!("Restart {}", workload.short()),
        irreversible: None,
        awaits: Vec::new(),
    };
    run.apply(&purpose, &subject, &prepared).map(drop)
}

/// All entries, newest first, and the IDs of those to settle.
fn chosen(
    args: &RecoverArgs,
    shell: &Shell,
    journal: &Journal,
    cluster: &str,
) -> Result<(Vec<Entry>, Vec<String>), CliError> {
    let (entries, bad) = journal.entries()?;
    bad.iter().for_each(|error| shell.ui.warn(&format!("{error}; left out")));
    let id = |entry: &Entry| entry.begin.id.clone();
    if args.ids.is_empty() {
        let elsewhere = entries.iter().filter(|entry| entry.is_open() && entry.begin.cluster != cluster).count();
        if elsewhere > 0 {
            let text = count(elsewhere, "entry of another cluster is open", "entries of other clusters are open");
            shell.ui.note(&format!("{text}: `kubectl progrc history --open` lists them"));
        }
        let ids = entries.iter().filter(|entry| entry.is_open() && entry.begin.cluster == cluster).map(id).collect();
        return Ok((entries, ids));
    }
    let mut ids = Vec::new();
    for named in &args.ids {
        let entry = entry_of_cluster(journal, named, cluster)?;
        if entry.is_running {
            return Err(CliError::new(format!("the run of journal entry {} has not ended", entry.begin.id))
                .hint("wait for it, or end it first"));
        }
        ids.extend(Some(&entry).filter(|entry| entry.is_open()).map(id));
    }
    Ok((entries, ids))
}

fn finish(args: &RecoverArgs, run: &Run<'_>, looked: &[Looked], settled: bool) -> Result<u8, CliError> {
    let ui = &run.shell.ui;
    let (now, _) = journal(run.shell)?.entries()?;
    let as_it_is = |one: &Looked| now.iter().find(|entry| entry.begin.id == one.entry.begin.id);
    let is_open = |one: &&Looked| as_it_is(one).is_some_and(Entry::is_open);
    let dry = args.write.dry_run != DryRun::None;
    let open: Vec<&Looked> = looked.iter().filter(|one| !one.unclear().is_empty() || !dry && is_open(one)).collect();
    let code = match () {
        () if run.needs_look => code::LOOK,
        () if run.interrupted => code::INTERRUPTED,
        () if !open.is_empty() => code::LEFT,
        () => code::DONE,
    };
    match args.output.as_deref() {
        Some("name") => {
            ui.data(&looked.iter().map(|one| format!("{}\n", one.entry.begin.id)).collect::<String>());
        }
        Some(format) => {
            let entries: Vec<Value> = looked.iter().map(|one| one.to_json(as_it_is(one))).collect();
            let value = json!({
                "apiVersion": "progrc.io/v1", "kind": "RecoverReport",
                "exitCode": code, "settled": settled, "entries": entries,
            });
            let text = if format == "json" { format!("{value:#}\n") } else { serde_saphyr::to_string(&value)? };
            ui.data(&text);
        }
        None if looked.is_empty() => ui.note("Nothing is open in the journal of this cluster."),
        None => {
            let next =
                looked.iter().filter(|one| settled && !is_open(one)).filter_map(|one| next(as_it_is(one)?, &now));
            ui.lines(&next.collect::<Vec<_>>());
        }
    }
    open.iter().for_each(|one| ui.error(&stays_open(one, as_it_is(one))));
    for one in looked.iter().filter(|one| code == code::LOOK && !one.restarts().is_empty() && !is_open(one)) {
        let id = &one.entry.begin.id;
        let hint =
            format!("`kubectl progrc undo {id}` takes it back, `kubectl progrc history {id}` shows what was done");
        ui.error(&CliError::new(format!("journal entry {id} needs a look: {}", run.last_failure())).hint(hint));
    }
    Ok(code)
}

/// The way back from a settled entry; of one that was an undo, the way on.
fn next(entry: &Entry, all: &[Entry]) -> Option<Line> {
    let (text, of) = match &entry.begin.undoes {
        Some(undoes) => ("Settled; the rest is taken back with: ", all.iter().find(|it| it.begin.id == *undoes)?),
        None => ("Settled; undo: ", entry),
    };
    of.standing().next()?;
    Some(Line::of(Role::Plain, text).and(Role::Command, &format!("kubectl progrc undo {}", of.begin.id)))
}

/// What keeps an entry open, and the ways to settle it.
fn stays_open(one: &Looked, now: Option<&Entry>) -> CliError {
    let id = &one.entry.begin.id;
    let mut why = one.unclear();
    let mut old: Vec<String> =
        now.iter().flat_map(|now| now.unfinished()).map(|(_, workload)| kubectl_name(workload)).collect();
    old.retain(|name| !why.iter().any(|line| line.starts_with(name.as_str())));
    old.sort();
    old.dedup();
    why.extend(old.iter().map(|name| format!("{name} was not restarted: {STALE}")));
    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
    let error = CliError::new(format!("journal entry {id} stays open{why}"));
    error.hint(match (one.can_be_decided(), old.is_empty()) {
        (true, _) => {
            format!("look at the object, then `kubectl progrc recover {id} --decide applied` or `--decide not-applied`")
        }
        (false, false) => {
            format!("`kubectl progrc recover {id}` restarts what is left, `kubectl progrc undo {id}` takes it back")
        }
        (false, true) => format!("`kubectl progrc recover {id}` settles it"),
    })
}
