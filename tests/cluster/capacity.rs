//! Room for new pods: what quotas, limit ranges, Pod Security and the nodes say, before anything is
//! changed.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{ControlPlane, Rule, TestNamespace};
use crate::scene::{FIX_FLAGS, deployment, flag, flagged, report, writes};

/// The first fix for the flag, as an audit of this user shows it.
fn fix_of(finished: &Value, ns: &TestNamespace) -> Value {
    let findings = finished["findings"].as_array().unwrap().iter();
    let mut ours = findings.filter(|finding| finding["object"]["namespace"] == ns.name.as_str());
    ours.next().unwrap()["fixes"][0].clone()
}

fn audited(ns: &TestNamespace, words: &[&str]) -> Value {
    let audit = ["audit", "-o", "json", "--select=insecure-flag"];
    fix_of(&report(&ns.progrc(&[&audit[..], words].concat()).run().expect_code(1)), ns)
}

fn said(list: &Value, key: &str) -> Vec<String> {
    let text = |item: &Value| if key.is_empty() { item.as_str() } else { item[key].as_str() }.unwrap().to_owned();
    list.as_array().into_iter().flatten().map(text).collect()
}

/// The fix is refused for this reason, and nothing is written.
#[track_caller]
fn assert_refused(ns: &TestNamespace, guard: &str, reason: &str) {
    let lowered = audited(ns, &[])["loweredBy"].clone();
    let refused: Vec<&Value> = lowered.as_array().unwrap().iter().filter(|it| it["refuses"] == true).collect();
    assert_eq!(refused[0]["guard"], guard, "{lowered}");
    let found = refused[0]["reason"].as_str().unwrap();
    assert!(found.contains(reason), "{found}");
    let left = ns.progrc(FIX_FLAGS).run().expect_code(0);
    assert!(left.stdout.contains(reason), "{}", left.stdout);
    assert_eq!(writes(&ns.requests()), []);
    assert_eq!(flag(ns), "true");
}

const DEMANDS: &str =
    "{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {requests.memory: 9Gi}}}";

#[test]
fn pods_that_a_quota_would_refuse_are_not_restarted() {
    let ns = flagged("demands");
    ns.apply(DEMANDS);
    ns.wait_for("v1/resourcequotas/q", "counted", |quota| quota["status"]["used"]["requests.memory"].is_string());
    let demand = "ResourceQuota/q demands requests.memory of every container, and main states none";
    assert_refused(&ns, "quota", &format!("new pods of Deployment/web would be refused: {demand}"));
    // The way that the reason names.
    let range = ["fix", "--yes", "--unsafe-fixes", "--select=missing-limit-range"];
    ns.progrc(&range).run().expect_code(0);
    ns.progrc(FIX_FLAGS).run().expect_code(0);
    assert_eq!(flag(&ns), "false");
    ns.wait_for_rollout("web");
}

#[test]
fn pods_that_defaults_make_invalid_are_not_restarted() {
    let ns = ControlPlane::full().namespace("bounds");
    let container = "image: registry.example/web:1, resources: {requests: {memory: 512Mi}}, \
                     envFrom: [{configMapRef: {name: config}}]";
    ns.apply(&deployment("web", 1).replace("image: registry.example/web:1", container));
    ns.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, data: {ALLOW_UNKNOWN_API_PATHS: 'true'}}");
    ns.wait_for_rollout("web");
    ns.apply(
        "{apiVersion: v1, kind: LimitRange, metadata: {name: r}, \
         spec: {limits: [{type: Container, default: {memory: 256Mi}}]}}",
    );
    assert_refused(&ns, "limit-range", "main requests 512Mi memory and gets a limit of 256Mi by default");
}

#[test]
fn pods_that_their_namespace_forbids_are_not_restarted() {
    let ns = flagged("forbids");
    let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    ns.patch(&format!("/api/v1/namespaces/{}", ns.name), &label);
    assert_refused(&ns, "pod-security", "enforces restricted, and its pods fail");
}

#[test]
fn pods_that_would_not_come_back_are_not_restarted() {
    let ns = ControlPlane::full().namespace("not-back");
    let container = "image: registry.example/db:1, envFrom: [{configMapRef: {name: config}}]";
    let set = deployment("db", 2).replace("image: registry.example/db:1", container);
    ns.apply(&set.replace("kind: Deployment", "kind: StatefulSet"));
    ns.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, data: {ALLOW_UNKNOWN_API_PATHS: 'true'}}");
    ns.wait_for("apps/v1/statefulsets/db", "ready", |object| object["status"]["readyReplicas"] == 2);
    // Somebody allows less than there is.
    ns.apply("{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {pods: 1}}}");
    ns.wait_for("v1/resourcequotas/q", "counted", |quota| quota["status"]["used"]["pods"] == "2");
    let reason = "a pod of StatefulSet/db that ends would not come back: \
                  ResourceQuota/q allows 1 pods, 2 is used and 1 more is needed";
    assert_refused(&ns, "quota", reason);
}

/// The pods of today ask for nothing; those that the fix makes would not all be let in.
#[test]
fn pods_that_a_fix_makes_too_large_for_a_quota_are_not_made() {
    let ns = ControlPlane::full().namespace("grows");
    ns.apply(&deployment("web", 4));
    ns.wait_for_rollout("web");
    ns.apply("{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {requests.memory: 320Mi}}}");
    ns.wait_for("v1/resourcequotas/q", "counted", |quota| quota["status"]["used"]["requests.memory"] == "0");
    let fix = |memory: &str| {
        let memory = format!("--set=missing-resource-requests.memory={memory}");
        let rule = ["fix", "--yes", "--unsafe-fixes", "--select=missing-resource-requests"];
        ns.progrc(&[&rule[..], &["--set=missing-resource-requests.cpu=1m", &memory]].concat()).run().expect_code(0)
    };
    let left = fix("128Mi");
    let reason = "ResourceQuota/q allows 320Mi requests.memory, 0 is used and 512Mi more is needed: \
                  those that end would not come back";
    assert!(left.stdout.contains(reason), "{}", left.stdout);
    // The pods of today could not come back either.
    let left = fix("64Mi");
    let reason = "none come back: ResourceQuota/q demands requests.memory of every container";
    assert!(left.stdout.contains(reason), "{}", left.stdout);
    assert_eq!(writes(&ns.requests()), []);
    let patch = r#"{"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 0}}}}"#;
    ns.kubectl(&["patch", "deployment", "web", "--patch", patch]).run().expect_code(0);
    fix("64Mi");
    ns.wait_for_rollout("web");
    ns.wait_for("v1/resourcequotas/q", "full", |quota| quota["status"]["used"]["requests.memory"] == "256Mi");
}

#[test]
fn what_the_nodes_have_no_room_for_is_said_and_so_is_what_is_not_known() {
    let small = flagged("room");
    let unknown = |notes: &Value, why: &str| said(notes, "").iter().any(|note| note.contains(why));
    let notes = audited(&small, &[])["notes"].clone();
    assert!(
        unknown(&notes, "whether the nodes have room for it is not known: the pods of other namespaces"),
        "{notes}"
    );
    let everywhere = audited(&small, &["-A"])["notes"].clone();
    assert!(!unknown(&everywhere, "whether the nodes"), "{everywhere}");
    let read = Rule { group: "*", resources: &["*"], verbs: &["get", "list", "watch"] };
    let here = ControlPlane::full();
    let namespaced = small.user_with(&[read]);
    let audit = small.progrc_as(&namespaced, &["audit", "-o", "json", "--select=insecure-flag"]);
    let notes = fix_of(&report(&audit.run().expect_code(1)), &small)["notes"].clone();
    assert!(unknown(&notes, "nodes not readable in cluster: forbidden"), "{notes}");

    // A pod on each node that takes more than half of it.
    let listed = here.request(Method::GET, "/api/v1/nodes", None).success();
    let cores: u64 = {
        let text = listed["items"][0]["status"]["allocatable"]["cpu"].as_str().unwrap();
        text.strip_suffix('k')
            .map_or_else(|| text.parse().unwrap(), |thousands| thousands.parse::<u64>().unwrap() * 1000)
    };
    let large = ControlPlane::full().namespace("no-place");
    let asks = cores / 2 + 1;
    let container = format!(
        "image: registry.example/web:1, resources: {{requests: {{cpu: {asks}}}}}, \
         envFrom: [{{configMapRef: {{name: config}}}}]"
    );
    large.apply(&deployment("web", 2).replace("image: registry.example/web:1", &container));
    large.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, data: {ALLOW_UNKNOWN_API_PATHS: 'true'}}");
    large.wait_for_rollout("web");
    let lowered = audited(&large, &[])["loweredBy"].clone();
    let reason = format!("no node that takes it has room for a pod with cpu {asks} and memory 0");
    assert!(said(&lowered, "reason").iter().any(|found| found.contains(&reason)), "{lowered}");
    large.delete("apps/v1/deployments/web");
}
