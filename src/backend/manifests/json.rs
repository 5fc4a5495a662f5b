//! JSON values, several in a row if there are several, as kubectl reads them.

use std::ops::Range;

use serde_json::value::RawValue;

use super::locate::Lines;
use super::values::{Broken, Parsed};

/// Whether kubectl takes a document for JSON: its first character is a brace.
pub(super) fn looks_like_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// The places of the values that stand in a row.
///
/// # Errors
/// [`Broken`] where the text is not JSON.
pub(super) fn split(text: &str) -> Result<Vec<Range<usize>>, Broken> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let mut ranges = Vec::new();
    while let Some(value) = stream.next() {
        let length = value.map_err(|error| refused(&error))?.get().len();
        let end = stream.byte_offset();
        ranges.push(end - length..end);
    }
    Ok(ranges)
}

/// Reads one value. Of a key given twice the last one counts; it is reported.
///
/// # Errors
/// [`Broken`] where the text is not JSON.
pub(super) fn parse(text: &str) -> Result<Parsed<'_>, Broken> {
    let value = serde_json::from_str(text).map_err(|error| refused(&error))?;
    Ok((value, Lines::of_json(text).duplicates()))
}

/// The parser's refusal without its position, which stands in `line`.
fn refused(error: &serde_json::Error) -> Broken {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    Broken { line: u32::try_from(error.line()).unwrap_or(u32::MAX), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_in_a_row() {
        let text = " {\"a\": 1}{\"b\":\n [2]}\n\n{}\n";
        let values: Vec<&str> = split(text).unwrap().into_iter().map(|at| &text[at]).collect();
        assert_eq!(values, ["{\"a\": 1}", "{\"b\":\n [2]}", "{}"]);
    }

    #[test]
    fn a_break_names_its_line() {
        let broken = split("{\"a\": 1}\n{\"b\": secret}").unwrap_err();
        assert_eq!((broken.line, broken.message.as_str()), (2, "expected value"));
    }

    #[test]
    fn numbers_keep_their_digits() {
        let (value, _) = parse(r#"{"a": 9007199254740993, "b": 18446744073709551615}"#).unwrap();
        assert_eq!(serde_json::Value::from(value).to_string(), r#"{"a":9007199254740993,"b":18446744073709551615}"#);
    }

    #[test]
    fn the_last_of_two_keys_counts() {
        let (value, duplicates) = parse("{\"a\": 1,\n \"b\": {\"c\": 1,\n\"c\": 2},\n\"a\": 3}").unwrap();
        assert_eq!(serde_json::Value::from(value), json!({"a": 3, "b": {"c": 2}}));
        let found: Vec<_> = duplicates.iter().map(|found| (found.line, found.key.as_str())).collect();
        assert_eq!(found, [(3, "c"), (4, "a")]);
    }
}
