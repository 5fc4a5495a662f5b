//! Text for a terminal: pieces that say what they are, never which colour they have.
//!
//! Nothing that comes from a cluster can forge a line, a colour or a direction of reading: every
//! piece is escaped when it is added, and there is no other way to add one. Widths are columns.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::audit::score::Status;
use crate::finding::Severity;
use crate::fix::Applicability;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Nothing special.
    #[default]
    Plain,
    /// What the eye should find first: the name of an object.
    Strong,
    /// What it may skip: places, facts, hints.
    Dim,
    /// The head of a table or a section.
    Heading,
    /// A critical finding.
    Critical,
    /// A high finding.
    High,
    /// A medium finding.
    Medium,
    /// A low finding.
    Low,
    /// Information.
    Info,
    /// A good score.
    Good,
    /// A score in the middle.
    NeedsWork,
    /// A poor score, or something missing.
    Poor,
    /// A safe fix.
    Safe,
    /// A fix that changes what runs, or asks something.
    Unsafe,
    /// What a person has to do.
    Manual,
    /// A command to type.
    Command,
    /// An added line.
    Added,
    /// A removed line.
    Removed,
    /// The changed part of an added line.
    AddedEmphasis,
    /// The changed part of a removed line.
    RemovedEmphasis,
}

impl From<Severity> for Role {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Critical => Self::Critical,
            Severity::High => Self::High,
            Severity::Medium => Self::Medium,
            Severity::Low => Self::Low,
            Severity::Info => Self::Info,
        }
    }
}

impl From<Status> for Role {
    fn from(status: Status) -> Self {
        match status {
            Status::Good => Self::Good,
            Status::NeedsWork => Self::NeedsWork,
            Status::Poor | Status::Missing => Self::Poor,
            Status::NotAvailable => Self::Dim,
        }
    }
}

impl From<Applicability> for Role {
    fn from(applicability: Applicability) -> Self {
        match applicability {
            Applicability::Safe => Self::Safe,
            Applicability::Unsafe | Applicability::Input => Self::Unsafe,
            Applicability::Manual => Self::Manual,
        }
    }
}

/// One line, without its line feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pieces: Vec<(Role, String)>,
}

impl Line {
    /// A line of one piece.
    pub fn of(role: Role, text: &str) -> Self {
        Self::default().and(role, text)
    }

    /// An empty line.
    pub fn blank() -> Self {
        Self::default()
    }

    /// With one more piece.
    #[must_use]
    pub fn and(mut self, role: Role, text: &str) -> Self {
        self.push(role, text);
        self
    }

    /// With spaces up to a column; none if the line is there already.
    #[must_use]
    pub fn to(mut self, column: usize) -> Self {
        let missing = column.saturating_sub(self.width());
        self.push(Role::Plain, &" ".repeat(missing));
        self
    }

    /// Adds one more piece, escaped.
    pub fn push(&mut self, role: Role, text: &str) {
        let text = escape(text);
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some((last, held)) if *last == role => held.push_str(&text),
            _ => self.pieces.push((role, text.into_owned())),
        }
    }

    /// The pieces, safe to print.
    pub fn pieces(&self) -> &[(Role, String)] {
        &self.pieces
    }

    /// The text without roles.
    pub fn text(&self) -> String {
        self.pieces.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// The columns that it takes.
    pub fn width(&self) -> usize {
        self.text().width()
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// At most this wide; what was cut is one `…`.
    #[must_use]
    pub fn truncate(self, width: usize) -> Self {
        if self.width() <= width {
            return self;
        }
        let mut out = Self::blank();
        for (role, c) in self.pieces.iter().flat_map(|(role, text)| text.chars().map(|c| (*role, c))) {
            let next = out.clone().and(role, c.encode_utf8(&mut [0; 4]));
            if next.width() + 1 > width {
                return if width > out.width() { out.and(role, "…") } else { out };
            }
            out = next;
        }
        out
    }

    /// Broken between words into lines at most this wide; all but the first are indented by
    /// `indent`. A word that is wider than a line is broken inside.
    pub fn wrap(self, width: usize, indent: usize) -> Vec<Self> {
        if self.width() <= width {
            return vec![self];
        }
        let indent = indent.min(width / 4);
        let mut wrapping = Wrapping { width, indent, done: Vec::new(), line: Self::blank(), is_bare: true };
        for (role, text) in &self.pieces {
            for word in text.split_inclusive(' ') {
                wrapping.add(*role, word);
            }
        }
        wrapping.done.push(wrapping.line.trimmed());
        wrapping.done
    }

    fn trimmed(mut self) -> Self {
        while let Some((_, text)) = self.pieces.last_mut() {
            text.truncate(text.trim_end_matches(' ').len());
            if !text.is_empty() {
                break;
            }
            self.pieces.pop();
        }
        self
    }
}

struct Wrapping {
    width: usize,
    indent: usize,
    done: Vec<Line>,
    line: Line,
    /// True while the line holds its indent alone.
    is_bare: bool,
}

impl Wrapping {
    fn add(&mut self, role: Role, word: &str) {
        let bare = word.trim_end_matches(' ');
        if !self.is_bare && self.line.width() + bare.width() > self.width {
            self.feed();
        }
        if self.line.width() + bare.width() <= self.width {
            let spaces = (self.width - self.line.width() - bare.width()).min(word.len() - bare.len());
            self.line.push(role, &word[..bare.len() + spaces]);
            // The spaces that a line begins with are its own indent.
            self.is_bare &= bare.is_empty();
            return;
        }
        for c in word.chars() {
            if self.line.width() + c.width().unwrap_or(0) > self.width {
                self.feed();
            }
            self.line.push(role, c.encode_utf8(&mut [0; 4]));
        }
        self.is_bare = false;
    }

    fn feed(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.done.push(line.trimmed());
        self.line = Line::blank().to(self.indent);
        self.is_bare = true;
    }
}

/// Text from elsewhere as it may be shown: control characters, escape sequences, line breaks and
/// invisible marks that turn the direction of reading become their escapes. What is escaped
/// already stays as it is.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_hidden(c) => write!(out, "\\u{{{:x}}}", u32::from(c)).expect("a string takes all"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Machine output as it may meet a terminal: what [`escape`] would show as an escape stands as
/// `\u009b`, which JSON reads back; ends of lines and tabs stay.
pub fn escape_data(text: &str) -> Cow<'_, str> {
    let unsafe_here = |c: char| is_hidden(c) && !matches!(c, '\n' | '\t');
    if !text.chars().any(unsafe_here) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if unsafe_here(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units)
                .iter()
                .for_each(|unit| write!(out, "\\u{unit:04x}").expect("a string takes all"));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Controls (C0, C1, DEL), line and paragraph separators, marks of direction, and characters that
/// nobody sees.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_forges_a_line() {
        let forged = "a\u{1b}[31mred\r\nb\tc\u{202e}d\u{9b}e\u{2028}f\u{200b}";
        let safe = r"a\u{1b}[31mred\r\nb\tc\u{202e}d\u{9b}e\u{2028}f\u{200b}";
        assert_eq!(escape(forged), safe);
        assert_eq!(escape(safe), safe);
        assert_eq!(Line::of(Role::Plain, forged).text(), safe);
        assert!(matches!(escape("größe 名前 ✓"), Cow::Borrowed(_)));
    }

    #[test]
    fn machine_output_reads_back() {
        let text = serde_json::to_string("a\u{1b}\u{9b}\u{202e}\u{e0001}\u{7f}\n名").unwrap() + "\n";
        let safe = escape_data(&text);
        assert_eq!(safe, "\"a\\u001b\\u009b\\u202e\\udb40\\udc01\\u007f\\n名\"\n");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), serde_json::from_str::<String>(&text).unwrap());
    }

    #[test]
    fn lines_are_cut_by_columns() {
        let line = || Line::of(Role::Strong, "名前名前").and(Role::Dim, "abc");
        assert_eq!(line().truncate(11).text(), "名前名前abc");
        assert_eq!(line().truncate(8).text(), "名前名…");
        assert_eq!(line().truncate(1).text(), "…");
        assert_eq!(line().truncate(0).text(), "");
    }

    #[test]
    fn words_are_kept_together_where_they_fit() {
        let line = Line::of(Role::Plain, "  one two ").and(Role::Dim, "three abcdefghijklmnop");
        let texts: Vec<String> = line.wrap(12, 4).iter().map(Line::text).collect();
        assert_eq!(texts, ["  one two", "   three", "   abcdefghi", "   jklmnop"]);
    }

    #[test]
    fn wrapped_lines_are_never_too_wide_and_lose_nothing() {
        let text =
            "Deployment/web  注意 no PodDisruptionBudget selects its 3 pods, and a-very-long-word-without-spaces";
        for width in 2..60 {
            let lines = Line::of(Role::Plain, text).wrap(width, 4);
            assert!(lines.iter().all(|line| line.width() <= width), "{width}");
            let kept: String = lines.iter().map(Line::text).collect::<String>().replace(' ', "");
            assert_eq!(kept, text.replace(' ', ""), "{width}");
        }
    }
}
