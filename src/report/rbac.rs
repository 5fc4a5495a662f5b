//! `rbac`: roles and bindings as YAML, for `kubectl apply -f -`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::backend::cluster::rights::Right;

/// The group of roles and bindings.
const GROUP: &str = "rbac.authorization.k8s.io";

/// Who gets the rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grantee {
    /// A user by name.
    User(String),
    /// A group by name.
    Group(String),
    /// A service account: namespace and name.
    ServiceAccount(String, String),
}

impl Grantee {
    /// Reads `user:NAME`, `group:NAME` or `serviceaccount:NAMESPACE:NAME`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "write it as user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME".to_owned();
        let (kind, name) = text.split_once(':').filter(|(_, name)| !name.is_empty()).ok_or_else(wrong)?;
        match kind {
            "user" => Ok(Self::User(name.to_owned())),
            "group" => Ok(Self::Group(name.to_owned())),
            "serviceaccount" => {
                let (namespace, name) = name.split_once(':').ok_or_else(wrong)?;
                let is_label = |text: &str| !text.is_empty() && !text.contains(':');
                let both = is_label(namespace) && is_label(name);
                both.then(|| Self::ServiceAccount(namespace.to_owned(), name.to_owned())).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }

    fn subject(&self) -> Value {
        match self {
            Self::User(name) => json!({"kind": "User", "apiGroup": GROUP, "name": name}),
            Self::Group(name) => json!({"kind": "Group", "apiGroup": GROUP, "name": name}),
            Self::ServiceAccount(namespace, name) => {
                json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
            }
        }
    }
}

/// Roles for these rights, and bindings for those who get them: for the whole cluster, or for one
/// namespace with what only a `ClusterRole` can give.
pub fn manifests(name: &str, rights: &[Right], namespace: Option<&str>, grantees: &[Grantee]) -> Vec<Value> {
    let (cluster, own): (Vec<&Right>, Vec<&Right>) =
        rights.iter().partition(|right| namespace.is_none() || right.cluster);
    let mut out = Vec::new();
    if let Some(namespace) = namespace {
        out.extend(pair("", name, Some(namespace), &own, grantees));
        out.extend(pair("Cluster", &format!("{name}-{namespace}"), None, &cluster, grantees));
    } else {
        out.extend(pair("Cluster", name, None, &cluster, grantees));
    }
    out
}

/// A role, and its binding if somebody gets it.
fn pair(scope: &str, name: &str, namespace: Option<&str>, rights: &[&Right], grantees: &[Grantee]) -> Vec<Value> {
    let metadata =
        namespace.map_or_else(|| json!({"name": name}), |namespace| json!({"name": name, "namespace": namespace}));
    let version = format!("{GROUP}/v1");
    let mut out = vec![json!({
        "apiVersion": version, "kind": format!("{scope}Role"), "metadata": metadata, "rules": rules(rights),
    })];
    if !grantees.is_empty() {
        out.push(json!({
            "apiVersion": version, "kind": format!("{scope}RoleBinding"), "metadata": metadata,
            "roleRef": {"apiGroup": GROUP, "kind": format!("{scope}Role"), "name": name},
            "subjects": grantees.iter().map(Grantee::subject).collect::<Vec<_>>(),
        }));
    }
    out
}

/// One rule for each group and set of verbs.
fn rules(rights: &[&Right]) -> Vec<Value> {
    let mut rules: BTreeMap<(&str, &[&str]), Vec<&str>> = BTreeMap::new();
    for right in rights {
        rules.entry((&right.group, &right.verbs)).or_default().push(&right.resource);
    }
    rules
        .into_iter()
        .map(|((group, verbs), resources)| json!({"apiGroups": [group], "resources": resources, "verbs": verbs}))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(group: &str, resource: &str, verbs: &[&'static str], cluster: bool) -> Right {
        Right { group: group.to_owned(), resource: resource.to_owned(), verbs: verbs.to_vec(), cluster }
    }

    #[test]
    fn subjects_are_read() {
        assert_eq!(Grantee::parse("user:system:admin"), Ok(Grantee::User("system:admin".to_owned())));
        let account = Grantee::ServiceAccount("ci".to_owned(), "auditor".to_owned());
        assert_eq!(Grantee::parse("serviceaccount:ci:auditor"), Ok(account));
        for wrong in ["alice", "user:", "robot:x", "serviceaccount:ci", "serviceaccount::x", "serviceaccount:a:b:c", ""]
        {
            assert!(Grantee::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_namespace_gets_a_role_and_a_small_cluster_role() {
        let rights = [
            right("", "pods", &["list"], false),
            right("", "nodes", &["list"], true),
            right("", "services", &["list"], false),
        ];
        let documents = manifests("r", &rights, Some("shop"), &[Grantee::Group("sre".to_owned())]);
        let kinds: Vec<&str> = documents.iter().map(|document| document["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]);
        let rules = json!([{"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["list"]}]);
        assert_eq!(documents[0]["rules"], rules);
        assert_eq!(documents[0]["metadata"], json!({"name": "r", "namespace": "shop"}));
        assert_eq!(documents[2]["metadata"], json!({"name": "r-shop"}), "another namespace has another");
        assert_eq!(documents[3]["subjects"], json!([{"kind": "Group", "apiGroup": GROUP, "name": "sre"}]));
        assert_eq!(manifests("r", &rights, None, &[]).len(), 1, "nobody is bound");
    }
}
