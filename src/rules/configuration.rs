//! What the fixes of several rules share when they change a value of a `ConfigMap`: guards of the
//! object, and the restarts without which nobody sees the new value.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::finding::Finding;
use crate::fix::{Applicability, Fix, Step};
use crate::model::cluster::ConfigMap;
use crate::model::consumers::{Consumer, is_reloaded};
use crate::model::workload::Workload;
use crate::model::{Inventory, Item};

static HASH: LazyLock<Regex> = LazyLock::new(|| Regex::new("-([0-9a-z]{10})$").expect("a constant pattern"));

/// True if the name ends with the hash of a kustomize build. A word of ten letters, as in
/// `app-middleware`, is none: kustomize writes no vowels and few letters.
pub fn has_kustomize_hash(name: &str) -> bool {
    let Some(found) = HASH.captures(name) else {
        return false;
    };
    let suffix = &found[1];
    suffix.bytes().any(|c| c.is_ascii_digit()) || suffix.chars().all(|c| "bcdfghkmt".contains(c))
}

/// Stops or lowers a fix for what the `ConfigMap` is. True if it can be patched at all.
pub fn guard(fix: &mut Fix, map: &Item<ConfigMap>) -> bool {
    if has_kustomize_hash(map.name()) {
        let reason = format!(
            "{} is named by kustomize: the next build makes another; change the generator",
            map.subject.short()
        );
        fix.demote(Applicability::Manual, "kustomize-hash", reason);
    }
    if map.immutable != Some(true) {
        return true;
    }
    let name = map.subject.short();
    fix.refuse("immutable", format!("{name} is immutable, which can't be unset"));
    fix.notes.push(format!("create a copy of {name} with another name and the wanted value"));
    fix.notes.push("switch the references of its consumers to the copy, which restarts them".into());
    fix.notes.push(format!("delete {name} once no pod uses it"));
    false
}

/// Tells in the evidence who takes the value, and how.
pub fn tell_takers(inventory: &Inventory, finding: Finding, takers: &[Consumer]) -> Finding {
    takers.iter().fold(finding, |finding, taker| {
        let workload = inventory.workloads.at(taker.workload);
        let text = format!("{} container {} takes it as {}", workload.subject.short(), taker.container, taker.way);
        finding.because_of(&workload.subject, text)
    })
}

/// Restarts each workload that keeps the old value while it runs, and says of the others when they
/// get the new one.
pub fn restart(inventory: &Inventory, fix: &mut Fix, map: &Item<ConfigMap>, takers: &[Consumer]) {
    let mut by_workload: BTreeMap<usize, Vec<&Consumer>> = BTreeMap::new();
    for taker in takers {
        by_workload.entry(taker.workload).or_default().push(taker);
    }
    for (position, takers) in by_workload {
        let workload = inventory.workloads.at(position);
        let name = workload.subject.short();
        if workload.is_idle() {
            fix.notes.push(format!("{name} runs nothing now and starts with the new value"));
        } else if !takers.iter().any(|taker| taker.way.needs_restart()) {
            fix.notes
                .push(format!("{name} gets the new file while it runs; whether it reads it again is its own affair"));
        } else if is_reloaded(workload, map) {
            fix.consequences.push(format!("Reloader restarts {name}"));
        } else if let Some(line) = no_restart(workload) {
            fix.consequences.push(line);
        } else {
            let step = Step::Restart { object: workload.subject.clone() };
            if !fix.steps.contains(&step) {
                fix.steps.push(step);
            }
        }
    }
}

/// What becomes of a workload that can't be restarted.
fn no_restart(workload: &Item<Workload>) -> Option<String> {
    let name = workload.subject.short();
    match workload.kind.as_str() {
        "Deployment" | "StatefulSet" | "DaemonSet" => None,
        "CronJob" => Some(format!("{name} takes the new value with its next run")),
        _ => Some(format!("{name} can't be restarted and keeps the old value until somebody replaces it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_no_hashes() {
        for (name, hash) in [
            ("app-config-5g2h8k9m4t", true),
            ("app-config-bcdfghkmtt", true),
            ("app-middleware", false),
            ("app-deployment", false),
            ("app-config", false),
            ("5g2h8k9m4t", false),
        ] {
            assert_eq!(has_kustomize_hash(name), hash, "{name}");
        }
    }
}
