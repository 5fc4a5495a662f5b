//! A batch of independent fixes, and the bare requests that it stands for.

use std::time::Instant;

use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::Client;
use serde_json::{Value, json};

/// Fixes of the batch: a disruption budget for each of as many Deployments.
pub(crate) const FIXES: usize = 200;

/// Makes the Deployments; nothing acts on them.
pub(crate) async fn create(client: &Client, namespace: &str) {
    for number in 0..FIXES {
        let name = format!("service-{number:03}");
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {
                "replicas": 2, "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}},
                             "spec": {"containers": [{"name": "main", "image": "registry.example/service:1"}]}},
            },
        });
        post(client, &format!("/apis/apps/v1/namespaces/{namespace}/deployments"), &deployment).await;
    }
}

/// Tries and creates the same budgets one after another; returns the seconds that took.
pub(crate) async fn bare(client: &Client, namespace: &str) -> f64 {
    let path = format!("/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets");
    let start = Instant::now();
    for number in 0..FIXES {
        let name = format!("service-{number:03}");
        let budget = json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": name}}},
        });
        post(client, &format!("{path}?dryRun=All"), &budget).await;
        post(client, &path, &budget).await;
    }
    start.elapsed().as_secs_f64()
}

async fn post(client: &Client, path: &str, body: &Value) {
    let request = Request::builder().method(Method::POST).uri(path).header("content-type", "application/json");
    let request = request.body(body.to_string().into_bytes().into()).expect("method and path are valid");
    let answer = client.send(request).await.expect("the server answers");
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.into_body().collect().await.expect("the answer is whole");
}
