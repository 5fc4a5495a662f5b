//! What a disruption budget covers, and how many evictions it allows.
//!
//! Sources: the reference documentation on disruption budgets ("Specifying a `PodDisruptionBudget`",
//! percentages round up) and the disruption controller (`getExpectedScale`), which adds up the
//! scales of the controllers of the selected pods. It fails at a controller without a scale and
//! passes over pods without a controller.

use std::sync::Arc;

use super::Item;
use super::capacity;
use super::inventory::{Inventory, is_top_level};
use super::policy::DisruptionBudget;
use super::workload::Workload;

/// The pods that a budget counts when every workload keeps only as many as it must.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// The pods of all workloads together.
    pub pods: i64,
    /// Where the number comes from, one line for each workload.
    pub sources: Vec<String>,
    /// Positions of the workloads.
    pub workloads: Vec<usize>,
    /// True if it also selects workloads that leave open how many pods count: a `DaemonSet`, or any
    /// that the controller can't count for this budget.
    pub unscaled: bool,
}

/// The workloads that a budget selects, and what they keep. Workloads at zero keep nothing, and
/// neither do jobs, which end. A pod without a controller is one. If pods of other controllers are
/// among them, the controller's own count stands in.
pub fn covered(inventory: &Inventory, budget: &Item<DisruptionBudget>) -> Covered {
    let mut covered = Covered::default();
    let Some(selector) = &budget.spec.selector else {
        return covered;
    };
    let by_pods = budget.spec.min_available.is_some() && !budget.counts_by_scale();
    let is_job = |position: usize| matches!(inventory.workloads.at(position).kind.as_str(), "CronJob" | "Job");
    for position in inventory.selected_workloads(budget.namespace(), selector) {
        let workload = inventory.workloads.at(position);
        if workload.is_idle() {
            continue;
        }
        if workload.kind == "DaemonSet" || !workload.is_scalable() && !by_pods {
            covered.unscaled = true;
        } else if workload.kind == "Pod" {
            covered.pods += 1;
            covered.sources.push(format!("1 = {}", workload.subject.short()));
            covered.workloads.push(position);
        } else if !is_job(position) {
            let floor = capacity::floor(inventory, position);
            covered.pods += floor.pods;
            let is_own = floor.source.is_in(&workload.subject);
            let of = if is_own { String::new() } else { format!(" of {}", workload.subject.short()) };
            covered.sources.push(format!("{}{of} = {}", floor.pods, floor.source));
            covered.workloads.push(position);
        }
    }
    let of_others = |owner: Option<usize>| {
        owner.is_none_or(|owner| covered.workloads.binary_search(&owner).is_err() && !is_job(owner))
    };
    let pods = inventory.selected_pods(budget.namespace(), selector);
    if budget.status.expected_pods > 0 && pods.iter().any(|(_, owner)| of_others(*owner)) {
        covered.pods = budget.status.expected_pods;
        covered.sources = vec![format!("{} = {} status.expectedPods", covered.pods, budget.subject.short())];
    }
    covered
}

/// Workloads that a budget selects and whose pods its controller can't count: a `DaemonSet`, a Job, a
/// `CronJob` and a pod without a controller have no scale. None if the budget needs no scale.
pub fn uncounted<'a>(inventory: &'a Inventory, budget: &Item<DisruptionBudget>) -> Vec<&'a Item<Workload>> {
    let Some(selector) = budget.spec.selector.as_ref().filter(|_| budget.counts_by_scale()) else {
        return Vec::new();
    };
    let selected = inventory.selected_workloads(budget.namespace(), selector).into_iter();
    let workloads = selected.map(|position| &**inventory.workloads.at(position));
    workloads.filter(|workload| !workload.is_scalable() && !workload.is_idle() && is_top_level(workload)).collect()
}

/// The numbers of a budget in words: `minAvailable 2`.
pub fn terms(budget: &DisruptionBudget) -> String {
    match (&budget.spec.min_available, &budget.spec.max_unavailable) {
        (Some(least), _) => format!("minAvailable {least}"),
        (None, Some(most)) => format!("maxUnavailable {most}"),
        (None, None) => "a budget without minAvailable and maxUnavailable".to_owned(),
    }
}

/// The budgets of a namespace of which each pair selects a pod or template together: for every
/// budget the positions of those that it shares one with, and what they share.
pub fn overlaps(inventory: &Inventory) -> Vec<Vec<(usize, String)>> {
    let mut shared: Vec<Vec<(usize, String)>> = vec![Vec::new(); inventory.budgets.len()];
    let mut note = |budgets: &[usize], what: &str| {
        for (at, first) in budgets.iter().enumerate() {
            for second in &budgets[at + 1..] {
                for (one, other) in [(*first, *second), (*second, *first)] {
                    if !shared[one].iter().any(|(known, _)| *known == other) {
                        shared[one].push((other, what.to_owned()));
                    }
                }
            }
        }
    };
    let position = |budget: &Arc<Item<DisruptionBudget>>| {
        inventory.budgets.position(budget.namespace(), "PodDisruptionBudget", budget.name())
    };
    for (at, workload) in inventory.workloads.iter().enumerate() {
        let budgets: Vec<usize> = inventory.budgets_of(at).filter_map(position).collect();
        if budgets.len() > 1 && !matches!(workload.kind.as_str(), "CronJob" | "Job") {
            note(&budgets, &workload.subject.short());
        }
    }
    let mut by_pod: std::collections::BTreeMap<(&str, &str), Vec<usize>> = std::collections::BTreeMap::new();
    for (at, budget) in inventory.budgets.iter().enumerate() {
        let Some(selector) = &budget.spec.selector else {
            continue;
        };
        for (pod, _) in inventory.selected_pods(budget.namespace(), selector) {
            by_pod.entry((pod.subject.namespace(), pod.name())).or_default().push(at);
        }
    }
    for ((_, pod), budgets) in by_pod.iter().filter(|(_, budgets)| budgets.len() > 1) {
        note(budgets, &format!("Pod/{pod}"));
    }
    shared
}
