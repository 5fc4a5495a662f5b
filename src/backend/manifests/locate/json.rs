//! The lines of a JSON value. The text was read as JSON before; what is broken in it all the
//! same ends the lines there.

use super::{Field, Kids, Lines};

/// Reads the lines of a value.
pub(super) fn lines(text: &str) -> Lines {
    let mut reader = Reader { text, position: 0, line: 1, lines: Lines::default() };
    reader.lines.root = reader.node();
    reader.lines
}

struct Reader<'text> {
    text: &'text str,
    position: usize,
    line: u32,
    lines: Lines,
}

impl<'text> Reader<'text> {
    /// The next character that is not blank, without taking it.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.position)?;
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                _ => return Some(byte),
            }
            self.position += 1;
        }
    }

    /// Takes the next character that is not blank if it is this one.
    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.position += usize::from(found);
        found
    }

    fn node(&mut self) -> Option<usize> {
        let first = self.peek()?;
        let line = self.line;
        let kids = match first {
            b'{' => Kids::Fields(self.fields()?),
            b'[' => Kids::Items(self.items()?),
            b'"' => {
                self.string()?;
                Kids::None
            }
            _ => {
                let rest = &self.text[self.position..];
                let ends = |c: char| matches!(c, ',' | ']' | '}') || c.is_ascii_whitespace();
                match rest.find(ends).unwrap_or(rest.len()) {
                    0 => return None,
                    length => self.position += length,
                }
                Kids::None
            }
        };
        Some(self.lines.add(line, kids))
    }

    fn fields(&mut self) -> Option<Vec<Field>> {
        self.position += 1;
        let mut fields = Vec::new();
        while !self.take(b'}') {
            self.peek()?;
            let line = self.line;
            let key = serde_json::from_str(self.string()?).ok()?;
            self.take(b':');
            let node = self.node()?;
            fields.push(Field { key, line, node });
            self.take(b',');
        }
        Some(fields)
    }

    fn items(&mut self) -> Option<Vec<usize>> {
        self.position += 1;
        let mut items = Vec::new();
        while !self.take(b']') {
            items.push(self.node()?);
            self.take(b',');
        }
        Some(items)
    }

    /// Takes a string with its quotes; none of it spans lines.
    fn string(&mut self) -> Option<&'text str> {
        let start = self.position;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        while *bytes.get(end)? != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        self.position = end + 1;
        self.text.get(start..=end)
    }
}
