//! What stands around workloads: autoscalers, Services, routes, budgets and policies.

use serde_json::{Value, json};

use crate::chance::Chance;

/// An autoscaler, which has no metrics and so only raises to its minimum.
pub(crate) fn scaler(chance: &mut Chance, kind: &str, name: &str, least: u64) -> Value {
    let target = chance.one(&[50, 80, 95]);
    let resource = chance.one(&["cpu", "cpu", "memory"]);
    let mut spec = json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": name},
        "minReplicas": least, "maxReplicas": least + chance.below(4),
        "metrics": [{"type": "Resource", "resource": {
            "name": resource, "target": {"type": "Utilization", "averageUtilization": target},
        }}],
    });
    if chance.percent(20) {
        spec["behavior"] = json!({"scaleDown": {"stabilizationWindowSeconds": 60}});
    }
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name}, "spec": spec})
}

/// A Service with the name of the workload, and maybe another for the same pods.
pub(crate) fn services(chance: &mut Chance, name: &str) -> Vec<Value> {
    let kind = chance.one(&["ClusterIP", "ClusterIP", "ClusterIP", "NodePort", "LoadBalancer"]);
    let mut spec = json!({"type": kind, "selector": {"app": name}, "ports": [port(chance)]});
    match kind {
        "ClusterIP" if chance.percent(25) => spec["clusterIP"] = "None".into(),
        "LoadBalancer" if chance.percent(30) => spec["loadBalancerSourceRanges"] = json!(["192.0.2.0/24"]),
        "LoadBalancer" | "NodePort" if chance.percent(30) => spec["externalTrafficPolicy"] = "Local".into(),
        _ => {}
    }
    let service = |name: &str, spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec});
    let mut all = vec![service(name, spec)];
    if chance.percent(25) {
        let (short, _) = name.split_at(5);
        let spec = chance.one(&[
            json!({"selector": {"part": "front"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}),
            json!({"ports": [{"port": 5432}]}),
            json!({"clusterIP": "None", "selector": {"app": name}}),
            json!({"type": "ExternalName", "externalName": "db.example.com"}),
            json!({"selector": {"app": name}, "ports": [
                {"name": "http", "port": 80, "targetPort": "http"},
                {"name": "metrics", "port": 9090, "targetPort": "metrics"},
            ]}),
        ]);
        all.push(service(&format!("{short}-more"), spec));
    }
    all
}

fn port(chance: &mut Chance) -> Value {
    chance.one(&[
        json!({"name": "http", "port": 80, "targetPort": 8080}),
        json!({"name": "http", "port": 80, "targetPort": 8080}),
        json!({"name": "http", "port": 80, "targetPort": "http"}),
        json!({"port": 8080}),
    ])
}

/// A route to the Service, or to a port that it lacks.
pub(crate) fn ingress(chance: &mut Chance, name: &str) -> Value {
    let port = chance.one(&[json!({"number": 80}), json!({"name": "http"}), json!({"number": 8080})]);
    let backend = json!({"service": {"name": name, "port": port}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
    // Worlds stand side by side, and a host belongs to one.
    let host = format!("host-{}.example.com", chance.below(1 << 40));
    let mut spec = json!({"rules": [{"host": host, "http": {"paths": [path]}}]});
    if chance.percent(30) {
        spec["tls"] = json!([{"hosts": [host], "secretName": "tls"}]);
    }
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "spec": spec})
}

/// None, one or two budgets, some of which allow nothing.
pub(crate) fn budgets(chance: &mut Chance, name: &str, replicas: u64) -> Vec<Value> {
    let count = chance.one(&[0, 0, 0, 1, 1, 2]);
    let budget = |chance: &mut Chance, number: u64| {
        let rule = chance.one(&[
            json!({"maxUnavailable": 1}),
            json!({"maxUnavailable": 0}),
            json!({"maxUnavailable": "30%"}),
            json!({"minAvailable": replicas.max(1)}),
            json!({"minAvailable": "50%"}),
            json!({"minAvailable": "100%"}),
            json!({"minAvailable": 1}),
            json!({}),
        ]);
        let mut spec = rule;
        spec["selector"] = json!({"matchLabels": {"app": name}});
        if chance.percent(20) {
            spec["unhealthyPodEvictionPolicy"] = "AlwaysAllow".into();
        }
        let (short, _) = name.split_at(5);
        json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": format!("{short}-{number}")}, "spec": spec,
        })
    };
    (0..count).map(|number| budget(chance, number)).collect()
}

/// A policy for the pods of the workload.
pub(crate) fn policy(chance: &mut Chance, name: &str) -> Value {
    let rules = chance.one(&[
        json!({"policyTypes": ["Ingress"], "ingress": [{}]}),
        json!({"policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 8080}]}]}),
        json!({"policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 80}]}]}),
        json!({"policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}),
        json!({"policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {}}]}]}),
        json!({"policyTypes": ["Ingress"], "ingress": [{"from": [
            {"namespaceSelector": {"matchLabels": {"name": "ingress-nginx"}}},
        ]}]}),
        json!({"policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {"matchLabels": {"part": "back"}}}]}]}),
        json!({"policyTypes": ["Egress"]}),
    ]);
    let mut spec = rules;
    spec["podSelector"] =
        chance.one(&[json!({"matchLabels": {"app": name}}), json!({"matchLabels": {"part": "front"}})]);
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec})
}
