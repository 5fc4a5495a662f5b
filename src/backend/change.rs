//! One step of a fix against the cluster: read, dry-run, journal, send, compare.
//!
//! [`prepare`] changes nothing: it reads the object as it is now, builds the guarded request and
//! lets the server try it. [`commit`] writes the intent, sends the request once and writes what
//! became of it.

use serde_json::Value;

mod recorded;

pub use recorded::written;
use recorded::{derived, intent, result};

use super::cluster::connect::Connection;
use super::cluster::objects::{self, GetError};
use super::cluster::write::{self, Answer, Options, Write};
use super::journal::{Intent, JournalError, Outcome, Record, StepResult, Writer};
use super::ownership;
use crate::fix::{CHANGE_ID, Edit, RESTARTED_AT, Step};
use crate::model::ObjectRef;
use crate::model::object::pointer;
use crate::plan::change::{self, Change, Standing};
use crate::plan::owners::HandBack;
use crate::plan::patch::{self, PatchError};

/// A step that the server has tried.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The request.
    pub write: Write,
    /// The object before; `None` if it is made.
    pub before: Option<Value>,
    /// The object as the dry run left it; `None` if it is removed, or where there is no dry run.
    pub after: Option<Value>,
    /// The fields that change.
    pub changes: Vec<Change>,
    /// Warnings of the server.
    pub warnings: Vec<String>,
    /// True if pods are replaced, which has to be waited for.
    pub rolls_out: bool,
    /// Who is to own its fields afterwards: for a change that is taken back.
    pub hand_back: Option<HandBack>,
    /// The step that it was built from, to build it anew after a lost race.
    pub origin: Option<Step>,
    /// The earlier step of the same entry that it takes back.
    pub takes_back: Option<usize>,
    /// The step of another entry that it takes back, all of it.
    pub undoes: Option<usize>,
}

/// A step can't be done.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Why, in one line each.
    pub reasons: Vec<String>,
    /// The way out.
    pub hint: Option<String>,
    /// True if the object is already as it should be.
    pub already: bool,
}

impl Refusal {
    fn new(reason: impl Into<String>) -> Self {
        Self { reasons: vec![reason.into()], hint: None, already: false }
    }
}

impl From<GetError> for Refusal {
    fn from(error: GetError) -> Self {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Self::new(format!("{error}{source}"))
    }
}

impl From<PatchError> for Refusal {
    fn from(error: PatchError) -> Self {
        let hint = Some("somebody changed it meanwhile: audit again".to_owned());
        Self { hint, ..Self::new(error.to_string()) }
    }
}

/// Reads, builds and dry-runs a step. `None` for steps that write nothing.
pub async fn prepare(connection: &Connection, step: &Step, options: &Options) -> Result<Option<Prepared>, Refusal> {
    let raw = match step.source() {
        Some((object, part)) => Some(objects::get(connection, object, part).await?),
        None => None,
    };
    prepare_on(connection, step, raw, options).await
}

/// Builds and dry-runs a step on the object as it was read just now.
pub async fn prepare_on(
    connection: &Connection,
    step: &Step,
    raw: Option<Value>,
    options: &Options,
) -> Result<Option<Prepared>, Refusal> {
    if let Some(raw) = &raw {
        admit(step, raw)?;
    }
    let write = match (step, &raw) {
        (Step::Patch { object, subresource, edits, expect }, Some(raw)) => {
            patch_of(object, subresource.clone(), raw, edits, expect)?
        }
        (Step::Restart { object }, Some(raw)) => {
            let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let edit = Edit::set(pointer("/spec/template/metadata/annotations", &[RESTARTED_AT]), now);
            patch_of(object, None, raw, &[edit], &[])?
        }
        (Step::Create { object, manifest }, _) => create_of(object, manifest),
        (Step::Delete { object }, Some(raw)) => {
            let uid = raw.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned();
            Write::Delete { object: (**object).clone(), uid }
        }
        _ => return Ok(None),
    };
    let prepared = dry_run(connection, write, raw, options).await?;
    Ok(Some(Prepared { origin: Some(step.clone()), ..prepared }))
}

/// Refuses what is another object by now, what is leaving, and what would not roll out.
fn admit(step: &Step, raw: &Value) -> Result<(), Refusal> {
    let object = step.object();
    let uid = raw.pointer("/metadata/uid").and_then(Value::as_str);
    if object.uid.is_some() && object.uid.as_deref() != uid {
        let hint = Some("audit again".to_owned());
        return Err(Refusal { hint, ..Refusal::new(format!("{object} was deleted and made anew meanwhile")) });
    }
    if raw.pointer("/metadata/deletionTimestamp").is_some() {
        return Err(Refusal::new(format!("{object} is being deleted")));
    }
    if crate::plan::merge::rolls_out(step) && raw.pointer("/spec/paused") == Some(&Value::Bool(true)) {
        let hint = Some(format!("`kubectl rollout resume` lets {} roll out again", object.short()));
        return Err(Refusal { hint, ..Refusal::new(format!("{object} is paused: it would not roll out")) });
    }
    Ok(())
}

fn patch_of(
    object: &ObjectRef,
    subresource: Option<String>,
    raw: &Value,
    edits: &[Edit],
    expect: &[(String, Value)],
) -> Result<Write, Refusal> {
    let guarded = patch::build(raw, edits, expect)?;
    if guarded.patch.0.is_empty() {
        return Err(Refusal { already: true, ..Refusal::new(format!("{object} is already as it should be")) });
    }
    Ok(Write::Patch { object: object.clone(), subresource, guarded })
}

/// That the name is free says the dry run: the server refuses a creation of what exists.
fn create_of(object: &ObjectRef, manifest: &Value) -> Write {
    let mut manifest = manifest.clone();
    manifest["metadata"]["annotations"][CHANGE_ID] = Value::from(ulid::Ulid::generate().to_string());
    Write::Create { object: object.clone(), manifest }
}

/// Lets the server try a request and looks at what it would make of it.
pub async fn dry_run(
    connection: &Connection,
    write: Write,
    before: Option<Value>,
    options: &Options,
) -> Result<Prepared, Refusal> {
    let (after, warnings) = match write::send(connection, &write, options, true).await {
        Answer::Done { object, warnings, .. } => (Some(object).filter(|object| !object.is_null()), warnings),
        Answer::Refused { code: 400, reasons, .. }
            if options.allow_no_dry_run && reasons.iter().any(|reason| reason.contains("does not support dry run")) =>
        {
            (None, vec![format!("not dry-run: {}", reasons.join("; "))])
        }
        Answer::Refused { reasons, hint, .. } => return Err(Refusal { reasons, hint, already: false }),
        Answer::Ambiguous { message } => return Err(Refusal::new(message)),
    };
    let changes = expected_changes(&write, before.as_ref(), after.as_ref())?;
    let rolls_out = changes.iter().any(|change| change.pointer.starts_with("/spec/template/"));
    Ok(Prepared {
        write,
        before,
        after,
        changes,
        warnings,
        rolls_out,
        hand_back: None,
        origin: None,
        takes_back: None,
        undoes: None,
    })
}

/// The fields that a patch changes, by the server's answer or, without one, by our own reckoning.
fn expected_changes(write: &Write, before: Option<&Value>, after: Option<&Value>) -> Result<Vec<Change>, Refusal> {
    let (Write::Patch { object, guarded, .. }, Some(before)) = (write, before) else { return Ok(Vec::new()) };
    let changes = change::between(before, after.unwrap_or(&guarded.after));
    if changes.is_empty() {
        return Err(Refusal::new(format!(
            "the server leaves {object} as it is: an admission webhook takes the change back"
        )));
    }
    if let Some(secret) = changes.iter().find(|change| change::holds_secret(change)) {
        let reason =
            format!("{} of {object} holds a value that no journal may keep, so it could not be undone", secret.pointer);
        return Err(Refusal::new(reason));
    }
    Ok(changes)
}

/// What a step is for: which rule, in which words.
#[derive(Clone, Debug)]
pub struct Purpose {
    /// The rule.
    pub rule: String,
    /// The fix in words.
    pub title: String,
    /// What can't be taken back.
    pub irreversible: Option<String>,
    /// The workloads that are restarted after it, so that their pods read it.
    pub awaits: Vec<ObjectRef>,
}

/// Journals the intent, sends the request and journals what became of it. Fields that are taken back
/// are handed back to their owners.
pub async fn commit(
    connection: &Connection,
    journal: &mut Writer,
    step: usize,
    purpose: &Purpose,
    prepared: &Prepared,
    options: &Options,
) -> Result<StepResult, JournalError> {
    let owners = ownership::owners(connection, prepared).await;
    let intent = Intent { owners, ..intent(step, purpose, prepared) };
    journal.write(&Record::Intent(intent.clone()))?;
    let answer = write::send(connection, &prepared.write, options, false).await;
    let answer = compared(connection, prepared, answer).await;
    let mut result = result(step, prepared, answer);
    journal.write(&Record::Result(result.clone())).map_err(|error| JournalError::Unanswered(Box::new(error)))?;
    if result.outcome == Outcome::Applied
        && let Some(back) = &prepared.hand_back
    {
        result.kept = ownership::hand_back(connection, &intent.object, back, options).await.err();
        let failure = result.kept.clone();
        journal.write(&Record::HandedBack { step, failure, time: jiff::Timestamp::now() })?;
    }
    Ok(result)
}

/// What the object shows after an answer that was lost, by the server's dry run: it fills in more than
/// we ask for, and what undo makes again bears no mark.
async fn compared(connection: &Connection, prepared: &Prepared, answer: Answer) -> Answer {
    let message = match &answer {
        Answer::Ambiguous { message } => message.clone(),
        Answer::Refused { code: 0, reasons, .. } => reasons.join("; "),
        _ => return answer,
    };
    let part = match &prepared.write {
        Write::Patch { subresource, .. } => subresource.as_deref(),
        Write::Create { .. } => None,
        Write::Delete { .. } => return answer,
    };
    let Ok(Some(live)) = objects::find(connection, prepared.write.object(), part).await else { return answer };
    match shown(prepared, &live) {
        Some(Outcome::Applied) => Answer::Done { object: live, code: 0, warnings: Vec::new() },
        Some(Outcome::NotApplied) if matches!(answer, Answer::Ambiguous { .. }) => {
            let why = message.split("; ").next().unwrap_or_default();
            Answer::Refused { code: 0, reasons: vec![format!("{why}; the object is as it was")], hint: None }
        }
        _ => answer,
    }
}

/// What an object shows about a request; `None` if that is neither.
fn shown(prepared: &Prepared, live: &Value) -> Option<Outcome> {
    if let Write::Create { manifest, .. } = &prepared.write {
        let is_marked = manifest.pointer(&pointer("/metadata/annotations", &[CHANGE_ID])).is_some();
        let is_same = !is_marked && prepared.after.as_ref().map(written) == Some(written(live));
        return is_same.then_some(Outcome::Applied);
    }
    let uid = |object: &Value| object.pointer("/metadata/uid").cloned();
    if prepared.before.as_ref().and_then(uid) != uid(live) {
        return None;
    }
    let derived = derived(prepared);
    let mut fields = change::standing(&prepared.changes, live);
    fields.retain(|field| !derived.contains(&field.change.pointer));
    let all = |standing: Standing| !fields.is_empty() && fields.iter().all(|field| field.standing == standing);
    match () {
        () if all(Standing::Ours) => Some(Outcome::Applied),
        () if all(Standing::AsBefore) => Some(Outcome::NotApplied),
        () => None,
    }
}
