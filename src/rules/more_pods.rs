//! More pods for a workload that runs with fewer: the step, and what speaks against it. Shared by
//! the rules of high availability.

use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::capacity::{self, Obstacle};
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, admission, room};

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
    for obstacle in room(inventory, workload, pods - workload.spec.replicas.unwrap_or(1)) {
        if refuses(&obstacle) {
            fix.refuse(obstacle.guard, obstacle.reason);
        } else if obstacle.is_hint() {
            fix.notes.push(obstacle.reason);
        } else {
            fix.demote(Applicability::Unsafe, obstacle.guard, obstacle.reason);
        }
    }
}

/// Why `more` pods may not be let in, or find no node. Only a live cluster has either.
fn room(inventory: &Inventory, workload: &Item<Workload>, more: i64) -> Vec<Obstacle> {
    let Some(template) = workload.template().filter(|_| inventory.is_live() && more > 0) else { return Vec::new() };
    let mut out = admission::refusals(inventory, workload);
    out.extend(admission::shortage(inventory, workload, more, 0));
    out.extend(room::shortage(inventory, &template.spec, more));
    out
}

/// `1 pod`, `2 pods`.
pub fn pods(count: i64) -> String {
    let noun = if count == 1 { "pod" } else { "pods" };
    format!("{count} {noun}")
}
