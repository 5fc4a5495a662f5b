//! `history`: what was changed, on every cluster, newest first.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::Shell;
use super::args::duration;
use super::error::{CliError, code};
use super::rules::known;
use crate::backend::journal::{Begin, Entry, Journal, StepEntry, StepState, Verb};
use crate::plan::change::Change;
use crate::plan::patch::shown;
use crate::report::text::{Line, Role};

/// The flags of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// One entry, by its ID or the beginning of it
    #[arg(add = super::completion::entries())]
    id: Option<String>,
    /// Only entries with a change of these rules; repeatable, comma separated
    #[arg(long, value_name = "RULE", value_delimiter = ',', conflicts_with = "id", add = super::completion::rule_ids())]
    rule: Vec<String>,
    /// Only entries of these commands; repeatable, comma separated
    #[arg(long, value_delimiter = ',', conflicts_with = "id", value_parser = ["fix", "apply", "undo"])]
    command: Vec<String>,
    /// Only entries that are younger than this, e.g. 36h or 7d
    #[arg(long, value_name = "DURATION", conflicts_with = "id", value_parser = duration)]
    since: Option<Duration>,
    /// Only entries that a crash, or a lost answer, has left open
    #[arg(long, conflicts_with = "id")]
    open: bool,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json", "yaml", "name"])]
    output: Option<String>,
    /// Print no column heads
    #[arg(long)]
    no_headers: bool,
}

impl HistoryArgs {
    /// True if an entry is asked for. Of the connection flags the context and the namespace count.
    fn keeps(&self, shell: &Shell, entry: &Entry) -> bool {
        let Begin { context, namespaces, command, time, .. } = &entry.begin;
        let connection = &shell.connection;
        let age = jiff::Timestamp::now().duration_since(*time);
        let touches = |namespace: &String| {
            let objects = entry.steps.iter().map(|step| &step.intent.object);
            namespaces.contains(namespace)
                || objects.filter_map(|object| object.namespace.as_ref()).any(|touched| touched == namespace)
        };
        connection.context.as_ref().is_none_or(|wanted| context.as_ref() == Some(wanted))
            && connection.namespace.as_ref().is_none_or(touches)
            && (self.rule.is_empty() || entry.steps.iter().any(|step| self.rule.contains(&step.intent.rule)))
            && (self.command.is_empty() || self.command.contains(command))
            && self
                .since
                .is_none_or(|since| age <= jiff::SignedDuration::try_from(since).unwrap_or(jiff::SignedDuration::MAX))
            && (!self.open || entry.is_open())
    }
}

/// The journal of the environment.
pub fn journal(shell: &Shell) -> Result<Journal, CliError> {
    let set = |name: &str| shell.env.variables.get(name).filter(|value| value.starts_with('/'));
    let state = match (set("XDG_STATE_HOME"), &shell.env.home) {
        (Some(state), _) => std::path::PathBuf::from(state),
        (None, Some(home)) => home.join(".local/state"),
        (None, None) => {
            return Err(CliError::new("there is no home directory for the journal").hint("set HOME or XDG_STATE_HOME"));
        }
    };
    Ok(Journal::new(&state))
}

/// One entry by its ID, which must be of this cluster.
pub fn entry_of_cluster(journal: &Journal, id: &str, cluster: &str) -> Result<Entry, CliError> {
    let entry =
        journal.entry(id).map_err(|error| CliError::of(&error).hint("`kubectl progrc history` lists the entries"))?;
    if entry.begin.cluster == cluster {
        return Ok(entry);
    }
    let (id, server) = (&entry.begin.id, &entry.begin.server);
    Err(CliError::new(format!("entry {id} is of another cluster ({server})")).hint("name its context with --context"))
}

/// Says which entries of a cluster a crash has left open, before more is written.
pub fn notice_open(shell: &Shell, cluster: &str) {
    let entries = journal(shell).ok().and_then(|journal| journal.entries().ok()).map(|(entries, _)| entries);
    for entry in entries.iter().flatten().filter(|entry| entry.is_open() && entry.begin.cluster == cluster) {
        let Begin { id, command, .. } = &entry.begin;
        shell.ui.warn(&format!(
            "{command} {id} of {} was left open: `kubectl progrc recover {id}` settles it",
            moment(&entry.begin)
        ));
    }
}

/// When a run began, to the second.
pub fn moment(begin: &Begin) -> String {
    begin.time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Prints entries. Works without a connection.
pub fn run(args: &HistoryArgs, shell: &Shell) -> Result<u8, CliError> {
    args.rule.iter().try_for_each(|id| known(id).map(drop))?;
    let journal = journal(shell)?;
    let (all, bad) = journal.entries()?;
    for error in &bad {
        shell.ui.warn(&format!("{error}; left out"));
    }
    let undone = undone(&all);
    let entries = match &args.id {
        Some(id) => vec![
            journal
                .entry(id)
                .map_err(|error| CliError::of(&error).hint("`kubectl progrc history` lists the entries"))?,
        ],
        None => all.into_iter().filter(|entry| args.keeps(shell, entry)).collect(),
    };
    match (args.output.as_deref(), &args.id) {
        (Some("name"), _) => shell.ui.data(&entries.iter().map(|e| e.begin.id.clone() + "\n").collect::<String>()),
        (Some(format), _) => {
            let list: Vec<Value> = entries.iter().map(|entry| to_json(entry, &undone)).collect();
            let value =
                if args.id.is_some() { list.into_iter().next().unwrap_or_default() } else { Value::Array(list) };
            let text = if format == "json" { format!("{value:#}\n") } else { serde_saphyr::to_string(&value)? };
            shell.ui.data(&text);
        }
        (None, Some(_)) => shell.ui.lines(&entries.iter().flat_map(show).collect::<Vec<_>>()),
        (None, None) if entries.is_empty() => shell.ui.note("No changes in the journal."),
        (None, None) => shell.ui.lines(&table(&entries, &undone, !args.no_headers)),
    }
    Ok(code::DONE)
}

/// The IDs of entries that an undo has taken back, as far as nothing of them was left.
pub fn undone(entries: &[Entry]) -> Vec<String> {
    let done = |entry: &&Entry| entry.begin.command == "undo" && entry.end.as_deref() == Some("done");
    entries.iter().filter(done).filter_map(|entry| entry.begin.undoes.clone()).collect()
}

fn status(entry: &Entry, undone: &[String]) -> String {
    if undone.contains(&entry.begin.id) { "undone".to_owned() } else { entry.status().to_owned() }
}

fn table(entries: &[Entry], undone: &[String], headers: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    if headers {
        lines.push(Line::of(
            Role::Heading,
            &format!("{:<28}{:<22}{:<9}{:<13}{:<8}{}", "ID", "TIME", "COMMAND", "STATUS", "CHANGES", "CONTEXT"),
        ));
    }
    for entry in entries {
        let begin = &entry.begin;
        let time = moment(begin);
        let context = begin.context.as_deref().unwrap_or(&begin.server);
        let status = status(entry, undone);
        let changes = entry.applied().count();
        let text = format!("{:<28}{time:<22}{:<9}{status:<13}{changes:<8}{context}", begin.id, begin.command);
        lines.push(Line::of(Role::Plain, &text));
    }
    lines
}

/// One entry as lines.
fn show(entry: &Entry) -> Vec<Line> {
    let begin = &entry.begin;
    let mut lines = vec![
        Line::of(Role::Strong, &begin.id).and(Role::Plain, &format!("  {} · {}", begin.command, entry.status())),
        Line::of(Role::Plain, &format!("  {} on {}", moment(begin), begin.server)),
    ];
    if let Some(undoes) = &begin.undoes {
        lines.push(Line::of(Role::Plain, &format!("  takes back {undoes}")));
    }
    if let Some(user) = &begin.user {
        lines.push(Line::of(Role::Plain, &format!("  by {user}")));
    }
    for (step, workload) in entry.unfinished() {
        let text = format!(": {} was not restarted after \"{}\"", workload.short(), step.intent.title);
        lines.push(Line::of(Role::Critical, "  half done").and(Role::Plain, &text));
    }
    for step in &entry.steps {
        let state = match step.state() {
            StepState::Applied => "done",
            StepState::NotApplied => "not done",
            StepState::Open => "open",
        };
        let text = format!("  {state}: {} ({})", step.intent.title, step.intent.object);
        lines.push(Line::of(Role::Plain, &text));
        for change in step.changes() {
            let show = |value: &Option<Value>| shown(&change.pointer, value.as_ref());
            let text = match &change.text {
                Some(text) => format!("    {}: without {}", change.pointer, text.member),
                None => format!("    {}: {} -> {}", change.pointer, show(&change.before), show(&change.after)),
            };
            lines.push(Line::of(Role::Dim, &text));
        }
        if let Some(result) = step.result.as_ref().filter(|result| !result.message.is_empty()) {
            lines.push(Line::of(Role::Dim, &format!("    {}", result.message)));
        }
    }
    lines
}

fn to_json(entry: &Entry, undone: &[String]) -> Value {
    let step = |step: &StepEntry| {
        let verb = match step.intent.verb {
            Verb::Patch => "patch",
            Verb::Create => "create",
            Verb::Delete => "delete",
        };
        let change = |change: &Change| {
            let member = change.text.as_ref().map(|text| &text.member);
            json!({"pointer": change.pointer, "before": change.before, "after": change.after, "removedFromText": member})
        };
        let state = match step.state() {
            StepState::Applied => "applied",
            StepState::NotApplied => "not-applied",
            StepState::Open => "open",
        };
        json!({
            "rule": step.intent.rule, "title": step.intent.title, "action": verb,
            "object": step.intent.object, "state": state, "message": step.result.as_ref().map(|result| &result.message),
            "irreversible": step.intent.irreversible,
            "changes": step.changes().iter().map(change).collect::<Vec<_>>(),
        })
    };
    let begin = &entry.begin;
    json!({
        "apiVersion": "progrc.io/v1", "kind": "JournalEntry", "id": begin.id, "command": begin.command, "time": begin.time, "status": status(entry, undone),
        "cluster": begin.cluster, "server": begin.server, "context": begin.context,
        "user": begin.user, "planHash": begin.plan_hash, "namespaces": begin.namespaces, "undoes": begin.undoes,
        "unfinished": entry.unfinished().iter().map(|(_, workload)| workload).collect::<Vec<_>>(),
        "steps": entry.steps.iter().map(step).collect::<Vec<_>>(),
    })
}
