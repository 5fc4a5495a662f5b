//! Values of Secrets are dropped before anything else sees them.

use serde_json::{Map, Value};

/// Where `kubectl apply` keeps a whole object, data included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Drops the values of every Secret in a document, however deep it stands (a list, a template
/// of another tool). Keys of `data` and `stringData` stay, with null.
///
/// Returns whether there was a Secret.
pub(super) fn drop_values(value: &mut Value) -> bool {
    match value {
        Value::Array(items) => drop_all(items.iter_mut()),
        Value::Object(fields) => {
            let kind = fields.get("kind").and_then(Value::as_str);
            match kind {
                Some("Secret") if is_object(fields) => {
                    drop_of_secret(fields);
                    true
                }
                Some("SecretList") => {
                    let items = fields.get_mut("items").and_then(Value::as_array_mut);
                    let secrets = items.into_iter().flatten();
                    secrets.filter_map(Value::as_object_mut).for_each(drop_of_secret);
                    true
                }
                _ => drop_all(fields.values_mut()),
            }
        }
        _ => false,
    }
}

fn drop_all<'a>(values: impl Iterator<Item = &'a mut Value>) -> bool {
    values.fold(false, |found, value| drop_values(value) | found)
}

/// Tells a Secret from a reference to one: `{kind: Secret, name: tls}`.
fn is_object(fields: &Map<String, Value>) -> bool {
    ["metadata", "data", "stringData"].iter().any(|&field| fields.contains_key(field))
}

fn drop_of_secret(secret: &mut Map<String, Value>) {
    for field in ["data", "stringData"] {
        match secret.get_mut(field) {
            Some(Value::Object(data)) => data.values_mut().for_each(|value| *value = Value::Null),
            Some(other) => *other = Value::Null,
            None => {}
        }
    }
    let annotations = secret.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
    if let Some(Value::Object(annotations)) = annotations {
        annotations.retain(|key, _| key != LAST_APPLIED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_stay_and_values_go() {
        let mut secret = json!({
            "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "s", "annotations": {LAST_APPLIED: "hunter2", "a": "b"}},
            "data": {"password": "aHVudGVyMg=="},
            "stringData": "hunter2",
        });
        assert!(drop_values(&mut secret));
        let expected = json!({
            "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "s", "annotations": {"a": "b"}},
            "data": {"password": null},
            "stringData": null,
        });
        assert_eq!(secret, expected);
    }

    #[test]
    fn lists_and_templates_are_searched() {
        let secret = json!({"kind": "Secret", "data": {"a": "hunter2"}});
        let untyped = json!({"data": {"a": "hunter2"}});
        for mut value in [
            json!({"kind": "List", "items": [{"kind": "Pod"}, secret]}),
            json!({"kind": "Template", "objects": [secret, {"kind": "Pod"}]}),
            json!({"kind": "SecretList", "items": [untyped]}),
        ] {
            assert!(drop_values(&mut value));
            assert!(!value.to_string().contains("hunter2"), "{value}");
        }
    }

    #[test]
    fn others_are_left_alone() {
        for mut value in [
            json!({"kind": "ConfigMap", "data": {"kind": "Secret"}}),
            json!({"kind": "SealedSecret", "data": {"a": "encrypted"}}),
            json!({"kind": "Gateway", "certificateRefs": [{"kind": "Secret", "name": "tls"}]}),
        ] {
            let before = value.clone();
            assert!(!drop_values(&mut value));
            assert_eq!(value, before);
        }
    }
}
