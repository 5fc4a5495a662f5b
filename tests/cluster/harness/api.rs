//! Plain requests to the API server: a path in, a status code and JSON out.

use std::path::Path;

use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::wait::WAIT;

/// What the server answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The HTTP status code.
    pub(crate) code: u16,
    /// The body; null if it was not JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// The body of a successful answer; panics with the server's message otherwise.
    #[track_caller]
    pub(crate) fn success(self) -> Value {
        assert!((200..300).contains(&self.code), "the server answered {}: {}", self.code, self.body);
        self.body
    }
}

/// A blocking client of one user.
pub(crate) struct Api {
    runtime: Runtime,
    client: Client,
}

impl Api {
    /// A client with the credentials of a kubeconfig file.
    pub(crate) fn new(kubeconfig: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be started");
        let client = runtime.block_on(async {
            let file = Kubeconfig::read_from(kubeconfig).expect("the harness wrote it");
            let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
            let mut config = config.expect("the kubeconfig is whole");
            // A 429 is an answer that tests look for; kube repeats it for minutes.
            config.default_retry = false;
            config.read_timeout = Some(WAIT);
            Client::try_from(config).expect("the CA is readable")
        });
        Self { runtime, client }
    }

    /// Sends one request. A refusal is an answer; `Err` says that there was none.
    pub(crate) fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        let kind = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", kind)
            .body(bytes.into())
            .expect("method and path are valid");
        self.runtime.block_on(async {
            let answer = self.client.send(request).await.map_err(|error| format!("{error:?}"))?;
            let code = answer.status().as_u16();
            let bytes = answer.into_body().collect().await.map_err(|error| error.to_string())?;
            let body = serde_json::from_slice(&bytes.to_bytes()).unwrap_or(Value::Null);
            Ok(Answer { code, body })
        })
    }
}

/// The URL path of a short one: `v1/pods/x` and `apps/v1/deployments/x` are in `namespace`, what
/// starts with a slash is whole.
pub(crate) fn full_path(namespace: &str, short: &str) -> String {
    if short.starts_with('/') {
        return short.to_owned();
    }
    let parts: Vec<&str> = short.split('/').collect();
    match parts.as_slice() {
        ["v1", rest @ ..] => format!("/api/v1/namespaces/{namespace}/{}", rest.join("/")),
        [group, version, rest @ ..] => {
            format!("/apis/{group}/{version}/namespaces/{namespace}/{}", rest.join("/"))
        }
        _ => panic!("{short} is no path such as v1/pods/x or apps/v1/deployments/x"),
    }
}
