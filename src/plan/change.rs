//! What a write changed, field by field: enough to take it back, and nothing else.
//!
//! Computed from the object before and after, not from the patch: the server clears and defaults
//! fields of its own accord, and those have to come back too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::fix::{Action, Edit};
use crate::model::object::pointer;

use super::patch::{self, PatchError, identity};

/// The parts of an object that people write.
const PARTS: [&str; 5] = ["/metadata/labels", "/metadata/annotations", "/spec", "/data", "/binaryData"];

/// The annotation whose text is never kept.
const LAST_APPLIED_POINTER: &str = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";

/// Fields that the server writes by itself whenever an object changes.
const SERVER_OWNED: [&str; 2] = [
    "/metadata/annotations/deployment.kubernetes.io~1revision",
    "/metadata/annotations/deprecated.daemonset.template.generation",
];

/// One field before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The field.
    pub pointer: String,
    /// What stood there; `None` for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What stands there now; `None` for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// For a text that may not be kept: what changed inside it. Then the other two are empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextChange>,
}

/// A member that went from a JSON text, and the texts' hashes in place of the texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TextChange {
    /// The member, as a JSON pointer into the text.
    pub member: String,
    /// Its value.
    pub value: Value,
    /// SHA-256 of the text before.
    pub before: String,
    /// SHA-256 of the text now.
    pub after: String,
}

/// The fields that differ between two states of one object.
pub fn between(before: &Value, after: &Value) -> Vec<Change> {
    let mut out = Vec::new();
    for part in PARTS {
        compare(part, before.pointer(part), after.pointer(part), &mut out);
    }
    out.retain(|change| !SERVER_OWNED.contains(&change.pointer.as_str()));
    out.iter_mut().filter(|change| change.pointer == LAST_APPLIED_POINTER).for_each(forget_text);
    out
}

/// Keeps of a changed last-applied text the member that went, and hashes.
fn forget_text(change: &mut Change) {
    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    let (Some(before), Some(after)) = (text(&change.before), text(&change.after)) else { return };
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let mut inner = Vec::new();
    compare("", Some(&parse(&before)), Some(&parse(&after)), &mut inner);
    if let [Change { pointer, before: Some(value), after: None, .. }] = inner.as_slice() {
        let (before, after) = (hash(&before), hash(&after));
        change.text = Some(TextChange { member: pointer.clone(), value: value.clone(), before, after });
        change.before = None;
        change.after = None;
    }
}

/// SHA-256 of a text, in hexadecimal.
pub fn hash(text: &str) -> String {
    crate::finding::hex(&Sha256::digest(text.as_bytes()))
}

fn compare(at: &str, before: Option<&Value>, after: Option<&Value>, out: &mut Vec<Change>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                compare(&pointer(at, &[name]), old.get(name), new.get(name), out);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if same_elements(old, new) => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{at}/{index}"), Some(old), Some(new), out);
            }
        }
        (before, after) => {
            out.push(Change { pointer: at.to_owned(), before: before.cloned(), after: after.cloned(), text: None });
        }
    }
}

/// True if two lists hold the same elements in the same places, by name: then fields inside them
/// can be told apart. Otherwise the list is one value.
fn same_elements(old: &[Value], new: &[Value]) -> bool {
    old.len() == new.len()
        && old.iter().zip(new).all(|(old, new)| match (identity(old), identity(new)) {
            (Some(old), Some(new)) => old == new,
            _ => false,
        })
}

/// The edits that take changes back, and the values that must still stand for that.
pub fn inverse(changes: &[Change]) -> Vec<Edit> {
    changes
        .iter()
        .map(|change| match (&change.text, &change.before) {
            (Some(text), _) => Edit {
                pointer: change.pointer.clone(),
                action: Action::PutInText(text.member.clone(), text.value.clone()),
            },
            (None, Some(value)) => Edit::set(change.pointer.clone(), value.clone()),
            (None, None) => Edit::remove(change.pointer.clone()),
        })
        .collect()
}

/// The changes whose field no longer holds what we set: pointer, our value, what stands there.
pub fn diverged<'a>(changes: &'a [Change], live: &'a Value) -> Vec<(&'a Change, Option<&'a Value>)> {
    changes
        .iter()
        .map(|change| (change, live.pointer(&change.pointer)))
        .filter(|(change, now)| match &change.text {
            Some(text) => now.and_then(Value::as_str).map(hash).as_deref() != Some(text.after.as_str()),
            None => change.after.as_ref() != *now && !holds_all_of(change, *now),
        })
        .collect()
}

/// True if a map that we added still holds everything that we put into it: others may have added
/// more, which stays.
fn holds_all_of(change: &Change, now: Option<&Value>) -> bool {
    match (&change.before, &change.after, now) {
        (None, Some(Value::Object(ours)), Some(Value::Object(now))) => {
            ours.iter().all(|(key, value)| now.get(key) == Some(value))
        }
        _ => false,
    }
}

/// The guarded patch that takes changes back on the live object. A map that we made and that
/// others have filled since loses just our members.
pub fn undo_patch(changes: &[Change], live: &Value) -> Result<patch::Guarded, PatchError> {
    if let Some((change, now)) = diverged(changes, live).first() {
        return Err(patch::changed(&change.pointer, change.after.as_ref(), *now));
    }
    let mut edits = Vec::new();
    for change in changes {
        let now = live.pointer(&change.pointer);
        match (&change.before, &change.after, now) {
            (None, Some(Value::Object(ours)), Some(now)) if change.after.as_ref() != Some(now) => {
                edits.extend(ours.keys().map(|key| Edit::remove(pointer(&change.pointer, &[key]))));
            }
            _ => edits.extend(inverse(std::slice::from_ref(change))),
        }
    }
    patch::build(live, &edits, &[])
}

/// True if a change holds something that may not be kept in a journal.
pub fn holds_secret(change: &Change) -> bool {
    let key = patch::last_segment(&change.pointer);
    [&change.before, &change.after].into_iter().flatten().any(|value| match value {
        Value::String(text) => crate::model::mask::mask(&key, text) != *text,
        value => crate::model::mask::holds_masked_key(value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_server_cleared_comes_back() {
        let before = json!({"spec": {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30000}], "healthCheckNodePort": 31000}});
        let after = json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}});
        let changes = between(&before, &after);
        let pointers: Vec<&str> = changes.iter().map(|change| change.pointer.as_str()).collect();
        assert_eq!(pointers, ["/spec/healthCheckNodePort", "/spec/ports/0/nodePort", "/spec/type"]);
        assert_eq!(undo_patch(&changes, &after).unwrap().after, before);
    }

    #[test]
    fn foreign_members_of_a_map_that_we_made_stay() {
        let before = json!({"spec": {"template": {"metadata": {}}}});
        let after = json!({"spec": {"template": {"metadata": {"annotations": {"ours": "1"}}}}});
        let changes = between(&before, &after);
        let live = json!({"spec": {"template": {"metadata": {"annotations": {"ours": "1", "theirs": "2"}}}}});
        assert_eq!(
            undo_patch(&changes, &live).unwrap().after["spec"]["template"]["metadata"],
            json!({"annotations": {"theirs": "2"}})
        );
        assert_eq!(undo_patch(&changes, &after).unwrap().after, before);
    }

    #[test]
    fn a_foreign_edit_of_our_field_is_refused() {
        let changes = between(&json!({"data": {"A": "1"}}), &json!({"data": {"A": "2"}}));
        let error = undo_patch(&changes, &json!({"data": {"A": "3"}})).unwrap_err();
        assert_eq!(error.to_string(), "/data/A is \"3\", not \"2\"");
    }

    #[test]
    fn counters_of_the_server_are_not_changes() {
        let object = |generation: &str| json!({"metadata": {"annotations": {"deprecated.daemonset.template.generation": generation}}});
        assert_eq!(between(&object("1"), &object("2")), []);
    }

    #[test]
    fn moved_elements_are_one_value() {
        let before = json!({"spec": {"ports": [{"port": 80}, {"port": 81}]}});
        let after = json!({"spec": {"ports": [{"port": 81}]}});
        let changes = between(&before, &after);
        assert_eq!(changes.len(), 1);
        assert_eq!(undo_patch(&changes, &after).unwrap().after, before);
    }
}
