//! The findings as a list of actions: what is immediate, what can wait.

use super::audit::{AuditReport, Finding};
use super::fixes;
use super::table::{Options, Page};
use super::text::{Line, Role};
use crate::finding::Priority;
use crate::fix::Applicability;

/// Objects that are named; the rest is counted.
const NAMED: usize = 3;

/// The whole list, numbered through.
pub fn actions(report: &AuditReport, options: &Options) -> Vec<Line> {
    let mut page = Page::new(options);
    let mut number = 0;
    for (priority, title) in [
        (Priority::Immediate, "IMMEDIATE (before production)"),
        (Priority::ShortTerm, "SHORT TERM (within 1 month)"),
        (Priority::LongTerm, "LONG TERM (within 3 months)"),
    ] {
        let groups = by_rule(report, priority);
        if groups.is_empty() {
            continue;
        }
        page.row(Line::of(Role::Heading, title));
        for group in groups {
            number += 1;
            add(&mut page, number, &group, report.metadata.source.namespaces());
        }
        page.blank();
    }
    if number == 0 {
        page.row(Line::of(Role::Plain, "Nothing to do."));
    }
    page.lines
}

/// The findings of one priority by rule, in the order of the report: worst first.
fn by_rule(report: &AuditReport, priority: Priority) -> Vec<Vec<&Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in report.findings.iter().filter(|finding| finding.priority == priority) {
        match groups.iter_mut().find(|group| group[0].rule == finding.rule) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

fn add(page: &mut Page<'_>, number: usize, group: &[&Finding], namespaces: &[String]) {
    let first = group[0];
    let line = Line::of(Role::Plain, &format!("{number:>3}. "));
    let line = line.and(first.severity.into(), &first.severity.word().to_uppercase()).and(Role::Plain, " ");
    let line = line.and(Role::Strong, &first.rule);
    let summary = crate::rules::find(&first.rule).map(|rule| format!("  {}", rule.summary));
    page.flow(line.and(Role::Plain, &summary.unwrap_or_default()), 5);
    let mut objects: Vec<String> = group.iter().map(|finding| finding.object.shown(namespaces)).collect();
    objects.dedup();
    let shown = if page.options.wide { objects.len() } else { objects.len().min(NAMED) };
    let more = match objects.len() - shown {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    page.flow(Line::of(Role::Dim, &format!("     {}{more}", objects[..shown].join(", "))), 5);
    if let Some(line) = work(group) {
        page.flow(line, 5);
    }
}

/// What is to be done: the fix itself if there is one, else how many of each class.
fn work(group: &[&Finding]) -> Option<Line> {
    let first: Vec<_> = group.iter().filter_map(|finding| finding.fixes.first()).collect();
    let indent = Line::of(Role::Plain, "     ");
    if let [fix] = first.as_slice() {
        let (class, what) = fixes::line(&group[0].rule, fix);
        return Some(indent.and(fix.applicability.into(), &class).and(Role::Plain, &what));
    }
    let classes = [Applicability::Safe, Applicability::Unsafe, Applicability::Input, Applicability::Manual];
    let counts = classes.map(|class| (class, first.iter().filter(|fix| fix.applicability == class).count()));
    let mut line = indent;
    let mut comma = "";
    for (class, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        line.push(Role::Plain, comma);
        let fixes = if count == 1 { "fix" } else { "fixes" };
        line.push(class.into(), &format!("{count} {} {fixes}", class.word()));
        comma = ", ";
    }
    (!first.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{objects, report_of};

    #[test]
    fn actions_are_numbered_and_fit() {
        let report = report_of(&objects(5), true);
        let text: String = actions(&report, &Options::default()).iter().map(|line| line.text() + "\n").collect();
        let expected = "\
IMMEDIATE (before production)
  1. CRITICAL open-flag
     ConfigMap/config
     unsafe fix: 1 patch, restarts 1 workload
  2. HIGH missing-pdb  no PodDisruptionBudget for replicated pods
     Deployment/web
     safe fix: create PodDisruptionBudget/web-pdb
  3. MEDIUM public-balancer
     Service/s0, Service/s1, Service/s2 and 2 more
     4 input fixes, 1 manual fix

";
        assert_eq!(text, expected);
        for width in 20..100 {
            let options = Options { width: Some(width), ..Options::default() };
            assert!(actions(&report, &options).iter().all(|line| line.width() <= width));
        }
        let calm = report_of(&[], true);
        assert_eq!(actions(&calm, &Options::default())[0].text(), "Nothing to do.");
    }
}
