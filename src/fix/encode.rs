//! JSON as Go writes it.
//!
//! The API server compares the scalars of a `test` byte by byte with its own encoding of the live
//! object, and Go's encoder escapes `&`, `<`, `>`, U+2028 and U+2029. A body that writes them raw
//! fails its own guard (kubernetes/apiserver#100).

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

struct Go(CompactFormatter);

impl Formatter for Go {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut start = 0;
        for (at, c) in fragment.char_indices() {
            let escaped = match c {
                '&' => "\\u0026",
                '<' => "\\u003c",
                '>' => "\\u003e",
                '\u{2028}' => "\\u2028",
                '\u{2029}' => "\\u2029",
                _ => continue,
            };
            self.0.write_string_fragment(writer, &fragment[start..at])?;
            writer.write_all(escaped.as_bytes())?;
            start = at + c.len_utf8();
        }
        self.0.write_string_fragment(writer, &fragment[start..])
    }
}

/// The bytes of a value as the API server would write them.
pub fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Go(CompactFormatter));
    value.serialize(&mut serializer).expect("JSON values and patches always serialize");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_characters_are_escaped_and_no_other() {
        let text = String::from_utf8(to_bytes(&"a&b<c>d\u{2028}\u{2029}é\"\n")).unwrap();
        assert_eq!(text, "\"a\\u0026b\\u003cc\\u003ed\\u2028\\u2029é\\\"\\n\"");
    }
}
