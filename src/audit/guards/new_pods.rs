//! New pods of a rollout: they must be let in, and find room beside the old ones.
//!
//! What refuses every pod stops a fix, and so does a quota by which a pod that ended would not come
//! back. Room may still come, so that its lack is said and lowers; a volume that one pod may mount
//! never has any. The pods are judged by the template as the fix leaves it, beside the old ones with
//! that of today.

use crate::fix::{Applicability, Fix, LoweredBy, Step, patch};
use crate::model::capacity::{self, Obstacle};
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, admission, room};

/// Lowers or stops a fix for what its rollout of a workload meets.
pub(super) fn guard(inventory: &Inventory, fix: &mut Fix, old: &Item<Workload>) {
    if !inventory.is_live() || old.is_idle() {
        return;
    }
    let alone = changed(inventory, fix, old);
    let new: &Item<Workload> = alone.as_ref().map_or(old, |alone| alone.workloads.at(0));
    let name = old.subject.short();
    for obstacle in admission::refusals_after(inventory, old, new) {
        let reason = format!("new pods of {name} would be refused: {}", obstacle.reason);
        lower(fix, &obstacle, obstacle.refuses, reason);
    }
    let (surge, missing) = old.surge_and_unavailable(old.replicas());
    let gone = if old.strategy_kind() == "Recreate" || surge == 0 { missing.max(1) } else { missing };
    guard_room(inventory, fix, (old, new), surge, gone);
    let back = if alone.is_some() { admission::refusals(inventory, old) } else { Vec::new() };
    for obstacle in back.into_iter().filter(|obstacle| obstacle.refuses) {
        if gone > 0 {
            let begins = format!("pods of {name} end before new ones are ready, and if those fail none come back");
            lower(fix, &obstacle, true, format!("{begins}: {}", obstacle.reason));
        } else if !fix.is_refused() {
            let begins = "undo will not take it back as things are, for pods of today's template are refused";
            fix.notes.push(format!("{begins}: {}", obstacle.reason));
        }
    }
}

/// Whether there is room for the new pods beside the old ones, and for as many of them in the end.
fn guard_room(
    inventory: &Inventory,
    fix: &mut Fix,
    (old, new): (&Item<Workload>, &Item<Workload>),
    surge: i64,
    gone: i64,
) {
    let Some(template) = new.template() else { return };
    let name = old.subject.short();
    let all = old.wanted_pods().max(1);
    let short = |more, freed| admission::shortage_after(inventory, (old, freed), (new, more));
    // In the end all are new, and a new one may take more than an old one.
    let lasting = if gone > 0 { None } else { short(1, 0) }.or_else(|| short(all, all));
    if surge == 0 {
        if let Some(obstacle) = lasting {
            let reason = format!("a pod of {name} that ends would not come back: {}", obstacle.reason);
            lower(fix, &obstacle, obstacle.known, reason);
        }
        return;
    }
    let begins = format!("a restart of {name} starts a new pod before an old one ends, and");
    let (lost, end) = match &lasting {
        Some(obstacle) if gone > 0 => (obstacle.known, ": those that end would not come back"),
        Some(_) => (false, ": it would not end"),
        None => (false, ""),
    };
    if let Some(obstacle) = short(1, 0).or(lasting) {
        lower(fix, &obstacle, lost, format!("{begins} {}{end}", obstacle.reason));
    }
    for obstacle in capacity::obstacles(inventory, new, old.replicas() + 1) {
        let reason = format!("{begins} {}", obstacle.reason);
        match obstacle.guard {
            "volume" => lower(fix, &obstacle, obstacle.refuses && gone == 0, reason),
            "nodes" => lower(fix, &obstacle, false, reason),
            _ => {}
        }
    }
    if let Some(obstacle) = room::shortage(inventory, &template.spec, 1) {
        lower(fix, &obstacle, false, format!("{begins} {}", obstacle.reason));
    }
}

/// The workload alone as a fix leaves it; `None` if the fix changes no field of it.
fn changed(inventory: &Inventory, fix: &Fix, workload: &Item<Workload>) -> Option<Inventory> {
    let mut after = None;
    for step in &fix.steps {
        let Step::Patch { object, edits, subresource: None, .. } = step else { continue };
        if object.same(&workload.subject) {
            let before = after.take().or_else(|| inventory.projection(object))?;
            after = Some(patch::build(&before, edits, &[]).ok()?.after);
        }
    }
    let mut alone = Inventory::default();
    alone.add(&workload.subject.api_version, &workload.subject.kind, after?, None).ok()?;
    Some(alone)
}

/// Lowers a fix for an obstacle, unless its rule has said as much.
fn lower(fix: &mut Fix, obstacle: &Obstacle, refuses: bool, reason: String) {
    let said = |lowered: &LoweredBy| lowered.guard == obstacle.guard && (lowered.refuses || !refuses);
    if fix.lowered_by.iter().any(said) {
        return;
    }
    if refuses {
        fix.refuse(obstacle.guard, reason);
    } else if obstacle.is_hint() {
        fix.notes.push(reason);
    } else {
        fix.demote(Applicability::Unsafe, obstacle.guard, reason);
    }
}
