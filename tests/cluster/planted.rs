//! Credentials on the real server: none comes out again, neither printed nor journaled.

use std::path::Path;

use crate::harness::{ControlPlane, Finished};
use crate::scene::{assert_no_secrets, history, writes};

const SECRETS: &str = include_str!("../planted/secrets.yaml");

/// No planted credential stands in a text.
#[track_caller]
fn assert_kept(what: &str, text: &str) {
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("planted-")).collect();
    assert!(lines.is_empty(), "{what}: {lines:#?}");
}

#[track_caller]
fn assert_silent(what: &str, finished: &Finished) {
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
    assert_kept(what, &finished.stdout);
    assert_kept(what, &finished.stderr);
}

/// The texts of all files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(files(&path));
        } else {
            out.push(String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned());
        }
    }
    out
}

#[test]
fn no_credential_is_printed_or_journaled() {
    let ns = ControlPlane::full().namespace("marks");
    ns.apply(SECRETS);
    ns.wait_for_rollout("web");
    let answers = [
        "--set=dev-storage-endpoint.endpoint=https://nyc3.digitaloceanspaces.com",
        "--set=missing-readiness-probe.path=/health",
        "--set=missing-resource-requests.cpu=100m",
        "--set=missing-resource-requests.memory=128Mi",
    ];
    let run = |words: &[&str]| ns.progrc(words).run();
    let with = |words: &[&str]| run(&[words, &answers].concat());
    for format in ["table", "wide", "json", "yaml", "name", "actions"] {
        assert_silent(format, &with(&["audit", "-v", "-o", format]));
    }
    assert_silent("diff", &with(&["diff", "-v"]));
    for format in ["json", "yaml", "name"] {
        assert_silent(format, &with(&["diff", "-v", "-o", format]));
    }
    assert_silent("init", &run(&["init", "--out", "-", "-v"]));
    assert_silent("dry run", &with(&["fix", "-v", "--unsafe-fixes", "--dry-run=server"]));
    assert_silent("fix", &with(&["fix", "-v", "--yes", "--unsafe-fixes"]));
    assert_silent("fix again", &with(&["fix", "-v", "--yes", "--unsafe-fixes", "-o", "json"]));
    assert!(writes(&ns.requests()).len() > 5, "the fixes wrote beside the credentials");

    let (_, ids) = history(&ns);
    assert!(!ids.is_empty());
    assert_silent("history", &run(&["history", "-o", "yaml"]));
    for id in &ids {
        for format in [&["-v"][..], &["-o", "json"], &["-o", "yaml"]] {
            assert_silent("an entry", &run(&[&["history", id], format].concat()));
        }
    }
    assert_silent("undo", &run(&["undo", "-v", "--dry-run=server"]));
    assert_silent("undo", &run(&["undo", "-v", "--yes", "-o", "json"]));
    let journal = files(&ns.home().join("state"));
    assert!(!journal.is_empty());
    for text in journal {
        assert_kept("the journal", &text);
    }
    assert_no_secrets(&ns.requests());
}
