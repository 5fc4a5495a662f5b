//! `emit`: a script that does what `fix` does, and the change for Git.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{AuditEntry, ControlPlane, TestNamespace};
use crate::scene::{FIX_FLAGS, assert_guarded, deployment, flag, flagged, flagged_and_bare, pairs, report, writes};

/// What people wrote in an object, without the name of its namespace, and without what says when.
fn written(ns: &TestNamespace, path: &str) -> Value {
    let object = ns.get(path);
    let mut annotations = object["metadata"]["annotations"].clone();
    let mut spec = object["spec"].clone();
    let template = spec.pointer_mut("/template/metadata/annotations").and_then(Value::as_object_mut);
    for map in annotations.as_object_mut().into_iter().chain(template) {
        let moments = [
            "kubectl.kubernetes.io/restartedAt",
            "progrc.io/change-id",
            "kubectl.kubernetes.io/last-applied-configuration",
        ];
        for (key, value) in map.iter_mut().filter(|(key, _)| moments.contains(&key.as_str())) {
            *value = key.as_str().into();
        }
        map.shift_remove("progrc.io/change-id");
    }
    json!([object["metadata"]["labels"], annotations.as_object().filter(|map| !map.is_empty()), spec, object["data"]])
}

const SELECT: &str = "--select=insecure-flag,missing-pdb";

#[test]
fn the_script_does_what_fix_does() {
    let (fixed, scripted) = (flagged_and_bare("emit-fix"), flagged_and_bare("emit-script"));
    fixed.progrc(&["fix", "--yes", "--unsafe-fixes", SELECT]).run().expect_code(0);

    let script = scripted.progrc(&["emit", "--format=kubectl", SELECT]).run().expect_code(0).stdout;
    assert!(scripted.requests().iter().all(|request| !request.writes()), "emit only reads");
    let ran = scripted.script(&script).run().expect_code(0);
    assert!(ran.stdout.contains("successfully rolled out"), "{}", ran.stdout);
    for path in ["v1/configmaps/config", "apps/v1/deployments/web", "policy/v1/poddisruptionbudgets/many-pdb"] {
        assert_eq!(written(&scripted, path), written(&fixed, path), "{path}");
    }
    let template =
        |ns: &TestNamespace| ns.get("apps/v1/deployments/web")["spec"]["template"]["metadata"]["annotations"].clone();
    assert!(template(&scripted)["kubectl.kubernetes.io/restartedAt"].is_string());
    scripted.progrc(&["audit", SELECT]).run().expect_code(0);
    let again = scripted.script(&script).run().expect_code(1);
    assert!(again.stderr.contains("was not changed"), "{}", again.stderr);
}

/// A workload that three fixes change and two more restart, and one without a budget.
fn busy(prefix: &str) -> TestNamespace {
    let ns = ControlPlane::full().namespace(prefix);
    let container = "image: registry.example/web:1, env: [{name: ALLOW_EMPTY_PERMISSIONS, value: 'true'}], \
                     envFrom: [{configMapRef: {name: config}}]";
    ns.apply(&deployment("web", 2).replace("image: registry.example/web:1", container));
    ns.apply(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, \
         data: {ALLOW_UNKNOWN_API_PATHS: 'true', ENABLE_PERMISSION_RESTRICTIONS: 'false'}}",
    );
    ns.wait_for_rollout("web");
    ns
}

#[test]
fn the_script_tries_all_first_and_rolls_out_once() {
    let rules = "--select=insecure-flag,unneeded-service-account-token,insecure-security-context,missing-pdb";
    let (fixed, scripted) = (busy("emit-once-fix"), busy("emit-once"));
    fixed.progrc(&["fix", "--yes", "--unsafe-fixes", rules]).run().expect_code(0);
    let script = scripted.progrc(&["emit", "--format=kubectl", rules]).run().expect_code(0).stdout;
    scripted.script(&script).run().expect_code(0);
    // The number of rollouts stands in the annotations.
    for path in ["v1/configmaps/config", "apps/v1/deployments/web", "policy/v1/poddisruptionbudgets/web-pdb"] {
        assert_eq!(written(&scripted, path), written(&fixed, path), "{path}");
    }
    let (by_fix, by_script) = (fixed.requests(), scripted.requests());
    let bare = |ns: &TestNamespace, requests: &[AuditEntry]| -> Vec<String> {
        let own = |(verb, path): &(&str, &str)| format!("{verb} {}", path.replace(&ns.name, "NAMESPACE"));
        let mut list: Vec<String> = writes(requests).iter().map(own).collect();
        list.sort();
        list
    };
    assert_eq!(bare(&scripted, &by_script), bare(&fixed, &by_fix));
    assert_guarded(&by_script);
}

#[test]
fn one_refused_dry_run_leaves_all_as_it_is() {
    let ns = flagged_and_bare("emit-dry");
    let script = ns.progrc(&["emit", "--format=kubectl", SELECT]).run().expect_code(0).stdout;
    ns.patch("v1/configmaps/config", &json!({"data": {"ALLOW_UNKNOWN_API_PATHS": "maybe"}}));
    ns.script(&script).run().expect_code(1);
    assert_eq!(writes(&ns.requests()), []);
}

#[test]
fn the_script_deletes_what_is_still_the_same() {
    let ns = ControlPlane::full().namespace("emit-delete");
    ns.apply(&deployment("web", 3));
    ns.wait_for_rollout("web");
    let budget = |name: &str| {
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}})
    };
    let budgets = "policy/v1/poddisruptionbudgets";
    ns.request(http::Method::POST, budgets, Some(&budget("a"))).success();
    ns.request(http::Method::POST, budgets, Some(&budget("b"))).success();
    let script = ns.progrc(&["emit", "conflicting-pdb", "--format=kubectl"]).run().expect_code(0).stdout;
    assert!(script.contains("kubectl delete --raw"), "{script}");
    let left = || ns.get(budgets)["items"].as_array().unwrap().len();
    let other = script.replace("\"uid\":\"", "\"uid\":\"x");
    ns.script(&other).run().expect_code(1);
    assert_eq!(left(), 2);
    ns.script(&script).run().expect_code(0);
    assert_eq!(left(), 1);
}

#[test]
fn the_script_refuses_what_has_changed() {
    let ns = flagged("emit-changed");
    let script = ns.progrc(&["emit", "insecure-flag", "--format=kubectl"]).run().expect_code(0).stdout;
    assert!(!script.contains("hunter2"), "{script}");
    ns.patch("v1/configmaps/config", &json!({"data": {"ALLOW_UNKNOWN_API_PATHS": "maybe"}}));
    let refused = ns.script(&script).run().expect_code(1);
    assert!(refused.stderr.contains(&format!("ConfigMap/{}/config was not changed", ns.name)), "{}", refused.stderr);
    assert_eq!(flag(&ns), "maybe");

    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": {"ALLOW_UNKNOWN_API_PATHS": "true"}});
    ns.delete("v1/configmaps/config");
    ns.request(http::Method::POST, "v1/configmaps", Some(&map)).success();
    ns.script(&script).run().expect_code(1);
    assert_eq!(flag(&ns), "true", "another object of the same name");

    let other = script.replace("$(kubectl get namespace kube-system", "$(kubectl get namespace default");
    let refused = ns.script(&other).run().expect_code(1);
    assert!(refused.stderr.contains("This script is for another cluster"), "{}", refused.stderr);
}

/// A directory of the test.
fn folder(ns: &TestNamespace, name: &str, files: &[(&str, &str)]) -> String {
    let folder = ns.home().join(name);
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    folder.display().to_string()
}

const KUSTOMIZATION: &str = "{apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization, resources: [all.yaml]}";

#[test]
fn a_kustomization_on_its_sources_makes_the_rules_silent() {
    let ns = ControlPlane::full().namespace("emit-k");
    let base = format!("{}/examples/progrc-dev", env!("CARGO_MANIFEST_DIR"));
    let out = ns.home().join("out").display().to_string();
    let select = "--select=insecure-flag,missing-pdb,replicas-pinned-with-hpa";
    let before = report(&ns.progrc(&["audit", "-k", &base, select, "-o=json"]).run().expect_code(1));
    assert!(pairs(&before["findings"]).len() > 4, "{}", before["findings"]);
    let made = ns.progrc(&["emit", "-k", &base, select, "-o", &out]).run().expect_code(0);
    ns.kubectl(&["kustomize", &out]).run().expect_code(0);
    ns.progrc(&["audit", "-k", &out, select]).run().expect_code(0);
    let text = fs::read_to_string(Path::new(&out).join("kustomization.yaml")).unwrap();
    assert!(!text.contains("op: test") && !text.contains("uid"), "{text}\n{}", made.stderr);

    let again = ns.progrc(&["emit", "-k", &base, select, "-o", &out]).run().expect_code(2);
    assert!(again.stderr.contains("holds kustomization.yaml"), "{}", again.stderr);
}

#[test]
fn what_argo_cd_applies_is_changed_in_its_repository() {
    let ns = ControlPlane::full().namespace("emit-argo");
    let tracked = "labels: {app: web}, annotations: {argocd.argoproj.io/tracking-id: 'shop:apps/Deployment:x/web'}";
    let config = "{apiVersion: v1, kind: ConfigMap, metadata: {name: config, annotations: {argocd.argoproj.io/tracking-id: 'shop:/ConfigMap:x/config'}}, data: {ALLOW_UNKNOWN_API_PATHS: 'true'}}";
    let container = "image: registry.example/web:1, envFrom: [{configMapRef: {name: config}}]";
    let web = deployment("web", 1).replacen("labels: {app: web}", tracked, 1);
    let source = format!("{}\n---\n{config}\n", web.replace("image: registry.example/web:1", container));
    let source = source.replace("metadata: {name: ", &format!("metadata: {{namespace: {}, name: ", ns.name));
    ns.apply(&source);
    ns.wait_for_rollout("web");

    let fixed = ns.progrc(FIX_FLAGS).run().expect_code(0);
    for part in ["Application shop", "Argo CD puts the value of Git back", "change the repository of Application shop"]
    {
        assert!(fixed.stdout.contains(part), "{part}: {}", fixed.stdout);
    }
    let command = format!("kubectl progrc emit insecure-flag -n {}", ns.name);
    assert!(fixed.stdout.contains(&command), "{}", fixed.stdout);
    assert_eq!(flag(&ns), "true");
    assert_eq!(writes(&ns.requests()), [], "not even a step of it");

    let script = ns.progrc(&["emit", "insecure-flag", "--format=kubectl"]).run().expect_code(0);
    assert!(script.stdout.is_empty() && script.stderr.contains("Left out: insecure-flag"), "{script:?}");

    folder(&ns, "source", &[("all.yaml", &source), ("kustomization.yaml", KUSTOMIZATION)]);
    let emit: Vec<&str> = command.split(' ').skip(2).collect();
    let printed = ns.progrc(&emit).run().expect_code(0).stdout;
    let whole = printed.replace("kind: Kustomization\n", "kind: Kustomization\nresources: [../source]\n");
    let built = folder(&ns, "built", &[("kustomization.yaml", &whole)]);
    let objects = ns.kubectl(&["kustomize", &built]).run().expect_code(0).stdout;
    assert!(objects.contains("ALLOW_UNKNOWN_API_PATHS: \"false\""), "{objects}");
    ns.progrc(&["audit", "-k", &built, "--select=insecure-flag"]).run().expect_code(0);
}

#[test]
fn whole_objects_can_be_applied_and_show_no_secret() {
    let ns = flagged_and_bare("emit-whole");
    let printed = ns.progrc(&["emit", "--format=manifest", SELECT]).run().expect_code(0);
    assert!(printed.stderr.contains("it holds values that may not be shown"), "{}", printed.stderr);
    for hidden in ["hunter2", "uid:", "resourceVersion", "managedFields", "status:"] {
        assert!(!printed.stdout.contains(hidden), "{hidden}: {}", printed.stdout);
    }
    ns.kubectl(&["apply", "-f", "-"]).stdin(&printed.stdout).run().expect_code(0);
    ns.progrc(&["audit", "--select=missing-pdb"]).run().expect_code(0);

    let one = ns.progrc(&["emit", "missing-pdbs"]).run().expect_code(2);
    assert!(one.stderr.contains("did you mean `missing-pdb`?"), "{}", one.stderr);
}
