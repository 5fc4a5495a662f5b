//! The objects of the measured cluster: applications of 20 pods and 8 other objects, ten of them
//! in a namespace, as a cluster holds them whose rollouts have ended.

use futures::{StreamExt as _, stream};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::Client;
use serde_json::{Value, json};

/// Pods of an application.
const PODS: usize = 20;
/// Applications in a namespace.
const APPLICATIONS: usize = 10;
/// Requests at once.
const PARALLEL: usize = 16;

/// Creates the objects for about that many pods and returns how many objects there are.
pub(crate) async fn create(client: &Client, pods: usize) -> usize {
    let applications = pods.div_ceil(PODS);
    let namespaces = applications.div_ceil(APPLICATIONS);
    let places = stream::iter(0..namespaces).map(|index| tokio::spawn(create_namespace(client.clone(), index)));
    let places: Vec<usize> = finish(places).await;
    let made = stream::iter(0..applications).map(|index| tokio::spawn(create_application(client.clone(), index)));
    finish(made).await.into_iter().chain(places).sum()
}

/// Waits for tasks, some at once.
async fn finish(tasks: impl futures::Stream<Item = tokio::task::JoinHandle<usize>>) -> Vec<usize> {
    let counts: Vec<_> = tasks.buffer_unordered(PARALLEL).collect().await;
    counts.into_iter().map(|count| count.expect("creating does not panic")).collect()
}

/// A namespace and the account without which no pod is admitted.
async fn create_namespace(client: Client, index: usize) -> usize {
    let name = namespace_name(index);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    send(&client, Method::POST, "/api/v1/namespaces", &namespace).await;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    send(&client, Method::POST, &format!("/api/v1/namespaces/{name}/serviceaccounts"), &account).await;
    2
}

/// One application: owners first, their pods know their uids.
async fn create_application(client: Client, index: usize) -> usize {
    let namespace = namespace_name(index / APPLICATIONS);
    let name = format!("service-{index:05}");
    let post = async |group: &str, plural: &str, object: Value| {
        send(&client, Method::POST, &format!("{group}/namespaces/{namespace}/{plural}"), &object).await
    };
    let deployment = post("/apis/apps/v1", "deployments", deployment(&name)).await;
    let set = post("/apis/apps/v1", "replicasets", replica_set(&name, &deployment)).await;
    post("/api/v1", "services", service(&name)).await;
    post("/api/v1", "configmaps", config_map(&name)).await;
    post("/apis/discovery.k8s.io/v1", "endpointslices", endpoint_slice(&name, index)).await;
    post("/apis/autoscaling/v2", "horizontalpodautoscalers", autoscaler(&name)).await;
    post("/apis/policy/v1", "poddisruptionbudgets", budget(&name)).await;
    post("/apis/networking.k8s.io/v1", "ingresses", ingress(&name)).await;
    for number in 0..PODS {
        let pod = post("/api/v1", "pods", pod(&name, number, &set)).await;
        let pod = pod["metadata"]["name"].as_str().expect("the server names it");
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/status");
        send(&client, Method::PATCH, &path, &pod_status(&address(index, number))).await;
    }
    8 + PODS
}

/// Sends one request; panics with the answer unless it is a success.
async fn send(client: &Client, method: Method, path: &str, object: &Value) -> Value {
    let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let request = Request::builder().method(method).uri(path).header("content-type", kind);
    let request = request.body(object.to_string().into_bytes().into()).expect("the path is valid");
    let answer = client.send(request).await.expect("the server answers");
    let status = answer.status();
    let body = answer.into_body().collect().await.expect("the answer is whole").to_bytes();
    assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).expect("the server sends JSON")
}

fn namespace_name(index: usize) -> String {
    format!("team-{index:03}")
}

/// The address of a pod; applications share none with their neighbours.
fn address(index: usize, number: usize) -> String {
    let position = index * PODS + number;
    format!("10.{}.{}.{}", 128 + position / 62_500, position / 250 % 250, 1 + position % 250)
}

fn labels(name: &str) -> Value {
    json!({"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "shop"})
}

/// What is the same in every object, with the labels of the application.
fn object(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": labels(name)}})
}

fn with_spec(mut object: Value, spec: Value) -> Value {
    object["spec"] = spec;
    object
}

/// A reference to the controller of an object.
fn owner(object: &Value) -> Value {
    json!([{
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "name": object["metadata"]["name"],
        "uid": object["metadata"]["uid"],
        "controller": true,
        "blockOwnerDeletion": true,
    }])
}

fn pod_spec(name: &str) -> Value {
    json!({
        "containers": [{
            "name": "app",
            "image": format!("registry.example.com/{name}:1.4.0"),
            "args": ["--listen=:8080", "--config=/etc/app/config.yaml"],
            "ports": [{"name": "http", "containerPort": 8080}],
            "env": [
                {"name": "DATABASE_HOST", "value": "postgres.databases.svc"},
                {"name": "DATABASE_PASSWORD",
                 "valueFrom": {"secretKeyRef": {"name": format!("{name}-db"), "key": "password"}}},
            ],
            "envFrom": [{"configMapRef": {"name": format!("{name}-config")}}],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10},
            "securityContext": {"runAsNonRoot": true, "allowPrivilegeEscalation": false},
            "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}],
        }],
        "volumes": [{"name": "config", "configMap": {"name": format!("{name}-config")}}],
    })
}

fn deployment(name: &str) -> Value {
    let template = json!({"metadata": {"labels": labels(name)}, "spec": pod_spec(name)});
    let spec = json!({"replicas": PODS, "selector": {"matchLabels": labels(name)}, "template": template});
    with_spec(object("apps/v1", "Deployment", name), spec)
}

fn replica_set(name: &str, deployment: &Value) -> Value {
    let mut set = object("apps/v1", "ReplicaSet", name);
    set["metadata"]["ownerReferences"] = owner(deployment);
    with_spec(
        set,
        deployment["spec"].as_object().map_or(
            Value::Null,
            |spec| json!({"replicas": spec["replicas"], "selector": spec["selector"], "template": spec["template"]}),
        ),
    )
}

fn pod(name: &str, number: usize, set: &Value) -> Value {
    let mut pod = object("v1", "Pod", name);
    pod["metadata"]["name"] = format!("{name}-{number:02}").into();
    pod["metadata"]["ownerReferences"] = owner(set);
    let mut spec = pod_spec(name);
    spec["nodeName"] = format!("node-{:02}", number % PODS).into();
    with_spec(pod, spec)
}

/// A running pod, as its kubelet reports it.
fn pod_status(address: &str) -> Value {
    let since = "2026-01-01T00:00:00Z";
    let conditions = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
    let conditions = conditions.map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": since}));
    json!({"status": {
        "phase": "Running",
        "conditions": conditions,
        "hostIP": "192.0.2.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": since,
        "containerStatuses": [{
            "name": "app",
            "ready": true,
            "started": true,
            "restartCount": 0,
            "image": "registry.example.com/app:1.4.0",
            "imageID": format!("registry.example.com/app@sha256:{}", "0123456789abcdef".repeat(4)),
            "containerID": format!("containerd://{}", "0123456789abcdef".repeat(4)),
            "state": {"running": {"startedAt": since}},
        }],
    }})
}

fn service(name: &str) -> Value {
    let ports = json!([{"name": "http", "port": 80, "targetPort": "http"}]);
    with_spec(object("v1", "Service", name), json!({"selector": labels(name), "ports": ports}))
}

fn config_map(name: &str) -> Value {
    let mut map = object("v1", "ConfigMap", name);
    map["metadata"]["name"] = format!("{name}-config").into();
    map["data"] = json!({
        "LOG_LEVEL": "info",
        "S3_ENDPOINT": "https://storage.example.com",
        "config.yaml": "listen: 8080\npool:\n  size: 5\n  timeout: 30s\nfeatures: [search, checkout]\n",
    });
    map
}

fn endpoint_slice(name: &str, index: usize) -> Value {
    let mut slice = object("discovery.k8s.io/v1", "EndpointSlice", name);
    slice["metadata"]["labels"]["kubernetes.io/service-name"] = name.into();
    slice["addressType"] = "IPv4".into();
    slice["ports"] = json!([{"name": "http", "port": 8080, "protocol": "TCP"}]);
    let endpoint = |number| {
        json!({
            "addresses": [address(index, number)],
            "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "name": format!("{name}-{number:02}")},
        })
    };
    slice["endpoints"] = (0..PODS).map(endpoint).collect();
    slice
}

fn autoscaler(name: &str) -> Value {
    let cpu = json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}});
    with_spec(
        object("autoscaling/v2", "HorizontalPodAutoscaler", name),
        json!({
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 3,
            "maxReplicas": 30,
            "metrics": [{"type": "Resource", "resource": cpu}],
        }),
    )
}

fn budget(name: &str) -> Value {
    let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": labels(name)}});
    with_spec(object("policy/v1", "PodDisruptionBudget", name), spec)
}

fn ingress(name: &str) -> Value {
    let backend = json!({"service": {"name": name, "port": {"name": "http"}}});
    let rule = json!({
        "host": format!("{name}.example.com"),
        "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
    });
    with_spec(object("networking.k8s.io/v1", "Ingress", name), json!({"rules": [rule]}))
}
