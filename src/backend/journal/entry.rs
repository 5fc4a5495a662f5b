//! One entry, read back.

use std::fs;
use std::path::Path;

use super::record::{Begin, Intent, Outcome, Record, StepResult};
use super::{JournalError, SCHEMA, io_error};

/// One run and what became of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who, where and when.
    pub begin: Begin,
    /// Its steps in order.
    pub steps: Vec<StepEntry>,
    /// How it ended; `None` if it did not.
    pub end: Option<String>,
}

/// One step and its answer.
#[derive(Clone, Debug)]
pub struct StepEntry {
    /// What was to be sent.
    pub intent: Intent,
    /// What became of it; `None` after a crash.
    pub result: Option<StepResult>,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Done.
    Applied,
    /// Nothing changed.
    NotApplied,
    /// Unknown: a crash or a lost answer.
    Open,
}

impl StepEntry {
    /// How the step stands.
    pub fn state(&self) -> StepState {
        match self.result.as_ref().map(|result| result.outcome) {
            Some(Outcome::Applied) => StepState::Applied,
            Some(Outcome::NotApplied) => StepState::NotApplied,
            Some(Outcome::Ambiguous) | None => StepState::Open,
        }
    }
}

impl Entry {
    /// Reads an entry. A torn last line, from a crash in the middle of a write, is left out; a
    /// file without a whole first line is no entry.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, JournalError> {
        let text = fs::read(path).map_err(io_error("read", path))?;
        let text = String::from_utf8_lossy(&text);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut entry: Option<Self> = None;
        for (number, line) in whole.lines().enumerate() {
            check_schema(path, line)?;
            let corrupt = || JournalError::Corrupt { path: path.display().to_string(), line: number + 1 };
            let record: Record = serde_json::from_str(line).map_err(|_| corrupt())?;
            match (&mut entry, record) {
                (None, Record::Begin(begin)) => entry = Some(Self { begin, steps: Vec::new(), end: None }),
                (Some(entry), record) => entry.take(record),
                (None, _) => return Err(corrupt()),
            }
        }
        Ok(entry)
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Intent(intent) => self.steps.push(StepEntry { intent, result: None }),
            Record::Result(result) => {
                if let Some(step) = self.steps.iter_mut().find(|step| step.intent.step == result.step) {
                    step.result = Some(result);
                }
            }
            Record::End { status, .. } => self.end = Some(status),
            Record::Begin(_) | Record::Verify { .. } | Record::Rollback { .. } => {}
        }
    }

    /// True if every step has a known end.
    pub fn is_closed(&self) -> bool {
        self.steps.iter().all(|step| step.state() != StepState::Open)
    }

    /// The steps that changed something and still stand, in the order in which they did: neither
    /// those that a rollback took back nor the rollback itself.
    pub fn applied(&self) -> impl Iterator<Item = &StepEntry> {
        let done = |step: &&StepEntry| step.state() == StepState::Applied;
        let back: Vec<usize> = self.steps.iter().filter(done).filter_map(|step| step.intent.takes_back).collect();
        let stands = move |step: &&StepEntry| step.intent.takes_back.is_none() && !back.contains(&step.intent.step);
        self.steps.iter().filter(done).filter(stands)
    }

    /// How it ended, in one word.
    pub fn status(&self) -> &str {
        if self.is_closed() { self.end.as_deref().unwrap_or("interrupted") } else { "open" }
    }
}

fn check_schema(path: &Path, line: &str) -> Result<(), JournalError> {
    #[derive(serde::Deserialize)]
    struct Schema {
        #[serde(default)]
        schema: u32,
    }
    match serde_json::from_str::<Schema>(line) {
        Ok(Schema { schema }) if schema > SCHEMA => {
            Err(JournalError::Newer { path: path.display().to_string(), schema })
        }
        _ => Ok(()),
    }
}
