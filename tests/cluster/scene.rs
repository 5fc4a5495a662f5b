//! What several tests share: objects to put there, and short looks at what the plugin says.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::harness::{AuditEntry, ControlPlane, Finished};

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

/// A stand-in for an Ingress controller with its public Service, once on the full plane.
pub(crate) fn entry_point() {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        let ns = ControlPlane::full().namespace("entry");
        ns.apply(ENTRY);
        let folder = "/api/v1/namespaces/ingress-nginx/services/ingress-nginx-controller";
        ns.patch(&format!("{folder}/status"), &address(ENTRY_ADDRESS));
        let path = "/apis/apps/v1/namespaces/ingress-nginx/deployments/ingress-nginx-controller";
        ns.wait_for(path, "one ready pod", |object| object["status"]["readyReplicas"] == 1);
    });
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
