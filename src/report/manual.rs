//! The manual of a rule, as a Markdown page and for a terminal, and the list of all rules.

use std::borrow::Cow;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::audit::waivers::{IGNORE, IGNORE_REASON, IGNORE_UNTIL};
use crate::finding::{Category, Priority, Severity};
use crate::fix::Applicability;
use crate::rules::rule::{Parameter, ParameterKind, Rule};

use super::text::{Line, Role};

/// The heads of [`rows`].
pub const COLUMNS: [&str; 5] = ["RULE", "SEVERITY", "CATEGORY", "FIX", "SUMMARY"];

/// The rows of `rules`: id, severity, category, fix, summary.
pub fn rows(rules: &[&Rule]) -> Vec<[String; 5]> {
    let row = |rule: &&Rule| [rule.id, rule.severity.word(), rule.category.word(), fix(rule), rule.summary];
    rules.iter().map(|rule| row(rule).map(str::to_owned)).collect()
}

/// The class of a rule's fix at best, or `none`.
fn fix(rule: &Rule) -> &'static str {
    rule.fix.map_or("none", Applicability::word)
}

/// `rules -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleList {
    /// `progrc.io/v1`.
    pub api_version: &'static str,
    /// `RuleList`.
    pub kind: &'static str,
    /// In the order of their ids.
    pub rules: Vec<RuleEntry>,
}

/// One rule of [`RuleList`].
#[derive(Debug, Serialize, JsonSchema)]
pub struct RuleEntry {
    /// Its id.
    pub rule: &'static str,
    /// What it weighs in the score.
    pub severity: Severity,
    /// When to act.
    pub priority: Priority,
    /// Where it counts.
    pub category: Category,
    /// How far its fix may go at best; `null` for rules that only report.
    pub fix: Option<Applicability>,
    /// The bad pattern in a few words.
    pub summary: &'static str,
    /// The keys of `--set` and of the configuration.
    pub parameters: Vec<ParameterEntry>,
    /// Its manual, Markdown.
    pub manual: String,
}

/// One parameter of a rule.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ParameterEntry {
    /// The key.
    pub key: &'static str,
    /// What it means.
    pub prompt: &'static str,
    /// The regular expression that a value matches as a whole; absent for lists and maps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Cow<'static, str>>,
    /// The value if none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<&'static str>,
}

/// The JSON Schema of [`RuleList`].
pub fn schema() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<RuleList>().to_value()
}

/// The list for machines.
pub fn list(rules: &[&Rule]) -> RuleList {
    RuleList { api_version: "progrc.io/v1", kind: "RuleList", rules: rules.iter().map(|rule| entry(rule)).collect() }
}

/// One rule for machines.
fn entry(rule: &Rule) -> RuleEntry {
    let parameter = |parameter: &Parameter| ParameterEntry {
        key: parameter.key,
        prompt: parameter.prompt,
        pattern: parameter.pattern(),
        default: parameter.default,
    };
    RuleEntry {
        rule: rule.id,
        severity: rule.severity,
        priority: rule.priority,
        category: rule.category,
        fix: rule.fix,
        summary: rule.summary,
        parameters: rule.parameters.iter().map(parameter).collect(),
        manual: text(rule),
    }
}

/// The manual without the space that doc comments put before each line.
fn text(rule: &Rule) -> String {
    let lines = rule.manual.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    lines.fold(String::new(), |text, line| text + line + "\n").trim().to_owned() + "\n"
}

/// The page of a rule, `docs/rules/RULE.md`.
pub fn page(rule: &Rule) -> String {
    let mut out = format!("# {}\n\n{}\n\n", rule.id, sentence(rule.summary));
    for (name, word) in attributes(rule) {
        let line = format!("- {name}: {word}\n");
        out.push_str(&line);
    }
    out.push_str(&parameters_table(rule));
    write!(out, "\n{}\n## Waive\n\n{}", text(rule), waive(rule)).expect("a String takes text");
    out
}

fn attributes(rule: &Rule) -> [(&'static str, &'static str); 4] {
    [
        ("Severity", rule.severity.word()),
        ("Priority", rule.priority.word()),
        ("Category", rule.category.word()),
        ("Fix", fix(rule)),
    ]
}

fn parameters_table(rule: &Rule) -> String {
    if rule.parameters.is_empty() {
        return String::new();
    }
    let mut out = "\n| parameter | means | may be | default |\n|---|---|---|---|\n".to_owned();
    for parameter in rule.parameters {
        let cell = |text: &str| text.replace('|', "\\|");
        let default = parameter.default.map(|default| format!("`{default}`")).unwrap_or_default();
        let (prompt, may_be) = (cell(parameter.prompt), cell(&may_be(parameter)));
        writeln!(out, "| `{}` | {prompt} | {may_be} | {} |", parameter.key, cell(&default))
            .expect("a String takes text");
    }
    out
}

/// What a parameter may be, in words, and where it is set.
fn may_be(parameter: &Parameter) -> String {
    match parameter.kind {
        ParameterKind::Text(".*" | ".+") => "a text".to_owned(),
        ParameterKind::Text(pattern) | ParameterKind::Ranges(pattern) => format!("a text that matches `{pattern}`"),
        ParameterKind::Choice(choices) => {
            choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(" or ")
        }
        ParameterKind::Number(least) => format!("a whole number, {least} or more"),
        ParameterKind::Acknowledge => "`yes`, once a person has checked it".to_owned(),
        ParameterKind::Confirm => "the object's `NAMESPACE/NAME`; `--set` only".to_owned(),
        ParameterKind::List => "a list of texts; configuration only".to_owned(),
        ParameterKind::Map => "texts by name; configuration only".to_owned(),
    }
}

/// How a finding is accepted, Markdown.
fn waive(rule: &Rule) -> String {
    let id = rule.id;
    format!(
        "On the object, or on its namespace for everything inside:\n\n\
         ```yaml\nmetadata:\n  annotations:\n    {IGNORE}: {id}\n    {IGNORE_REASON}: why\n    \
         {IGNORE_UNTIL}: \"2027-01-31\"\n```\n\n\
         Or in `.progrc.yaml`:\n\n\
         ```yaml\nwaivers:\n  - {{rule: {id}, object: Kind/namespace/name, reason: why, until: 2027-01-31}}\n```\n\n\
         Reason and date may be left out. `ignore: [{id}]` switches the rule off, out of the score too.\n"
    )
}

/// The list for a terminal, with or without its heads.
pub fn table(rules: &[&Rule], headers: bool) -> Vec<Line> {
    let mut columns = [0; 4];
    let rows = rows(rules);
    for row in rows.iter().map(|row| row.each_ref().map(String::as_str)).chain([COLUMNS]) {
        for (column, word) in columns.iter_mut().zip(row) {
            *column = (*column).max(word.len() + 2);
        }
    }
    let line = |row: [&str; 5], roles: [Role; 2]| {
        let [plain, severity] = roles;
        let mut line = Line::blank();
        let mut at = 0;
        for (number, word) in row.into_iter().enumerate() {
            line = line.to(at).and(if number == 1 { severity } else { plain }, word);
            at += columns.get(number).copied().unwrap_or(0);
        }
        line
    };
    let head = headers.then(|| line(COLUMNS, [Role::Heading; 2]));
    let body = rows.iter().zip(rules);
    head.into_iter()
        .chain(body.map(|(row, rule)| line(row.each_ref().map(String::as_str), [Role::Plain, rule.severity.into()])))
        .collect()
}

/// The manual for a terminal: plain text, headings in capitals. With `joined` a paragraph is one
/// line, to be broken where the terminal ends.
pub fn lines(rule: &Rule, joined: bool) -> Vec<Line> {
    let rest = format!(" · {} · {} · fix: {}", rule.priority.word(), rule.category.word(), fix(rule));
    let mut out = vec![
        Line::of(Role::Strong, rule.id).and(Role::Plain, &format!(" - {}", rule.summary)),
        Line::of(rule.severity.into(), rule.severity.word()).and(Role::Plain, &rest),
        Line::blank(),
    ];
    out.extend(plain(&text(rule), joined));
    if !rule.parameters.is_empty() {
        out.extend([Line::blank(), Line::of(Role::Heading, "PARAMETERS")]);
        for parameter in rule.parameters {
            let default = parameter.default.map(|default| format!(", {default} unless set")).unwrap_or_default();
            let may_be = may_be(parameter).replace('`', "");
            out.push(Line::of(Role::Strong, parameter.key).and(Role::Plain, &format!(": {may_be}{default}")));
            out.push(Line::of(Role::Plain, &format!("    {}", parameter.prompt)));
        }
        if let Some(key) = rule.parameters.iter().find(|parameter| parameter.pattern().is_some()) {
            let (id, key) = (rule.id, key.key);
            let hint = format!("Set with --set {id}.{key}=VALUE, or below rules.{id} in .progrc.yaml.");
            out.push(Line::of(Role::Plain, &hint));
        }
    }
    out.extend([Line::blank(), Line::of(Role::Heading, "WAIVE")]);
    out.extend(plain(&waive(rule), joined));
    out
}

/// Markdown of a manual as lines: code is indented, links are bare.
fn plain(markdown: &str, joined: bool) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::new();
    let (mut is_code, mut in_paragraph) = (false, false);
    for line in markdown.lines() {
        let goes_on = in_paragraph && joined && !line.starts_with("- ");
        in_paragraph = !is_code && !line.is_empty() && !line.starts_with("```") && !line.starts_with("## ");
        let words = || bare_links(line).replace('`', "");
        if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code {
            out.push(Line::of(Role::Plain, &format!("    {line}")));
        } else if let Some(heading) = line.strip_prefix("## ") {
            out.push(Line::of(Role::Heading, &heading.to_uppercase()));
        } else if let Some(last) = out.last_mut().filter(|_| goes_on && in_paragraph) {
            last.push(Role::Plain, &format!(" {}", words().trim_start()));
        } else {
            out.push(Line::of(Role::Plain, &words()));
        }
    }
    // Two blank lines in a row say nothing on a terminal.
    out.dedup_by(|line, before| line.is_empty() && before.is_empty());
    out
}

/// `<https://…>` without its brackets.
fn bare_links(line: &str) -> String {
    let mut parts = line.split("<https://");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + "https://" + &part.replacen('>', "", 1))
}

/// A fragment as a sentence.
fn sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::test_rules;
    use crate::rules::{RULES, find};

    #[test]
    fn a_page_has_everything_about_its_rule() {
        let page = page(find("missing-pdb").unwrap());
        let start = "# missing-pdb\n\nNo PodDisruptionBudget for replicated pods.\n\n- Severity: high\n- Priority: immediate\n\
                     - Category: high-availability\n- Fix: safe\n\n| parameter | means | may be | default |\n";
        assert!(page.starts_with(start), "{page}");
        let row = "| `style` | maxUnavailable follows scaling, minAvailable is a fixed floor \
                   | `maxUnavailable` or `minAvailable` | `maxUnavailable` |\n\n## What it does\nReports";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("\n## Waive\n\nOn the object"), "{page}");
        assert!(page.lines().all(|line| line.trim_end() == line));
    }

    #[test]
    fn every_kind_of_parameter_is_said_in_words() {
        let page = page(test_rules::RULES[1]);
        for row in [
            "| `endpoint` | a question | a text that matches `https://.+` |  |",
            "| `count` | a question | a whole number, 1 or more | `24` |",
            "| `flags` | a question | texts by name; configuration only |  |",
        ] {
            assert!(page.contains(row), "{page}");
        }
    }

    #[test]
    fn the_terminal_shows_no_markdown() {
        for rule in RULES {
            let lines: Vec<String> = lines(rule, false).iter().map(Line::text).collect();
            assert!(lines.iter().any(|line| line == "WHAT IT DOES"), "{lines:#?}");
            assert!(lines.iter().any(|line| line == "    kind: Deployment" || line.starts_with("    kind")));
            assert!(
                !lines.iter().any(|line| line.contains("```") || line.starts_with('#') || line.contains('<')),
                "{lines:#?}"
            );
            assert!(!lines.windows(2).any(|pair| pair[0].is_empty() && pair[1].is_empty()), "{lines:#?}");
        }
    }

    #[test]
    fn links_are_bare_and_signs_stay() {
        assert_eq!(
            bare_links("a > b, <https://a.example> -> <https://b.example>"),
            "a > b, https://a.example -> https://b.example"
        );
    }

    #[test]
    fn the_list_of_rules() {
        let row = &rows(RULES)[RULES.iter().position(|rule| rule.id == "missing-pdb").unwrap()];
        let words = ["missing-pdb", "high", "high-availability", "safe", "no PodDisruptionBudget for replicated pods"];
        assert_eq!(row, &words.map(str::to_owned));
        let json = serde_json::to_value(list(test_rules::RULES)).unwrap();
        assert_eq!(json["rules"][0]["fix"], serde_json::Value::Null);
        assert_eq!(json["rules"][1]["parameters"][1]["pattern"], "a|b");
        assert_eq!(json["kind"], "RuleList");
    }
}
