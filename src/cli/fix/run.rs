//! The run of a command that writes: its journal entry, its requests, its rollouts.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::settled::{Failure, Settled};
use super::{DryRun, WriteArgs};
use crate::backend::change::{self, Prepared, Purpose, Refusal};
use crate::backend::cluster::checks::{self, Check};
use crate::backend::cluster::connect::Connection;
use crate::backend::cluster::load::Identity;
use crate::backend::cluster::rollout::Seen;
use crate::backend::cluster::write::{Options, Write};
use crate::backend::journal::{JournalError, Outcome, StepResult, Writer};
use crate::cli::Shell;
use crate::cli::error::{CliError, code};
use crate::cli::history::notice_open;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::cluster_of;
use crate::fix::Step;
use crate::model::{ObjectRef, Subject};

/// How often a step is built anew after it lost a race against another writer.
const RACES: usize = 3;

/// What happens after a write; by default, as for `undo`, rollouts are waited for and no more.
#[derive(Clone, Copy, Debug, Default)]
pub struct After {
    /// Takes a change back whose rollout or check fails.
    pub rollback: bool,
    /// Takes the whole batch back if one change of it fails.
    pub atomic: bool,
    /// Looks whether a change does what it should.
    pub checks: bool,
    /// How long what rolled out is watched; by its probes if nobody says.
    pub soak: Option<Duration>,
    /// True if nobody is asked: what can wait is looked at together at the end.
    pub batch: bool,
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
    /// What happens after a write.
    pub after: After,
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
    /// The hash of what was planned, for the journal.
    pub plan_hash: Option<String>,
    /// The namespaces that it is about; none for all.
    pub namespaces: Vec<String>,
    /// What is still to be looked at, each with the fix that it belongs to.
    pub(super) watchlist: Vec<(usize, Check)>,
    pub(super) wait: Option<Duration>,
    /// The workloads whose rollout was waited for, as they were seen last.
    pub(super) seen: Vec<(ObjectRef, Seen)>,
    pub(super) writer: Option<Writer>,
    pub(super) steps: usize,
    pub(super) has_sent: bool,
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
        Self::quiet(shell, runtime, connection, identity, write)
    }

    /// The same for who is about to settle those.
    pub fn quiet(
        shell: &'a Shell,
        runtime: &'a Runtime,
        connection: Arc<Connection>,
        identity: Identity,
        write: &WriteArgs,
    ) -> Self {
        Self {
            interrupt: Interrupt::listen(runtime, &shell.ui),
            options: write.options(),
            after: After::default(),
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
            plan_hash: None,
            watchlist: Vec::new(),
            seen: Vec::new(),
            writer: None,
            steps: 0,
            has_sent: false,
        }
    }

    /// The journal entry, once something was written.
    pub fn entry(&self) -> Option<&str> {
        self.writer.as_ref().map(Writer::id)
    }

    /// True if something that was written stands.
    pub fn stands(&self) -> bool {
        let unclear = |settled: &Settled| settled.results.iter().any(|it| it.1.outcome == Outcome::Ambiguous);
        self.settled.iter().any(|settled| (!settled.steps.is_empty() && !settled.taken_back) || unclear(settled))
    }

    /// True if rollouts are waited for.
    pub fn waits(&self) -> bool {
        self.wait.is_some()
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
    /// that is not carried out; takes the fix back if its rollout fails.
    pub fn apply(&mut self, purpose: &Purpose, object: &Subject, prepared: &[Prepared]) -> Result<bool, CliError> {
        let index = self.settled.len();
        self.settled.push(Settled::new(purpose, object));
        match self.carry_out(index, purpose, prepared)? {
            Some(failure) => self.fail(index, failure)?,
            None if !self.after.batch => self.look_after()?,
            None => {}
        }
        Ok(self.settled[index].failure.is_none())
    }

    /// Says that the fixes from this one on take effect with a later rollout of these workloads: if
    /// that fails, they are taken back with it.
    pub fn awaits(&mut self, from: usize, workloads: &[Subject]) {
        for settled in self.settled.iter_mut().skip(from) {
            settled.awaits.extend(workloads.iter().map(|workload| (**workload).clone()));
        }
    }

    fn carry_out(
        &mut self,
        index: usize,
        purpose: &Purpose,
        prepared: &[Prepared],
    ) -> Result<Option<Failure>, CliError> {
        for step in prepared {
            if self.interrupt.is_set() {
                return Ok(Some(Failure::Interrupted("interrupted before it was sent".to_owned())));
            }
            let check = self.check_before(&step.write);
            let (number, result) = self.commit_or_replan(purpose, step)?;
            let (outcome, message) = (result.outcome, result.message.clone());
            let settled = &mut self.settled[index];
            settled.results.push((step.write.object().clone(), result));
            if outcome != Outcome::Applied {
                self.needs_look |= outcome == Outcome::Ambiguous || settled.results.len() > 1;
                return Ok(Some(Failure::Step(message)));
            }
            settled.steps.push(number);
            // Nobody looks at what is there no more; a patch is followed by a look of its own.
            self.watchlist.retain(|(_, check)| !check.is_about(step.write.object()));
            self.watchlist.extend(check.map(|check| (index, check)));
            if step.rolls_out {
                let object = step.write.object();
                self.settled[index].rolled.push(object.clone());
                if let Err(failure) = self.await_rollout(step) {
                    return Ok(Some(failure));
                }
                let soak = self.check_rollout(object);
                self.watchlist.extend(soak.map(|check| (index, check)));
            }
        }
        Ok(None)
    }

    /// What has to be looked at after a request, as it is before.
    fn check_before(&self, write: &Write) -> Option<Check> {
        let wanted = self.after.checks && self.wait.is_some();
        wanted.then(|| self.runtime.block_on(checks::before(&self.connection, write))).flatten()
    }

    /// The pods of what rolled out, which are watched for a while.
    fn check_rollout(&self, object: &ObjectRef) -> Option<Check> {
        let wanted = self.after.checks && self.wait.is_some();
        let (_, seen) = self.seen.iter().find(|(other, _)| wanted && other.same(object))?;
        checks::rolled_out(object, seen)
    }

    /// Sends a step, and builds it anew if another writer was faster. The number of the step that
    /// stands, and its answer.
    fn commit_or_replan(&mut self, purpose: &Purpose, step: &Prepared) -> Result<(usize, StepResult), CliError> {
        let mut step = step.clone();
        for race in 1.. {
            let (number, result) = self.commit(purpose, &step)?;
            let lost = result.code == 409 && matches!(step.write, Write::Patch { .. });
            let Some(origin) = step.origin.clone().filter(|_| lost && race < RACES) else {
                self.report(&step, &result);
                return Ok((number, result));
            };
            self.shell.ui.detail(&format!("{}: another writer was faster", kubectl_name(step.write.object())));
            match self.prepare(&[origin]) {
                Ok(mut again) if !again.is_empty() => step = again.remove(0),
                Ok(_) => {
                    let message = "another writer has done it meanwhile".to_owned();
                    return Ok((number, StepResult { message, ..result }));
                }
                Err(refusal) => {
                    let result = StepResult { message: refusal.reasons.join("; "), ..result };
                    self.report(&step, &result);
                    return Ok((number, result));
                }
            }
        }
        unreachable!("the last race returns")
    }

    /// Journals and sends one request. Its number and its answer.
    pub(super) fn commit(&mut self, purpose: &Purpose, prepared: &Prepared) -> Result<(usize, StepResult), CliError> {
        let step = self.steps;
        self.steps += 1;
        self.begin()?;
        let name = kubectl_name(prepared.write.object());
        let id = self.entry().unwrap_or_default();
        let (recover, history) = (format!("`kubectl progrc recover {id}`"), format!("`kubectl progrc history {id}`"));
        let open = format!("The request to {name} has no answer yet: {history} shows it as open.");
        self.interrupt.in_flight(Some(open.clone()));
        let writer = self.writer.as_mut().expect("it was opened just now");
        let commit = change::commit(&self.connection, writer, step, purpose, prepared, &self.options);
        let (interrupt, shell) = (self.interrupt.clone(), self.shell);
        let patience = async {
            interrupt.wait().await;
            shell.ui.note(&format!("Waiting for the answer about {name}; Ctrl-C once more leaves at once."));
            std::future::pending::<()>().await;
        };
        let result = self.runtime.block_on(async {
            tokio::select! {
                biased;
                result = commit => Some(result),
                () = interrupt.wait_urgent() => None,
                () = patience => None,
            }
        });
        self.interrupt.in_flight(None);
        self.connection.warnings().drain().iter().for_each(|warning| self.shell.ui.warn(warning));
        let Some(result) = result else {
            (self.interrupted, self.has_sent) = (true, true);
            let hint = format!("{recover} finds out what became of it");
            return Err(CliError::new(format!("interrupted. {open}")).code(code::LOOK).hint(hint));
        };
        self.has_sent |= matches!(result, Ok(_) | Err(JournalError::Unanswered(_)));
        let result = result.map_err(|error| CliError::of(&error).hint("nothing is written without the journal"))?;
        Ok((step, result))
    }

    /// What identifies the cluster.
    pub fn cluster(&self) -> String {
        cluster_of(&self.connection, &self.identity)
    }

    /// Says what became of a request.
    pub(super) fn report(&self, step: &Prepared, result: &StepResult) {
        let name = kubectl_name(step.write.object());
        let verb = match (&step.write, result.outcome) {
            (_, Outcome::NotApplied) => "not changed",
            (_, Outcome::Ambiguous) => "unclear",
            (Write::Create { .. }, _) => "created",
            (Write::Delete { .. }, _) => "deleted",
            (Write::Patch { .. }, _) => "patched",
        };
        let why = if result.message.is_empty() { String::new() } else { format!(": {}", result.message) };
        self.shell.ui.note(&format!("{name} {verb}{why}"));
    }
}

/// An object as kubectl names it: `deployment.apps/web`.
pub fn kubectl_name(object: &ObjectRef) -> String {
    let kind = object.kind.to_lowercase();
    match object.group() {
        "" => format!("{kind}/{}", object.name),
        group => format!("{kind}.{group}/{}", object.name),
    }
}
