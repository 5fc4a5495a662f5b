//! One wave of a batch: read again, judge again, let the server try all of it, then write one by one.

use std::collections::BTreeSet;

use super::super::preflight::{self, Now};
use super::super::settled::Settled;
use super::super::{is_allowed, not_offered, portions, purpose_of, step_diff};
use super::{Attempt, Batch, Out, pinned, planned};
use crate::backend::change::{Prepared, Purpose, Refusal};
use crate::cli::error::CliError;
use crate::cli::session::offered;
use crate::finding::Finding;
use crate::fix::Step;
use crate::model::{ObjectRef, Subject};
use crate::plan::merge;

/// What the server said to a portion.
type Tried = Result<Vec<Prepared>, Refusal>;

impl Batch<'_, '_> {
    /// Applies the parts of a wave.
    pub(super) fn apply_wave(&mut self, wave: &[usize]) -> Result<(), CliError> {
        if self.has_to_stop() {
            wave.iter().for_each(|part| self.leave(&self.attempt(*part)));
            return Ok(());
        }
        let attempts = self.confirmed(wave);
        let tried = self.try_wave(&attempts);
        for (attempt, tried) in attempts.iter().zip(tried) {
            self.apply(attempt, tried)?;
        }
        Ok(())
    }

    /// `--dry-run=server`: the server tries everything that does not need an earlier step, nothing
    /// is written.
    pub(super) fn try_all(&mut self) {
        let all: Vec<usize> = (0..self.parts.len()).collect();
        let attempts = self.confirmed(&all);
        let tried = self.try_wave(&attempts);
        for (attempt, tried) in attempts.iter().zip(tried) {
            if let Err(refusal) = tried {
                attempt.fixes.iter().for_each(|fix| self.refuse(*fix, reasons(&refusal)));
            }
        }
        let ui = &self.run.shell.ui;
        for (index, (_, fix)) in self.chosen.iter().enumerate() {
            match self.out.get(&index) {
                Some(out) => ui.note(&format!("{}: refused: {} (server dry run)", fix.title, out.reason)),
                None => ui.note(&format!("{} (server dry run)", fix.title)),
            }
            let later =
                attempts.iter().filter(|it| it.fixes.contains(&index)).flat_map(|it| it.portions.iter().skip(1));
            portions::outlook(&later.cloned().collect::<Vec<_>>())
                .iter()
                .for_each(|line| ui.note(&format!("  {line}")));
        }
    }

    fn has_to_stop(&mut self) -> bool {
        self.run.interrupted |= self.run.interrupt.is_set();
        self.run.interrupted || (self.stopped && !self.args.keep_going)
    }

    /// Leaves the fixes of a part that is not begun any more. What is half done needs a look.
    fn leave(&mut self, attempt: &Attempt) {
        for fix in &attempt.fixes {
            let half = self.begun.contains(fix);
            let reason = match &attempt.workload {
                Some(workload) if half => format!("{} was not restarted, after the stop", workload.short()),
                _ => "not begun, after the stop".to_owned(),
            };
            self.run.needs_look |= half;
            self.out.entry(*fix).or_insert(Out { reason, counts: true });
        }
    }

    /// The parts of a wave as fresh objects leave them: what is gone or has changed its mind is out.
    fn confirmed(&mut self, wave: &[usize]) -> Vec<Attempt> {
        let attempts: Vec<Attempt> = wave.iter().map(|part| self.attempt(*part)).collect();
        let mut fixes: Vec<usize> = attempts.iter().flat_map(|attempt| attempt.fixes.iter().copied()).collect();
        fixes.retain(|fix| !self.begun.contains(fix));
        fixes.sort_unstable();
        fixes.dedup();
        let trials = self.trials(&attempts);
        let steps = attempts.iter().flat_map(|it| it.portions.iter().take(1)).chain(trials.iter().map(|(.., it)| it));
        let findings: Vec<&Finding> = fixes.iter().map(|fix| &self.chosen[*fix].0).collect();
        let written = self.written_before(&fixes);
        self.fresh = preflight::read(self.run, self.session, findings.iter().copied(), steps.flatten(), &written);
        let now = preflight::judge(self.session, &findings);
        let others = self.anew.len();
        for (fix, now) in fixes.into_iter().zip(now) {
            self.take(fix, now);
        }
        if self.anew.len() > others {
            self.make_together();
        }
        wave.iter().map(|part| self.attempt(*part)).collect()
    }

    /// What those have written that come before some fixes. The fixes of a plan do not build on each
    /// other.
    fn written_before(&self, fixes: &[usize]) -> Vec<ObjectRef> {
        let earlier = fixes.iter().flat_map(|fix| &self.before[*fix]).filter(|fix| self.begun.contains(fix));
        let earlier: BTreeSet<&usize> = earlier.filter(|_| !self.args.as_planned).collect();
        let steps = earlier.into_iter().flat_map(|fix| &self.chosen[*fix].1.steps).filter(|step| step.writes());
        steps.map(|step| (**step.object()).clone()).collect()
    }

    /// What the fixes make together, as they are built by now.
    fn make_together(&mut self) {
        let planned = planned(&self.chosen, self.session);
        let places: Vec<usize> = (0..planned.len()).filter(|fix| !self.out.contains_key(fix)).collect();
        let (manifests, others) = merge::creations(&planned, &places);
        self.manifests = manifests;
        others.into_iter().for_each(|(fix, reason)| self.refuse(fix, reason));
    }

    fn take(&mut self, fix: usize, now: Now) {
        match now {
            Now::Holds(finding) if self.args.as_planned => {
                let kept = &self.chosen[fix].1;
                let same = offered(&finding).is_some_and(|built| built.does_the_same(kept));
                if let Some(why) = not_offered(&finding).or((!same).then(|| "it is not the planned one".to_owned())) {
                    self.refuse(fix, format!("its fix is another one by now: {why}"));
                }
            }
            Now::Holds(finding) => match offered(&finding) {
                Some(built)
                    if not_offered(&finding).is_none() && is_allowed(&finding, built, self.args.unsafe_fixes) =>
                {
                    let built = pinned(built, self.session);
                    if !built.does_the_same(&self.chosen[fix].1) {
                        self.anew.insert(fix);
                    }
                    self.chosen[fix] = (*finding, built);
                }
                _ => {
                    let why = not_offered(&finding).unwrap_or_else(|| "the flags do not allow it".to_owned());
                    self.refuse(fix, format!("its fix is another one by now: {why}"));
                }
            },
            Now::Gone(reason) => {
                self.out.entry(fix).or_insert(Out { reason, counts: false });
            }
            Now::Unclear(reason) => self.refuse(fix, reason),
        }
    }

    /// What a fix replaces the pods of later, to be tried before its first write: a restart that
    /// the server refuses would leave it half done.
    fn trials(&self, attempts: &[Attempt]) -> Vec<(usize, Subject, Vec<Step>)> {
        let mut out: Vec<(usize, Subject, Vec<Step>)> = Vec::new();
        let heads = attempts.iter().filter(|attempt| attempt.workload.is_none());
        for fix in heads.flat_map(|attempt| attempt.fixes.iter().copied()) {
            let steps = &self.chosen[fix].1.steps;
            for workload in merge::rollouts(&self.chosen[fix].1) {
                let trial = merge::one_rollout(steps.iter(), &workload);
                let plain = matches!(trial.as_slice(), [Step::Restart { .. }]);
                let known = self.tried.iter().chain(out.iter().map(|(_, it, _)| it)).any(|it| it.same(&workload));
                if !(plain && known) {
                    out.push((fix, workload, trial));
                }
            }
        }
        out
    }

    /// Lets the server try a wave, several parts at a time.
    fn try_wave(&mut self, attempts: &[Attempt]) -> Vec<Tried> {
        let trials = self.trials(attempts);
        let first = attempts.iter().map(|attempt| attempt.portions.first().cloned().unwrap_or_default());
        let all: Vec<Vec<Step>> = first.chain(trials.iter().map(|(.., steps)| steps.clone())).collect();
        let mut tried = preflight::prepare(self.run, &self.fresh, &all);
        for ((fix, workload, _), answer) in trials.into_iter().zip(tried.split_off(attempts.len())) {
            match answer {
                Ok(_) => self.tried.push(workload),
                Err(refusal) => {
                    let reason = format!("{} would not roll out: {}", workload.short(), reasons(&refusal));
                    self.refuse(fix, reason);
                }
            }
        }
        tried
    }

    fn apply(&mut self, attempt: &Attempt, tried: Tried) -> Result<(), CliError> {
        let fixes: Vec<usize> = attempt.fixes.iter().copied().filter(|fix| !self.out.contains_key(fix)).collect();
        let Some(first) = fixes.first().copied() else { return Ok(()) };
        if self.has_to_stop() {
            self.leave(attempt);
            return Ok(());
        }
        let prepared = match tried {
            Ok(prepared) => prepared,
            Err(refusal) => {
                // A value that is written and that no pod reads yet is half a fix.
                let half = fixes.iter().any(|fix| self.begun.contains(fix));
                self.run.needs_look |= half;
                self.stopped |= half || self.run.after.atomic;
                fixes.iter().for_each(|fix| self.refuse(*fix, reasons(&refusal)));
                return Ok(());
            }
        };
        self.show_anew(&fixes, &prepared);
        let purpose = self.purpose(attempt, &fixes);
        let object = self.chosen[first].0.object.clone();
        let later = attempt.portions.get(1..).unwrap_or_default();
        let begun = self.run.settled.len();
        let whole = portions::apply(self.run, self.args.write.patience(), &purpose, &object, (&prepared, later))?;
        if attempt.workload.is_none() {
            let later: Vec<Subject> = fixes.iter().flat_map(|fix| merge::rollouts(&self.chosen[*fix].1)).collect();
            self.run.awaits(begun, &later);
        }
        self.tell(attempt, &fixes);
        if whole {
            let made = attempt.portions.iter().flatten().filter(|step| matches!(step, Step::Create { .. }));
            self.made.extend(made.map(|step| step.object().clone()));
            self.begun.extend(fixes);
        } else {
            self.stopped = true;
            let reason = self.run.last_failure();
            fixes.iter().for_each(|fix| self.refuse(*fix, reason.clone()));
        }
        Ok(())
    }

    /// Shows what is about to be written where it is not what the batch began with.
    fn show_anew(&self, fixes: &[usize], prepared: &[Prepared]) {
        let anew: Vec<&usize> = fixes.iter().filter(|fix| self.anew.contains(fix)).collect();
        for fix in &anew {
            let title = &self.chosen[**fix].1.title;
            self.run.shell.ui.note(&format!("{title}: what it rests on has changed, and it is built anew"));
        }
        if !anew.is_empty() {
            self.run.shell.ui.note_lines(&prepared.iter().flat_map(step_diff).collect::<Vec<_>>());
        }
    }

    /// What the journal says about a part: the fix, or the restart, or every change of one template.
    fn purpose(&self, attempt: &Attempt, fixes: &[usize]) -> Purpose {
        let (finding, fix) = &self.chosen[fixes[0]];
        let mut purpose = purpose_of(finding, fix);
        if let Some(workload) = &attempt.workload {
            let changes = |fix: &&usize| {
                let patch = |it: &Step| matches!(it, Step::Patch { .. }) && it.object().same(workload);
                self.chosen[**fix].1.steps.iter().any(|step| merge::rolls_out(step) && patch(step))
            };
            let titles: Vec<&str> =
                fixes.iter().filter(changes).map(|fix| self.chosen[*fix].1.title.as_str()).collect();
            purpose.title = if titles.is_empty() { format!("Restart {}", workload.short()) } else { titles.join("; ") };
        }
        purpose
    }

    /// A rollout for several fixes is one line for each of them that consists of nothing else.
    fn tell(&mut self, attempt: &Attempt, fixes: &[usize]) {
        let whole = |fix: &&usize| merge::head(&self.chosen[**fix].1).is_empty();
        let alone: Vec<usize> = fixes.iter().filter(whole).copied().collect();
        let Some(settled) = self.run.settled.last().filter(|_| attempt.workload.is_some()).cloned() else { return };
        for (number, fix) in alone.into_iter().enumerate() {
            let (finding, fix) = &self.chosen[fix];
            let (rule, title, object) = (finding.rule.to_owned(), fix.title.clone(), finding.object.clone());
            match self.run.settled.last_mut() {
                // The first has the answers.
                Some(last) if number == 0 => (last.rule, last.title, last.object) = (rule, title, object),
                _ => self.run.settled.push(Settled { rule, title, object, results: Vec::new(), ..settled.clone() }),
            }
        }
    }
}

fn reasons(refusal: &Refusal) -> String {
    let hint = refusal.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{}{hint}", refusal.reasons.join("; "))
}
