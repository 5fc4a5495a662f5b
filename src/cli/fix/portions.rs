//! Fixes whose later steps can't be tried before the earlier ones are real.

use std::time::Duration;

use super::preflight::{self, Fresh};
use super::run::Run;
use crate::backend::change::{Prepared, Purpose};
use crate::backend::cluster::condition;
use crate::cli::error::CliError;
use crate::fix::Step;
use crate::model::Subject;

/// Applies a fix: the first portion as it was tried, each later one when it can be tried.
pub(super) fn apply(
    run: &mut Run<'_>,
    timeout: Option<Duration>,
    purpose: &Purpose,
    object: &Subject,
    (first, later): (&[Prepared], &[Vec<Step>]),
) -> Result<bool, CliError> {
    let mut whole = run.apply(purpose, object, first)?;
    let rest = Purpose { title: format!("{} (continued)", purpose.title), ..purpose.clone() };
    for steps in later {
        if !whole {
            break;
        }
        let tried = wait_for(run, timeout, steps).and_then(|()| {
            let portion = [steps.clone()];
            let tried = preflight::prepare(run, &Fresh::default(), &portion).pop().expect("one for each portion");
            tried.map_err(|refusal| refusal.reasons.join("; "))
        });
        whole = match tried {
            Ok(prepared) => run.apply(&rest, object, &prepared)?,
            Err(reason) => {
                run.needs_look = true;
                run.settled.last_mut().expect("the first portion is settled").failure = Some(reason);
                false
            }
        };
    }
    Ok(whole)
}

/// Waits for the conditions that a portion begins with.
fn wait_for(run: &Run<'_>, timeout: Option<Duration>, steps: &[Step]) -> Result<(), String> {
    for step in steps {
        let Step::Wait { object, condition } = step else { continue };
        let name = object.short();
        let Some(timeout) = timeout else {
            return Err(format!("the rest needs {name} to be {condition}, which --wait=false does not wait for"));
        };
        run.shell.ui.note(&format!("Waiting until {name} is {condition}"));
        let interrupt = run.interrupt.clone();
        let waiting = async {
            tokio::select! {
                end = condition::wait(&run.connection, object, condition, timeout) => end,
                () = interrupt.wait() => Err(format!("interrupted while waiting for {name}")),
            }
        };
        run.runtime.block_on(waiting)?;
    }
    Ok(())
}

/// What can't be tried yet, one line a step.
pub(super) fn outlook(later: &[Vec<Step>]) -> Vec<String> {
    let verb = |step: &Step| match step {
        Step::Patch { .. } => "changes",
        Step::Create { .. } => "creates",
        Step::Delete { .. } => "deletes",
        Step::Restart { .. } => "restarts",
        Step::Wait { .. } => "waits for",
    };
    later
        .iter()
        .flatten()
        .map(|step| format!("then {} {}: tried when the steps before are real", verb(step), step.object().short()))
        .collect()
}
