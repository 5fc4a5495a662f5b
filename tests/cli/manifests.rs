//! Manifests that are none, and what stands in their way.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::run::{Home, ended_with};

const GOOD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

#[test]
fn a_broken_document_is_named_by_file_and_line() {
    let home = Home::new();
    home.write("in/broken.yaml", format!("{GOOD}---\napiVersion: v1\nkind: [\n"));
    home.run(&["audit", "-f", "in"]).refusal(&["in/broken.yaml:6: ", "hint: "]);
    home.run(&["diff", "-f", "in"]).refusal(&["in/broken.yaml:6: "]);
    home.write("in/broken.yaml", format!("{GOOD}data:\n  a: b\n c: d\n"));
    home.run(&["audit", "-f", "in"]).refusal(&["in/broken.yaml:6: "]);
    home.write("broken.json", "{\"apiVersion\": \"v1\",\n \"kind\": }\n");
    home.run(&["audit", "-f", "broken.json"]).refusal(&["broken.json:2: "]);
    let piped = ended_with(&mut home.progrc(&["audit", "-f", "-"]), "kind: {\n");
    piped.refusal(&[":"]);
}

#[test]
fn every_broken_document_is_named_in_one_message() {
    let home = Home::new();
    home.write("in/a.yaml", "kind: [\n");
    home.write("in/b.yaml", "kind: {\n");
    home.write("in/c.yaml", GOOD);
    home.run(&["audit", "-f", "in"]).refusal(&["in/a.yaml:", "in/b.yaml:"]);
}

#[test]
fn files_that_are_not_there_or_no_manifests() {
    let home = Home::new();
    std::fs::create_dir(home.path("empty")).unwrap();
    home.write("binary.yaml", [0x7f, b'E', b'L', b'F', 0, 1, 2, 3, 0xff, 0xfe, 0x1b, b'[']);
    home.write("prose.yaml", "just words\n");
    home.run(&["audit", "-f", "gone.yaml"]).refusal(&["gone.yaml does not exist"]);
    home.run(&["audit", "-f", "empty"]).refusal(&["empty"]);
    home.run(&["audit", "-f", "binary.yaml"]).refusal(&["binary.yaml", "binary"]);
    home.run(&["audit", "-f", "prose.yaml"]).refusal(&["prose.yaml"]);
    ended_with(&mut home.progrc(&["audit", "-f", "-"]), "").refusal(&["no objects"]);
}

#[test]
fn what_kubectl_takes_is_taken_with_a_warning() {
    let home = Home::new();
    home.write("twice.yaml", format!("{GOOD}data:\n  A: \"1\"\n  A: \"2\"\n"));
    let twice = home.run(&["audit", "-f", "twice.yaml"]).code(0);
    assert!(twice.stderr.starts_with("Warning: twice.yaml:6: ") && twice.stderr.contains(" A "), "{}", twice.stderr);
    assert_eq!(twice.stderr.lines().count(), 1);
    assert_eq!(home.run(&["audit", "-q", "-f", "twice.yaml"]).code(0).stderr, "");
}

#[test]
fn ten_thousand_documents_take_seconds() {
    let home = Home::new();
    let mut stream = String::new();
    for number in 0..10_000 {
        write!(stream, "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}, namespace: shop}}\n").unwrap();
        write!(stream, "data: {{ALLOW_UNKNOWN_API_PATHS: \"{}\"}}\n---\n", number % 100 == 0).unwrap();
    }
    let started = Instant::now();
    let report = ended_with(&mut home.progrc(&["audit", "-f", "-", "-o", "json"]), &stream).code(1).json();
    assert_eq!(report["metadata"]["objects"], 10_000);
    assert_eq!(report["findings"].as_array().unwrap().len(), 100);
    assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
}

#[test]
fn an_object_that_stands_twice_is_told() {
    let home = Home::new();
    home.write(
        "in/a.yaml",
        format!("{GOOD}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, namespace: b}}\n"),
    );
    home.write("in/b.yaml", format!("# again\n{GOOD}"));
    let ended = home.run(&["audit", "-f", "in"]).code(0);
    assert!(
        ended.stderr.contains("in/a.yaml:1: ConfigMap/default/a stands again at in/b.yaml:2, which counts"),
        "{ended:?}"
    );
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    home.write("in/b.yaml", (0..7).fold(String::new(), |text, _| format!("{text}---\n{GOOD}")));
    let ended = home.run(&["audit", "-f", "in"]).code(0);
    assert!(ended.stderr.ends_with("2 more manifests do not count: others describe the same objects\n"), "{ended:?}");
}
