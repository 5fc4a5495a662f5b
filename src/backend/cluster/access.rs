//! What the user may write: one review of the server for each right that a step needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures::stream::{self, StreamExt};
use http::Request;
use serde_json::{Value, json};

use super::answer;
use super::connect::Connection;
use crate::fix::Step;
use crate::model::inventory::resource_name;

/// Reviews that run at the same time.
const PARALLEL: usize = 8;
/// Where the server says who the user is.
const WHO: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
/// Where reviews are asked for.
const PATH: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// One right, as RBAC knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// `patch`, `create`, `delete`.
    pub verb: &'static str,
    /// The API group; the core group is `""`.
    pub group: String,
    /// The resource: `deployments`.
    pub resource: String,
    /// `scale`, or `""` for the object itself.
    pub subresource: String,
    /// The namespace; `""` for what has none.
    pub namespace: String,
    /// The name; `""` for every name.
    pub name: String,
}

/// What the server says about a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// The user has it.
    Allowed,
    /// The user does not have it; the reason of the authorizer, which may be empty.
    Denied(String),
    /// The server did not say: why.
    Unknown(String),
}

impl Right {
    /// The right that a step needs; `None` for what writes nothing.
    pub fn of(step: &Step) -> Option<Self> {
        let (verb, subresource) = match step {
            Step::Patch { subresource, .. } => ("patch", subresource.clone().unwrap_or_default()),
            Step::Restart { object } if object.kind == "CronJob" => return None,
            Step::Restart { .. } => ("patch", String::new()),
            Step::Create { .. } => ("create", String::new()),
            Step::Delete { .. } => ("delete", String::new()),
            Step::Wait { .. } => return None,
        };
        let object = step.object();
        let plural = resource_name(&object.api_version, &object.kind);
        let is_namespace = object.kind == "Namespace" && object.group().is_empty();
        Some(Self {
            verb,
            group: object.group().to_owned(),
            resource: plural.split('.').next().unwrap_or_default().to_owned(),
            subresource,
            // A request to a Namespace counts as one in it: a Role there may allow it.
            namespace: if is_namespace { object.name.clone() } else { object.namespace().to_owned() },
            // A creation has no name yet that a rule could allow.
            name: if verb == "create" { String::new() } else { object.name.clone() },
        })
    }

    /// The same right for every name.
    fn any_name(&self) -> Self {
        Self { name: String::new(), ..self.clone() }
    }

    fn with_part(&self) -> String {
        let slash = if self.subresource.is_empty() { "" } else { "/" };
        format!("{}{slash}{}", self.resource, self.subresource)
    }

    /// The rule of a Role or `ClusterRole` that gives it.
    pub fn rule(&self) -> String {
        let kind = if self.namespace.is_empty() { "ClusterRole" } else { "Role" };
        let group = if self.group.is_empty() { "\"\"" } else { &self.group };
        format!(
            "a {kind} with {{apiGroups: [{group}], resources: [{}], verbs: [{}]}} allows it",
            self.with_part(),
            self.verb
        )
    }
}

/// `patch deployments.apps/scale in namespace shop`, without the name.
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.group.is_empty() { "" } else { "." };
        let slash = if self.subresource.is_empty() { "" } else { "/" };
        write!(f, "{} {}{dot}{}{slash}{}", self.verb, self.resource, self.group, self.subresource)?;
        if self.namespace.is_empty() { Ok(()) } else { write!(f, " in namespace {}", self.namespace) }
    }
}

/// Asks for rights, several at a time. What is allowed for every name is asked once; only where it
/// is not, each name is asked for.
pub async fn review(connection: &Connection, rights: &BTreeSet<Right>) -> BTreeMap<Right, Access> {
    let general: BTreeSet<Right> = rights.iter().map(Right::any_name).collect();
    let mut known = ask_all(connection, general).await;
    let named = |right: &&Right| !right.name.is_empty() && known.get(&right.any_name()) != Some(&Access::Allowed);
    let open: BTreeSet<Right> = rights.iter().filter(named).cloned().collect();
    let answers = ask_all(connection, open).await;
    known.extend(answers);
    let access = |right: &Right| match known.get(&right.any_name()) {
        Some(Access::Allowed) => Access::Allowed,
        general => known.get(right).or(general).cloned().unwrap_or(Access::Unknown(String::new())),
    };
    rights.iter().map(|right| (right.clone(), access(right))).collect()
}

async fn ask_all(connection: &Connection, rights: BTreeSet<Right>) -> BTreeMap<Right, Access> {
    stream::iter(rights)
        .map(|right| async move {
            let access = ask(connection, &right).await;
            (right, access)
        })
        .buffer_unordered(PARALLEL)
        .collect()
        .await
}

async fn ask(connection: &Connection, right: &Right) -> Access {
    let mut attributes = json!({"verb": right.verb, "group": right.group, "resource": right.resource});
    for (key, value) in [("subresource", &right.subresource), ("namespace", &right.namespace), ("name", &right.name)] {
        if !value.is_empty() {
            attributes[key] = Value::from(value.as_str());
        }
    }
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    });
    let request = Request::post(PATH)
        .header("Content-Type", "application/json")
        .header("Accept", "application/json")
        .body(body.to_string().into_bytes())
        .expect("the path is a URI");
    let response = match connection.read(request).await {
        Ok(response) if matches!(response.status, 200 | 201) => response,
        Ok(response) => return Access::Unknown(format!("{} {}", response.status, answer::message(&response.body))),
        Err(error) => return Access::Unknown(error.to_string()),
    };
    let review: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let text = |pointer: &str| answer::shorten(review.pointer(pointer).and_then(Value::as_str).unwrap_or_default());
    match review.pointer("/status/allowed").and_then(Value::as_bool) {
        Some(true) => Access::Allowed,
        Some(false) if text("/status/evaluationError").is_empty() => Access::Denied(text("/status/reason")),
        Some(false) => Access::Unknown(text("/status/evaluationError")),
        None => Access::Unknown("the answer is no review".to_owned()),
    }
}

/// Who the user is to the server; `None` where it does not say.
pub async fn user(connection: &Connection) -> Option<String> {
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let request = Request::post(WHO)
        .header("Content-Type", "application/json")
        .header("Accept", "application/json")
        .body(body.to_string().into_bytes())
        .expect("the path is a URI");
    let response = connection.read(request).await.ok().filter(|response| matches!(response.status, 200 | 201))?;
    let review: Value = serde_json::from_slice(&response.body).ok()?;
    Some(review.pointer("/status/userInfo/username")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ObjectRef, Subject};

    #[test]
    fn a_right_names_what_a_step_sends() {
        let web = Subject::new(ObjectRef::new("apps/v1", "Deployment", Some("a"), "web"));
        let scale =
            Step::Patch { object: web.clone(), subresource: Some("scale".into()), edits: vec![], expect: vec![] };
        let right = Right::of(&scale).unwrap();
        assert_eq!(right.to_string(), "patch deployments.apps/scale in namespace a");
        let rule = "a Role with {apiGroups: [apps], resources: [deployments/scale], verbs: [patch]} allows it";
        assert_eq!((right.name.as_str(), right.rule().as_str()), ("web", rule));
        let namespace = Subject::new(ObjectRef::new("v1", "Namespace", None, "a"));
        let label = Right::of(&Step::patch(&namespace, vec![])).unwrap();
        assert_eq!(label.to_string(), "patch namespaces in namespace a");
        assert!(label.rule().starts_with("a Role with {apiGroups: [\"\"]"), "{}", label.rule());
        let create = Step::create("r", "policy/v1", "PodDisruptionBudget", "a", "web-pdb", serde_json::json!({}));
        assert_eq!(Right::of(&create).unwrap().name, "");
        assert_eq!(Right::of(&Step::Wait { object: web, condition: "Ready".into() }), None);
    }
}
