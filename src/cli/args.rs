//! The command line: every command and flag, and the part of the environment that matters.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::connection::ConnectionArgs;
use crate::backend::cluster::connect::Environment;

/// Audit a Kubernetes context, see the diff of every fix, apply it guarded, take it back.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-progrc",
    bin_name = "kubectl progrc",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    infer_long_args = false,
    after_help = "Examples:\n  \
        kubectl progrc audit                       what is wrong in the namespace of the context\n  \
        kubectl progrc audit -f k8s/ --complete    the same for manifests\n  \
        kubectl progrc diff                        what the fixes would change\n  \
        kubectl progrc fix                         one by one at a prompt\n  \
        kubectl progrc fix --yes                   all safe fixes at once\n  \
        kubectl progrc undo                        take the last run back"
)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Which cluster
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// How to print
    #[command(flatten)]
    pub terminal: TerminalArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the rules: findings with evidence, scorecard
    Audit(super::audit::AuditArgs),
    /// Print the diff of every fix
    Diff(super::diff::DiffArgs),
    /// Fix findings, one by one or in batch
    Fix(super::fix::FixArgs),
    /// Write the fixes as a file to review and apply later
    Plan(super::plan::PlanArgs),
    /// Apply a plan file
    Apply(super::apply::ApplyArgs),
    /// Print fixes for Git, or as a script, instead of writing
    Emit(super::emit::EmitArgs),
    /// Take changes back
    Undo(super::undo::UndoArgs),
    /// Settle what a crash has left open
    Recover(super::recover::RecoverArgs),
    /// List what was changed, newest first
    History(super::history::HistoryArgs),
    /// Write a commented .progrc.yaml from what is there
    Init(super::init::InitArgs),
    /// Print the least roles for a use, without Secrets
    Rbac(super::rbac::RbacArgs),
    /// List the rules
    Rules(super::rules::RulesArgs),
    /// Print the manual of a rule
    Explain(super::rules::ExplainArgs),
    /// Print or install shell completions
    Completion(super::completion::CompletionArgs),
    /// Print the versions of client and server
    Version(super::version::VersionArgs),
    /// Answer a shell's question what a word may become
    #[command(name = "__complete", alias = "__completeNoDesc", hide = true)]
    Complete(super::completion::CompleteArgs),
    /// Write the files that are made from the code
    #[command(name = "__generate", hide = true)]
    Generate,
}

/// How to print.
#[derive(Clone, Debug, Default, ClapArgs)]
#[command(next_help_heading = "Output")]
pub struct TerminalArgs {
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: When,
    /// Print errors and data only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more on standard error
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What is looked at.
#[derive(Clone, Debug, Default, ClapArgs)]
#[command(next_help_heading = "What to look at")]
pub struct WhatArgs {
    /// All namespaces but the system's; wins over -n
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Only findings about objects with these labels (the score stays that of all)
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// Manifests instead of a cluster: file, directory, or - for standard input; repeatable
    #[arg(short, long, value_name = "FILE", value_delimiter = ',', value_hint = clap::ValueHint::AnyPath)]
    pub filename: Vec<String>,
    /// Enter the directories in directories
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// A kustomization, built with kubectl
    #[arg(short, long, value_name = "DIR", conflicts_with = "filename", value_hint = clap::ValueHint::DirPath)]
    pub kustomize: Option<PathBuf>,
    /// The manifests are all there is: what is not in them does not exist
    #[arg(long)]
    pub complete: bool,
    /// Only these: rule, category or severity; repeatable, comma separated
    #[arg(long, value_name = "WORD", value_delimiter = ',', add = super::completion::words())]
    pub select: Vec<String>,
    /// Not these: rule, category or severity; repeatable, comma separated
    #[arg(long, value_name = "WORD", value_delimiter = ',', add = super::completion::words())]
    pub ignore: Vec<String>,
    /// What the namespaces are for
    #[arg(long, value_name = "ENV", value_enum)]
    pub env: Option<Env>,
    /// Configuration file instead of .progrc.yaml
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Wait this long and read again what may still be scaling, e.g. 30s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub settle: Option<Duration>,
    /// Exit 2 if something could not be read
    #[arg(long)]
    pub require_full: bool,
    /// Answer a rule's question: RULE.KEY=VALUE or 'RULE[Kind/NS/NAME].KEY=VALUE'; repeatable
    #[arg(long, value_name = "ANSWER", add = super::completion::answers())]
    pub set: Vec<String>,
    /// Change objects of these keepers although they put their own state back: helm, argocd, flux, operator
    #[arg(long, value_name = "KEEPER", value_delimiter = ',', value_parser = ["helm", "argocd", "flux", "operator"])]
    pub allow_managed: Vec<String>,
    /// A configuration that is known already, so that none is looked for: that of a plan.
    #[arg(skip)]
    pub known: Option<crate::audit::Config>,
    /// What is wanted of the audit
    #[arg(skip)]
    pub depth: crate::rules::rule::Depth,
}

/// What namespaces are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Env {
    /// Every rule applies
    Production,
    /// Every rule applies
    Staging,
    /// Development services are at home
    Dev,
}

/// Reads `30s`, `5m`, `1h30m` or plain seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration such as 30s, 5m or 1h30m");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let (mut total, mut number) = (Duration::ZERO, String::new());
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86400,
            _ => return Err(wrong()),
        };
        let count: u64 = number.parse().map_err(|_| wrong())?;
        total += Duration::from_secs(count.checked_mul(unit).ok_or_else(wrong)?);
        number.clear();
    }
    if number.is_empty() && !text.is_empty() { Ok(total) } else { Err(wrong()) }
}

/// Reads the process environment; the only place that does.
pub fn environment() -> Environment {
    use std::io::IsTerminal;
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Environment { variables, home: std::env::home_dir(), stdin_is_terminal: std::io::stdin().is_terminal() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        for bad in ["", "s", "5x", "5m3", "m5"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
