//! Waiting for a rollout, as `kubectl rollout status` does, with a watch; and giving up early when
//! its pods can't start.

use std::time::Duration;

use futures::TryStreamExt;
use http::Request;
use kube::core::WatchEvent;
use serde_json::Value;
use tokio::time::Instant;

use super::connect::Connection;
use super::list::encode;
use super::objects;
use crate::model::ObjectRef;

/// How a rollout stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Going on: what is awaited.
    Waiting(String),
    /// All pods are of the new template and available.
    Complete,
    /// It will not end by itself: why.
    Failed(String),
}

/// Reasons for which a container waits and that no patience mends.
const FATAL: [&str; 6] = [
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
];

/// Judges a workload as served.
pub fn judge(workload: &Value) -> Progress {
    let number = |pointer: &str| workload.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return Progress::Waiting("the controller has not seen the change yet".to_owned());
    }
    match workload.get("kind").and_then(Value::as_str).unwrap_or_default() {
        "Deployment" => judge_deployment(workload, number),
        "StatefulSet" => judge_stateful_set(workload, number),
        "DaemonSet" => {
            let desired = number("/status/desiredNumberScheduled");
            let updated = number("/status/updatedNumberScheduled");
            let available = number("/status/numberAvailable");
            progress(updated.min(available), desired)
        }
        _ => Progress::Complete,
    }
}

fn progress(ready: i64, wanted: i64) -> Progress {
    if ready >= wanted {
        Progress::Complete
    } else {
        Progress::Waiting(format!("{ready} of {wanted} pods are new and ready"))
    }
}

fn judge_deployment(workload: &Value, number: impl Fn(&str) -> i64) -> Progress {
    let conditions = workload.pointer("/status/conditions").and_then(Value::as_array);
    for condition in conditions.into_iter().flatten() {
        let text = |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default();
        if text("type") == "Progressing" && text("reason") == "ProgressDeadlineExceeded" {
            return Progress::Failed(format!("it exceeded its progress deadline: {}", text("message")));
        }
        if text("type") == "ReplicaFailure" && text("status") == "True" {
            return Progress::Failed(format!("{}: {}", text("reason"), text("message")));
        }
    }
    let wanted = workload.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let updated = number("/status/updatedReplicas");
    if updated < wanted {
        return Progress::Waiting(format!("{updated} of {wanted} pods are new"));
    }
    let total = number("/status/replicas");
    if total > updated {
        return Progress::Waiting(format!("{} old pods are still ending", total - updated));
    }
    progress(number("/status/availableReplicas"), updated)
}

fn judge_stateful_set(workload: &Value, number: impl Fn(&str) -> i64) -> Progress {
    let wanted = workload.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let ready = number("/status/readyReplicas");
    if ready < wanted {
        return Progress::Waiting(format!("{ready} of {wanted} pods are ready"));
    }
    let partition = number("/spec/updateStrategy/rollingUpdate/partition");
    if partition > 0 {
        return progress(number("/status/updatedReplicas"), wanted - partition);
    }
    let revision = |key: &str| workload.pointer(&format!("/status/{key}")).cloned();
    if revision("updateRevision") == revision("currentRevision") {
        Progress::Complete
    } else {
        Progress::Waiting(format!("{} of {wanted} pods are new", number("/status/updatedReplicas")))
    }
}

/// Why a pod that is younger than the change can't start.
fn stuck(pods: &Value, since: jiff::Timestamp) -> Option<String> {
    let pods = pods.get("items").and_then(Value::as_array)?;
    for pod in pods {
        let made = pod.pointer("/metadata/creationTimestamp").and_then(Value::as_str)?.parse::<jiff::Timestamp>();
        // Timestamps of the API have whole seconds.
        if made.is_ok_and(|made| made.as_second() < since.as_second()) {
            continue;
        }
        let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
        let statuses = statuses.iter().filter_map(|list| pod.pointer(list)?.as_array()).flatten();
        for status in statuses {
            let reason = status.pointer("/state/waiting/reason").and_then(Value::as_str).unwrap_or_default();
            let restarts = status.get("restartCount").and_then(Value::as_i64).unwrap_or(0);
            if FATAL.contains(&reason) || (reason == "CrashLoopBackOff" && restarts >= 2) {
                return Some(format!("Pod/{name}: {reason}"));
            }
        }
    }
    None
}

/// Waits until a rollout is complete, can't be, or the time is over. `report` hears each new state.
pub async fn wait(
    connection: &Connection,
    object: &ObjectRef,
    timeout: Duration,
    report: &mut (dyn FnMut(&str) + Send),
) -> Progress {
    let (started, since) = (Instant::now(), jiff::Timestamp::now());
    let mut last = String::new();
    loop {
        let workload = match objects::get(connection, object, None).await {
            Ok(workload) => workload,
            Err(error) => return Progress::Failed(error.to_string()),
        };
        match judge(&workload) {
            Progress::Waiting(what) if what != last => {
                report(&what);
                last = what;
            }
            Progress::Waiting(_) => {}
            end => return end,
        }
        if let Some(why) = pods_stuck(connection, object, &workload, since).await {
            return Progress::Failed(why);
        }
        let left = timeout.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Progress::Failed(format!("not complete after {} s: {last}", timeout.as_secs()));
        }
        // A change of the workload ends the wait at once; its pods are looked at now and then.
        let pause = left.min(Duration::from_secs(2));
        let _ = tokio::time::timeout(pause, next_change(connection, object, &workload)).await;
    }
}

async fn pods_stuck(
    connection: &Connection,
    object: &ObjectRef,
    workload: &Value,
    since: jiff::Timestamp,
) -> Option<String> {
    let selector: crate::model::selector::Selector =
        serde_json::from_value(workload.pointer("/spec/selector")?.clone()).ok()?;
    let path = super::resources::list_path("v1", "pods", object.namespace.as_deref());
    let mut body = Vec::new();
    let query = format!("{path}?limit=500&labelSelector={}", encode(&selector.text()));
    let head = connection.read_into(&query, &mut body).await.ok()?;
    if head.status != 200 {
        return None;
    }
    stuck(&serde_json::from_slice(&body).ok()?, since)
}

/// Returns when the object changes; for ever if it can't be watched, which the caller bounds.
async fn next_change(connection: &Connection, object: &ObjectRef, seen: &Value) {
    let version = seen.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
    let path = format!(
        "{}?watch=1&fieldSelector={}&resourceVersion={version}",
        objects::collection_path(object),
        encode(&format!("metadata.name={}", object.name)),
    );
    let request = Request::get(path).body(Vec::new()).expect("paths of objects are URIs");
    if let Ok(events) = connection.read_client().request_events::<Value>(request).await {
        let mut events = std::pin::pin!(events);
        if let Ok(Some(WatchEvent::Modified(_) | WatchEvent::Deleted(_))) = events.try_next().await {
            return;
        }
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(status: &Value) -> Value {
        json!({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status})
    }

    #[test]
    fn a_deployment_is_judged_as_kubectl_does() {
        let waiting = |text: &str| Progress::Waiting(text.to_owned());
        assert_eq!(
            judge(&deployment(&json!({"observedGeneration": 1}))),
            waiting("the controller has not seen the change yet")
        );
        let new = |updated: i64, total: i64, available: i64| {
            judge(&deployment(
                &json!({"observedGeneration": 2, "updatedReplicas": updated, "replicas": total, "availableReplicas": available}),
            ))
        };
        assert_eq!(new(1, 4, 3), waiting("1 of 3 pods are new"));
        assert_eq!(new(3, 4, 3), waiting("1 old pods are still ending"));
        assert_eq!(new(3, 3, 2), waiting("2 of 3 pods are new and ready"));
        assert_eq!(new(3, 3, 3), Progress::Complete);
    }

    #[test]
    fn quota_and_deadline_fail_at_once() {
        let failed = |kind: &str, reason: &str| {
            let condition = json!({"type": kind, "status": "True", "reason": reason, "message": "m"});
            judge(&deployment(&json!({"observedGeneration": 2, "conditions": [condition]})))
        };
        assert!(matches!(failed("ReplicaFailure", "FailedCreate"), Progress::Failed(_)));
        assert!(matches!(failed("Progressing", "ProgressDeadlineExceeded"), Progress::Failed(_)));
    }

    #[test]
    fn only_pods_of_the_change_count_as_stuck() {
        let pod = |made: &str| {
            json!({"items": [{"metadata": {"name": "p", "creationTimestamp": made},
            "status": {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}}]})
        };
        let since = "2026-01-01T00:00:10Z".parse().unwrap();
        assert_eq!(stuck(&pod("2026-01-01T00:00:11Z"), since).as_deref(), Some("Pod/p: ImagePullBackOff"));
        assert_eq!(stuck(&pod("2026-01-01T00:00:09Z"), since), None);
    }
}
