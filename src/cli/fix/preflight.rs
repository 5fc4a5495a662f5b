//! Everything that happens before a write: rights are asked for, the objects are read again, the
//! finding is judged on them, and the server tries every request. Nothing here changes anything.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};
use serde_json::Value;

use super::run::Run;
use crate::audit;
use crate::backend::change::{self, Prepared, Refusal};
use crate::backend::cluster::access::{self, Access, Right};
use crate::backend::cluster::objects::GetError;
use crate::backend::cluster::refresh::{self, Wanted};
use crate::cli::session::Session;
use crate::finding::{Finding, Verdict};
use crate::fix::Step;
use crate::model::ObjectRef;

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

/// Reads what findings are about, what steps are built from, and what earlier fixes of the run have
/// written, from which a rule may build another fix by now. Puts it into the inventory.
pub fn read<'s>(
    run: &Run<'_>,
    session: &mut Session,
    findings: impl IntoIterator<Item = &'s Finding>,
    steps: impl IntoIterator<Item = &'s Step>,
    written: &[ObjectRef],
) -> Fresh {
    let mut wanted = Wanted::default();
    written.iter().for_each(|object| wanted.object(object));
    for finding in findings {
        wanted.object(&finding.object);
        finding.locations.iter().filter_map(|it| it.object.as_ref()).for_each(|object| wanted.object(object));
    }
    steps.into_iter().for_each(|step| wanted.step(step, &session.inventory));
    let inventory = std::mem::take(&mut session.inventory);
    let (inventory, read) = run.runtime.block_on(refresh::refresh(&run.connection, inventory, wanted));
    session.inventory = inventory;
    let mut fresh = Fresh::default();
    for ((object, part), answer) in read {
        let missing = || Refusal::from(GetError::NotFound(object.to_string()));
        let raw = answer.map_err(Refusal::from).and_then(|found| found.ok_or_else(missing));
        fresh.raw.insert(refresh::key(&object, part.as_deref()), raw);
    }
    fresh
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
        let known = step.source().and_then(|(object, part)| fresh.raw.get(&refresh::key(object, part)));
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
