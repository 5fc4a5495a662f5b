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
    /// The list elements on the way, outermost first: where the member that names each stood, and
    /// its value. Others may move them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elements: Vec<(String, Value)>,
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
    out.iter_mut().for_each(|change| change.elements = patch::positions(before, &change.pointer));
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
            let (before, after) = (before.cloned(), after.cloned());
            out.push(Change { pointer: at.to_owned(), before, after, text: None, elements: Vec::new() });
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

/// How a field stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds what we set.
    Ours,
    /// It holds what it held before.
    AsBefore,
    /// It holds something else.
    Foreign,
}

/// A change and its field as it is now.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// What we changed.
    pub change: &'a Change,
    /// Where the field is now: others may have moved the list element that it is in.
    pub pointer: String,
    /// What it holds.
    pub now: Option<&'a Value>,
    /// What that means.
    pub standing: Standing,
    /// True if the list element that it is in is gone: no value can be put there.
    pub is_lost: bool,
}

impl Field<'_> {
    /// Before, what we set, what it holds now, in one line; nothing that may not be shown.
    pub fn columns(&self) -> String {
        let show = |value: Option<&Value>| patch::shown(&self.pointer, value);
        let (before, set, now) = match &self.change.text {
            Some(text) => {
                (format!("with {}", text.member), format!("without {}", text.member), "another text".to_owned())
            }
            None => (show(self.change.before.as_ref()), show(self.change.after.as_ref()), show(self.now)),
        };
        format!("{}: before {before} · we set {set} · now {now}", self.pointer)
    }

    /// What is left to do to take the change back.
    fn inverse(&self) -> Vec<Edit> {
        match (self.change.text.as_ref(), &self.change.before, &self.change.after, self.now) {
            (Some(text), ..) => {
                let action = Action::PutInText(text.member.clone(), text.value.clone());
                vec![Edit { pointer: self.pointer.clone(), action }]
            }
            (None, Some(before), ..) => vec![Edit::set(self.pointer.clone(), before.clone())],
            // A map that we made and that others have filled since loses just our members.
            (None, None, Some(Value::Object(ours)), Some(now)) if self.change.after.as_ref() != Some(now) => {
                ours.keys().map(|key| Edit::remove(pointer(&self.pointer, &[key]))).collect()
            }
            (None, None, ..) => vec![Edit::remove(self.pointer.clone())],
        }
    }
}

/// The fields of changes as they are now.
pub fn standing<'a>(changes: &'a [Change], live: &'a Value) -> Vec<Field<'a>> {
    changes.iter().map(|change| field(change, live)).collect()
}

fn field<'a>(change: &'a Change, live: &'a Value) -> Field<'a> {
    let place = locate(change, live);
    let now = place.as_ref().and_then(|place| live.pointer(place));
    let standing = match &change.text {
        Some(text) => match now.and_then(Value::as_str).map(hash) {
            Some(found) if found == text.after => Standing::Ours,
            Some(found) if found == text.before => Standing::AsBefore,
            _ => Standing::Foreign,
        },
        None if now == change.before.as_ref() => Standing::AsBefore,
        None if place.is_some() && (now == change.after.as_ref() || holds_all_of(change, now)) => Standing::Ours,
        None => Standing::Foreign,
    };
    let is_lost = place.is_none();
    Field { change, pointer: place.unwrap_or_else(|| change.pointer.clone()), now, standing, is_lost }
}

/// Where a field is now; `None` if a list element on the way is gone.
fn locate(change: &Change, live: &Value) -> Option<String> {
    // The innermost element so far, then and now.
    let (mut then, mut now) = (String::new(), String::new());
    for (at, name) in &change.elements {
        let (element, member) = (patch::parent_of(at), patch::last_segment(at));
        let list = format!("{now}{}", patch::parent_of(element).strip_prefix(then.as_str())?);
        let items = live.pointer(&list)?.as_array()?;
        let is_it = |item: &Value| item.get(&member) == Some(name);
        let old = patch::last_segment(element).parse::<usize>().ok()?;
        let index = match items.get(old) {
            Some(item) if is_it(item) => old,
            _ => {
                let mut found = items.iter().enumerate().filter(|(_, item)| is_it(item)).map(|(index, _)| index);
                found.next().filter(|_| found.next().is_none())?
            }
        };
        now = format!("{list}/{index}");
        element.clone_into(&mut then);
    }
    Some(format!("{now}{}", change.pointer.strip_prefix(then.as_str())?))
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

/// The guarded patch that takes fields back on the live object.
pub fn undo_patch(fields: &[Field<'_>], live: &Value) -> Result<patch::Guarded, PatchError> {
    let edits: Vec<Edit> = fields.iter().flat_map(Field::inverse).collect();
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

    /// The object with the changes taken back, all of which must stand.
    fn undone(changes: &[Change], live: &Value) -> Value {
        let fields = standing(changes, live);
        assert!(fields.iter().all(|field| field.standing == Standing::Ours), "{fields:?}");
        undo_patch(&fields, live).unwrap().after
    }

    #[test]
    fn what_the_server_cleared_comes_back() {
        let before = json!({"spec": {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30000}], "healthCheckNodePort": 31000}});
        let after = json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}});
        let changes = between(&before, &after);
        let pointers: Vec<&str> = changes.iter().map(|change| change.pointer.as_str()).collect();
        assert_eq!(pointers, ["/spec/healthCheckNodePort", "/spec/ports/0/nodePort", "/spec/type"]);
        assert_eq!(undone(&changes, &after), before);
    }

    #[test]
    fn foreign_members_of_a_map_that_we_made_stay() {
        let before = json!({"spec": {"template": {"metadata": {}}}});
        let after = json!({"spec": {"template": {"metadata": {"annotations": {"ours": "1"}}}}});
        let changes = between(&before, &after);
        let live = json!({"spec": {"template": {"metadata": {"annotations": {"ours": "1", "theirs": "2"}}}}});
        assert_eq!(undone(&changes, &live)["spec"]["template"]["metadata"], json!({"annotations": {"theirs": "2"}}));
        assert_eq!(undone(&changes, &after), before);
    }

    #[test]
    fn a_foreign_edit_is_told_from_ours() {
        let changes = between(&json!({"data": {"A": "1", "B": "1"}}), &json!({"data": {"A": "2", "B": "2"}}));
        let live = json!({"data": {"A": "3", "B": "1"}});
        let fields = standing(&changes, &live);
        let stand: Vec<Standing> = fields.iter().map(|field| field.standing).collect();
        assert_eq!(stand, [Standing::Foreign, Standing::AsBefore]);
        assert_eq!(fields[0].columns(), "/data/A: before \"1\" · we set \"2\" · now \"3\"");
        assert_eq!(undo_patch(&fields, &live).unwrap().after["data"], json!({"A": "1", "B": "1"}));
    }

    #[test]
    fn fields_are_found_in_elements_that_have_moved() {
        let with = |env: Value| json!({"spec": {"containers": [{"name": "web", "env": env}]}});
        let before = with(json!([{"name": "A", "value": "x"}, {"name": "B", "value": "1"}]));
        let after = with(json!([{"name": "A", "value": "x"}, {"name": "B", "value": "2"}]));
        let changes = between(&before, &after);
        assert_eq!(changes[0].pointer, "/spec/containers/0/env/1/value");
        let side = json!({"name": "side", "env": [{"name": "A"}, {"name": "B", "value": "2"}]});
        let web = json!({"name": "web", "env": [{"name": "B", "value": "2"}]});
        let live = json!({"spec": {"containers": [side, web]}});
        let fields = standing(&changes, &live);
        assert_eq!(fields[0].pointer, "/spec/containers/1/env/0/value");
        let back = undo_patch(&fields, &live).unwrap().after;
        assert_eq!(back["spec"]["containers"][0]["env"][1]["value"], "2");
        assert_eq!(back["spec"]["containers"][1]["env"][0]["value"], "1");
        let gone = json!({"spec": {"containers": [side]}});
        let lost = &standing(&changes, &gone)[0];
        assert_eq!((lost.standing, lost.is_lost), (Standing::Foreign, true));
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
        assert_eq!(undone(&changes, &after), before);
    }
}
