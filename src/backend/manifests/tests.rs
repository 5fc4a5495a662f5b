//! What a user notices of [`read`]: files on disk in, objects and problems out.

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::*;

/// A directory with these files.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

fn options(paths: &[&Path]) -> ReadOptions {
    ReadOptions { paths: paths.iter().map(|path| path.display().to_string()).collect(), ..ReadOptions::default() }
}

fn read_all(options: &ReadOptions) -> Result<Manifests, ReadError> {
    read(options, &mut std::io::empty())
}

/// Reads a text from standard input.
fn piped(text: &str) -> Manifests {
    try_piped(text.as_bytes()).unwrap()
}

fn try_piped(mut bytes: &[u8]) -> Result<Manifests, ReadError> {
    read(&options(&[Path::new("-")]), &mut bytes)
}

fn names(manifests: &Manifests) -> Vec<String> {
    let name = |object: &'_ Loaded| object.read().pointer("/metadata/name").is_some();
    assert!(manifests.objects.iter().all(name));
    let objects = manifests.objects.iter();
    objects.map(|object| object.read()["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

fn problems(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| format!("{:?} {problem}", problem.severity)).collect()
}

fn map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

#[test]
fn a_directory_in_the_order_of_names() {
    let (a, b, c) = (map("a"), map("b"), map("c"));
    let dir = tree(&[
        ("b.yml", &b),
        ("a.yaml", &a),
        ("c.json", "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"j\"}}"),
        ("x.txt", "no: {"),
        (".progrc.yaml", "no: {"),
        (".git/x.yaml", "no: {"),
        ("sub/c.yaml", &c),
    ]);
    let mut options = options(&[dir.path()]);
    assert_eq!(names(&read_all(&options).unwrap()), ["a", "b", "j"]);
    options.recursive = true;
    let manifests = read_all(&options).unwrap();
    assert_eq!(names(&manifests), ["a", "b", "j", "c"]);
    let last = manifests.objects.last().unwrap();
    assert_eq!(**last.source.file(), *dir.path().join("sub/c.yaml").to_string_lossy());
    assert_eq!(last.line("/metadata/name"), Some(4));
}

#[test]
fn each_file_once_and_configuration_never() {
    let dir = tree(&[("a.yaml", &map("a")), ("custom.yaml", &map("c"))]);
    let mut options = options(&[&dir.path().join("a.yaml"), dir.path(), &dir.path().join("./a.yaml")]);
    options.skip = vec![dir.path().join("custom.yaml")];
    assert_eq!(names(&read_all(&options).unwrap()), ["a"]);
}

#[test]
fn a_named_file_needs_no_ending() {
    let dir = tree(&[("manifest", &map("a"))]);
    let read = read_all(&options(&[&dir.path().join("manifest")])).unwrap();
    assert_eq!(names(&read), ["a"]);
}

#[test]
fn paths_that_cannot_be_read() {
    let error = read_all(&options(&[Path::new("/nonexistent.yaml")])).unwrap_err();
    assert_eq!(error.to_string(), "the path /nonexistent.yaml does not exist");
    let error = read_all(&options(&[Path::new("https://example.com/a.yaml")])).unwrap_err();
    assert!(error.to_string().contains("is a URL"), "{error}");
    assert!(error.hint().unwrap().contains("curl"));
    let dir = tree(&[("x.txt", ""), ("sub/a.yaml", &map("a"))]);
    let error = read_all(&options(&[dir.path()])).unwrap_err();
    assert!(error.to_string().starts_with("no manifests in"), "{error}");
    assert!(error.hint().unwrap().contains("-R"));
}

#[test]
fn nothing_to_audit_is_an_error() {
    for text in ["", "# empty\n---\n", "a: 1\n", "- a\n", "text"] {
        let error = try_piped(text.as_bytes()).unwrap_err();
        assert!(matches!(error, ReadError::NoObjects { .. }), "{text}");
    }
}

#[test]
fn lists_are_flattened() {
    let manifests = piped(
        "
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Pod, metadata: {name: a}}
- apiVersion: apps/v1
  kind: DeploymentList
  items:
  - metadata:
      name: b
---
{apiVersion: v1, kind: ConfigMapList, items: []}
---
{apiVersion: x.io/v1, kind: AllowList, metadata: {name: c}}
",
    );
    assert_eq!(names(&manifests), ["a", "b", "c"]);
    let inner = &manifests.objects[1];
    assert_eq!(inner.read(), json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "b"}}));
    assert_eq!(inner.prefix, "/items/1/items/0");
    assert_eq!(inner.line("/metadata/name"), Some(10));
    assert_eq!(manifests.problems, []);
}

#[test]
fn several_json_values_in_a_row() {
    let manifests = piped(
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}
{\"apiVersion\":\"v1\",
 \"kind\":\"Pod\",\"kind\":\"Pod\",
 \"metadata\":{\"name\":\"\\/\\ud83d\\ude00\"}}
---
{apiVersion: v1, kind: Pod, metadata: {name: yaml}}
",
    );
    assert_eq!(names(&manifests), ["a", "/😀", "yaml"]);
    assert_eq!(manifests.objects[1].line("/metadata"), Some(4));
    let expected = ["Warning <stdin>:3: the key kind stands twice: the last counts"];
    assert_eq!(problems(&manifests.problems), expected);
}

#[test]
fn what_is_no_object_is_skipped_with_a_reason() {
    let text = format!(
        "{}---
services: {{web: {{image: nginx}}}}
---
- a
---
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
---
apiVersion: v1
kind: Config
clusters: []
---
apiVersion: progrc.io/v1
kind: Config
---
null
--- # the last
apiVersion: v1
kind: Pod
metadata: {{name: 12}}
...
ignored: true
",
        map("a")
    );
    let manifests = piped(&text);
    assert_eq!(names(&manifests), ["a"]);
    let expected = [
        "Skipped <stdin>:6: not a Kubernetes object: no apiVersion and no kind",
        "Skipped <stdin>:8: not a Kubernetes object: not a mapping",
        "Skipped <stdin>:10: a kustomization: build it with -k",
        "Skipped <stdin>:13: not an object of a cluster: no metadata.name",
        "Skipped <stdin>:17: a file of kubectl progrc, not an object",
        "Error <stdin>:24: metadata.name is not text",
        "Skipped <stdin>:26: kubectl ignores what follows `...`: begin it with `---`",
    ];
    assert_eq!(problems(&manifests.problems), expected);
}

#[test]
fn what_looks_like_an_object_is_not_left_out_in_silence() {
    let text = format!(
        "{}---
napiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
---
# no name
apiVersion: apps/v1
kind: Deployment
metadata: {{labels: {{app: web}}}}
---
apiVersion: audit.k8s.io/v1
kind: Policy
metadata: {{creationTimestamp: null}}
rules: []
---
kind: pipeline
steps: []
",
        map("a")
    );
    let manifests = piped(&text);
    assert_eq!(names(&manifests), ["a"]);
    let expected = [
        "Warning <stdin>:7: left out: no apiVersion",
        "Warning <stdin>:12: left out: no metadata.name",
        "Skipped <stdin>:15: not an object of a cluster: no metadata.name",
        "Skipped <stdin>:20: not a Kubernetes object: no apiVersion",
    ];
    assert_eq!(problems(&manifests.problems), expected);
}

#[test]
fn a_broken_document_leaves_the_others_alone() {
    let text = format!("{}---\na: 1\nb: [\nc: 2\n---\n{}---oops\n---\n{}", map("a"), map("b"), map("c"));
    let manifests = piped(&text);
    assert_eq!(names(&manifests), ["a", "b", "c"]);
    let found = problems(&manifests.problems);
    assert!(found[0].starts_with("Error <stdin>:7: ") || found[0].starts_with("Error <stdin>:8: "), "{found:?}");
    assert_eq!(found[1], "Error <stdin>:14: text on the line of a `---`: kubectl refuses it");
    assert_eq!(found.len(), 2);
}

#[test]
fn helm_templates_are_named_once_a_file() {
    let chart = "{{- if .Values.on }}
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}
---
apiVersion: v1
kind: Pod
metadata: {name: \"{{ .Release.Name }}\"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: alerts}
data: {rule: \"{{ $labels.pod }} is down\"}
";
    let dir = tree(&[("chart.yaml", chart)]);
    let manifests = read_all(&options(&[dir.path()])).unwrap();
    assert_eq!(names(&manifests), ["alerts"]);
    let found = problems(&manifests.problems);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("chart.yaml:1: a template ({{ … }}): render it first, as with helm template"));
}

#[test]
fn files_that_are_not_text() {
    let dir = tree(&[("b.yaml", &map("b"))]);
    fs::write(dir.path().join("a.yaml"), b"\x7fELF\0\0").unwrap();
    fs::write(dir.path().join("c.yaml"), b"a: 1\nb: \xFC\n").unwrap();
    let manifests = read_all(&options(&[dir.path()])).unwrap();
    assert_eq!(names(&manifests), ["b"]);
    let found: Vec<_> = manifests.problems.iter().map(|found| (found.line, found.message.as_str())).collect();
    assert_eq!(found, [(None, "a binary file, not a manifest"), (Some(2), "not valid UTF-8")]);
}

#[test]
fn secrets_keep_no_value_and_show_no_text() {
    let secret = "apiVersion: v1
kind: Secret
metadata:
  name: s
  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{\"data\":\"hunter2\"}'}
data: {password: hunter2}
stringData: {password: hunter2, password: hunter2}
";
    let broken = secret.replace("{password: hunter2}", "{password: hunter2: hunter2}");
    let text = format!("{}---\n{secret}---\n{broken}---hunter2\n", map("a"));
    let manifests = piped(&text);
    assert_eq!(names(&manifests), ["a", "s"]);
    let shown = format!("{manifests:?} {}", problems(&manifests.problems).join(" "));
    assert!(!shown.contains("hunter2"), "{shown}");
    let secret = &manifests.objects[1];
    assert_eq!(secret.read()["data"], json!({"password": null}));
    assert!(secret.source.is_secret());
    assert_eq!(secret.source.text(), None);
    assert_eq!(secret.line("/data/password"), Some(11));
    assert_eq!(manifests.objects[0].source.text(), Some(map("a").as_str()));
}

#[test]
fn ten_thousand_documents_in_a_stream() {
    let documents: Vec<String> = (0..10_000).map(|index| map(&format!("m{index}"))).collect();
    let text = format!("---\n{}", documents.join("---\n"));
    let manifests = piped(&text);
    assert_eq!(manifests.objects.len(), 10_000);
    let last = &manifests.objects[9_999];
    assert_eq!(last.read()["metadata"]["name"], "m9999");
    assert_eq!(last.source.start_line(), 5 * 10_000 - 3);
    assert_eq!(last.line("/metadata/name"), Some(5 * 10_000));
}

#[test]
fn the_order_does_not_depend_on_threads() {
    let files: Vec<(String, String)> =
        (0..300).map(|index| (format!("{index:03}.yaml"), map(&format!("m{index:03}")))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let dir = tree(&files);
    let manifests = read_all(&options(&[dir.path()])).unwrap();
    let names = names(&manifests);
    assert!(names.is_sorted() && names.len() == 300);
}

#[cfg(unix)]
mod kustomize {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn kubectl(script: &str) -> (TempDir, ReadOptions) {
        let dir = tree(&[("kubectl", &format!("#!/bin/sh\n{script}\n"))]);
        let program = dir.path().join("kubectl");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let options =
            ReadOptions { kustomize: Some("overlays/prod".into()), kubectl: Some(program), ..ReadOptions::default() };
        (dir, options)
    }

    #[test]
    fn its_output_is_read() {
        let script = "echo 'apiVersion: v1'; echo 'kind: Pod'; echo \"metadata: {name: '$1 $2 $3'}\"";
        let (_dir, options) = kubectl(script);
        let manifests = read_all(&options).unwrap();
        assert_eq!(names(&manifests), ["kustomize -- overlays/prod"]);
        assert_eq!(&**manifests.objects[0].source.file(), "kustomize overlays/prod");
    }

    #[test]
    fn its_refusal_is_told() {
        let (_dir, options) = kubectl("echo 'error: no such directory' >&2; exit 1");
        let error = read_all(&options).unwrap_err();
        assert_eq!(error.to_string(), "failed to build the kustomization overlays/prod: no such directory");
        let (_dir, options) = kubectl("exit 3");
        let error = read_all(&options).unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
    }
}
