//! The assessed namespace on a real control plane.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{ControlPlane, TestNamespace};
use crate::scene::{ENTRY_ADDRESS, address, entry_point, report};

/// The name of the namespace: one of it on a plane.
pub(crate) const NAME: &str = "progrc-dev";

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

/// The assessed namespace, and a namespace of the test whose tester the plugin is.
pub(crate) struct Assessed {
    pub(crate) ns: TestNamespace,
}

impl Assessed {
    /// Applies the example and gives the Services and the Ingress the addresses that a provider
    /// would.
    pub(crate) fn on(plane: &'static ControlPlane) -> Self {
        entry_point(plane);
        let ns = plane.namespace("assessed");
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
        Self { ns }
    }

    /// Waits until the Deployments have so many ready pods, and no others: backend, frontend,
    /// LocalStack.
    pub(crate) fn wait(&self, pods: [i64; 3]) {
        for (name, pods) in ["progrc-backend", "progrc-frontend", "localstack"].into_iter().zip(pods) {
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
    pub(crate) fn progrc(&self, args: &[&str], code: i32) -> Value {
        let args = [args, &["-n", NAME, "-o", "json"]].concat();
        report(&self.ns.progrc(&args).run().expect_code(code))
    }

    /// Takes entries back, one after the other.
    #[track_caller]
    pub(crate) fn undo(&self, entries: &[&str]) {
        for entry in entries {
            let undone = self.progrc(&["undo", entry, "--yes"], 0);
            assert_eq!((&undone["undoes"], &undone["left"]), (&json!(entry), &json!([])));
        }
    }

    /// What people wrote in every object, as text. Left out is what the server and the autoscalers
    /// write.
    pub(crate) fn snapshot(&self) -> BTreeMap<String, String> {
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

    /// All is as it was at a snapshot, to the byte.
    #[track_caller]
    pub(crate) fn assert_as_at(&self, before: &BTreeMap<String, String>) {
        let after = self.snapshot();
        assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
        for (name, text) in before {
            assert_eq!(text, &after[name], "{name}");
        }
    }

    /// What was made since a snapshot carries our marks and nobody else's.
    #[track_caller]
    pub(crate) fn assert_made_is_marked(&self, before: &BTreeMap<String, String>) {
        let after = self.snapshot();
        let made: Vec<&String> = after.keys().filter(|path| !before.contains_key(*path)).collect();
        assert!(!made.is_empty());
        for path in made {
            let metadata = self.ns.get(path)["metadata"].clone();
            let keys = |map: &Value| map.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
            let labels = ["app.kubernetes.io/managed-by", "progrc.io/rule"].map(str::to_owned).to_vec();
            assert_eq!(keys(&metadata["labels"]), Some(labels), "{path}");
            assert_eq!(keys(&metadata["annotations"]), Some(vec!["progrc.io/change-id".to_owned()]), "{path}");
            assert!(metadata["ownerReferences"].is_null(), "{path}");
        }
    }
}
