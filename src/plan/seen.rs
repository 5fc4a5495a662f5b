//! What a fix was made for: values of the snapshot that must still stand when the fix is written.
//!
//! The guards of a patch hold from the moment at which its object is read again. Between the
//! audit and that moment a person decides, or a rollout goes on for minutes: a value that somebody
//! changed meanwhile is not the one that the finding is about.

use serde_json::Value;

use super::patch::{self, last_segment};
use crate::fix::{Action, Edit, Step};
use crate::model::{Inventory, mask};

/// The steps, each expecting what the snapshot holds where it writes.
pub fn pin(steps: &[Step], inventory: &Inventory) -> Vec<Step> {
    let mut steps = steps.to_vec();
    for step in &mut steps {
        if let Step::Patch { object, edits, expect, .. } = step
            && let Some(snapshot) = inventory.projection(object)
        {
            expect.extend(seen(&snapshot, edits));
        }
    }
    steps
}

/// Names of list elements on the way to a field, and scalars that are replaced or removed. What a
/// snapshot does not keep is not expected.
fn seen(snapshot: &Value, edits: &[Edit]) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for edit in edits {
        out.extend(patch::positions(snapshot, &edit.pointer));
        let plain = matches!(edit.action, Action::Set(_) | Action::Remove);
        if let Some(value) = snapshot.pointer(&edit.pointer).filter(|value| plain && is_faithful(&edit.pointer, value))
        {
            out.push((edit.pointer.clone(), value.clone()));
        }
    }
    out.sort_by(|a, b| a.0.cmp(&b.0));
    out.dedup();
    out
}

/// True for values that a snapshot keeps as the server has them. What is empty may stand for an
/// absent field, and the scale of a workload at 0 has no number.
fn is_faithful(pointer: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty() && mask::mask(&last_segment(pointer), text) == *text,
        Value::Number(number) => number.as_i64() != Some(0),
        Value::Bool(set) => *set,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_and_names_are_expected() {
        let snapshot = json!({"spec": {"replicas": 1, "containers": [{"name": "web", "image": "a", "args": ["x"]}]}});
        let edits = [
            Edit::set("/spec/replicas", 3),
            Edit::set("/spec/containers/0/args", json!([])),
            Edit::set("/spec/containers/0/new", "b"),
            Edit::remove("/spec/containers/0/image"),
        ];
        let name = ("/spec/containers/0/name".to_owned(), json!("web"));
        let image = ("/spec/containers/0/image".to_owned(), json!("a"));
        assert_eq!(seen(&snapshot, &edits), [image, name, ("/spec/replicas".to_owned(), json!(1))]);
    }

    #[test]
    fn no_number_is_expected_of_a_workload_at_zero() {
        assert_eq!(seen(&json!({"spec": {"replicas": 0}}), &[Edit::set("/spec/replicas", 3)]), []);
    }
}
