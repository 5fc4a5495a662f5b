//! More pods for a workload that runs with fewer: the step, and what speaks against it. Shared by
//! the rules of high availability.

use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::capacity::{self, Obstacle};
use crate::model::workload::Workload;
use crate::model::{Inventory, Item};

/// Sets the number of pods through the `scale` subresource, which needs no right to change the
/// workload itself; in manifests in the manifest.
pub fn scale_step(inventory: &Inventory, workload: &Item<Workload>, pods: i64) -> Step {
    Step::Patch {
        object: workload.subject.clone(),
        subresource: inventory.is_live().then(|| "scale".to_owned()),
        edits: vec![Edit::set("/spec/replicas", pods)],
        expect: Vec::new(),
    }
}

/// Lowers a fix that raises the number of pods to what its guards leave. Obstacles that
/// `refuses` names, and those that make more pods impossible, stop it; the others leave it unsafe.
pub fn guard(
    fix: &mut Fix,
    inventory: &Inventory,
    workload: &Item<Workload>,
    pods: i64,
    refuses: fn(&Obstacle) -> bool,
) {
    for obstacle in capacity::obstacles(inventory, workload, pods) {
        if obstacle.refuses || refuses(&obstacle) {
            fix.refuse(obstacle.guard, obstacle.reason);
        } else {
            fix.demote(Applicability::Unsafe, obstacle.guard, obstacle.reason);
        }
    }
    let more = pods - workload.spec.replicas.unwrap_or(1);
    let spec = workload.template().map(|template| &template.spec);
    let short = spec.and_then(|spec| capacity::quota_shortage(inventory, workload.namespace(), spec, more.max(0)));
    if let Some(reason) = short {
        fix.demote(Applicability::Unsafe, "quota", reason);
    }
}

/// `1 pod`, `2 pods`.
pub fn pods(count: i64) -> String {
    let noun = if count == 1 { "pod" } else { "pods" };
    format!("{count} {noun}")
}
