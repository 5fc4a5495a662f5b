//! Taking back what a run has just done: a fix whose rollout or check fails, or all of them.

use std::collections::BTreeSet;

use super::run::{Run, kubectl_name};
use super::settled::{Failure, Settled, related};
use crate::backend::change::{self, Prepared, Purpose};
use crate::backend::cluster::rollout;
use crate::backend::cluster::write::Write;
use crate::backend::journal::{Outcome, Record, StepEntry};
use crate::backend::undo::{self, Back};
use crate::cli::error::CliError;
use crate::cli::history::journal;
use crate::cli::prompt;
use crate::model::ObjectRef;

impl Run<'_> {
    /// Settles a fix that is not whole.
    pub(super) fn fail(&mut self, index: usize, failure: Failure) -> Result<(), CliError> {
        let (why, back) = match failure {
            Failure::Step(why) => (why, false),
            Failure::Rollout(why) => {
                self.needs_look = true;
                (why, self.after.rollback)
            }
            Failure::Interrupted(why) => {
                self.interrupted = true;
                (why, false)
            }
            Failure::Unwanted(why) => {
                self.interrupted = true;
                (why, true)
            }
        };
        self.settled[index].failure = Some(why.clone());
        if back {
            let which = related(&self.settled, index);
            self.take_back(&which, &why)?;
        }
        Ok(())
    }

    /// Takes back all that stands of this run: `--atomic`. True if nothing of it is left.
    pub fn take_all_back(&mut self, why: &str) -> Result<bool, CliError> {
        let stands = |number: &usize| !self.settled[*number].taken_back && !self.settled[*number].steps.is_empty();
        let which: Vec<usize> = (0..self.settled.len()).filter(stands).collect();
        self.needs_look |= !which.is_empty();
        self.take_back(&which, why)
    }

    /// Takes fixes back in reverse order, and stops at the first step that can't be. True if
    /// nothing of them is left.
    pub(super) fn take_back(&mut self, which: &[usize], why: &str) -> Result<bool, CliError> {
        let steps: BTreeSet<usize> = which.iter().flat_map(|number| self.settled[*number].steps.clone()).collect();
        let Some(id) = self.entry().map(str::to_owned).filter(|_| !steps.is_empty()) else { return Ok(true) };
        self.watchlist.retain(|(number, _)| !which.contains(number));
        self.shell.ui.note(&format!("Taking it back: {why}"));
        let record = Record::Rollback {
            steps: steps.iter().copied().collect(),
            reason: why.to_owned(),
            time: jiff::Timestamp::now(),
        };
        self.record(&record)?;
        let entry = journal(self.shell)?.entry(&id)?;
        let mut left = None;
        for step in undo::order(&entry, None).into_iter().filter(|step| steps.contains(&step.intent.step)) {
            if let Err(why) = self.take_step_back(step)? {
                left = Some(format!("{}: {why}", kubectl_name(&step.intent.object)));
                break;
            }
        }
        // Fixes that share a rollout share its steps.
        let touched = |settled: &&mut Settled| settled.steps.iter().any(|step| steps.contains(step));
        for settled in self.settled.iter_mut().filter(touched) {
            let failure = settled.failure.take().unwrap_or_else(|| why.to_owned());
            settled.taken_back = left.is_none();
            settled.failure = Some(match &left {
                None => format!("{failure}; taken back"),
                Some(left) => format!("{failure}; not all of it could be taken back: {left}"),
            });
        }
        self.needs_look |= left.is_some();
        if let Some(left) = &left {
            self.shell.ui.warn(&format!("not taken back: {left}; there is no transaction in Kubernetes"));
        }
        Ok(left.is_none())
    }

    /// Takes one step back and waits for what that rolls out; says why it can't.
    fn take_step_back(&mut self, step: &StepEntry) -> Result<Result<(), String>, CliError> {
        let object = &step.intent.object;
        let prepared = match self.runtime.block_on(undo::prepare(&self.connection, step, &self.options, false)) {
            Back::Ready(prepared) => Prepared { takes_back: Some(step.intent.step), ..*prepared },
            Back::Nothing(why) => {
                self.shell.ui.note(&format!("{}: {why}", kubectl_name(object)));
                return Ok(Ok(()));
            }
            Back::Part(_, lines) | Back::Refused(lines) => return Ok(Err(lines.join("; "))),
        };
        let purpose = Purpose {
            rule: step.intent.rule.clone(),
            title: format!("Roll back: {}", step.intent.title),
            irreversible: None,
            awaits: Vec::new(),
        };
        let (_, result) = self.commit(&purpose, &prepared)?;
        self.report(&prepared, &result);
        if result.outcome != Outcome::Applied {
            return Ok(Err(result.message));
        }
        if !prepared.rolls_out || self.wait.is_none() {
            return Ok(Ok(()));
        }
        if object.kind == "StatefulSet" {
            self.replace_stuck_pods(object, step.intent.step, &purpose)?;
        }
        Ok(match self.await_rollout(&prepared) {
            Ok(()) => Ok(()),
            Err(Failure::Rollout(why) | Failure::Step(why)) => Err(why),
            Err(Failure::Interrupted(why) | Failure::Unwanted(why)) => {
                self.interrupted = true;
                Err(why)
            }
        })
    }

    /// A StatefulSet waits for a broken pod before it replaces it, for ever: the pods of the
    /// failed template that are not ready are deleted, so that they are made anew from the old one.
    fn replace_stuck_pods(&mut self, object: &ObjectRef, step: usize, purpose: &Purpose) -> Result<(), CliError> {
        let pods = match self.runtime.block_on(rollout::outdated_pods(&self.connection, object)) {
            Ok(pods) => pods,
            Err(why) => {
                self.shell.ui.warn(&format!("{}: {why}", kubectl_name(object)));
                return Ok(());
            }
        };
        for (pod, uid, live) in pods {
            let name = kubectl_name(&pod);
            let question = format!("{name} is stuck with the failed template. Delete it, so that it is made anew?");
            let consent = self.after.batch || prompt::confirm(&self.shell.ui, &self.interrupt, &question)?;
            if !consent {
                self.shell.ui.note(&format!("{name} stays; `kubectl delete {name}` lets it be made anew"));
                continue;
            }
            let write = Write::Delete { object: pod, uid };
            let tried = self.runtime.block_on(change::dry_run(&self.connection, write, Some(live), &self.options));
            match tried {
                Ok(tried) => {
                    let prepared = Prepared { takes_back: Some(step), after: None, ..tried };
                    let (_, result) = self.commit(purpose, &prepared)?;
                    self.report(&prepared, &result);
                }
                Err(refusal) => self.shell.ui.warn(&format!("{name}: {}", refusal.reasons.join("; "))),
            }
        }
        Ok(())
    }
}
