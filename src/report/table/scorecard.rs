//! The scorecard, and what its numbers are made of.

use super::{Options, Page};
use crate::audit::score::{Status, is_uncertain};
use crate::report::audit::{AuditReport, CategoryScore, CheckScore};
use crate::report::text::{Line, Role};

/// Cells of a bar: one a point.
const BAR: usize = 10;

/// Where the columns of the scorecard begin, as far as the width reaches.
struct Columns {
    score: usize,
    bar: bool,
    priority: bool,
}

impl Columns {
    fn of(width: usize) -> Self {
        Self { score: if width < 49 { 18 } else { 20 }, bar: width >= 49, priority: width >= 57 }
    }

    fn status(&self) -> usize {
        self.score + 5 + if self.bar { BAR + 2 } else { 1 }
    }

    fn row(&self, name: Line, score: Option<f64>, coverage: f64, status: Status) -> Line {
        let number = number(score, coverage);
        let mut line = name.to(self.score + 5 - number.len()).and(status.into(), &number);
        if self.bar {
            line.push(Role::Plain, " ");
            line.push(status.into(), &bar(score));
        }
        line.to(self.status()).and(status.into(), status.word())
    }
}

/// Adds the scorecard.
pub(super) fn add(page: &mut Page<'_>, report: &AuditReport) {
    let columns = Columns::of(page.options.columns());
    let mut head = Line::of(Role::Heading, "CATEGORY").to(columns.score).and(Role::Heading, "SCORE");
    head = head.to(columns.status()).and(Role::Heading, "STATUS");
    if columns.priority {
        head = head.to(columns.status() + 12).and(Role::Heading, "PRIORITY");
    }
    page.row(head);
    for category in &report.score.categories {
        let name = Line::of(Role::Plain, category.category.word());
        let mut line = columns.row(name, category.score, category.coverage, category.status);
        if columns.priority {
            let priority = category.priority.map_or("–", crate::report::audit::CategoryPriority::word);
            line = line.to(columns.status() + 12).and(Role::Dim, priority);
        }
        page.row(line);
    }
    let score = &report.score;
    let line = columns.row(Line::of(Role::Heading, "OVERALL"), score.overall, score.coverage, score.status);
    match score.after_safe_fixes.filter(|after| Some(*after) != score.overall) {
        Some(after) => page.sided(line, Role::Dim, &format!("after safe fixes {after:.1}")),
        None => page.row(line),
    }
    if let Some(line) = coverage(report) {
        page.flow(Line::of(Role::Dim, &line), 2);
    }
    page.blank();
}

/// What `~` means, if one is shown.
fn coverage(report: &AuditReport) -> Option<String> {
    let uncertain = |category: &&CategoryScore| category.score.is_some() && is_uncertain(category.coverage);
    report
        .score
        .categories
        .iter()
        .any(|category| uncertain(&category))
        .then(|| format!("~ less than 60 % of the checks could be judged; {} % of all", percent(report.score.coverage)))
}

fn percent(share: f64) -> String {
    format!("{:.0}", share * 100.0)
}

fn number(score: Option<f64>, coverage: f64) -> String {
    match score {
        Some(score) => format!("{}{score:.1}", if is_uncertain(coverage) { "~" } else { "" }),
        None => "n/a".to_owned(),
    }
}

fn bar(score: Option<f64>) -> String {
    let Some(score) = score else {
        return " ".repeat(BAR);
    };
    // Half a cell counts as a whole one, as half a point does.
    let full = (0..BAR).zip([0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5]).filter(|(_, at)| score >= *at).count();
    "█".repeat(full) + &"░".repeat(BAR - full)
}

/// What every number of the scorecard is made of, the dearest check first.
pub fn explain_score(report: &AuditReport, options: &Options) -> Vec<Line> {
    let mut page = Page::new(options);
    page.blank();
    let mut checks: Vec<(&CategoryScore, &CheckScore)> =
        report.score.categories.iter().flat_map(|row| row.checks.iter().map(move |check| (row, check))).collect();
    checks.sort_by(|a, b| {
        let lost = b.1.points_lost.total_cmp(&a.1.points_lost);
        lost.then(a.0.category.cmp(&b.0.category)).then(a.1.rule.cmp(&b.1.rule))
    });
    let widest = checks.iter().map(|(_, check)| check.rule.len()).max().unwrap_or(0).max(4);
    let numbers = ["WEIGHT", "PASSED", "CONTRIBUTION", "LOST"];
    let full = 19 + widest + numbers.iter().map(|text| text.len().max(9) + 2).sum::<usize>();
    let is_narrow = options.columns() < full;
    let cells = |category: &str, rule: &str, cells: [&str; 4], role: Role| -> Line {
        let mut line = if is_narrow { Line::blank() } else { Line::of(role, category).to(19) };
        if is_narrow {
            // The rule goes last, where it may take a line of its own.
            for (cell, name) in cells.iter().zip(["WEIGHT", "PASSED", "GIVES", "LOST"]) {
                let cell = if role == Role::Heading { name } else { cell };
                line = line.and(role, &format!("{cell:>6} "));
            }
            return line.and(role, " ").and(role, rule);
        }
        line = line.and(role, rule).to(19 + widest);
        for (cell, name) in cells.iter().zip(numbers) {
            line = line.and(role, &format!("  {cell:>width$}", width = name.len().max(9)));
        }
        line
    };
    page.flow(cells("CATEGORY", "RULE", numbers, Role::Heading), 4);
    for (row, check) in checks {
        let star = if check.attested > 0 { "*" } else { "" };
        let half = if check.partial > 0 { format!("+{}½", check.partial) } else { String::new() };
        let passed = format!("{}{half}/{}{star}", check.passed, check.applicable);
        let (gives, lost) = (format!("{:.1}", check.contribution), format!("{:.1}", check.points_lost));
        let judged = check.applicable > 0;
        let texts = if judged {
            [&check.weight.to_string(), passed.as_str(), &gives, &lost]
        } else {
            [&check.weight.to_string(), "?", "–", "–"]
        };
        page.flow(cells(row.category.word(), &check.rule, texts, if judged { Role::Plain } else { Role::Dim }), 4);
    }
    page.blank();
    totals(&mut page, report);
    page.lines
}

/// The sums below the checks, and what held them down.
fn totals(page: &mut Page<'_>, report: &AuditReport) {
    let score = &report.score;
    let checks = || score.categories.iter().flat_map(|row| &row.checks);
    if checks().any(|check| check.attested > 0) {
        page.flow(Line::of(Role::Dim, "* attested by the configuration"), 2);
    }
    if checks().any(|check| check.applicable == 0) {
        page.flow(Line::of(Role::Dim, "? could not be seen; lowers the coverage, not the score"), 2);
    }
    for row in score.categories.iter().filter(|row| row.capped) {
        let text = format!("{} is at most 5.0 while a critical finding stands in it", row.category.word());
        page.flow(Line::of(Role::Dim, &text), 2);
    }
    if score.capped {
        page.flow(Line::of(Role::Dim, "the overall score is at most 6.0 while a critical finding stands"), 2);
    }
    let shown = |number: Option<f64>| number.map_or("n/a".to_owned(), |number| format!("{number:.1}"));
    let line = Line::of(Role::Heading, "OVERALL ").and(score.status.into(), &number(score.overall, score.coverage));
    let line = line.and(Role::Dim, " · after safe fixes ").and(Role::Plain, &shown(score.after_safe_fixes));
    let line = line.and(Role::Dim, " · after all fixes ").and(Role::Plain, &shown(score.after_all_fixes));
    page.flow(line.and(Role::Dim, &format!(" · {} % of the checks judged", percent(score.coverage))), 2);
}
