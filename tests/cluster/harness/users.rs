//! Users with exactly the rights that a test gives them.

use http::Method;
use serde_json::{Value, json};

use super::credentials::User;
use super::plane::ControlPlane;
use super::wait::{WAIT, wait_until};

/// One rule of a Role or `ClusterRole`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// The API group; the core group is `""`.
    pub(crate) group: &'static str,
    /// Resources, subresources with a slash.
    pub(crate) resources: &'static [&'static str],
    /// Verbs.
    pub(crate) verbs: &'static [&'static str],
}

impl Rule {
    fn json(self) -> Value {
        json!({"apiGroups": [self.group], "resources": self.resources, "verbs": self.verbs})
    }
}

/// Gives `user` the rights, in one namespace or, without one, in the whole cluster, and waits
/// until the server's authorizer knows.
pub(crate) fn grant(plane: &ControlPlane, user: &User, rules: &[Rule], namespace: Option<&str>) {
    let (kind, folder) = match namespace {
        Some(namespace) => ("Role", format!("/namespaces/{namespace}")),
        None => ("ClusterRole", String::new()),
    };
    let name = &user.name;
    let plural = kind.to_lowercase();
    let create = |plural: &str, kind: &str, mut object: Value| {
        object["apiVersion"] = "rbac.authorization.k8s.io/v1".into();
        object["kind"] = kind.into();
        object["metadata"] = json!({"name": name});
        let path = format!("/apis/rbac.authorization.k8s.io/v1{folder}/{plural}");
        plane.request(Method::POST, &path, Some(&object)).success();
    };
    let rights: Vec<Value> = rules.iter().map(|rule| rule.json()).collect();
    create(&format!("{plural}s"), kind, json!({"rules": rights}));
    create(
        &format!("{plural}bindings"),
        &format!("{kind}Binding"),
        json!({
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
        }),
    );
    // One role in one binding: when its first right holds, all do.
    if let Some(rule) = rules.first() {
        wait_until(WAIT, &format!("the rights of {name}"), || allowed(plane, name, *rule, namespace));
    }
}

/// Whether the server allows the first verb of a rule on its first resource.
fn allowed(plane: &ControlPlane, user: &str, rule: Rule, namespace: Option<&str>) -> Result<(), String> {
    let (resource, subresource) = rule.resources[0].split_once('/').unwrap_or((rule.resources[0], ""));
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": {
            "group": rule.group, "resource": resource, "subresource": subresource,
            "verb": rule.verbs[0], "namespace": namespace.unwrap_or_default(),
        }},
    });
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let status = &plane.request(Method::POST, path, Some(&review)).success()["status"];
    if status["allowed"] == true { Ok(()) } else { Err(status.to_string()) }
}
