//! The harness keeps what it promises.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use http::Method;
use serde_json::json;

use crate::harness::{ControlPlane, Process, Rule, Scratch, TestNamespace, WAIT, wait_until};
use crate::scene::AUTOSCALER;

/// A Deployment without anything that a test here does not need.
fn deployment(name: &str, image: &str, replicas: u32) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers: [{{name: main, image: {image}}}]
"
    )
}

#[test]
fn a_deployment_rolls_out() {
    let ns = ControlPlane::full().namespace("rollout");
    ns.apply(&deployment("web", "registry.example/web:1", 3));
    let object = ns.wait_for_rollout("web");
    assert_eq!(object["status"]["readyReplicas"], 3);
}

#[test]
fn an_autoscaler_lifts_the_replicas_to_its_floor() {
    let ns = ControlPlane::full().namespace("autoscaler");
    ns.apply(&deployment("web", "registry.example/web:1", 1));
    ns.apply(AUTOSCALER);
    ns.wait_for("apps/v1/deployments/web", "3 replicas", |object| object["spec"]["replicas"] == 3);
}

#[test]
fn nothing_acts_on_an_autoscaler_without_its_controller() {
    let ns = ControlPlane::without_hpa().namespace("autoscaler");
    ns.apply(AUTOSCALER);
    ns.apply(&deployment("web", "registry.example/web:1", 1));
    assert_eq!(ns.wait_for_rollout("web")["spec"]["replicas"], 1);
    let autoscaler = ns.get("autoscaling/v2/horizontalpodautoscalers/web");
    assert!(autoscaler["status"]["conditions"].is_null(), "{autoscaler}");
}

#[test]
fn a_disruption_budget_blocks_an_eviction() {
    let ns = ControlPlane::full().namespace("budget");
    ns.apply(&deployment("web", "registry.example/web:1", 1));
    ns.apply(
        "
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
",
    );
    ns.wait_for_rollout("web");
    ns.wait_for("policy/v1/poddisruptionbudgets/web", "one healthy pod", |budget| {
        budget["status"]["currentHealthy"] == 1
    });
    assert_eq!(evict_a_pod(&ns), 429);
    ns.delete("policy/v1/poddisruptionbudgets/web");
    ns.wait_for("policy/v1/poddisruptionbudgets", "none left", |list| list["items"] == json!([]));
    assert_eq!(evict_a_pod(&ns), 201);
}

/// Evicts the first pod and returns the code of the answer.
fn evict_a_pod(ns: &TestNamespace) -> u16 {
    let pods = ns.get("v1/pods");
    let pod = pods["items"][0]["metadata"]["name"].as_str().expect("a pod has a name");
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}});
    ns.request(Method::POST, &format!("v1/pods/{pod}/eviction"), Some(&eviction)).code
}

#[test]
fn a_broken_image_never_becomes_ready() {
    let ns = ControlPlane::full().namespace("image");
    ns.apply(&deployment("web", "registry.example/broken:1", 1));
    let waiting = "/items/0/status/containerStatuses/0/state/waiting/reason";
    ns.wait_for("v1/pods", "an image that cannot be pulled", |pods| {
        pods.pointer(waiting).is_some_and(|reason| reason == "ImagePullBackOff")
    });
    let object = ns.get("apps/v1/deployments/web");
    assert!(object["status"]["readyReplicas"].is_null(), "{object}");
}

#[test]
fn an_image_that_needs_root_breaks_when_it_is_hardened() {
    let ns = ControlPlane::full().namespace("hardening");
    ns.apply(&deployment("web", "registry.example/needs-root:1", 1));
    ns.wait_for_rollout("web");
    ns.patch(
        "apps/v1/deployments/web",
        &json!({"spec": {"template": {"spec": {"securityContext": {"runAsNonRoot": true}}}}}),
    );
    ns.wait_for("v1/pods", "a pod that crashes", |pods| pods.to_string().contains("CrashLoopBackOff"));
    ns.kubectl(&["rollout", "undo", "deployment/web"]).run().expect_code(0);
    ns.wait_for_rollout("web");
}

#[test]
fn a_user_may_do_what_the_rules_say_and_no_more() {
    let plane = ControlPlane::bare();
    let ns = plane.namespace("rights");
    let user = ns.user_with(&[Rule { group: "", resources: &["configmaps"], verbs: &["get", "list"] }]);
    let code = |user, resource: &str| {
        let path = format!("/api/v1/namespaces/{}/{resource}", ns.name);
        plane.request_as(user, Method::GET, &path, None).code
    };
    assert_eq!(code(&user, "configmaps"), 200);
    assert_eq!(code(&user, "pods"), 403);
    let reader = plane.user_with(&[Rule { group: "", resources: &["pods"], verbs: &["list"] }]);
    assert_eq!(code(&reader, "pods"), 200);
    assert_eq!(code(&plane.spare_user(), "pods"), 403);
}

#[test]
fn the_audit_log_shows_each_request_of_a_user() {
    let plane = ControlPlane::bare();
    let ns = plane.namespace("log");
    let user = plane.spare_user();
    let mark = plane.mark();
    let path = format!("/api/v1/namespaces/{}/secrets?limit=7", ns.name);
    plane.request_as(&user, Method::GET, &path, None);
    plane.request_as(&ns.tester, Method::POST, &path, Some(&json!({"metadata": {"name": "key"}})));

    let [seen] = &ns.requests_of(&user)[..] else { panic!("one request") };
    assert_eq!((seen.verb.as_str(), seen.uri.as_str(), seen.code), ("list", path.as_str(), Some(403)));
    assert_eq!(
        (seen.resource.as_str(), seen.namespace.as_str(), seen.name.as_str()),
        ("secrets", ns.name.as_str(), "")
    );
    assert_eq!((seen.impersonated.as_ref(), seen.writes()), (None, false));
    assert_eq!(seen.user_agent, "");
    let writes = plane.requests(mark, |entry| entry.namespace == ns.name && entry.writes());
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert_eq!((writes[0].name.as_str(), writes[0].code), ("key", Some(201)));
    assert_eq!(ns.requests().len(), 1);
}

#[test]
fn objects_stay_as_written_on_a_bare_plane() {
    let ns = ControlPlane::bare().namespace("bare");
    ns.apply(&deployment("web", "registry.example/web:1", 2));
    assert_eq!(ns.get("apps/v1/deployments/web")["status"], json!({}));
    ns.delete("apps/v1/deployments/web");
    assert_eq!(ns.request(Method::GET, "apps/v1/deployments/web", None).code, 404);
}

#[test]
fn a_program_sees_its_own_environment_and_input_only() {
    let plane = ControlPlane::bare();
    let ns = plane.namespace("environment");
    let run = ns.kubectl(&["config", "view", "--output=json"]).env("EXTRA", "1").stdin("unread");
    let names: Vec<_> = run.command().get_envs().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names, ["EXTRA", "HOME", "KUBECONFIG", "PATH", "XDG_STATE_HOME"]);
    let config: serde_json::Value = serde_json::from_str(&run.run().expect_code(0).stdout).unwrap();
    assert_eq!(config["contexts"][0]["context"]["namespace"], ns.name.as_str());
    assert_eq!(config["clusters"][0]["cluster"]["server"], plane.server());
    assert!(plane.certificate_authority().is_file());
}

#[test]
fn kubectl_finds_the_plugin() {
    let ns = ControlPlane::bare().namespace("plugin");
    let listed = ns.kubectl(&["plugin", "list"]).run().expect_code(0);
    assert!(listed.stdout.contains("plugins/kubectl-progrc"), "{}", listed.stdout);
    let dispatched = ns.kubectl_as(&ns.tester, &["progrc", "--help"]);
    let direct = ns.progrc(&["--help"]).run().expect_code(0);
    assert_eq!(dispatched.run().expect_code(0).stdout, direct.stdout);
}

/// The name of the test that starts itself again, as the process that is killed.
const KILLED: &str = "harness_test::children_end_with_a_killed_test_process";

#[test]
fn children_end_with_a_killed_test_process() {
    if std::env::var_os("PROGRC_TEST_HOLDS_A_CHILD").is_some() {
        let scratch = Scratch::new();
        let child = Process::start(&scratch, "child", Path::new("/bin/sleep"), &["600".into()]);
        println!("\nheld {} {}", child.id(), scratch.path().display());
        std::thread::park();
    }
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", KILLED, "--nocapture"])
        .env("PROGRC_TEST_HOLDS_A_CHILD", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(test.stdout.take().unwrap()).lines();
    let held = lines.map(Result::unwrap).find_map(|line| line.strip_prefix("held ").map(str::to_owned));
    let held = held.expect("the process says what it holds");
    let (id, directory) = held.split_once(' ').unwrap();
    assert!(runs(id) && Path::new(directory).is_dir());

    test.kill().unwrap();
    test.wait().unwrap();
    wait_until(WAIT, "the end of the child", || if runs(id) { Err("it runs") } else { Ok(()) }.map_err(str::to_owned));
    wait_until(WAIT, "the end of its directory", || {
        if Path::new(directory).exists() { Err(directory.to_owned()) } else { Ok(()) }
    });
}

#[test]
fn a_process_that_ended_says_so() {
    let scratch = Scratch::new();
    let args = ["-c".to_owned(), "echo last words; exit 7".to_owned()];
    let process = Process::start(&scratch, "short", Path::new("/bin/sh"), &args);
    let said = wait_until(WAIT, "an obituary", || process.obituary().ok_or_else(|| "none".to_owned()));
    assert!(said.contains('7') && said.ends_with("last words"), "{said}");
}

/// Whether a process with this id exists.
fn runs(id: &str) -> bool {
    Command::new("/bin/sh")
        .args(["-c", "kill -0 \"$1\"", "sh", id])
        .stderr(Stdio::null())
        .status()
        .expect("sh can be started")
        .success()
}
