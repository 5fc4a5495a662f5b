//! How a workload stands by its own status: the conditions of `kubectl rollout status`.

use serde_json::Value;

/// How a rollout stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Going on: what is awaited.
    Waiting(String),
    /// All pods are of the new template and available.
    Complete,
    /// It will not end by itself: why.
    Failed(String),
    /// There is nothing to wait for: why.
    NotWaitable(String),
}

/// Why nobody can wait for a rollout of this workload.
pub(super) fn not_waitable(workload: &Value) -> Option<String> {
    let strategy = workload.pointer("/spec/updateStrategy/type").and_then(Value::as_str);
    (strategy == Some("OnDelete"))
        .then(|| "its pods stay as they are until somebody deletes them (update strategy OnDelete)".to_owned())
}

/// Judges a workload as served.
pub fn judge(workload: &Value) -> Progress {
    let number = |pointer: &str| workload.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    if workload.pointer("/metadata/deletionTimestamp").is_some() {
        return Progress::Failed("it is being deleted".to_owned());
    }
    if workload.pointer("/spec/paused").and_then(Value::as_bool) == Some(true) {
        return Progress::Failed("it is paused; `kubectl rollout resume` lets it go on".to_owned());
    }
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
    fn an_exceeded_deadline_and_a_pause_fail_at_once() {
        let condition = json!({"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"});
        let late = deployment(&json!({"observedGeneration": 2, "conditions": [condition]}));
        assert!(matches!(judge(&late), Progress::Failed(_)));
        let mut paused = deployment(&json!({"observedGeneration": 2}));
        paused["spec"]["paused"] = json!(true);
        assert!(matches!(judge(&paused), Progress::Failed(_)));
    }

    #[test]
    fn a_stateful_set_ends_with_its_revision_and_a_daemon_set_with_its_nodes() {
        let set = |status: Value, strategy: Value| {
            judge(
                &json!({"kind": "StatefulSet", "spec": {"replicas": 3, "updateStrategy": strategy}, "status": status}),
            )
        };
        let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}});
        let status = json!({"readyReplicas": 3, "updatedReplicas": 2, "currentRevision": "a", "updateRevision": "b"});
        assert_eq!(set(status.clone(), rolling.clone()), Progress::Waiting("2 of 3 pods are new".to_owned()));
        let partition = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
        assert_eq!(set(status, partition), Progress::Complete);
        let done = json!({"readyReplicas": 3, "currentRevision": "b", "updateRevision": "b"});
        assert_eq!(set(done, rolling), Progress::Complete);
        let daemons = |updated: i64| {
            let status = json!({"desiredNumberScheduled": 2, "updatedNumberScheduled": updated, "numberAvailable": 2});
            judge(&json!({"kind": "DaemonSet", "status": status}))
        };
        assert_eq!(daemons(2), Progress::Complete);
        assert_eq!(daemons(1), Progress::Waiting("1 of 2 pods are new and ready".to_owned()));
    }

    #[test]
    fn nobody_waits_for_what_somebody_has_to_delete() {
        assert!(not_waitable(&json!({"spec": {"updateStrategy": {"type": "OnDelete"}}})).is_some());
        assert!(not_waitable(&json!({"spec": {"updateStrategy": {"type": "RollingUpdate"}}})).is_none());
    }
}
