//! What the real server's answers to a write mean: each row of the table that it can produce.

use http::Method;
use json_patch::PatchOperation;
use kubectl_progrc::backend::change::Prepared;
use kubectl_progrc::backend::cluster::write::{self, Answer, Options, Write};
use kubectl_progrc::backend::journal::Outcome;
use kubectl_progrc::fix::{Edit, Step};
use kubectl_progrc::model::{ObjectRef, Subject};
use kubectl_progrc::plan::patch;
use serde_json::{Value, json};

use crate::scene::denying_policy;
use crate::writes::Bench;

/// Sends a write, past the dry run; code, reasons and hint of the refusal.
#[track_caller]
fn refused(bench: &Bench, request: &Write) -> (u16, String, String) {
    match bench.runtime.block_on(write::send(&bench.connection, request, &Options::default(), false)) {
        Answer::Refused { code, reasons, hint } => (code, reasons.join("; "), hint.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

fn create(bench: &Bench, api_version: &str, kind: &str, name: &str, mut manifest: Value) -> Write {
    manifest["apiVersion"] = json!(api_version);
    manifest["kind"] = json!(kind);
    manifest["metadata"] = json!({"name": name, "namespace": bench.ns.name});
    Write::Create { object: ObjectRef::new(api_version, kind, Some(&bench.ns.name), name), manifest }
}

fn config_map(bench: &Bench, name: &str) -> Write {
    create(bench, "v1", "ConfigMap", name, json!({"data": {}}))
}

#[test]
fn what_somebody_made_meanwhile_is_not_overwritten() {
    let bench = Bench::new("exists");
    bench.config_map(&json!({"OWN": "1"}));
    let (code, why, hint) = refused(&bench, &config_map(&bench, "config"));
    assert_eq!((code, hint.as_str()), (409, "somebody has made it meanwhile: audit again"), "{why}");
    assert_eq!(bench.ns.get("v1/configmaps/config")["data"], json!({"OWN": "1"}));
}

#[test]
fn a_lost_race_is_planned_anew() {
    let bench = Bench::new("race");
    let map = bench.config_map(&json!({"FLAG": "true", "OTHER": "1"}));
    let mut prepared: Prepared = bench.prepare(&Step::patch(&map, vec![Edit::set("/data/FLAG", "false")])).unwrap();
    let Write::Patch { guarded, .. } = &mut prepared.write else { panic!("it is a patch") };
    let version = guarded.after["metadata"]["resourceVersion"].clone();
    guarded.patch.0.push(patch::replace("/metadata/resourceVersion", version));
    bench.ns.patch("v1/configmaps/config", &json!({"data": {"OTHER": "2"}}));
    let result = bench.commit(&prepared);
    assert_eq!((result.outcome, result.code), (Outcome::NotApplied, 409), "{}", result.message);
    let again = bench.prepare(&prepared.origin.clone().expect("it was built from a step")).unwrap();
    assert_eq!(bench.commit(&again).outcome, Outcome::Applied);
    assert_eq!(bench.ns.get("v1/configmaps/config")["data"], json!({"FLAG": "false", "OTHER": "2"}));
}

/// A patch of an object without the guards of [`patch::build`].
fn raw_patch(object: &Subject, operations: Vec<PatchOperation>) -> Write {
    let guarded = patch::Guarded { patch: json_patch::Patch(operations), after: Value::Null };
    Write::Patch { object: (**object).clone(), subresource: None, guarded }
}

#[test]
fn what_is_immutable_is_named_with_its_field() {
    let bench = Bench::new("immutable");
    let map = bench.config_map(&json!({"A": "1"}));
    bench.ns.patch("v1/configmaps/config", &json!({"immutable": true}));
    let (code, why, _) = refused(&bench, &raw_patch(&map, vec![patch::replace("/data/A", json!("2"))]));
    assert_eq!(code, 422);
    assert!(why.starts_with("data: ") && why.contains("immutable"), "{why}");
}

#[test]
fn an_unknown_field_does_not_print_the_object() {
    let bench = Bench::new("strict");
    let map = bench.config_map(&json!({"DB_PASSWORD": "hunter2-is-secret"}));
    let (code, why, _) = refused(&bench, &raw_patch(&map, vec![patch::add("/colour", json!("red"))]));
    assert!((400..=422).contains(&code), "{code}");
    assert!(why.contains("unknown field") && !why.contains("hunter2"), "{why}");
    let result = bench.commit(&Prepared {
        write: raw_patch(&map, vec![patch::add("/colour", json!("red"))]),
        ..bench.prepare(&Step::patch(&map, vec![Edit::set("/data/A", "1")])).unwrap()
    });
    assert_eq!(result.outcome, Outcome::NotApplied);
    assert!(!serde_json::to_string(&result).unwrap().contains("hunter2"), "{result:?}");
}

#[test]
fn who_forbids_is_told_apart() {
    let bench = Bench::new("forbidden");
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"},
        "spec": {"hard": {"count/configmaps": "0", "requests.cpu": "1"}}, "status": {}});
    bench.ns.request(Method::POST, "v1/resourcequotas", Some(&quota)).success();
    let counted = json!({"status": {"hard": {"count/configmaps": "0", "requests.cpu": "1"},
        "used": {"count/configmaps": "0", "requests.cpu": "0"}}});
    bench.ns.patch("v1/resourcequotas/q/status", &counted);
    let hint = crate::harness::wait_until(crate::harness::WAIT, "the quota", || {
        let (request, options) = (config_map(&bench, "one"), Options::default());
        match bench.runtime.block_on(write::send(&bench.connection, &request, &options, true)) {
            Answer::Refused { code: 403, hint, .. } => Ok(hint.unwrap()),
            other => Err(format!("{other:?}")),
        }
    });
    assert!(hint.contains("ResourceQuota"), "{hint}");
    let pod = || create(&bench, "v1", "Pod", "p", json!({"spec": {"containers": [{"name": "c", "image": "i"}]}}));
    let (code, why, hint) = refused(&bench, &pod());
    assert!(code == 403 && why.contains("must specify") && hint.contains("missing-limit-range"), "{why}: {hint}");
    bench.ns.delete("v1/resourcequotas/q");
    let enforced = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    bench.ns.patch(&format!("/api/v1/namespaces/{}", bench.ns.name), &enforced);
    let (code, hint) = crate::harness::wait_until(crate::harness::WAIT, "pod security", || {
        // The server's admission sees the label a moment later.
        match bench.runtime.block_on(write::send(&bench.connection, &pod(), &Options::default(), true)) {
            Answer::Refused { code, hint, reasons } if reasons.join("; ").contains("violates PodSecurity") => {
                Ok((code, hint.unwrap_or_default()))
            }
            other => Err(format!("{other:?}")),
        }
    });
    assert!(code == 403 && hint.contains("insecure-security-context"), "{hint}");
}

#[test]
fn what_is_gone_and_what_is_ending_is_stale() {
    let bench = Bench::new("ending");
    let map = bench.config_map(&json!({"A": "1"}));
    let patch = raw_patch(&map, vec![patch::replace("/data/A", json!("2"))]);
    bench.ns.delete("v1/configmaps/config");
    let (code, why, hint) = refused(&bench, &patch);
    assert!(code == 404 && hint.contains("audit again"), "{why}: {hint}");
    // Nothing ends a namespace on this plane: it stays at its end.
    bench.ns.delete(&format!("/api/v1/namespaces/{}", bench.ns.name));
    let (code, why, hint) = refused(&bench, &config_map(&bench, "late"));
    assert!(code == 403 && hint.contains("being deleted"), "{why}: {hint}");
}

/// A policy of the cluster that sets the flag back in every real write of this namespace.
const TAKES_BACK: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: NAMESPACE}
spec:
  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConstraints:
    resourceRules:
      - {apiGroups: [''], apiVersions: [v1], operations: [UPDATE], resources: [configmaps]}
  matchConditions: [{name: real, expression: '!request.dryRun'}]
  mutations:
    - patchType: JSONPatch
      jsonPatch: {expression: '[JSONPatch{op: \"replace\", path: \"/data/FLAG\", value: \"true\"}]'}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: NAMESPACE}
spec:
  policyName: NAMESPACE
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}}
";

#[test]
fn a_change_that_admission_takes_back_is_no_success() {
    let bench = Bench::new("reverted");
    let map = bench.config_map(&json!({"FLAG": "true"}));
    bench.ns.apply(&TAKES_BACK.replace("NAMESPACE", &bench.ns.name));
    crate::harness::wait_until(crate::harness::WAIT, "the policy", || {
        let tried = bench.ns.patch("v1/configmaps/config", &json!({"data": {"FLAG": "probe"}}));
        if tried["data"]["FLAG"] == "true" { Ok(()) } else { Err(tried.to_string()) }
    });
    let prepared = bench.prepare(&Step::patch(&map, vec![Edit::set("/data/FLAG", "false")])).unwrap();
    let result = bench.commit(&prepared);
    assert_eq!((result.outcome, result.code), (Outcome::NotApplied, 200), "{result:?}");
    assert!(result.message.contains("reverted by admission"), "{result:?}");
    assert_eq!(bench.ns.get("v1/configmaps/config")["data"]["FLAG"], "true");
}

#[test]
fn a_webhook_that_nobody_serves_is_tried_twice() {
    let bench = Bench::new("webhook");
    let hook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": bench.ns.name},
        "webhooks": [{
            "name": "down.example.com", "clientConfig": {"url": "https://127.0.0.1:1/"}, "failurePolicy": "Fail",
            "sideEffects": "None", "timeoutSeconds": 1, "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": bench.ns.name}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
        }],
    });
    let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    bench.ns.request(Method::POST, path, Some(&hook)).success();
    crate::harness::wait_until(crate::harness::WAIT, "the webhook", || {
        let probe = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe"}});
        match bench.ns.request(Method::POST, "v1/configmaps?dryRun=All", Some(&probe)).code {
            500 => Ok(()),
            code => Err(code.to_string()),
        }
    });
    let (code, why, hint) = refused(&bench, &config_map(&bench, "new"));
    assert!(code == 500 && why.contains("failed calling webhook"), "{why}");
    assert!(hint.contains("nothing was changed"), "{hint}");
    let sent = bench.ns.requests().into_iter().filter(|it| it.verb == "create" && it.writes());
    assert_eq!(sent.count(), 2);
    assert_eq!(bench.ns.request(Method::GET, "v1/configmaps/new", None).code, 404);
}

#[test]
fn what_is_malformed_or_too_large_is_our_own_fault() {
    let bench = Bench::new("malformed");
    let manifest = json!({"data": {"A": {"b": 1}}});
    let (code, why, hint) = refused(&bench, &create(&bench, "v1", "ConfigMap", "odd", manifest));
    assert!(code == 400 && hint.contains("malformed"), "{why}: {hint}");
    let map = bench.config_map(&json!({"A": "1"}));
    let large = "x".repeat(4 << 20);
    let (code, why, hint) = refused(&bench, &raw_patch(&map, vec![patch::replace("/data/A", json!(large))]));
    assert!(code == 413 && hint.contains("too large"), "{why}: {hint}");
    assert_eq!(bench.ns.get("v1/configmaps/config")["data"], json!({"A": "1"}));
}

/// Refuses config maps by their names, for a reason that is another code.
const REFUSES: &str = "
    {expression: \"object.metadata.name != 'forbidden'\", reason: Forbidden, message: not this name},
    {expression: \"object.metadata.name != 'invalid'\", reason: Invalid, message: not this name}";

#[test]
fn a_policy_that_forbids_a_write_is_not_taken_for_a_missing_right() {
    let bench = Bench::new("policed");
    bench.ns.apply(&denying_policy(&bench.ns.name, REFUSES));
    for (name, expected) in [("forbidden", 403), ("invalid", 422)] {
        let request = config_map(&bench, name);
        let (code, why, hint) = crate::harness::wait_until(crate::harness::WAIT, "the policy", || {
            match bench.runtime.block_on(write::send(&bench.connection, &request, &Options::default(), true)) {
                Answer::Refused { code, reasons, hint } => Ok((code, reasons.join("; "), hint.unwrap_or_default())),
                other => Err(format!("{other:?}")),
            }
        });
        assert_eq!((code, hint.as_str()), (expected, "a policy of the cluster refuses it"), "{why}");
        assert!(why.contains(&bench.ns.name) && why.contains("not this name"), "who refuses, and why: {why}");
    }
    let (code, why, hint) = refused(&bench, &config_map(&bench, "forbidden"));
    assert_eq!((code, hint.as_str()), (403, "a policy of the cluster refuses it"), "past the dry run too: {why}");
}
