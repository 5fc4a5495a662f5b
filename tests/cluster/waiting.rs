//! Waiting for rollouts: those that fail, those that never end, and a person who has had enough.

use std::process::{Command, Stdio};

use http::Method;
use serde_json::{Value, json};

use crate::harness::{AuditEntry, ControlPlane, Finished, TestNamespace};
use crate::scene::{FIX_FLAGS, flag, flagged, history, path_of, report};

#[test]
fn a_rollout_that_fails_needs_a_look_and_is_taken_back() {
    let ns = flagged("rollout");
    ns.apply("{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {pods: 1}}}");
    ns.wait_for("v1/resourcequotas/q", "counted", |quota| quota["status"]["used"]["pods"] == "1");
    let failed = ns.progrc(&[FIX_FLAGS, &["--no-rollback"]].concat()).run().expect_code(3);
    assert!(failed.stdout.contains("exceeded quota"), "{}", failed.stdout);
    assert_is_taken_back(&ns, &failed, "partial");
}

/// The message names the way back, and it leads there.
#[track_caller]
fn assert_is_taken_back(ns: &TestNamespace, ended: &Finished, status: &str) {
    let said = format!("{}{}", ended.stdout, ended.stderr);
    let (runs, ids) = history(ns);
    assert_eq!(runs[0], ("fix".to_owned(), status.to_owned()), "{said}");
    assert!(said.contains(&format!("kubectl progrc undo {}", ids[0])), "{said}");
    assert_eq!(flag(ns), "false");
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert_eq!(flag(ns), "true");
    ns.wait_for_rollout("web");
}

/// A Deployment that fills both nodes and may not have a pod less: a new pod finds no place.
pub(crate) fn cramped(prefix: &str) -> TestNamespace {
    let ns = ControlPlane::full().namespace(prefix);
    ns.apply(CRAMPED);
    ns.wait_for_rollout("web");
    ns
}

const CRAMPED: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {ALLOW_UNKNOWN_API_PATHS: 'true'}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}}
    spec:
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}
      containers: [{name: main, image: registry.example/web:1, envFrom: [{configMapRef: {name: config}}]}]
";

#[test]
fn a_rollout_that_never_ends_is_given_up() {
    let ns = cramped("timeout");
    let ended = ns.progrc(&[FIX_FLAGS, &["--timeout=3s", "--no-rollback"]].concat()).run().expect_code(3);
    assert_is_taken_back(&ns, &ended, "partial");
}

#[test]
fn a_volume_that_is_used_elsewhere_ends_the_wait() {
    let ns = cramped("volume");
    let mut command = ns.progrc(FIX_FLAGS).command();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pods = ns.wait_for("v1/pods", "a new pod", |pods| pods["items"].as_array().is_some_and(|it| it.len() == 3));
    let pod = pods["items"].as_array().unwrap().iter().find(|pod| pod["spec"]["nodeName"].is_null()).unwrap();
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "attach", "namespace": ns.name}, "type": "Warning",
        "reason": "FailedAttachVolume", "message": "Multi-Attach error: Volume is already used by pod(s) web-1",
        "involvedObject": {"kind": "Pod", "namespace": ns.name, "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]},
    });
    ns.request(Method::POST, "v1/events", Some(&event)).success();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("FailedAttachVolume: Multi-Attach error") && said.contains("taken back"), "{said}");
    assert_eq!(flag(&ns), "true");
}

#[test]
fn what_is_watched_is_not_asked_again_and_again() {
    let ns = cramped("watched");
    ns.progrc(&[FIX_FLAGS, &["--timeout=8s", "--no-rollback"]].concat()).run().expect_code(3);
    let path = format!("/apis/apps/v1/namespaces/{}/deployments", ns.name);
    let requests = ns.requests();
    let restart = requests.iter().rposition(AuditEntry::writes).unwrap();
    let after = requests[restart..].iter().filter(|request| path_of(request).starts_with(&path));
    let looks = after.clone().filter(|it| it.verb == "get" || it.uri.contains("fieldSelector") && it.verb == "list");
    assert!(looks.count() <= 3, "{:?}", after.map(|it| format!("{} {}", it.verb, it.uri)).collect::<Vec<_>>());
    assert!(after.clone().any(|request| request.verb == "watch"));
}

#[test]
fn nobody_has_to_wait() {
    let ns = cramped("no-wait");
    let ended = ns.progrc(&[FIX_FLAGS, &["--wait=false"]].concat()).run().expect_code(0);
    assert_is_taken_back(&ns, &ended, "done");
}

#[test]
fn an_interrupt_leaves_a_settled_journal() {
    let ns = cramped("interrupt");
    let mut command = ns.progrc(&[FIX_FLAGS, &["-o", "json"]].concat()).command();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    ns.wait_for("apps/v1/deployments/web", "restarting", |object| {
        object["metadata"]["generation"].as_i64() > Some(1) && object["status"]["updatedReplicas"] == 1
    });
    let id = child.id().to_string();
    assert!(Command::new("/bin/sh").args(["-c", "kill -INT \"$1\"", "sh", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ended = Finished { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) };
    let ended = ended.expect_code(130);
    assert_eq!(report(&ended)["exitCode"], 130);
    let (_, ids) = history(&ns);
    let entry = report(&ns.progrc(&["history", &ids[0], "-o", "json"]).run().expect_code(0));
    let steps: Vec<&Value> = entry["steps"].as_array().unwrap().iter().map(|step| &step["state"]).collect();
    assert_eq!(steps, ["applied", "applied"], "nothing is open");
    assert_eq!(history(&ns).0[0].1, "interrupted");
    assert_eq!(flag(&ns), "false");
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert_eq!(flag(&ns), "true");
    ns.wait_for_rollout("web");
}
