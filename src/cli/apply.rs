//! `apply`: the fixes of a plan file, if everything is still as it was when the plan was made.
//!
//! The rules run again. A fix is applied if its finding is still there and the fix made today is
//! the planned one; it is then read, tried and written like any other.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Shell;
use super::args::{WhatArgs, duration};
use super::error::{CliError, code};
use super::fix::{
    AfterArgs, DryRun, FixArgs, Left, Run, WriteArgs, announce, finish, not_offered, rehearsal, run_batch,
};
use super::plan::{planned, read};
use super::prompt;
use super::session::{Origin, Session, connect, offered, runtime};
use crate::audit::{Config, parse_set};
use crate::backend::files;
use crate::finding::Finding;
use crate::fix::{Fix, Input, Step};
use crate::model::{ObjectRef, Subject, mask};
use crate::plan::draft::Originals;
use crate::plan::file::{self, Plan, Planned};
use crate::report;
use crate::rules::RULES;
use crate::rules::rule::ParameterKind;

/// The way out for those who have no plan.
const MAKE: &str = "`kubectl progrc plan --out FILE` makes one";
/// How far the clocks of two machines may be apart.
const SKEW: i64 = 300;

/// The flags of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The plan, as `plan --out FILE` wrote it; - for standard input
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// How it is written
    #[command(flatten)]
    write: WriteArgs,
    /// What happens afterwards
    #[command(flatten)]
    after: AfterArgs,
    /// With --yes: apply the unsafe fixes of the plan too
    #[arg(long, help_heading = "Writing")]
    unsafe_fixes: bool,
    /// Go on with independent fixes after one has failed
    #[arg(long, help_heading = "Writing")]
    keep_going: bool,
    /// Confirm what can't be undone: RULE.confirm=NAMESPACE/NAME; repeatable
    #[arg(long, value_name = "ANSWER", add = super::completion::answers(), help_heading = "Writing")]
    set: Vec<String>,
    /// Change objects of these keepers although they put their own state back: helm, argocd, flux, operator
    #[arg(long, value_name = "KEEPER", value_delimiter = ',', value_parser = ["helm", "argocd", "flux", "operator"], help_heading = "Writing")]
    allow_managed: Vec<String>,
    /// How old the plan may be, e.g. 30m, 24h
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration, help_heading = "Writing")]
    max_age: Duration,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json", "yaml", "name"], help_heading = "Output")]
    output: Option<String>,
}

/// Runs `apply`.
pub fn run(args: &ApplyArgs, shell: &Shell) -> Result<u8, CliError> {
    let plan = read_plan(args)?;
    check_age(args, &plan)?;
    check_answers(args)?;
    args.write.check_consent(shell)?;
    let namespace = plan.metadata.namespaces.first().or(shell.connection.namespace.as_ref()).cloned();
    let connection = super::ConnectionArgs { namespace, ..shell.connection.clone() };
    let shell = &Shell { ui: shell.ui.clone(), env: shell.env.clone(), connection };
    let runtime = runtime()?;
    check_cluster(&plan, shell, &runtime)?;
    let mut fix = fix_args(args, &plan);
    let mut session = Session::open(&fix.what, &shell.connection, &shell.env, &shell.ui, &runtime)?;
    let Origin::Cluster { connection, identity } = &session.origin else {
        return Err(CliError::new("apply needs a cluster"));
    };
    let (connection, identity) = (connection.clone(), identity.clone());
    announce(shell, &session);
    let (mut chosen, mut left) = judge(&plan, shell, &session, &runtime)?;
    let mut run = Run::new(shell, &runtime, connection, identity, &args.write);
    run.command = "apply";
    run.namespaces.clone_from(&plan.metadata.namespaces);
    run.plan_hash = Some(plan.metadata.hash.clone());
    if !args.write.yes && args.write.dry_run == DryRun::None && !chosen.is_empty() {
        match ask(&run, &mut chosen, &mut left) {
            Ok(true) => (fix.write.yes, fix.unsafe_fixes) = (true, true),
            Ok(false) => left.extend(chosen.drain(..).map(|finding| Left::new(&finding, "answered no", true))),
            Err(error) if error.code == code::INTERRUPTED => {
                run.interrupted = true;
                chosen.clear();
            }
            Err(error) => return Err(error),
        }
    }
    match run_batch(&fix, &mut run, &mut session, &chosen) {
        // All of a plan was asked for.
        Ok(rest) => left.extend(rest.into_iter().map(|left| Left { counts: true, ..left })),
        Err(error) => return Err(run.close_after(error)),
    }
    finish(&fix, run, &session, &left)
}

fn read_plan(args: &ApplyArgs) -> Result<Plan, CliError> {
    let name = args.file.display().to_string();
    let text = if name == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        text
    } else {
        files::read(&args.file).map_err(|error| CliError::of(&error).hint(MAKE))?
    };
    let name = if name == "-" { "standard input".to_owned() } else { name };
    file::read(&text, &name).map_err(|error| {
        let hint = match &error {
            file::FileError::Edited { .. } => {
                "`kubectl progrc plan` makes another; --select, --ignore and -l choose what is in it"
            }
            _ => MAKE,
        };
        CliError::of(&error).hint(hint)
    })
}

fn check_age(args: &ApplyArgs, plan: &Plan) -> Result<(), CliError> {
    let made = &plan.metadata.created_at;
    let at: jiff::Timestamp =
        made.parse().map_err(|_| CliError::new(format!("the plan does not say when it was made: `{made}`")))?;
    let age = jiff::Timestamp::now().as_second() - at.as_second();
    if age < -SKEW {
        return Err(
            CliError::new(format!("the plan is from the future: {made}")).hint("check the clocks of both machines")
        );
    }
    let limit = i64::try_from(args.max_age.as_secs()).unwrap_or(i64::MAX);
    if age > limit {
        let old = format!("the plan is too old: made {made}, {} ago, and {} are allowed", span(age), span(limit));
        return Err(CliError::new(old).hint("make it anew, or allow more with --max-age"));
    }
    Ok(())
}

/// `90 s`, `26 h`.
fn span(seconds: i64) -> String {
    let (amount, unit) = match seconds {
        10_800.. => (seconds / 3600, "h"),
        180.. => (seconds / 60, "min"),
        _ => (seconds, "s"),
    };
    format!("{amount} {unit}")
}

/// The answers of a plan are in it; only confirmations come with its application.
fn check_answers(args: &ApplyArgs) -> Result<(), CliError> {
    for text in &args.set {
        let answer = parse_set(text, RULES)?;
        let rule = crate::rules::find(&answer.rule);
        let confirms =
            |p: &crate::rules::rule::Parameter| p.key == answer.key && matches!(p.kind, ParameterKind::Confirm);
        if !rule.is_some_and(|rule| rule.parameters.iter().any(confirms)) {
            return Err(CliError::new(format!("--set {}.{} changes what was reviewed", answer.rule, answer.key))
                .hint("answer it when the plan is made; only RULE.confirm is given here"));
        }
    }
    Ok(())
}

fn check_cluster(plan: &Plan, shell: &Shell, runtime: &tokio::runtime::Runtime) -> Result<(), CliError> {
    let (connection, identity) = runtime.block_on(connect(&shell.connection, &shell.env))?;
    let wanted = &plan.metadata.cluster;
    let same = match (&wanted.uid, &identity.uid) {
        (Some(wanted), Some(found)) => wanted == found,
        (None, None) => wanted.server == mask::mask("", &connection.server),
        _ => false,
    };
    if same {
        return Ok(());
    }
    let name = |uid: Option<&String>| uid.map_or_else(|| "of unknown uid".to_owned(), |uid| format!("uid {uid}"));
    let context = wanted.context.as_deref().map(|context| format!("context {context}, ")).unwrap_or_default();
    let mut error = CliError::new(format!(
        "the plan is for another cluster: {context}{}, {}",
        wanted.server,
        name(wanted.uid.as_ref())
    ));
    error.causes.push(format!("this one is {}, {}", connection.server, name(identity.uid.as_ref())));
    Err(error.hint("name its context with --context"))
}

/// What `fix` would be told to do the same.
fn fix_args(args: &ApplyArgs, plan: &Plan) -> FixArgs {
    let metadata = &plan.metadata;
    let settings = &metadata.settings;
    let what = WhatArgs {
        all_namespaces: metadata.namespaces.is_empty(),
        set: settings.set.iter().chain(&args.set).cloned().collect(),
        allow_managed: args.allow_managed.clone(),
        known: Some(Config {
            environment: Some(metadata.environment),
            system_namespaces: settings.system_namespaces.iter().cloned().collect(),
            parameters: settings.rules.clone(),
            ..Config::default()
        }),
        ..WhatArgs::default()
    };
    FixArgs {
        what,
        write: args.write.clone(),
        after: args.after.clone(),
        unsafe_fixes: args.unsafe_fixes,
        keep_going: args.keep_going,
        output: args.output.clone(),
        as_planned: true,
    }
}

/// The findings whose planned fix is still the one to apply, each with that fix; and what is left.
fn judge(
    plan: &Plan,
    shell: &Shell,
    session: &Session,
    runtime: &tokio::runtime::Runtime,
) -> Result<(Vec<Finding>, Vec<Left>), CliError> {
    let Origin::Cluster { connection, .. } = &session.origin else { return Ok((Vec::new(), Vec::new())) };
    let found: Vec<Option<&Finding>> = plan.fixes.iter().map(|planned| find(session, planned)).collect();
    let originals = read(shell, runtime, connection, found.iter().flatten().filter_map(|finding| offered(finding)));
    let (mut chosen, mut left) = (Vec::new(), Vec::new());
    for (index, (planned, finding)) in plan.fixes.iter().zip(&found).enumerate() {
        let Some(finding) = finding else {
            let waived = session.audit.waived.iter().any(|waived| waived.finding.fingerprint() == planned.fingerprint);
            let why = if waived { "it is waived now" } else { "the rule no longer fires" };
            left.push(Left::new(&gone(planned)?, why, true));
            continue;
        };
        match still_planned(session, &originals, planned, finding) {
            Ok(fix) => {
                let fix = expecting(fix, &plan.fixes, index);
                chosen.push(Finding { fixes: vec![fix], ..(*finding).clone() });
            }
            Err(why) => left.push(Left::new(finding, why, true)),
        }
    }
    Ok((chosen, left))
}

fn find<'a>(session: &'a Session, planned: &Planned) -> Option<&'a Finding> {
    session.audit.findings.iter().find(|finding| finding.fingerprint() == planned.fingerprint)
}

/// A finding that is not there any more, to be named.
fn gone(planned: &Planned) -> Result<Finding, CliError> {
    let rule = super::rules::known(&planned.rule)?;
    Ok(Finding {
        rule: rule.id,
        severity: planned.severity,
        priority: rule.priority,
        category: rule.category,
        confidence: crate::finding::Confidence::default(),
        object: Subject::new(ObjectRef::from(&planned.object)),
        locations: Vec::new(),
        message: planned.message.clone(),
        impact: "",
        evidence: Vec::new(),
        abridged: None,
        ownership: crate::model::ownership::Ownership::default(),
        fixes: Vec::new(),
    })
}

/// The fix of today, if it is the planned one.
fn still_planned<'a>(
    session: &Session,
    originals: &Originals,
    before: &Planned,
    finding: &'a Finding,
) -> Result<&'a Fix, String> {
    if let Some(why) = not_offered(finding) {
        return Err(why);
    }
    let fix = offered(finding).filter(|fix| fix.is_built()).ok_or("its questions are open again")?;
    let now = planned(session, originals, finding, fix)?;
    match file::differences(before, &now).as_slice() {
        [] => Ok(fix),
        changed => Err(format!("not as it was when the plan was made: {}", changed.join("; "))),
    }
}

/// The fix with the guards of the plan, so that they hold until it is written.
fn expecting(fix: &Fix, all: &[Planned], index: usize) -> Fix {
    let mut fix = fix.clone();
    let mut drafted = all[index].steps.iter().enumerate();
    for step in &mut fix.steps {
        let Step::Patch { object, expect, .. } = step else { continue };
        let same = |planned: &file::Step| {
            matches!(planned, file::Step::Patch { .. }) && ObjectRef::from(planned.object()).same(object)
        };
        if let Some((at, _)) = drafted.find(|(_, planned)| same(planned)) {
            expect.extend(file::expectations(all, index, at));
        }
    }
    fix
}

/// Shows every fix as the server would carry it out, and asks once. What can't be undone is
/// confirmed by name, or left.
fn ask(run: &Run<'_>, chosen: &mut Vec<Finding>, left: &mut Vec<Left>) -> Result<bool, CliError> {
    let ui = &run.shell.ui;
    for (index, finding) in chosen.iter().enumerate() {
        let Some(fix) = offered(finding) else { continue };
        let mut lines = report::plan::head(index + 1, finding);
        lines.extend(rehearsal(run, fix));
        ui.ask_lines(&lines);
    }
    let question = match chosen.len() {
        1 => "Apply this fix?".to_owned(),
        many => format!("Apply these {many} fixes?"),
    };
    if !prompt::confirm(ui, &run.interrupt, &question)? {
        return Ok(false);
    }
    let mut confirmed = Vec::new();
    for mut finding in std::mem::take(chosen) {
        if confirm(run, &mut finding)? {
            confirmed.push(finding);
        } else {
            left.push(Left::new(&finding, "not confirmed by name", true));
        }
    }
    *chosen = confirmed;
    Ok(true)
}

/// Asks for the name of what is lost for good, unless it was given.
fn confirm(run: &Run<'_>, finding: &mut Finding) -> Result<bool, CliError> {
    let path = finding.object.path();
    let Some(fix) = offered(finding) else { return Ok(true) };
    if super::fix::is_confirmed(finding, fix) {
        return Ok(true);
    }
    let lost = fix.irreversible.clone().unwrap_or_default();
    if !prompt::type_name(&run.shell.ui, &run.interrupt, &lost, &finding.object.name, &path)? {
        return Ok(false);
    }
    let given = Input {
        key: "confirm".into(),
        prompt: "".into(),
        default: None,
        pattern: None,
        required: false,
        value: Some(path),
    };
    finding.fixes[0].inputs.retain(|input| input.key != "confirm");
    finding.fixes[0].inputs.push(given);
    Ok(true)
}
