//! `emit`: fixes for Git, or as a script, instead of writes.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Shell;
use super::args::WhatArgs;
use super::error::{CliError, code};
use super::fix::not_offered;
use super::session::{Origin, Session, offered, runtime};
use crate::backend::{files, originals};
use crate::finding::Finding;
use crate::fix::{Applicability, Fix, Step};
use crate::plan::draft::Originals;
use crate::plan::emit::{self, Emission, Offer, Printed, kubectl, kustomize, manifests};
use crate::plan::order;

/// The flags of `emit`.
#[derive(Debug, Args)]
pub struct EmitArgs {
    /// Rules whose fixes are printed; all unless named
    #[arg(value_name = "RULE", add = super::completion::rule_ids())]
    rules: Vec<String>,
    /// What is looked at
    #[command(flatten)]
    pub what: WhatArgs,
    /// What is printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Output")]
    format: Format,
    /// Directory for the files, none of which may be there already; - for standard output
    #[arg(short, long, value_name = "DIR", default_value = "-", value_hint = clap::ValueHint::DirPath, help_heading = "Output")]
    output: PathBuf,
    /// With --format kubectl: the name of the writer in managedFields
    #[arg(long, value_name = "NAME", default_value = "kubectl-progrc", help_heading = "Output")]
    field_manager: String,
}

/// What is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A kustomization with a patch for each object and new objects as resources
    #[default]
    Kustomize,
    /// Whole objects as they are after the fixes
    Manifest,
    /// A shell script of guarded kubectl commands
    Kubectl,
}

/// Runs `emit`.
pub fn run(args: &EmitArgs, shell: &Shell) -> Result<u8, CliError> {
    let manifests = !args.what.filename.is_empty() || args.what.kustomize.is_some();
    if manifests && args.format == Format::Kubectl {
        return Err(CliError::new("--format kubectl needs a cluster: its guards hold what the server has")
            .hint("use --format kustomize or --format manifest for files"));
    }
    let what = selected(args)?;
    let runtime = runtime()?;
    let mut session = Session::open(&what, &shell.connection, &shell.env, &shell.ui, &runtime)?;
    order::sort(&mut session.audit.findings, &session.inventory);
    let (mut offers, mut left) = (Vec::new(), Vec::new());
    for finding in session.findings() {
        match emittable(finding, args.format) {
            Ok(fix) => offers.push(Offer { finding, fix }),
            Err(Some(why)) => left.push((finding, why)),
            Err(None) => {}
        }
    }
    let steps: Vec<&Step> = offers.iter().flat_map(|offer| &offer.fix.steps).collect();
    let originals = match &session.origin {
        Origin::Cluster { connection, .. } => {
            let (originals, failed) = runtime.block_on(originals::of_cluster(connection, &steps));
            failed.iter().for_each(|why| shell.ui.warn(why));
            originals
        }
        Origin::Manifests(manifests) => originals::of_manifests(manifests, &session.inventory, &steps),
    };
    let (files, more) = files_of(args, &session, &offers, originals);
    left.extend(more);
    left.iter().for_each(|(finding, why)| {
        shell.ui.note(&format!("Left out: {} · {}: {why}", finding.rule, finding.object));
    });
    if files.is_empty() {
        shell.ui.note("There is no fix to print.");
        return Ok(code::DONE);
    }
    print(args, shell, &files)
}

/// The flags with the rules that were named.
fn selected(args: &EmitArgs) -> Result<WhatArgs, CliError> {
    let mut what = args.what.clone();
    for rule in &args.rules {
        what.select.push(super::rules::known(rule)?.id.to_owned());
    }
    Ok(what)
}

/// The fix of a finding if it can be printed; else why not, where there is something to say.
fn emittable(finding: &Finding, format: Format) -> Result<&Fix, Option<String>> {
    let fix = offered(finding).ok_or(None)?;
    let open: Vec<_> = fix.inputs.iter().filter(|input| input.is_open()).map(|input| input.key.clone()).collect();
    let keys: Vec<String> = open.iter().map(|key| format!("--set {}.{key}=…", finding.rule)).collect();
    let is_owned = |guard: &str| guard == "ownership";
    let other = fix.lowered_by.iter().find(|lowered| lowered.refuses && !is_owned(&lowered.guard));
    if let Some(refused) = other {
        return Err(Some(format!("refused ({}): {}", refused.guard, refused.reason)));
    }
    if fix.applicability == Applicability::Manual {
        let owned = !fix.lowered_by.is_empty() && fix.lowered_by.iter().all(|lowered| is_owned(&lowered.guard));
        match not_offered(finding) {
            // What another keeper owns is to be changed in its source: for that it is printed.
            Some(_) if owned && format != Format::Kubectl && !fix.steps.is_empty() => {}
            why => return Err(why.filter(|_| owned)),
        }
    }
    if !keys.is_empty() {
        return Err(Some(format!("needs input: {}", keys.join(" "))));
    }
    if fix.steps.is_empty() { Err(None) } else { Ok(fix) }
}

/// The files of a format, and what is not in them.
fn files_of<'a>(
    args: &EmitArgs,
    session: &Session,
    offers: &[Offer<'a>],
    originals: Originals,
) -> (Vec<Printed>, Vec<(&'a Finding, String)>) {
    let inventory = &session.inventory;
    let title = format!("Made by kubectl progrc {}", env!("CARGO_PKG_VERSION"));
    let cluster = match &session.origin {
        Origin::Cluster { connection, identity } => Some((connection.server.clone(), identity.uid.clone())),
        Origin::Manifests(_) => None,
    };
    let title = match &cluster {
        Some((server, _)) => format!("{title} for {}", crate::model::mask::mask("", server)),
        None => title,
    };
    let empty = |emission: &Emission<'_>| emission.parts.iter().all(|part| part.steps.is_empty());
    let originals = if args.format == Format::Kustomize { originals.sources() } else { originals };
    let mut emission = match args.format {
        Format::Kubectl => emit::for_server(offers, &originals, inventory),
        Format::Kustomize | Format::Manifest => emit::for_source(offers, &originals, inventory),
    };
    let mut left = std::mem::take(&mut emission.left);
    if empty(&emission) {
        return (Vec::new(), left);
    }
    let touched = emit::touched(&emission.parts);
    let files = match args.format {
        Format::Kubectl => {
            let (server, uid) = cluster.unwrap_or_default();
            let about = kubectl::About { title, cluster: uid, server, field_manager: args.field_manager.clone() };
            vec![("fixes.sh".to_owned(), kubectl::script(&emission.parts, &about))]
        }
        Format::Kustomize => {
            let base = args.what.kustomize.as_deref().map(|dir| relative(&args.output, dir));
            kustomize::files(&touched, &originals, base.as_deref(), &title)
        }
        Format::Manifest => {
            let (files, whole) = manifests::files(&touched);
            for (object, why) in whole {
                let about = |step: &Step| step.object().same(&object);
                let offer = offers.iter().find(|offer| offer.fix.steps.iter().any(about));
                left.extend(offer.map(|offer| (offer.finding, format!("{object}: {why}"))));
            }
            files
        }
    };
    (files, left)
}

/// The way from the printed kustomization to the one that it changes.
fn relative(output: &Path, base: &Path) -> String {
    let from = if is_standard_output(output) { Path::new(".") } else { output };
    files::relative(from, base).display().to_string()
}

fn is_standard_output(output: &Path) -> bool {
    output.as_os_str() == "-"
}

fn print(args: &EmitArgs, shell: &Shell, files: &[Printed]) -> Result<u8, CliError> {
    if is_standard_output(&args.output) {
        let plain = args.format == Format::Kubectl;
        let text: Vec<String> = files
            .iter()
            .enumerate()
            .map(|(index, (name, text))| {
                let end = if index == 0 { "" } else { "---\n" };
                if plain || index == 0 && args.format == Format::Kustomize {
                    format!("{end}{text}")
                } else {
                    format!("{end}# {name}\n{text}")
                }
            })
            .collect();
        shell.ui.data(&text.concat());
        return Ok(code::DONE);
    }
    let taken = files::write_all_new(&args.output, files)?;
    if !taken.is_empty() {
        let there = format!("{} holds {} already", args.output.display(), taken.join(", "));
        return Err(CliError::new(there).hint("name another directory with -o; nothing was written"));
    }
    for (name, _) in files {
        shell.ui.note(&format!("{} written", args.output.join(name).display()));
    }
    Ok(code::DONE)
}
