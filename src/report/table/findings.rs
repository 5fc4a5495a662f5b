//! Findings, grouped by rule, worst first.

use super::Page;
use crate::report::audit::{AuditReport, Finding, Location, Unknown};
use crate::report::fixes;
use crate::report::text::{Line, Role};

/// Facts and places of a finding that are shown without `-o wide`: so many,
const FACTS: usize = 4;
/// and so many characters in all, but one at least.
const ROOM: usize = 200;

/// Adds all findings.
pub(super) fn add(page: &mut Page<'_>, report: &AuditReport) {
    let namespaces = report.metadata.source.namespaces();
    for group in report.findings.chunk_by(|a, b| head(a) == head(b)) {
        let (severity, rule, priority) = head(&group[0]);
        let title = Line::of(severity.into(), &severity.word().to_uppercase()).and(Role::Plain, " ");
        page.sided(title.and(Role::Strong, rule), Role::Dim, priority.word());
        for finding in group {
            add_finding(page, finding, namespaces);
            if finding.more > 0 {
                page.row(Line::of(Role::Dim, &format!("  and {} more, -o wide", finding.more)));
            }
        }
        page.blank();
    }
    if page.options.wide {
        add_reasons(page, "UNKNOWN", &report.unknown, namespaces);
        add_reasons(page, "PARTIAL", &report.partial, namespaces);
        add_waived(page, report);
    }
}

fn head(finding: &Finding) -> (crate::finding::Severity, &str, crate::finding::Priority) {
    (finding.severity, &finding.rule, finding.priority)
}

fn add_finding(page: &mut Page<'_>, finding: &Finding, namespaces: &[String]) {
    let object = finding.object.shown(namespaces);
    let line = Line::of(Role::Plain, "  ").and(Role::Strong, &object).and(Role::Plain, "  ");
    page.flow(line.and(Role::Plain, &finding.message), 4);
    let places = finding.locations.iter().filter_map(|location| place(location, page.options.wide, namespaces));
    let facts = places.chain(finding.evidence.iter().map(|evidence| evidence.text.clone()));
    if page.options.wide {
        for fact in facts {
            page.flow(Line::of(Role::Dim, &format!("    {fact}")), 6);
        }
    } else {
        let facts = shortened(facts.collect());
        if !facts.is_empty() {
            page.flow(Line::of(Role::Dim, &format!("    {}", facts.join(" · "))), 4);
        }
    }
    add_fixes(page, finding);
}

/// The first facts, and how many more there are.
fn shortened(mut facts: Vec<String>) -> Vec<String> {
    let mut room = ROOM;
    let fits = |fact: &&String| {
        let is_first = room == ROOM;
        room = room.saturating_sub(fact.chars().count());
        is_first || room > 0
    };
    let shown = facts.iter().take(FACTS).take_while(fits).count();
    let more = facts.len() - shown;
    if more > 0 {
        facts.truncate(shown);
        facts.push(if more == 1 { "1 more fact".to_owned() } else { format!("{more} more facts") });
    }
    facts
}

fn add_fixes(page: &mut Page<'_>, finding: &Finding) {
    let shown = if page.options.wide { finding.fixes.len() } else { finding.fixes.len().min(1) };
    for fix in &finding.fixes[..shown] {
        let (what, rest) = fixes::line(&finding.rule, fix);
        let line = Line::of(Role::Plain, "    ").and(fix.applicability.into(), &what);
        page.flow(line.and(Role::Plain, &rest), 6);
        if page.options.wide {
            let lowered = fix.lowered_by.iter().map(|lowered| &lowered.reason);
            let texts = fix.consequences.iter().chain(lowered).chain(&fix.irreversible).chain(&fix.notes);
            for text in std::iter::once(&fix.title).chain(texts).filter(|text| **text != rest) {
                page.flow(Line::of(Role::Dim, &format!("      {text}")), 8);
            }
        }
    }
}

/// A place in words: file and line, the object if it is another, the field, and in full the values
/// there. `None` where it says nothing that the object's name does not.
fn place(location: &Location, in_full: bool, namespaces: &[String]) -> Option<String> {
    let field = field(&location.pointer);
    let mut words: Vec<String> = Vec::new();
    match (&location.file, location.line) {
        (Some(file), Some(line)) => words.push(format!("{file}:{line}")),
        (Some(file), None) => words.push(file.clone()),
        (None, _) => {}
    }
    words.extend(location.object.as_ref().map(|object| object.shown(namespaces)));
    if field.contains('.') && field != "metadata.name" {
        words.push(field);
    }
    if in_full && (location.current.is_some() || location.wanted.is_some()) {
        let shown = |value: &Option<serde_json::Value>| value.as_ref().map_or("absent".to_owned(), ToString::to_string);
        words.push(format!("{} -> {}", shown(&location.current), shown(&location.wanted)));
    }
    (!words.is_empty()).then(|| words.join(" "))
}

/// A JSON pointer as people write it: `data.MODE`, `spec.containers[0].image`. A name with a dot or
/// a slash stands in brackets.
pub(super) fn field(pointer: &str) -> String {
    let mut out = String::new();
    for segment in pointer.split('/').skip(1) {
        let name = segment.replace("~1", "/").replace("~0", "~");
        if name.parse::<usize>().is_ok() || name.contains(['.', '/']) {
            out.extend(["[", name.as_str(), "]"]);
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&name);
        }
    }
    out
}

fn add_reasons(page: &mut Page<'_>, title: &str, verdicts: &[Unknown], namespaces: &[String]) {
    if verdicts.is_empty() {
        return;
    }
    page.row(Line::of(Role::Heading, title));
    for verdict in verdicts {
        let line = Line::of(Role::Plain, &format!("  {}  ", verdict.rule));
        let line = line.and(Role::Strong, &verdict.object.shown(namespaces)).and(Role::Plain, "  ");
        page.flow(line.and(Role::Dim, &verdict.reason), 4);
    }
    page.blank();
}

fn add_waived(page: &mut Page<'_>, report: &AuditReport) {
    if report.waived.is_empty() {
        return;
    }
    page.row(Line::of(Role::Heading, "WAIVED"));
    for waived in &report.waived {
        let until = waived.until.as_ref().map(|day| format!(" (until {day})")).unwrap_or_default();
        let line = Line::of(Role::Plain, &format!("  {}  ", waived.rule));
        let line = line.and(Role::Strong, &waived.object.shown(report.metadata.source.namespaces()));
        page.flow(line.and(Role::Dim, &format!("  {}{until}", waived.reason)), 4);
    }
    page.blank();
}
