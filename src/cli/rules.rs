//! `rules` and `explain`: the list, and the manual of one.

use clap::Args;
use serde_json::{Value, json};

use super::Shell;
use super::error::{CliError, code};
use crate::audit::suggest;
use crate::report::text::{Line, Role};
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
        Some(format) => {
            let value = Value::Array(RULES.iter().map(|rule| to_json(rule)).collect());
            shell.ui.data(&if format == "json" { format!("{value:#}\n") } else { serde_saphyr::to_string(&value)? });
        }
        None => shell.ui.lines(&table(!args.no_headers, shell.ui.width())),
    }
    Ok(code::DONE)
}

fn class(rule: &Rule) -> &'static str {
    rule.fix.map_or("none", crate::fix::Applicability::word)
}

fn to_json(rule: &Rule) -> Value {
    let parameters: Vec<Value> = rule
        .parameters
        .iter()
        .map(|p| json!({"key": p.key, "prompt": p.prompt, "default": p.default, "pattern": p.pattern()}))
        .collect();
    json!({
        "rule": rule.id, "summary": rule.summary, "severity": rule.severity, "priority": rule.priority,
        "category": rule.category, "fix": rule.fix, "parameters": parameters,
    })
}

fn table(headers: bool, columns: Option<usize>) -> Vec<Line> {
    let width = RULES.iter().map(|rule| rule.id.len()).max().unwrap_or(0) + 3;
    let mut lines = Vec::new();
    if headers {
        let text = format!("{:<width$}{:<11}{:<20}{:<9}SUMMARY", "RULE", "SEVERITY", "CATEGORY", "FIX");
        lines.push(Line::of(Role::Heading, &text));
    }
    for rule in RULES {
        let severity = format!("{:<11}", rule.severity.word());
        let line = Line::of(Role::Plain, &format!("{:<width$}", rule.id))
            .and(rule.severity.into(), &severity)
            .and(Role::Plain, &format!("{:<20}{:<9}{}", rule.category.word(), class(rule), rule.summary));
        lines.push(line);
    }
    let columns = columns.unwrap_or(usize::MAX);
    lines.into_iter().map(|line| line.truncate(columns)).collect()
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
    let mut lines = vec![
        Line::of(Role::Strong, rule.id).and(Role::Plain, &format!(" - {}", rule.summary)),
        Line::of(rule.severity.into(), rule.severity.word()).and(
            Role::Plain,
            &format!(" · {} · {} · fix: {}", rule.priority.word(), rule.category.word(), class(rule)),
        ),
        Line::blank(),
    ];
    lines.extend(manual(rule.manual, shell.ui.width().is_some_and(|columns| columns < WIDEST)));
    if !rule.parameters.is_empty() {
        lines.extend([Line::blank(), Line::of(Role::Heading, "KEYS OF --set AND OF THE CONFIGURATION")]);
    }
    for parameter in rule.parameters {
        let default = parameter.default.map(|value| format!(" (default {value})")).unwrap_or_default();
        lines.push(
            Line::of(Role::Strong, &format!("  {}", parameter.key))
                .and(Role::Plain, &format!("  {}{default}", parameter.prompt)),
        );
    }
    let columns = shell.ui.width().unwrap_or(usize::MAX);
    shell.ui.lines(&lines.into_iter().flat_map(|line| line.wrap(columns, 0)).collect::<Vec<_>>());
    Ok(code::DONE)
}

/// A manual's Markdown for the eye: headings in capitals, examples indented. With `joined` a
/// paragraph is one line, to be broken where the terminal ends.
fn manual(text: &str, joined: bool) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let (mut in_example, mut in_paragraph) = (false, false);
    for line in text.lines() {
        let line = line.strip_prefix(' ').unwrap_or(line);
        let goes_on = in_paragraph && joined;
        in_paragraph = !in_example && !line.is_empty() && !line.starts_with("```") && !line.starts_with("## ");
        if line.starts_with("```") {
            in_example = !in_example;
        } else if in_example {
            lines.push(Line::of(Role::Plain, &format!("  {line}")));
        } else if let Some(heading) = line.strip_prefix("## ") {
            lines.push(Line::of(Role::Heading, &heading.to_uppercase()));
        } else if let Some(last) = lines.last_mut().filter(|_| goes_on && in_paragraph && !line.starts_with("- ")) {
            last.push(Role::Plain, &format!(" {}", line.trim_start()));
        } else {
            lines.push(Line::of(Role::Plain, line));
        }
    }
    lines
}
