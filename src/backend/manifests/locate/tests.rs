use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::documents;
use super::super::source::{Format, Source, locate};
use super::super::values::parse;
use super::*;

fn source(text: &str, part: usize, format: Format) -> Source {
    let parts = documents::split(text);
    let part = &parts[part];
    let file: Arc<str> = "f.yaml".into();
    Source::new(&file, &text.into(), part.range.clone(), part.start_line, format)
}

/// Every `# <- POINTER` of a text names a pointer of its document that stands on its line.
fn check(text: &str) {
    let parts = documents::split(text);
    let mut checked = 0;
    for (index, part) in parts.iter().enumerate() {
        let source = source(text, index, Format::Yaml);
        let last = part.start_line as usize + text[part.range.clone()].lines().count();
        for (number, line) in text.lines().enumerate().take(last - 1).skip(part.start_line as usize - 1) {
            let Some((_, pointers)) = line.split_once("# <- ") else {
                continue;
            };
            for pointer in pointers.split_whitespace() {
                let found = locate(&source, "", pointer.trim_start_matches("root"));
                assert_eq!(found, u32::try_from(number + 1).ok(), "{pointer}");
                checked += 1;
            }
        }
    }
    let noted = text.lines().filter_map(|line| line.split_once("# <- "));
    let noted: usize = noted.map(|(_, pointers)| pointers.split_whitespace().count()).sum();
    assert_eq!(checked, noted, "each annotation stands in a document");
}

#[test]
fn annotated_lines() {
    check("\u{feff}# a comment
---
# another
apiVersion: apps/v1 # <- root
kind: Deployment
metadata: # <- /metadata /metadata/namespace /metadata/labels/x
  name: a # <- /metadata/name
  annotations:
    example.com/tilde~slash: \"x\" # <- /metadata/annotations/example.com~1tilde~0slash
spec:
  replicas: 1 # <- /spec/replicas
  template:
    spec:
      containers:
      - name: app # <- /spec/template/spec/containers/0 /spec/template/spec/containers/0/name /spec/template/spec/containers/0/image
        ports: [{containerPort: 80}, # <- /spec/template/spec/containers/0/ports/0/containerPort
          {containerPort: 81}] # <- /spec/template/spec/containers/0/ports/1
        args:
        - |
          text # no pointer
          ---
        - last # <- /spec/template/spec/containers/0/args/1
      # a comment
      -
        name: side # <- /spec/template/spec/containers/1
---
a: 1 # <- /a /a/b/c
\"quoted\": {b: {c: 2}} # <- /quoted/b/c
y: yes # <- /true
0x10: x # <- /16
? long
: value # no pointer
'': empty # <- /
--- # the last
items:
- a # <- /items/0
- b # <- /items/1
# end
");
}

#[test]
fn carriage_returns_do_not_count() {
    let text = "a: 1\r\n---\r\nb:\r\n  c: 2\r\n";
    assert_eq!(locate(&source(text, 1, Format::Yaml), "", "/b/c"), Some(4));
}

#[test]
fn the_last_of_two_keys_is_meant() {
    check("a: 1\na: 2 # <- /a\n");
}

#[test]
fn aliases_and_merges_stand_where_they_were_written() {
    check(
        "
base: &base
  image: nginx # <- /base/image /app/image /list/0/image /both/image
  tag: 1 # <- /both/tag
more: &more {tag: 2} # <- /more/tag
app: *base # <- /app /app/none
list: [*base] # no pointer
own:
  <<: *base
  tag: 3 # <- /own/tag
both:
  <<: [*base, *more]
",
    );
}

#[test]
fn a_prefix_names_an_item() {
    let text = "kind: List\nitems:\n- kind: A\n- kind: B\n  spec: 1\n";
    let source = source(text, 0, Format::Yaml);
    assert_eq!(locate(&source, "/items/1", "/spec"), Some(5));
    assert_eq!(locate(&source, "/items/1", "/metadata/name"), Some(4));
    assert_eq!(locate(&source, "/items/1", ""), Some(4));
}

#[test]
fn json_lines() {
    let text = "\n{\"a\":\n  {\"b\\u0062\": [1,\n 2, {\"c\": \"}\\\"\"\n}],\n\"d\":\nnull}}\n";
    let source = source(text, 0, Format::Json);
    for (pointer, line) in [
        ("", 2),
        ("/a", 2),
        ("/a/bb", 3),
        ("/a/bb/0", 3),
        ("/a/bb/1", 4),
        ("/a/bb/2/c", 4),
        ("/a/d", 6),
        ("/a/x", 2),
        ("/x", 2),
    ] {
        assert_eq!(locate(&source, "", pointer), Some(line), "{pointer}");
    }
}

fn pointers(value: &Value, prefix: &str, all: &mut Vec<String>) {
    all.push(prefix.to_owned());
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let step = key.replace('~', "~0").replace('/', "~1");
                pointers(value, &format!("{prefix}/{step}"), all);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, &format!("{prefix}/{index}"), all);
            }
        }
        _ => {}
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!(1)), Just(json!("a\n---\nb")), Just(json!("x"))];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z/~]{1,4}", inner, 1..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    /// The two readers are independent; of JSON, which is YAML, they find the same lines.
    #[test]
    fn both_readers_agree(value in values()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        let mut all = Vec::new();
        pointers(&value, "", &mut all);
        let (yaml, json) = (Lines::of_yaml(&text), Lines::of_json(&text));
        for pointer in all {
            prop_assert_eq!(yaml.find(steps(&pointer)), json.find(steps(&pointer)), "{}", pointer);
        }
    }

    /// In block style every scalar has a line of its own: its line says its key or dash.
    #[test]
    fn block_lines_hold_their_field(value in values()) {
        let text = serde_saphyr::to_string(&value).unwrap();
        prop_assert_eq!(&Value::from(parse(&text).unwrap().0), &value);
        let mut all = Vec::new();
        pointers(&value, "", &mut all);
        let lines: Vec<&str> = text.lines().collect();
        let found = Lines::of_yaml(&text);
        for pointer in all.iter().filter(|pointer| !pointer.is_empty()) {
            let line = found.find(steps(pointer)).unwrap() as usize;
            let last = steps(pointer).last().unwrap();
            let content = lines[line - 1];
            let item = last.parse::<usize>().is_ok();
            prop_assert!(item || content.contains(&last), "{pointer} at {line} in\n{text}");
        }
    }
}
