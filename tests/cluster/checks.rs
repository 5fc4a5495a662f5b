//! Post-checks against the real server. Nothing acts on this plane: the test itself plays the
//! controllers, so that each check is seen to hold and to fail.

use std::time::Duration;

use http::Method;
use kubectl_progrc::backend::cluster::checks::{self, Check, Verdict};
use kubectl_progrc::backend::cluster::write::Write;
use kubectl_progrc::fix::Edit;
use kubectl_progrc::model::ObjectRef;
use kubectl_progrc::plan::patch;
use serde_json::{Value, json};

use crate::writes::Bench;

impl Bench {
    fn post(&self, path: &str, object: &Value) -> Value {
        self.ns.request(Method::POST, path, Some(object)).success()
    }

    /// The check of a write, as things are now.
    fn before(&self, write: &Write) -> Check {
        self.runtime.block_on(checks::before(&self.connection, write)).expect("it has a check")
    }

    fn verdict(&self, check: &Check, seconds: u64) -> Verdict {
        let judge = checks::judge(&self.connection, std::slice::from_ref(&check), Duration::from_secs(seconds));
        self.runtime.block_on(judge).remove(0)
    }

    /// A ready pod with a label.
    fn pod(&self, name: &str) {
        let spec = json!({"containers": [{"name": "c", "image": "i"}]});
        let metadata = json!({"name": name, "labels": {"app": "web"}});
        self.post("v1/pods", &json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}));
        self.stand(name, true, 0);
    }

    /// What the kubelet would say about a pod.
    fn stand(&self, name: &str, ready: bool, restarts: u64) {
        let state = if ready { "True" } else { "False" };
        let container = json!({"name": "c", "image": "i", "imageID": "", "ready": ready, "restartCount": restarts,
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}});
        let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": state}],
            "containerStatuses": [container]});
        self.ns.patch(&format!("v1/pods/{name}/status"), &json!({"status": status}));
    }

    fn create(&self, api_version: &str, kind: &str, spec: &Value) -> Write {
        let object = ObjectRef::new(api_version, kind, Some(&self.ns.name), "x");
        let manifest = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": spec});
        Write::Create { object, manifest }
    }

    /// Carries a creation out, as the harness.
    fn made(&self, write: &Write, path: &str) {
        let Write::Create { manifest, .. } = write else { panic!("it is a creation") };
        self.post(path, manifest);
    }
}

#[test]
fn pods_behind_a_new_policy_stay_ready_or_it_is_ill() {
    let bench = Bench::new("policy");
    bench.pod("a");
    bench.pod("b");
    let write =
        bench.create("networking.k8s.io/v1", "NetworkPolicy", &json!({"podSelector": {"matchLabels": {"app": "web"}}}));
    let check = bench.before(&write);
    bench.made(&write, "networking.k8s.io/v1/networkpolicies");
    assert_eq!(bench.verdict(&check, 1), Verdict::Well("2 pods stayed ready".to_owned()));
    bench.ns.request(Method::DELETE, "v1/pods/b?gracePeriodSeconds=0", None).success();
    assert!(matches!(bench.verdict(&check, 1), Verdict::Well(_)), "a pod that somebody takes away has not fallen");
    bench.stand("a", true, 1);
    assert_eq!(bench.verdict(&check, 20), Verdict::Ill("a restarted".to_owned()));
    bench.stand("a", false, 0);
    assert_eq!(bench.verdict(&check, 20), Verdict::Ill("a is not ready any more".to_owned()));
}

#[test]
fn endpoints_of_a_changed_service_stay_or_it_is_ill() {
    let bench = Bench::new("endpoints");
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}}});
    let live = bench.post("v1/services", &service);
    let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "x-1", "labels": {"kubernetes.io/service-name": "x"}},
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}], "ports": [{"port": 80}]});
    bench.post("discovery.k8s.io/v1/endpointslices", &slice);
    let object = ObjectRef::new("v1", "Service", Some(&bench.ns.name), "x");
    let guarded = patch::build(&live, &[Edit::set("/spec/sessionAffinity", "ClientIP")], &[]).unwrap();
    let check = bench.before(&Write::Patch { object, subresource: None, guarded });
    assert_eq!(bench.verdict(&check, 1), Verdict::Well("1 endpoint stayed ready".to_owned()));
    bench.ns.delete("discovery.k8s.io/v1/endpointslices/x-1");
    assert!(matches!(bench.verdict(&check, 20), Verdict::Ill(_)));
}

#[test]
fn a_quota_is_counted_and_refuses_nothing_or_it_is_ill() {
    let bench = Bench::new("quota");
    let event = |name: &str, quota: &str| {
        let message = format!("pods \"p\" is forbidden: exceeded quota: {quota}, requested: pods=1");
        bench.post(
            "v1/events",
            &json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": name}, "type": "Warning",
            "reason": "FailedCreate", "message": message,
            "involvedObject": {"kind": "ReplicaSet", "namespace": bench.ns.name, "name": "web"}}),
        )
    };
    event("old", "x");
    let write = bench.create("v1", "ResourceQuota", &json!({"hard": {"pods": "2"}}));
    let check = bench.before(&write);
    bench.made(&write, "v1/resourcequotas");
    let used = |pods: &str| json!({"status": {"hard": {"pods": "2"}, "used": {"pods": pods}}});
    bench.ns.patch("v1/resourcequotas/x/status", &used("2"));
    assert!(matches!(bench.verdict(&check, 1), Verdict::Well(_)));
    event("another", "y");
    assert!(matches!(bench.verdict(&check, 1), Verdict::Well(_)));
    event("new", "x");
    let Verdict::Ill(why) = bench.verdict(&check, 20) else { panic!("it refuses pods") };
    assert!(why.contains("exceeded quota: x"), "{why}");
    bench.ns.patch("v1/resourcequotas/x/status", &used("3"));
    assert_eq!(bench.verdict(&check, 1), Verdict::Ill("more is in use than it allows: pods".to_owned()));
}

#[test]
fn a_budget_lets_one_go_or_it_is_ill() {
    let bench = Bench::new("budget");
    let write = bench.create("policy/v1", "PodDisruptionBudget", &json!({"maxUnavailable": 1, "selector": {}}));
    let check = bench.before(&write);
    bench.made(&write, "policy/v1/poddisruptionbudgets");
    let status = |expected: u64, healthy: u64, allowed: u64| {
        json!({"status": {"observedGeneration": 1, "expectedPods": expected, "currentHealthy": healthy,
            "desiredHealthy": 1, "disruptionsAllowed": allowed}})
    };
    let said = |status: &Value| {
        bench.ns.patch("policy/v1/poddisruptionbudgets/x/status", status);
        bench.verdict(&check, 1)
    };
    assert_eq!(said(&status(2, 2, 1)), Verdict::Well("2 of 2 pods are healthy, 1 may go".to_owned()));
    assert!(matches!(said(&status(2, 1, 0)), Verdict::Unclear(_)));
    assert!(matches!(said(&status(2, 2, 0)), Verdict::Ill(_)));
    assert!(matches!(said(&status(0, 0, 0)), Verdict::Ill(_)));
}
