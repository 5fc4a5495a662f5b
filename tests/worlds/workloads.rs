//! What runs pods, and the pods.

use serde_json::{Value, json};

use crate::chance::Chance;

/// What a workload is to be.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) replicas: u64,
}

/// A Deployment, a StatefulSet or a DaemonSet. Its pods have the label `app`, which is its name.
pub(crate) fn workload(chance: &mut Chance, plan: &Plan) -> Value {
    let name = &plan.name;
    let mut pod = pod(chance, name);
    // Two nodes: a third pod would wait for ever.
    if plan.kind == "Deployment" && plan.replicas <= 2 && chance.percent(7) {
        pod["affinity"] = apart(name, true);
    }
    let labels = json!({"app": name, "part": chance.one(&["front", "back"])});
    let selector = chance.one(&[
        json!({"matchLabels": {"app": name}}),
        json!({"matchLabels": {"app": name}}),
        json!({"matchExpressions": [{"key": "app", "operator": "In", "values": [name]}]}),
    ]);
    let mut spec = json!({"selector": selector, "template": {"metadata": {"labels": labels}, "spec": pod}});
    match plan.kind {
        "Deployment" => deployment(chance, &mut spec, plan.replicas),
        "StatefulSet" => stateful_set(chance, &mut spec, plan),
        _ => {
            if chance.percent(40) {
                spec["updateStrategy"] = chance.one(&[
                    json!({"type": "OnDelete"}),
                    json!({"rollingUpdate": {"maxUnavailable": "50%"}}),
                    json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
                ]);
            }
        }
    }
    if chance.percent(15) {
        spec["minReadySeconds"] = chance.one(&[1, 2]).into();
    }
    if chance.percent(15) {
        spec["revisionHistoryLimit"] = chance.one(&[0, 1]).into();
    }
    json!({"apiVersion": "apps/v1", "kind": plan.kind, "metadata": {"name": name, "labels": {"app": name}}, "spec": spec})
}

/// True if its pods have to be on different nodes.
pub(crate) fn is_spread(workload: &Value) -> bool {
    !workload["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        .is_null()
}

fn deployment(chance: &mut Chance, spec: &mut Value, replicas: u64) {
    spec["replicas"] = replicas.into();
    spec["strategy"] = chance.one(&[
        json!({}),
        json!({"type": "Recreate"}),
        json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}),
        json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
        json!({"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "100%"}}),
        json!({"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": "30%"}}),
    ]);
    if chance.percent(20) {
        spec["progressDeadlineSeconds"] = chance.one(&[20, 60]).into();
    }
}

fn stateful_set(chance: &mut Chance, spec: &mut Value, plan: &Plan) {
    spec["replicas"] = plan.replicas.into();
    spec["serviceName"] = plan.name.as_str().into();
    if chance.percent(30) {
        spec["podManagementPolicy"] = "Parallel".into();
    }
    if chance.percent(35) {
        spec["updateStrategy"] = chance.one(&[
            json!({"type": "OnDelete"}),
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}),
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": plan.replicas + 1}}),
        ]);
    }
}

/// A pod of nobody.
pub(crate) fn bare_pod(chance: &mut Chance) -> Value {
    let mut pod = pod(chance, "alone");
    pod["terminationGracePeriodSeconds"] = 1.into();
    let labels = json!({"app": "alone", "part": "front"});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "alone", "labels": labels}, "spec": pod})
}

/// One that has not its hour now.
pub(crate) fn cron_job(chance: &mut Chance) -> Value {
    let mut pod = pod(chance, "nightly");
    pod["restartPolicy"] = "OnFailure".into();
    let template = json!({"metadata": {"labels": {"app": "nightly"}}, "spec": pod});
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"},
        "spec": {
            "schedule": "0 0 29 2 *", "suspend": chance.percent(20),
            "concurrencyPolicy": chance.one(&["Allow", "Forbid", "Replace"]),
            "jobTemplate": {"spec": {"template": template}},
        },
    })
}

/// One that soon has ended.
pub(crate) fn job() -> Value {
    let pod = json!({
        "restartPolicy": "Never", "containers": [{"name": "main", "image": "registry.example/once:1"}],
    });
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"},
        "spec": {"template": {"metadata": {"labels": {"app": "once"}}, "spec": pod}},
    })
}

fn pod(chance: &mut Chance, name: &str) -> Value {
    let image = chance.one(&["", "", "", "", "", "", "", "", "-needs-root", "-sours"]);
    let mut pod = json!({"containers": [container(chance, &format!("registry.example/{name}{image}:1"))]});
    if chance.percent(30) {
        pod["containers"].as_array_mut().unwrap().insert(
            usize::try_from(chance.below(2)).unwrap(),
            json!({"name": "beside", "image": "registry.example/proxy:1"}),
        );
    }
    if chance.percent(20) {
        let once = json!({"name": "prepare", "image": "registry.example/prepare:1"});
        let proxy = json!({
            "name": "proxy", "image": "registry.example/proxy:1", "restartPolicy": "Always",
            "resources": {"requests": {"cpu": "10m"}},
        });
        pod["initContainers"] = chance.one(&[json!([once]), json!([proxy]), json!([once, proxy])]);
    }
    volumes(chance, &mut pod);
    if chance.percent(30) {
        pod["automountServiceAccountToken"] = false.into();
    }
    if chance.percent(20) {
        pod["affinity"] = apart(name, false);
    }
    if chance.percent(20) {
        pod["securityContext"] = chance.one(&[
            json!({"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}),
            json!({"seccompProfile": {"type": "RuntimeDefault"}}),
            json!({"fsGroup": 2000}),
        ]);
        if image == "-needs-root" {
            pod["securityContext"] = json!({});
        }
    }
    pod
}

fn apart(name: &str, required: bool) -> Value {
    let term = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": name}}});
    if required {
        return json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
    }
    let preferred = json!([{"weight": 1, "podAffinityTerm": term}]);
    json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}})
}

fn container(chance: &mut Chance, image: &str) -> Value {
    let mut container = json!({"name": "main", "image": image});
    if chance.percent(70) {
        container["ports"] = chance.one(&[
            json!([{"name": "http", "containerPort": 8080}]),
            json!([{"containerPort": 8080}]),
            json!([{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}]),
        ]);
    }
    environment(chance, &mut container);
    if chance.percent(40) {
        container["readinessProbe"] = json!({"tcpSocket": {"port": 8080}, "periodSeconds": 1});
    }
    container["resources"] = chance.one(&[
        json!({}),
        json!({"requests": {"cpu": "100m", "memory": "128Mi"}}),
        json!({"requests": {"cpu": "100m"}}),
        json!({"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}),
        json!({"limits": {"cpu": "1", "memory": "512Mi"}}),
        json!({"requests": {"cpu": "33m", "memory": "100M"}, "limits": {"cpu": "77m", "memory": "200M"}}),
    ]);
    if chance.percent(30) {
        container["securityContext"] = chance.one(&[
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}),
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}),
            json!({"capabilities": {"drop": ["NET_RAW"]}}),
            json!({}),
        ]);
    }
    container
}

fn environment(chance: &mut Chance, container: &mut Value) {
    if chance.percent(50) {
        container["envFrom"] = chance.one(&[
            json!([{"configMapRef": {"name": "config"}}]),
            json!([{"configMapRef": {"name": "config"}}, {"configMapRef": {"name": "more"}}]),
            json!([{"configMapRef": {"name": "config"}, "prefix": "ALLOW_"}]),
            json!([{"configMapRef": {"name": "absent", "optional": true}}, {"configMapRef": {"name": "more"}}]),
        ]);
    }
    if chance.percent(40) {
        let key = |map: &str, key: &str| json!({"configMapKeyRef": {"name": map, "key": key}});
        container["env"] = chance.one(&[
            json!([{"name": "A", "value": "1"}, {"name": "ALLOW_EMPTY_PERMISSIONS", "value": "true"}]),
            json!([{"name": "ALLOW_EMPTY_PERMISSIONS", "valueFrom": key("more", "ALLOW_EMPTY_PERMISSIONS")}]),
            json!([{"name": "ALLOW_UNKNOWN_API_PATHS", "valueFrom": key("config", "UNKNOWN_API_PATHS")}]),
            json!([{"name": "ENABLE_PERMISSION_RESTRICTIONS", "value": "no"}, {"name": "B", "value": "$(A)"}]),
            json!([{"name": "UPSTREAM", "value": "http://app-0:80"}, {"name": "DB_HOST", "value": "10.1.2.3"}]),
        ]);
    }
}

fn volumes(chance: &mut Chance, pod: &mut Value) {
    if !chance.percent(25) {
        return;
    }
    let volume = chance.one(&[
        json!({"configMap": {"name": "config"}}),
        json!({"configMap": {"name": "more", "items": [{"key": "settings.yaml", "path": "settings.yaml"}]}}),
        json!({"projected": {"sources": [{"configMap": {"name": "config"}}, {"configMap": {"name": "more"}}]}}),
        json!({"emptyDir": {}}),
    ]);
    let mount = chance.one(&[
        json!({"name": "files", "mountPath": "/etc/files"}),
        json!({"name": "files", "mountPath": "/etc/files/settings.yaml", "subPath": "settings.yaml"}),
    ]);
    let mut named = volume;
    named["name"] = "files".into();
    pod["volumes"] = json!([named]);
    pod["containers"][0]["volumeMounts"] = json!([mount]);
}
