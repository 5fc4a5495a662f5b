//! `rules` and `explain`: the list, and the manual of one.

use clap::Args;

use super::Shell;
use super::error::{CliError, code};
use crate::audit::suggest;
use crate::report::manual;
use crate::rules::rule::Rule;
use crate::rules::{RULES, find};

/// The columns for which manuals are written.
const WIDEST: usize = 100;

/// The flags of `rules`.
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json", "yaml", "name"])]
    output: Option<String>,
    /// Print no column heads
    #[arg(long)]
    no_headers: bool,
}

/// The flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The rule
    #[arg(value_name = "RULE", add = super::completion::rule_ids())]
    rule: String,
}

/// Runs `rules`.
pub fn list(args: &RulesArgs, shell: &Shell) -> Result<u8, CliError> {
    match args.output.as_deref() {
        Some("name") => shell.ui.data(&RULES.iter().map(|rule| format!("{}\n", rule.id)).collect::<String>()),
        Some("json") => shell.ui.data(&(serde_json::to_string_pretty(&manual::list(RULES))? + "\n")),
        Some(_) => shell.ui.data(&serde_saphyr::to_string(&manual::list(RULES))?),
        None => {
            let columns = shell.ui.width().unwrap_or(usize::MAX);
            let lines = manual::table(RULES, !args.no_headers).into_iter().map(|line| line.truncate(columns));
            shell.ui.lines(&lines.collect::<Vec<_>>());
        }
    }
    Ok(code::DONE)
}

/// The rule of an ID; the error names the nearest.
pub fn known(id: &str) -> Result<&'static Rule, CliError> {
    find(id).ok_or_else(|| {
        let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
        let near = suggest::nearest(id, ids).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        CliError::new(format!("unknown rule `{id}`{near}")).hint("`kubectl progrc rules` lists them")
    })
}

/// Runs `explain`.
pub fn explain(args: &ExplainArgs, shell: &Shell) -> Result<u8, CliError> {
    let rule = known(&args.rule)?;
    let columns = shell.ui.width().unwrap_or(usize::MAX);
    let lines = manual::lines(rule, columns < WIDEST).into_iter();
    shell.ui.lines(&lines.flat_map(|line| line.wrap(columns, 0)).collect::<Vec<_>>());
    Ok(code::DONE)
}
