//! RFC 6902 operations with guards, built from the edits of a fix and the object as served.
//!
//! Guards, in this order: the uid; for every list position on a touched path the identity of the
//! element there; the old value of every member that is replaced or removed; the absence of every
//! member that is added. The API server's dialect is used where it differs from the RFC: a `test`
//! with `null` passes for an absent member, and a `replace` of an absent member succeeds, so
//! neither is relied on alone.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde_json::Value;

use super::{Action, Edit};

/// A patch, and what the object becomes if it is applied.
#[derive(Clone, Debug)]
pub struct Guarded {
    /// The operations, guards first.
    pub patch: Patch,
    /// The object afterwards, as far as this side can know.
    pub after: Value,
}

/// An edit does not fit the object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// A value is not what the fix was made for.
    #[error("{pointer} is {found}, not {expected}")]
    Changed {
        /// The field.
        pointer: String,
        /// What the fix was made for.
        expected: String,
        /// What stands there now.
        found: String,
    },
    /// A path leads through something that is neither an object nor a list.
    #[error("{0} leads nowhere")]
    NoSuchPath(String),
}

/// Builds the guarded patch. An edit that changes nothing is left out; if none is left, the patch
/// is empty.
pub fn build(raw: &Value, edits: &[Edit], expect: &[(String, Value)]) -> Result<Guarded, PatchError> {
    let mut builder = Builder { raw, after: raw.clone(), guards: Vec::new(), changes: Vec::new() };
    for edit in edits {
        builder.edit(edit)?;
    }
    if builder.changes.is_empty() {
        return Ok(Guarded { patch: Patch(Vec::new()), after: builder.after });
    }
    let mut operations = Vec::new();
    if let Some(uid) = raw.pointer("/metadata/uid") {
        operations.push(test("/metadata/uid", uid.clone()));
    }
    for (pointer, value) in expect {
        let found = raw.pointer(pointer);
        let done = |edit: &Edit| edit.pointer == *pointer && edit.is_done(raw);
        if edits.iter().any(done) {
            continue;
        }
        // `null` expects that nothing is there; where its parent is absent too, no test can say so.
        if found.unwrap_or(&Value::Null) != value {
            return Err(changed(pointer, Some(value), found));
        }
        if !value.is_null() || raw.pointer(parent_of(pointer)).is_some() {
            operations.push(test(pointer, value.clone()));
        }
    }
    for guard in builder.guards {
        if !operations.contains(&guard) {
            operations.push(guard);
        }
    }
    operations.extend(builder.changes);
    Ok(Guarded { patch: Patch(operations), after: builder.after })
}

/// Applies edits without guards: for simulations on projections.
pub fn apply_edits(value: &mut Value, edits: &[Edit]) -> Result<(), PatchError> {
    let guarded = build(value, edits, &[])?;
    *value = guarded.after;
    Ok(())
}

/// The text of a value in a message; nothing that may not be shown.
pub fn changed(pointer: &str, expected: Option<&Value>, found: Option<&Value>) -> PatchError {
    PatchError::Changed {
        pointer: pointer.to_owned(),
        expected: shown(pointer, expected),
        found: shown(pointer, found),
    }
}

/// A value as it may be shown; `absent` for none.
pub fn shown(pointer: &str, value: Option<&Value>) -> String {
    let key = pointer.rsplit('/').next().unwrap_or_default();
    match value {
        None | Some(Value::Null) => "absent".to_owned(),
        Some(Value::String(text)) => format!("{:?}", crate::model::mask::mask(key, text)),
        Some(value) => {
            let mut masked = value.clone();
            crate::model::mask::mask_tree(&mut masked);
            masked.to_string()
        }
    }
}

struct Builder<'a> {
    raw: &'a Value,
    after: Value,
    guards: Vec<PatchOperation>,
    changes: Vec<PatchOperation>,
}

impl Builder<'_> {
    fn edit(&mut self, edit: &Edit) -> Result<(), PatchError> {
        let positions = positions(self.raw, &edit.pointer);
        self.guards.extend(positions.into_iter().map(|(at, value)| test(&at, value)));
        match &edit.action {
            Action::Set(value) => self.set(&edit.pointer, value),
            Action::Remove => {
                self.remove(&edit.pointer);
                Ok(())
            }
            Action::DropInText(member) => self.in_text(&edit.pointer, member, None),
            Action::PutInText(member, value) => self.in_text(&edit.pointer, member, Some(value)),
        }
    }

    fn set(&mut self, pointer: &str, value: &Value) -> Result<(), PatchError> {
        if let Some(list) = pointer.strip_suffix("/-") {
            return self.append(list, value);
        }
        if self.after.pointer(pointer) == Some(value) {
            return Ok(());
        }
        if let Some(old) = self.raw.pointer(pointer) {
            self.guards.push(test(pointer, old.clone()));
        }
        if self.after.pointer(pointer).is_some() {
            self.put(pointer, value.clone());
            self.changes.push(replace(pointer, value.clone()));
            return Ok(());
        }
        let (missing, nested) = self.with_parents(pointer, value.clone())?;
        if self.raw.pointer(parent_of(&missing)).is_some() {
            self.guards.push(test(&missing, Value::Null));
        }
        self.put(&missing, nested.clone());
        self.changes.push(add(&missing, nested));
        Ok(())
    }

    fn append(&mut self, list: &str, value: &Value) -> Result<(), PatchError> {
        let Some(Value::Array(items)) = self.after.pointer(list) else {
            return self.set(list, &Value::Array(vec![value.clone()]));
        };
        if items.contains(value) {
            return Ok(());
        }
        if let Some(old) = self.raw.pointer(list) {
            self.guards.push(test(list, old.clone()));
        }
        if let Some(Value::Array(items)) = self.after.pointer_mut(list) {
            items.push(value.clone());
        }
        self.changes.push(add(&format!("{list}/-"), value.clone()));
        Ok(())
    }

    fn remove(&mut self, pointer: &str) {
        let Some(old) = self.after.pointer(pointer).cloned() else {
            return;
        };
        let old = self.raw.pointer(pointer).cloned().unwrap_or(old);
        self.guards.push(test(pointer, old));
        let member = last_segment(pointer);
        match self.after.pointer_mut(parent_of(pointer)) {
            Some(Value::Object(map)) => {
                map.shift_remove(&member);
            }
            Some(Value::Array(items)) => {
                if let Ok(index) = member.parse::<usize>() {
                    items.remove(index);
                }
            }
            _ => {}
        }
        self.changes.push(PatchOperation::Remove(RemoveOperation { path: path(pointer) }));
    }

    /// Takes a member out of a JSON text, or puts it back. Members stand in order of their names,
    /// as kubectl writes them, so that putting back gives the same text.
    fn in_text(&mut self, pointer: &str, member: &str, value: Option<&Value>) -> Result<(), PatchError> {
        let text = self.after.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let Some(text) = text else { return Ok(()) };
        let Ok(mut inner) = serde_json::from_str::<Value>(&text) else {
            return Err(PatchError::NoSuchPath(format!("{pointer} (not JSON)")));
        };
        let name = last_segment(member);
        let Some(Value::Object(map)) = inner.pointer_mut(parent_of(member)) else { return Ok(()) };
        let changed = match value {
            None => map.shift_remove(&name).is_some(),
            Some(value) => map.insert(name, value.clone()).as_ref() != Some(value),
        };
        if !changed {
            return Ok(());
        }
        map.sort_keys();
        // kubectl ends the text with a line feed; the rest of it is compact.
        let end = if text.ends_with('\n') { "\n" } else { "" };
        let compact = String::from_utf8(super::encode::to_bytes(&inner)).unwrap_or_default();
        self.set(pointer, &Value::String(format!("{compact}{end}")))
    }

    /// The first ancestor that is missing, with everything below it down to the value.
    fn with_parents(&self, pointer: &str, value: Value) -> Result<(String, Value), PatchError> {
        let (mut at, mut nested) = (pointer.to_owned(), value);
        loop {
            let parent = parent_of(&at).to_owned();
            match self.after.pointer(&parent) {
                Some(Value::Object(_)) => return Ok((at, nested)),
                Some(Value::Null) | None if !parent.is_empty() => {
                    nested = Value::Object([(last_segment(&at), nested)].into_iter().collect());
                    at = parent;
                }
                _ => return Err(PatchError::NoSuchPath(pointer.to_owned())),
            }
        }
    }

    fn put(&mut self, pointer: &str, value: Value) {
        if let Some(slot) = self.after.pointer_mut(pointer) {
            *slot = value;
        } else if let Some(Value::Object(map)) = self.after.pointer_mut(parent_of(pointer)) {
            map.insert(last_segment(pointer), value);
        }
    }
}

/// The identity of every list element on the way to a field: pointer and value.
pub fn positions(raw: &Value, pointer: &str) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for (at, _) in pointer.match_indices('/').skip(1).chain(std::iter::once((pointer.len(), ""))) {
        let (parent, segment) = pointer[..at].rsplit_once('/').unwrap_or(("", &pointer[..at]));
        let Some(Value::Array(items)) = raw.pointer(parent) else { continue };
        let item = segment.parse::<usize>().ok().and_then(|index| items.get(index));
        if let Some((member, value)) = item.and_then(identity) {
            out.push((format!("{}/{member}", &pointer[..at]), value.clone()));
        }
    }
    out
}

/// The member that tells list elements apart, where the API has one.
pub fn identity(item: &Value) -> Option<(&'static str, &Value)> {
    ["name", "port", "containerPort", "key", "ip", "host", "type"]
        .into_iter()
        .find_map(|member| Some((member, item.get(member)?)))
        .filter(|(_, value)| value.is_string() || value.is_number())
}

/// The pointer to the parent of a field.
pub fn parent_of(pointer: &str) -> &str {
    pointer.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The last segment of a pointer, unescaped.
pub fn last_segment(pointer: &str) -> String {
    let segment = pointer.rsplit_once('/').map_or(pointer, |(_, segment)| segment);
    segment.replace("~1", "/").replace("~0", "~")
}

fn path(pointer: &str) -> PointerBuf {
    PointerBuf::parse(pointer).unwrap_or_default()
}

/// A `test` operation.
pub fn test(pointer: &str, value: Value) -> PatchOperation {
    PatchOperation::Test(TestOperation { path: path(pointer), value })
}

/// An `add` operation.
pub fn add(pointer: &str, value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation { path: path(pointer), value })
}

/// A `replace` operation.
pub fn replace(pointer: &str, value: Value) -> PatchOperation {
    PatchOperation::Replace(ReplaceOperation { path: path(pointer), value })
}

/// The guards of a patch that do not hold on an object, as the server would judge them: which the
/// server's anonymous refusal does not say.
pub fn failed_tests(patch: &Patch, live: &Value) -> Vec<PatchError> {
    let mut out = Vec::new();
    for operation in &patch.0 {
        if let PatchOperation::Test(test) = operation {
            let pointer = test.path.to_string();
            let found = live.pointer(&pointer);
            let holds = match &test.value {
                Value::Null => found.is_none_or(Value::is_null),
                value => found == Some(value),
            };
            if !holds {
                out.push(changed(&pointer, Some(&test.value), found));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn operations(raw: &Value, edits: &[Edit]) -> Value {
        serde_json::to_value(build(raw, edits, &[]).unwrap().patch).unwrap()
    }

    #[test]
    fn a_replaced_value_is_tested() {
        let raw = json!({"metadata": {"uid": "u"}, "data": {"A/B": "true"}});
        assert_eq!(
            operations(&raw, &[Edit::set("/data/A~1B", "false")]),
            json!([
                {"op": "test", "path": "/metadata/uid", "value": "u"},
                {"op": "test", "path": "/data/A~1B", "value": "true"},
                {"op": "replace", "path": "/data/A~1B", "value": "false"}
            ])
        );
    }

    #[test]
    fn absent_parents_are_made_once() {
        let raw = json!({"metadata": {"uid": "u"}, "spec": {}});
        let edits = [Edit::set("/spec/a/b/c", 1), Edit::set("/spec/a/b/d", 2)];
        assert_eq!(
            operations(&raw, &edits),
            json!([
                {"op": "test", "path": "/metadata/uid", "value": "u"},
                {"op": "test", "path": "/spec/a", "value": null},
                {"op": "add", "path": "/spec/a", "value": {"b": {"c": 1}}},
                {"op": "add", "path": "/spec/a/b/d", "value": 2}
            ])
        );
        assert_eq!(build(&raw, &edits, &[]).unwrap().after["spec"]["a"], json!({"b": {"c": 1, "d": 2}}));
    }

    #[test]
    fn list_positions_are_tested_by_name() {
        let raw = json!({"spec": {"containers": [{"name": "web", "env": [{"name": "A", "value": "1"}]}]}});
        assert_eq!(
            operations(&raw, &[Edit::set("/spec/containers/0/env/0/value", "2")]),
            json!([
                {"op": "test", "path": "/spec/containers/0/name", "value": "web"},
                {"op": "test", "path": "/spec/containers/0/env/0/name", "value": "A"},
                {"op": "test", "path": "/spec/containers/0/env/0/value", "value": "1"},
                {"op": "replace", "path": "/spec/containers/0/env/0/value", "value": "2"}
            ])
        );
    }

    #[test]
    fn what_must_be_absent_is_not_overwritten() {
        let (edits, absent) = ([Edit::set("/data/A", "1")], [("/data/A".to_owned(), Value::Null)]);
        let error = build(&json!({"data": {"A": "2"}}), &edits, &absent).unwrap_err();
        assert_eq!(error.to_string(), "/data/A is \"2\", not absent");
        let patch = build(&json!({"data": {}}), &edits, &absent).unwrap().patch;
        assert_eq!(patch.0[..], [test("/data/A", Value::Null), add("/data/A", "1".into())]);
    }

    #[test]
    fn nothing_to_do_is_an_empty_patch() {
        let raw = json!({"metadata": {"uid": "u"}, "data": {"A": "1"}});
        assert_eq!(operations(&raw, &[Edit::set("/data/A", "1"), Edit::remove("/data/B")]), json!([]));
    }

    #[test]
    fn the_last_applied_text_loses_one_member() {
        let raw = json!({"metadata": {"annotations": {"a/b": "{\"spec\":{\"replicas\":1,\"x\":2}}\n"}}});
        let edit =
            Edit { pointer: "/metadata/annotations/a~1b".into(), action: Action::DropInText("/spec/replicas".into()) };
        let after = build(&raw, &[edit], &[]).unwrap().after;
        assert_eq!(after["metadata"]["annotations"]["a/b"], "{\"spec\":{\"x\":2}}\n");
    }

    #[test]
    fn failed_guards_are_named_without_secrets() {
        let raw = json!({"data": {"DB_PASSWORD": "old", "MODE": "a"}});
        let edits = [Edit::set("/data/DB_PASSWORD", "new"), Edit::set("/data/MODE", "b")];
        let patch = build(&raw, &edits, &[]).unwrap().patch;
        let live = json!({"data": {"DB_PASSWORD": "other"}});
        let texts: Vec<String> = failed_tests(&patch, &live).iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["/data/DB_PASSWORD is \"<masked>\", not \"<masked>\"", "/data/MODE is absent, not \"a\""]);
    }
}
