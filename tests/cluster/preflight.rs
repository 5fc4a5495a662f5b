//! What happens before a write: rights, fresh objects, the order of a batch, one rollout for all.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{AuditEntry, ControlPlane, Rule, TestNamespace, WAIT, wait_until};
use crate::rollback::readers;
use crate::scene::{FIX_FLAGS, assert_guarded, deployment, flag, flagged, pairs, path_of, report, writes};

/// May read everything; what else stands beside it.
const READ: Rule = Rule { group: "*", resources: &["*"], verbs: &["get", "list", "watch"] };
const BUDGETS: Rule = Rule { group: "policy", resources: &["poddisruptionbudgets"], verbs: &["create"] };
const MAPS: Rule = Rule { group: "", resources: &["configmaps"], verbs: &["patch"] };

/// Two Deployments of two pods each and a flag that one of them reads; nothing acts on them.
fn scene(prefix: &str) -> TestNamespace {
    let ns = ControlPlane::bare().namespace(prefix);
    let from = "registry.example/web:1, envFrom: [{configMapRef: {name: config}}]";
    ns.apply(&deployment("web", 2).replace("registry.example/web:1", from));
    ns.apply(&deployment("api", 2));
    ns.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, data: {ALLOW_UNKNOWN_API_PATHS: 'true'}}");
    ns
}

#[test]
fn a_missing_right_leaves_its_fix_and_names_the_rule() {
    let ns = scene("rights");
    // The ConfigMap may be changed, the workload that reads it may not be restarted.
    let user = ControlPlane::bare().user_with(&[READ, BUDGETS, MAPS]);
    let command = ["fix", "--yes", "--unsafe-fixes", "--select=missing-pdb,insecure-flag", "-o", "json"];
    let fixed = report(&ns.progrc_as(&user, &command).run().expect_code(1));
    let budgets = ["api", "web"].map(|name| ("missing-pdb".to_owned(), format!("Deployment/{name}")));
    assert_eq!(pairs(&fixed["applied"]), budgets);
    let left = fixed["left"].as_array().unwrap().iter().find(|left| left["rule"] == "insecure-flag").unwrap();
    let reason = left["reason"].as_str().unwrap();
    let missing = format!("the user may not patch deployments.apps in namespace {}", ns.name);
    assert!(reason.contains(&missing), "{reason}");
    assert!(reason.contains("a Role with {apiGroups: [apps], resources: [deployments], verbs: [patch]}"), "{reason}");
    assert_eq!(left["counts"], true);
    assert_eq!(flag(&ns), "true");
    let requests = ns.requests_of(&user);
    let path = format!("/apis/policy/v1/namespaces/{}/poddisruptionbudgets", ns.name);
    assert_eq!(writes(&requests), [("create", path.as_str()); 2]);
    assert!(!requests.iter().any(|it| it.verb == "patch"), "not even tried");
    let asked = requests.iter().filter(|it| it.resource == "selfsubjectaccessreviews").count();
    // One for both creations, one for the ConfigMap, and one by name for the Deployment.
    assert_eq!(asked, 4, "reviews are shared");
}

#[test]
fn nothing_begins_where_everything_is_forbidden() {
    let ns = scene("forbidden");
    let user = ControlPlane::bare().user_with(&[READ]);
    let ended = ns.progrc_as(&user, &["fix", "--yes", "--select=missing-pdb"]).run().expect_code(2);
    let missing = format!("the user may not create poddisruptionbudgets.policy in namespace {}", ns.name);
    assert!(ended.stderr.contains(&missing), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("error: ").count(), 1, "{}", ended.stderr);
    let requests = ns.requests_of(&user);
    assert_eq!(writes(&requests), []);
    assert!(!requests.iter().any(|it| it.uri.contains("dryRun")), "not even tried");
    assert!(!ns.home().join("state").exists(), "no journal entry");
}

#[test]
fn one_rollout_however_many_fixes_change_the_template() {
    let ns = ControlPlane::full().namespace("one-rollout");
    let container = "image: registry.example/web:1, env: [{name: ALLOW_EMPTY_PERMISSIONS, value: 'true'}], \
                     envFrom: [{configMapRef: {name: config}}]";
    ns.apply(&deployment("web", 1).replace("image: registry.example/web:1", container));
    ns.apply(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, \
         data: {ALLOW_UNKNOWN_API_PATHS: 'true', ENABLE_PERMISSION_RESTRICTIONS: 'false'}}",
    );
    let before = ns.wait_for_rollout("web");
    let rules = "--select=insecure-flag,unneeded-service-account-token";
    let fixed = report(&ns.progrc(&["fix", "--yes", "--unsafe-fixes", rules, "-o", "json"]).run().expect_code(0));
    let applied = pairs(&fixed["applied"]);
    for pair in [
        ("insecure-flag", "ConfigMap/config"),
        ("insecure-flag", "Deployment/web"),
        ("unneeded-service-account-token", "Deployment/web"),
    ] {
        assert!(applied.iter().any(|(rule, object)| (rule.as_str(), object.as_str()) == pair), "{pair:?}: {applied:?}");
    }
    let requests = ns.requests();
    let map = format!("/api/v1/namespaces/{}/configmaps/config", ns.name);
    let web = format!("/apis/apps/v1/namespaces/{}/deployments/web", ns.name);
    assert_eq!(writes(&requests), [("patch", map.as_str()), ("patch", &map), ("patch", &web)]);
    assert_guarded(&requests);
    let template = &ns.wait_for_rollout("web")["spec"]["template"]["spec"];
    assert_eq!(template["automountServiceAccountToken"], false);
    assert_eq!(template["containers"][0]["env"][0]["value"], "false");

    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert_eq!(flag(&ns), "true");
    assert_eq!(ns.wait_for_rollout("web")["spec"]["template"]["spec"], before["spec"]["template"]["spec"]);
}

#[test]
fn an_object_that_two_fixes_need_is_made_once() {
    let ns = ControlPlane::bare().namespace("made-once");
    ns.apply(&deployment("web", 1));
    let rules = "--select=missing-limit-range,missing-resource-quota";
    let fixed = report(&ns.progrc(&["fix", "--yes", "--unsafe-fixes", rules, "-o", "json"]).run().expect_code(0));
    let namespace = format!("Namespace/{}", ns.name);
    let both = ["missing-limit-range", "missing-resource-quota"].map(|rule| (rule.to_owned(), namespace.clone()));
    assert_eq!(pairs(&fixed["applied"]), both, "{fixed}");
    let requests = ns.requests();
    let path = |plural: &str| format!("/api/v1/namespaces/{}/{plural}", ns.name);
    let (ranges, quotas) = (path("limitranges"), path("resourcequotas"));
    assert_eq!(writes(&requests), [("create", ranges.as_str()), ("create", &quotas)]);
    let tried = requests.iter().filter(|it| it.uri.contains("dryRun") && path_of(it) == ranges).count();
    assert_eq!(tried, 1);
}

/// A quota whose pods lack requests needs the range that gives them some: without it there is none.
#[test]
fn a_quota_without_its_defaults_is_not_made() {
    let ns = ControlPlane::bare().namespace("no-defaults");
    ns.apply(&deployment("web", 1));
    let quotas = Rule { group: "", resources: &["resourcequotas"], verbs: &["create"] };
    let user = ControlPlane::bare().user_with(&[READ, quotas]);
    let command = ["fix", "--yes", "--unsafe-fixes", "--select=missing-resource-quota"];
    let refused = ns.progrc_as(&user, &command).run().expect_code(2);
    let missing = format!("the user may not create limitranges in namespace {}", ns.name);
    assert!(refused.stderr.contains(&missing), "{refused:?}");
    assert_eq!(writes(&ns.requests_of(&user)), []);
    // Who may gets both, the range first.
    ns.progrc(&command).run().expect_code(0);
    let path = |plural: &str| format!("/api/v1/namespaces/{}/{plural}", ns.name);
    let (ranges, quotas) = (path("limitranges"), path("resourcequotas"));
    assert_eq!(writes(&ns.requests()), [("create", ranges.as_str()), ("create", &quotas)]);
}

/// A CronJob whose pods the level forbids, of which none runs: the server sees no pod and warns of
/// nothing.
#[test]
fn a_level_that_a_template_without_pods_violates_is_not_enforced() {
    let ns = ControlPlane::full().namespace("no-warning");
    ns.apply(
        "
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: '0 3 1 1 *'
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: dump, image: registry.example/dump:1, securityContext: {privileged: true}}]
",
    );
    let enforce = "pod-security.kubernetes.io/enforce=baseline";
    let tried = ns.kubectl(&["label", "namespace", &ns.name, enforce, "--dry-run=server"]).run().expect_code(0);
    assert!(!format!("{}{}", tried.stdout, tried.stderr).contains("Warning"), "{tried:?}");
    let command = ["fix", "--yes", "--unsafe-fixes", "--select=pod-security-not-enforced", "-o", "json"];
    let labels = || ns.get(&format!("/api/v1/namespaces/{}", ns.name))["metadata"]["labels"].clone();
    // The labels that warn come first, then the one that enforces.
    ns.progrc(&command).run();
    assert!(labels()["pod-security.kubernetes.io/warn"].is_string(), "{}", labels());
    let refused = report(&ns.progrc(&command).run());
    assert_eq!(labels()["pod-security.kubernetes.io/enforce"], Value::Null);
    let said = refused["left"].to_string();
    assert!(said.contains("CronJob/nightly") && said.contains("privileged"), "{refused:#}");
}

/// Two Deployments that do not bear the change that is to be made: rollouts fail.
fn failing(prefix: &str) -> TestNamespace {
    let ns = ControlPlane::full().namespace(prefix);
    for name in ["api", "web"] {
        ns.apply(&deployment(name, 1).replace(&format!("registry.example/{name}:1"), "registry.example/needs-root:1"));
        ns.wait_for_rollout(name);
    }
    ns
}

const HARDEN: [&str; 6] = ["fix", "--yes", "--unsafe-fixes", "--select=insecure-security-context", "-o", "json"];

#[test]
fn a_failed_rollout_stops_the_batch_unless_it_may_go_on() {
    let (stops, goes_on) = (failing("stops"), failing("goes-on"));
    let stopped = report(&stops.progrc(&HARDEN).run().expect_code(3));
    let reasons = |fixed: &Value| -> Vec<String> {
        let left = fixed["left"].as_array().unwrap().iter();
        left.map(|left| left["reason"].as_str().unwrap().to_owned()).collect()
    };
    let said = reasons(&stopped);
    assert!(said[0].contains("CrashLoopBackOff") && said[1] == "not begun, after the stop", "{said:?}");
    let patched = |ns: &TestNamespace, name: &str| {
        let path = format!("/apis/apps/v1/namespaces/{}/deployments/{name}", ns.name);
        writes(&ns.requests()).contains(&("patch", path.as_str()))
    };
    assert_eq!(["api", "web"].map(|name| patched(&stops, name)), [true, false]);
    let went_on = report(&goes_on.progrc(&[&HARDEN[..], &["--keep-going"]].concat()).run().expect_code(3));
    assert!(reasons(&went_on).iter().all(|reason| reason.contains("CrashLoopBackOff")), "{went_on}");
    assert_eq!(["api", "web"].map(|name| patched(&goes_on, name)), [true, true]);
    // What can't come up is not left to the controllers of the other tests.
    for ns in [&stops, &goes_on] {
        ["api", "web"].iter().for_each(|name| ns.delete(&format!("apps/v1/deployments/{name}")));
    }
}

#[test]
fn a_restart_without_room_is_said_before_anything_changes() {
    let ns = flagged("no-room");
    ns.apply("{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {pods: 1}}}");
    ns.wait_for("v1/resourcequotas/q", "counted", |quota| quota["status"]["used"]["pods"] == "1");
    let audit = report(&ns.progrc(&["audit", "-o", "json", "--select=insecure-flag"]).run().expect_code(1));
    let lowered = &audit["findings"][0]["fixes"][0]["loweredBy"][0];
    assert_eq!(lowered["guard"], "quota");
    let reason = lowered["reason"].as_str().unwrap();
    assert!(reason.contains("a new pod before an old one ends"), "{reason}");
    assert!(
        reason.contains("ResourceQuota/q allows 1 pods, 1 is used and 1 more is needed: it would not end"),
        "{reason}"
    );
}

/// What a fix may send besides what an audit sends, and the watches of its rollout.
const MOST_REQUESTS: usize = 12;

/// What the last run sent that a run of another command had not, by verb and path. A list right
/// before a watch of the same is the beginning of that watch.
fn beyond(earlier: &[AuditEntry], all: &[AuditEntry]) -> Vec<String> {
    let named = |it: &AuditEntry| format!("{} {}", it.verb, path_of(it));
    let mut known: Vec<String> = earlier.iter().map(named).collect();
    let watched = |it: &AuditEntry| {
        it.verb == "list" && all.iter().any(|watch| watch.verb == "watch" && watch.uri.starts_with(&it.uri))
    };
    let fresh = all[earlier.len()..].iter().filter(|it| {
        let place = known.iter().position(|other| *other == named(it));
        place.map(|place| known.swap_remove(place)).is_none() && it.verb != "watch" && !watched(it)
    });
    fresh.map(|it| format!("{} {}", it.verb, it.uri)).collect()
}

#[test]
fn one_flag_costs_few_requests() {
    let ns = flagged("requests");
    ns.progrc(&["audit", "--select=insecure-flag"]).run().expect_code(1);
    let audit = ns.requests();
    ns.progrc(&["fix", "--yes", "--unsafe-fixes", "--select=insecure-flag", "--soak=1s"]).run().expect_code(0);
    let own = beyond(&audit, &ns.requests());
    assert!(own.len() <= MOST_REQUESTS, "{} requests: {own:#?}", own.len());
    let patches: Vec<&String> = own.iter().filter(|it| it.starts_with("patch")).collect();
    let tried = patches.iter().filter(|it| it.contains("dryRun=All")).count();
    assert!(tried >= patches.len() - tried && patches.len() - tried == 2, "{own:#?}");
    assert_eq!(flag(&ns), json!("false"));
}

/// What each fix of a batch may send: it tries the write and writes.
const EACH: usize = 2;
/// What they send together: who writes, the right, the workloads, and what is to be made, before and after.
const TOGETHER: usize = 5;

#[test]
fn a_batch_shares_what_it_asks() {
    let ns = ControlPlane::bare().namespace("shared");
    let count = 20;
    for number in 0..count {
        ns.apply(&deployment(&format!("web-{number}"), 2));
    }
    ns.progrc(&["audit", "--select=missing-pdb"]).run().expect_code(1);
    let audit = ns.requests();
    ns.progrc(&["fix", "--yes", "--select=missing-pdb"]).run().expect_code(0);
    let own = beyond(&audit, &ns.requests());
    assert!(own.len() <= count * EACH + TOGETHER, "{} requests: {own:#?}", own.len());
}

#[test]
fn one_workload_rolls_out_at_a_time() {
    let ns = readers("turns", &[("a", "Deployment", "a"), ("b", "Deployment", "b")]);
    let fixed = ns.progrc(FIX_FLAGS).run().expect_code(0);
    let at = |text: &str| fixed.stderr.find(text).unwrap_or_else(|| panic!("{text}: {}", fixed.stderr));
    assert!(at("deployment.apps/a rolled out") < at("deployment.apps/b patched"), "{}", fixed.stderr);
}

/// A webhook of a kind (`Mutating`, `Validating`) that an old server let say that it has side effects;
/// nothing answers it.
fn webhook(ns: &TestNamespace, kind: &str) -> String {
    let name = format!("effects.{}.example.com", ns.name);
    let mut hook = json!({
        "name": name, "clientConfig": {"url": "https://127.0.0.1:1/"}, "failurePolicy": "Ignore",
        "matchPolicy": "Equivalent", "sideEffects": "Some", "timeoutSeconds": 1, "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns.name}}, "objectSelector": {},
        "rules": [{"apiGroups": ["policy"], "apiVersions": ["v1"], "operations": ["CREATE"],
                   "resources": ["poddisruptionbudgets"], "scope": "*"}],
    });
    if kind == "Mutating" {
        hook["reinvocationPolicy"] = "Never".into();
    }
    let object = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": format!("{kind}WebhookConfiguration"),
        "metadata": {"name": ns.name, "uid": ns.name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "webhooks": [hook],
    });
    let folder = format!("{}webhookconfigurations", kind.to_lowercase());
    ControlPlane::bare().store(&format!("{folder}/{}", ns.name), &object);
    let probe = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "probe"},
                       "spec": {"maxUnavailable": 1}});
    wait_until(WAIT, "the webhook is known", || {
        let tried = ns.request(Method::POST, "policy/v1/poddisruptionbudgets?dryRun=All", Some(&probe));
        if tried.code == 400 { Ok(()) } else { Err(tried.body.to_string()) }
    });
    name
}

#[test]
fn a_webhook_without_dry_runs_is_named_and_can_be_allowed() {
    for kind in ["Mutating", "Validating"] {
        let ns = scene("side-effects");
        let hook = webhook(&ns, kind);
        let refused = ns.progrc(&["fix", "--yes", "--select=missing-pdb"]).run().expect_code(1);
        let said = format!("admission webhook \"{hook}\" does not support dry run");
        assert!(refused.stdout.contains(&said) && refused.stdout.contains("--allow-no-dry-run"), "{}", refused.stdout);
        assert_eq!(writes(&ns.requests()), []);
        ns.progrc(&["fix", "--yes", "--select=missing-pdb", "--allow-no-dry-run"]).run().expect_code(0);
        assert_eq!(writes(&ns.requests()).len(), 2);
    }
}
