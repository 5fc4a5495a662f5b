//! One entry, read back.

use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::record::{Begin, Intent, Outcome, Record, StepResult};
use super::{JournalError, SCHEMA, io_error};
use crate::model::ObjectRef;
use crate::plan::change::Change;

/// One run and what became of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who, where and when.
    pub begin: Begin,
    /// Its steps in order.
    pub steps: Vec<StepEntry>,
    /// How it ended; `None` if it did not.
    pub end: Option<String>,
    /// True while its run is writing it.
    pub is_running: bool,
    /// True if a later entry has taken it back, and that one still stands.
    pub is_undone: bool,
    pub(super) path: PathBuf,
}

/// One step and its answer.
#[derive(Clone, Debug)]
pub struct StepEntry {
    /// What was to be sent.
    pub intent: Intent,
    /// What became of it; `None` after a crash.
    pub result: Option<StepResult>,
    /// True if its fields belong to their owners again, or it was found that they can't.
    pub is_handed_back: bool,
    /// True if a later entry has taken all of it back, and that one still stands.
    pub is_taken_back: bool,
    /// The workloads of [`Intent::awaits`] whose pods read it by now, or need not.
    pub read_by: Vec<ObjectRef>,
    /// The uids under which undos have made its object again after it was deleted.
    pub reborn: Vec<String>,
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
    /// A step that has no answer yet.
    pub fn new(intent: Intent) -> Self {
        Self {
            intent,
            result: None,
            is_handed_back: false,
            is_taken_back: false,
            read_by: Vec::new(),
            reborn: Vec::new(),
        }
    }

    /// How the step stands.
    pub fn state(&self) -> StepState {
        match self.result.as_ref().map(|result| result.outcome) {
            Some(Outcome::Applied) => StepState::Applied,
            Some(Outcome::NotApplied) => StepState::NotApplied,
            Some(Outcome::Ambiguous) | None => StepState::Open,
        }
    }

    /// The fields that it changed: by the server's answer, else by the dry run.
    pub fn changes(&self) -> &[Change] {
        match &self.result {
            Some(result) if !result.changes.is_empty() => &result.changes,
            _ => &self.intent.changes,
        }
    }

    /// The uid that its object had afterwards; none if nobody has seen it.
    pub fn uid(&self) -> Option<&str> {
        self.result.as_ref().and_then(|result| result.uid.as_deref()).or(self.intent.object.uid.as_deref())
    }

    /// True if an object with this uid is the one that it has changed, or one that an undo has made
    /// in its place.
    pub fn is_about(&self, uid: Option<&str>) -> bool {
        self.uid()
            .is_none_or(|known| Some(known) == uid || self.reborn.iter().any(|reborn| Some(reborn.as_str()) == uid))
    }

    /// The workloads whose pods still run with what was before.
    fn unread(&self) -> impl Iterator<Item = &ObjectRef> {
        self.intent.awaits.iter().filter(|awaited| !self.read_by.iter().any(|read| read.same(awaited)))
    }
}

impl Entry {
    /// Reads an entry. A torn last line, from a crash in the middle of a write, is left out; a
    /// file without a whole first line is no entry.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, JournalError> {
        let mut file = File::open(path).map_err(io_error("read", path))?;
        // Before it is read: a run that ends meanwhile has then written its last record.
        let is_running = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(io_error("read", path))?;
        let text = String::from_utf8_lossy(&text);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut entry: Option<Self> = None;
        for (number, line) in whole.lines().enumerate() {
            check_schema(path, line)?;
            let corrupt = || JournalError::Corrupt { path: path.display().to_string(), line: number + 1 };
            let record: Record = serde_json::from_str(line).map_err(|_| corrupt())?;
            match (&mut entry, record) {
                (None, Record::Begin(begin)) => {
                    entry = Some(Self {
                        begin,
                        steps: Vec::new(),
                        end: None,
                        is_running,
                        is_undone: false,
                        path: path.to_owned(),
                    });
                }
                (Some(entry), record) => entry.take(record),
                (None, _) => return Err(corrupt()),
            }
        }
        Ok(entry)
    }

    /// Takes one more record.
    pub fn take(&mut self, record: Record) {
        match record {
            Record::Intent(intent) => self.steps.push(StepEntry::new(intent)),
            Record::Result(result) => {
                if let Some(step) = self.step(result.step) {
                    step.result = Some(result);
                }
            }
            Record::HandedBack { step, .. } => {
                if let Some(step) = self.step(step) {
                    step.is_handed_back = true;
                }
            }
            Record::NoRestart { step, object, .. } => {
                if let Some(step) = self.step(step) {
                    step.read_by.push(object);
                }
            }
            Record::End { status, .. } => self.end = Some(status),
            Record::Begin(_) | Record::Verify { .. } | Record::Rollback { .. } => {}
        }
    }

    fn step(&mut self, number: usize) -> Option<&mut StepEntry> {
        self.steps.iter_mut().find(|step| step.intent.step == number)
    }

    /// The steps that are taken back, but for the ownership of their fields.
    pub fn kept(&self) -> impl Iterator<Item = &StepEntry> {
        self.applied().filter(|step| step.intent.hand_back.is_some() && !step.is_handed_back)
    }

    /// The steps whose values pods were to read, each with a workload that was to be restarted for it
    /// and was not.
    pub fn unfinished(&self) -> Vec<(&StepEntry, &ObjectRef)> {
        let stands = self.standing().filter(|_| !self.is_undone);
        stands.flat_map(|step| step.unread().map(move |workload| (step, workload))).collect()
    }

    /// True if the run has an end, so has each of its steps, and what they wrote is read.
    pub fn is_settled(&self) -> bool {
        let is_open = self.open().chain(self.kept()).next().is_some();
        self.end.is_some() && !is_open && self.unfinished().is_empty()
    }

    /// True if a crash, or an answer that was lost, has left something to settle.
    pub fn is_open(&self) -> bool {
        !self.is_running && !self.is_settled()
    }

    /// The steps of which nobody knows what became of them.
    pub fn open(&self) -> impl Iterator<Item = &StepEntry> {
        self.steps.iter().filter(|step| step.state() == StepState::Open)
    }

    /// The steps that changed something and still stand, in the order in which they did: neither
    /// those that a rollback took back nor the rollback itself.
    pub fn applied(&self) -> impl Iterator<Item = &StepEntry> {
        let done = |step: &&StepEntry| step.state() == StepState::Applied;
        let back: Vec<usize> = self.steps.iter().filter(done).filter_map(|step| step.intent.takes_back).collect();
        let stands = move |step: &&StepEntry| step.intent.takes_back.is_none() && !back.contains(&step.intent.step);
        self.steps.iter().filter(done).filter(stands)
    }

    /// The applied steps that no later entry has taken back.
    pub fn standing(&self) -> impl Iterator<Item = &StepEntry> {
        self.applied().filter(|step| !step.is_taken_back)
    }

    /// How it stands, in one word.
    pub fn status(&self) -> &str {
        match &self.end {
            _ if self.is_running => "running",
            Some(end) if self.is_settled() => end,
            _ => "open",
        }
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
