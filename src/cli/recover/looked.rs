//! An open entry, and what the cluster shows about it.

use serde_json::{Value, json};

use super::super::error::CliError;
use super::super::fix::{STALE, kubectl_name};
use super::super::history::moment;
use crate::backend::cluster::connect::Connection;
use crate::backend::cluster::write::Options;
use crate::backend::journal::{Entry, Journal, Outcome, Record, StepEntry, StepResult, weave};
use crate::backend::ownership;
use crate::backend::recover::{self, Need, Shown};
use crate::model::ObjectRef;
use crate::report::text::{Line, Role};

/// An open entry, and what the cluster shows about its open steps.
pub struct Looked {
    /// As the journal holds it.
    pub entry: Entry,
    /// As it is once it is settled.
    after: Entry,
    steps: Vec<(StepEntry, Shown)>,
    waiting: Vec<Waiting>,
}

/// A workload that was to be restarted for a step and, as far as the journal knows, was not.
struct Waiting {
    step: StepEntry,
    workload: ObjectRef,
    need: Need,
}

/// Compares those entries of the journal that are wanted with the objects of their steps; all entries
/// are then as if that were settled. What nobody can see is as a person has decided.
pub async fn look(
    connection: &Connection,
    all: &mut [Entry],
    wanted: impl Fn(&Entry) -> bool,
    decided: Option<Outcome>,
) -> Vec<Looked> {
    let mut looked = Vec::new();
    for entry in all.iter_mut().filter(|entry| wanted(entry)) {
        let one = Looked::at(connection, entry, decided).await;
        entry.clone_from(&one.after);
        looked.push(one);
    }
    weave(all);
    for one in &mut looked {
        let Some(after) = all.iter().find(|entry| entry.begin.id == one.entry.begin.id) else { continue };
        one.after.clone_from(after);
        for (step, workload) in after.unfinished() {
            let need = recover::need(connection, step, workload).await;
            one.waiting.push(Waiting { step: step.clone(), workload: workload.clone(), need });
        }
    }
    looked
}

impl Looked {
    async fn at(connection: &Connection, entry: &Entry, decided: Option<Outcome>) -> Self {
        let mut steps = Vec::new();
        for step in entry.open() {
            let shown = match (recover::look(connection, &step.intent).await, decided) {
                (Shown::Unclear(_), Some(outcome)) => recover::decide(connection, &step.intent, outcome).await,
                (shown, _) => shown,
            };
            steps.push((step.clone(), shown));
        }
        let mut this = Self { entry: entry.clone(), after: entry.clone(), steps, waiting: Vec::new() };
        for record in this.records() {
            this.after.take(record);
        }
        this
    }

    /// What stays open, in one line each.
    pub fn unclear(&self) -> Vec<String> {
        let unclear = self.steps.iter().filter(|(_, shown)| matches!(shown, Shown::Unclear(_)));
        let unclear = unclear.map(|(step, _)| format!("{}: nobody knows", kubectl_name(&step.intent.object)));
        let unseen = self.waiting.iter().filter_map(|waiting| match &waiting.need {
            Need::Unclear(why) => Some(format!("{}: {why}", kubectl_name(&waiting.workload))),
            _ => None,
        });
        unclear.chain(unseen).collect()
    }

    /// True if a person could say what became of a step.
    pub fn can_be_decided(&self) -> bool {
        self.steps.iter().any(|(_, shown)| matches!(shown, Shown::Unclear(_)))
    }

    /// The workloads whose pods still run with what was before, each once, with a step for which they
    /// are restarted.
    pub fn restarts(&self) -> Vec<(&StepEntry, &ObjectRef)> {
        let mut out: Vec<(&StepEntry, &ObjectRef)> = Vec::new();
        for Waiting { step, workload, .. } in self.waiting.iter().filter(|waiting| waiting.need == Need::Restart) {
            if !out.iter().any(|(_, known)| known.same(workload)) {
                out.push((step, workload));
            }
        }
        out
    }

    fn records(&self) -> Vec<Record> {
        let known = |(_, shown): &(StepEntry, Shown)| match shown {
            Shown::Settled(result) => Some(Record::Result(StepResult::clone(result))),
            Shown::Unclear(_) => None,
        };
        let mut records: Vec<Record> = self.steps.iter().filter_map(known).collect();
        let time = jiff::Timestamp::now();
        records.extend(self.waiting.iter().filter_map(|Waiting { step, workload, need }| match need {
            Need::Nothing(reason) => {
                let (step, object) = (step.intent.step, workload.clone());
                Some(Record::NoRestart { step, object, reason: reason.clone(), time })
            }
            Need::Restart | Need::Unclear(_) => None,
        }));
        if self.entry.end.is_none() {
            records.push(Record::End { status: "interrupted".to_owned(), time });
        }
        records
    }

    /// Writes into the journal what is known, and gives back the fields that were taken back.
    pub async fn write(&self, journal: &Journal, connection: &Connection) -> Result<(), CliError> {
        if !self.writes() {
            return Ok(());
        }
        let mut writer = journal.reopen(&self.entry)?;
        for record in self.records().iter().filter(|record| !matches!(record, Record::End { .. })) {
            writer.write(record)?;
        }
        for step in self.after.kept() {
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

    /// True if the journal, or the ownership of fields, is to be written.
    pub fn writes(&self) -> bool {
        !self.records().is_empty() || self.after.kept().next().is_some()
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
        for step in self.after.kept() {
            let name = kubectl_name(&step.intent.object);
            lines.push(Line::of(Role::Plain, &format!("  {name}: its fields go back to their owners")));
        }
        lines.extend(self.waiting.iter().map(Waiting::line));
        if lines.len() == 1 {
            lines.push(Line::of(Role::Plain, "  nothing was in flight"));
        }
        lines
    }

    /// For scripts; `now` is the entry as the journal holds it in the end.
    pub fn to_json(&self, now: Option<&Entry>) -> Value {
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
        let waits =
            |workload: &ObjectRef| now.is_none_or(|now| now.unfinished().iter().any(|(_, other)| other.same(workload)));
        let restart = |Waiting { step, workload, need }: &Waiting| {
            let (outcome, why) = match need {
                Need::Restart if waits(workload) => ("needed", None),
                Need::Restart => ("restarted", None),
                Need::Nothing(why) => ("not-needed", Some(why)),
                Need::Unclear(why) => ("unclear", Some(why)),
            };
            json!({"object": workload, "step": step.intent.step + 1, "outcome": outcome, "reason": why})
        };
        let begin = &self.entry.begin;
        let steps: Vec<Value> = self.steps.iter().map(step).collect();
        let restarts: Vec<Value> = self.waiting.iter().map(restart).collect();
        json!({
            "id": begin.id, "command": begin.command, "time": begin.time, "steps": steps, "restarts": restarts,
        })
    }
}

impl Waiting {
    fn line(&self) -> Line {
        let (name, title) = (kubectl_name(&self.workload), &self.step.intent.title);
        match &self.need {
            Need::Restart => {
                let text = format!(": {name} was not restarted after \"{title}\": {STALE}");
                Line::of(Role::Critical, "  half done").and(Role::Plain, &text)
            }
            Need::Nothing(why) => Line::of(Role::Plain, &format!("  no restart of {name} for \"{title}\": {why}")),
            Need::Unclear(why) => {
                let text = format!(": whether {name} has to be restarted for \"{title}\": {why}");
                Line::of(Role::Critical, "  unclear").and(Role::Plain, &text)
            }
        }
    }
}
