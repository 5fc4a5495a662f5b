//! The terminal output of `audit`: context, scorecard, findings, what next.

use super::audit::{AuditReport, Object, Source};
use super::text::{Line, Role};

mod scorecard;
mod findings;
mod closing;

pub use scorecard::explain_score;

/// Where right-aligned words end, if the terminal is not narrower.
const RIGHT_EDGE: usize = 76;
/// The narrowest terminal that lines are made for.
const NARROWEST: usize = 20;

/// How to show a report.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The columns of the terminal; `None` in a pipe, where no line is broken.
    pub width: Option<usize>,
    /// Everything: no folding, every place, fact and note, and what can't be seen.
    pub wide: bool,
    /// What the user typed to choose the objects, repeated in the next commands: `-n shop`.
    pub selection: String,
}

impl Options {
    fn columns(&self) -> usize {
        self.width.map_or(usize::MAX, |width| width.max(NARROWEST))
    }

    /// The column where right-aligned words end.
    fn edge(&self) -> usize {
        self.columns().min(RIGHT_EDGE)
    }
}

/// The whole output.
pub fn table(report: &AuditReport, options: &Options) -> Vec<Line> {
    let mut page = Page::new(options);
    page.flow(context(report), 2);
    page.blank();
    scorecard::add(&mut page, report);
    findings::add(&mut page, report);
    closing::add(&mut page, report);
    page.lines
}

fn context(report: &AuditReport) -> Line {
    let metadata = &report.metadata;
    let mut line = match &metadata.source {
        Source::Cluster { context, server, .. } => {
            Line::of(Role::Dim, "Context ").and(Role::Strong, context.as_deref().unwrap_or(server))
        }
        Source::Manifests { files, .. } => Line::of(Role::Dim, "Manifests ").and(Role::Strong, &files.join(" ")),
    };
    let names = metadata.source.namespaces();
    let place = match names.len() {
        0 => "no namespace".to_owned(),
        1..=3 => format!("{} {}", if names.len() == 1 { "namespace" } else { "namespaces" }, names.join(", ")),
        many => format!("{many} namespaces"),
    };
    let objects = counted(metadata.objects, "object");
    line.push(Role::Dim, &format!(" · {place} · {objects} · {:.1} s", metadata.elapsed_seconds));
    if metadata.environment != crate::rules::settings::Environment::Production {
        line.push(Role::Dim, &format!(" · {}", metadata.environment.word()));
    }
    line
}

/// Lines on their way to a terminal of some width.
pub(super) struct Page<'a> {
    pub(super) options: &'a Options,
    pub(super) lines: Vec<Line>,
}

impl<'a> Page<'a> {
    pub(super) fn new(options: &'a Options) -> Self {
        Self { options, lines: Vec::new() }
    }

    /// Adds a line, broken between words where it is too long.
    pub(super) fn flow(&mut self, line: Line, indent: usize) {
        self.lines.extend(line.wrap(self.options.columns(), indent));
    }

    /// Adds a line, cut where it is too long.
    pub(super) fn row(&mut self, line: Line) {
        self.lines.push(line.truncate(self.options.columns()));
    }

    /// Adds a line with a word at the right edge; below it where there is no room.
    fn sided(&mut self, left: Line, role: Role, right: &str) {
        let word = Line::of(role, right);
        if left.width() + 1 + word.width() <= self.options.edge() {
            let start = self.options.edge() - word.width();
            self.lines.push(left.to(start).and(role, right));
        } else {
            self.flow(left, 2);
            self.flow(Line::of(Role::Plain, "  ").and(role, right), 4);
        }
    }

    /// Adds an empty line.
    pub(super) fn blank(&mut self) {
        self.lines.push(Line::blank());
    }
}

/// `1 finding`, `2 findings`.
pub(super) fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// `2 kinds and 1 object`: of the verbs that failed, those that list are about kinds.
pub fn unread<'a>(verbs: impl Iterator<Item = &'a str>) -> String {
    let (objects, kinds): (Vec<&str>, Vec<&str>) = verbs.partition(|verb| matches!(*verb, "get" | "read"));
    let counts = [(kinds.len(), "kind"), (objects.len(), "object")];
    let counts = counts.iter().filter(|(number, _)| *number > 0).map(|(number, what)| counted(*number, what));
    counts.collect::<Vec<_>>().join(" and ")
}

impl Object {
    /// `Kind/name`, with the namespace between where more than one is audited.
    pub(super) fn shown(&self, namespaces: &[String]) -> String {
        match &self.namespace {
            Some(namespace) if namespaces != [namespace.as_str()] => {
                format!("{}/{namespace}/{}", self.kind, self.name)
            }
            _ => format!("{}/{}", self.kind, self.name),
        }
    }
}

#[cfg(test)]
mod tests;
