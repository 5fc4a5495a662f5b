//! Everything that happens before a write: rights are asked for, the objects are read again, the
//! finding is judged on them, and the server tries every request. Nothing here changes anything.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};
use serde_json::Value;

use super::run::Run;
use crate::audit;
use crate::backend::change::{self, Prepared, Refusal};
use crate::backend::cluster::access::{self, Access, Right};
use crate::backend::cluster::objects::{self, GetError};
use crate::backend::cluster::{list, resources};
use crate::cli::session::Session;
use crate::finding::{Finding, Verdict};
use crate::fix::Step;
use crate::model::inventory::resource_name;
use crate::model::{Inventory, ObjectRef};

/// Requests of a preflight that run at the same time.
const PARALLEL: usize = 8;

/// The rights of the user, each asked for once a run.
#[derive(Debug, Default)]
pub struct Rights {
    known: BTreeMap<Right, Access>,
}

impl Rights {
    /// Asks the server for what steps need and was not asked before. What the server does not say
    /// is a warning: the dry run needs the same right.
    pub fn ask<'s>(&mut self, run: &Run<'_>, steps: impl IntoIterator<Item = &'s Step>) {
        let open: BTreeSet<Right> =
            steps.into_iter().filter_map(Right::of).filter(|right| !self.known.contains_key(right)).collect();
        if open.is_empty() {
            return;
        }
        let answers = run.runtime.block_on(access::review(&run.connection, &open));
        let unsaid = answers.values().find_map(|access| match access {
            Access::Unknown(why) => Some(why),
            _ => None,
        });
        if let Some(why) = unsaid {
            run.shell.ui.warn(&format!("what the user may write is not known ({why}); the dry runs show it"));
        }
        self.known.extend(answers);
    }

    /// Why the user may not carry steps out, with the rule that would help; `None` if nothing is
    /// known to be missing.
    pub fn missing(&self, steps: &[Step]) -> Option<String> {
        let denied = |right: &Right| match self.known.get(right) {
            Some(Access::Denied(reason)) if reason.is_empty() => Some(String::new()),
            Some(Access::Denied(reason)) => Some(format!(" ({reason})")),
            _ => None,
        };
        let mut lines: Vec<String> = steps
            .iter()
            .filter_map(Right::of)
            .filter_map(|right| Some(format!("the user may not {right}{}: {}", denied(&right)?, right.rule())))
            .collect();
        lines.sort();
        lines.dedup();
        (!lines.is_empty()).then(|| lines.join("; "))
    }
}

/// Objects as they are now, raw, by what they were read for.
#[derive(Debug, Default)]
pub struct Fresh {
    raw: BTreeMap<String, Result<Value, Refusal>>,
}

fn key(object: &ObjectRef, part: Option<&str>) -> String {
    format!("{} {object} {}", object.group(), part.unwrap_or_default())
}

/// A list that a creation is judged by.
type Collection = (String, String, Option<String>);

/// Reads what findings are about and what steps touch, and puts it into the inventory. For an
/// object that is to be made all of its kind in the namespace are read: any of them may be the one
/// that was missing.
pub fn read<'s>(
    run: &Run<'_>,
    session: &mut Session,
    findings: impl IntoIterator<Item = &'s Finding>,
    steps: impl IntoIterator<Item = &'s Step>,
) -> Fresh {
    let (mut places, mut collections) = (BTreeMap::new(), BTreeSet::new());
    let mut add = |object: &ObjectRef, part: Option<&str>| {
        if !object.is_whole_cluster() && object.kind != "Secret" {
            places.entry(key(object, part)).or_insert_with(|| (object.clone(), part.map(str::to_owned)));
        }
    };
    for finding in findings {
        add(&finding.object, None);
        finding.locations.iter().filter_map(|it| it.object.as_ref()).for_each(|object| add(object, None));
    }
    for step in steps {
        if let Some((object, part)) = change::source(step) {
            add(object, part);
        } else if let Step::Create { object, .. } = step {
            collections.insert((object.api_version.clone(), object.kind.clone(), object.namespace.clone()));
        }
    }
    let (raw, lists) =
        run.runtime.block_on(async { (read_places(run, places).await, read_lists(run, collections).await) });
    let mut inventory = std::mem::take(&mut session.inventory);
    inventory.retain(|object| {
        let listed = |((version, kind, namespace), _): &(Collection, Inventory)| {
            object.kind == *kind && object.namespace == *namespace && same_group(&object.api_version, version)
        };
        let read = |(_, place, part, answer): &ReadPlace| part.is_none() && answer.is_ok() && place.same(object);
        !lists.iter().any(listed) && !raw.iter().any(read)
    });
    lists.into_iter().for_each(|(_, list)| inventory.absorb(list));
    let mut fresh = Fresh::default();
    for (key, object, part, answer) in raw {
        if let (None, Ok(Some(value))) = (&part, &answer) {
            // What the audit could read, the server still serves in that shape.
            let _ = inventory.add(&object.api_version, &object.kind, value, None);
        }
        let missing = || Refusal::from(GetError::NotFound(object.to_string()));
        fresh.raw.insert(key, answer.map_err(Refusal::from).and_then(|found| found.ok_or_else(missing)));
    }
    session.inventory = inventory.finish();
    fresh
}

/// One place, its object and part, and what was read there.
type ReadPlace = (String, ObjectRef, Option<String>, Result<Option<Value>, GetError>);

async fn read_places(run: &Run<'_>, places: BTreeMap<String, (ObjectRef, Option<String>)>) -> Vec<ReadPlace> {
    stream::iter(places)
        .map(|(key, (object, part))| async move {
            let answer = objects::find(&run.connection, &object, part.as_deref()).await;
            (key, object, part, answer)
        })
        .buffered(PARALLEL)
        .collect()
        .await
}

/// Lists that can't be read are left as the audit saw them: the dry run has the last word.
async fn read_lists(run: &Run<'_>, wanted: BTreeSet<Collection>) -> Vec<(Collection, Inventory)> {
    let lists = stream::iter(wanted).map(|collection| async move {
        let (version, kind, namespace) = &collection;
        let name = resource_name(version, kind);
        let plural = name.split('.').next().unwrap_or_default();
        let resource = resources::custom(version, plural, kind, namespace.is_some());
        let inventory = list::list(&run.connection, &resource, namespace.as_deref()).await.ok()?;
        Some((collection, inventory))
    });
    lists.buffered(PARALLEL).filter_map(|list| async move { list }).collect().await
}

fn same_group(one: &str, other: &str) -> bool {
    let group = |version: &str| version.split_once('/').map_or(String::new(), |(group, _)| group.to_owned());
    group(one) == group(other)
}

/// What has become of a finding.
#[derive(Debug)]
pub enum Now {
    /// It still holds; with its fixes as they are built now.
    Holds(Box<Finding>),
    /// It does not.
    Gone(String),
    /// It can't be told.
    Unclear(String),
}

/// Judges findings again on the inventory as it is now, by their own rules alone.
pub fn judge(session: &Session, findings: &[&Finding]) -> Vec<Now> {
    let wanted: BTreeSet<&str> = findings.iter().map(|finding| finding.rule).collect();
    let rules: Vec<_> = session.rules.iter().filter(|rule| wanted.contains(rule.id)).copied().collect();
    let audit = audit::run_configured(&session.inventory, &session.settings, &session.config, &rules);
    let by_print: BTreeMap<String, &Finding> = audit.findings.iter().map(|it| (it.fingerprint(), it)).collect();
    let now = |finding: &&Finding| {
        if let Some(again) = by_print.get(&finding.fingerprint()) {
            return Now::Holds(Box::new((*again).clone()));
        }
        let outcomes = audit.rules.iter().filter(|it| it.rule.id == finding.rule).flat_map(|it| &it.outcomes);
        let unknown =
            outcomes.filter(|(object, _)| object.same(&finding.object)).find_map(|(_, verdict)| match verdict {
                Verdict::Unknown { reason } => Some(reason.clone()),
                _ => None,
            });
        match unknown {
            Some(reason) => Now::Unclear(format!("it can't be confirmed now: {reason}")),
            None => {
                Now::Gone("it is gone: the object is as it should be by now, or does not exist any more".to_owned())
            }
        }
    };
    findings.iter().map(now).collect()
}

/// Lets the server try portions of steps, several at a time; in each the steps go one after another.
pub fn prepare(run: &Run<'_>, fresh: &Fresh, portions: &[Vec<Step>]) -> Vec<Result<Vec<Prepared>, Refusal>> {
    let tries = stream::iter(portions).map(|steps| prepare_portion(run, fresh, steps)).buffered(PARALLEL);
    run.runtime.block_on(tries.collect())
}

async fn prepare_portion(run: &Run<'_>, fresh: &Fresh, steps: &[Step]) -> Result<Vec<Prepared>, Refusal> {
    let mut out: Vec<Prepared> = Vec::new();
    for step in steps {
        let restarted = |it: &Prepared| it.rolls_out && it.write.object().same(step.object());
        if matches!(step, Step::Restart { .. }) && out.iter().any(restarted) {
            continue;
        }
        let known = change::source(step).and_then(|(object, part)| fresh.raw.get(&key(object, part)));
        let tried = match known {
            Some(raw) => change::prepare_on(&run.connection, step, Some(raw.clone()?), &run.options).await,
            None => change::prepare(&run.connection, step, &run.options).await,
        };
        match tried {
            Ok(prepared) => out.extend(prepared),
            Err(refusal) if refusal.already => {}
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(out)
}
