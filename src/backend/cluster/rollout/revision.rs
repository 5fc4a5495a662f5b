//! Which pods are of a workload's newest template.

use serde_json::Value;

use crate::backend::cluster::follow::View;

/// How pods of the newest template are told from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revision {
    /// By this label.
    Label(&'static str, String),
    /// By nothing that could be seen; those made since the change are taken for them.
    ByAge,
    /// The controller has not made it yet.
    Unknown,
}

impl Revision {
    /// The newest revision of a workload, with the ReplicaSets beside it for a Deployment.
    pub fn of(workload: &Value, sets: &View) -> Self {
        let text = |pointer: &str| workload.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let label = |key: &'static str, value: Option<String>| value.map_or(Self::Unknown, |it| Self::Label(key, it));
        match workload.get("kind").and_then(Value::as_str) {
            Some("Deployment") if matches!(sets, View::Refused(_)) => Self::ByAge,
            Some("Deployment") => {
                let hash = new_set(workload, sets)
                    .and_then(|set| set.pointer("/metadata/labels/pod-template-hash")?.as_str().map(str::to_owned));
                label("pod-template-hash", hash)
            }
            Some("StatefulSet") => label("controller-revision-hash", text("/status/updateRevision")),
            Some("DaemonSet") => {
                let generation = text("/metadata/annotations/deprecated.daemonset.template.generation");
                generation.map_or(Self::ByAge, |it| Self::Label("pod-template-generation", it))
            }
            _ => Self::ByAge,
        }
    }

    /// True if a pod is of it. Times of the API have whole seconds.
    pub fn has(&self, pod: &Value, since: jiff::Timestamp) -> bool {
        match self {
            Self::Label(key, value) => {
                pod.pointer("/metadata/labels").and_then(|it| it.get(key)?.as_str()) == Some(value)
            }
            Self::ByAge => {
                let made = pod.pointer("/metadata/creationTimestamp").and_then(Value::as_str).unwrap_or_default();
                made.parse::<jiff::Timestamp>().is_ok_and(|made| made.as_second() >= since.as_second())
            }
            Self::Unknown => false,
        }
    }
}

/// The ReplicaSet of a Deployment's newest template: the one whose template is the same.
pub(super) fn new_set<'a>(workload: &Value, sets: &'a View) -> Option<&'a Value> {
    let (uid, wanted) = (workload.pointer("/metadata/uid"), workload.pointer("/spec/template")?);
    sets.objects().find(|set| {
        let owners = set.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let owned = owners.into_iter().flatten().any(|owner| owner.get("uid") == uid);
        owned && without_hash(set).as_ref() == Some(wanted)
    })
}

fn without_hash(set: &Value) -> Option<Value> {
    let mut template = set.pointer("/spec/template")?.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.shift_remove("pod-template-hash");
    }
    Some(template)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_new_replica_set_has_the_template_and_the_owner() {
        let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}});
        let workload = json!({"kind": "Deployment", "metadata": {"uid": "u"}, "spec": {"template": template}});
        let set = |hash: &str, image: Value, owner: &str| {
            let mut template = template.clone();
            template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
            template["spec"]["containers"] = image;
            json!({"metadata": {"labels": {"pod-template-hash": hash}, "ownerReferences": [{"uid": owner}]},
                "spec": {"template": template}})
        };
        let sets = |list: Vec<Value>| {
            View::Objects(list.into_iter().enumerate().map(|(n, set)| (n.to_string(), set)).collect())
        };
        let (old, other) = (set("1", json!([{"image": "a"}]), "u"), set("2", json!([]), "x"));
        assert_eq!(Revision::of(&workload, &sets(vec![old.clone(), other.clone()])), Revision::Unknown);
        let all = sets(vec![old, other, set("3", json!([]), "u")]);
        assert_eq!(Revision::of(&workload, &all), Revision::Label("pod-template-hash", "3".to_owned()));
        assert_eq!(Revision::of(&workload, &View::Refused(String::new())), Revision::ByAge);
    }
}
