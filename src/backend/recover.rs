//! What became of a request that nobody heard the end of: the object shows it, or nobody knows.

use serde_json::Value;

mod restart;

pub use restart::{Need, need};

use super::change::written;
use super::cluster::connect::Connection;
use super::cluster::objects;
use super::journal::{Intent, Outcome, StepResult, Verb};
use crate::fix::CHANGE_ID;
use crate::model::object::pointer;
use crate::plan::change::{self, Change, Field, Standing};

/// What an object shows about a request.
#[derive(Clone, Debug)]
pub enum Shown {
    /// What became of it.
    Settled(Box<StepResult>),
    /// It may have been carried out or not: why, in one line each.
    Unclear(Vec<String>),
}

/// Reads the object of an intent and compares.
pub async fn look(connection: &Connection, intent: &Intent) -> Shown {
    match objects::find(connection, &intent.object, intent.subresource.as_deref()).await {
        Ok(live) => compare(intent, live.as_ref()),
        Err(error) => Shown::Unclear(vec![error.to_string()]),
    }
}

/// What the object shows; `None` if there is none.
pub fn compare(intent: &Intent, live: Option<&Value>) -> Shown {
    let applied = |message: &str| settled(intent, live, Outcome::Applied, message);
    let not_applied = |message: &str| settled(intent, live, Outcome::NotApplied, message);
    let same = intent.object.uid.is_none() || live.and_then(uid) == intent.object.uid.as_deref();
    match (intent.verb, live) {
        (Verb::Patch, None) => not_applied("the object does not exist any more, and nothing of the change is left"),
        (Verb::Patch, Some(_)) if !same => {
            not_applied("the object was deleted and made anew, and nothing of the change is left")
        }
        (Verb::Patch, Some(live)) => {
            let fields = judged(intent, live);
            let all = |standing: Standing| fields.iter().all(|field| field.standing == standing);
            match () {
                () if fields.is_empty() => Shown::Unclear(vec!["the journal holds no field to compare".to_owned()]),
                () if all(Standing::Ours) => applied("the object is as it should be"),
                () if all(Standing::AsBefore) => not_applied("the object is as it was"),
                () => Shown::Unclear(fields.iter().map(Field::columns).collect()),
            }
        }
        (Verb::Create, None) => not_applied("the object does not exist"),
        (Verb::Create, Some(live)) if intent.change_id.is_some() && mark(live) == intent.change_id.as_deref() => {
            applied("the object is there, with our mark")
        }
        // What undo makes again bears no mark.
        (Verb::Create, Some(live)) if intent.change_id.is_none() && intent.written == Some(written(live)) => {
            applied("the object is there as it should be")
        }
        (Verb::Create, Some(_)) => not_applied("an object of this name exists, made by somebody else"),
        (Verb::Delete, Some(live)) if same && live.pointer("/metadata/deletionTimestamp").is_none() => {
            not_applied("the object is still there")
        }
        (Verb::Delete, _) => applied("the object is gone"),
    }
}

/// What a person has found out about a request of which the object shows nothing.
pub async fn decide(connection: &Connection, intent: &Intent, outcome: Outcome) -> Shown {
    let message = "decided by hand";
    match objects::find(connection, &intent.object, intent.subresource.as_deref()).await {
        Ok(live) => settled(intent, live.as_ref(), outcome, message),
        Err(_) => settled(intent, None, outcome, message),
    }
}

fn settled(intent: &Intent, live: Option<&Value>, outcome: Outcome, message: &str) -> Shown {
    let mut result = StepResult { message: message.to_owned(), ..StepResult::new(intent.step, outcome) };
    if let Some(live) = live.filter(|_| outcome == Outcome::Applied) {
        let text = |at: &str| live.pointer(at).and_then(Value::as_str).map(str::to_owned);
        result.uid =
            intent.object.uid.clone().filter(|_| intent.verb != Verb::Create).or_else(|| text("/metadata/uid"));
        result.resource_version = text("/metadata/resourceVersion");
        result.changes = intent.changes.iter().map(|change| as_chosen(intent, change, live)).collect();
        if intent.verb == Verb::Create {
            // What somebody has changed since is not what we made: undo asks the hash.
            result.written = intent.written.clone().or_else(|| Some(written(live)));
        }
    }
    Shown::Settled(Box::new(result))
}

/// The fields that show what became of a patch: those that it sets itself, if there are any.
fn judged<'a>(intent: &'a Intent, live: &'a Value) -> Vec<Field<'a>> {
    let mut fields = change::standing(&intent.changes, live);
    if fields.iter().any(|field| !intent.derived.contains(&field.change.pointer)) {
        fields.retain(|field| !intent.derived.contains(&field.change.pointer));
    }
    fields
}

/// A change as the server has made it: what it chooses itself may differ from its dry run.
fn as_chosen(intent: &Intent, change: &Change, live: &Value) -> Change {
    let chosen = Change { after: live.pointer(&change.pointer).cloned(), ..change.clone() };
    let is_own = !intent.derived.contains(&change.pointer) || change.text.is_some();
    if is_own || change::holds_secret(&chosen) { change.clone() } else { chosen }
}

fn uid(object: &Value) -> Option<&str> {
    object.pointer("/metadata/uid")?.as_str()
}

fn mark(object: &Value) -> Option<&str> {
    object.pointer(&pointer("/metadata/annotations", &[CHANGE_ID]))?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectRef;
    use serde_json::json;

    fn intent(verb: Verb, changes: Vec<Change>, derived: &[&str]) -> Intent {
        Intent {
            step: 0,
            rule: "rule".to_owned(),
            title: "title".to_owned(),
            verb,
            object: ObjectRef { uid: Some("u".to_owned()), ..ObjectRef::new("v1", "ConfigMap", Some("a"), "b") },
            subresource: None,
            changes,
            owners: Vec::new(),
            hand_back: None,
            takes_back: None,
            undoes: None,
            awaits: Vec::new(),
            derived: derived.iter().map(|at| (*at).to_owned()).collect(),
            manifest: None,
            change_id: Some("mark".to_owned()),
            written: None,
            resource_version: None,
            irreversible: None,
            time: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn outcome(shown: Shown) -> Option<Outcome> {
        match shown {
            Shown::Settled(result) => Some(result.outcome),
            Shown::Unclear(_) => None,
        }
    }

    fn object(data: &Value) -> Value {
        json!({"metadata": {"uid": "u", "annotations": {CHANGE_ID: "mark"}}, "data": data})
    }

    #[test]
    fn a_patch_shows_in_its_fields() {
        let changes = change::between(&object(&json!({"A": "1", "B": "1"})), &object(&json!({"A": "2", "B": "2"})));
        let intent = intent(Verb::Patch, changes, &[]);
        let seen = |data: Value| outcome(compare(&intent, Some(&object(&data))));
        assert_eq!(seen(json!({"A": "2", "B": "2", "C": "3"})), Some(Outcome::Applied));
        assert_eq!(seen(json!({"A": "1", "B": "1", "C": "3"})), Some(Outcome::NotApplied));
        assert_eq!(seen(json!({"A": "2", "B": "1"})), None);
        assert_eq!(seen(json!({"A": "1", "B": "3"})), None);
        assert_eq!(outcome(compare(&intent, None)), Some(Outcome::NotApplied));
        let anew = json!({"metadata": {"uid": "other"}, "data": {"A": "2", "B": "2"}});
        assert_eq!(outcome(compare(&intent, Some(&anew))), Some(Outcome::NotApplied));
    }

    #[test]
    fn what_the_server_chooses_is_no_proof() {
        let before = json!({"metadata": {"uid": "u"}, "spec": {"type": "ClusterIP"}});
        let tried = json!({"metadata": {"uid": "u"}, "spec": {"type": "LoadBalancer", "port": 30001}});
        let intent = intent(Verb::Patch, change::between(&before, &tried), &["/spec/port"]);
        let live = json!({"metadata": {"uid": "u"}, "spec": {"type": "LoadBalancer", "port": 30002}});
        let Shown::Settled(result) = compare(&intent, Some(&live)) else { panic!("it is applied") };
        assert_eq!(result.outcome, Outcome::Applied);
        let port = result.changes.iter().find(|change| change.pointer == "/spec/port").unwrap();
        assert_eq!(port.after, Some(json!(30002)));
    }

    #[test]
    fn a_made_object_shows_by_its_mark() {
        let intent = intent(Verb::Create, Vec::new(), &[]);
        assert_eq!(outcome(compare(&intent, Some(&object(&json!({}))))), Some(Outcome::Applied));
        assert_eq!(outcome(compare(&intent, Some(&json!({"metadata": {}})))), Some(Outcome::NotApplied));
        assert_eq!(outcome(compare(&intent, None)), Some(Outcome::NotApplied));
        let again = Intent { change_id: None, written: Some(written(&object(&json!({"A": "1"})))), ..intent };
        assert_eq!(outcome(compare(&again, Some(&object(&json!({"A": "1"}))))), Some(Outcome::Applied));
        assert_eq!(outcome(compare(&again, Some(&object(&json!({"A": "2"}))))), Some(Outcome::NotApplied));
    }

    #[test]
    fn a_deletion_shows_by_what_is_left() {
        let intent = intent(Verb::Delete, Vec::new(), &[]);
        assert_eq!(outcome(compare(&intent, None)), Some(Outcome::Applied));
        assert_eq!(outcome(compare(&intent, Some(&object(&json!({}))))), Some(Outcome::NotApplied));
        let leaving = json!({"metadata": {"uid": "u", "deletionTimestamp": "now"}});
        assert_eq!(outcome(compare(&intent, Some(&leaving))), Some(Outcome::Applied));
        let anew = json!({"metadata": {"uid": "other"}});
        assert_eq!(outcome(compare(&intent, Some(&anew))), Some(Outcome::Applied));
    }
}
