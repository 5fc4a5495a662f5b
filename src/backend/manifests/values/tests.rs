use std::fmt::Write;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn read(text: &str) -> Value {
    parse(text).unwrap_or_else(|why| panic!("{text}: {why:?}")).0.into()
}

fn refusal(text: &str) -> (u32, String) {
    let broken = parse(text).unwrap_err();
    (broken.line, broken.message)
}

#[test]
fn nothing_is_null() {
    assert_eq!(read(""), Value::Null);
    assert_eq!(read("# only a comment\n"), Value::Null);
}

/// The values that kubectl 1.32 prints: a merge counts from where it stands.
#[test]
fn merge_keys() {
    let text = "
base: &b {k: 1, z: 9}
more: &m {k: 2, w: 3}
above: {k: 5, <<: *b}
below: {<<: *b, k: 5}
several: {<<: [*b, *m]}
quoted: {\"<<\": {c: 1}}
";
    let value = read(text);
    assert_eq!(value["above"], json!({"k": 1, "z": 9}));
    assert_eq!(value["below"], json!({"k": 5, "z": 9}));
    assert_eq!(value["several"], json!({"k": 1, "w": 3, "z": 9}));
    assert_eq!(value["quoted"], json!({"<<": {"c": 1}}));
    assert_eq!(parse(text).unwrap().1, []);
    for refused in ["a: {<<: 5}", "a: {<<: null}", "a: {<<: [1]}", "a: {<<: [[{b: 1}]]}"] {
        assert!(parse(refused).is_err(), "{refused}");
    }
}

#[test]
fn anchors_and_aliases() {
    let value = read("a: &x [1, {b: 2}]\nc: *x\nd: &k key\n*k : 3\n");
    assert_eq!(value, json!({"a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": "key", "key": 3}));
    assert_eq!(refusal("a: 1\nb: *nope\n").0, 2);
    assert!(refusal("a: &x [*x]").1.contains("itself"));
}

#[test]
fn duplicates_are_reported_and_the_last_counts() {
    let (value, duplicates) = parse("a: 1\nb: {c: 1, c: 2}\na : 3\n").unwrap();
    assert_eq!(Value::from(value), json!({"a": 3, "b": {"c": 2}}));
    let key = |line, key: &str| Duplicate { line, key: key.to_owned() };
    assert_eq!(duplicates, [key(2, "c"), key(3, "a")]);
    let (value, duplicates) = parse("true: 1\nyes: 2\n").unwrap();
    assert_eq!(Value::from(value), json!({"true": 2}));
    assert_eq!(duplicates, [key(2, "true")]);
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        let items = vec![alias; 9].join(", ");
        let _ = writeln!(text, "a{level}: &a{level} [{items}]");
    }
    assert!(refusal(&text).1.contains("multiply"));
    let long = format!("a: &a {}\nb: [{}]", "x".repeat(10_000), "*a, ".repeat(1000));
    assert!(refusal(&long).1.contains("multiply"));
}

#[test]
fn ordinary_use_of_aliases_is_fine() {
    let mut text = "base: &b {image: nginx, env: [{name: A, value: b}], ports: [80, 443]}\n".to_owned();
    for index in 0..200 {
        let _ = writeln!(text, "c{index}: {{<<: *b, name: c{index}}}");
    }
    assert_eq!(read(&text)["c199"]["ports"], json!([80, 443]));
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow() {
    let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&deep(200)).is_ok());
    assert!(parse(&deep(100_000)).is_err());
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for level in 1..2000 {
        let _ = writeln!(chain, "a{level}: &a{level} [*a{}] # {}", level - 1, "x".repeat(2000));
    }
    assert!(parse(&chain).is_err());
}

#[test]
fn a_broken_document_names_its_line_and_quotes_nothing() {
    let (line, message) = refusal("a: 1\nb: hunter2: hunter3\n");
    assert_eq!(line, 2);
    assert!(!message.contains("hunter"), "{message}");
    assert_eq!(refusal("a:\n  - b\n c: 1\n").0, 3);
    assert_eq!(refusal("a: {b\n").0, 1);
}

#[test]
fn line_breaks_of_windows() {
    let value = read("a: |\r\n  x\r\n  y\r\nb: 1\r\n");
    assert_eq!(value, json!({"a": "x\ny\n", "b": 1}));
    assert_eq!(read("a: |\n  text"), json!({"a": "text\n"}));
}

/// As kubectl reads it: brackets and quotes may end left of their key.
#[test]
fn what_ends_left_of_its_key() {
    assert_eq!(read("a:\n  b: {\n    c: 1\n}\n  d: [\n  1\n]\n"), json!({"a": {"b": {"c": 1}, "d": [1]}}));
    assert_eq!(read("a:\n  b: \"c\nd\"\n"), json!({"a": {"b": "c d"}}));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~äß]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[ -~]{1,8}", inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    /// JSON is YAML: both readers agree.
    #[test]
    fn json_reads_the_same(value in values()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(read(&text), value);
    }

    /// What another library writes is read back.
    #[test]
    fn block_style_reads_the_same(value in values()) {
        let text = serde_saphyr::to_string(&value).unwrap();
        prop_assert_eq!(read(&text), value, "{}", text);
    }

    #[test]
    fn no_text_panics(text in "[ \\-:{}\\[\\]&*!|>'\"#%a-c0-9\n\t]{0,60}") {
        let _ = parse(&text);
        let _ = super::super::locate::Lines::of_yaml(&text);
        let _ = super::super::locate::Lines::of_json(&text);
    }
}
