//! Credentials on the real server: none comes out again, neither printed nor journaled.

use std::path::Path;

use rexpect::ReadUntil;
use serde_json::json;

use crate::harness::{ControlPlane, Finished, TestNamespace};
use crate::prompts::{QUESTION, Talk};
use crate::scene::{assert_no_secrets, history, writes};

const SECRETS: &str = include_str!("../planted/secrets.yaml");

/// No planted credential stands in a text.
#[track_caller]
fn assert_kept(what: &str, text: &str) {
    // The second is how a Secret encodes the first.
    let marks = ["planted-", "cGxhbnRlZC"];
    let lines: Vec<&str> = text.lines().filter(|line| marks.iter().any(|mark| line.contains(mark))).collect();
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

/// A plan file that somebody has changed: the refusal names what, and shows nothing else.
fn edited(ns: &TestNamespace, plan: &str) -> Finished {
    std::fs::write(ns.home().join("edited.yaml"), plan.replacen("\"true\"", "\"maybe\"", 1)).unwrap();
    let refused = ns.progrc(&["apply", "edited.yaml", "-v", "--yes"]).run();
    assert_ne!(refused.code, Some(0), "{refused:?}");
    refused
}

/// Every question of `fix`, with the requests shown, and nothing said yes to.
fn prompts_are_silent(ns: &TestNamespace) {
    let rules = "--select=insecure-flag,insecure-security-context,missing-pdb,missing-ingress-policy";
    let mut talk = Talk::start(ns, &["fix", "-v", rules]);
    let (mut said, mut shown) = (String::new(), 0);
    loop {
        let question = ReadUntil::String(QUESTION.to_owned());
        let (before, found) = talk.0.exp_any(vec![question, ReadUntil::EOF]).unwrap();
        said += &before;
        if found.is_empty() {
            break;
        }
        // First the requests, then no.
        talk.say(if shown % 2 == 0 { "s" } else { "n" });
        shown += 1;
    }
    assert!(shown > 6, "{shown}: {said}");
    assert_kept("the prompt", &said);
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
    for format in ["kustomize", "manifest", "kubectl"] {
        assert_silent(format, &with(&["emit", "-v", "--format", format]));
    }
    assert_silent("plan", &with(&["plan", "-v", "--out", "plan.yaml"]));
    let plan = std::fs::read_to_string(ns.home().join("plan.yaml")).unwrap();
    assert!(plan.contains("insecure-flag"), "{plan}");
    assert_kept("the plan", &plan);
    assert_silent("apply", &run(&["apply", "plan.yaml", "-v", "--dry-run=server"]));
    assert_silent("a plan of another cluster", &edited(&ns, &plan));
    prompts_are_silent(&ns);
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
    assert_silent("recover", &run(&["recover", "-v", "--yes"]));
    // What somebody put there since stands in three columns, unless it may not be shown.
    ns.patch("v1/configmaps/settings", &json!({"data": {"ALLOW_EMPTY_PERMISSIONS": "planted-by-hand"}}));
    let refused = run(&["undo", "-v", "--yes", "--dry-run=server"]);
    assert!(!refused.stdout.contains("planted-map") && !refused.stderr.contains("planted-map"), "{refused:?}");
    ns.patch("v1/configmaps/settings", &json!({"data": {"ALLOW_EMPTY_PERMISSIONS": "false"}}));
    assert_silent("undo", &run(&["undo", "-v", "--dry-run=server"]));
    assert_silent("undo", &run(&["undo", "-v", "--yes", "-o", "json"]));
    let journal = files(&ns.home().join("state"));
    assert!(!journal.is_empty());
    for text in journal {
        assert_kept("the journal", &text);
    }
    assert_no_secrets(&ns.requests());
}
