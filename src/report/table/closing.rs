//! The last lines: counts, and what to type next.

use std::collections::BTreeSet;

use super::{Page, counted, unread};
use crate::finding::Severity;
use crate::report::audit::{AuditReport, Gap};
use crate::report::text::{Line, Role};

/// Gaps that are named.
const NAMED_GAPS: usize = 3;

/// Adds them.
pub(super) fn add(page: &mut Page<'_>, report: &AuditReport) {
    let summary = &report.summary;
    if report.score.categories.iter().all(|row| row.checks.is_empty()) && summary.findings() == 0 {
        page.flow(Line::of(Role::Plain, "Nothing to judge: no rule applies to what was read."), 2);
    }
    page.flow(counts(report), 2);
    let fixes = &report.summary.fixes;
    let parts = [
        (Role::Safe, fixes.safe, "safe"),
        (Role::Unsafe, fixes.not_safe, "unsafe"),
        (Role::Unsafe, fixes.input, if fixes.input == 1 { "needs input" } else { "need input" }),
        (Role::Manual, fixes.manual, "manual"),
    ];
    if parts.iter().any(|(_, number, _)| *number > 0) {
        page.flow(listed(Line::of(Role::Plain, "Fixes: "), &parts), 2);
    }
    add_next(page, report);
}

/// Adds `3 safe, 7 unsafe`, without zeros.
fn listed(mut line: Line, parts: &[(Role, usize, &str)]) -> Line {
    let mut comma = "";
    for (role, number, word) in parts.iter().filter(|(_, number, _)| *number > 0) {
        line.push(Role::Plain, comma);
        line.push(*role, &format!("{number} {word}"));
        comma = ", ";
    }
    line
}

fn counts(report: &AuditReport) -> Line {
    let summary = &report.summary;
    let of = |severity: Severity| match severity {
        Severity::Critical => summary.critical,
        Severity::High => summary.high,
        Severity::Medium => summary.medium,
        Severity::Low => summary.low,
        Severity::Info => summary.info,
    };
    let mut line = Line::of(Role::Strong, &counted(summary.findings(), "finding"));
    if summary.findings() > 0 {
        let parts = Severity::ALL.map(|severity| (Role::from(severity), of(severity), severity.word()));
        line = listed(line.and(Role::Plain, ": "), &parts);
    }
    for (number, word) in [(report.waived.len(), "waived"), (report.unknown.len(), "unknown")] {
        if number > 0 {
            line.push(Role::Plain, &format!(" · {number} {word}"));
        }
    }
    if !report.gaps.is_empty() {
        line.push(Role::Plain, &format!(" · {}", gaps(&report.gaps)));
    }
    line
}

/// `1 kind not readable (certificates.cert-manager.io: forbidden)`; objects that could not be read
/// are counted apart.
fn gaps(gaps: &[Gap]) -> String {
    let all: BTreeSet<(&str, &str, &str)> =
        gaps.iter().map(|gap| (gap.verb.as_str(), gap.kind.as_str(), gap.reason.as_str())).collect();
    let more = match all.len().saturating_sub(NAMED_GAPS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named: Vec<String> = all.iter().take(NAMED_GAPS).map(|(_, kind, reason)| format!("{kind}: {reason}")).collect();
    format!("{} not readable ({}{more})", unread(all.iter().map(|(verb, ..)| *verb)), named.join(", "))
}

/// The commands that lead on, with what they do.
fn add_next(page: &mut Page<'_>, report: &AuditReport) {
    let fixes = &report.summary.fixes;
    let selection = match page.options.selection.as_str() {
        "" if !report.metadata.source.is_live() => " -f …".to_owned(),
        "" => String::new(),
        selection => format!(" {selection}"),
    };
    let command = |words: &str| format!("kubectl progrc {words}");
    let built = fixes.safe + fixes.not_safe + fixes.input;
    let mut next: Vec<(String, String)> = Vec::new();
    if report.metadata.source.is_live() {
        if built > 0 {
            next.push((command(&format!("fix{selection}")), "review one by one".to_owned()));
        }
        if fixes.safe > 0 {
            let what = format!("apply the {} safe {}", fixes.safe, if fixes.safe == 1 { "fix" } else { "fixes" });
            next.push((command(&format!("fix{selection} --yes")), what));
        }
    } else if built > 0 {
        next.push((command(&format!("diff{selection}")), "show every fix as a diff".to_owned()));
    }
    if report.metadata.source.is_live() && report.gaps.iter().any(|gap| gap.reason == "forbidden") {
        next.push((command("rbac audit"), "print the role that shows the rest".to_owned()));
    }
    if let (true, Some(worst)) = (next.is_empty(), report.findings.first()) {
        next.push((command(&format!("explain {}", worst.rule)), "what it means and what to do".to_owned()));
    }
    let widest = next.iter().map(|(text, _)| Line::of(Role::Command, text).width()).max().unwrap_or(0);
    let mut lead = "Next: ";
    for (text, what) in next {
        let line = Line::of(Role::Plain, lead).and(Role::Command, &text);
        let whole = line.clone().to(6 + widest + 4).and(Role::Dim, &what);
        if whole.width() <= page.options.columns() {
            page.lines.push(whole);
        } else {
            page.flow(line, 8);
            page.flow(Line::of(Role::Dim, &format!("        {what}")), 8);
        }
        lead = "      ";
    }
}
