//! What the journal keeps of a change: the intent before, the result after.

use serde_json::Value;

use super::{Prepared, Purpose};
use crate::backend::cluster::write::{Answer, Write};
use crate::backend::journal::{Intent, Outcome, StepResult, Verb};
use crate::fix::CHANGE_ID;
use crate::model::ObjectRef;
use crate::model::mask::mask;
use crate::model::object::{LAST_APPLIED, pointer};
use crate::plan::change::{self, Change};
use crate::plan::patch;

pub(super) fn intent(step: usize, purpose: &Purpose, prepared: &Prepared) -> Intent {
    let version = prepared.before.as_ref().and_then(|before| before.pointer("/metadata/resourceVersion")?.as_str());
    let (verb, subresource, manifest) = match &prepared.write {
        Write::Patch { subresource, .. } => (Verb::Patch, subresource.clone(), None),
        Write::Create { manifest, .. } => (Verb::Create, None, Some(manifest.clone())),
        // What a controller makes anew nobody has to restore.
        Write::Delete { .. } if prepared.takes_back.is_some() => (Verb::Delete, None, None),
        Write::Delete { .. } => (Verb::Delete, None, prepared.before.as_ref().map(without_server_fields)),
    };
    let change_id =
        manifest.as_ref().and_then(|m| m.pointer(&pointer("/metadata/annotations", &[CHANGE_ID]))?.as_str());
    let uid = prepared.before.as_ref().and_then(|before| Some(before.pointer("/metadata/uid")?.as_str()?.to_owned()));
    let object = prepared.write.object();
    let made = matches!(prepared.write, Write::Create { .. });
    Intent {
        step,
        rule: purpose.rule.clone(),
        title: purpose.title.clone(),
        verb,
        object: ObjectRef { uid: uid.or_else(|| object.uid.clone()), ..object.clone() },
        subresource,
        changes: prepared.changes.clone(),
        derived: derived(prepared),
        owners: Vec::new(),
        hand_back: prepared.hand_back.clone(),
        change_id: change_id.map(str::to_owned),
        written: prepared.after.as_ref().filter(|_| made).map(written),
        manifest,
        resource_version: version.map(str::to_owned),
        irreversible: purpose.irreversible.clone(),
        takes_back: prepared.takes_back,
        undoes: prepared.undoes,
        awaits: if prepared.rolls_out { Vec::new() } else { purpose.awaits.clone() },
        time: jiff::Timestamp::now(),
    }
}

/// The changes that are no work of the patch itself.
pub(super) fn derived(prepared: &Prepared) -> Vec<String> {
    let (Write::Patch { guarded, .. }, Some(before)) = (&prepared.write, &prepared.before) else { return Vec::new() };
    let own = change::between(before, &guarded.after);
    let is_below = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let is_own = |at: &str| own.iter().any(|own| is_below(at, &own.pointer) || is_below(&own.pointer, at));
    prepared.changes.iter().map(|change| change.pointer.clone()).filter(|at| !is_own(at)).collect()
}

/// What a person wrote in an object that we made: enough to make it again.
fn without_server_fields(object: &Value) -> Value {
    let mut out = object.clone();
    if let Some(map) = out.as_object_mut() {
        map.shift_remove("status");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| matches!(key.as_str(), "name" | "namespace" | "labels" | "annotations"));
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                // Others may have put there what no journal may keep.
                let is_plain = |key: &str, value: &Value| value.as_str().is_some_and(|text| mask(key, text) == text);
                annotations.retain(|key, value| key != LAST_APPLIED && is_plain(key, value));
            }
        }
    }
    out
}

/// SHA-256 of what people write in an object: labels and specification.
pub fn written(object: &Value) -> String {
    let part = |pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
    let mut value = serde_json::json!([part("/metadata/labels"), part("/spec"), part("/data")]);
    value.sort_all_objects();
    change::hash(&value.to_string())
}

/// Numbers that the server hands out: in a dry run they are not final.
const ALLOCATED: [&str; 4] = ["/nodePort", "/healthCheckNodePort", "/clusterIP", "/clusterIPs"];

/// The fields that became something else than the dry run said, by time or by a webhook.
fn unlike_the_dry_run(prepared: &Prepared, object: &Value) -> Vec<String> {
    let Some(tried) = &prepared.after else { return Vec::new() };
    let unlike = prepared.changes.iter().filter(|change| {
        let allocated = ALLOCATED.iter().any(|name| change.pointer.ends_with(name));
        !allocated && change.text.is_none() && object.pointer(&change.pointer) != tried.pointer(&change.pointer)
    });
    let show = |value: &Value, pointer: &str| patch::shown(pointer, value.pointer(pointer));
    unlike
        .map(|change| &change.pointer)
        .map(|at| format!("{at} became {}, not {} as in the dry run", show(object, at), show(tried, at)))
        .collect()
}

/// The changes that the dry run announced: what somebody else wrote beside them meanwhile is not ours
/// to take back. Without a dry run there is nothing to tell them apart by.
fn ours(changes: Vec<Change>, prepared: &Prepared) -> Vec<Change> {
    let inside = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let announced = |change: &Change| {
        let at = |tried: &Change| inside(&tried.pointer, &change.pointer) || inside(&change.pointer, &tried.pointer);
        prepared.after.is_none() || prepared.changes.iter().any(at)
    };
    changes.into_iter().filter(announced).collect()
}

/// True if the server took a patch, and nothing that people write is different from before.
fn taken_back(prepared: &Prepared, object: &Value) -> bool {
    match (&prepared.write, &prepared.before) {
        (Write::Patch { .. }, Some(before)) => {
            !prepared.changes.is_empty() && change::between(before, object).is_empty()
        }
        _ => false,
    }
}

pub(super) fn result(step: usize, prepared: &Prepared, answer: Answer) -> StepResult {
    match answer {
        Answer::Done { object, code, warnings } => {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            let mut changes = match (&prepared.write, &prepared.before) {
                (Write::Patch { .. }, Some(before)) => ours(change::between(before, &object), prepared),
                _ => Vec::new(),
            };
            if taken_back(prepared, &object) {
                let name = prepared.write.object();
                let why = "a mutating webhook or policy takes the change back";
                let message = format!("reverted by admission: the server left {name} as it was; {why}");
                return StepResult { code, message, warnings, ..StepResult::new(step, Outcome::NotApplied) };
            }
            // The dry run showed none; a webhook may have more to say now.
            changes.retain(|change| !change::holds_secret(change));
            let made = matches!(prepared.write, Write::Create { .. });
            StepResult {
                code,
                message: unlike_the_dry_run(prepared, &object).join("; "),
                changes,
                uid: text("/metadata/uid"),
                resource_version: text("/metadata/resourceVersion"),
                written: made.then(|| written(&object)),
                warnings,
                ..StepResult::new(step, Outcome::Applied)
            }
        }
        Answer::Refused { code, mut reasons, hint } => {
            // A guard that failed says all by itself.
            reasons.extend(hint.filter(|_| code != 422));
            StepResult { code, message: reasons.join("; "), ..StepResult::new(step, Outcome::NotApplied) }
        }
        Answer::Ambiguous { message } => StepResult { message, ..StepResult::new(step, Outcome::Ambiguous) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_removed_object_is_kept_without_what_no_journal_may_keep() {
        let annotations = json!({CHANGE_ID: "1", LAST_APPLIED: "{}", "x/api-token": "hunter2", "x/note": "n"});
        let object = json!({"metadata": {"name": "a", "uid": "u", "annotations": annotations}, "spec": {"b": 1}});
        let kept = json!({"metadata": {"name": "a", "annotations": {CHANGE_ID: "1", "x/note": "n"}}, "spec": {"b": 1}});
        assert_eq!(without_server_fields(&object), kept);
    }

    #[test]
    fn what_became_something_else_than_in_the_dry_run_is_said() {
        let before = json!({"data": {"FLAG": "true", "DB_PASSWORD": "a"}, "spec": {"ports": [{"port": 1}]}});
        let after =
            json!({"data": {"FLAG": "false", "DB_PASSWORD": "b"}, "spec": {"ports": [{"port": 1, "nodePort": 5}]}});
        let object = ObjectRef::new("v1", "ConfigMap", Some("a"), "c");
        let prepared = Prepared {
            write: Write::Delete { object, uid: String::new() },
            changes: change::between(&before, &after),
            before: Some(before),
            after: Some(after.clone()),
            warnings: Vec::new(),
            rolls_out: false,
            hand_back: None,
            origin: None,
            takes_back: None,
            undoes: None,
        };
        assert_eq!(unlike_the_dry_run(&prepared, &after), [""; 0]);
        let mut other = after;
        other["data"] = json!({"FLAG": "maybe", "DB_PASSWORD": "c"});
        other["spec"]["ports"][0]["nodePort"] = json!(6);
        let said = [
            "/data/DB_PASSWORD became \"<masked>\", not \"<masked>\" as in the dry run",
            "/data/FLAG became \"maybe\", not \"false\" as in the dry run",
        ];
        assert_eq!(unlike_the_dry_run(&prepared, &other), said, "a node port is handed out");
    }
}
