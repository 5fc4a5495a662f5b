//! Taking back: load balancers, foreign edits, and what the journal keeps for it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use kubectl_progrc::backend::change::{self, Purpose};
use kubectl_progrc::backend::cluster::write::Options;
use kubectl_progrc::backend::journal::{Begin, Journal, Outcome, Record, SCHEMA};
use kubectl_progrc::fix::{Edit, Step};
use rexpect::session::spawn_command;
use serde_json::{Value, json};

use crate::harness::{ControlPlane, TestNamespace, WAIT};
use crate::scene::{
    ENTRY_ADDRESS, FIX_FLAGS, address, assert_guarded, deployment, entry_point, flag, flagged, history, hold,
    journal_files, writes,
};
use crate::writes::Bench;

/// A web app that an Ingress routes to, and that has a load balancer of its own with every field
/// that only a load balancer may have.
const BALANCED: &str = "
apiVersion: v1
kind: Service
metadata:
  name: web
  labels: {app: web}
  annotations:
    service.beta.kubernetes.io/load-balancer-source-ranges: 198.51.100.0/24
    example.com/note: stays
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  loadBalancerSourceRanges: [198.51.100.0/24]
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: nginx
  rules:
    - host: web.example.com
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}
";

#[test]
fn a_load_balancer_goes_and_comes_back_but_for_its_address() {
    entry_point(ControlPlane::full());
    let ns = ControlPlane::full().namespace("balancer");
    ns.apply(&deployment("web", 2));
    ns.apply(BALANCED);
    ns.wait_for_rollout("web");
    ns.patch("v1/services/web/status", &address("203.0.113.9"));
    ns.patch("networking.k8s.io/v1/ingresses/web/status", &address(ENTRY_ADDRESS));
    let written = || {
        let service = ns.get("v1/services/web");
        json!([service["metadata"]["labels"], service["metadata"]["annotations"], service["spec"]]).to_string()
    };
    let before = written();
    assert!(before.contains("healthCheckNodePort"), "{before}");

    let confirm = format!("--set=redundant-load-balancer.confirm={}/web", ns.name);
    let batch = ["fix", "--yes", "--unsafe-fixes", "--select=redundant-load-balancer"];
    let refused = ns.progrc(&batch).run().expect_code(0);
    assert!(refused.stdout.contains("not re-created: only 198.51.100.0/24 may call it"), "{}", refused.stdout);
    let batch = [&batch[..], &["--set=redundant-load-balancer.features=yes"]].concat();
    let unconfirmed = ns.progrc(&batch).run().expect_code(0);
    assert!(unconfirmed.stdout.contains("203.0.113.9 does not come back"), "{}", unconfirmed.stdout);
    assert_eq!(writes(&ns.requests()), []);
    let confirmed = [&batch[..], &[&confirm]].concat();
    ns.progrc(&confirmed).run().expect_code(0);
    let spec = &ns.get("v1/services/web")["spec"];
    assert_eq!(spec["type"], "ClusterIP");
    for gone in ["externalTrafficPolicy", "healthCheckNodePort", "loadBalancerSourceRanges"] {
        assert!(spec[gone].is_null(), "{spec}");
    }
    assert!(spec["ports"][0]["nodePort"].is_null(), "{spec}");

    let undone = ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert!(undone.stdout.contains("does not come back: "), "{}", undone.stdout);
    assert!(undone.stdout.contains("203.0.113.9"), "{}", undone.stdout);
    assert_eq!(written(), before);
    assert_eq!(ns.get("v1/services/web")["status"]["loadBalancer"], json!({}), "the address is lost");
    assert_guarded(&ns.requests());
}

#[test]
fn the_journal_is_private_and_ahead_of_each_write() {
    let ns = flagged("journal");
    ns.progrc(FIX_FLAGS).run().expect_code(0);
    let [file] = &journal_files(&ns)[..] else { panic!("one entry") };
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(file), mode(file.parent().unwrap())), (0o600, 0o700));
    assert_eq!(mode(&ns.home().join("state/kubectl-progrc")), 0o700);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = records.iter().map(|record| record["record"].as_str().unwrap()).collect();
    assert_eq!(names, ["begin", "intent", "result", "intent", "result", "verify", "verify", "end"]);
    let intents: Vec<&Value> = records.iter().filter(|record| record["record"] == "intent").collect();
    let touched = intents.iter().map(|intent| format!("{} {}", intent["verb"], intent["object"]["kind"]));
    assert_eq!(touched.collect::<Vec<_>>(), ["\"patch\" \"ConfigMap\"", "\"patch\" \"Deployment\""]);
    assert_eq!(intents[0]["changes"][0]["before"], "true");
    assert_eq!(intents[0]["awaits"][0]["name"], "web", "the rest of the fix, should it never come");
    let begin = &records[0];
    assert_eq!(begin["cluster"], ns.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]);
    assert_eq!((&begin["user"], &begin["context"]), (&json!(ns.tester.name), &json!("test")), "{begin}");
    assert_eq!((&begin["toolVersion"], &begin["command"]), (&json!(env!("CARGO_PKG_VERSION")), &json!("fix")));
    assert!(begin["server"].as_str().unwrap().starts_with("https://127.0.0.1:"), "{begin}");
    assert!(begin["serverVersion"].as_str().unwrap().starts_with("v1."), "{begin}");
    assert_eq!(begin["planHash"].as_str().unwrap().len(), "sha256:".len() + 64, "{begin}");
    assert_eq!(writes(&ns.requests()).len(), intents.len());
    assert_guarded(&ns.requests());
}

#[test]
fn without_a_journal_nothing_is_written() {
    let ns = flagged("no-journal");
    std::fs::write(ns.home().join("state"), "in the way").unwrap();
    let failed = ns.progrc(FIX_FLAGS).run().expect_code(2);
    assert!(failed.stderr.contains("kubectl-progrc"), "{}", failed.stderr);
    assert_eq!(writes(&ns.requests()), []);
    assert_eq!(ns.get("v1/configmaps/config")["data"]["ALLOW_UNKNOWN_API_PATHS"], "true");
}

#[test]
fn a_foreign_edit_since_is_not_undone() {
    let ns = flagged("foreign");
    ns.progrc(FIX_FLAGS).run().expect_code(0);
    ns.patch("v1/configmaps/config", &json!({"data": {"ALLOW_UNKNOWN_API_PATHS": "maybe"}}));
    let refused = ns.progrc(&["undo", "--yes", "-o", "json"]).run().expect_code(1);
    let columns = "/data/ALLOW_UNKNOWN_API_PATHS: before \"true\" · we set \"false\" · now \"maybe\"";
    assert!(refused.stderr.contains(columns), "{}", refused.stderr);
    assert_eq!(ns.get("v1/configmaps/config")["data"]["ALLOW_UNKNOWN_API_PATHS"], "maybe");
    let restarted = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";
    assert_eq!(ns.get("apps/v1/deployments/web").pointer(restarted), None, "the rest is taken back");
}

#[test]
fn a_foreign_edit_of_another_field_since_stays_and_the_undo_works() {
    let ns = flagged("foreign-beside");
    ns.progrc(FIX_FLAGS).run().expect_code(0);
    ns.patch("v1/configmaps/config", &json!({"data": {"THEIRS": "1"}, "metadata": {"labels": {"theirs": "1"}}}));
    ns.patch("apps/v1/deployments/web", &json!({"spec": {"template": {"metadata": {"annotations": {"theirs": "1"}}}}}));
    ns.wait_for_rollout("web");
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    let map = ns.get("v1/configmaps/config");
    assert_eq!((flag(&ns), &map["data"]["THEIRS"]), (json!("true"), &json!("1")));
    assert_eq!(map["metadata"]["labels"], json!({"theirs": "1"}));
    let template = &ns.get("apps/v1/deployments/web")["spec"]["template"]["metadata"];
    assert_eq!(template["annotations"], json!({"theirs": "1"}));
    assert_guarded(&ns.requests());
}

#[test]
fn an_undo_is_undone_by_its_id() {
    let ns = flagged("redo");
    ns.progrc(FIX_FLAGS).run().expect_code(0);
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert_eq!(flag(&ns), "true");
    ns.progrc(&["undo", "--yes"]).run().expect_code(2);
    let undo = history(&ns).1[0].clone();
    ns.progrc(&["undo", "--yes", &undo]).run().expect_code(0);
    assert_eq!(flag(&ns), "false");
    let (states, ids) = history(&ns);
    let state = |command: &str, status: &str| (command.to_owned(), status.to_owned());
    assert_eq!(states, [state("undo", "done"), state("undo", "undone"), state("fix", "undone")]);
    ns.progrc(&["undo", "--yes", &ids[0]]).run().expect_code(0);
    assert_eq!(flag(&ns), "true");
    assert_guarded(&ns.requests());
}

#[test]
fn several_entries_are_undone_each_for_itself() {
    let ns = flagged("several");
    ns.apply(&deployment("other", 3));
    ns.wait_for_rollout("other");
    ns.progrc(FIX_FLAGS).run().expect_code(0);
    ns.progrc(&["fix", "--yes", "--select=missing-pdb"]).run().expect_code(0);
    let (_, ids) = history(&ns);
    ns.progrc(&["undo", "--yes", &ids[0], &ids[1]]).run().expect_code(0);
    let states: Vec<String> =
        history(&ns).0.into_iter().map(|(command, status)| format!("{command} {status}")).collect();
    assert_eq!(states, ["undo done", "undo done", "fix undone", "fix undone"]);
    assert_eq!(flag(&ns), "true");
    ns.wait_for("policy/v1/poddisruptionbudgets", "none left", |list| list["items"] == json!([]));
}

#[test]
fn one_step_leaves_the_rest_to_be_undone() {
    let ns = flagged("step");
    ns.progrc(FIX_FLAGS).run().expect_code(0);
    ns.progrc(&["undo", "--yes", "--step=1"]).run().expect_code(0);
    assert_eq!(flag(&ns), "true");
    let restarted = || {
        let at = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";
        ns.get("apps/v1/deployments/web").pointer(at).is_some()
    };
    assert!(restarted());
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert!(!restarted());
    ns.progrc(&["undo", "--yes"]).run().expect_code(2);
}

#[test]
fn another_run_on_this_cluster_is_waited_for_by_the_user() {
    let ns = flagged("lock");
    let cluster = ns.get("/api/v1/namespaces/kube-system")["metadata"]["uid"].as_str().unwrap().to_owned();
    let other = Journal::new(&ns.home().join("state")).begin(&cluster, Begin::default()).unwrap();
    let refused = ns.progrc(FIX_FLAGS).run().expect_code(2);
    assert!(refused.stderr.contains("another run is changing this cluster"), "{}", refused.stderr);
    assert_eq!(writes(&ns.requests()), []);
    drop(other);
    ns.progrc(FIX_FLAGS).run().expect_code(0);
}

/// A `ConfigMap` with two fields that one step of one entry has changed, and of which somebody has
/// changed one since.
fn half_foreign(prefix: &str) -> TestNamespace {
    let bench = Bench::new(prefix);
    let map = bench.config_map(&json!({"A": "1", "B": "1"}));
    let edits = vec![Edit::set("/data/A", "2"), Edit::set("/data/B", "2")];
    let prepared = bench.prepare(&Step::patch(&map, edits)).unwrap();
    let cluster = bench.ns.get("/api/v1/namespaces/kube-system")["metadata"]["uid"].as_str().unwrap().to_owned();
    let begin = Begin { schema: SCHEMA, command: "fix".into(), cluster: cluster.clone(), ..Begin::default() };
    let mut writer = Journal::new(&bench.ns.home().join("state")).begin(&cluster, begin).unwrap();
    let purpose =
        Purpose { rule: "rule".into(), title: "Change two fields".into(), irreversible: None, awaits: Vec::new() };
    let options = Options::default();
    let commit = change::commit(&bench.connection, &mut writer, 0, &purpose, &prepared, &options);
    assert_eq!(bench.runtime.block_on(commit).unwrap().outcome, Outcome::Applied);
    let end = Record::End { status: "done".into(), time: Begin::default().time };
    writer.write(&end).unwrap();
    bench.ns.patch("v1/configmaps/config", &json!({"data": {"B": "theirs", "C": "new"}}));
    bench.ns
}

fn data(ns: &TestNamespace) -> Value {
    ns.get("v1/configmaps/config")["data"].clone()
}

#[test]
fn fields_that_nobody_has_touched_go_back_when_asked_for() {
    let ns = half_foreign("per-path");
    let refused = ns.progrc(&["undo", "--yes"]).run().expect_code(1);
    let columns = "/data/B: before \"1\" · we set \"2\" · now \"theirs\"";
    assert!(refused.stderr.contains(columns) && refused.stderr.contains("--per-path"), "{}", refused.stderr);
    assert_eq!(data(&ns), json!({"A": "2", "B": "theirs", "C": "new"}));
    ns.progrc(&["undo", "--yes", "--per-path"]).run().expect_code(1);
    assert_eq!(data(&ns), json!({"A": "1", "B": "theirs", "C": "new"}));
    assert_eq!(history(&ns).0.last().unwrap().1, "done", "the rest is still to be undone");
    ns.progrc(&["undo", "--yes", "--force-value"]).run().expect_code(0);
    assert_eq!(data(&ns), json!({"A": "1", "B": "1", "C": "new"}));
    assert_eq!(history(&ns).0.last().unwrap().1, "undone");
    assert_guarded(&ns.requests());
}

#[test]
fn at_a_terminal_the_untouched_fields_are_offered() {
    let ns = half_foreign("offered");
    let limit = u64::try_from(WAIT.as_millis()).unwrap();
    let mut talk = spawn_command(ns.progrc(&["undo"]).command(), Some(limit)).unwrap();
    let before = talk.exp_string("Take back the other fields of configmap/config").unwrap();
    assert!(before.contains("now \"theirs\""), "{before}");
    talk.send_line("y").unwrap();
    let diff = talk.exp_string("Take these changes back?").unwrap();
    assert!(!diff.contains("theirs"), "{diff}");
    assert_eq!(data(&ns)["A"], "2", "nothing is written before the answer");
    talk.send_line("y").unwrap();
    talk.exp_string("1 change taken back").unwrap();
    talk.exp_eof().unwrap();
    assert_eq!(data(&ns), json!({"A": "1", "B": "theirs", "C": "new"}));
}

/// Steps on different objects are tried once each; nothing but the question lies between.
#[test]
fn no_step_is_tried_twice() {
    let ns = ControlPlane::bare().namespace("once");
    ns.apply(&deployment("a", 3));
    ns.apply(&deployment("b", 3));
    ns.progrc(&["fix", "--yes", "--select=missing-pdb"]).run().expect_code(0);
    let earlier = ns.requests().len();
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    let requests = ns.requests().split_off(earlier);
    let tried = requests.iter().filter(|request| request.uri.contains("dryRun=All")).count();
    assert_eq!((tried, writes(&requests).len()), (2, 2));
}

#[test]
fn force_puts_the_old_value_back_and_never_into_another_object() {
    let ns = flagged("force");
    ns.progrc(FIX_FLAGS).run().expect_code(0);
    ns.patch("v1/configmaps/config", &json!({"data": {"ALLOW_UNKNOWN_API_PATHS": "maybe"}}));
    let tried = ns.progrc(&["undo", "--force-value", "--dry-run"]).run().expect_code(0);
    assert!(tried.stderr.contains("maybe"), "what is overwritten is shown: {}", tried.stderr);
    assert_eq!(flag(&ns), "maybe");
    ns.progrc(&["undo", "--yes", "--force-value"]).run().expect_code(0);
    assert_eq!(flag(&ns), "true");
    assert_eq!(history(&ns).0[1].1, "undone");
    ns.wait_for_rollout("web");

    ns.progrc(FIX_FLAGS).run().expect_code(0);
    let mut map = ns.get("v1/configmaps/config");
    ns.delete("v1/configmaps/config");
    map["metadata"] = json!({"name": "config"});
    map["data"]["ALLOW_UNKNOWN_API_PATHS"] = json!("maybe");
    ns.request(http::Method::POST, "v1/configmaps", Some(&map)).success();
    let refused = ns.progrc(&["undo", "--yes", "--force-value"]).run().expect_code(1);
    assert!(refused.stderr.contains("deleted and made anew"), "{}", refused.stderr);
    assert_eq!(flag(&ns), "maybe");
    assert_guarded(&ns.requests());
}

#[test]
fn a_made_object_that_somebody_settled_by_hand_is_not_deleted_even_by_force() {
    let ns = ControlPlane::bare().namespace("by-hand");
    ns.apply(&deployment("web", 3));
    ns.progrc(&["fix", "--yes", "--select=missing-pdb"]).run().expect_code(0);
    let path = "policy/v1/poddisruptionbudgets/web-pdb";
    for change in [json!({"spec": {"maxUnavailable": 2}}), json!({"metadata": {"labels": {"team": "shop"}}})] {
        ns.patch(path, &change);
        for flags in [&["undo", "--yes"][..], &["undo", "--yes", "--per-path"], &["undo", "--yes", "--force-value"]] {
            let refused = ns.progrc(flags).run().expect_code(1);
            assert!(refused.stderr.contains("somebody has changed it since"), "{flags:?}: {}", refused.stderr);
        }
        ns.patch(path, &json!({"spec": {"maxUnavailable": 1}}));
    }
    assert_eq!(ns.get(path)["metadata"]["labels"]["team"], "shop");
    // Who takes it away by hand has done what the undo was to do.
    ns.delete(path);
    let gone = ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert!(gone.stderr.contains("it is gone already"), "{}", gone.stderr);
    assert_eq!(history(&ns).0.last().unwrap().1, "undone");
}

/// Of two entries the newer is taken back; the older can't begin, since another run is about its
/// namespace. What is done stays done and is known.
#[test]
fn of_several_entries_one_that_cannot_begin_is_told_and_left() {
    let ns = ControlPlane::bare().namespace("first");
    let other = ControlPlane::bare().namespace("second");
    ns.apply(&deployment("web", 3));
    other.apply(&deployment("web", 3));
    for namespace in [&other.name, &ns.name] {
        ns.progrc(&["fix", "--yes", "--select=missing-pdb", "-n", namespace]).run().expect_code(0);
    }
    let (_, ids) = history(&ns);
    let budgets = |ns: &TestNamespace| ns.get("policy/v1/poddisruptionbudgets")["items"].as_array().unwrap().len();
    let held = hold(&ns, &other.name);
    let ended = ns.progrc(&["undo", "--yes", &ids[0], &ids[1]]).run().expect_code(3);
    assert!(ended.stderr.contains(&format!("another run is changing namespace {}", other.name)), "{}", ended.stderr);
    assert_eq!((budgets(&ns), budgets(&other)), (0, 1));
    drop(held);
    let status = |id: &String| {
        let entry = ns.progrc(&["history", id, "-o", "json"]).run().expect_code(0).stdout;
        serde_json::from_str::<Value>(&entry).unwrap()["status"].clone()
    };
    assert_eq!([status(&ids[0]), status(&ids[1])], ["undone", "done"]);
    ns.progrc(&["undo", "--yes", &ids[1]]).run().expect_code(0);
    assert_eq!((budgets(&ns), budgets(&other)), (0, 0));
    assert_guarded(&ns.requests());
}
