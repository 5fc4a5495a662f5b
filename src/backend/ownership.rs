//! Field ownership: who owned what a change touches, and giving it back after an undo.
//!
//! A patch makes us the owner of the fields that it changes, and takes them out of the sets of
//! their former owners: the next server-side apply of one of those meets a conflict, even when the
//! old value is back. So undo hands the fields back, in a patch of its own: the server ignores
//! `managedFields` in one that changes anything else.

use std::time::Duration;

use serde_json::Value;

use super::change::Prepared;
use super::cluster::connect::Connection;
use super::cluster::objects;
use super::cluster::write::{self, Answer, Options, Write};
use crate::model::ObjectRef;
use crate::plan::Guarded;
use crate::plan::owners::{self, HandBack, Owned};

/// How often a hand-back begins anew when somebody writes the object meanwhile: a controller writes
/// the status of a workload several times a second while it rolls out.
const TRIES: u32 = 10;
/// The pause before the second try; each later one is twice as long, up to the longest.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The owners of the fields that a patch is about to change. Entries of a subresource stand in the
/// whole object alone.
pub async fn owners(connection: &Connection, prepared: &Prepared) -> Vec<Owned> {
    let (Write::Patch { object, subresource, .. }, Some(before)) = (&prepared.write, &prepared.before) else {
        return Vec::new();
    };
    let pointers: Vec<String> = prepared.changes.iter().map(|change| change.pointer.clone()).collect();
    if subresource.is_none() {
        return owners::owners(before, &pointers);
    }
    let whole = objects::find(connection, object, None).await.ok().flatten();
    whole.map(|whole| owners::owners(&whole, &pointers)).unwrap_or_default()
}

/// Takes fields out of our entry and gives them back to their owners from before. The error says
/// why they stay ours. Nothing but `managedFields` changes, and only in the version that was read.
pub async fn hand_back(
    connection: &Connection,
    object: &ObjectRef,
    back: &HandBack,
    options: &Options,
) -> Result<(), String> {
    let mut why = String::new();
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(LONGEST_PAUSE.min(PAUSE * 2_u32.pow(attempt - 1))).await;
        }
        let live = objects::get(connection, object, None).await.map_err(|error| error.to_string())?;
        let uid = live.pointer("/metadata/uid").and_then(Value::as_str);
        if object.uid.is_some() && object.uid.as_deref() != uid {
            return Ok(());
        }
        let Some(patch) = owners::hand_back(&live, back) else { return Ok(()) };
        let guarded = Guarded { patch, after: live };
        let request = Write::Patch { object: object.clone(), subresource: None, guarded };
        let tried = write::send(connection, &request, options, true).await;
        let answer = match tried {
            Answer::Done { .. } => write::send(connection, &request, options, false).await,
            refused => refused,
        };
        why = match answer {
            Answer::Done { code: 1.., .. } => return Ok(()),
            Answer::Refused { code: 409 | 422, reasons, .. } => reasons.join("; "),
            Answer::Refused { reasons, .. } => return Err(reasons.join("; ")),
            // The answer was lost: the next look shows whether it is done.
            Answer::Done { .. } => "the answer was lost".to_owned(),
            Answer::Ambiguous { message } => message,
        };
    }
    Err(why)
}
