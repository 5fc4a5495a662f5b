//! Ingresses and their classes.

use serde::{Deserialize, Serialize};

use super::network::LoadBalancerOwner;
use super::number::IntOrString;
use super::object::{Meta, nullable};

const DEFAULT: &str = "/spec/defaultBackend";

/// An Ingress.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ingress {
    /// Its metadata.
    pub metadata: Meta,
    /// Its routes.
    #[serde(deserialize_with = "nullable")]
    pub spec: IngressSpec,
    /// Its addresses.
    #[serde(deserialize_with = "nullable")]
    pub status: LoadBalancerOwner,
}

/// The routes of an Ingress.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressSpec {
    /// Which controller serves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_class_name: Option<String>,
    /// Where everything else goes; `backend` before `networking.k8s.io/v1`.
    #[serde(skip_serializing_if = "Option::is_none", alias = "backend")]
    pub default_backend: Option<IngressBackend>,
    /// Rules by host.
    #[serde(deserialize_with = "nullable")]
    pub rules: Vec<IngressRule>,
    /// Hosts with certificates.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub tls: Vec<IngressTls>,
}

/// The rules of one host.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IngressRule {
    /// The host; every host if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The paths.
    #[serde(deserialize_with = "nullable")]
    pub http: HttpRules,
}

/// The paths of one host.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpRules {
    /// One entry a path.
    #[serde(deserialize_with = "nullable")]
    pub paths: Vec<HttpPath>,
}

/// One path.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpPath {
    /// The path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How it is compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_type: Option<String>,
    /// Where it goes.
    #[serde(deserialize_with = "nullable")]
    pub backend: IngressBackend,
}

/// Where a path goes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, from = "ServedBackend")]
pub struct IngressBackend {
    /// The Service; absent for other resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<BackendService>,
    /// True if the Service stands in the two fields of the first versions.
    #[serde(skip)]
    pub is_split: bool,
}

/// A backend as it stands in the object. Before `networking.k8s.io/v1` it names the Service and
/// its port in two fields.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServedBackend {
    service: Option<BackendService>,
    service_name: Option<String>,
    service_port: Option<IntOrString>,
}

impl From<ServedBackend> for IngressBackend {
    fn from(served: ServedBackend) -> Self {
        let has_port = served.service_port.is_some();
        let port = match served.service_port {
            Some(IntOrString::Int(number)) => BackendPort { number: Some(number), ..BackendPort::default() },
            Some(IntOrString::Text(name)) => BackendPort { name: Some(name), ..BackendPort::default() },
            None => BackendPort::default(),
        };
        let old = served.service_name.map(|name| BackendService { name, port });
        let is_split = old.is_some() || has_port;
        Self { service: served.service.or(old), is_split }
    }
}

/// A Service and its port.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendService {
    /// The Service.
    pub name: String,
    /// The port.
    #[serde(deserialize_with = "nullable")]
    pub port: BackendPort,
}

/// A port by name or number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendPort {
    /// By name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// By number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
}

impl BackendPort {
    /// The port as a Service has it.
    pub fn wanted(&self) -> IntOrString {
        match &self.name {
            Some(name) if !name.is_empty() => IntOrString::Text(name.clone()),
            _ => IntOrString::Int(self.number.unwrap_or_default()),
        }
    }
}

/// Hosts that share a certificate.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressTls {
    /// The hosts.
    #[serde(deserialize_with = "nullable")]
    pub hosts: Vec<String>,
    /// The Secret with the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
}

impl Ingress {
    /// The pointers of the backends that name their Service in fields that this version of the API
    /// does not have. `networking.k8s.io/v1` has `service`, those before it have `serviceName` and
    /// `servicePort`.
    pub fn misnamed(&self, api_version: &str) -> Vec<String> {
        let is_first = api_version != "networking.k8s.io/v1";
        let is_wrong = |backend: &IngressBackend| {
            if is_first { backend.service.is_some() && !backend.is_split } else { backend.is_split }
        };
        let rest = self.spec.default_backend.as_ref().filter(|backend| is_wrong(backend));
        let mut out: Vec<String> = rest.map(|_| DEFAULT.to_owned()).into_iter().collect();
        for (i, rule) in self.spec.rules.iter().enumerate() {
            let wrong = rule.http.paths.iter().enumerate().filter(|(_, path)| is_wrong(&path.backend));
            out.extend(wrong.map(|(j, _)| format!("/spec/rules/{i}/http/paths/{j}/backend")));
        }
        out
    }

    /// Every backend with the host and the pointer it stands at.
    pub fn backends(&self) -> Vec<(String, Option<&str>, &BackendService)> {
        let mut out = Vec::new();
        if let Some(service) = self.spec.default_backend.as_ref().and_then(|b| b.service.as_ref()) {
            out.push((DEFAULT.to_owned(), None, service));
        }
        for (i, rule) in self.spec.rules.iter().enumerate() {
            for (j, path) in rule.http.paths.iter().enumerate() {
                if let Some(service) = &path.backend.service {
                    let at = format!("/spec/rules/{i}/http/paths/{j}/backend");
                    out.push((at, rule.host.as_deref(), service));
                }
            }
        }
        out
    }

    /// The class, from its field or the older annotation.
    pub fn class(&self) -> Option<&str> {
        let annotation = self.metadata.annotation("kubernetes.io/ingress.class");
        self.spec.ingress_class_name.as_deref().or(annotation)
    }
}

/// An `IngressClass`: the name of a controller.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IngressClass {
    /// Its metadata.
    pub metadata: Meta,
    /// Which controller.
    #[serde(deserialize_with = "nullable")]
    pub spec: IngressClassSpec,
}

/// Which controller serves a class.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IngressClassSpec {
    /// The controller's name: `k8s.io/ingress-nginx`.
    pub controller: String,
}

impl IngressClass {
    /// True if an Ingress without a class gets this one.
    pub fn is_default(&self) -> bool {
        self.metadata.annotation("ingressclass.kubernetes.io/is-default-class") == Some("true")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_own_fields() {
        let ingress: Ingress = serde_json::from_value(serde_json::json!({"spec": {"rules": [{"http": {"paths": [
            {"backend": {"serviceName": "web", "servicePort": 80}},
            {"backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}}))
        .unwrap();
        assert_eq!(ingress.misnamed("networking.k8s.io/v1"), ["/spec/rules/0/http/paths/0/backend"]);
        assert_eq!(ingress.misnamed("networking.k8s.io/v1beta1"), ["/spec/rules/0/http/paths/1/backend"]);
        assert_eq!(ingress.misnamed("extensions/v1beta1"), ["/spec/rules/0/http/paths/1/backend"]);
    }

    #[test]
    fn the_first_versions_name_service_and_port_in_two_fields() {
        let ingress: Ingress = serde_json::from_value(serde_json::json!({"spec": {
            "backend": {"serviceName": "rest", "servicePort": 80},
            "rules": [{"http": {"paths": [{"backend": {"serviceName": "web", "servicePort": "http"}}]}}]}}))
        .unwrap();
        let backends = ingress.backends();
        let named: Vec<_> = backends.iter().map(|(_, _, service)| (&*service.name, service.port.wanted())).collect();
        assert_eq!(named, [("rest", IntOrString::Int(80)), ("web", IntOrString::Text("http".into()))]);
    }
}
