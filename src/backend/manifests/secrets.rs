//! Values of Secrets are dropped before anything else sees them.

use super::tree::{Fields, Tree};

/// Where `kubectl apply` keeps a whole object, data included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Drops the values of every Secret in a document, however deep it stands (a list, a template
/// of another tool). Keys of `data` and `stringData` stay, with null.
///
/// Returns whether there was a Secret.
pub(super) fn drop_values(value: &mut Tree<'_>) -> bool {
    match value {
        Tree::List(items) => drop_all(items.iter_mut()),
        Tree::Map(fields) => match fields.get("kind").and_then(Tree::text) {
            Some("Secret") if is_object(fields) => {
                drop_of_secret(fields);
                true
            }
            Some("SecretList") => {
                if let Some(Tree::List(secrets)) = fields.get_mut("items") {
                    secrets.iter_mut().filter_map(Tree::fields_mut).for_each(drop_of_secret);
                }
                true
            }
            _ => drop_all(fields.values_mut()),
        },
        _ => false,
    }
}

fn drop_all<'a, 'text: 'a>(values: impl Iterator<Item = &'a mut Tree<'text>>) -> bool {
    values.fold(false, |found, value| drop_values(value) | found)
}

/// Tells a Secret from a reference to one: `{kind: Secret, name: tls}`.
fn is_object(fields: &Fields<'_>) -> bool {
    ["metadata", "data", "stringData"].iter().any(|&field| fields.get(field).is_some())
}

fn drop_of_secret(secret: &mut Fields<'_>) {
    for field in ["data", "stringData"] {
        match secret.get_mut(field) {
            Some(Tree::Map(data)) => data.values_mut().for_each(|value| *value = Tree::Null),
            Some(other) => *other = Tree::Null,
            None => {}
        }
    }
    let annotations = secret.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
    if let Some(Tree::Map(annotations)) = annotations {
        annotations.remove(LAST_APPLIED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// What is left of a value, and whether a Secret stood in it.
    fn drop_in(value: &Value) -> (bool, Value) {
        let text = value.to_string();
        let mut tree: Tree<'_> = serde_json::from_str(&text).unwrap();
        (drop_values(&mut tree), tree.into())
    }

    #[test]
    fn keys_stay_and_values_go() {
        let secret = json!({
            "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "s", "annotations": {LAST_APPLIED: "hunter2", "a": "b"}},
            "data": {"password": "aHVudGVyMg=="},
            "stringData": "hunter2",
        });
        let expected = json!({
            "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "s", "annotations": {"a": "b"}},
            "data": {"password": null},
            "stringData": null,
        });
        assert_eq!(drop_in(&secret), (true, expected));
    }

    #[test]
    fn lists_and_templates_are_searched() {
        let secret = json!({"kind": "Secret", "data": {"a": "hunter2"}});
        let untyped = json!({"data": {"a": "hunter2"}});
        for value in [
            json!({"kind": "List", "items": [{"kind": "Pod"}, secret]}),
            json!({"kind": "Template", "objects": [secret, {"kind": "Pod"}]}),
            json!({"kind": "SecretList", "items": [untyped]}),
        ] {
            let (found, value) = drop_in(&value);
            assert!(found && !value.to_string().contains("hunter2"), "{value}");
        }
    }

    #[test]
    fn others_are_left_alone() {
        for value in [
            json!({"kind": "ConfigMap", "data": {"kind": "Secret"}}),
            json!({"kind": "SealedSecret", "data": {"a": "encrypted"}}),
            json!({"kind": "Gateway", "certificateRefs": [{"kind": "Secret", "name": "tls"}]}),
        ] {
            assert_eq!(drop_in(&value), (false, value));
        }
    }
}
