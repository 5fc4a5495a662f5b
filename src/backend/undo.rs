//! Taking one journaled step back: what is on the server decides whether that is still possible.

use serde_json::Value;

pub mod pods;

use super::change::{self, Prepared};
use super::cluster::connect::Connection;
use super::cluster::objects;
use super::cluster::resources::list_path;
use super::cluster::write::{Options, Write};
use super::journal::{Entry, StepEntry, Verb};
use crate::fix::CHANGE_ID;
use crate::model::ObjectRef;
use crate::model::object::pointer;
use crate::plan::change::{self as fields, Field, Standing};
use crate::plan::owners::HandBack;

/// What can be done about a step.
pub enum Back {
    /// The server has tried it.
    Ready(Box<Prepared>),
    /// Somebody has changed some of its fields since, and the server has tried the way back of the
    /// others: those that stay as they are, in one line each.
    Part(Box<Prepared>, Vec<String>),
    /// There is nothing to take back, and that is well: why.
    Nothing(String),
    /// Somebody else's work would be lost: why, in one line each.
    Refused(Vec<String>),
}

/// The steps of an entry in the order in which they are taken back: the last first, and changes of
/// pod templates after the values that the pods read, since they restart the pods.
pub fn order(entry: &Entry, only: Option<usize>) -> Vec<&StepEntry> {
    let mut steps: Vec<&StepEntry> =
        entry.standing().filter(|step| only.is_none_or(|only| step.intent.step + 1 == only)).collect();
    steps.reverse();
    steps.sort_by_key(|step| turn(step));
    steps
}

/// When a step is taken back: values, then what restarts pods, then what admits pods, which those
/// restarts still need.
fn turn(step: &StepEntry) -> u8 {
    let admits = match step.intent.object.kind.as_str() {
        "LimitRange" => true,
        "ResourceQuota" => step.intent.verb == Verb::Patch,
        _ => false,
    };
    let restarts = step.changes().iter().any(|change| change.pointer.starts_with("/spec/template/"));
    if admits { 2 } else { u8::from(restarts) }
}

/// Looks at the object and lets the server try the way back. With `force`, fields that somebody
/// has changed since get the value from before all the same.
pub async fn prepare(connection: &Connection, step: &StepEntry, options: &Options, force: bool) -> Back {
    let object = &step.intent.object;
    let live = match objects::find(connection, object, step.intent.subresource.as_deref()).await {
        Ok(live) => live,
        Err(error) => return Back::Refused(vec![error.to_string()]),
    };
    match (step.intent.verb, live) {
        (Verb::Patch, Some(live)) => unpatch(connection, step, live, options, force).await,
        (Verb::Patch, None) => Back::Refused(vec!["the object does not exist any more".to_owned()]),
        (Verb::Create, Some(live)) => uncreate(connection, step, live, options).await,
        (Verb::Create, None) => Back::Nothing("it is gone already".to_owned()),
        (Verb::Delete, Some(live))
            if step.intent.manifest.as_ref().map(change::written) == Some(change::written(&live)) =>
        {
            Back::Nothing("it is there again already".to_owned())
        }
        (Verb::Delete, Some(_)) => Back::Refused(vec!["an object of this name exists again".to_owned()]),
        (Verb::Delete, None) => undelete(connection, step, options).await,
    }
}

async fn unpatch(connection: &Connection, step: &StepEntry, live: Value, options: &Options, force: bool) -> Back {
    let uid = live.pointer("/metadata/uid").and_then(Value::as_str);
    let object = &ObjectRef { uid: uid.map(str::to_owned), ..step.intent.object.clone() };
    if !step.is_about(uid) {
        return Back::Refused(vec!["it was deleted and made anew: this is another object".to_owned()]);
    }
    let changes = step.changes();
    if let Some(why) = kept_by_autoscaler(connection, object, changes).await {
        return Back::Nothing(why);
    }
    let mut back = fields::standing(changes, &live);
    back.retain(|field| field.standing != Standing::AsBefore);
    if back.is_empty() {
        return Back::Nothing("it is as it was already".to_owned());
    }
    // Where the element of a list is gone, another one stands: not even force may write there.
    let stays = |field: &Field<'_>| field.is_lost || field.standing == Standing::Foreign && !force;
    let (theirs, back) = back.into_iter().partition::<Vec<_>, _>(stays);
    let foreign: Vec<String> = theirs.iter().map(Field::columns).collect();
    if back.is_empty() {
        return Back::Refused(changed_since(foreign));
    }
    let guarded = match fields::undo_patch(&back, &live) {
        Ok(guarded) => guarded,
        Err(error) => return Back::Refused(vec![error.to_string()]),
    };
    let subresource = step.intent.subresource.clone();
    // What was absent before is gone, and has no owner.
    let present = back.iter().filter(|field| field.change.before.is_some() || field.change.text.is_some());
    let hand_back = HandBack {
        manager: options.field_manager.clone(),
        subresource: subresource.clone(),
        pointers: present.map(|field| field.pointer.clone()).collect(),
        owners: step.intent.owners.clone(),
    };
    let hand_back = Some(hand_back).filter(|back| !back.pointers.is_empty());
    let write = Write::Patch { object: object.clone(), subresource, guarded };
    let tried = change::dry_run(connection, write, Some(live.clone()), options).await;
    match ready(tried.map(|tried| Prepared { hand_back, ..tried })) {
        Back::Ready(prepared) if !foreign.is_empty() => Back::Part(prepared, changed_since(foreign)),
        Back::Refused(mut reasons) if !foreign.is_empty() => {
            reasons.extend(changed_since(foreign));
            Back::Refused(reasons)
        }
        back => back,
    }
}

fn changed_since(columns: Vec<String>) -> Vec<String> {
    std::iter::once("somebody has changed it since:".to_owned()).chain(columns).collect()
}

fn ready(tried: Result<Prepared, change::Refusal>) -> Back {
    match tried {
        Ok(prepared) => Back::Ready(Box::new(prepared)),
        Err(refusal) => Back::Refused(refusal.reasons),
    }
}

async fn uncreate(connection: &Connection, step: &StepEntry, live: Value, options: &Options) -> Back {
    let mark = live.pointer(&pointer("/metadata/annotations", &[CHANGE_ID])).and_then(Value::as_str);
    if mark != step.intent.change_id.as_deref() {
        return Back::Refused(vec!["it is not the object that was made: its mark differs".to_owned()]);
    }
    let made = step.result.as_ref().and_then(|result| result.written.clone()).or_else(|| step.intent.written.clone());
    if made.is_some_and(|made| made != change::written(&live)) {
        return Back::Refused(vec!["somebody has changed it since; delete it by hand if nobody needs it".to_owned()]);
    }
    let uid = live.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned();
    let write = Write::Delete { object: step.intent.object.clone(), uid };
    // The answer to a dry deletion is the object, which is not what becomes of it.
    ready(change::dry_run(connection, write, Some(live), options).await.map(|tried| Prepared { after: None, ..tried }))
}

async fn undelete(connection: &Connection, step: &StepEntry, options: &Options) -> Back {
    let Some(manifest) = step.intent.manifest.clone() else {
        return Back::Refused(vec!["the journal does not hold the object".to_owned()]);
    };
    let object = ObjectRef { uid: None, ..step.intent.object.clone() };
    let write = Write::Create { object, manifest };
    ready(change::dry_run(connection, write, None, options).await)
}

/// An autoscaler keeps the number of replicas: putting a smaller one back would last for seconds.
async fn kept_by_autoscaler(connection: &Connection, object: &ObjectRef, changes: &[fields::Change]) -> Option<String> {
    let [change] = changes else { return None };
    let before = change.before.as_ref().and_then(Value::as_i64).unwrap_or(0);
    // At 0 replicas an autoscaler leaves them alone.
    if change.pointer != "/spec/replicas" || before == 0 {
        return None;
    }
    let path = list_path("autoscaling/v2", "horizontalpodautoscalers", object.namespace.as_deref());
    let mut body = Vec::new();
    let head = connection.read_into(&path, &mut body).await.ok()?;
    let list: Value = if head.status == 200 { serde_json::from_slice(&body).ok()? } else { return None };
    let text = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let autoscaler = list.get("items")?.as_array()?.iter().find(|autoscaler| {
        text(autoscaler, "/spec/scaleTargetRef/kind").as_deref() == Some(&object.kind)
            && text(autoscaler, "/spec/scaleTargetRef/name").as_deref() == Some(&object.name)
    })?;
    let floor = autoscaler.pointer("/spec/minReplicas").and_then(Value::as_i64).unwrap_or(1);
    let name = text(autoscaler, "/metadata/name")?;
    (before < floor)
        .then(|| format!("HorizontalPodAutoscaler/{name} keeps at least {floor} replicas; nothing to take back"))
}
