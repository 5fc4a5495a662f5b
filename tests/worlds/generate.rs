//! The objects of a world, from its seed.

use serde_json::{Value, json};

use crate::chance::Chance;

/// A namespace before anybody fixes it.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// What runs, and what it needs to.
    pub(crate) running: Vec<Value>,
    /// What comes when all is up, and may not allow it to come up again: quotas, ranges, budgets.
    pub(crate) limits: Vec<Value>,
}

/// A world. Everything in it would be accepted, and all its pods become ready.
pub(crate) fn world(seed: u64) -> World {
    let mut chance = Chance::new(seed);
    let mut world = World::default();
    let flags = if chance.percent(60) { "true" } else { "false" };
    world.running.push(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"},
        "data": {"ALLOW_UNKNOWN_API_PATHS": flags, "LOG_LEVEL": "debug"},
    }));
    let mut pods = 0;
    for number in 0..2 + chance.below(3) {
        let name = format!("app-{number}");
        let replicas = chance.one(&[0, 1, 1, 2, 2, 3, 4]);
        let kind = chance.one(&["Deployment", "Deployment", "Deployment", "StatefulSet", "DaemonSet"]);
        world.running.push(workload(&mut chance, kind, &name, replicas));
        let mut most = if kind == "DaemonSet" { 2 } else { replicas };
        if kind != "DaemonSet" && replicas > 0 && chance.percent(40) {
            let least = 1 + chance.below(3);
            most = most.max(least);
            world.running.push(scaler(&mut chance, kind, &name, least));
        }
        pods += most;
        if kind == "StatefulSet" || chance.percent(60) {
            world.running.push(service(&mut chance, &name));
        }
        budgets(&mut chance, &mut world.limits, &name, replicas);
        if chance.percent(25) {
            world.limits.push(policy(&mut chance, &name));
        }
    }
    if chance.percent(20) {
        world.limits.push(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "default-deny"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
        }));
    }
    if chance.percent(40) {
        world.limits.push(quota(&mut chance, pods));
    }
    if chance.percent(30) {
        world.limits.push(range(&mut chance));
    }
    world
}

fn container(chance: &mut Chance, name: &str) -> Value {
    let mut container = json!({"name": "main", "image": format!("registry.example/{name}:1")});
    if chance.percent(70) {
        container["ports"] = chance.one(&[
            json!([{"name": "http", "containerPort": 8080}]),
            json!([{"containerPort": 8080}]),
            json!([{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}]),
        ]);
    }
    if chance.percent(50) {
        container["envFrom"] = json!([{"configMapRef": {"name": "config"}}]);
    }
    if chance.percent(30) {
        container["env"] = json!([{"name": "A", "value": "1"}, {"name": "ALLOW_EMPTY_PERMISSIONS", "value": "true"}]);
    }
    if chance.percent(40) {
        container["readinessProbe"] = json!({"tcpSocket": {"port": 8080}, "periodSeconds": 1});
    }
    container["resources"] = chance.one(&[
        json!({}),
        json!({"requests": {"cpu": "100m", "memory": "128Mi"}}),
        json!({"requests": {"cpu": "100m"}}),
        json!({"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}),
        json!({"limits": {"cpu": "1", "memory": "512Mi"}}),
    ]);
    if chance.percent(30) {
        container["securityContext"] = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    }
    container
}

fn workload(chance: &mut Chance, kind: &str, name: &str, replicas: u64) -> Value {
    let container = container(chance, name);
    let mut pod = json!({"containers": [container]});
    if chance.percent(30) {
        pod["containers"].as_array_mut().unwrap().insert(
            usize::try_from(chance.below(2)).unwrap(),
            json!({"name": "sidecar", "image": "registry.example/proxy:1"}),
        );
    }
    if chance.percent(30) {
        pod["automountServiceAccountToken"] = false.into();
    }
    if chance.percent(20) {
        pod["affinity"] = json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
            "weight": 1, "podAffinityTerm": {
                "topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": name}},
            },
        }]}});
    }
    let labels = json!({"app": name});
    let mut spec = json!({
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    });
    match kind {
        "Deployment" => {
            spec["replicas"] = replicas.into();
            spec["strategy"] = chance.one(&[
                json!({}),
                json!({"type": "Recreate"}),
                json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}),
                json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
                json!({"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "100%"}}),
            ]);
        }
        "StatefulSet" => {
            spec["replicas"] = replicas.into();
            spec["serviceName"] = name.into();
        }
        _ => {}
    }
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "labels": labels}, "spec": spec})
}

fn scaler(chance: &mut Chance, kind: &str, name: &str, least: u64) -> Value {
    let target = chance.one(&[50, 80, 95]);
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": name},
            "minReplicas": least, "maxReplicas": least + chance.below(4),
            "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": target},
            }}],
        },
    })
}

fn service(chance: &mut Chance, name: &str) -> Value {
    let kind = chance.one(&["ClusterIP", "ClusterIP", "ClusterIP", "NodePort", "LoadBalancer"]);
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"type": kind, "selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    })
}

/// None, one or two budgets, some of which allow nothing.
fn budgets(chance: &mut Chance, limits: &mut Vec<Value>, name: &str, replicas: u64) {
    let count = chance.one(&[0, 0, 0, 1, 1, 2]);
    for number in 0..count {
        let rule = chance.one(&[
            json!({"maxUnavailable": 1}),
            json!({"maxUnavailable": 0}),
            json!({"minAvailable": replicas.max(1)}),
            json!({"minAvailable": "50%"}),
            json!({"minAvailable": 1}),
        ]);
        let mut spec = rule;
        spec["selector"] = json!({"matchLabels": {"app": name}});
        limits.push(json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": format!("{name}-{number}")}, "spec": spec,
        }));
    }
}

fn policy(chance: &mut Chance, name: &str) -> Value {
    let rules = chance.one(&[
        json!({"policyTypes": ["Ingress"], "ingress": [{}]}),
        json!({"policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 8080}]}]}),
        json!({"policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}),
        json!({"policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {}}]}]}),
    ]);
    let mut spec = rules;
    spec["podSelector"] = json!({"matchLabels": {"app": name}});
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec})
}

/// A quota that what runs fits into, with no, little or some room beside it.
fn quota(chance: &mut Chance, pods: u64) -> Value {
    let room = chance.one(&[0, 1, 1, 2, 20]);
    let mut hard = json!({"pods": (pods + room).to_string()});
    if chance.percent(40) {
        hard["requests.cpu"] = chance.one(&["2", "20"]).into();
    }
    if chance.percent(20) {
        hard["limits.memory"] = chance.one(&["4Gi", "40Gi"]).into();
    }
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota"}, "spec": {"hard": hard}})
}

fn range(chance: &mut Chance) -> Value {
    let limits = chance.one(&[
        json!({"type": "Container", "defaultRequest": {"cpu": "50m", "memory": "64Mi"}}),
        json!({"type": "Container", "default": {"memory": "100Mi"}}),
        json!({"type": "Container", "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "50m"}}),
        json!({"type": "Container", "max": {"memory": "300Mi"}}),
    ]);
    json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "range"}, "spec": {"limits": [limits]}})
}

#[test]
fn a_seed_gives_its_world() {
    let text = |seed| format!("{:?}", world(seed));
    assert_eq!(text(3), text(3));
    assert_ne!(text(3), text(4));
}
