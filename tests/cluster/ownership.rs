//! Field ownership after an undo: another manager's server-side apply meets no conflict, and its
//! dropped keys go.

use kubectl_progrc::backend::cluster::write::Options;
use kubectl_progrc::backend::journal::{Journal, Outcome};
use kubectl_progrc::backend::undo::{self, Back};
use kubectl_progrc::fix::{Edit, Step};
use kubectl_progrc::model::{ObjectRef, Subject};
use serde_json::{Value, json};

use crate::harness::{ControlPlane, Finished, TestNamespace};
use crate::scene::{FIX_FLAGS, assert_guarded};
use crate::writes::Bench;

/// Server-side apply as `helm`.
fn helm(ns: &TestNamespace, manifest: &str) -> Finished {
    ns.kubectl(&["apply", "--server-side", "--field-manager=helm", "-f", "-"]).stdin(manifest).run()
}

/// A Deployment with the flag in its own environment, and a container before it.
fn app(log: &str, flags: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
        - {{name: side, image: registry.example/side:1}}
        - name: main
          image: registry.example/web:1
          ports: [{{containerPort: 8080}}]
          env: [{{name: LOG, value: {log}}}{flags}]
"
    )
}

const FLAG: &str = ", {name: ALLOW_UNKNOWN_API_PATHS, value: 'true'}";
const WEB: &str = "apps/v1/deployments/web";

fn fix(ns: &TestNamespace) {
    ns.progrc(&[FIX_FLAGS, &["--wait=false"]].concat()).run().expect_code(0);
}

/// The managers that own something of an object.
fn managers(object: &Value) -> Vec<&str> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap().iter();
    entries.map(|entry| entry["manager"].as_str().unwrap()).collect()
}

#[test]
fn after_an_undo_the_applier_owns_its_fields_again() {
    let ns = ControlPlane::bare().namespace("owner");
    helm(&ns, &app("a", FLAG)).expect_code(0);
    let before = ns.get(WEB);
    fix(&ns);
    let other = FLAG.replace("true", "maybe");
    let conflict = helm(&ns, &app("a", &other)).expect_code(1);
    assert!(conflict.stderr.contains("conflict with \"kubectl-progrc\""), "{}", conflict.stderr);
    let first = json!([{"op": "add", "path": "/spec/template/spec/containers/0",
        "value": {"name": "first", "image": "registry.example/first:1", "env": [{"name": "A", "value": "false"}]}}]);
    ns.kubectl(&["patch", "deployment", "web", "--type=json", "-p", &first.to_string()]).run().expect_code(0);

    ns.progrc(&["undo", "--yes", "--wait=false"]).run().expect_code(0);
    let after = ns.get(WEB);
    let containers = after["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 3, "what somebody else has added stays");
    assert_eq!(containers[2]["env"], before["spec"]["template"]["spec"]["containers"][1]["env"]);
    assert!(!managers(&after).contains(&"kubectl-progrc"), "{:?}", managers(&after));
    let helms = |object: &Value| {
        let entries = object["metadata"]["managedFields"].as_array().unwrap();
        entries.iter().find(|entry| entry["manager"] == "helm").map(|entry| entry["fieldsV1"].clone())
    };
    assert_eq!(helms(&after), helms(&before));

    helm(&ns, &app("b", &other)).expect_code(0);
    helm(&ns, &app("b", "")).expect_code(0);
    let env = &ns.get(WEB)["spec"]["template"]["spec"]["containers"][2]["env"];
    assert_eq!(env, &json!([{"name": "LOG", "value": "b"}]), "a dropped key goes");
    assert_guarded(&ns.requests());
}

fn map(unknown: &str, empty: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: config}}, \
         data: {{ALLOW_UNKNOWN_API_PATHS: '{unknown}', ALLOW_EMPTY_PERMISSIONS: '{empty}', KEPT: x}}}}"
    )
}

#[test]
fn what_is_not_undone_stays_ours() {
    let ns = ControlPlane::bare().namespace("two");
    let read = |key: &str| format!(", {{name: {key}, valueFrom: {{configMapKeyRef: {{name: config, key: {key}}}}}}}");
    ns.apply(&app("a", &(read("ALLOW_UNKNOWN_API_PATHS") + &read("ALLOW_EMPTY_PERMISSIONS"))));
    helm(&ns, &map("true", "true")).expect_code(0);
    fix(&ns);
    assert_eq!(ns.get("v1/configmaps/config")["data"]["ALLOW_EMPTY_PERMISSIONS"], "false");
    ns.progrc(&["undo", "--yes", "--step=1", "--wait=false"]).run().expect_code(0);
    let data = ns.get("v1/configmaps/config")["data"].clone();
    let (back, kept) = match data["ALLOW_UNKNOWN_API_PATHS"].as_str() {
        Some("true") => (map("maybe", "true"), "ALLOW_EMPTY_PERMISSIONS"),
        _ => (map("true", "maybe"), "ALLOW_UNKNOWN_API_PATHS"),
    };
    let conflict = helm(&ns, &back).expect_code(1).stderr;
    assert!(conflict.contains("1 conflict") && conflict.contains(kept), "{conflict}");
    ns.progrc(&["undo", "--yes", "--wait=false"]).run().expect_code(0);
    helm(&ns, &back).expect_code(0);
    let config = ns.get("v1/configmaps/config");
    assert_eq!(managers(&config), ["helm"], "{config}");
}

/// An undo that is undone: the value is ours again, and goes back once more.
#[test]
fn ownership_follows_an_undo_of_the_undo() {
    let ns = ControlPlane::bare().namespace("again");
    helm(&ns, &app("a", FLAG)).expect_code(0);
    fix(&ns);
    let newest =
        || ns.progrc(&["history", "-o", "name"]).run().expect_code(0).stdout.lines().next().unwrap().to_owned();
    let other = app("a", &FLAG.replace("true", "maybe"));
    ns.progrc(&["undo", "--yes", "--wait=false"]).run().expect_code(0);
    ns.progrc(&["undo", "--yes", "--wait=false", &newest()]).run().expect_code(0);
    helm(&ns, &other).expect_code(1);
    ns.progrc(&["undo", "--yes", "--wait=false", &newest()]).run().expect_code(0);
    helm(&ns, &other).expect_code(0);
}

/// A crash between the value and its ownership: `recover` does the rest.
#[test]
fn ownership_that_a_crash_has_kept_goes_back_with_recover() {
    let ns = ControlPlane::bare().namespace("kept");
    helm(&ns, &app("a", FLAG)).expect_code(0);
    fix(&ns);
    let ours = ns.get(WEB)["metadata"]["managedFields"].clone();
    ns.progrc(&["undo", "--yes", "--wait=false"]).run().expect_code(0);
    // As it was before the second patch: the journal without its record, and the fields ours.
    let file = crate::scene::journal_files(&ns).pop().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let names: Vec<&str> = text.lines().map(|line| line.split('"').nth(3).unwrap()).collect();
    assert_eq!(names, ["begin", "intent", "result", "handed-back", "end"]);
    std::fs::write(&file, text.split_inclusive('\n').take(3).collect::<String>()).unwrap();
    ns.patch(WEB, &json!({"metadata": {"managedFields": ours}}));
    let other = app("a", &FLAG.replace("true", "maybe"));
    helm(&ns, &other).expect_code(1);
    let said = ns.progrc(&["recover", "--yes"]).run().expect_code(0).stdout;
    assert!(said.contains("its fields go back to their owners"), "{said}");
    helm(&ns, &other).expect_code(0);
    assert_guarded(&ns.requests());
}

/// Fields of a subresource: the entries of the whole object say through which.
#[test]
fn replicas_set_through_scale_go_back() {
    let bench = Bench::new("scale-owner");
    helm(&bench.ns, &app("a", "")).expect_code(0);
    let mut object = ObjectRef::new("apps/v1", "Deployment", Some(&bench.ns.name), "web");
    object.uid = bench.ns.get(WEB)["metadata"]["uid"].as_str().map(str::to_owned);
    let step = Step::Patch {
        object: Subject::new(object),
        subresource: Some("scale".to_owned()),
        edits: vec![Edit::set("/spec/replicas", 3)],
        expect: Vec::new(),
    };
    assert_eq!(bench.commit(&bench.prepare(&step).unwrap()).outcome, Outcome::Applied);
    let more = app("a", "").replace("replicas: 1", "replicas: 2");
    let conflict = helm(&bench.ns, &more).expect_code(1);
    assert!(conflict.stderr.contains("subresource \"scale\""), "{}", conflict.stderr);

    let entry = Journal::new(&bench.ns.home().join("state")).entries().unwrap().0.remove(0);
    let options = Options::default();
    let back = bench.runtime.block_on(undo::prepare(&bench.connection, &entry.steps[0], &options, false));
    let Back::Ready(prepared) = back else { panic!("nobody else has changed it") };
    let result = bench.commit(&prepared);
    assert_eq!((result.outcome, result.kept), (Outcome::Applied, None));
    assert!(!managers(&bench.ns.get(WEB)).contains(&"kubectl-progrc"));
    helm(&bench.ns, &more).expect_code(0);
}

#[test]
fn an_object_that_was_made_anew_is_refused() {
    let bench = Bench::new("anew");
    let map = bench.config_map(&json!({"FLAG": "true"}));
    let prepared = bench.prepare(&Step::patch(&map, vec![Edit::set("/data/FLAG", "false")])).unwrap();
    assert_eq!(bench.commit(&prepared).outcome, Outcome::Applied);
    let entry = Journal::new(&bench.ns.home().join("state")).entries().unwrap().0.remove(0);
    bench.ns.delete("v1/configmaps/config");
    bench.config_map(&json!({"FLAG": "false"}));
    let options = Options::default();
    let back = bench.runtime.block_on(undo::prepare(&bench.connection, &entry.steps[0], &options, true));
    let Back::Refused(reasons) = back else { panic!("it is another object") };
    assert_eq!(reasons, ["it was deleted and made anew: this is another object"]);
}
