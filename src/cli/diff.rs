//! `diff`: what every fix would change, and nothing else.

use clap::Args;
use serde_json::{Value, json};

use super::Shell;
use super::args::WhatArgs;
use super::error::{CliError, code};
use super::fix::{is_allowed, not_offered, step_diff};
use super::session::{Origin, Session, offered, runtime};
use crate::backend::change;
use crate::backend::cluster::write::Options;
use crate::backend::manifests::Loaded;
use crate::finding::Finding;
use crate::fix::{Fix, Step};
use crate::model::ObjectRef;
use crate::plan::{diff, order, patch};
use crate::report::diff as painted;
use crate::report::text::{Line, Role};

/// The flags of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// What is looked at
    #[command(flatten)]
    pub what: WhatArgs,
    /// Only what `fix --yes` would do
    #[arg(short, long)]
    yes: bool,
    /// With --yes: what `fix --yes --unsafe-fixes` would do
    #[arg(long)]
    unsafe_fixes: bool,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json", "yaml", "name"])]
    output: Option<String>,
}

/// The diff of one fix.
struct Shown {
    finding: Finding,
    fix: Fix,
    lines: Vec<Line>,
    refused: Option<String>,
}

/// Runs `diff`.
pub fn run(args: &DiffArgs, shell: &Shell) -> Result<u8, CliError> {
    let runtime = runtime()?;
    let mut session = Session::open(&args.what, &shell.connection, &shell.env, &shell.ui, &runtime)?;
    order::sort(&mut session.audit.findings, &session.inventory);
    let mut shown = Vec::new();
    for finding in session.findings() {
        let Some(fix) = offered(finding).filter(|_| not_offered(finding).is_none()) else { continue };
        if args.yes && !is_allowed(finding, fix, args.unsafe_fixes) {
            continue;
        }
        let (lines, refused) = match &session.origin {
            Origin::Cluster { connection, .. } => of_cluster(&runtime, connection, fix),
            Origin::Manifests(_) => of_manifests(&session, fix),
        };
        shown.push(Shown { finding: finding.clone(), fix: fix.clone(), lines, refused });
    }
    print(args, shell, &shown)?;
    let any = shown.iter().any(|shown| !shown.lines.is_empty());
    Ok(if any { code::LEFT } else { code::DONE })
}

/// Between the live object and the server's dry-run answer.
fn of_cluster(
    runtime: &tokio::runtime::Runtime,
    connection: &crate::backend::cluster::connect::Connection,
    fix: &Fix,
) -> (Vec<Line>, Option<String>) {
    let mut lines = Vec::new();
    for step in &fix.steps {
        match runtime.block_on(change::prepare(connection, step, &Options::default())) {
            Ok(Some(prepared)) => lines.extend(step_diff(&prepared)),
            Ok(None) => {}
            Err(refusal) if refusal.already => {}
            Err(refusal) => return (lines, Some(refusal.reasons.join("; "))),
        }
    }
    (lines, None)
}

/// Between the manifest and what it should be.
fn of_manifests(session: &Session, fix: &Fix) -> (Vec<Line>, Option<String>) {
    let Origin::Manifests(manifests) = &session.origin else { return (Vec::new(), None) };
    let mut lines = Vec::new();
    let mut states: Vec<(&ObjectRef, Value)> = Vec::new();
    for step in &fix.steps {
        match step {
            Step::Patch { object, edits, expect, .. } => {
                let origin = session.inventory.origin(object);
                let loaded = origin.map(|origin| &manifests.objects[origin.document]);
                let known = states.iter().rev().find(|(known, _)| known.same(object)).map(|(_, value)| value.clone());
                let Some(before) = known.or_else(|| loaded.map(Loaded::read)) else { continue };
                let guarded = match patch::build(&before, edits, expect) {
                    Ok(guarded) => guarded,
                    Err(error) => return (lines, Some(error.to_string())),
                };
                let place = loaded.map(|loaded| {
                    let line = loaded.line("").map(|line| format!(":{line}")).unwrap_or_default();
                    format!("  {}{line}", loaded.source.file())
                });
                lines.push(
                    Line::of(Role::Strong, &format!("  {}", object.short())).and(Role::Dim, &place.unwrap_or_default()),
                );
                lines.extend(painted::lines(&diff::objects(Some(&before), Some(&guarded.after)), 2));
                states.push((object, guarded.after));
            }
            Step::Create { object, manifest } => {
                lines.push(Line::of(Role::Strong, &format!("  {} (new)", object.short())));
                lines.extend(painted::lines(&diff::objects(None, Some(manifest)), 2));
            }
            Step::Delete { object } => lines.push(Line::of(Role::Removed, &format!("  {} (deleted)", object.short()))),
            // Restarts and waits have no trace in a manifest.
            Step::Restart { .. } | Step::Wait { .. } => {}
        }
    }
    (lines, None)
}

fn print(args: &DiffArgs, shell: &Shell, shown: &[Shown]) -> Result<(), CliError> {
    match args.output.as_deref() {
        Some("name") => {
            let mut names: Vec<String> = shown
                .iter()
                .flat_map(|shown| &shown.fix.steps)
                .map(|step| super::ui::safe(&super::fix::kubectl_name(step.object())) + "\n")
                .collect();
            names.sort();
            names.dedup();
            shell.ui.data(&names.concat());
        }
        Some(format) => {
            let list: Vec<Value> = shown.iter().map(to_json).collect();
            let value = json!({"apiVersion": "progrc.io/v1", "kind": "DiffReport", "diffs": list});
            shell.ui.data(&if format == "json" { format!("{value:#}\n") } else { serde_saphyr::to_string(&value)? });
        }
        None => shown.iter().for_each(|shown| shell.ui.lines(&lines_of(shown))),
    }
    if shown.is_empty() {
        shell.ui.note("No fix would change anything.");
    }
    Ok(())
}

fn to_json(shown: &Shown) -> Value {
    let text: String = shown.lines.iter().map(|line| line.text() + "\n").collect();
    json!({
        "rule": shown.finding.rule, "object": shown.finding.object, "title": shown.fix.title,
        "applicability": shown.fix.applicability, "diff": text, "refused": shown.refused,
    })
}

fn lines_of(shown: &Shown) -> Vec<Line> {
    let finding = &shown.finding;
    let mut lines = vec![
        Line::of(finding.severity.into(), &finding.severity.word().to_uppercase())
            .and(Role::Plain, &format!(" {} · ", finding.rule))
            .and(Role::Strong, &finding.object.to_string())
            .and(Role::Plain, "  ")
            .and(shown.fix.applicability.into(), shown.fix.applicability.word()),
    ];
    lines.extend(shown.lines.iter().cloned());
    for input in shown.fix.inputs.iter().filter(|input| input.is_open()) {
        let text = format!("  asks {}: {} (--set {}.{}=…)", input.key, input.prompt, finding.rule, input.key);
        lines.push(Line::of(Role::Unsafe, &text));
    }
    lines.extend(shown.fix.consequences.iter().map(|text| Line::of(Role::Plain, &format!("  {text}"))));
    lines.extend(shown.refused.iter().map(|why| Line::of(Role::Medium, &format!("  server dry run: refused: {why}"))));
    lines.push(Line::blank());
    lines
}
