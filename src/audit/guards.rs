//! Guards that every fix passes, whatever its rule: who keeps the touched objects, system
//! namespaces, objects that are leaving, workloads that can't be restarted, values that the
//! journal may not keep.

use crate::fix::{Applicability, Fix, Step};
use crate::model::ownership::{Ownership, OwnershipClass};
use crate::model::{Inventory, Meta, ObjectRef, Subject};
use crate::rules::settings::Settings;

mod new_pods;

/// Lowers or stops a fix for what its steps touch, and adds what a restart means.
pub fn apply(inventory: &Inventory, settings: &Settings, fix: &mut Fix) {
    let steps = std::mem::take(&mut fix.steps);
    let mut seen: Vec<&ObjectRef> = Vec::new();
    for step in &steps {
        let object = step.object();
        if inventory.scope.is_system(object.namespace()) {
            fix.refuse("system-namespace", format!("{} belongs to the cluster itself", object.namespace()));
        }
        let creates = matches!(step, Step::Create { .. });
        if !creates && inventory.is_live() && !seen.iter().any(|other| other.same(object)) {
            seen.push(object);
            if let Some(meta) = inventory.meta(object) {
                guard_object(inventory, settings, fix, object, meta);
            }
        }
    }
    fix.steps = steps;
    guard_restarts(inventory, fix);
    guard_immutable(fix);
}

fn guard_object(inventory: &Inventory, settings: &Settings, fix: &mut Fix, object: &Subject, meta: &Meta) {
    if meta.deletion_timestamp.is_some() {
        fix.refuse("terminating", format!("{} is being deleted", object.short()));
    }
    let ownership = Ownership::of(meta, &object.kind, inventory);
    let Some(consequence) = ownership.consequence() else {
        return;
    };
    let keeper = ownership.keeper.as_deref().map(|keeper| format!(" ({keeper})")).unwrap_or_default();
    let place = ownership.place().map(|place| format!("; change {place}")).unwrap_or_default();
    let reason = format!("{}{keeper}: {consequence}{place}", object.short());
    let allowed = |name: &str| settings.allow_managed.iter().any(|allowed| allowed == name);
    match ownership.class {
        OwnershipClass::GitopsArgocd if !allowed("argocd") => fix.refuse("ownership", reason),
        OwnershipClass::GitopsFlux if !allowed("flux") => fix.refuse("ownership", reason),
        OwnershipClass::Operator if !allowed("operator") => fix.refuse("ownership", reason),
        OwnershipClass::Helm if !allowed("helm") => {
            fix.demote(Applicability::Manual, "ownership", format!("{reason}; --allow-managed=helm applies it anyway"));
        }
        OwnershipClass::KubectlCsa | OwnershipClass::KubectlSsa => {
            let note = format!("{reason}; change the manifest too");
            if !fix.consequences.contains(&note) {
                fix.consequences.push(note);
            }
        }
        _ => fix.demote(Applicability::Unsafe, "ownership", reason),
    }
}

/// A paused workload does not roll out; `OnDelete` waits for a person; bare pods and jobs can't
/// be restarted.
fn guard_restarts(inventory: &Inventory, fix: &mut Fix) {
    let mut restarted: Vec<Subject> = fix.restarts().cloned().collect();
    restarted.sort();
    restarted.dedup();
    for object in restarted {
        let Some(workload) = inventory.workloads.get(object.namespace(), &object.kind, &object.name) else {
            continue;
        };
        let name = object.short();
        match workload.kind.as_str() {
            "Pod" | "Job" | "ReplicaSet" | "ReplicationController" => {
                fix.refuse("restart", format!("{name} can't be restarted: nothing replaces its pods"));
                continue;
            }
            "CronJob" => continue,
            _ => {}
        }
        if workload.spec.paused == Some(true) {
            fix.refuse("restart", format!("{name} is paused: it would not roll out"));
        }
        if workload.strategy_kind() == "OnDelete" {
            fix.demote(
                Applicability::Unsafe,
                "restart",
                format!("{name} uses OnDelete: pods change when somebody deletes them"),
            );
        }
        new_pods::guard(inventory, fix, workload);
        let pods = workload.wanted_pods();
        let what = if inventory.is_live() && workload.is_scalable() {
            format!("restarts {name} ({pods} {})", if pods == 1 { "pod" } else { "pods" })
        } else {
            format!("restarts {name}")
        };
        fix.applicability = fix.applicability.max(Applicability::Unsafe);
        fix.consequences.push(what);
    }
}

/// Stops a patch of a field that the server will not change, or that is an object's identity.
fn guard_immutable(fix: &mut Fix) {
    let found = fix.steps.iter().find_map(|step| match step {
        Step::Patch { object, edits, .. } => {
            let edit = edits.iter().find(|edit| is_immutable(&object.kind, &edit.pointer))?;
            Some(format!("{} of {} can't be changed", edit.pointer, object.short()))
        }
        _ => None,
    });
    if let Some(reason) = found {
        fix.refuse("immutable", reason);
    }
}

fn is_immutable(kind: &str, pointer: &str) -> bool {
    let below =
        |parent: &str| pointer == parent || pointer.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'));
    if below("/metadata") && !below("/metadata/labels") && !below("/metadata/annotations") {
        return true;
    }
    match kind {
        "Deployment" | "ReplicaSet" | "DaemonSet" => below("/spec/selector"),
        "StatefulSet" => {
            let allowed = [
                "/spec/replicas",
                "/spec/template",
                "/spec/updateStrategy",
                "/spec/ordinals",
                "/spec/minReadySeconds",
                "/spec/persistentVolumeClaimRetentionPolicy",
            ];
            below("/spec") && !allowed.iter().any(|field| below(field))
        }
        "Job" => below("/spec/template") || below("/spec/selector"),
        "Service" => below("/spec/clusterIP") || below("/spec/clusterIPs"),
        "PersistentVolumeClaim" => below("/spec") && !below("/spec/resources/requests"),
        "RoleBinding" | "ClusterRoleBinding" => below("/roleRef"),
        "Secret" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::Edit;

    #[test]
    fn immutable_fields_are_refused() {
        for (kind, pointer, immutable) in [
            ("Deployment", "/spec/selector/matchLabels/app", true),
            ("Deployment", "/spec/replicas", false),
            ("StatefulSet", "/spec/serviceName", true),
            ("StatefulSet", "/spec/template/spec/containers/0/image", false),
            ("Service", "/spec/clusterIP", true),
            ("Secret", "/data/x", true),
            ("ConfigMap", "/metadata/name", true),
            ("ConfigMap", "/metadata/labels/a", false),
        ] {
            assert_eq!(is_immutable(kind, pointer), immutable, "{kind} {pointer}");
        }
        let object = Subject::new(ObjectRef::new("v1", "Service", Some("a"), "x"));
        let mut fix =
            Fix::new("x", Applicability::Safe).step(Step::patch(&object, vec![Edit::remove("/spec/clusterIP")]));
        guard_immutable(&mut fix);
        assert!(fix.is_refused());
    }
}
