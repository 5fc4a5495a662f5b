//! Taking back by itself: a rollout that fails, a soak, a batch that is to be all or nothing.

use serde_json::{Value, json};

use crate::harness::{ControlPlane, TestNamespace};
use crate::scene::{FIX_FLAGS, assert_guarded, denying_policy, deployment, flag, flagged, history, report};

const RESTARTED: &str = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";

/// A ConfigMap with a bad flag, and workloads that read it: name, kind and what their images bear.
pub(crate) fn readers(prefix: &str, workloads: &[(&str, &str, &str)]) -> TestNamespace {
    let ns = ControlPlane::full().namespace(prefix);
    ns.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, data: {ALLOW_UNKNOWN_API_PATHS: 'true'}}");
    for (name, kind, image) in workloads {
        let container = format!("image: registry.example/{image}:1, envFrom: [{{configMapRef: {{name: config}}}}]");
        let yaml = deployment(name, 2).replace(&format!("image: registry.example/{name}:1"), &container);
        ns.apply(&yaml.replace("kind: Deployment", &format!("kind: {kind}")));
        let path = format!("apps/v1/{}s/{name}", kind.to_lowercase());
        ns.wait_for(&path, "ready", |object| object["status"]["readyReplicas"] == 2);
    }
    ns
}

/// The records of the newest entry.
fn records(ns: &TestNamespace) -> Vec<Value> {
    let id = history(ns).1.remove(0);
    let folder = ns.home().join("state/kubectl-progrc");
    let clusters = std::fs::read_dir(folder).unwrap();
    let file = clusters.map(|it| it.unwrap().path().join(format!("{id}.jsonl"))).find(|it| it.exists()).unwrap();
    std::fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The flag and the template are as they were, and the journal knows it.
#[track_caller]
fn assert_rolled_back(ns: &TestNamespace, path: &str) {
    assert_eq!(flag(ns), "true");
    assert_eq!(ns.get(path).pointer(RESTARTED), None);
    assert_eq!(history(ns).0[0], ("fix".to_owned(), "rolled-back".to_owned()));
    let nothing = ns.progrc(&["undo", "--yes"]).run().expect_code(2);
    assert!(nothing.stderr.contains("nothing to undo"), "{}", nothing.stderr);
    assert_guarded(&ns.requests());
}

#[test]
fn a_quota_that_stops_a_rollout_takes_it_back() {
    let ns = flagged("rolled-back");
    ns.apply("{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {pods: 1}}}");
    ns.wait_for("v1/resourcequotas/q", "counted", |quota| quota["status"]["used"]["pods"] == "1");
    let failed = ns.progrc(FIX_FLAGS).run().expect_code(3);
    assert!(failed.stdout.contains("exceeded quota") && failed.stdout.contains("taken back"), "{}", failed.stdout);
    let id = history(&ns).1.remove(0);
    assert!(failed.stderr.contains(&format!("kubectl progrc history {id}")), "{}", failed.stderr);
    assert!(!failed.stdout.contains("kubectl progrc undo"), "nothing is left to undo: {}", failed.stdout);
    assert_rolled_back(&ns, "apps/v1/deployments/web");
    let names: Vec<String> = records(&ns).iter().map(|it| it["record"].as_str().unwrap().to_owned()).collect();
    let forward = ["begin", "intent", "result", "intent", "result", "rollback"];
    assert_eq!(names[..6], forward);
    assert_eq!(names[6..], ["intent", "result", "handed-back", "intent", "result", "end"]);
    let back: Vec<Value> = records(&ns).iter().map(|it| it["takesBack"].clone()).filter(|it| !it.is_null()).collect();
    assert_eq!(back, [json!(0), json!(1)], "the value before the template");
}

#[test]
fn pods_that_crash_take_the_change_back() {
    let ns = readers("crash", &[("web", "Deployment", "sours")]);
    let failed = ns.progrc(&[FIX_FLAGS, &["-o", "json"]].concat()).run().expect_code(3);
    assert!(failed.stdout.contains("CrashLoopBackOff"), "{}", failed.stdout);
    let report = report(&failed);
    assert!(report["applied"].as_array().unwrap().iter().all(|fix| fix["takenBack"] == true), "{report}");
    assert_rolled_back(&ns, "apps/v1/deployments/web");
    ns.wait_for_rollout("web");
}

#[test]
fn a_stuck_pod_of_a_stateful_set_is_made_anew() {
    let ns = readers("stuck", &[("db", "StatefulSet", "sours")]);
    let failed = ns.progrc(FIX_FLAGS).run().expect_code(3);
    assert!(failed.stderr.contains("pod/db-1 deleted"), "{}", failed.stderr);
    assert!(failed.stderr.contains("statefulset.apps/db rolled out"), "{}", failed.stderr);
    let set = ns.get("apps/v1/statefulsets/db");
    assert_eq!((&set["status"]["readyReplicas"], &set["status"]["updatedReplicas"]), (&json!(2), &json!(2)), "{set}");
    assert_rolled_back(&ns, "apps/v1/statefulsets/db");
}

#[test]
fn nobody_waits_for_pods_that_somebody_has_to_delete() {
    let ns = readers("on-delete", &[("db", "StatefulSet", "db")]);
    ns.patch(
        "apps/v1/statefulsets/db",
        &json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}}),
    );
    let done = ns.progrc(FIX_FLAGS).run().expect_code(0);
    assert!(done.stderr.contains("Warning: statefulset.apps/db: its pods stay as they are"), "{}", done.stderr);
}

#[test]
fn a_value_that_one_reader_does_not_bear_is_taken_back_from_all() {
    let ns = readers("shared", &[("good", "Deployment", "good"), ("soured", "Deployment", "sours")]);
    ns.progrc(FIX_FLAGS).run().expect_code(3);
    assert_eq!(ns.get("apps/v1/deployments/good").pointer(RESTARTED), None, "it would run with a value that is gone");
    assert_rolled_back(&ns, "apps/v1/deployments/soured");
}

#[test]
fn pods_that_fall_while_they_are_watched_take_the_change_back() {
    let ns = readers("soak", &[("web", "Deployment", "falters")]);
    let failed = ns.progrc(&[FIX_FLAGS, &["--soak=20s"]].concat()).run().expect_code(3);
    assert!(failed.stdout.contains("is not ready any more; taken back"), "{}", failed.stdout);
    assert_rolled_back(&ns, "apps/v1/deployments/web");
    let verified = records(&ns).into_iter().find(|record| record["record"] == "verify").unwrap();
    assert_eq!(verified["ok"], false, "{verified}");
    ns.wait_for_rollout("web");
}

#[test]
fn without_a_failure_a_soak_lets_all_stand() {
    let ns = flagged("soaked");
    ns.progrc(&[FIX_FLAGS, &["--soak=2s"]].concat()).run().expect_code(0);
    assert_eq!(flag(&ns), "false");
    let verified: Vec<Value> = records(&ns).into_iter().filter(|record| record["record"] == "verify").collect();
    assert!(!verified.is_empty() && verified.iter().all(|record| record["ok"] == true), "{verified:?}");
}

#[test]
fn atomic_is_all_or_nothing() {
    let ns = readers("atomic", &[("web", "Deployment", "sours")]);
    let batch = ["fix", "--yes", "--unsafe-fixes", "--select=insecure-flag,missing-pdb"];
    ns.progrc(&[&batch[..], &["--keep-going", "--atomic"]].concat()).run().expect_code(2);
    let failed = ns.progrc(&[&batch[..], &["--atomic"]].concat()).run().expect_code(3);
    assert!(failed.stderr.contains("poddisruptionbudget.policy/web-pdb created"), "{}", failed.stderr);
    ns.wait_for("policy/v1/poddisruptionbudgets", "none left", |list| list["items"] == json!([]));
    assert_rolled_back(&ns, "apps/v1/deployments/web");

    ns.progrc(&batch).run().expect_code(3);
    assert_eq!(ns.get("policy/v1/poddisruptionbudgets")["items"].as_array().unwrap().len(), 1, "what is settled stays");
    assert_eq!(flag(&ns), "true", "what failed does not");
    assert_eq!(history(&ns).0[0].1, "partial");
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    ns.wait_for("policy/v1/poddisruptionbudgets", "none left", |list| list["items"] == json!([]));
}

#[test]
fn an_inverse_that_is_refused_stops_the_rollback() {
    let ns = flagged("refused");
    ns.apply("{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {pods: 1}}}");
    ns.wait_for("v1/resourcequotas/q", "counted", |quota| quota["status"]["used"]["pods"] == "1");
    // Somebody's policy lets nobody set the flag to the bad value again.
    let no_flag = "{expression: \"object.data['ALLOW_UNKNOWN_API_PATHS'] != 'true'\", message: no such flag}";
    ns.apply(&denying_policy(&ns.name, no_flag));
    let bad = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe"},
        "data": {"ALLOW_UNKNOWN_API_PATHS": "true"}});
    crate::harness::wait_until(crate::harness::WAIT, "the policy", || {
        match ns.request(http::Method::POST, "v1/configmaps?dryRun=All", Some(&bad)).code {
            201 => Err("not yet".to_owned()),
            _ => Ok(()),
        }
    });
    let failed = ns.progrc(FIX_FLAGS).run().expect_code(3);
    assert!(failed.stdout.contains("not all of it could be taken back: configmap/config"), "{}", failed.stdout);
    let id = history(&ns).1.remove(0);
    assert!(failed.stderr.contains(&format!("kubectl progrc undo {id}")), "{}", failed.stderr);
    assert_eq!(flag(&ns), "false");
    assert_eq!(history(&ns).0[0].1, "partial");
}
