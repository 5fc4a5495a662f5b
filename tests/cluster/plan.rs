//! `plan` and `apply`: a file that is made on one machine, reviewed, and applied on another.

use std::fs;

use http::Method;
use kubectl_progrc::plan::file::{Plan, read};
use serde_json::{Value, json};

use crate::harness::{ControlPlane, Finished, TestNamespace};
use crate::prompts::{Talk, balancer, workloads};
use crate::scene::{assert_guarded, deployment, flag, flagged, flagged_and_bare, journal_files, report, writes};

const SELECT: &str = "--select=insecure-flag,missing-pdb";
const BUDGET: &str = "policy/v1/poddisruptionbudgets/many-pdb";

/// Makes a plan and returns the path of its file.
fn planned(ns: &TestNamespace, words: &[&str]) -> String {
    let path = ns.home().join("plan.yaml").display().to_string();
    let made = ns.progrc(&[&["plan", "--out", &path], words].concat()).run().expect_code(0);
    assert!(made.stderr.contains("plan.yaml written: "), "{}", made.stderr);
    path
}

/// Applies a plan with all its classes.
fn apply(ns: &TestNamespace, path: &str, code: i32) -> Finished {
    ns.progrc(&["apply", path, "--yes", "--unsafe-fixes"]).run().expect_code(code)
}

#[test]
fn a_plan_of_one_machine_is_applied_on_another() {
    let ns = flagged_and_bare("plan");
    let path = planned(&ns, &[SELECT]);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let again = ns.progrc(&["plan", "--out=-", SELECT]).run().expect_code(0).stdout;
    let stable = |text: &str| -> Vec<String> {
        let moving = |line: &&str| !line.starts_with("  createdAt: ") && !line.starts_with("  hash: ");
        text.lines().filter(moving).map(str::to_owned).collect()
    };
    assert_eq!(stable(&text), stable(&again));
    let summary = ns.progrc(&["plan", SELECT]).run().expect_code(0).stdout;
    assert!(summary.contains("patch ConfigMap/") && summary.contains("create PodDisruptionBudget/"), "{summary}");
    assert_eq!(writes(&ns.requests()), [], "a plan only reads");

    let other = tempfile::tempdir().unwrap();
    let kubeconfig = fs::read_to_string(ns.kubeconfig(&ns.tester)).unwrap();
    let mut kubeconfig: Value = serde_json::from_str(&kubeconfig).unwrap();
    kubeconfig["contexts"][0]["name"] = "elsewhere".into();
    kubeconfig["contexts"][0]["context"]["namespace"] = "default".into();
    kubeconfig["current-context"] = "elsewhere".into();
    fs::write(other.path().join("config"), kubeconfig.to_string()).unwrap();
    let there = |words: &[&str], code: i32| {
        let state = other.path().join("state");
        let run = ns.progrc(words).env("HOME", other.path()).env("XDG_STATE_HOME", state);
        run.env("KUBECONFIG", other.path().join("config")).run().expect_code(code)
    };
    let applied = report(&there(&["apply", &path, "--yes", "--unsafe-fixes", "-o=json"], 0));
    assert_eq!((&applied["kind"], &applied["left"]), (&json!("ApplyReport"), &json!([])), "{applied:#}");
    assert_eq!(flag(&ns), "false");
    ns.get(BUDGET);
    let history = report(&there(&["history", "-o=json"], 0));
    assert_eq!((&history[0]["command"], &history[0]["status"]), (&json!("apply"), &json!("done")));
    assert_eq!(history[0]["planHash"], read(&text, "plan").unwrap().metadata.hash);
    there(&["undo", "--yes"], 0);
    assert_eq!(flag(&ns), "true");
    assert_eq!(ns.request(Method::GET, BUDGET, None).code, 404);
    assert_guarded(&ns.requests());
}

/// The plan with something else in its metadata, as if it had been made so.
fn remade(ns: &TestNamespace, path: &str, change: impl Fn(&mut Plan)) -> String {
    let mut plan = read(&fs::read_to_string(path).unwrap(), "plan").unwrap();
    change(&mut plan);
    let plan = Plan::new(plan.metadata, plan.fixes, plan.omitted);
    let path = ns.home().join("remade.yaml");
    fs::write(&path, plan.to_yaml()).unwrap();
    path.display().to_string()
}

#[test]
fn a_plan_is_refused_for_what_it_is() {
    let ns = flagged("plan-refused");
    let path = planned(&ns, &["--select=insecure-flag"]);
    let refused = |path: &str, words: &[&str], why: &str| {
        let ended = ns.progrc(&[&["apply", path, "--yes", "--unsafe-fixes"], words].concat()).run().expect_code(2);
        assert!(ended.stderr.contains(why) && ended.stderr.contains("hint: "), "{why}: {}", ended.stderr);
    };
    let other = remade(&ns, &path, |plan| plan.metadata.cluster.uid = Some("another".to_owned()));
    refused(&other, &[], "the plan is for another cluster: context test");
    let yesterday = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(25);
    let old =
        remade(&ns, &path, |plan| plan.metadata.created_at = yesterday.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    refused(&old, &[], "the plan is too old");
    let dry = ns.progrc(&["apply", &old, "--max-age=26h", "--dry-run", "--unsafe-fixes"]).run().expect_code(0);
    assert!(dry.stderr.contains("server dry run"), "{}", dry.stderr);
    refused(&path, &["--set=missing-pdb.style=minAvailable"], "changes what was reviewed");
    refused("nowhere.yaml", &[], "failed to read nowhere.yaml");

    let text = fs::read_to_string(&path).unwrap();
    let write = |name: &str, text: &str| {
        fs::write(ns.home().join(name), text).unwrap();
        name.to_owned()
    };
    let guard = text.replacen("path: /data/ALLOW_UNKNOWN_API_PATHS", "path: /data/OTHER", 1);
    refused(
        &write("guard.yaml", &guard),
        &[],
        "was edited since it was made: fix 1 (insecure-flag of ConfigMap/config)",
    );
    refused(
        &write("newer.yaml", &text.replacen("progrc.io/v1", "progrc.io/v9", 1)),
        &[],
        "has the format progrc.io/v9",
    );
    refused(&write("other.yaml", "{apiVersion: v1, kind: ConfigMap}"), &[], "its kind is ConfigMap");
    let asks = ns.progrc(&["apply", &path]).run().expect_code(2);
    assert!(asks.stderr.contains("there is no terminal to ask on"), "{}", asks.stderr);
    let files = ns.progrc(&["plan", "-f", &path]).run().expect_code(2);
    assert!(files.stderr.contains("plan needs a cluster"), "{}", files.stderr);
    assert_eq!(writes(&ns.requests()), []);
}

#[test]
fn what_has_changed_since_the_plan_is_left() {
    let ns = flagged("plan-changed");
    let path = planned(&ns, &["--select=insecure-flag"]);
    let left = |why: &str| {
        let ended = apply(&ns, &path, 1);
        assert!(ended.stdout.contains("0 fixes applied") && ended.stdout.contains(why), "{why}: {}", ended.stdout);
    };
    ns.patch("v1/configmaps/config", &json!({"data": {"ALLOW_UNKNOWN_API_PATHS": "TRUE"}}));
    left("/data/ALLOW_UNKNOWN_API_PATHS is \"TRUE\", not \"true\"");
    let data = json!({"ALLOW_UNKNOWN_API_PATHS": "true"});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": data});
    ns.delete("v1/configmaps/config");
    ns.request(Method::POST, "v1/configmaps", Some(&map)).success();
    left(&format!("ConfigMap/{}/config was deleted and made anew", ns.name));
    ns.patch("v1/configmaps/config", &json!({"data": {"ALLOW_UNKNOWN_API_PATHS": "false"}}));
    left("the rule no longer fires");
    ns.patch("v1/configmaps/config", &json!({"data": {"ALLOW_UNKNOWN_API_PATHS": "true"}}));
    ns.patch("v1/configmaps/config", &json!({"metadata": {"annotations": {"progrc.io/ignore": "insecure-flag"}}}));
    left("it is waived now");
    assert_eq!(writes(&ns.requests()), []);
}

#[test]
fn without_unsafe_fixes_the_rest_of_the_plan_is_left() {
    let ns = flagged_and_bare("plan-safe");
    let path = planned(&ns, &[SELECT]);
    let ended = ns.progrc(&["apply", &path, "--yes"]).run().expect_code(1);
    assert!(ended.stdout.contains("unsafe: --unsafe-fixes applies it"), "{}", ended.stdout);
    ns.get(BUDGET);
    assert_eq!(flag(&ns), "true");
    let ended = apply(&ns, &path, 1);
    assert!(
        ended.stdout.contains("missing-pdb") && ended.stdout.contains("the rule no longer fires"),
        "{}",
        ended.stdout
    );
    assert_eq!(flag(&ns), "false");
    let nothing = planned(&ns, &[SELECT]);
    apply(&ns, &nothing, 0);
    assert_guarded(&ns.requests());
}

/// A Deployment whose number `kubectl apply` keeps, and an autoscaler; nothing acts on them.
fn pinned(prefix: &str) -> TestNamespace {
    let ns = ControlPlane::bare().namespace(prefix);
    ns.apply(&deployment("web", 2));
    ns.apply(
        "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {minReplicas: 2, maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
",
    );
    ns
}

const APPLIED: &str = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";

/// The text that `kubectl apply` keeps of the Deployment.
fn applied(ns: &TestNamespace) -> String {
    ns.get("apps/v1/deployments/web").pointer(APPLIED).unwrap().as_str().unwrap().to_owned()
}

#[test]
fn of_a_text_that_may_not_be_kept_a_plan_and_a_journal_keep_the_member_and_hashes() {
    let ns = pinned("plan-text");
    let before = applied(&ns);
    let path = planned(&ns, &["--select=replicas-pinned-with-hpa"]);
    let text = fs::read_to_string(&path).unwrap();
    let plan = read(&text, "plan").unwrap();
    assert_eq!(plan.fixes.len(), 1, "{text}");
    assert!(text.contains("member: /spec/replicas") && !text.contains("containerPort"), "{text}");
    let summary = ns.progrc(&["plan", "--select=replicas-pinned-with-hpa"]).run().expect_code(0).stdout;
    assert!(summary.contains("remove /spec/replicas inside /metadata/annotations/"), "{summary}");

    apply(&ns, &path, 0);
    assert!(!applied(&ns).contains("replicas"), "{}", applied(&ns));
    for file in journal_files(&ns) {
        let kept = fs::read_to_string(file).unwrap();
        assert!(kept.contains("/spec/replicas") && !kept.contains("containerPort"), "{kept}");
    }
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert_eq!(applied(&ns), before);
    assert_guarded(&ns.requests());

    ns.kubectl(&[
        "annotate",
        "deployment",
        "web",
        "--overwrite",
        &format!("{}={}", LAST_APPLIED, before.replace("http", "web")),
    ])
    .run()
    .expect_code(0);
    let refused = apply(&ns, &path, 1);
    assert!(refused.stdout.contains("is another text now"), "{}", refused.stdout);
    ns.progrc(&["fix", "--yes", "--unsafe-fixes", "--select=replicas-pinned-with-hpa"]).run().expect_code(0);
    assert!(!applied(&ns).contains("replicas"));
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert_eq!(applied(&ns), before.replace("http", "web"));
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

#[test]
fn what_may_not_be_kept_is_not_in_a_plan() {
    let ns = flagged("plan-hidden");
    let data = json!({"USE_LOCALSTACK": "true", "AWS_S3_ENDPOINT": "http://u:hunter2@localstack:4566"});
    ns.patch("v1/configmaps/config", &json!({"data": data}));
    let answers = [
        "endpoint=https://nyc3.digitaloceanspaces.com",
        "region=nyc3",
        "bucket=shop-objects",
        "credentialsSecret=spaces",
    ];
    let confirmed = ["copied=yes", "bucketReady=yes", "credentialsReady=yes"];
    let set: Vec<String> =
        answers.iter().chain(&confirmed).map(|answer| format!("--set=dev-storage-endpoint.{answer}")).collect();
    let words = ["plan", "--out=-", "--select=dev-storage-endpoint"].into_iter().chain(set.iter().map(String::as_str));
    let text = ns.progrc(&words.collect::<Vec<_>>()).run().expect_code(0).stdout;
    let plan = read(&text, "plan").unwrap();
    assert!(plan.fixes.is_empty() && !text.contains("hunter2"), "{text}");
    assert!(plan.omitted[0].reason.contains("may not be"), "{text}");
}

#[test]
fn one_question_and_the_name_of_what_is_lost() {
    let ns = workloads(&["a", "b"]);
    balancer(&ns);
    let path = planned(&ns, &["--select=missing-pdb,redundant-load-balancer", "-l", "app in (a,b,web)"]);
    // Nothing acts on the objects of this plane, so nothing is waited for.
    let batch = ["apply", &path, "--yes", "--unsafe-fixes", "--wait=false"];
    let unconfirmed = ns.progrc(&batch).run().expect_code(1);
    assert!(unconfirmed.stdout.contains("203.0.113.7 does not come back"), "{}", unconfirmed.stdout);
    ns.progrc(&["undo", "--yes", "--wait=false"]).run().expect_code(0);

    let mut talk = Talk::start(&ns, &["apply", &path, "--wait=false"]);
    let shown = talk.hear("Apply these 3 fixes?");
    assert!(shown.contains("+kind: PodDisruptionBudget") && shown.contains("server dry run: accepted"), "{shown}");
    talk.say("n");
    assert!(talk.end(1).contains("answered no"));
    assert_eq!(ns.get("v1/services/web")["spec"]["type"], "LoadBalancer");

    let mut talk = Talk::start(&ns, &["apply", &path, "--wait=false"]);
    talk.hear("Apply these 3 fixes?");
    talk.say("y");
    assert!(talk.hear("Type web to confirm:").contains("203.0.113.7"));
    talk.say("web");
    assert!(talk.end(0).contains("3 fixes applied"));
    assert_eq!(ns.get("v1/services/web")["spec"]["type"], "ClusterIP");

    ns.progrc(&["undo", "--yes", "--wait=false"]).run().expect_code(0);
    let confirm = format!("--set=redundant-load-balancer.confirm={}/web", ns.name);
    let path = planned(&ns, &["--select=redundant-load-balancer", "-l", "app=web"]);
    let confirmed = ["apply", &path, "--yes", "--unsafe-fixes", "--wait=false", &confirm];
    ns.progrc(&confirmed).run().expect_code(0);
}
