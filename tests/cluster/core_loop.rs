//! The core loop on the namespace of the assessment: audit, fix, audit again, undo, history.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{ControlPlane, TestNamespace};
use crate::scene::{ENTRY_ADDRESS, address, assert_guarded, entry_point, pairs, path_of, report};

/// The kinds whose objects the fixes touch or make: path and plural.
const KINDS: [&str; 8] = [
    "/api/v1/namespaces/progrc-dev/configmaps",
    "/api/v1/namespaces/progrc-dev/limitranges",
    "/api/v1/namespaces/progrc-dev/resourcequotas",
    "/api/v1/namespaces/progrc-dev/services",
    "/apis/apps/v1/namespaces/progrc-dev/deployments",
    "/apis/networking.k8s.io/v1/namespaces/progrc-dev/ingresses",
    "/apis/networking.k8s.io/v1/namespaces/progrc-dev/networkpolicies",
    "/apis/policy/v1/namespaces/progrc-dev/poddisruptionbudgets",
];

/// The Deployments of the namespace and how many pods each has at last.
const WORKLOADS: [(&str, i64); 3] = [("localstack", 1), ("progrc-backend", 3), ("progrc-frontend", 2)];

/// The assessed namespace on the full plane.
struct Assessed {
    ns: TestNamespace,
}

impl Assessed {
    /// Applies the example, gives the Services and the Ingress the addresses that a provider
    /// would, and waits until the autoscalers have raised the replicas.
    fn new() -> Self {
        entry_point();
        let ns = ControlPlane::full().namespace("core-loop");
        for file in ["namespace", "config", "backend", "frontend", "localstack", "hpa", "ingress"] {
            let path = format!("{}/examples/progrc-dev/{file}.yaml", env!("CARGO_MANIFEST_DIR"));
            ns.kubectl(&["apply", "-f", &path]).run().expect_code(0);
        }
        let services = "/api/v1/namespaces/progrc-dev/services";
        for (name, ip) in [("progrc-backend", 36), ("progrc-frontend", 37), ("localstack", 38)] {
            ns.patch(&format!("{services}/{name}/status"), &address(&format!("203.0.113.{ip}")));
        }
        let ingress = "/apis/networking.k8s.io/v1/namespaces/progrc-dev/ingresses/progrc/status";
        ns.patch(ingress, &address(ENTRY_ADDRESS));
        let this = Self { ns };
        this.wait();
        this
    }

    /// Waits until every Deployment has as many ready pods as its autoscaler wants, and no others.
    fn wait(&self) {
        for (name, pods) in WORKLOADS {
            let path = format!("/apis/apps/v1/namespaces/progrc-dev/deployments/{name}");
            self.ns.wait_for(&path, &format!("{pods} ready pods"), |object| {
                let status = |field: &str| object["status"][field].as_i64();
                object["status"]["observedGeneration"] == object["metadata"]["generation"]
                    && ["replicas", "updatedReplicas", "availableReplicas"].map(status) == [Some(pods); 3]
            });
        }
    }

    /// Runs the plugin on the namespace.
    #[track_caller]
    fn progrc(&self, args: &[&str], code: i32) -> Value {
        let args = [args, &["-n", "progrc-dev", "-o", "json"]].concat();
        report(&self.ns.progrc(&args).run().expect_code(code))
    }

    /// What people wrote in every object, as text. Left out is what the server and the autoscalers
    /// write.
    fn snapshot(&self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        for kind in KINDS {
            for mut object in self.ns.get(kind)["items"].as_array().unwrap().clone() {
                let metadata = object["metadata"].take();
                let mut annotations = metadata["annotations"].clone();
                if let Some(map) = annotations.as_object_mut() {
                    map.shift_remove("deployment.kubernetes.io/revision");
                }
                if kind.ends_with("/deployments") && metadata["name"] != "localstack" {
                    object["spec"]["replicas"].take();
                }
                let written = json!([metadata["labels"], annotations, object["spec"], object["data"]]);
                out.insert(format!("{kind}/{}", metadata["name"].as_str().unwrap()), written.to_string());
            }
        }
        out
    }
}

/// The findings of the assessment, as the live namespace shows them.
const EXPECTED: &[(&str, &str)] = &[
    ("dev-storage-endpoint", "ConfigMap/progrc-config"),
    ("insecure-flag", "ConfigMap/progrc-config"),
    ("insecure-flag", "ConfigMap/progrc-config"),
    ("insecure-flag", "ConfigMap/progrc-config"),
    ("missing-ingress-policy", "Deployment/progrc-backend"),
    ("missing-ingress-policy", "Deployment/progrc-frontend"),
    ("missing-pdb", "Deployment/progrc-backend"),
    ("missing-pdb", "Deployment/progrc-frontend"),
    ("missing-resource-quota", "Namespace/progrc-dev"),
    ("redundant-load-balancer", "Service/progrc-backend"),
    ("redundant-load-balancer", "Service/progrc-frontend"),
    ("replicas-pinned-with-hpa", "Deployment/progrc-backend"),
];

/// How often each pair of rule and object is in a list.
fn counted(list: &[(String, String)]) -> BTreeMap<(&str, &str), usize> {
    let mut out = BTreeMap::new();
    for (rule, object) in list {
        *out.entry((rule.as_str(), object.as_str())).or_default() += 1;
    }
    out
}

#[test]
fn the_assessed_namespace_is_fixed_and_comes_back() {
    let scene = Assessed::new();
    let before = scene.snapshot();
    finds_what_the_assessment_found(&scene);
    let safe = fixes_what_is_safe(&scene);
    let rest = fixes_the_rest(&scene);
    is_silent_afterwards(&scene);
    undoes_everything(&scene, &[rest, safe]);
    let after = scene.snapshot();
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (name, text) in &before {
        assert_eq!(text, &after[name], "{name}");
    }
    assert_guarded(&scene.ns.requests());
}

fn finds_what_the_assessment_found(scene: &Assessed) {
    let audit = scene.progrc(&["audit"], 1);
    assert_eq!(audit["gaps"], json!([]));
    let found = pairs(&audit["findings"]);
    let expected: Vec<_> = EXPECTED.iter().map(|(rule, object)| ((*rule).to_owned(), (*object).to_owned())).collect();
    let found = counted(&found);
    for (pair, count) in counted(&expected) {
        assert_eq!(found.get(&pair), Some(&count), "{pair:?} of {found:#?}");
    }
    assert!(!found.keys().any(|(rule, _)| *rule == "replicas-below-hpa-min"), "the autoscaler has repaired it");
}

/// Applies the safe fixes; returns the journal entry.
fn fixes_what_is_safe(scene: &Assessed) -> String {
    let fixed = scene.progrc(&["fix", "--yes"], 0);
    let budgets = ["progrc-backend", "progrc-frontend"];
    let budgets = budgets.map(|name| ("missing-pdb".to_owned(), format!("Deployment/{name}")));
    assert_eq!(pairs(&fixed["applied"]), budgets);
    let score = |when: &str| fixed["score"][when].as_f64().unwrap();
    assert!(score("after") > score("before"), "{}", fixed["score"]);
    assert!(fixed["left"].as_array().unwrap().iter().all(|left| left["counts"] == false), "{}", fixed["left"]);
    fixed["entry"].as_str().unwrap().to_owned()
}

/// What the user knows and the cluster does not.
const ANSWERS: [&str; 8] = [
    "--set=redundant-load-balancer.confirm=progrc-dev/progrc-backend",
    "--set=redundant-load-balancer.confirm=progrc-dev/progrc-frontend",
    "--set=dev-storage-endpoint.endpoint=https://nyc3.digitaloceanspaces.com",
    "--set=dev-storage-endpoint.region=nyc3",
    "--set=dev-storage-endpoint.bucket=progrc-uploads",
    "--set=dev-storage-endpoint.credentialsSecret=progrc-storage",
    "--set=dev-storage-endpoint.copied=yes",
    "--set=dev-storage-endpoint.bucketReady=yes",
];

/// Applies the unsafe fixes and those whose questions are answered; returns the journal entry.
fn fixes_the_rest(scene: &Assessed) -> String {
    let earlier = scene.ns.requests().len();
    let command = ["fix", "--yes", "--unsafe-fixes", "--set=dev-storage-endpoint.credentialsReady=yes"];
    let fixed = scene.progrc(&[&command[..], &ANSWERS].concat(), 0);
    let applied = pairs(&fixed["applied"]);
    let applied = counted(&applied);
    for (rule, object) in EXPECTED.iter().filter(|(rule, _)| *rule != "missing-pdb") {
        assert!(applied.contains_key(&(*rule, *object)), "{rule} {object} of {applied:#?}\nleft: {:#}", fixed["left"]);
    }
    let restarts: Vec<&str> = fixed["applied"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|applied| applied["title"].as_str().filter(|title| title.starts_with("Restart ")))
        .collect();
    assert_eq!(restarts, ["Restart Deployment/progrc-backend"]);
    scene.wait();
    let requests = scene.ns.requests();
    let backend = "/apis/apps/v1/namespaces/progrc-dev/deployments/progrc-backend";
    let patches = requests[earlier..].iter().filter(|it| it.writes() && path_of(it) == backend).count();
    assert_eq!(patches, 2, "the last-applied annotation and one restart");
    let data = &scene.ns.get("/api/v1/namespaces/progrc-dev/configmaps/progrc-config")["data"];
    let flags = ["ENABLE_PERMISSION_RESTRICTIONS", "ALLOW_UNKNOWN_API_PATHS", "ALLOW_EMPTY_PERMISSIONS"];
    assert_eq!(flags.map(|flag| data[flag].as_str().unwrap()), ["true", "false", "false"]);
    assert_eq!(data["AWS_S3_ENDPOINT"], "https://nyc3.digitaloceanspaces.com");
    fixed["entry"].as_str().unwrap().to_owned()
}

/// What was fixed is not found again; what a rule leaves for a next stage is its own affair.
fn is_silent_afterwards(scene: &Assessed) {
    let audit = scene.progrc(&["audit", "--fail-on=never"], 0);
    let found = pairs(&audit["findings"]);
    let staged = ["dev-storage-endpoint"];
    for (rule, object) in EXPECTED.iter().filter(|(rule, _)| !staged.contains(rule)) {
        let again = found.iter().any(|(other, at)| other == rule && at == object);
        assert!(!again, "{rule} {object} is found again: {found:#?}");
    }
}

fn undoes_everything(scene: &Assessed, entries: &[String]) {
    for entry in entries {
        let undone = scene.progrc(&["undo", entry, "--yes"], 0);
        assert_eq!((&undone["undoes"], &undone["left"]), (&json!(entry), &json!([])));
        scene.wait();
    }
    let history = scene.progrc(&["history"], 0);
    let list: Vec<(&str, &str)> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["command"].as_str().unwrap(), entry["status"].as_str().unwrap()))
        .collect();
    assert_eq!(list, [("undo", "done"), ("undo", "done"), ("fix", "undone"), ("fix", "undone")]);
    let one = scene.progrc(&["history", &entries[1]], 0);
    assert_eq!(pairs(&one["steps"]).len(), 2, "{one}");
}
