//! The run of a command that writes: its journal entry, its requests, its rollouts.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::{DryRun, WriteArgs};
use crate::backend::change::{self, Prepared, Purpose, Refusal};
use crate::backend::cluster::connect::Connection;
use crate::backend::cluster::load::Identity;
use crate::backend::cluster::rollout::{self, Progress};
use crate::backend::cluster::write::Options;
use crate::backend::journal::{Begin, JournalError, Outcome, Record, SCHEMA, StepResult, Writer};
use crate::cli::Shell;
use crate::cli::error::{CliError, code};
use crate::cli::history::{journal, notice_open};
use crate::cli::prompt::Interrupt;
use crate::cli::session::cluster_of;
use crate::fix::Step;
use crate::model::{ObjectRef, Subject};

/// What became of a fix.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The rule.
    pub rule: String,
    /// The fix in words.
    pub title: String,
    /// The object of the finding.
    pub object: Subject,
    /// The answers to its requests.
    pub results: Vec<(ObjectRef, StepResult)>,
    /// Why it is not whole, if it is not.
    pub failure: Option<String>,
}

/// A run that writes.
pub struct Run<'a> {
    /// What every command has at hand.
    pub shell: &'a Shell,
    /// The runtime.
    pub runtime: &'a Runtime,
    /// The cluster.
    pub connection: Arc<Connection>,
    /// Who it is.
    pub identity: Identity,
    /// How requests are sent.
    pub options: Options,
    /// Signals.
    pub interrupt: Interrupt,
    /// What was done.
    pub settled: Vec<Settled>,
    /// True once a signal has ended the run.
    pub interrupted: bool,
    /// True if something ended in a state that needs a look.
    pub needs_look: bool,
    /// The command, for the journal.
    pub command: &'static str,
    /// The entry that is taken back.
    pub undoes: Option<String>,
    /// The namespaces that it is about; none for all.
    pub namespaces: Vec<String>,
    wait: Option<Duration>,
    writer: Option<Writer>,
    steps: usize,
    has_sent: bool,
}

impl<'a> Run<'a> {
    /// A run that has written nothing. Says what an earlier one has left open.
    pub fn new(
        shell: &'a Shell,
        runtime: &'a Runtime,
        connection: Arc<Connection>,
        identity: Identity,
        write: &WriteArgs,
    ) -> Self {
        notice_open(shell, &cluster_of(&connection, &identity));
        Self {
            interrupt: Interrupt::listen(runtime, &shell.ui),
            options: write.options(),
            namespaces: Vec::new(),
            wait: (write.wait && write.dry_run == DryRun::None).then_some(write.timeout),
            shell,
            runtime,
            connection,
            identity,
            settled: Vec::new(),
            interrupted: false,
            needs_look: false,
            command: "fix",
            undoes: None,
            writer: None,
            steps: 0,
            has_sent: false,
        }
    }

    /// The journal entry, once something was written.
    pub fn entry(&self) -> Option<&str> {
        self.writer.as_ref().map(Writer::id)
    }

    /// Reads, builds and dry-runs the steps of a fix.
    pub fn prepare(&self, steps: &[Step]) -> Result<Vec<Prepared>, Refusal> {
        let mut out = Vec::new();
        for step in steps {
            match self.runtime.block_on(change::prepare(&self.connection, step, &self.options)) {
                Ok(Some(prepared)) => out.push(prepared),
                Ok(None) => {}
                Err(refusal) if refusal.already => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(out)
    }

    /// Why the last fix is not whole; empty if it is.
    pub fn last_failure(&self) -> String {
        self.settled.last().and_then(|settled| settled.failure.clone()).unwrap_or_default()
    }

    /// Sends prepared steps in order and waits for the rollouts they start. Stops at the first
    /// that is not carried out.
    pub fn apply(&mut self, purpose: &Purpose, object: &Subject, prepared: &[Prepared]) -> Result<bool, CliError> {
        let mut settled = Settled {
            rule: purpose.rule.clone(),
            title: purpose.title.clone(),
            object: object.clone(),
            results: Vec::new(),
            failure: None,
        };
        for step in prepared {
            if self.interrupt.is_set() {
                settled.failure = Some("interrupted before it was sent".to_owned());
                self.interrupted = true;
                break;
            }
            let result = self.commit(purpose, step)?;
            self.report(step, &result);
            let (outcome, message) = (result.outcome, result.message.clone());
            settled.results.push((step.write.object().clone(), result));
            if outcome != Outcome::Applied {
                self.needs_look |= outcome == Outcome::Ambiguous || settled.results.len() > 1;
                settled.failure = Some(message);
                break;
            }
            if step.rolls_out
                && let Err(why) = self.await_rollout(step.write.object())
            {
                settled.failure = Some(why);
                break;
            }
        }
        let whole = settled.failure.is_none();
        self.settled.push(settled);
        Ok(whole)
    }

    /// Opens the journal entry, if it is not open.
    pub fn begin(&mut self) -> Result<(), CliError> {
        if self.writer.is_none() {
            self.writer = Some(self.open()?);
        }
        Ok(())
    }

    /// Ends the journal entry: what is written next begins another. Its ID, if there is one.
    pub fn end(&mut self, whole: bool) -> Result<Option<String>, CliError> {
        self.close(whole)?;
        self.steps = 0;
        Ok(self.writer.take().map(|writer| writer.id().to_owned()))
    }

    fn commit(&mut self, purpose: &Purpose, prepared: &Prepared) -> Result<StepResult, CliError> {
        let step = self.steps;
        self.steps += 1;
        self.begin()?;
        let writer = self.writer.as_mut().expect("it was opened just now");
        let commit = change::commit(&self.connection, writer, step, purpose, prepared, &self.options);
        let result = self.runtime.block_on(commit);
        self.connection.warnings().drain().iter().for_each(|warning| self.shell.ui.warn(warning));
        self.has_sent |= matches!(result, Ok(_) | Err(JournalError::Unanswered(_)));
        result.map_err(|error| CliError::of(&error).hint("nothing is written without the journal"))
    }

    fn open(&self) -> Result<Writer, CliError> {
        let connection = &self.connection;
        let begin = Begin {
            schema: SCHEMA,
            id: String::new(),
            time: jiff::Timestamp::now(),
            command: self.command.to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            server_version: self.identity.version.clone(),
            cluster: self.cluster(),
            server: connection.server.clone(),
            context: connection.context.clone(),
            namespaces: self.namespaces.clone(),
            undoes: self.undoes.clone(),
        };
        Ok(journal(self.shell)?.begin(&self.cluster(), begin)?)
    }

    /// What identifies the cluster.
    pub fn cluster(&self) -> String {
        cluster_of(&self.connection, &self.identity)
    }

    fn report(&self, step: &Prepared, result: &StepResult) {
        let object = step.write.object();
        let name = kubectl_name(object);
        let verb = match (&step.write, result.outcome) {
            (_, Outcome::NotApplied) => "not changed",
            (_, Outcome::Ambiguous) => "unclear",
            (crate::backend::cluster::write::Write::Create { .. }, _) => "created",
            (crate::backend::cluster::write::Write::Delete { .. }, _) => "deleted",
            (crate::backend::cluster::write::Write::Patch { .. }, _) => "patched",
        };
        let why = if result.message.is_empty() { String::new() } else { format!(": {}", result.message) };
        self.shell.ui.note(&format!("{name} {verb}{why}"));
    }

    /// Waits for a rollout; says why it did not end.
    fn await_rollout(&mut self, object: &ObjectRef) -> Result<(), String> {
        let Some(timeout) = self.wait else { return Ok(()) };
        let name = kubectl_name(object);
        let spinner = spinner(self.shell, &name);
        let mut say = |what: &str| match &spinner {
            Some(spinner) => spinner.set_message(format!("{name}: {what}")),
            None => self.shell.ui.note(&format!("{name}: {what}")),
        };
        let interrupt = self.interrupt.clone();
        let waiting = async {
            tokio::select! {
                end = rollout::wait(&self.connection, object, timeout, &mut say) => Some(end),
                () = interrupt.wait() => None,
            }
        };
        let end = self.runtime.block_on(waiting);
        if let Some(spinner) = &spinner {
            spinner.finish_and_clear();
        }
        match end {
            Some(Progress::Failed(why)) => {
                self.needs_look = true;
                Err(format!("the rollout of {name} failed: {why}"))
            }
            Some(_) => {
                self.shell.ui.note(&format!("{name} rolled out"));
                Ok(())
            }
            None => {
                self.interrupted = true;
                Err(format!("interrupted while {name} was rolling out; it goes on by itself"))
            }
        }
    }

    /// Writes the last record and says how the run ended.
    pub fn close(&mut self, whole: bool) -> Result<(), CliError> {
        let status = match (self.interrupted, whole && !self.needs_look) {
            (true, _) => "interrupted",
            (false, true) => "done",
            (false, false) => "partial",
        };
        if let Some(writer) = &mut self.writer {
            let end = Record::End { status: status.to_owned(), time: jiff::Timestamp::now() };
            let code = if self.has_sent { code::LOOK } else { code::FAILED };
            writer.write(&end).map_err(|error| CliError::of(&error).code(code))?;
        }
        Ok(())
    }

    /// An error in the middle: if something was written before, it says where to look.
    pub fn close_after(&mut self, error: CliError) -> CliError {
        let Some(entry) = self.entry().map(str::to_owned) else { return error };
        let _ = self.close(false);
        if !self.has_sent {
            return error;
        }
        error.code(code::LOOK).hint(format!("`kubectl progrc history {entry}` shows what was done"))
    }
}

fn spinner(shell: &Shell, name: &str) -> Option<indicatif::ProgressBar> {
    if !shell.ui.is_interactive() {
        return None;
    }
    let spinner = indicatif::ProgressBar::new_spinner();
    spinner.set_message(format!("{name}: rolling out"));
    spinner.enable_steady_tick(Duration::from_millis(120));
    Some(spinner)
}

/// An object as kubectl names it: `deployment.apps/web`.
pub fn kubectl_name(object: &ObjectRef) -> String {
    let kind = object.kind.to_lowercase();
    match object.group() {
        "" => format!("{kind}/{}", object.name),
        group => format!("{kind}.{group}/{}", object.name),
    }
}
