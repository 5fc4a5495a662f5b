//! What several tests share: objects to put there, and short looks at what the plugin says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use kubectl_progrc::backend::journal::{Begin, Journal, Writer};
use serde_json::{Value, json};

use crate::harness::{AuditEntry, ControlPlane, Finished, TestNamespace};

/// A Deployment with one label and one container, and no more.
pub(crate) fn deployment(name: &str, replicas: u32) -> String {
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
      containers: [{{name: main, image: registry.example/{name}:1, ports: [{{name: http, containerPort: 8080}}]}}]
"
    )
}

/// The address of the entry point of [`entry_point`].
pub(crate) const ENTRY_ADDRESS: &str = "203.0.113.1";

/// A stand-in for an Ingress controller with its public Service, once on a plane with controllers.
pub(crate) fn entry_point(plane: &'static ControlPlane) {
    static MADE: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let mut made = MADE.lock().unwrap();
    if made.insert(plane.server()) {
        let ns = plane.namespace("entry");
        ns.apply(ENTRY);
        let folder = "/api/v1/namespaces/ingress-nginx/services/ingress-nginx-controller";
        ns.patch(&format!("{folder}/status"), &address(ENTRY_ADDRESS));
        let path = "/apis/apps/v1/namespaces/ingress-nginx/deployments/ingress-nginx-controller";
        ns.wait_for(path, "one ready pod", |object| object["status"]["readyReplicas"] == 1);
    }
}

const ENTRY: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: ingress-nginx}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: ingress-nginx, app.kubernetes.io/component: controller}}
  template:
    metadata: {labels: {app.kubernetes.io/name: ingress-nginx, app.kubernetes.io/component: controller}}
    spec:
      containers:
        - name: controller
          image: registry.example/ingress-nginx/controller:1
          args: [/nginx-ingress-controller, --controller-class=k8s.io/ingress-nginx]
          ports: [{name: http, containerPort: 80}, {name: https, containerPort: 443}]
---
apiVersion: v1
kind: Service
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
spec:
  type: LoadBalancer
  selector: {app.kubernetes.io/name: ingress-nginx, app.kubernetes.io/component: controller}
  ports: [{name: http, port: 80, targetPort: http}, {name: https, port: 443, targetPort: https}]
";

/// The status of a Service or an Ingress with an external address.
pub(crate) fn address(ip: &str) -> Value {
    json!({"status": {"loadBalancer": {"ingress": [{"ip": ip}]}}})
}

/// What the plugin printed as JSON.
#[track_caller]
pub(crate) fn report(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}\nstdout:\n{}\nstderr:\n{}", finished.stdout, finished.stderr))
}

/// The findings of a report, or the list of what was applied or left: rule and object, sorted.
pub(crate) fn pairs(list: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut pairs: Vec<(String, String)> = list
        .as_array()
        .unwrap_or_else(|| panic!("{list} is no list"))
        .iter()
        .map(|item| {
            (text(&item["rule"]), format!("{}/{}", text(&item["object"]["kind"]), text(&item["object"]["name"])))
        })
        .collect();
    pairs.sort();
    pairs
}

/// The path of a request without its query.
pub(crate) fn path_of(entry: &AuditEntry) -> &str {
    entry.uri.split_once('?').map_or(entry.uri.as_str(), |(path, _)| path)
}

/// Each write was tried before as a dry run of the same verb on the same path, and no request
/// ever asked for Secrets.
#[track_caller]
pub(crate) fn assert_guarded(requests: &[AuditEntry]) {
    for (number, write) in requests.iter().enumerate().filter(|(_, request)| request.writes()) {
        let tried = requests[..number].iter().any(|earlier| {
            earlier.verb == write.verb && path_of(earlier) == path_of(write) && earlier.uri.contains("dryRun=All")
        });
        assert!(tried, "no dry run before {} {}", write.verb, write.uri);
    }
    assert_no_secrets(requests);
}

/// No request was for Secrets.
#[track_caller]
pub(crate) fn assert_no_secrets(requests: &[AuditEntry]) {
    let asked = requests.iter().find(|request| request.resource == "secrets" || request.uri.contains("/secrets"));
    assert!(asked.is_none(), "{asked:?}");
}

/// The requests that may have changed something.
pub(crate) fn writes(requests: &[AuditEntry]) -> Vec<(&str, &str)> {
    requests
        .iter()
        .filter(|request| request.writes())
        .map(|request| (request.verb.as_str(), path_of(request)))
        .collect()
}

const FLAGGED: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {ALLOW_UNKNOWN_API_PATHS: 'true', DB_PASSWORD: hunter2-is-secret}
";

/// A Deployment that takes its whole environment from the `ConfigMap`.
pub(crate) fn flagged(prefix: &str) -> TestNamespace {
    let ns = ControlPlane::full().namespace(prefix);
    let container = "image: registry.example/web:1, envFrom: [{configMapRef: {name: config}}]";
    ns.apply(&deployment("web", 1).replace("image: registry.example/web:1", container));
    ns.apply(FLAGGED);
    ns.wait_for_rollout("web");
    ns
}

/// The same, and a Deployment whose pods have no budget.
pub(crate) fn flagged_and_bare(prefix: &str) -> TestNamespace {
    let ns = flagged(prefix);
    ns.apply(&deployment("many", 3));
    ns.wait_for_rollout("many");
    ns
}

/// The command that sets the flag of [`flagged`] right.
pub(crate) const FIX_FLAGS: &[&str] = &["fix", "--yes", "--unsafe-fixes", "--select=insecure-flag"];

/// The flag that [`FLAGGED`] sets, as it is now.
pub(crate) fn flag(ns: &TestNamespace) -> Value {
    ns.get("v1/configmaps/config")["data"]["ALLOW_UNKNOWN_API_PATHS"].clone()
}

/// The entries of the journal: command and status, newest first, and their IDs.
pub(crate) fn history(ns: &TestNamespace) -> (Vec<(String, String)>, Vec<String>) {
    let list = report(&ns.progrc(&["history", "-o", "json"]).run().expect_code(0));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = list.as_array().unwrap();
    let states = list.iter().map(|entry| (text(&entry["command"]), text(&entry["status"]))).collect();
    (states, list.iter().map(|entry| text(&entry["id"])).collect())
}

/// The journal's files, below the state directory of a namespace's home, oldest first.
pub(crate) fn journal_files(ns: &TestNamespace) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let clusters = list(&ns.home().join("state/kubectl-progrc"));
    let files = clusters.iter().flat_map(|cluster| list(cluster));
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    files.sort();
    files
}

/// Another run about a namespace, as the journal of `ns` knows it, until it is dropped.
pub(crate) fn hold(ns: &TestNamespace, namespace: &str) -> Writer {
    let cluster = ns.get("/api/v1/namespaces/kube-system")["metadata"]["uid"].as_str().unwrap().to_owned();
    let begin = Begin { command: "fix".to_owned(), namespaces: vec![namespace.to_owned()], ..Begin::default() };
    Journal::new(&ns.home().join("state")).begin(&cluster, begin).unwrap()
}

/// An autoscaler of Deployment/web: three pods at least, five at most.
pub(crate) const AUTOSCALER: &str = "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  minReplicas: 3
  maxReplicas: 5
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
";

/// A policy of the cluster that denies config maps of a namespace by these validations.
pub(crate) fn denying_policy(namespace: &str, validations: &str) -> String {
    POLICY.replace("NAMESPACE", namespace).replace("VALIDATIONS", validations)
}

const POLICY: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NAMESPACE}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - {apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}
  validations: [VALIDATIONS]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NAMESPACE}
spec:
  policyName: NAMESPACE
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}}
";
