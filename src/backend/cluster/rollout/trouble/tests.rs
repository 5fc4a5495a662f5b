//! Each obstacle, and how long one waits for it.

#![expect(clippy::needless_pass_by_value, reason = "short calls")]

use super::*;
use serde_json::json;

const SINCE: &str = "2026-01-01T00:00:10Z";

fn view(objects: Vec<Value>) -> View {
    View::Objects(objects.into_iter().map(|object| (uid(&object), object)).collect())
}

/// A StatefulSet in the middle of a rollout to the revision `new`.
fn workload() -> Value {
    json!({"kind": "StatefulSet", "metadata": {"uid": "w", "name": "db", "generation": 2},
        "status": {"observedGeneration": 2, "updateRevision": "new"}})
}

fn pod(revision: &str, status: Value) -> Value {
    json!({"metadata": {"name": "p", "uid": "p", "labels": {"controller-revision-hash": revision}}, "status": status})
}

fn waiting(reason: &str, restarts: i64) -> Value {
    json!({"containerStatuses": [{"restartCount": restarts, "state": {"waiting": {"reason": reason}}}]})
}

struct Trial {
    patience: Patience,
    start: Instant,
}

impl Trial {
    fn new() -> Self {
        Self { patience: Patience::new(SINCE.parse().unwrap()), start: Instant::now() }
    }

    fn at(&mut self, seconds: u64, workload: &Value, pods: Vec<Value>, sets: View, events: Vec<Value>) -> Verdict {
        let (pods, events) = (view(pods), view(events));
        let scene = Scene { workload, pods: &pods, sets: &sets, events: &events };
        self.patience.judge(&scene, self.start + Duration::from_secs(seconds))
    }
}

fn now(pods: Vec<Value>) -> Verdict {
    Trial::new().at(0, &workload(), pods, View::default(), Vec::new())
}

#[test]
fn pods_that_cannot_start_are_given_up_at_once() {
    for reason in ["ImagePullBackOff", "CreateContainerConfigError", "RunContainerError", "InvalidImageName"] {
        assert_eq!(now(vec![pod("new", waiting(reason, 0))]), Verdict::Hopeless(format!("Pod/p: {reason}")));
        assert_eq!(now(vec![pod("old", waiting(reason, 0))]), Verdict::Well, "an old pod is not ours");
    }
    assert_eq!(now(vec![pod("new", waiting("CrashLoopBackOff", 1))]), Verdict::Well);
    assert!(matches!(now(vec![pod("new", waiting("CrashLoopBackOff", 2))]), Verdict::Hopeless(_)));
    assert_eq!(now(vec![pod("new", waiting("ContainerCreating", 0))]), Verdict::Well);
}

#[test]
fn a_pod_without_a_node_gets_a_minute() {
    let lost = || {
        let condition =
            json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"});
        vec![pod("new", json!({"conditions": [condition]}))]
    };
    let mut trial = Trial::new();
    let start = trial.start;
    let mut at = |seconds, pods| trial.at(seconds, &workload(), pods, View::default(), Vec::new());
    assert_eq!(at(0, lost()), Verdict::Until(start + PLACE));
    assert_eq!(at(59, lost()), Verdict::Until(start + PLACE));
    assert_eq!(at(60, lost()), Verdict::Hopeless("Pod/p: no node takes it: full".to_owned()));
    assert_eq!(at(61, vec![pod("new", json!({}))]), Verdict::Well);
    assert!(matches!(at(62, lost()), Verdict::Until(_)), "another minute");
}

/// A Deployment whose newest ReplicaSet says this.
fn refused(message: &str, unavailable: Value) -> (Value, View) {
    let workload = json!({"kind": "Deployment", "metadata": {"uid": "w"},
        "spec": {"replicas": 4, "template": {}, "strategy": {"rollingUpdate": {"maxUnavailable": unavailable}}}});
    let condition = json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message});
    let set = json!({"kind": "ReplicaSet", "metadata": {"uid": "s", "ownerReferences": [{"uid": "w"}]},
        "spec": {"template": {}}, "status": {"conditions": [condition]}});
    (workload, view(vec![set]))
}

#[test]
fn pods_that_may_not_be_made_end_it_unless_room_may_come() {
    let judged = |seconds: u64, message: &str, unavailable: Value| {
        let (workload, sets) = refused(message, unavailable);
        let mut trial = Trial::new();
        trial.at(0, &workload, Vec::new(), sets.clone(), Vec::new());
        trial.at(seconds, &workload, Vec::new(), sets, Vec::new())
    };
    let quota = "pods \"x\" is forbidden: exceeded quota: q";
    assert_eq!(
        judged(0, "violates PodSecurity", json!(1)),
        Verdict::Hopeless("FailedCreate: violates PodSecurity".into())
    );
    assert!(matches!(judged(0, quota, json!(0)), Verdict::Hopeless(_)));
    assert!(matches!(judged(0, quota, json!("24%")), Verdict::Hopeless(_)), "rounded down");
    assert!(matches!(judged(9, quota, json!("25%")), Verdict::Until(_)));
    assert!(matches!(judged(10, quota, json!("25%")), Verdict::Hopeless(_)));
}

#[test]
fn a_failure_of_an_older_replica_set_is_none_of_ours() {
    let (mut workload, sets) = refused("exceeded quota", json!(0));
    workload["spec"]["template"] = json!({"metadata": {}});
    let condition = sets.objects().next().unwrap().pointer("/status/conditions/0").cloned().unwrap();
    workload["status"] = json!({"conditions": [condition]});
    assert_eq!(Trial::new().at(0, &workload, Vec::new(), sets, Vec::new()), Verdict::Well);
    let hidden = || View::Refused("403".to_owned());
    let mut judged = |time: &str| {
        workload["status"]["conditions"][0]["lastTransitionTime"] = json!(time);
        Trial::new().at(0, &workload, Vec::new(), hidden(), Vec::new())
    };
    assert_eq!(judged("2026-01-01T00:00:09Z"), Verdict::Well);
    assert!(matches!(judged("2026-01-01T00:00:10Z"), Verdict::Hopeless(_)));
}

fn event(reason: &str, about: &str, message: &str, count: u64) -> Value {
    json!({"metadata": {"uid": "e"}, "reason": reason, "message": message, "count": count,
        "involvedObject": {"kind": "X", "name": "x", "uid": about}})
}

#[test]
fn a_quota_still_counts_the_old_pod_for_a_moment() {
    let mut trial = Trial::new();
    let mut at = |seconds, there: u64, events| {
        let set = json!({"kind": "StatefulSet", "metadata": {"uid": "w"}, "spec": {"replicas": 2},
            "status": {"replicas": there}});
        trial.at(seconds, &set, Vec::new(), View::default(), events)
    };
    let full = || vec![event("FailedCreate", "w", "pods \"db-1\" is forbidden: exceeded quota: q", 1)];
    assert_eq!(at(0, 2, Vec::new()), Verdict::Well);
    assert!(matches!(at(1, 1, full()), Verdict::Until(_)));
    assert_eq!(at(9, 2, full()), Verdict::Well, "it has come, and the event stays");
    assert!(matches!(at(30, 1, full()), Verdict::Until(_)), "the next one");
    assert!(matches!(at(40, 1, full()), Verdict::Hopeless(_)));

    let (workload, sets) = refused("exceeded quota", json!(0));
    let mut set = sets.objects().next().unwrap().clone();
    set["status"]["replicas"] = json!(1);
    let judged = Trial::new().at(0, &workload, Vec::new(), view(vec![set]), Vec::new());
    assert!(matches!(judged, Verdict::Until(_)), "an old pod goes for the new one that is there");
}

#[test]
fn a_controller_that_may_not_make_pods_says_so_in_events() {
    let mut trial = Trial::new();
    let mut at =
        |count| trial.at(0, &workload(), Vec::new(), View::default(), vec![event("FailedCreate", "w", "no", count)]);
    assert_eq!(at(3), Verdict::Well, "it was there before");
    assert_eq!(at(4), Verdict::Hopeless("X/x: FailedCreate: no".to_owned()));
}

#[test]
fn a_volume_that_does_not_come_ends_it() {
    let attach = |message: &str, pods: &str| {
        let (events, pods) = (vec![event("FailedAttachVolume", "p", message, 1)], vec![pod(pods, json!({}))]);
        Trial::new().at(0, &workload(), pods, View::default(), events)
    };
    let multi = "Multi-Attach error for volume \"v\" Volume is already used by pod(s) web-0";
    assert!(matches!(attach(multi, "new"), Verdict::Until(_)), "the old pod of a StatefulSet has gone before");
    assert_eq!(attach(multi, "old"), Verdict::Well);
    let (workload, _) = refused("", json!(0));
    let set = json!({"kind": "ReplicaSet", "metadata": {"uid": "s", "labels": {"pod-template-hash": "h"},
        "ownerReferences": [{"uid": "w"}]}, "spec": {"template": {}}});
    let pod = json!({"metadata": {"uid": "p", "labels": {"pod-template-hash": "h"}}});
    let events = vec![event("FailedAttachVolume", "p", multi, 1)];
    assert!(matches!(Trial::new().at(0, &workload, vec![pod], view(vec![set]), events), Verdict::Hopeless(_)));
}
