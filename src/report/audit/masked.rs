//! Values, patches and texts of a report without what may not be shown.

use serde_json::Value;

use super::Operation;
use crate::fix::{Action, Edit};
use crate::model::mask;
use crate::plan::patch::{Guarded, parent_of};

pub(super) use crate::plan::hidden::{key, masked as value, under};

/// A text of a rule: it may quote the cluster.
pub(super) fn text(text: &str) -> String {
    mask::mask("", text)
}

/// An answer or default, by its key.
pub(super) fn answer(key: &str, text: &str) -> String {
    mask::mask(key, text)
}

/// All of an object.
pub(super) fn tree(value: &Value) -> Value {
    let mut value = value.clone();
    mask::mask_tree(&mut value);
    value
}

/// The operations of a patch. What an edit drops from a JSON text never appears, nor does the text.
pub(super) fn operations(object: &Value, edits: &[Edit], guarded: &Guarded) -> Vec<Operation> {
    let texts: Vec<&str> = edits
        .iter()
        .filter(|edit| matches!(edit.action, Action::DropInText(_)))
        .map(|edit| edit.pointer.as_str())
        .collect();
    let known = |path: &str| if object.pointer(parent_of(path)).is_some() { object } else { &guarded.after };
    let show = |operation: &json_patch::PatchOperation| {
        let json = serde_json::to_value(operation).unwrap_or_default();
        let member = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (op, path) = (member("op"), member("path"));
        let shown = |found: &Value| match found {
            Value::Null => Value::Null,
            _ if texts.contains(&path.as_str()) => Value::String(mask::MASK.to_owned()),
            found => value(Some(known(&path)), &path, found),
        };
        let value = json.get("value").map(shown);
        Operation { op, path, value }
    };
    guarded.patch.0.iter().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::object::LAST_APPLIED;
    use crate::plan::patch;
    use serde_json::json;

    #[test]
    fn guards_and_new_values_are_masked() {
        let object = json!({
            "metadata": {"uid": "u", "annotations": {(LAST_APPLIED): "{\"spec\":{\"replicas\":1,\"x\":\"hunter2\"}}"}},
            "data": {"DB_PASSWORD": "hunter2", "MODE": "a"},
        });
        let annotation = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
        let edits = [
            Edit::set("/data/DB_PASSWORD", "hunter2-new"),
            Edit::set("/data/MODE", "b"),
            Edit { pointer: annotation.into(), action: Action::DropInText("/spec/replicas".into()) },
        ];
        let shown = operations(&object, &edits, &patch::build(&object, &edits, &[]).unwrap());
        let text = serde_json::to_string(&shown).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("replicas"), "{text}");
        assert!(text.contains(r#"{"op":"replace","path":"/data/MODE","value":"b"}"#), "{text}");
        assert!(text.contains(r#"{"op":"test","path":"/metadata/uid","value":"u"}"#), "{text}");
    }
}
