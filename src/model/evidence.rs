//! Whether evidence that may stand anywhere in the cluster can be seen at all.

use super::inventory::{Inventory, is_top_level};
use super::store::Item;
use super::workload::Workload;

/// The lists in which long-running programs stand.
pub const PROGRAMS: [&str; 3] = ["deployments", "statefulsets", "daemonsets"];

/// Why objects of these resources may exist that were not read: a list that failed somewhere, or
/// files that are not all there is. A kind that the server does not have is no reason.
pub fn unseen_anywhere(inventory: &Inventory, resources: &[&str]) -> Option<String> {
    if !inventory.is_live() && !inventory.is_complete() {
        return Some("the files are not declared complete: what else is in the cluster is not known".to_owned());
    }
    gap(inventory, resources)
}

/// Why a list of these resources may lack objects, wherever they are.
pub fn gap(inventory: &Inventory, resources: &[&str]) -> Option<String> {
    gap_in(inventory, resources, |_| true)
}

/// Why a list of these resources may lack objects of the audited namespaces.
pub fn gap_here(inventory: &Inventory, resources: &[&str]) -> Option<String> {
    gap_in(inventory, resources, |scope| scope != "other namespaces")
}

fn gap_in(inventory: &Inventory, resources: &[&str], counts: impl Fn(&str) -> bool) -> Option<String> {
    let is_meant = |kind: &str| {
        let short = |resource: &str| resource.ends_with(".k8s.io") && resource.split('.').next() == Some(kind);
        resources.iter().any(|resource| *resource == kind || short(resource))
    };
    let gap = inventory.gaps.iter().find(|gap| is_meant(&gap.kind) && counts(&gap.scope))?;
    Some(format!("{} not readable in {}: {}", gap.kind, gap.scope, gap.reason))
}

/// True for a pod of its own that has run to its end, or is leaving.
pub fn has_ended(inventory: &Inventory, workload: &Item<Workload>) -> bool {
    let pod = || inventory.pods.get(workload.namespace(), "Pod", workload.name());
    workload.kind == "Pod" && pod().is_some_and(|pod| !pod.is_active())
}

/// The top-level workloads of all namespaces that are not at zero, suspended or ended.
pub fn running(inventory: &Inventory) -> impl Iterator<Item = (usize, &Item<Workload>)> {
    let all = inventory.workloads.iter().enumerate().map(|(position, workload)| (position, &**workload));
    all.filter(|(_, workload)| is_top_level(workload) && !workload.is_idle())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Gap, Scope, World};

    #[test]
    fn a_gap_anywhere_hides_evidence() {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let mut inventory = Inventory::new(World::Manifests { complete: true }, Scope::default(), now);
        assert_eq!(unseen_anywhere(&inventory, &PROGRAMS), None);
        let mut gap = Gap {
            kind: "daemonsets".into(),
            verb: "list".into(),
            scope: "other namespaces".into(),
            reason: "forbidden".into(),
        };
        inventory.gaps.push(gap.clone());
        let text = "daemonsets not readable in other namespaces: forbidden";
        assert_eq!(unseen_anywhere(&inventory, &PROGRAMS).as_deref(), Some(text));
        assert_eq!(gap_here(&inventory, &PROGRAMS), None);
        assert_eq!(unseen_anywhere(&inventory, &["volumesnapshots.snapshot.storage.k8s.io"]), None);
        gap.kind = "volumesnapshots".into();
        inventory.gaps.push(gap);
        assert!(unseen_anywhere(&inventory, &["volumesnapshots.snapshot.storage.k8s.io"]).is_some());
        inventory.world = World::Manifests { complete: false };
        assert!(unseen_anywhere(&inventory, &[]).is_some());
    }
}
