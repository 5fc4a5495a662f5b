//! Backups that Velero and CloudNativePG make.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::{Fault, State, age, stale, tell};
use crate::finding::Location;
use crate::model::cluster::Other;
use crate::model::{Inventory, Item, evidence, volumes};
use crate::rules::rule::{Context, Verdicts};
use crate::rules::vouch;

const SCHEDULES: &str = "schedules.velero.io";
const BACKUPS: &str = "backups.velero.io";
const LOCATIONS: &str = "backupstoragelocations.velero.io";
const PLANNED: &str = "scheduledbackups.postgresql.cnpg.io";
const CLUSTERS: &str = "clusters.postgresql.cnpg.io";

pub(super) fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    // Velero's objects stand in a namespace of their own.
    let unseen = evidence::gap(inventory, &[SCHEDULES, LOCATIONS]);
    if let Some(reason) = unseen.or_else(|| evidence::gap_here(inventory, &[PLANNED, CLUSTERS])) {
        vouch::leave_open(context, verdicts, &inventory.cluster_subject(), reason);
    }
    velero(context, verdicts);
    for item in inventory.other(PLANNED).filter(|item| inventory.scope.covers(item.namespace())) {
        tell(context, verdicts, item, planned(inventory, item));
    }
    for item in inventory.other(CLUSTERS).filter(|item| inventory.scope.covers(item.namespace())) {
        if let Some(state) = cluster(item) {
            tell(context, verdicts, item, state);
        }
    }
}

fn text<'a>(item: &'a Item<Other>, pointer: &str) -> Option<&'a str> {
    item.at(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn time(item: &Item<Other>, pointer: &str) -> Option<Timestamp> {
    text(item, pointer)?.parse().ok()
}

fn velero(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let audited = inventory.audited_namespaces();
    let backups = newest_backups(inventory);
    let mut locations: BTreeSet<(String, Option<String>)> = BTreeSet::new();
    for item in inventory.other(SCHEDULES) {
        let concerns = inventory.scope.covers(item.namespace())
            || audited.iter().any(|namespace| volumes::takes_namespace(item, &namespace.name));
        if !concerns {
            continue;
        }
        let named = text(item, "/spec/template/storageLocation").map(str::to_owned);
        locations.insert((item.namespace().to_owned(), named));
        let backup = backups.get(&(item.namespace(), item.name())).copied();
        tell(context, verdicts, item, schedule(inventory, item, backup));
    }
    for item in inventory.other(LOCATIONS) {
        let is_default = item.name() == "default" || item.at("/spec/default").and_then(Value::as_bool) == Some(true);
        let used = locations.iter().any(|(namespace, named)| {
            namespace == item.namespace() && named.as_deref().map_or(is_default, |named| named == item.name())
        });
        if used || inventory.scope.covers(item.namespace()) {
            tell(context, verdicts, item, location(item));
        }
    }
}

/// The newest Backup of each Schedule.
fn newest_backups(inventory: &Inventory) -> BTreeMap<(&str, &str), &Item<Other>> {
    let mut out: BTreeMap<(&str, &str), &Item<Other>> = BTreeMap::new();
    let started = |item: &Item<Other>| time(item, "/status/startTimestamp").or(item.metadata.creation_timestamp);
    for item in inventory.other(BACKUPS) {
        let Some(schedule) = item.metadata.label("velero.io/schedule-name") else { continue };
        let ended = text(item, "/status/phase")
            .is_some_and(|phase| matches!(phase, "Completed" | "Failed" | "PartiallyFailed" | "FailedValidation"));
        let key = (item.namespace(), schedule);
        if ended && out.get(&key).is_none_or(|known| started(known) < started(item)) {
            out.insert(key, item);
        }
    }
    out
}

fn schedule(inventory: &Inventory, item: &Item<Other>, backup: Option<&Item<Other>>) -> State {
    if item.at("/spec/paused").and_then(Value::as_bool) == Some(true) {
        let at = Location::at("/spec/paused").values(Some(true.into()), Some(false.into()));
        return stale(Fault::new("is paused and makes no backups", at));
    }
    if text(item, "/status/phase") == Some("FailedValidation") {
        let at = Location::at("/status/phase").values(item.at("/status/phase").cloned(), None);
        return stale(Fault::new("was refused by Velero", at));
    }
    if let Some(backup) = backup {
        let phase = text(backup, "/status/phase").unwrap_or_default();
        if phase != "Completed" {
            let at = Location::at("/status/phase").of(&backup.subject);
            let at = at.values(backup.at("/status/phase").cloned(), None);
            let why = text(backup, "/status/failureReason").map(|why| format!(": {why}")).unwrap_or_default();
            let because = format!("{} ended as {phase}{why}", backup.subject);
            return stale(Fault::new("its last backup failed", at).because(because));
        }
    }
    let last = time(item, "/status/lastBackup");
    if last.is_none() && !inventory.is_live() {
        return State::Open("whether it runs does not show in files".to_owned());
    }
    let plan = text(item, "/spec/schedule").unwrap_or_default();
    age(inventory.taken_at, plan, last, item.metadata.creation_timestamp, "/status/lastBackup")
}

fn location(item: &Item<Other>) -> State {
    match text(item, "/status/phase") {
        Some("Available") => State::Fresh,
        Some(phase) => {
            let at = Location::at("/status/phase").values(Some(phase.into()), None);
            let fault = Fault::new("is not available: backups can't be stored", at);
            stale(match text(item, "/status/message") {
                Some(message) => fault.because(message),
                None => fault,
            })
        }
        None => State::Open("it has no status".to_owned()),
    }
}

fn planned(inventory: &Inventory, item: &Item<Other>) -> State {
    if item.at("/spec/suspend").and_then(Value::as_bool) == Some(true) {
        let at = Location::at("/spec/suspend").values(Some(true.into()), Some(false.into()));
        return stale(Fault::new("is suspended and makes no backups", at));
    }
    let last = time(item, "/status/lastScheduleTime").or(time(item, "/status/lastCheckTime"));
    if last.is_none() && !inventory.is_live() {
        return State::Open("whether it runs does not show in files".to_owned());
    }
    let plan = text(item, "/spec/schedule").unwrap_or_default();
    age(inventory.taken_at, plan, last, item.metadata.creation_timestamp, "/status/lastScheduleTime")
}

/// What the conditions of a cluster say about its backups; `None` if they say nothing.
fn cluster(item: &Item<Other>) -> Option<State> {
    let conditions = item.at("/status/conditions").and_then(Value::as_array)?;
    let field =
        |condition: &Value, key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let about =
        |condition: &&Value| matches!(field(condition, "type").as_str(), "ContinuousArchiving" | "LastBackupSucceeded");
    let mut found = conditions.iter().filter(about).peekable();
    found.peek()?;
    let Some(failed) = found.find(|condition| field(condition, "status") == "False") else {
        return Some(State::Fresh);
    };
    let kind = field(failed, "type");
    let index = conditions.iter().position(|other| field(other, "type") == kind).unwrap_or_default();
    let at = Location::at(format!("/status/conditions/{index}")).named(format!("/status/conditions/{kind}"));
    let what = if kind == "LastBackupSucceeded" { "its last backup failed" } else { "it does not archive" };
    Some(stale(Fault::new(what, at).because(format!("{kind} is False: {}", field(failed, "message")))))
}
