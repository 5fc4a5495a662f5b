//! What of a patch may not be shown: values whose names look like credentials, wherever they stand.

use std::borrow::Borrow;

use json_patch::PatchOperation;
use serde_json::Value;

use super::patch::{Guarded, last_segment, parent_of};
use crate::model::mask;
use crate::model::object::LAST_APPLIED;

/// The value of a field, by the names on the way to it. `object` is where the field stands, for
/// the name of a variable beside its value.
pub fn masked(object: Option<&Value>, pointer: &str, value: &Value) -> Value {
    under(&key(|| object, pointer), value)
}

/// The value of a field of that name.
pub fn under(key: &str, value: &Value) -> Value {
    if matches!(value, Value::Bool(_) | Value::Number(_) | Value::Null) {
        return value.clone();
    }
    if key == LAST_APPLIED {
        return Value::String(mask::MASK.to_owned());
    }
    // The key in a tree of its own, so that values are masked by one rule wherever they stand.
    let mut holder = serde_json::json!({ key: value });
    mask::mask_tree(&mut holder);
    holder[key].take()
}

/// The name that says what a field holds: its own, that of the list that it stands in, or that of
/// the variable whose value it is. The object is asked for just then.
pub fn key<T: Borrow<Value>>(object: impl FnOnce() -> Option<T>, pointer: &str) -> String {
    let (mut at, mut key) = (pointer, last_segment(pointer));
    if key == "value" {
        let name = format!("{}/name", parent_of(pointer));
        let object = object();
        if let Some(Value::String(name)) = object.as_ref().and_then(|object| object.borrow().pointer(&name)) {
            return name.clone();
        }
    }
    while !at.is_empty() && (key == "-" || key.parse::<usize>().is_ok()) {
        at = parent_of(at);
        key = last_segment(at);
    }
    key
}

/// The first field of a patch, guards included, whose value may not be shown.
pub fn first_of(before: &Value, guarded: &Guarded) -> Option<String> {
    guarded.patch.0.iter().find_map(|operation| {
        let (path, value) = match operation {
            PatchOperation::Test(it) => (it.path.to_string(), &it.value),
            PatchOperation::Add(it) => (it.path.to_string(), &it.value),
            PatchOperation::Replace(it) => (it.path.to_string(), &it.value),
            _ => return None,
        };
        let holder = if before.pointer(parent_of(&path)).is_some() { before } else { &guarded.after };
        (masked(Some(holder), &path, value) != *value).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::mask::MASK;
    use serde_json::json;

    #[test]
    fn the_name_of_a_variable_masks_its_masked() {
        let object = json!({"spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}]}});
        let at = "/spec/containers/0/env/0/value";
        assert_eq!(masked(Some(&object), at, &json!("hunter2")), MASK);
        assert_eq!(masked(None, "/data/DB_PASSWORD", &json!("hunter2")), MASK);
        assert_eq!(masked(None, "/data/passwords/0", &json!("hunter2")), MASK);
        assert_eq!(masked(None, "/data/MODE", &json!("a")), "a");
        assert_eq!(masked(None, "/spec/replicas", &json!(3)), 3);
        assert_eq!(masked(None, "/spec/env", &object["spec"])["containers"][0]["env"][0]["value"], MASK);
    }

    #[test]
    fn guards_count() {
        let object = json!({"data": {"DB_PASSWORD": "hunter2", "MODE": "a"}});
        let patch = |edit| crate::plan::patch::build(&object, &[edit], &[]).unwrap();
        let removal = patch(crate::fix::Edit::remove("/data/DB_PASSWORD"));
        assert_eq!(first_of(&object, &removal).as_deref(), Some("/data/DB_PASSWORD"));
        assert_eq!(first_of(&object, &patch(crate::fix::Edit::set("/data/MODE", "b"))), None);
    }
}
