//! Backups that CronJobs run.

use std::collections::BTreeMap;

use super::{Fault, State, age, stale, tell};
use crate::finding::Location;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item};
use crate::rules::rule::{Context, Verdicts};

pub(super) fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let last = last_jobs(inventory);
    for job in &inventory.backups().jobs {
        let workload = inventory.workloads.at(job.workload);
        if workload.kind == "CronJob" && inventory.scope.covers(workload.namespace()) {
            let run = workload.metadata.uid.as_deref().and_then(|uid| last.get(uid)).copied();
            tell(context, verdicts, workload, state(inventory, workload, run));
        }
    }
}

/// The Job that ended last, by the uid of what made it.
fn last_jobs(inventory: &Inventory) -> BTreeMap<&str, &Item<Workload>> {
    let mut out: BTreeMap<&str, &Item<Workload>> = BTreeMap::new();
    let ended = inventory.workloads.iter().filter(|workload| workload.kind == "Job" && workload.is_finished());
    for job in ended {
        let Some(owner) = job.metadata.controller() else { continue };
        let newer = out
            .get(owner.uid.as_str())
            .is_none_or(|known| known.metadata.creation_timestamp < job.metadata.creation_timestamp);
        if newer {
            out.insert(&owner.uid, job);
        }
    }
    out
}

fn state(inventory: &Inventory, workload: &Item<Workload>, run: Option<&Item<Workload>>) -> State {
    if workload.spec.suspend == Some(true) {
        let at = Location::at("/spec/suspend").values(Some(true.into()), Some(false.into()));
        return stale(Fault::new("is suspended and makes no backups", at));
    }
    if !inventory.is_live() {
        return State::Open("whether it runs and succeeds does not show in files".to_owned());
    }
    let plan = workload.spec.schedule.as_deref().unwrap_or_default();
    let (last, made) = (workload.status.last_successful_time, workload.metadata.creation_timestamp);
    let aged = age(inventory.taken_at, plan, last, made, "/status/lastSuccessfulTime");
    let failed = run.and_then(|job| {
        let failed =
            job.status.conditions.iter().find(|condition| condition.kind == "Failed" && condition.status == "True")?;
        Some((job, failed))
    });
    let Some((job, condition)) = failed else {
        return aged;
    };
    let because = format!("{} failed: {} {}", job.subject.short(), condition.reason, condition.message);
    if let State::Stale(fault) = aged {
        return stale(fault.because(because.trim()));
    }
    let index = job.status.conditions.iter().position(|other| other.kind == "Failed").unwrap_or_default();
    let at = Location::at(format!("/status/conditions/{index}")).of(&job.subject).named("/status/conditions/Failed");
    stale(Fault::new("its last run failed", at).because(because.trim()))
}
