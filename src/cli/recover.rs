//! `recover`: settles what a crash, or a lost answer, has left open in the journal.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Shell;
use super::error::{CliError, code};
use super::fix::{count, kubectl_name};
use super::history::{entry_of_cluster, journal, moment};
use super::interrupt::Interrupt;
use super::prompt;
use super::session::{cluster_of, connect, runtime};
use crate::backend::cluster::connect::Connection;
use crate::backend::cluster::write::Options;
use crate::backend::journal::{Entry, Journal, Outcome, Record, StepEntry, StepResult};
use crate::backend::ownership;
use crate::backend::recover::{self, Shown};
use crate::report::text::{Line, Role};

/// The flags of `recover`.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// Entries of the journal; every open one of this cluster, if none is named
    #[arg(value_name = "ID", add = super::completion::entries())]
    ids: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Write nothing: say what the cluster shows
    #[arg(long)]
    dry_run: bool,
    /// What became of the steps of the named entry that the cluster does not show, by a look of your own
    #[arg(long, value_name = "OUTCOME", value_enum, requires = "ids")]
    decide: Option<Decision>,
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

/// An open entry, and what the cluster shows about its open steps.
pub struct Looked {
    entry: Entry,
    steps: Vec<(StepEntry, Shown)>,
}

impl Looked {
    /// Compares the objects of the open steps with the journal.
    pub async fn at(connection: &Connection, entry: &Entry) -> Self {
        let mut steps = Vec::new();
        for step in entry.open() {
            steps.push((step.clone(), recover::look(connection, &step.intent).await));
        }
        Self { entry: entry.clone(), steps }
    }

    async fn decide(&mut self, connection: &Connection, decision: Decision) {
        let outcome = match decision {
            Decision::Applied => Outcome::Applied,
            Decision::NotApplied => Outcome::NotApplied,
        };
        for (step, shown) in &mut self.steps {
            if matches!(shown, Shown::Unclear(_)) {
                *shown = recover::decide(connection, &step.intent, outcome).await;
            }
        }
    }

    /// The steps that stay open, in one line each.
    pub fn unclear(&self) -> Vec<String> {
        let unclear = self.steps.iter().filter(|(_, shown)| matches!(shown, Shown::Unclear(_)));
        unclear.map(|(step, _)| format!("{}: nobody knows", kubectl_name(&step.intent.object))).collect()
    }

    fn records(&self) -> Vec<Record> {
        let known = |(_, shown): &(StepEntry, Shown)| match shown {
            Shown::Settled(result) => Some(Record::Result(StepResult::clone(result))),
            Shown::Unclear(_) => None,
        };
        let mut records: Vec<Record> = self.steps.iter().filter_map(known).collect();
        if self.entry.end.is_none() {
            records.push(Record::End { status: "interrupted".to_owned(), time: jiff::Timestamp::now() });
        }
        records
    }

    /// The entry as it is once it is settled.
    pub fn settled(&self) -> Entry {
        let mut entry = self.entry.clone();
        self.records().into_iter().for_each(|record| entry.take(record));
        entry
    }

    /// Writes into the journal what is known, and gives back the fields that were taken back.
    pub async fn write(&self, journal: &Journal, connection: &Connection) -> Result<(), CliError> {
        let mut writer = journal.reopen(&self.entry)?;
        for record in self.records().iter().filter(|record| matches!(record, Record::Result(_))) {
            writer.write(record)?;
        }
        for step in self.settled().kept() {
            let Some(back) = &step.intent.hand_back else { continue };
            let options = Options { field_manager: back.manager.clone(), ..Options::default() };
            let failure = ownership::hand_back(connection, &step.intent.object, back, &options).await.err();
            writer.write(&Record::HandedBack { step: step.intent.step, failure, time: jiff::Timestamp::now() })?;
        }
        for record in self.records().iter().filter(|record| matches!(record, Record::End { .. })) {
            writer.write(record)?;
        }
        Ok(())
    }

    fn writes(&self) -> bool {
        !self.records().is_empty() || self.settled().kept().next().is_some()
    }

    /// What is known, and before, wanted and now where it is not.
    pub fn lines(&self) -> Vec<Line> {
        let begin = &self.entry.begin;
        let mut lines = vec![
            Line::of(Role::Strong, &begin.id).and(Role::Plain, &format!("  {} of {}", begin.command, moment(begin))),
        ];
        for (step, shown) in &self.steps {
            let name = kubectl_name(&step.intent.object);
            let title = &step.intent.title;
            match shown {
                Shown::Settled(result) => {
                    let word = if result.outcome == Outcome::Applied { "applied" } else { "not applied" };
                    lines.push(Line::of(Role::Plain, &format!("  {word}: {title} ({name}): {}", result.message)));
                }
                Shown::Unclear(why) => {
                    lines.push(Line::of(Role::Critical, "  unclear").and(Role::Plain, &format!(": {title} ({name})")));
                    lines.extend(why.iter().map(|why| Line::of(Role::Plain, &format!("    {why}"))));
                }
            }
        }
        for step in self.settled().kept() {
            let name = kubectl_name(&step.intent.object);
            lines.push(Line::of(Role::Plain, &format!("  {name}: its fields go back to their owners")));
        }
        if self.steps.is_empty() && self.settled().kept().next().is_none() {
            lines.push(Line::of(Role::Plain, "  nothing was in flight"));
        }
        lines
    }

    fn to_json(&self) -> Value {
        let step = |(step, shown): &(StepEntry, Shown)| {
            let (outcome, lines) = match shown {
                Shown::Settled(result) if result.outcome == Outcome::Applied => {
                    ("applied", vec![result.message.clone()])
                }
                Shown::Settled(result) => ("not-applied", vec![result.message.clone()]),
                Shown::Unclear(why) => ("unclear", why.clone()),
            };
            json!({
                "step": step.intent.step + 1, "title": step.intent.title, "object": step.intent.object,
                "outcome": outcome, "reasons": lines,
            })
        };
        let begin = &self.entry.begin;
        let steps: Vec<Value> = self.steps.iter().map(step).collect();
        json!({"id": begin.id, "command": begin.command, "time": begin.time, "steps": steps})
    }
}

/// Runs `recover`.
pub fn run(args: &RecoverArgs, shell: &Shell) -> Result<u8, CliError> {
    let runtime = runtime()?;
    let (connection, identity) = runtime.block_on(connect(&shell.connection, &shell.env))?;
    let journal = journal(shell)?;
    let entries = chosen(args, shell, &journal, &cluster_of(&connection, &identity))?;
    let mut looked = Vec::new();
    for entry in &entries {
        let mut one = runtime.block_on(Looked::at(&connection, entry));
        if let Some(decision) = args.decide {
            runtime.block_on(one.decide(&connection, decision));
        }
        looked.push(one);
    }
    let lines: Vec<Line> = looked.iter().flat_map(Looked::lines).collect();
    match args.output {
        Some(_) => shell.ui.ask_lines(&lines),
        None => shell.ui.lines(&lines),
    }
    let writes = looked.iter().any(Looked::writes);
    let mut settled = false;
    if writes && !args.dry_run {
        if !args.yes && !shell.ui.is_interactive() {
            return Err(CliError::new("there is no terminal to ask on")
                .hint("--yes settles the journal without asking, --dry-run shows what it would say"));
        }
        let interrupt = Interrupt::listen(&runtime, &shell.ui);
        settled = args.yes || prompt::confirm(&shell.ui, &interrupt, "Settle the journal so?")?;
        if settled {
            for one in looked.iter().filter(|one| one.writes()) {
                runtime.block_on(one.write(&journal, &connection))?;
            }
        }
    }
    finish(args, shell, &looked, settled)
}

/// The entries to settle, oldest first.
fn chosen(args: &RecoverArgs, shell: &Shell, journal: &Journal, cluster: &str) -> Result<Vec<Entry>, CliError> {
    let (mut entries, bad) = journal.entries()?;
    bad.iter().for_each(|error| shell.ui.warn(&format!("{error}; left out")));
    if args.ids.is_empty() {
        let elsewhere = entries.iter().filter(|entry| entry.is_open() && entry.begin.cluster != cluster).count();
        if elsewhere > 0 {
            let text = count(elsewhere, "entry of another cluster is open", "entries of other clusters are open");
            shell.ui.note(&format!("{text}: `kubectl progrc history --open` lists them"));
        }
        entries.retain(|entry| entry.is_open() && entry.begin.cluster == cluster);
        entries.reverse();
        return Ok(entries);
    }
    let mut named = Vec::new();
    for id in &args.ids {
        let entry = entry_of_cluster(journal, id, cluster)?;
        if entry.is_running {
            return Err(CliError::new(format!("the run of journal entry {} has not ended", entry.begin.id))
                .hint("wait for it, or end it first"));
        }
        named.extend(Some(entry).filter(Entry::is_open));
    }
    Ok(named)
}

fn finish(args: &RecoverArgs, shell: &Shell, looked: &[Looked], settled: bool) -> Result<u8, CliError> {
    let unclear: Vec<&Looked> = looked.iter().filter(|one| !one.unclear().is_empty()).collect();
    let refused = !settled && !args.dry_run && looked.iter().any(Looked::writes);
    let code = if unclear.is_empty() && !refused { code::DONE } else { code::LEFT };
    match args.output.as_deref() {
        Some("name") => {
            shell.ui.data(&looked.iter().map(|one| format!("{}\n", one.entry.begin.id)).collect::<String>());
        }
        Some(format) => {
            let entries: Vec<Value> = looked.iter().map(Looked::to_json).collect();
            let value = json!({
                "apiVersion": "progrc.io/v1", "kind": "RecoverReport",
                "exitCode": code, "settled": settled, "entries": entries,
            });
            let text = if format == "json" { format!("{value:#}\n") } else { serde_saphyr::to_string(&value)? };
            shell.ui.data(&text);
        }
        None if looked.is_empty() => shell.ui.note("Nothing is open in the journal of this cluster."),
        None => {
            for Looked { entry, .. } in looked.iter().filter(|_| settled) {
                let line = Line::of(Role::Plain, "Settled; undo: ");
                shell.ui.lines(&[line.and(Role::Command, &format!("kubectl progrc undo {}", entry.begin.id))]);
            }
        }
    }
    for one in unclear {
        let id = &one.entry.begin.id;
        let error = CliError::new(format!("journal entry {id} stays open: {}", one.unclear().join("; ")));
        shell.ui.error(&error.hint(format!(
            "look at the object, then `kubectl progrc recover {id} --decide applied` or `--decide not-applied`"
        )));
    }
    Ok(code)
}
