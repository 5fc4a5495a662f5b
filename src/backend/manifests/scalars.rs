//! What a YAML scalar means to kubectl: YAML 1.1 as go-yaml v2 resolves it, then JSON as Go
//! prints it.
//!
//! `yes` and `on` are booleans, `0644` is octal, `1_000` a number; `12:30:00` and `2026-01-01`
//! are text. A float without a fraction becomes an integer, as Go's JSON prints `1.0` as `1`.
//! Measured against kubectl 1.32 (`label --local -o json`).

use std::borrow::Cow;

use granit_parser::{ScalarStyle, Tag};
use serde_json::Number;

use super::tree::Tree;

/// The prefix of YAML's own tags, which `!!` stands for.
const YAML_TAGS: &str = "tag:yaml.org,2002:";

/// Whole floats below this fit an `i64`: two to the power of 63.
const WHOLE_LIMIT: f64 = 9_223_372_036_854_775_808.0;

/// The meaning of a scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Meaning {
    Null,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text,
}

/// The value of a scalar.
///
/// # Errors
/// Why kubectl refuses it; the scalar itself is not quoted.
pub(super) fn value<'text>(
    text: Cow<'text, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
) -> Result<Tree<'text>, &'static str> {
    if tag.is_some_and(|tag| is_yaml(tag, "binary")) {
        return binary(&text);
    }
    Ok(match meaning(&text, style, tag)? {
        Meaning::Null => Tree::Null,
        Meaning::Bool(value) => Tree::Bool(value),
        Meaning::Signed(value) => Tree::Number(value.into()),
        Meaning::Unsigned(value) => Tree::Number(value.into()),
        Meaning::Float(value) => Tree::Number(number(value)?),
        Meaning::Text => Tree::Text(text),
    })
}

/// A scalar as the key of a mapping: `y` is `"true"`, `0x10` is `"16"`.
///
/// # Errors
/// Why kubectl refuses it.
pub(super) fn key<'text>(
    text: Cow<'text, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
) -> Result<Cow<'text, str>, &'static str> {
    match meaning(&text, style, tag)? {
        Meaning::Null => Err("a key is null; quote it to make it text"),
        Meaning::Bool(value) => Ok(value.to_string().into()),
        Meaning::Signed(value) => Ok(value.to_string().into()),
        Meaning::Unsigned(_) => Err("a key is a number beyond 64 bits"),
        Meaning::Float(value) => Ok(float_key(value, &text).into()),
        Meaning::Text => Ok(text),
    }
}

/// Whether a key merges the mapping behind it: a plain `<<`.
pub(super) fn is_merge(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> bool {
    text == "<<" && tag.map_or(style == ScalarStyle::Plain, |tag| is_yaml(tag, "merge"))
}

fn is_yaml(tag: &Tag, name: &str) -> bool {
    yaml_name(tag).as_deref() == Some(name)
}

/// The name of one of YAML's own tags: `int` of `!!int`.
fn yaml_name(tag: &Tag) -> Option<Cow<'_, str>> {
    tag.suffix_in_namespace(YAML_TAGS)
}

fn meaning(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Meaning, &'static str> {
    use Meaning::{Bool, Float, Null, Signed, Text, Unsigned};
    let Some(tag) = tag else {
        return Ok(match style {
            ScalarStyle::Plain => plain(text),
            _ => Meaning::Text,
        });
    };
    let (plain, name) = (plain(text), yaml_name(tag));
    let (fits, refusal) = match name.as_deref() {
        Some("null") => (plain == Null, "a value tagged !!null is not null"),
        Some("bool") => (matches!(plain, Bool(_)), "a value tagged !!bool is not a boolean"),
        Some("int") => (matches!(plain, Signed(_) | Unsigned(_)), "a value tagged !!int is not an integer"),
        Some("float") => {
            (matches!(plain, Float(_) | Signed(_) | Unsigned(_)), "a value tagged !!float is not a number")
        }
        _ => return Ok(Text),
    };
    if fits { Ok(plain) } else { Err(refusal) }
}

/// go-yaml's `resolve` of a plain scalar without a tag.
fn plain(text: &str) -> Meaning {
    match text.bytes().next() {
        None => Meaning::Null,
        Some(b'0'..=b'9' | b'+' | b'-') => signed_infinity(text).unwrap_or_else(|| numeric(text)),
        Some(b'.') => match text {
            ".nan" | ".NaN" | ".NAN" => Meaning::Float(f64::NAN),
            ".inf" | ".Inf" | ".INF" => Meaning::Float(f64::INFINITY),
            _ => float(&text.replace('_', "")).map_or(Meaning::Text, Meaning::Float),
        },
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => word(text),
        Some(_) => Meaning::Text,
    }
}

fn word(text: &str) -> Meaning {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Meaning::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Meaning::Bool(false),
        "~" | "null" | "Null" | "NULL" => Meaning::Null,
        _ => Meaning::Text,
    }
}

fn signed_infinity(text: &str) -> Option<Meaning> {
    match text {
        "+.inf" | "+.Inf" | "+.INF" => Some(Meaning::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => Some(Meaning::Float(f64::NEG_INFINITY)),
        _ => None,
    }
}

fn numeric(text: &str) -> Meaning {
    let digits: Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    integer(&digits).or_else(|| float(&digits).map(Meaning::Float)).unwrap_or(Meaning::Text)
}

/// Go's `ParseInt` and `ParseUint` with base 0: a leading `0` is octal.
fn integer(text: &str) -> Option<Meaning> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("+", &text[1..]),
        _ => ("", text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.starts_with(|first: char| first.is_digit(radix)) {
        return None;
    }
    match u64::from_str_radix(digits, radix).ok()? {
        magnitude if sign == "-" => 0i64.checked_sub_unsigned(magnitude).map(Meaning::Signed),
        magnitude => match i64::try_from(magnitude) {
            Ok(value) => Some(Meaning::Signed(value)),
            Err(_) if sign.is_empty() => Some(Meaning::Unsigned(magnitude)),
            Err(_) => None,
        },
    }
}

/// A finite number in decimal notation; Rust reads the notation of go-yaml's pattern, and `inf`
/// and `nan` besides, which have other letters.
fn float(text: &str) -> Option<f64> {
    let decimal = |byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.bytes().all(decimal) {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// A float as JSON; whole ones as integers, with the digits that Go prints.
fn number(value: f64) -> Result<Number, &'static str> {
    if value.fract() == 0.0
        && value.abs() < WHOLE_LIMIT
        && let Ok(whole) = value.to_string().parse::<i64>()
    {
        return Ok(whole.into());
    }
    Number::from_f64(value).ok_or("a number is infinite or not a number; JSON has no such value")
}

/// Go's `FormatFloat(value, 'g', -1, 32)`.
fn float_key(value: f64, text: &str) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let short: f32 = text.replace('_', "").parse().unwrap_or_default();
    let scientific = format!("{short:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent @ ..-4) => format!("{digits}e-{:02}", -exponent),
        Ok(exponent @ 6..) => format!("{digits}e+{exponent:02}"),
        _ => short.to_string(),
    }
}

/// `!!binary` is decoded, and what is not text in it replaced.
fn binary(text: &str) -> Result<Tree<'static>, &'static str> {
    let encoded: String = text.split_ascii_whitespace().collect();
    let bytes: k8s_openapi::ByteString =
        serde_json::from_value(encoded.into()).map_err(|_| "a value tagged !!binary is not base64")?;
    Ok(Tree::Text(String::from_utf8_lossy(&bytes.0).into_owned().into()))
}

#[cfg(test)]
mod tests {
    use super::super::values::parse;
    use serde_json::{Value, json};

    fn read(text: &str) -> Value {
        parse(text).unwrap_or_else(|why| panic!("{text}: {why:?}")).0.into()
    }

    /// What is written, and what kubectl 1.32 prints for it.
    const PLAIN: &str = r#"
        yes true | Y true | on true | off false | n false | oN "oN" | ~ null | NULL null | = "="
        0644 420 | 0o644 420 | 0O17 15 | -0644 -420 | 089 89 | 1_000 1000 | 1__2 12 | 0_7 7
        _1 "_1" | 0b11 3 | -0b11 -3 | 0B11 3 | 0b "0b" | 0x1F 31 | 0x_1F 31 | -0x1F -31
        0x "0x" | +12 12 | -0 0 | 0x-1 "0x-1" | 1.0 1 | 1. 1 | .5 0.5 | -.5 -0.5 | .5_0 0.5
        +.5e-3 0.0005 | 1e3 1000 | 1E+3 1000 | 12e03 12000 | 1_000.5 1000.5 | 0.1 0.1
        1e21 1e21 | 1e "1e" | 1e400 "1e400" | 1e5_0 1e50 | 123456789012345678 123456789012345678
        100000000000000000000 1e20 | 12:30:00 "12:30:00" | 1:30 "1:30" | 2026-01-01 "2026-01-01"
        2026-01-01T00:00:00Z "2026-01-01T00:00:00Z" | 100m "100m" | 1.2.3 "1.2.3" | nan "nan"
        infinity "infinity" | +inf "+inf" | -nan "-nan" | .e5 ".e5" | 0o "0o" | 0o8 "0o8"
    "#;

    #[test]
    fn plain_scalars_as_kubectl_reads_them() {
        let pairs = PLAIN.lines().flat_map(|line| line.split(" | "));
        for pair in pairs.map(str::trim).filter(|pair| !pair.is_empty()) {
            let (text, expected) = pair.split_once(' ').unwrap();
            let expected: Value = serde_json::from_str(expected).unwrap();
            assert_eq!(read(&format!("a: {text}"))["a"], expected, "{text}");
        }
        assert_eq!(read("a:"), json!({"a": null}));
    }

    #[test]
    fn large_integers_keep_every_digit() {
        let largest = u64::MAX;
        assert_eq!(read(&format!("a: {largest}")), json!({"a": largest}));
        assert_eq!(read(&format!("a: {}", i64::MIN)), json!({"a": i64::MIN}));
    }

    #[test]
    fn quotes_and_tags() {
        for (text, expected) in [
            ("'yes'", json!("yes")),
            ("\"1\"", json!("1")),
            ("!!str 123", json!("123")),
            ("!!str", json!("")),
            ("! 12", json!("12")),
            ("!custom 5", json!("5")),
            ("!!int \"5\"", json!(5)),
            ("!!float 5", json!(5)),
            ("!!bool 'yes'", json!(true)),
            ("!!null ''", json!(null)),
            ("!!binary aGVsbG8=", json!("hello")),
            ("!!timestamp 2026-01-01", json!("2026-01-01")),
            ("|-\n 012", json!("012")),
            ("!!map {b: 1}", json!({"b": 1})),
            ("!!set {x, y}", json!({"x": null, "true": null})),
        ] {
            assert_eq!(read(&format!("a: {text}"))["a"], expected, "{text}");
        }
    }

    #[test]
    fn keys_become_text() {
        for (text, expected) in [
            ("y", "true"),
            ("no", "false"),
            ("1.50", "1.5"),
            ("0x10", "16"),
            ("1e3", "1000"),
            ("2026-01-01", "2026-01-01"),
            ("1000000.0", "1e+06"),
            ("1e-7", "1e-07"),
            ("'y'", "y"),
            ("123456789.123", "1.2345679e+08"),
            (".5", "0.5"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("100000.5", "100000.5"),
            ("-0.0", "-0"),
            (".inf", ".inf"),
        ] {
            assert_eq!(read(&format!("{text}: 1")), json!({expected: 1}), "{text}");
        }
    }

    #[test]
    fn what_kubectl_refuses() {
        for text in [
            "a: .nan",
            "a: +.inf",
            "~: 1",
            "? [a]\n: 1",
            "? {a: 1}\n: 1",
            "18446744073709551615: 1",
            "a: !!int abc",
            "a: !!bool maybe",
            "a: !!float abc",
            "a: !!null x",
            "a: !!binary '!!!'",
            "a: @x",
            "a: %x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
