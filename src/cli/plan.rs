//! `plan`: the fixes as a file, to be reviewed and applied later. It reads, and writes nothing else.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;

use super::Shell;
use super::args::WhatArgs;
use super::error::{CliError, code};
use super::fix::{count, is_allowed, not_offered};
use super::session::{Origin, Session, offered, runtime};
use crate::backend::cluster::connect::Connection;
use crate::backend::{files, originals};
use crate::finding::Finding;
use crate::fix::{Fix, Step};
use crate::model::mask;
use crate::plan::draft::{Drafts, Originals, Target};
use crate::plan::file::{Cluster, Metadata, Omitted, Plan, Planned, Settings};
use crate::plan::{order, seen};
use crate::report;

/// The flags of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// What is looked at
    #[command(flatten)]
    pub what: WhatArgs,
    /// Only what `fix --yes` would do
    #[arg(short, long)]
    yes: bool,
    /// With --yes: what `fix --yes --unsafe-fixes` would do
    #[arg(long)]
    unsafe_fixes: bool,
    /// File for the plan, - for standard output; a summary is printed without it
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, help_heading = "Output")]
    out: Option<PathBuf>,
}

/// Runs `plan`.
pub fn run(args: &PlanArgs, shell: &Shell) -> Result<u8, CliError> {
    if !args.what.filename.is_empty() || args.what.kustomize.is_some() {
        return Err(CliError::new("plan needs a cluster: a plan tests what the server has")
            .hint("`kubectl progrc diff -f …` shows what to change in files, `emit -f …` prints it"));
    }
    let runtime = runtime()?;
    let mut session = Session::open(&args.what, &shell.connection, &shell.env, &shell.ui, &runtime)?;
    order::sort(&mut session.audit.findings, &session.inventory);
    let plan = make(args, shell, &session, &runtime)?;
    match &args.out {
        None => {
            shell.ui.lines(&report::plan::lines(&plan));
            shell.ui.note("`kubectl progrc plan --out FILE` writes it, `kubectl progrc apply FILE` applies it.");
        }
        Some(out) if out.as_os_str() == "-" => shell.ui.data(&plan.to_yaml()),
        Some(out) => {
            files::write(out, &plan.to_yaml())?;
            let (out, fixes) = (out.display(), count(plan.fixes.len(), "fix", "fixes"));
            plan.omitted.iter().for_each(|omitted| {
                let object = crate::model::ObjectRef::from(&omitted.object);
                shell.ui.note(&format!("Left out: {} · {object}: {}", omitted.rule, omitted.reason));
            });
            shell.ui.note(&format!("{out} written: {fixes}. `kubectl progrc apply {out}` applies it."));
        }
    }
    Ok(code::DONE)
}

fn make(
    args: &PlanArgs,
    shell: &Shell,
    session: &Session,
    runtime: &tokio::runtime::Runtime,
) -> Result<Plan, CliError> {
    let Origin::Cluster { connection, identity } = &session.origin else {
        return Err(CliError::new("plan needs a cluster"));
    };
    let (mut chosen, mut omitted) = (Vec::new(), Vec::new());
    for finding in session.findings() {
        match choose(args, session, finding) {
            Ok(fix) => chosen.push((finding, fix)),
            Err(Some(why)) => omitted.push(left_out(finding, &why)),
            Err(None) => {}
        }
    }
    let originals = read(shell, runtime, connection, chosen.iter().map(|(_, fix)| *fix));
    let (mut fixes, mut rules) = (Vec::new(), BTreeSet::new());
    for (finding, fix) in chosen {
        match planned(session, &originals, finding, fix) {
            Ok(planned) if planned.steps.is_empty() => {}
            Ok(planned) => {
                fixes.push(planned);
                rules.insert(finding.rule);
            }
            Err(why) => omitted.push(left_out(finding, &why)),
        }
    }
    let metadata = Metadata {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        cluster: Cluster {
            uid: identity.uid.clone(),
            server: mask::mask("", &connection.server),
            context: connection.context.clone(),
        },
        namespaces: session.inventory.scope.namespaces.iter().flatten().cloned().collect(),
        environment: session.settings.environment,
        settings: Settings::of(&rules, &session.config.system_namespaces, &session.settings),
        hash: String::new(),
    };
    Ok(Plan::new(metadata, fixes, omitted))
}

/// The fix of a finding if it belongs in the plan; else why not, where there is something to say.
fn choose<'a>(args: &PlanArgs, session: &Session, finding: &'a Finding) -> Result<&'a Fix, Option<String>> {
    let fix = offered(finding).ok_or(None)?;
    if let Some(why) = not_offered(finding) {
        return Err(Some(why).filter(|_| !fix.steps.is_empty()));
    }
    if !fix.is_built() {
        let open = fix.inputs.iter().filter(|input| input.is_open());
        let open: Vec<String> = open.map(|input| format!("--set {}.{}=…", finding.rule, input.key)).collect();
        return Err(Some(format!("needs input: {}", open.join(" "))));
    }
    if args.yes && !is_allowed(finding, fix, args.unsafe_fixes) {
        return Err(Some("not among what --yes covers".to_owned()));
    }
    match Settings::refusal(finding.rule, &session.settings) {
        Some(why) => Err(Some(why)),
        None => Ok(fix),
    }
}

fn left_out(finding: &Finding, why: &str) -> Omitted {
    Omitted { rule: finding.rule.to_owned(), object: (&*finding.object).into(), reason: mask::mask("", why) }
}

/// Reads what fixes start from.
pub fn read<'a>(
    shell: &Shell,
    runtime: &tokio::runtime::Runtime,
    connection: &Connection,
    fixes: impl Iterator<Item = &'a Fix>,
) -> Originals {
    let steps: Vec<&Step> = fixes.flat_map(|fix| &fix.steps).collect();
    let (originals, failed) = runtime.block_on(originals::of_cluster(connection, &steps));
    failed.iter().for_each(|why| shell.ui.warn(why));
    originals
}

/// A fix as a plan holds it, by itself: the fixes of a plan do not build on each other, so that one
/// may be left out.
pub fn planned(session: &Session, originals: &Originals, finding: &Finding, fix: &Fix) -> Result<Planned, String> {
    let steps = seen::pin(&fix.steps, &session.inventory);
    Planned::new(finding, fix, &Drafts::new(originals, Target::Plan).fix(&steps)?)
}
