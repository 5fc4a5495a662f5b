//! Objects that do not have the shape of their kind: which field, and why.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::model::object::{ObjectRef, pointer};

/// An object that does not have the shape of its kind.
#[derive(Debug, thiserror::Error)]
#[error("failed to read {object}: {reason}")]
pub struct BadObject {
    /// Which object, as far as its metadata could be read.
    pub object: String,
    /// What is wrong, with the field if it is known.
    pub reason: String,
    /// The field, as a JSON pointer; empty if it is not known.
    pub pointer: String,
}

impl BadObject {
    /// Without a field.
    pub(super) fn new(object: String, error: &serde_json::Error) -> Self {
        Self { object, reason: shape(error), pointer: String::new() }
    }

    /// With the field whose value a `T` can't have, if reading the object again finds it.
    pub(super) fn traced<T: DeserializeOwned>(
        kind: &str,
        name: &str,
        error: &serde_json::Error,
        value: &Value,
    ) -> Self {
        let namespace = value.pointer("/metadata/namespace").and_then(Value::as_str);
        let object = ObjectRef::new("", kind, namespace, name).to_string();
        let Err(traced) = serde_path_to_error::deserialize::<_, T>(value) else { return Self::new(object, error) };
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            other => other.to_string(),
        };
        let steps: Vec<String> = traced.path().iter().map(step).collect();
        if steps.is_empty() {
            return Self::new(object, error);
        }
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let reason = format!("{}: {}", traced.path(), shape(traced.inner()));
        Self { object, reason, pointer: pointer("", &steps) }
    }
}

/// What is wrong with a shape, without the value that has it: that may be a credential.
fn shape(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let begins = |with: &[&str]| with.iter().any(|with| text.starts_with(with));
    if !error.is_data() || begins(&["missing field", "duplicate field"]) {
        return text;
    }
    let quoted = text.find(['"', '`']);
    match (quoted, text.rfind(", expected")) {
        _ if !begins(&["invalid type", "invalid value", "invalid length"]) => "invalid value".to_owned(),
        (Some(start), Some(end)) if start < end => format!("{}{}", text[..start].trim_end(), &text[end..]),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Inventory;

    #[test]
    fn a_wrong_value_is_never_quoted() {
        let mut inventory = Inventory::default();
        let bad = |data: Value| json!({"metadata": {"name": "a"}, "data": data});
        for (data, reason) in [
            (Value::from("hunter2\", expected x"), "data: invalid type: string, expected a map"),
            (Value::from(4711), "data: invalid type: integer, expected a map"),
            (json!({"A": ["hunter2"]}), "data.A: invalid type: sequence, expected a string"),
            (json!({"A": 4711}), "data.A: invalid type: integer, expected a string"),
            (json!({"a.b/c~d": 7}), "data.a.b/c~d: invalid type: integer, expected a string"),
        ] {
            assert_eq!(inventory.add("v1", "ConfigMap", bad(data), None).unwrap_err().reason, reason);
        }
        let metadata = json!({"name": "a", "creationTimestamp": "2024-01-01T00:00:00Zhunter2"});
        let object = json!({"metadata": metadata});
        let refused = inventory.add("v1", "ConfigMap", object, None).unwrap_err();
        assert_eq!(refused.reason, "metadata.creationTimestamp: invalid value");
    }

    #[test]
    fn the_wrong_field_is_named() {
        let object = json!({"metadata": {"name": "a"}, "data": {"b/c~d": 7}});
        let bad = Inventory::default().add("v1", "ConfigMap", object, None).unwrap_err();
        assert_eq!(bad.pointer, "/data/b~1c~0d");
        let object = json!({"metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": [
            {"name": "a"}, {"name": "b", "ports": [{"containerPort": "http"}]}]}}}});
        let bad = Inventory::default().add("apps/v1", "Deployment", object, None).unwrap_err();
        assert_eq!(bad.pointer, "/spec/template/spec/containers/1/ports/0/containerPort");
        let field = "spec.template.spec.containers[1].ports[0].containerPort";
        let text = format!("failed to read Deployment/web: {field}: invalid type: string, expected i64");
        assert_eq!(bad.to_string(), text);
    }
}
