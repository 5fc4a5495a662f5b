//! Writing: what is sent and in which order, what a guard stops.

use std::sync::Arc;

use http::Request;
use kubectl_progrc::backend::change::{self, Prepared, Purpose, Refusal};
use kubectl_progrc::backend::cluster::connect::{ConnectOptions, Connection, Environment, connect};
use kubectl_progrc::backend::cluster::load::{self, Identity};
use kubectl_progrc::backend::cluster::write::Options;
use kubectl_progrc::backend::journal::{Begin, Journal, Outcome, StepResult};
use kubectl_progrc::fix::{Edit, Step};
use kubectl_progrc::model::{ObjectRef, Scope, Subject};
use kubectl_progrc::plan::seen;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::harness::{ControlPlane, TestNamespace};
use crate::scene::{AUTOSCALER, assert_guarded, deployment, pairs, report, writes};

/// The library at work in a namespace of the bare plane, where nobody else writes.
pub(crate) struct Bench {
    /// The namespace.
    pub(crate) ns: TestNamespace,
    pub(crate) runtime: Runtime,
    pub(crate) connection: Arc<Connection>,
}

impl Bench {
    pub(crate) fn new(prefix: &str) -> Self {
        let ns = ControlPlane::bare().namespace(prefix);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let options = ConnectOptions { kubeconfig: Some(ns.kubeconfig(&ns.tester)), ..ConnectOptions::default() };
        let connection = runtime.block_on(connect(&options, &Environment::default())).unwrap();
        Self { ns, runtime, connection: Arc::new(connection) }
    }

    /// A `ConfigMap` with this data, as a step's object.
    pub(crate) fn config_map(&self, data: &Value) -> Subject {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": data});
        let made = self.ns.request(http::Method::POST, "v1/configmaps", Some(&map)).success();
        let mut object = ObjectRef::new("v1", "ConfigMap", Some(&self.ns.name), "config");
        object.uid = made["metadata"]["uid"].as_str().map(str::to_owned);
        Subject::new(object)
    }

    pub(crate) fn prepare(&self, step: &Step) -> Result<Prepared, Refusal> {
        let prepared = self.runtime.block_on(change::prepare(&self.connection, step, &Options::default()));
        prepared.map(|prepared| prepared.expect("the step writes"))
    }

    pub(crate) fn commit(&self, prepared: &Prepared) -> StepResult {
        let journal = Journal::new(&self.ns.home().join("state"));
        let mut writer = journal.begin("cluster", Begin::default()).unwrap();
        let purpose = Purpose { rule: "rule".into(), title: "title".into(), irreversible: None, awaits: Vec::new() };
        let options = Options::default();
        let commit = change::commit(&self.connection, &mut writer, 0, &purpose, prepared, &options);
        self.runtime.block_on(commit).unwrap()
    }
}

#[test]
fn an_edit_between_reading_and_writing_is_not_overwritten() {
    let bench = Bench::new("edited");
    let map = bench.config_map(&json!({"FLAG": "true", "OTHER": "1"}));
    let prepared = bench.prepare(&Step::patch(&map, vec![Edit::set("/data/FLAG", "false")])).unwrap();
    bench.ns.patch("v1/configmaps/config", &json!({"data": {"FLAG": "maybe"}}));
    let before = bench.ns.get("v1/configmaps/config");
    let result = bench.commit(&prepared);
    assert_eq!((result.outcome, result.code), (Outcome::NotApplied, 422));
    assert_eq!(result.message, "/data/FLAG is \"maybe\", not \"true\"");
    assert_eq!(bench.ns.get("v1/configmaps/config"), before);
}

#[test]
fn an_edit_between_the_audit_and_the_fix_is_not_overwritten() {
    let bench = Bench::new("audited");
    let map = bench.config_map(&json!({"FLAG": "true", "OTHER": "1"}));
    let scope = Scope::only(&bench.ns.name);
    let inventory = bench.runtime.block_on(load::load(&bench.connection, &Identity::default(), &scope)).unwrap();
    let steps = seen::pin(&[Step::patch(&map, vec![Edit::set("/data/FLAG", "false")])], &inventory);
    bench.ns.patch("v1/configmaps/config", &json!({"data": {"FLAG": "maybe"}}));
    let refusal = bench.prepare(&steps[0]).unwrap_err();
    assert_eq!(refusal.reasons, ["/data/FLAG is \"maybe\", not \"true\""]);
    bench.ns.patch("v1/configmaps/config", &json!({"data": {"FLAG": "false"}}));
    assert!(bench.prepare(&steps[0]).unwrap_err().already, "somebody else did it");
    bench.ns.patch("v1/configmaps/config", &json!({"data": {"FLAG": "true"}}));
    assert_eq!(bench.commit(&bench.prepare(&steps[0]).unwrap()).outcome, Outcome::Applied);
}

#[test]
fn an_edit_of_another_field_does_not_disturb() {
    let bench = Bench::new("beside");
    let map = bench.config_map(&json!({"FLAG": "true", "OTHER": "1"}));
    let prepared = bench.prepare(&Step::patch(&map, vec![Edit::set("/data/FLAG", "false")])).unwrap();
    bench.ns.patch("v1/configmaps/config", &json!({"data": {"OTHER": "2"}}));
    assert_eq!(bench.commit(&prepared).outcome, Outcome::Applied);
    assert_eq!(bench.ns.get("v1/configmaps/config")["data"], json!({"FLAG": "false", "OTHER": "2"}));
}

#[test]
fn a_member_that_appeared_meanwhile_is_not_overwritten() {
    let bench = Bench::new("appeared");
    let map = bench.config_map(&json!({"OTHER": "1"}));
    let prepared = bench.prepare(&Step::patch(&map, vec![Edit::set("/data/FLAG", "false")])).unwrap();
    bench.ns.patch("v1/configmaps/config", &json!({"data": {"FLAG": "true"}}));
    let result = bench.commit(&prepared);
    assert_eq!((result.outcome, result.message.as_str()), (Outcome::NotApplied, "/data/FLAG is \"true\", not absent"));
    assert_eq!(bench.ns.get("v1/configmaps/config")["data"]["FLAG"], "true");
}

#[test]
fn an_object_that_went_meanwhile_is_not_made_anew() {
    let bench = Bench::new("deleted");
    let map = bench.config_map(&json!({"FLAG": "true"}));
    let step = Step::patch(&map, vec![Edit::set("/data/FLAG", "false")]);
    let prepared = bench.prepare(&step).unwrap();
    bench.ns.delete("v1/configmaps/config");
    let result = bench.commit(&prepared);
    assert_eq!((result.outcome, result.code), (Outcome::NotApplied, 404));
    assert_eq!(bench.ns.request(http::Method::GET, "v1/configmaps/config", None).code, 404);

    let other = bench.config_map(&json!({"FLAG": "true"}));
    let result = bench.commit(&prepared);
    assert_eq!((result.outcome, result.code), (Outcome::NotApplied, 422));
    assert!(result.message.starts_with("/metadata/uid is "), "{}", result.message);
    let refusal = bench.prepare(&step).unwrap_err();
    assert!(refusal.reasons[0].contains("made anew"), "{refusal:?}");
    assert_eq!(bench.ns.get("v1/configmaps/config")["metadata"]["uid"], other.uid.clone().unwrap());
}

#[test]
fn a_workload_that_somebody_paused_is_not_restarted() {
    let bench = Bench::new("paused");
    bench.ns.apply(&deployment("web", 1));
    let restart =
        Step::Restart { object: Subject::new(ObjectRef::new("apps/v1", "Deployment", Some(&bench.ns.name), "web")) };
    assert!(bench.prepare(&restart).is_ok());
    bench.ns.patch("apps/v1/deployments/web", &json!({"spec": {"paused": true}}));
    let refusal = bench.prepare(&restart).unwrap_err();
    assert!(refusal.reasons[0].ends_with("is paused: it would not roll out"), "{refusal:?}");
    assert!(refusal.hint.unwrap().contains("kubectl rollout resume"));
    // What restarts nothing is free.
    let object = restart.object().clone();
    assert!(bench.prepare(&Step::patch(&object, vec![Edit::set("/metadata/labels/x", "y")])).is_ok());
}

/// Every character that the server's encoder escapes and ours does not by itself, and one that
/// both leave as it is.
const AWKWARD: &str = "http://a?x=1&y=<2>\u{e9}\u{2028}\u{2029}";

#[test]
fn guards_speak_the_encoding_of_the_server() {
    let bench = Bench::new("escape");
    let map = bench.config_map(&json!({"URL": AWKWARD, "KEPT": "<"}));
    let raw = json!([
        {"op": "test", "path": "/data/URL", "value": AWKWARD},
        {"op": "replace", "path": "/data/URL", "value": "none"},
    ]);
    let path = format!("/api/v1/namespaces/{}/configmaps/config", bench.ns.name);
    let request = Request::patch(path).header("Content-Type", "application/json-patch+json");
    let request = request.body(serde_json::to_vec(&raw).unwrap()).unwrap();
    let answer = bench.runtime.block_on(bench.connection.write(request)).unwrap();
    assert_eq!(answer.status, 422, "the raw form is what the server does not understand");

    let edits = vec![Edit::set("/data/URL", format!("{AWKWARD}!"))];
    let prepared = bench.prepare(&Step::patch(&map, edits)).unwrap();
    assert_eq!(bench.commit(&prepared).outcome, Outcome::Applied);
    assert_eq!(bench.ns.get("v1/configmaps/config")["data"]["URL"], format!("{AWKWARD}!"));
    let expect = vec![("/data/KEPT".to_owned(), json!("<"))];
    let edits = vec![Edit::remove("/data/URL")];
    let prepared = bench.prepare(&Step::Patch { object: map, subresource: None, edits, expect }).unwrap();
    assert_eq!(bench.commit(&prepared).outcome, Outcome::Applied);
    assert_eq!(bench.ns.get("v1/configmaps/config")["data"], json!({"KEPT": "<"}));
}

#[test]
fn too_few_replicas_are_raised_through_scale() {
    let ns = ControlPlane::without_hpa().namespace("scale");
    ns.apply(&deployment("web", 1));
    ns.apply(AUTOSCALER);
    ns.wait_for_rollout("web");
    let select = "--select=replicas-below-hpa-min";
    let fresh = report(&ns.progrc(&["audit", "-o", "json", select]).run().expect_code(0));
    assert!(fresh["unknown"].to_string().contains("may still be scaling"), "{}", fresh["unknown"]);
    let stuck = json!({"type": "AbleToScale", "status": "False", "reason": "FailedUpdateScale", "message": "no"});
    let change = json!({"status": {"currentReplicas": 1, "desiredReplicas": 1, "conditions": [stuck]}});
    ns.patch("autoscaling/v2/horizontalpodautoscalers/web/status", &change);

    let audit = report(&ns.progrc(&["audit", "-o", "json", select]).run().expect_code(1));
    assert_eq!(pairs(&audit["findings"]), [("replicas-below-hpa-min".to_owned(), "Deployment/web".to_owned())]);
    ns.progrc(&["fix", "--yes", "--unsafe-fixes", select]).run().expect_code(0);
    assert_eq!(ns.wait_for_rollout("web")["spec"]["replicas"], 3);
    let requests = ns.requests();
    let scale = format!("/apis/apps/v1/namespaces/{}/deployments/web/scale", ns.name);
    assert_eq!(writes(&requests), [("patch", scale.as_str())]);
    assert_guarded(&requests);

    let undone = ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert!(undone.stderr.contains("HorizontalPodAutoscaler/web keeps at least 3"), "{}", undone.stderr);
    assert_eq!(ns.get("apps/v1/deployments/web")["spec"]["replicas"], 3);
    ns.progrc(&["undo", "--yes"]).run().expect_code(2);
}

const SHADOW: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: shadow}
spec:
  replicas: 2
  selector: {matchLabels: {app: twin, part: shadow}}
  template:
    metadata: {labels: {app: twin, part: shadow}}
    spec:
      containers: [{name: main, image: registry.example/shadow:1}]
";

#[test]
fn a_budget_has_our_labels_and_one_workload() {
    let ns = ControlPlane::full().namespace("pdb");
    let ours = "labels: {app: web, app.kubernetes.io/managed-by: Helm, team: x}";
    ns.apply(&deployment("web", 3).replacen("labels: {app: web}", ours, 1));
    ns.apply(&deployment("twin", 2));
    // The pods of a second workload have the label that the first one selects.
    ns.apply(SHADOW);
    for name in ["web", "twin", "shadow"] {
        ns.wait_for_rollout(name);
    }
    let fixed = ns.progrc(&["fix", "--yes", "-o", "json", "--select=missing-pdb"]).run().expect_code(0);
    let fixed = report(&fixed);
    let made = ["shadow", "web"].map(|name| ("missing-pdb".to_owned(), format!("Deployment/{name}")));
    assert_eq!(pairs(&fixed["applied"]), made);
    let left: Vec<&Value> = fixed["left"].as_array().unwrap().iter().collect();
    let twin = left.iter().find(|left| left["object"]["name"] == "twin").expect("it is left");
    assert!(twin["reason"].as_str().unwrap().contains("another workload"), "{twin}");

    let budget = ns.get("policy/v1/poddisruptionbudgets/web-pdb");
    let labels = json!({"app.kubernetes.io/managed-by": "kubectl-progrc", "progrc.io/rule": "missing-pdb"});
    assert_eq!(budget["metadata"]["labels"], labels);
    let annotations = budget["metadata"]["annotations"].as_object().unwrap();
    assert_eq!(annotations.keys().collect::<Vec<_>>(), ["progrc.io/change-id"]);
    let wanted = json!({
        "maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}, "unhealthyPodEvictionPolicy": "AlwaysAllow",
    });
    assert_eq!(budget["spec"], wanted);
    let requests = ns.requests();
    let budgets = format!("/apis/policy/v1/namespaces/{}/poddisruptionbudgets", ns.name);
    assert_eq!(writes(&requests), [("create", budgets.as_str()); 2]);
    assert_guarded(&requests);
}

#[test]
fn a_made_object_that_somebody_changed_stays_at_undo() {
    let ns = ControlPlane::full().namespace("kept");
    ns.apply(&deployment("web", 3));
    ns.wait_for_rollout("web");
    ns.progrc(&["fix", "--yes", "--select=missing-pdb"]).run().expect_code(0);
    ns.patch("policy/v1/poddisruptionbudgets/web-pdb", &json!({"spec": {"maxUnavailable": 2}}));
    let refused = ns.progrc(&["undo", "--yes"]).run().expect_code(1);
    assert!(refused.stderr.contains("somebody has changed it since"), "{}", refused.stderr);
    ns.patch("policy/v1/poddisruptionbudgets/web-pdb", &json!({"spec": {"maxUnavailable": 1}}));
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    ns.wait_for("policy/v1/poddisruptionbudgets", "none left", |list| list["items"] == json!([]));
    assert_guarded(&ns.requests());
}
