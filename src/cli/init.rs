//! `init`: a first `.progrc.yaml`, from what is there.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Shell;
use super::args::WhatArgs;
use super::audit::selection;
use super::error::{CliError, code};
use super::session::{find_configuration, read, runtime};
use crate::audit::{Config, starter};
use crate::backend::files;
use crate::report::table::unread;
use crate::rules::RULES;

/// Where the configuration is looked for.
const FILE: &str = ".progrc.yaml";

/// The flags of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// All namespaces but the system's; wins over -n
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Manifests instead of a cluster: file, directory, or - for standard input; repeatable
    #[arg(short, long, value_name = "FILE", value_delimiter = ',', value_hint = clap::ValueHint::AnyPath)]
    filename: Vec<String>,
    /// Enter the directories in directories
    #[arg(short = 'R', long)]
    recursive: bool,
    /// A kustomization, built with kubectl
    #[arg(short, long, value_name = "DIR", conflicts_with = "filename", value_hint = clap::ValueHint::DirPath)]
    kustomize: Option<PathBuf>,
    /// The manifests are all there is: what is not in them does not exist
    #[arg(long)]
    complete: bool,
    /// Where to write, - for standard output
    #[arg(long, value_name = "FILE", default_value = FILE, value_hint = clap::ValueHint::FilePath)]
    out: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

impl InitArgs {
    fn what(&self) -> WhatArgs {
        WhatArgs {
            all_namespaces: self.all_namespaces,
            filename: self.filename.clone(),
            recursive: self.recursive,
            kustomize: self.kustomize.clone(),
            complete: self.complete,
            ..WhatArgs::default()
        }
    }
}

/// Runs `init`.
pub fn run(args: &InitArgs, shell: &Shell) -> Result<u8, CliError> {
    let what = args.what();
    // A configuration that is there already says nothing about what is to be found.
    let (_, inventory) =
        read(&what, &shell.connection, &shell.env, &Config::default(), Vec::new(), &shell.ui, &runtime()?)?;
    let text = starter(&inventory, RULES);
    if args.out == Path::new("-") {
        shell.ui.data(&text);
        return Ok(code::DONE);
    }
    if args.force {
        files::write(&args.out, &text)?;
    } else {
        files::write_new(&args.out, &text).map_err(|error| {
            let is_there = error.is_there_already();
            CliError::from(error).hint(if is_there { "--force replaces it; --out names another" } else { "" })
        })?;
    }
    shell.ui.note(&format!(
        "Wrote {}. Read it, change what is not so, and keep it with the manifests.",
        args.out.display()
    ));
    if !inventory.gaps.is_empty() {
        let unread = unread(inventory.gaps.iter().map(|gap| gap.verb.as_str()));
        shell.ui.note(&format!("{unread} could not be read; `kubectl progrc audit` names them"));
    }
    let is_found =
        find_configuration(&what, &shell.env)?.is_some_and(|found| files::same(Path::new(&found.name), &args.out));
    let config = if is_found { String::new() } else { format!(" --config {}", args.out.display()) };
    let words = selection(&what, shell);
    let space = if words.is_empty() { "" } else { " " };
    shell.ui.note(&format!("Next: kubectl progrc audit{space}{words}{config}"));
    Ok(code::DONE)
}
