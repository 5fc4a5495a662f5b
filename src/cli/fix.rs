//! `fix`: diff, ask, dry-run, journal, apply, wait, audit again.

use std::time::Duration;

use clap::Args;

use super::Shell;
use super::args::{WhatArgs, duration};
use super::error::{CliError, code};
use super::session::{Origin, Session, offered, runtime};
use crate::backend::change::Purpose;
use crate::finding::Finding;
use crate::fix::{Applicability, Fix, Input};
use crate::plan::{merge, order};

mod settled;
mod run;
mod entry;
mod waiting;
mod back;
mod vigil;
mod batch;
mod interactive;
mod portions;
pub mod preflight;
mod summary;

pub use interactive::{rehearsal, step_diff};
pub use run::{After, Run, kubectl_name};
pub use settled::Settled;
pub use summary::{STALE, count, finish, needs_a_look, settled_json};

/// The flags of `fix`.
#[derive(Debug, Args)]
pub struct FixArgs {
    /// What is looked at
    #[command(flatten)]
    pub what: WhatArgs,
    /// How it is written
    #[command(flatten)]
    pub write: WriteArgs,
    /// Apply unsafe fixes too, and those whose every question is answered with --set
    #[arg(long, help_heading = "Writing")]
    pub unsafe_fixes: bool,
    /// What happens afterwards
    #[command(flatten)]
    pub after: AfterArgs,
    /// Go on with independent fixes after one has failed
    #[arg(long, help_heading = "Writing", conflicts_with = "atomic")]
    pub keep_going: bool,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json", "yaml", "name"], help_heading = "Output")]
    pub output: Option<String>,
    /// Nothing but what the selected fixes are, even if a rule would make another by now
    #[arg(skip)]
    pub as_planned: bool,
}

/// How changes are written.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Writing")]
pub struct WriteArgs {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Change nothing: print the plan (client) or let the server try it (server)
    #[arg(long, value_name = "MODE", value_enum, num_args = 0..=1, default_value = "none", default_missing_value = "server", require_equals = true)]
    pub dry_run: DryRun,
    /// Wait for rollouts
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value = "true", default_missing_value = "true", require_equals = true, action = clap::ArgAction::Set)]
    pub wait: bool,
    /// How long to wait for a rollout
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub timeout: Duration,
    /// Write even where a webhook does not support dry runs
    #[arg(long)]
    pub allow_no_dry_run: bool,
    /// The name of the writer in managedFields
    #[arg(long, value_name = "NAME", default_value = "kubectl-progrc")]
    pub field_manager: String,
}

/// What happens after a change.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Writing")]
pub struct AfterArgs {
    /// Watch new pods this long after a rollout; else twice their readiness period, at least 30s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub soak: Option<Duration>,
    /// Leave a change whose rollout or check fails as it is
    #[arg(long)]
    pub no_rollback: bool,
    /// Take the whole batch back if one change of it fails
    #[arg(long, requires = "yes", conflicts_with = "no_rollback")]
    pub atomic: bool,
}

impl AfterArgs {
    /// What a run does after its writes.
    pub fn after(&self, batch: bool) -> After {
        After { rollback: !self.no_rollback, atomic: self.atomic, checks: true, soak: self.soak, batch }
    }
}

/// How far a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DryRun {
    /// It writes
    None,
    /// It prints what it would do
    Client,
    /// The server tries every request
    Server,
}

impl WriteArgs {
    /// How requests are sent.
    pub fn options(&self) -> crate::backend::cluster::write::Options {
        crate::backend::cluster::write::Options {
            field_manager: self.field_manager.clone(),
            allow_no_dry_run: self.allow_no_dry_run,
        }
    }

    /// How long rollouts and conditions are waited for; `None` if not at all.
    pub fn patience(&self) -> Option<Duration> {
        self.wait.then_some(self.timeout)
    }

    /// Refuses to begin without somebody to ask.
    pub fn check_consent(&self, shell: &Shell) -> Result<(), CliError> {
        if self.yes || self.dry_run != DryRun::None || shell.ui.is_interactive() {
            return Ok(());
        }
        Err(CliError::new("there is no terminal to ask on")
            .hint("--yes applies the safe fixes without asking, --dry-run shows them"))
    }
}

/// True if a fix loses nothing for good, or its loss was confirmed with
/// `--set RULE.confirm=NAMESPACE/NAME`.
pub fn is_confirmed(finding: &Finding, fix: &Fix) -> bool {
    let path = finding.object.path();
    let confirms = |input: &Input| input.key == "confirm" && input.value.as_deref() == Some(path.as_str());
    fix.irreversible.is_none() || fix.inputs.iter().any(confirms)
}

/// True if the flags of a batch allow a fix.
pub fn is_allowed(finding: &Finding, fix: &Fix, unsafe_fixes: bool) -> bool {
    if !is_confirmed(finding, fix) {
        return false;
    }
    match fix.applicability {
        Applicability::Safe => true,
        Applicability::Unsafe => unsafe_fixes && fix.is_built(),
        Applicability::Input => unsafe_fixes && fix.is_built() && !fix.steps.is_empty(),
        Applicability::Manual => false,
    }
}

/// Runs `fix`.
pub fn run(args: &FixArgs, shell: &Shell) -> Result<u8, CliError> {
    if !args.what.filename.is_empty() || args.what.kustomize.is_some() {
        return Err(
            CliError::new("fix does not edit manifests yet").hint("`kubectl progrc diff -f …` prints what to change")
        );
    }
    args.write.check_consent(shell)?;
    let runtime = runtime()?;
    let mut session = Session::open(&args.what, &shell.connection, &shell.env, &shell.ui, &runtime)?;
    order::sort(&mut session.audit.findings, &session.inventory);
    let Origin::Cluster { connection, identity } = &session.origin else {
        return Err(CliError::new("fix needs a cluster"));
    };
    let (connection, identity) = (connection.clone(), identity.clone());
    announce(shell, &session);
    let mut run = Run::new(shell, &runtime, connection, identity, &args.write);
    run.namespaces = session.inventory.scope.namespaces.iter().flatten().cloned().collect();
    let selected: Vec<Finding> = session.findings().cloned().collect();
    let batch = args.write.yes || args.write.dry_run != DryRun::None;
    run.after = args.after.after(false);
    let outcome = if batch {
        run_batch(args, &mut run, &mut session, &selected)
    } else {
        interactive::run(args, &mut run, &mut session, &selected)
    };
    let left = match outcome {
        Ok(left) => left,
        Err(error) if error.code == code::INTERRUPTED => {
            shell.ui.restore_cursor();
            run.interrupted = true;
            Vec::new()
        }
        Err(error) => return Err(run.close_after(error)),
    };
    summary::finish(args, run, &session, &left)
}

/// Runs a batch to its end: what was changed is watched; with `--atomic`, all or nothing.
pub fn run_batch(
    args: &FixArgs,
    run: &mut Run<'_>,
    session: &mut Session,
    selected: &[Finding],
) -> Result<Vec<Left>, CliError> {
    run.after = args.after.after(true);
    let left = batch::run(args, run, session, selected)?;
    run.look_after()?;
    let failed = |settled: &Settled| settled.failure.is_some();
    let failure = left.iter().find(|left| left.counts).map(|left| left.reason.clone());
    let failure = failure.or_else(|| run.settled.iter().find(|it| failed(it)).and_then(|it| it.failure.clone()));
    if let Some(why) = failure.filter(|_| run.after.atomic) {
        run.take_all_back(&why)?;
    }
    Ok(left)
}

/// Context, server and namespaces, before anything is asked.
pub fn announce(shell: &Shell, session: &Session) {
    let Origin::Cluster { connection, .. } = &session.origin else { return };
    let context = connection.context.as_deref().unwrap_or("in-cluster");
    let scope = match &session.inventory.scope.namespaces {
        Some(names) => format!("namespace {}", names.iter().cloned().collect::<Vec<_>>().join(", ")),
        None => "all namespaces".to_owned(),
    };
    shell.ui.note(&format!("Context {context} · {} · {scope}", connection.server));
}

/// A finding whose fix was not applied, and why.
#[derive(Clone, Debug)]
pub struct Left {
    /// The finding.
    pub finding: Finding,
    /// Why.
    pub reason: String,
    /// True if the flags allow it or it was asked for, so that it counts in the exit code.
    pub counts: bool,
}

impl Left {
    /// A finding that is left.
    pub fn new(finding: &Finding, reason: impl Into<String>, counts: bool) -> Self {
        Self { finding: finding.clone(), reason: reason.into(), counts }
    }
}

/// What the requests of a fix are for, as the journal keeps it.
fn purpose_of(finding: &Finding, fix: &Fix) -> Purpose {
    // The pods of a CronJob are new with its next run.
    let restarted = merge::rollouts(fix).into_iter().filter(|workload| workload.kind != "CronJob");
    Purpose {
        rule: finding.rule.to_owned(),
        title: fix.title.clone(),
        irreversible: fix.irreversible.clone(),
        awaits: restarted.map(|workload| (*workload).clone()).collect(),
    }
}

/// Why a fix is not offered at all; `None` if it is.
pub fn not_offered(finding: &Finding) -> Option<String> {
    let Some(fix) = offered(finding) else { return Some("there is no fix for a machine".to_owned()) };
    if let Some(refused) = fix.lowered_by.iter().find(|lowered| lowered.refuses) {
        return Some(format!("refused ({}): {}{}", refused.guard, refused.reason, instead(finding, fix)));
    }
    if fix.applicability == Applicability::Manual {
        let why = fix.lowered_by.first().map_or_else(|| fix.title.clone(), |lowered| lowered.reason.clone());
        return Some(format!("manual: {why}{}", instead(finding, fix)));
    }
    None
}

/// The command that prints a fix for the source of objects that somebody else keeps.
fn instead(finding: &Finding, fix: &Fix) -> String {
    let owned = !fix.lowered_by.is_empty() && fix.lowered_by.iter().all(|lowered| lowered.guard == "ownership");
    if !owned || fix.steps.is_empty() {
        return String::new();
    }
    let namespace = finding.object.namespace.as_ref().map(|name| format!(" -n {name}")).unwrap_or_default();
    format!("; `kubectl progrc emit {}{namespace}` prints the change", finding.rule)
}
