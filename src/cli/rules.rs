//! `rules` and `explain`: the list, and the manual of one.

use clap::Args;
use serde_json::{Value, json};

use super::Shell;
use super::error::{CliError, code};
use crate::audit::suggest;
use crate::report::text::{Line, Role};
use crate::rules::rule::Rule;
use crate::rules::{RULES, find};

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
        None => shell.ui.lines(&table(!args.no_headers)),
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

fn table(headers: bool) -> Vec<Line> {
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
    lines
}

/// Runs `explain`.
pub fn explain(args: &ExplainArgs, shell: &Shell) -> Result<u8, CliError> {
    let Some(rule) = find(&args.rule) else {
        let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
        let near =
            suggest::nearest(&args.rule, ids).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(
            CliError::new(format!("unknown rule `{}`{near}", args.rule)).hint("`kubectl progrc rules` lists them")
        );
    };
    let mut lines = vec![
        Line::of(Role::Strong, rule.id).and(Role::Plain, &format!(" - {}", rule.summary)),
        Line::of(rule.severity.into(), rule.severity.word()).and(
            Role::Plain,
            &format!(" · {} · {} · fix: {}", rule.priority.word(), rule.category.word(), class(rule)),
        ),
        Line::blank(),
    ];
    for line in rule.manual.lines() {
        let line = line.strip_prefix(' ').unwrap_or(line);
        lines.push(match line.strip_prefix("## ") {
            Some(heading) => Line::of(Role::Heading, &heading.to_uppercase()),
            None => Line::of(Role::Plain, line),
        });
    }
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
    shell.ui.lines(&lines);
    Ok(code::DONE)
}
