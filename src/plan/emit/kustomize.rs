//! A kustomization: each changed object a patch, each new one a resource.

use json_patch::PatchOperation;
use serde::Serialize;
use serde_json::Value;

use super::{Originals, Printed, Touched, comment, file_name, indent, yaml};
use crate::model::ObjectRef;
use crate::plan::patch::{add, last_segment, parent_of};

/// Which objects a patch is for. Kustomize reads names as patterns.
#[derive(Serialize)]
struct Target<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    group: &'a str,
    version: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
}

impl<'a> Target<'a> {
    /// `is_placed` says whether the object has its namespace in its manifest.
    fn of(object: &'a ObjectRef, is_placed: bool) -> Self {
        let version = object.api_version.rsplit('/').next().unwrap_or_default();
        let pattern = |name: &str| name.replace('.', "\\.");
        let namespace = object.namespace.as_deref().filter(|_| is_placed).map(pattern);
        Self { group: object.group(), version, kind: &object.kind, namespace, name: pattern(&object.name) }
    }
}

/// The files: `kustomization.yaml` first, then one for each new object. `base` is the directory of
/// the kustomization that the objects came from, if they did.
pub fn files(touched: &[Touched], originals: &Originals, base: Option<&str>, title: &str) -> Vec<Printed> {
    let mut resources: Vec<Printed> = Vec::new();
    let mut patches = String::new();
    for object in touched {
        match (&object.before, &object.after) {
            (None, Some(manifest)) => {
                let name = file_name(&object.object, &resources);
                resources.push((name, comment(&object.head) + &yaml(manifest)));
            }
            (None, None) => {}
            (Some(before), after) => patches += &patch(object, before, after.is_some(), originals),
        }
    }
    let mut text = comment(&[title.to_owned()]);
    if base.is_none() {
        let line = "Put what these patches change in front of resources, or copy the patches into its kustomization.";
        text += &comment(&[line.to_owned()]);
    }
    text += "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
    let names: Vec<&str> = base.into_iter().chain(resources.iter().map(|(name, _)| name.as_str())).collect();
    if !names.is_empty() {
        text += &["resources:\n", &indent(&yaml(&names), 2)].concat();
    }
    if !patches.is_empty() {
        text += &["patches:\n", &patches].concat();
    }
    std::iter::once(("kustomization.yaml".to_owned(), text)).chain(resources).collect()
}

fn patch(touched: &Touched, before: &Value, stays: bool, originals: &Originals) -> String {
    let object = &touched.object;
    let original = originals.get(object, None);
    let is_source = original.is_some_and(|original| original.is_source);
    let placed = original.is_none_or(|original| original.value.pointer("/metadata/namespace").is_some());
    let body = if stays {
        yaml(&touched.operations.iter().map(|operation| lenient(operation, before, is_source)).collect::<Vec<_>>())
    } else {
        let identity = serde_json::json!({
            "$patch": "delete", "apiVersion": object.api_version, "kind": object.kind,
            "metadata": {"name": object.name},
        });
        yaml(&identity)
    };
    let head = indent(&comment(&touched.head), 2);
    format!("{head}  - target:\n{}    patch: |-\n{}", indent(&yaml(&Target::of(object, placed)), 6), indent(&body, 6))
}

/// A live object has fields that a server added, which its source may lack: there `add` sets a
/// member whether it is there or not, and `replace` does not.
fn lenient(operation: &PatchOperation, before: &Value, is_source: bool) -> PatchOperation {
    let PatchOperation::Replace(replaced) = operation else { return operation.clone() };
    let path = replaced.path.to_string();
    let in_list = before.pointer(parent_of(&path)).is_some_and(Value::is_array) || last_segment(&path) == "-";
    if is_source || in_list { operation.clone() } else { add(&path, replaced.value.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::draft::Original;
    use crate::plan::patch::replace;
    use serde_json::json;

    fn touched(object: &ObjectRef, before: Option<Value>, after: Option<Value>) -> Touched {
        let operations = vec![replace("/data/A", "yes".into()), replace("/list/0", 2.into())];
        Touched { object: object.clone(), before, after, operations, head: vec!["rule · why".into()] }
    }

    #[test]
    fn patches_and_resources() {
        let map = ObjectRef::new("v1", "ConfigMap", Some("a"), "b.c");
        let gone = ObjectRef::new("policy/v1", "PodDisruptionBudget", Some("a"), "old");
        let made = ObjectRef::new("policy/v1", "PodDisruptionBudget", Some("a"), "new");
        let before = json!({"metadata": {"namespace": "a"}, "data": {"A": "no"}, "list": [1]});
        let mut originals = Originals::default();
        originals.insert(&map, None, Original { value: before.clone(), is_source: false });
        let manifest = json!({"kind": "PodDisruptionBudget", "metadata": {"name": "new"}});
        let all = [
            touched(&map, Some(before), Some(Value::Null)),
            Touched { operations: Vec::new(), ..touched(&gone, Some(Value::Null), None) },
            touched(&made, None, Some(manifest)),
        ];
        let files = files(&all, &originals, Some("../base"), "title");
        let expected = "\
# title
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../base
  - new-poddisruptionbudget.yaml
patches:
  # rule · why
  - target:
      version: v1
      kind: ConfigMap
      namespace: a
      name: b\\.c
    patch: |-
      - op: add
        path: /data/A
        value: \"yes\"
      - op: replace
        path: /list/0
        value: 2
  # rule · why
  - target:
      group: policy
      version: v1
      kind: PodDisruptionBudget
      namespace: a
      name: old
    patch: |-
      $patch: delete
      apiVersion: policy/v1
      kind: PodDisruptionBudget
      metadata:
        name: old
";
        assert_eq!(files[0].1, expected);
        assert_eq!(files[1].0, "new-poddisruptionbudget.yaml");
    }
}
