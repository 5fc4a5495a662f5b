//! Custom resources on a real server: discovery finds them, rules read them; an absent definition
//! and a forbidden list mean what they should.
//!
//! The definitions are small and take anything, as lenient ones do. They exist on the bare plane
//! alone.

use std::fmt::Write as _;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::harness::{ControlPlane, TestNamespace};
use crate::reading::AUDIT;
use crate::scene::{deployment, report};

/// Group, version, kind, plural, scope.
const DEFINITIONS: [(&str, &str, &str, &str, &str); 12] = [
    ("cert-manager.io", "v1", "Certificate", "certificates", "Namespaced"),
    ("cert-manager.io", "v1", "ClusterIssuer", "clusterissuers", "Cluster"),
    ("gateway.networking.k8s.io", "v1", "Gateway", "gateways", "Namespaced"),
    ("gateway.networking.k8s.io", "v1", "GatewayClass", "gatewayclasses", "Cluster"),
    ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes", "Namespaced"),
    ("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects", "Namespaced"),
    ("monitoring.coreos.com", "v1", "Prometheus", "prometheuses", "Namespaced"),
    ("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors", "Namespaced"),
    ("postgresql.cnpg.io", "v1", "Cluster", "clusters", "Namespaced"),
    ("postgresql.cnpg.io", "v1", "ScheduledBackup", "scheduledbackups", "Namespaced"),
    ("velero.io", "v1", "Backup", "backups", "Namespaced"),
    ("velero.io", "v1", "Schedule", "schedules", "Namespaced"),
];

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n\
                       spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}\n";

/// A namespace on the bare plane, which has the definitions.
fn namespace(prefix: &str) -> TestNamespace {
    static MADE: OnceLock<()> = OnceLock::new();
    let ns = ControlPlane::bare().namespace(prefix);
    MADE.get_or_init(|| {
        let mut text = String::new();
        for (group, version, kind, plural, scope) in DEFINITIONS {
            // Those that end in k8s.io are protected, unless they say who approved them.
            write!(
                text,
                "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  \
                 name: {plural}.{group}\n  annotations: {{api-approved.kubernetes.io: unapproved}}\nspec:\n  \
                 group: {group}\n  scope: {scope}\n  names: {{kind: {kind}, plural: {plural}, singular: {}}}\n  \
                 versions:\n  - name: {version}\n    served: true\n    storage: true\n    \
                 schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}\n",
                kind.to_lowercase(),
            )
            .unwrap();
        }
        ns.apply(&text);
        let names: Vec<String> = DEFINITIONS.map(|(group, _, _, plural, _)| format!("crd/{plural}.{group}")).to_vec();
        let mut words = vec!["wait", "--for=condition=Established", "--timeout=60s"];
        words.extend(names.iter().map(String::as_str));
        ns.kubectl(&words).run().expect_code(0);
    });
    ns
}

fn audit(ns: &TestNamespace) -> Value {
    let ended = ns.progrc(&["audit", "-o", "json", "--fail-on", "never"]).run().expect_code(0);
    report(&ended)
}

/// The message of a rule's finding about an object of this name.
fn message<'a>(audit: &'a Value, rule: &str, name: &str) -> Option<&'a str> {
    let mut findings = audit["findings"].as_array().unwrap().iter();
    findings.find(|f| f["rule"] == rule && f["object"]["name"] == name).map(|f| f["message"].as_str().unwrap())
}

#[test]
fn cert_manager() {
    let ns = namespace("cert-manager");
    ns.apply(
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: web}\n\
         spec: {secretName: web, dnsNames: [a.example.com], issuerRef: {name: ca}}\n\
         status: {conditions: [{type: Ready, status: 'False', message: no issuer}]}\n",
    );
    let audit = audit(&ns);
    assert_eq!(message(&audit, "certificate-not-ready", "web"), Some("certificate not ready"), "{audit:#}");
    assert_eq!(audit["gaps"], json!([]));
}

#[test]
fn gateway_api() {
    let ns = namespace("gateway");
    ns.apply(&deployment("web", 2));
    ns.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}\n\
         ---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: entry}\n\
         spec: {gatewayClassName: x, listeners: [{name: http, port: 80, protocol: HTTP}]}\n\
         status: {addresses: [{value: 203.0.113.9}]}\n\
         ---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web}\n\
         spec: {parentRefs: [{name: entry}], hostnames: [a.example.com], rules: [{backendRefs: [{name: web, port: 80}]}]}\n",
    );
    let audit = audit(&ns);
    assert!(message(&audit, "ingress-without-tls", "entry").is_some(), "{:#}", audit["findings"]);
}

#[test]
fn prometheus_operator() {
    let ns = namespace("prometheus");
    ns.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, labels: {app: web}}\nspec: {selector: {app: web}, ports: [{name: http, port: 80}]}\n\
         ---\napiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: main}\n\
         spec: {serviceMonitorSelector: {matchLabels: {release: kps}}}\n\
         ---\napiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: web, labels: {release: other}}\n\
         spec: {selector: {matchLabels: {app: web}}, endpoints: [{port: http}]}\n",
    );
    assert!(message(&audit(&ns), "monitor-not-selected", "web").is_some());
}

#[test]
fn velero() {
    let ns = namespace("velero");
    ns.apply(&format!(
        "apiVersion: velero.io/v1\nkind: Schedule\nmetadata: {{name: nightly, namespace: {0}}}\n\
         spec: {{schedule: '0 2 * * *', template: {{includedNamespaces: [{0}]}}}}\n\
         status: {{phase: Enabled, lastBackup: '2020-01-01T02:00:00Z'}}\n",
        ns.name
    ));
    let audit = audit(&ns);
    assert!(message(&audit, "stale-backup", "nightly").is_some(), "{:#}", audit["findings"]);
}

#[test]
fn cloud_native_pg() {
    let ns = namespace("cnpg");
    ns.apply("apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: pg}\nspec: {instances: 3}\n");
    ns.apply(&deployment("web", 2));
    let audit = audit(&ns);
    assert!(message(&audit, "missing-db-backup", &ns.name).is_some(), "{:#}", audit["findings"]);
}

#[test]
fn keda() {
    let ns = namespace("keda");
    ns.apply(&deployment("web", 1));
    let before = audit(&ns);
    assert!(message(&before, "missing-pdb", "web").is_none(), "one replica needs no budget");
    ns.apply(
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: web}\n\
         spec: {minReplicaCount: 2, maxReplicaCount: 8, scaleTargetRef: {name: web}}\n",
    );
    let scaled = ns.get("keda.sh/v1alpha1/scaledobjects/web");
    ns.apply(&format!(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: keda-hpa-web\n  ownerReferences: \
         [{{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: web, uid: {}, controller: true}}]\n\
         spec: {{minReplicas: 2, maxReplicas: 8, scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}}}\n",
        scaled["metadata"]["uid"].as_str().unwrap()
    ));
    let after = audit(&ns);
    assert!(message(&after, "missing-pdb", "web").is_some(), "its floor is 2: {:#}", after["findings"]);
    assert!(message(&after, "single-replica", "web").is_none());
}

/// Rules that nobody could judge, by id.
fn unknown(audit: &Value) -> Vec<&str> {
    audit["unknown"].as_array().unwrap().iter().map(|entry| entry["rule"].as_str().unwrap()).collect()
}

#[test]
fn a_forbidden_list_is_unknown_and_never_absent() {
    let ns = namespace("forbidden");
    ns.apply(&deployment("web", 2));
    ns.apply(SERVICE);
    let user = ControlPlane::bare().user_with(AUDIT);
    let ended = ns.progrc_as(&user, &["audit", "-o", "json", "--fail-on", "never"]).run().expect_code(0);
    let audit = report(&ended);
    let gaps: Vec<&Value> = audit["gaps"].as_array().unwrap().iter().map(|gap| &gap["kind"]).collect();
    for (group, _, _, plural, _) in DEFINITIONS {
        assert!(gaps.contains(&&json!(format!("{plural}.{group}"))), "{plural}: {gaps:?}");
    }
    let unknown = unknown(&audit);
    for rule in ["certificate-not-ready", "missing-metrics-scrape", "monitor-not-selected", "stale-backup"] {
        assert!(unknown.contains(&rule), "{rule}: {unknown:?}");
    }
    for subject in ["certificate-not-ready", "monitor-not-selected", "stale-backup"] {
        let is_it = |finding: &Value| finding["rule"] == subject;
        assert!(!audit["findings"].as_array().unwrap().iter().any(is_it), "{subject}");
    }
}

#[test]
fn an_absent_definition_is_evidence_that_there_are_no_such_objects() {
    let ns = ControlPlane::without_hpa().namespace("absent");
    ns.apply(&deployment("web", 2));
    ns.apply("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}\n");
    ns.wait_for_rollout("web");
    let audit = audit(&ns);
    assert_eq!(audit["gaps"], json!([]));
    assert!(message(&audit, "missing-metrics-scrape", "web").is_some(), "absence is its evidence");
    let unknown = unknown(&audit);
    for subject in ["certificate-not-ready", "monitor-not-selected", "stale-backup"] {
        assert!(!unknown.contains(&subject), "{subject}");
        let checks =
            audit["score"]["categories"].as_array().unwrap().iter().flat_map(|c| c["checks"].as_array().unwrap());
        assert!(checks.into_iter().all(|check| check["rule"] != subject), "{subject} does not apply");
    }
}

#[test]
fn two_fixes_of_one_object_never_undo_each_other() {
    let ns = ControlPlane::full().namespace("twice");
    ns.apply(&deployment("web", 3));
    for name in ["older", "younger"] {
        ns.apply(&format!(
            "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: {name}}}\n\
             spec: {{minAvailable: 3, selector: {{matchLabels: {{app: web}}}}}}\n"
        ));
    }
    ns.wait_for_rollout("web");
    let words = ["fix", "--yes", "--unsafe-fixes", "--select=pdb-blocks-eviction,conflicting-pdb", "-o", "json"];
    let fixed = report(&ns.progrc(&words).run());
    for left in fixed["left"].as_array().unwrap() {
        assert!(!left["reason"].as_str().unwrap().is_empty(), "{left}");
    }
    let again = report(&ns.progrc(&words).run());
    let budgets = ns.get("policy/v1/poddisruptionbudgets");
    let budgets = budgets["items"].as_array().unwrap();
    assert_eq!(budgets.len(), 1, "{fixed:#} {again:#}");
    assert_eq!(budgets[0]["spec"]["minAvailable"], 2, "{fixed:#} {again:#}");
}
