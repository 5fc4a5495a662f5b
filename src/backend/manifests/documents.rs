//! Splits a stream into documents, by lines as kubectl does, so that a broken document leaves
//! the others alone.
//!
//! A line that starts with `---` ends a document. In YAML no content can stand there, save
//! text in quotes that is not indented; kubectl splits there too. It refuses a separator with
//! anything but a comment behind it.

use std::ops::Range;

use memchr::memchr;

/// What a piece of the stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// A document.
    Document,
    /// Text on the line of a `---`: kubectl refuses it.
    BadSeparator,
    /// Content between `...` and the next `---`: kubectl ignores it.
    AfterEnd,
}

/// A piece of a stream that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// What it is.
    pub(super) piece: Piece,
    /// Its place in bytes; without its separators and byte order mark.
    pub(super) range: Range<usize>,
    /// The line on which the range starts, from 1.
    pub(super) start_line: u32,
    /// The line of the first content, from 1: neither blank, comment nor directive.
    pub(super) content_line: u32,
}

/// The pieces of a stream in order; what holds only comments is left out. Linear.
pub(super) fn split(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut open = Open::at(Piece::Document, 0, 1);
    let (mut position, mut number) = (0, 1);
    while position < text.len() {
        let end = memchr(b'\n', &text.as_bytes()[position..]).map_or(text.len(), |at| position + at + 1);
        let line = &text[position..end];
        // Nearly all lines are content after content.
        if open.content_line.is_some() && line.starts_with([' ', '\n']) {
            (position, number) = (end, number + 1);
            continue;
        }
        let line = without_mark(line);
        match Line::of(line, open.piece) {
            Line::Separator => {
                parts.extend(open.close(position, text));
                open = Open::at(Piece::Document, end, number + 1);
            }
            Line::BadSeparator => {
                parts.extend(open.close(position, text));
                open = Open::at(Piece::BadSeparator, position, number);
                open.content_line = Some(number);
            }
            Line::End => {
                parts.extend(open.close(position, text));
                open = Open::at(Piece::AfterEnd, end, number + 1);
            }
            Line::Content if open.content_line.is_none() => open.content_line = Some(number),
            Line::Content | Line::Blank => {}
        }
        position = end;
        number += 1;
    }
    parts.extend(open.close(text.len(), text));
    parts
}

/// A piece whose end is not known yet.
struct Open {
    piece: Piece,
    start: usize,
    start_line: u32,
    content_line: Option<u32>,
}

impl Open {
    fn at(piece: Piece, start: usize, start_line: u32) -> Self {
        Self { piece, start, start_line, content_line: None }
    }

    fn close(&self, end: usize, text: &str) -> Option<Part> {
        let mark = text[self.start..end].len() - without_mark(&text[self.start..end]).len();
        Some(Part {
            piece: self.piece,
            range: self.start + mark..end,
            start_line: self.start_line,
            content_line: self.content_line?,
        })
    }
}

/// What a line means for splitting.
enum Line {
    Separator,
    BadSeparator,
    End,
    Blank,
    Content,
}

impl Line {
    fn of(line: &str, within: Piece) -> Self {
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            return if rest.is_empty() || rest.starts_with('#') { Self::Separator } else { Self::BadSeparator };
        }
        if let Some(rest) = line.strip_prefix("...")
            && within == Piece::Document
            && (rest.is_empty() || rest.starts_with(char::is_whitespace))
        {
            return Self::End;
        }
        match line.trim_start().chars().next() {
            None | Some('#') => Self::Blank,
            Some('%') if line.starts_with('%') => Self::Blank,
            Some(_) => Self::Content,
        }
    }
}

/// The text without a byte order mark in front.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<(Piece, &str, u32, u32)> {
        split(text)
            .into_iter()
            .map(|part| {
                let content = &text[part.range];
                (part.piece, content, part.start_line, part.content_line)
            })
            .collect()
    }

    #[test]
    fn separators_comments_and_empty_documents() {
        let text = "# head\n---\na: 1\n--- # why\n\n---\t\n# c\nb: 2\n---\n# end\n";
        let expected = [(Piece::Document, "a: 1\n", 3, 3), (Piece::Document, "# c\nb: 2\n", 7, 8)];
        assert_eq!(pieces(text), expected);
        assert_eq!(pieces(""), []);
        assert_eq!(pieces("---"), []);
    }

    #[test]
    fn crlf_and_byte_order_marks() {
        let text = "\u{feff}a: 1\r\n---\r\n\u{feff}b: 2\r\n\u{feff}---\r\nc: 3";
        let expected =
            [(Piece::Document, "a: 1\r\n", 1, 1), (Piece::Document, "b: 2\r\n", 3, 3), (Piece::Document, "c: 3", 5, 5)];
        assert_eq!(pieces(text), expected);
    }

    #[test]
    fn the_end_of_a_document() {
        let text = "a: 1\n...\n# c\n---\nb: 2\n...\nc: 3\n...\n---\nd: .\n";
        let expected = [
            (Piece::Document, "a: 1\n", 1, 1),
            (Piece::Document, "b: 2\n", 5, 5),
            (Piece::AfterEnd, "c: 3\n...\n", 7, 7),
            (Piece::Document, "d: .\n", 10, 10),
        ];
        assert_eq!(pieces(text), expected);
    }

    #[test]
    fn a_directive_is_no_document() {
        let text = "%YAML 1.2\n---\na: 1\n";
        assert_eq!(pieces(text), [(Piece::Document, "a: 1\n", 3, 3)]);
    }

    #[test]
    fn text_behind_a_separator_is_refused_alone() {
        let text = "a: 1\n---foo\nb: 2\n---\nc: |\n  ---\n  x\n";
        let expected = [
            (Piece::Document, "a: 1\n", 1, 1),
            (Piece::BadSeparator, "---foo\nb: 2\n", 2, 2),
            (Piece::Document, "c: |\n  ---\n  x\n", 5, 5),
        ];
        assert_eq!(pieces(text), expected);
    }
}
