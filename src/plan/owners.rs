//! Who owns which field: the parts of `managedFields` that a change touches, and how they go back.
//!
//! The form of the sets is `FieldsV1` of Kubernetes: `f:NAME` for a member, `k:{…}` for a list
//! element by its keys, `v:…` for one by its value, `.` for the thing itself. A set without members
//! is a field that is owned as a whole.

use json_patch::jsonptr::PointerBuf;
use json_patch::{Patch, PatchOperation, RemoveOperation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::patch::{add, last_segment, parent_of, replace, test};

const ENTRIES: &str = "/metadata/managedFields";

/// Fields that one manager owns: a part of one entry of `managedFields`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owned {
    /// The manager's name.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// The subresource through which it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    /// The version of the fields.
    #[serde(default)]
    pub api_version: String,
    /// The fields, as `FieldsV1`.
    pub fields: Value,
}

/// Fields whose old value is back, and who is to own them again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandBack {
    /// Our own name.
    pub manager: String,
    /// The subresource through which the value was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    /// The fields.
    pub pointers: Vec<String>,
    /// Their owners from before.
    pub owners: Vec<Owned>,
}

/// The owners of fields of an object as it is served.
pub fn owners(object: &Value, pointers: &[String]) -> Vec<Owned> {
    entries(object).iter().filter_map(|entry| restricted(&owned(entry), object, pointers)).collect()
}

/// The strict patch that takes the fields out of our entries and gives them back to their owners;
/// `None` if all is so already.
pub fn hand_back(live: &Value, back: &HandBack) -> Option<Patch> {
    let before: Vec<Owned> = entries(live).iter().map(owned).collect();
    let mut after = before.clone();
    let is_ours = |entry: &Owned| {
        entry.manager == back.manager && entry.operation == "Update" && entry.subresource == back.subresource
    };
    for entry in after.iter_mut().filter(|entry| is_ours(entry)) {
        for pointer in &back.pointers {
            remove(&mut entry.fields, Some(live), &segments(pointer));
        }
    }
    if after == before {
        return None;
    }
    for owner in back.owners.iter().filter_map(|owner| restricted(owner, live, &back.pointers)) {
        let writes = |entry: &Owned| {
            (&entry.manager, &entry.operation, &entry.subresource)
                == (&owner.manager, &owner.operation, &owner.subresource)
        };
        match after.iter().position(|entry| writes(entry) && entry.api_version == owner.api_version) {
            Some(index) => unite(&mut after[index].fields, &owner.fields),
            // Its fields have other names now.
            None if after.iter().any(writes) => {}
            None => after.push(owner),
        }
    }
    (after != before).then(|| patch(live, &before, &after))
}

fn patch(live: &Value, before: &[Owned], after: &[Owned]) -> Patch {
    let (mut tests, mut writes, mut removals) = (Vec::new(), Vec::new(), Vec::new());
    tests.extend(live.pointer("/metadata/uid").map(|uid| test("/metadata/uid", uid.clone())));
    for (index, entry) in after.iter().enumerate() {
        let at = format!("{ENTRIES}/{index}");
        match before.get(index) {
            Some(old) if old == entry => {}
            Some(old) => {
                tests.push(test(&format!("{at}/manager"), old.manager.clone().into()));
                tests.push(test(&format!("{at}/operation"), old.operation.clone().into()));
                let subresource = old.subresource.clone().map_or(Value::Null, Value::from);
                tests.push(test(&format!("{at}/subresource"), subresource));
                if is_empty(&entry.fields) {
                    let path = PointerBuf::parse(&at).unwrap_or_default();
                    removals.push(PatchOperation::Remove(RemoveOperation { path }));
                } else {
                    writes.push(replace(&format!("{at}/fieldsV1"), entry.fields.clone()));
                }
            }
            None => writes.push(add(&format!("{ENTRIES}/-"), served(entry))),
        }
    }
    // The last first, so that the others keep their places.
    removals.reverse();
    let version = live.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    let strict = replace("/metadata/resourceVersion", version);
    Patch(tests.into_iter().chain(writes).chain(removals).chain([strict]).collect())
}

fn entries(object: &Value) -> &[Value] {
    object.pointer(ENTRIES).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn owned(entry: &Value) -> Owned {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    Owned {
        manager: text("manager").unwrap_or_default(),
        operation: text("operation").unwrap_or_default(),
        subresource: text("subresource"),
        api_version: text("apiVersion").unwrap_or_default(),
        fields: entry.get("fieldsV1").cloned().unwrap_or_else(|| json!({})),
    }
}

fn served(owner: &Owned) -> Value {
    let mut entry = json!({
        "manager": owner.manager, "operation": owner.operation, "apiVersion": owner.api_version,
        "fieldsType": "FieldsV1", "fieldsV1": owner.fields,
    });
    if let Some(subresource) = &owner.subresource {
        entry["subresource"] = subresource.as_str().into();
    }
    entry
}

/// What an owner has of some fields; `None` if it has nothing.
fn restricted(owner: &Owned, object: &Value, pointers: &[String]) -> Option<Owned> {
    let mut fields = json!({});
    for part in pointers.iter().filter_map(|pointer| part(&owner.fields, Some(object), &segments(pointer))) {
        unite(&mut fields, &part);
    }
    (!is_empty(&fields)).then(|| Owned { fields, ..owner.clone() })
}

fn segments(pointer: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = pointer;
    while !rest.is_empty() {
        out.push(last_segment(rest));
        rest = parent_of(rest);
    }
    out.reverse();
    out
}

fn is_empty(set: &Value) -> bool {
    set.as_object().is_none_or(Map::is_empty)
}

/// True for a field that is owned as a whole: nothing below it is told apart.
fn is_leaf(set: &Value) -> bool {
    set.as_object().is_none_or(|members| members.keys().all(|name| name == "."))
}

/// The name under which a set keeps a member of an object, or an element of a list.
fn key(set: &Map<String, Value>, object: Option<&Value>, segment: &str) -> Option<String> {
    let Some(Value::Array(items)) = object else { return Some(format!("f:{segment}")) };
    let item = items.get(segment.parse::<usize>().ok()?)?;
    let names_it = |name: &&String| match name.split_once(':') {
        Some(("k", keys)) => serde_json::from_str::<Map<String, Value>>(keys)
            .is_ok_and(|keys| keys.iter().all(|(member, value)| item.get(member) == Some(value))),
        Some(("v", value)) => serde_json::from_str::<Value>(value).is_ok_and(|value| value == *item),
        Some(("i", index)) => index == segment,
        _ => false,
    };
    set.keys().find(names_it).cloned()
}

fn below<'a>(object: Option<&'a Value>, segment: &str) -> Option<&'a Value> {
    match object? {
        Value::Object(map) => map.get(segment),
        Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
        _ => None,
    }
}

/// The part of a set at a field and below, or the whole that the field is in; with everything on
/// the way.
fn part(set: &Value, object: Option<&Value>, segments: &[String]) -> Option<Value> {
    let Some((first, rest)) = segments.split_first() else { return Some(set.clone()) };
    let key = key(set.as_object()?, object, first)?;
    let member = set.get(&key)?;
    let inner = if is_leaf(member) { member.clone() } else { part(member, below(object, first), rest)? };
    Some(Value::Object([(key, inner)].into_iter().collect()))
}

/// Takes a field, everything below it, and what is empty then, out of a set.
fn remove(set: &mut Value, object: Option<&Value>, segments: &[String]) {
    let Some((first, rest)) = segments.split_first() else { return };
    let Some(members) = set.as_object_mut() else { return };
    let Some(key) = key(members, object, first) else { return };
    let Some(member) = members.get_mut(&key) else { return };
    if !rest.is_empty() && !is_leaf(member) {
        remove(member, below(object, first), rest);
        if !is_empty(member) {
            return;
        }
    }
    members.shift_remove(&key);
}

/// Adds a set to another.
fn unite(set: &mut Value, more: &Value) {
    let (Some(members), Some(more)) = (set.as_object_mut(), more.as_object()) else { return };
    for (name, added) in more {
        match members.get_mut(name) {
            None => {
                members.insert(name.clone(), added.clone());
            }
            Some(_) if name == "." => {}
            Some(held) => {
                // What is owned as a whole stays so beside the fields in it.
                if is_empty(held) != is_empty(added) {
                    held["."] = json!({});
                }
                unite(held, added);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(entries: &Value) -> Value {
        json!({
            "metadata": {"uid": "u", "resourceVersion": "7", "managedFields": entries},
            "data": {"A": "1", "B": "2"},
            "spec": {"containers": [
                {"name": "side", "env": []},
                {"name": "web", "env": [{"name": "X", "value": "1"}], "ports": [{"containerPort": 80, "protocol": "TCP"}]},
            ]},
        })
    }

    fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn pointers(list: &[&str]) -> Vec<String> {
        list.iter().map(|at| (*at).to_owned()).collect()
    }

    /// The object after the patch, as far as its entries go.
    fn handed(live: &Value, back: &HandBack) -> Value {
        let mut after = live.clone();
        let patch = hand_back(live, back).expect("something changes");
        // The server's `null` for an absent member is not that of the RFC.
        let operations = patch.0.into_iter().filter(|operation| !operation.path().as_str().ends_with("/subresource"));
        json_patch::patch(&mut after, &operations.collect::<Vec<_>>()).unwrap();
        after.pointer(ENTRIES).unwrap().clone()
    }

    #[test]
    fn one_of_two_fields_goes_back_and_the_other_stays() {
        let helm = json!({"f:data": {".": {}, "f:A": {}, "f:B": {}, "f:C": {}}});
        let owners = owners(&object(&json!([entry("helm", "Apply", &helm)])), &pointers(&["/data/A"]));
        assert_eq!(owners[0].fields, json!({"f:data": {"f:A": {}}}));
        let live = object(&json!([
            entry("helm", "Apply", &json!({"f:data": {".": {}, "f:C": {}}})),
            entry("me", "Update", &json!({"f:data": {"f:A": {}, "f:B": {}}})),
        ]));
        let back = HandBack { manager: "me".into(), subresource: None, pointers: pointers(&["/data/A"]), owners };
        let after = handed(&live, &back);
        assert_eq!(after[0]["fieldsV1"], json!({"f:data": {".": {}, "f:C": {}, "f:A": {}}}));
        assert_eq!(after[1]["fieldsV1"], json!({"f:data": {"f:B": {}}}));
    }

    #[test]
    fn an_empty_entry_goes_and_a_lost_one_comes_back() {
        let owners = vec![Owned {
            manager: "helm".into(),
            operation: "Apply".into(),
            subresource: None,
            api_version: "v1".into(),
            fields: json!({"f:data": {"f:A": {}}}),
        }];
        let live = object(&json!([entry("me", "Update", &json!({"f:data": {"f:A": {}}}))]));
        let back = HandBack { manager: "me".into(), subresource: None, pointers: pointers(&["/data/A"]), owners };
        let after = handed(&live, &back);
        assert_eq!(after, json!([entry("helm", "Apply", &json!({"f:data": {"f:A": {}}}))]));
        assert_eq!(hand_back(&object(&after), &back), None);
    }

    #[test]
    fn list_elements_are_found_by_their_keys() {
        let fields = json!({"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
            ".": {}, "f:name": {},
            "f:env": {"k:{\"name\":\"X\"}": {".": {}, "f:name": {}, "f:value": {}}},
            "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {"f:containerPort": {}}},
        }}}});
        let one = object(&json!([entry("helm", "Apply", &fields)]));
        let of = |at: &str| owners(&one, &pointers(&[at])).pop().map(|owned| owned.fields);
        let web = |inner: Value| Some(json!({"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": inner}}}));
        assert_eq!(
            of("/spec/containers/1/env/0/value"),
            web(json!({"f:env": {"k:{\"name\":\"X\"}": {"f:value": {}}}}))
        );
        assert_eq!(
            of("/spec/containers/1/ports/0/containerPort"),
            web(json!({"f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {"f:containerPort": {}}}}))
        );
        assert_eq!(of("/spec/containers/0/env"), None, "another element");
    }

    #[test]
    fn a_field_in_a_whole_is_the_whole() {
        let fields = json!({"f:spec": {"f:podSelector": {}}, "f:metadata": {"f:finalizers": {"v:\"a\"": {}}}});
        let mut one = object(&json!([entry("helm", "Update", &fields)]));
        one["spec"] = json!({"podSelector": {"matchLabels": {"a": "b"}}});
        one["metadata"]["finalizers"] = json!(["b", "a"]);
        let of = |at: &str| owners(&one, &pointers(&[at])).pop().map(|owned| owned.fields);
        assert_eq!(of("/spec/podSelector/matchLabels/a"), Some(json!({"f:spec": {"f:podSelector": {}}})));
        assert_eq!(of("/metadata/finalizers/1"), Some(json!({"f:metadata": {"f:finalizers": {"v:\"a\"": {}}}})));
    }

    #[test]
    fn what_is_ours_stays_ours_when_it_was_before() {
        let ours = json!({"f:data": {"f:A": {}}});
        let live = object(&json!([entry("me", "Update", &ours)]));
        let owners = owners(&live, &pointers(&["/data/A"]));
        let back = HandBack { manager: "me".into(), subresource: None, pointers: pointers(&["/data/A"]), owners };
        assert_eq!(hand_back(&live, &back), None);
    }
}
