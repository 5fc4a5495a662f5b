//! Who decides how many pods an autoscaled workload has, whether that is settled, and what pins it.
//!
//! Sources: the autoscaler's controller (`pkg/controller/podautoscaler/horizontal.go`: the minimum
//! is restored before any metric is read), the reference documentation on autoscaling ("Migrating
//! Deployments and StatefulSets to horizontal autoscaling") and on server-side apply.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::capacity::{self, Bound};
use super::inventory::Inventory;
use super::object::{LAST_APPLIED, ManagedFields, Meta};
use super::pod::Pod;
use super::policy::Autoscaler;
use super::store::Item;
use super::workload::Workload;

/// How the reason begins why nothing is said about a number that may still change by itself.
pub const SCALING: &str = "may still be scaling";

/// Four periods of the autoscaler's controller, 15 seconds each: a shorter state may still change.
pub const SETTLED_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// How an autoscaled workload's number of pods stands against the autoscaler's minimum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No autoscaler targets it, or it is scaled to zero.
    NotAutoscaled,
    /// It can't be said; the sentence says why.
    Unknown(String),
    /// It wants fewer pods than the minimum, and that lasts.
    Below(Bound),
    /// It wants enough pods, and too few are ready for longer than its progress deadline.
    Unready {
        /// The minimum.
        floor: Bound,
        /// What is known of the pods that are not ready.
        reasons: Vec<String>,
    },
    /// Something sets the number again and again.
    Pinned(Pin),
    /// All is well.
    Settled,
}

/// What sets `spec.replicas` of an autoscaled workload besides the autoscaler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The number that it sets.
    pub replicas: i64,
    /// Where that is seen.
    pub source: PinSource,
    /// The same in words.
    pub text: String,
}

/// Where a pinned number is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinSource {
    /// In the manifest that was read.
    Manifest,
    /// In the annotation that client-side `kubectl apply` leaves.
    LastApplied,
    /// In the list of field managers.
    Manager,
}

/// Judges the workload at this position.
pub fn standing(inventory: &Inventory, position: usize) -> Standing {
    let workload = inventory.workloads.at(position);
    if !workload.is_scalable() || workload.is_idle() {
        return Standing::NotAutoscaled;
    }
    let Some(autoscaler) = inventory.autoscalers_of(position).next() else {
        let unseen = inventory.unseen("horizontalpodautoscalers", workload.namespace());
        return unseen.map_or(Standing::NotAutoscaled, Standing::Unknown);
    };
    if let Some((name, None)) = capacity::scaled_object(inventory, autoscaler) {
        return Standing::Unknown(format!("ScaledObject/{name} was not read"));
    }
    let floor = capacity::floor(inventory, position);
    match workload.spec.replicas {
        Some(replicas) if replicas < floor.pods => match unsettled(inventory, workload, autoscaler) {
            Some(reason) => Standing::Unknown(format!("{SCALING}: {reason}")),
            None => Standing::Below(floor),
        },
        _ => match shortfall(inventory, position, &floor) {
            Some(reasons) => Standing::Unready { floor, reasons },
            None => pin(inventory, workload).unwrap_or(Standing::Settled),
        },
    }
}

/// Why a number below the minimum may still rise by itself.
fn unsettled(inventory: &Inventory, workload: &Item<Workload>, autoscaler: &Item<Autoscaler>) -> Option<String> {
    if !inventory.is_live() || unable_to_scale(autoscaler) {
        return None;
    }
    let now = inventory.taken_at;
    if let Some(age) = young(now, autoscaler.metadata.creation_timestamp) {
        return Some(format!("{} is {age} old", autoscaler.subject.short()));
    }
    let written = last_write(&workload.metadata, ManagedFields::owns_replicas);
    if let Some(age) = young(now, written) {
        return Some(format!("spec.replicas was written {age} ago"));
    }
    let generation = autoscaler.metadata.generation;
    if generation.is_some() && autoscaler.status.observed_generation == generation {
        return None;
    }
    let written = last_write(&autoscaler.metadata, ManagedFields::owns_min_replicas);
    young(now, written).map(|age| format!("spec.minReplicas was written {age} ago"))
}

/// True if the autoscaler says that it can't set the number.
pub fn unable_to_scale(autoscaler: &Autoscaler) -> bool {
    autoscaler.condition("AbleToScale").is_some_and(|condition| condition.status == "False")
}

/// The age of something that is younger than [`SETTLED_AFTER`], in words. What has no time is old.
fn young(now: Timestamp, time: Option<Timestamp>) -> Option<String> {
    let age = now.duration_since(time?);
    (age < SETTLED_AFTER).then(|| format!("{} s", age.as_secs().max(0)))
}

/// The latest write by an entry that owns a field; an entry without a time counts as old.
fn last_write(meta: &Meta, owns: fn(&ManagedFields) -> bool) -> Option<Timestamp> {
    let entries = meta.managed_fields.iter().filter(|entry| owns(entry));
    entries.filter_map(|entry| entry.time).max()
}

/// Who owns `spec.replicas`, one line each, for evidence.
pub fn writers(meta: &Meta) -> Vec<String> {
    let entries = meta.managed_fields.iter().filter(|entry| entry.owns_replicas());
    entries
        .map(|entry| {
            let through = match entry.subresource.as_str() {
                "" => String::new(),
                subresource => format!(" through /{subresource}"),
            };
            let when = entry.time.map_or_else(String::new, |time| format!(" at {time}"));
            format!("spec.replicas is owned by {} ({}){through}{when}", entry.manager, entry.operation)
        })
        .collect()
}

/// The conditions of an autoscaler, one line each, for evidence.
pub fn conditions(autoscaler: &Autoscaler) -> Vec<String> {
    let all = autoscaler.status.conditions.iter();
    all.map(|condition| {
        let reason = match condition.reason.as_str() {
            "" => String::new(),
            reason => format!("/{reason}"),
        };
        let message = match condition.message.as_str() {
            "" => String::new(),
            message => format!(": {message}"),
        };
        format!("{}={}{reason}{message}", condition.kind, condition.status)
    })
    .collect()
}

/// What sets the number besides the autoscaler. A manager that wrote through `scale` does not:
/// `kubectl scale`, the autoscaler and our own fix all do that.
fn pin(inventory: &Inventory, workload: &Item<Workload>) -> Option<Standing> {
    let replicas = workload.spec.replicas?;
    let pinned = |replicas, source, text: String| Some(Standing::Pinned(Pin { replicas, source, text }));
    if !inventory.is_live() {
        let text = format!("replicas {replicas} in the manifest");
        return pinned(replicas, PinSource::Manifest, text);
    }
    let applied = workload.metadata.annotation(LAST_APPLIED);
    if let Some(replicas) = applied.and_then(applied_replicas) {
        let text = format!("replicas {replicas} in the manifest that kubectl apply sent last");
        return pinned(replicas, PinSource::LastApplied, text);
    }
    let entries = workload.metadata.managed_fields.iter();
    let writers: Vec<&ManagedFields> = entries
        .filter(|entry| entry.owns_replicas() && entry.subresource.is_empty())
        .filter(|entry| applied.is_none() || entry.manager != "kubectl-client-side-apply")
        .collect();
    let writer = writers.first()?;
    let declared = writers.iter().any(|entry| entry.operation == "Apply");
    if replicas == 1 && !declared {
        // Who creates an object owns its defaults too, and the default is 1.
        return Some(Standing::Unknown(format!("{} owns spec.replicas 1, which may be the default", writer.manager)));
    }
    let text = format!("replicas {replicas} set by {}", writer.manager);
    pinned(replicas, PinSource::Manager, text)
}

/// The number in the reduced last-applied annotation.
fn applied_replicas(text: &str) -> Option<i64> {
    let reduced: Value = serde_json::from_str(text).ok()?;
    reduced.pointer("/spec/replicas")?.as_i64()
}

/// True if the last-applied annotation holds a value that may not be shown or written down.
pub fn last_applied_is_masked(meta: &Meta) -> bool {
    let reduced = meta.annotation(LAST_APPLIED).and_then(|text| serde_json::from_str::<Value>(text).ok());
    reduced.is_some_and(|reduced| reduced.get("masked") == Some(&Value::Bool(true)))
}

/// What is known of pods that have not been ready for longer than the progress deadline, if for
/// that reason fewer than the minimum are.
fn shortfall(inventory: &Inventory, position: usize, floor: &Bound) -> Option<Vec<String>> {
    let workload = inventory.workloads.at(position);
    if !inventory.is_live() || workload.status.ready_replicas >= floor.pods {
        return None;
    }
    let deadline = workload.spec.progress_deadline_seconds.unwrap_or(600);
    let start = inventory.taken_at.checked_sub(SignedDuration::from_secs(deadline)).ok()?;
    let recent = |time: Option<Timestamp>| time.is_some_and(|time| time > start);
    if recent(workload.metadata.creation_timestamp)
        || recent(last_write(&workload.metadata, ManagedFields::owns_replicas))
    {
        return None;
    }
    let mut reasons = Vec::new();
    for condition in &workload.status.conditions {
        let fails = match condition.kind.as_str() {
            "Available" => condition.status == "False" && !recent(condition.last_transition_time),
            "Progressing" => condition.reason == "ProgressDeadlineExceeded",
            "ReplicaFailure" => condition.status == "True",
            _ => false,
        };
        if fails {
            reasons
                .push(format!("{}={}/{}: {}", condition.kind, condition.status, condition.reason, condition.message));
        }
    }
    let unready = inventory.pods_of(position).filter(|pod| pod.is_active() && !pod.is_ready());
    let (waiting, stuck): (Vec<_>, Vec<_>) = unready.partition(|pod| recent(unready_since(pod)));
    let waiting = i64::try_from(waiting.len()).unwrap_or(i64::MAX);
    if workload.status.ready_replicas + waiting >= floor.pods {
        return None;
    }
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for pod in stuck {
        *counted.entry(why_unready(pod)).or_default() += 1;
    }
    reasons.extend(counted.into_iter().map(|(reason, pods)| {
        let noun = if pods == 1 { "pod" } else { "pods" };
        format!("{pods} {noun}: {reason}")
    }));
    (!reasons.is_empty()).then_some(reasons)
}

/// Since when a pod is not ready.
fn unready_since(pod: &Item<Pod>) -> Option<Timestamp> {
    let ready = pod.status.conditions.iter().find(|c| c.kind == "Ready");
    ready.and_then(|condition| condition.last_transition_time).or(pod.metadata.creation_timestamp)
}

/// Why a pod is not ready: it finds no node, a container waits, or its probe fails.
fn why_unready(pod: &Item<Pod>) -> String {
    let conditions = pod.status.conditions.iter();
    let mut unscheduled =
        conditions.filter(|condition| condition.kind == "PodScheduled" && condition.status == "False");
    if let Some(condition) = unscheduled.next() {
        return format!("{}: {}", condition.reason, condition.message);
    }
    let waiting = pod
        .status
        .container_statuses
        .iter()
        .find_map(|container| Some((container.name.as_str(), container.waiting()?)));
    match waiting {
        Some((container, reason)) => format!("container {container}: {reason}"),
        None => "running and not ready".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::World;
    use serde_json::json;

    const NOW: &str = "2026-01-01T00:00:00Z";

    /// A live Deployment with these replicas under a minimum of 3, both made an hour ago.
    fn live(replicas: i64, managed: &Value, annotation: Option<&str>, conditions: &Value) -> Standing {
        let mut inventory = Inventory::default();
        inventory.taken_at = NOW.parse().unwrap();
        inventory.world = World::Cluster { context: None, server: String::new(), uid: None, version: None };
        let mut web = json!({
            "metadata": {"name": "web", "namespace": "a", "creationTimestamp": "2025-12-31T23:00:00Z",
                         "managedFields": managed},
            "spec": {"replicas": replicas}, "status": {"readyReplicas": replicas}
        });
        if let Some(text) = annotation {
            web["metadata"]["annotations"] = json!({ LAST_APPLIED: text });
        }
        let scaler = json!({
            "metadata": {"name": "web", "namespace": "a", "creationTimestamp": "2025-12-31T23:00:00Z"},
            "spec": {"minReplicas": 3, "maxReplicas": 9,
                     "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
            "status": {"conditions": conditions}
        });
        inventory.add("apps/v1", "Deployment", web, None).unwrap();
        let kind = "HorizontalPodAutoscaler";
        inventory.add("autoscaling/v2", kind, scaler, None).unwrap();
        standing(&inventory.finish(), 0)
    }

    fn entry(manager: &str, operation: &str, subresource: &str, time: Option<&str>) -> Value {
        json!({"manager": manager, "operation": operation, "subresource": subresource, "time": time,
               "fieldsV1": {"f:spec": {"f:replicas": {}}}})
    }

    #[test]
    fn a_write_of_seconds_ago_may_still_be_repaired() {
        let at = |time| json!([entry("kubectl", "Update", "", time)]);
        let fresh = live(1, &at(Some("2025-12-31T23:59:55Z")), None, &json!([]));
        assert!(matches!(fresh, Standing::Unknown(_)));
        for old in [Some("2025-12-31T23:58:00Z"), None] {
            assert!(matches!(live(1, &at(old), None, &json!([])), Standing::Below(_)));
        }
    }

    #[test]
    fn an_autoscaler_that_cannot_scale_is_not_waited_for() {
        let fresh = json!([entry("kubectl", "Update", "", Some("2025-12-31T23:59:55Z"))]);
        let stuck = json!([{"type": "AbleToScale", "status": "False"}]);
        assert!(matches!(live(1, &fresh, None, &stuck), Standing::Below(_)));
    }

    #[test]
    fn zero_replicas_switch_the_autoscaler_off() {
        assert_eq!(live(0, &json!([]), None, &json!([])), Standing::NotAutoscaled);
    }

    #[test]
    fn what_pins_and_what_does_not() {
        let source = |managed: &Value, annotation| match live(5, managed, annotation, &json!([])) {
            Standing::Pinned(pin) => Some(pin.source),
            _ => None,
        };
        let scale = json!([entry("kubectl", "Update", "scale", None)]);
        assert_eq!(source(&scale, None), None);
        let pinned = Some(r#"{"spec":{"replicas":1}}"#);
        assert_eq!(source(&scale, pinned), Some(PinSource::LastApplied));
        let client = json!([entry("kubectl-client-side-apply", "Update", "", None)]);
        assert_eq!(source(&client, Some(r#"{"spec":{}}"#)), None);
        let applied = json!([entry("kubectl", "Apply", "", None)]);
        assert_eq!(source(&applied, None), Some(PinSource::Manager));
    }
}
