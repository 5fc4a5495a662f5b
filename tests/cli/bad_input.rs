//! Input that is wrong in one place: one clear message, and everything else goes on.

use serde_json::Value;

use crate::run::{Ended, Home, example};

const HEAD: &str = "apiVersion: progrc.io/v1\nkind: Config\n";

fn workload(name: &str, replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
         replicas: {replicas}\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    \
         metadata: {{labels: {{app: {name}}}}}\n    spec:\n      \
         containers: [{{name: main, image: 'registry.example/x:1', ports: [{{name: http, containerPort: 8080}}]}}]\n"
    )
}

/// The objects of a rule's findings, as `Kind/name`.
fn found(report: &Value, rule: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["rule"] == rule)
        .map(|finding| format!("{}/{}", text(&finding["object"]["kind"]), text(&finding["object"]["name"])))
        .collect()
}

#[test]
fn a_configuration_names_what_it_does_not_know() {
    let home = Home::new();
    let example = example();
    let with = |text: &str| -> Ended {
        home.write("conf.yaml", format!("{HEAD}{text}"));
        home.run(&["audit", "-f", &example, "--config", "conf.yaml"])
    };
    with("rules:\n  missing-pbd: {severity: high}\n").refusal(&["conf.yaml:4", "did you mean `missing-pdb`?"]);
    with("rules:\n  missing-pdb: {severity: hgih}\n").refusal(&["conf.yaml:4", "hgih", "high"]);
    with("waivers:\n  - {rule: missing-pbd, object: Namespace/a}\n").refusal(&["conf.yaml:4", "`missing-pdb`"]);
    with("waivers:\n  - {rule: missing-pdb, object: Namespace/a, until: 2027-13-01}\n")
        .refusal(&["conf.yaml:4", "2027-13-01"]);
    with("attestations:\n  missing-dr-drill: {statement: x, date: yesterday}\n").refusal(&["conf.yaml:4", "yesterday"]);
    // Several at once, each with its line.
    with("ignore: [nothing]\nrules:\n  missing-pdb: {severity: hgih}\n").refusal(&["conf.yaml:3", "conf.yaml:5"]);
}

#[test]
fn a_waiver_without_a_finding_is_a_warning() {
    let home = Home::new();
    let waiver = "waivers:\n  - {rule: missing-pdb, object: Deployment/shop/gone, reason: x}\n";
    home.write(".progrc.yaml", format!("{HEAD}{waiver}"));
    home.write("web.yaml", workload("web", 3));
    let ended = home.run(&["audit", "-f", "web.yaml", "-o", "json"]).code(1);
    let warning = "the waiver of missing-pdb for Deployment/shop/gone, line 4 of the configuration matches no finding";
    assert!(ended.stderr.contains(&format!("Warning: {warning}")), "{}", ended.stderr);
    let report = ended.json();
    assert_eq!(report["warnings"], serde_json::json!([warning]));
    assert_eq!(found(&report, "missing-pdb"), ["Deployment/web"], "it waives nothing else");
}

#[test]
fn autoscalers_of_every_version_count() {
    let home = Home::new();
    let scaler = |version: &str, target: &str| {
        format!(
            "---\napiVersion: autoscaling/{version}\nkind: HorizontalPodAutoscaler\n\
             metadata: {{name: web, namespace: shop}}\nspec:\n  minReplicas: 3\n  maxReplicas: 5\n  \
             scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}\n  {target}\n"
        )
    };
    let metric =
        "metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]";
    let old = "metrics: [{type: Resource, resource: {name: cpu, targetAverageUtilization: 70}}]";
    let mut reports = Vec::new();
    for (version, target) in
        [("v1", "targetCPUUtilizationPercentage: 70"), ("v2beta1", old), ("v2beta2", metric), ("v2", metric)]
    {
        home.write("web.yaml", workload("web", 1) + &scaler(version, target));
        let report = home.run(&["audit", "-f", "web.yaml", "-o", "json"]).code(1).json();
        assert_eq!(found(&report, "replicas-below-hpa-min"), ["Deployment/web"], "{version}");
        assert_eq!(report["gaps"], serde_json::json!([]), "{version}");
        reports.push(found(&report, "misconfigured-hpa"));
    }
    assert!(reports.windows(2).all(|pair| pair[0] == pair[1]), "{reports:?}");
}

#[test]
fn a_service_without_a_selector_selects_nothing() {
    let home = Home::new();
    let services = "---\napiVersion: v1\nkind: Service\nmetadata: {name: outside, namespace: shop}\n\
                    spec: {ports: [{port: 5432}]}\n---\napiVersion: v1\nkind: Service\n\
                    metadata: {name: elsewhere, namespace: shop}\n\
                    spec: {type: ExternalName, externalName: db.example.com}\n---\napiVersion: v1\nkind: Service\n\
                    metadata: {name: empty, namespace: shop}\nspec: {type: LoadBalancer, selector: {}, ports: [{port: 80}]}\n";
    home.write("web.yaml", workload("web", 3) + services);
    let ended = home.run(&["audit", "-f", "web.yaml", "-o", "json", "--complete"]).code(1);
    assert_eq!(ended.stderr, "");
    let report = ended.json();
    // Nobody reaches the pods through them: what rests on that is judged as without a Service.
    assert_eq!(found(&report, "missing-readiness-probe"), Vec::<String>::new());
    assert_eq!(found(&report, "missing-metrics-scrape"), Vec::<String>::new());
    assert_eq!(found(&report, "missing-pdb"), ["Deployment/web"]);
}

#[test]
fn one_field_of_the_wrong_type_is_one_gap() {
    let home = Home::new();
    let bad = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd, namespace: shop}\ndata: [1]\n\
               ---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: odd, namespace: shop}\nspec: {replicas: many}\n";
    home.write("web.yaml", workload("web", 3) + bad);
    let ended = home.run(&["audit", "-f", "web.yaml", "-o", "json"]).code(1);
    let warnings: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with("Warning: web.yaml:")).collect();
    let lines = workload("web", 3).lines().count();
    let line = |below: usize, text: &str| format!("Warning: web.yaml:{}: failed to read {text}", lines + below);
    assert_eq!(
        warnings,
        [
            line(5, "ConfigMap/shop/odd: data: invalid type: sequence, expected a map"),
            line(10, "Deployment/shop/odd: spec.replicas: invalid type: string, expected i32"),
        ]
    );
    let report = ended.json();
    let gaps: Vec<&Value> = report["gaps"].as_array().unwrap().iter().map(|gap| &gap["kind"]).collect();
    assert_eq!(gaps, ["ConfigMap/shop/odd", "Deployment/shop/odd"]);
    assert_eq!(found(&report, "missing-pdb"), ["Deployment/web"], "the others are judged");
    home.run(&["audit", "-f", "web.yaml", "--require-full"]).code(2);
    let table = home.run(&["audit", "-f", "web.yaml"]).code(1);
    assert!(table.stdout.contains("2 objects not readable (ConfigMap/shop/odd: data: "), "{}", table.stdout);
}

#[test]
fn custom_resources_with_fields_of_any_type_stop_no_rule() {
    let home = Home::new();
    let odd = |version: &str, kind: &str, rest: &str| {
        format!("---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: odd, namespace: shop}}\n{rest}\n")
    };
    let objects = [
        odd("cert-manager.io/v1", "Certificate", "spec: [x]\nstatus: {conditions: {}, notAfter: 7}"),
        odd("cert-manager.io/v1", "ClusterIssuer", "spec: {acme: {solvers: x}}\nstatus: 1"),
        odd("monitoring.coreos.com/v1", "ServiceMonitor", "spec: {endpoints: x, selector: [], namespaceSelector: 1}"),
        odd("monitoring.coreos.com/v1", "Prometheus", "spec: {serviceMonitorSelector: x}"),
        odd("monitoring.coreos.com/v1", "PrometheusRule", "spec: 1"),
        odd("keda.sh/v1alpha1", "ScaledObject", "spec: {scaleTargetRef: [web], minReplicaCount: two}"),
        odd("velero.io/v1", "Schedule", "spec: {schedule: 5, template: {includedNamespaces: shop}}\nstatus: []"),
        odd("velero.io/v1", "Backup", "status: {completionTimestamp: {}}"),
        odd("postgresql.cnpg.io/v1", "Cluster", "spec: {backup: true, instances: x}"),
        odd("gateway.networking.k8s.io/v1", "Gateway", "spec: {listeners: {}}\nstatus: {addresses: x}"),
        odd(
            "gateway.networking.k8s.io/v1",
            "HTTPRoute",
            "spec: {rules: [{backendRefs: x}], parentRefs: {}, hostnames: 1}",
        ),
        odd("cilium.io/v2", "CiliumNetworkPolicy", "spec: x"),
        odd("argoproj.io/v1alpha1", "Application", "status: {resources: {}}"),
    ];
    home.write("web.yaml", workload("web", 3) + &objects.concat());
    for words in [&["--complete"][..], &[]] {
        let all = [&["audit", "-f", "web.yaml", "-o", "json"], words].concat();
        let report = home.run(&all).code(1).json();
        assert_eq!(found(&report, "missing-pdb"), ["Deployment/web"]);
        assert_eq!(report["metadata"]["objects"], 14, "each is counted");
        let subjects = |list: &str| -> Vec<String> {
            report[list].as_array().unwrap().iter().map(|entry| entry["object"]["name"].to_string()).collect()
        };
        let said = subjects("unknown").into_iter().chain(subjects("findings")).filter(|name| name == "\"odd\"").count();
        assert!(said >= 2, "what can't be judged is said: {report:#}");
    }
}
