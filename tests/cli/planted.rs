//! What must not come out: credentials, and whatever drives a terminal or forges a line.

use std::path::Path;

use serde_json::Value;

use crate::run::{Ended, Home};

/// Every output that a command line without a cluster can have.
const OUTPUTS: [&[&str]; 17] = [
    &["audit", "-o", "table"],
    &["audit", "-o", "wide"],
    &["audit", "-o", "actions"],
    &["audit", "-o", "name"],
    &["audit", "-o", "json"],
    &["audit", "-o", "yaml"],
    &["audit", "--explain-score", "-v"],
    &["audit", "--color", "always", "-o", "wide", "--complete", "-v"],
    &["diff"],
    &["diff", "-v", "--complete"],
    &["diff", "-o", "json"],
    &["diff", "-o", "yaml"],
    &["diff", "-o", "name"],
    &["emit", "-v", "--format", "kustomize"],
    &["emit", "-v", "--format", "manifest"],
    &["emit", "-v", "--complete", "--format", "manifest", "missing-db-backup", "insecure-flag", "missing-pdb"],
    &["init", "--out", "-", "-v"],
];

/// Answers that make fixes which ask show what they would write.
const ANSWERS: [&str; 6] = [
    "--set=dev-storage-endpoint.endpoint=https://nyc3.digitaloceanspaces.com",
    "--set=dev-storage-endpoint.region=nyc3",
    "--set=missing-readiness-probe.path=/health",
    "--set=single-replica.replicas=2",
    "--set=missing-resource-requests.cpu=100m",
    "--set=missing-resource-requests.memory=128Mi",
];

fn planted(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/planted").join(name).to_str().unwrap().to_owned()
}

/// Runs a command on a planted file, with answers where it takes them.
fn run(home: &Home, words: &[&str], file: &str) -> Ended {
    let file = planted(file);
    let answers: &[&str] = if words[0] == "init" { &[] } else { &ANSWERS };
    let ended = home.run(&[words, &["-f", &file, "-n", "shop"], answers].concat());
    assert!(matches!(ended.code, Some(0 | 1)), "{words:?} {ended:?}");
    ended
}

/// How every planted credential begins, and the same as a Secret encodes it.
const MARKS: [&str; 2] = ["planted-", "cGxhbnRlZC"];

/// No planted credential stands in a text.
#[track_caller]
fn assert_kept(what: &str, text: &str) {
    let places = MARKS.iter().flat_map(|mark| text.match_indices(mark));
    let places: Vec<String> = places.map(|(at, _)| text[at..].chars().take(40).collect()).collect();
    assert!(places.is_empty(), "{what} shows {places:?}");
}

#[test]
fn credentials_stay_where_they_are() {
    let home = Home::new();
    let mut leaks = Vec::new();
    for words in OUTPUTS {
        let ended = run(&home, words, "secrets.yaml");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        for line in said.lines().filter(|line| MARKS.iter().any(|mark| line.contains(mark))) {
            leaks.push(format!("{}: {line}", words.join(" ")));
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    home.run(&["audit", "-f", &planted("secrets.yaml"), "-n", "shop", "--write-baseline", "known.yaml"]).code(1);
    assert_kept("the baseline", &std::fs::read_to_string(home.path("known.yaml")).unwrap());
}

#[test]
fn the_planted_file_is_worth_its_name() {
    // Every rule that reads or writes around a credential has something to say here.
    let home = Home::new();
    let report = run(&home, &["audit", "-o", "json"], "secrets.yaml").json();
    let found = |rule: &str| report["findings"].as_array().unwrap().iter().any(|finding| finding["rule"] == rule);
    for rule in [
        "dev-storage-endpoint",
        "insecure-flag",
        "plaintext-credential",
        "unbounded-db-pool",
        "insecure-security-context",
        "missing-ingress-policy",
        "replicas-below-hpa-min",
    ] {
        assert!(found(rule), "{rule}");
    }
    let diff = run(&home, &["diff", "--select", "insecure-flag,insecure-security-context"], "secrets.yaml");
    assert!(diff.stdout.contains("<masked>"), "{}", diff.stdout);
}

#[test]
fn errors_quote_no_line_of_a_manifest() {
    let home = Home::new();
    for text in [
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  DB_PASSWORD: [planted-broken\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  DB_PASSWORD: planted-twice\n  DB_PASSWORD: planted-again\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: planted-wrong-type\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: [planted-list]\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: planted-number}\n",
        "{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"metadata\": {\"name\": \"a\"}, \"data\": {\"x\": \"planted-json\" }\n",
    ] {
        home.write("broken.yaml", text);
        for words in [&["audit", "-v"][..], &["diff", "-v"], &["init", "--out", "-"]] {
            let ended = home.run(&[words, &["-f", "broken.yaml"]].concat());
            assert_kept(text, &format!("{}{}", ended.stdout, ended.stderr));
        }
    }
}

/// A text without the colours that were asked for.
fn plain(text: &str) -> String {
    let colour = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    colour.replace_all(text, "").into_owned()
}

#[test]
fn names_and_values_forge_nothing() {
    let home = Home::new();
    for words in OUTPUTS {
        let ended = run(&home, words, "forged.yaml");
        for (text, stream) in [(&ended.stdout, "stdout"), (&ended.stderr, "stderr")] {
            let text = plain(text);
            let drives = |c: char| {
                c.is_control() && c != '\n'
                    || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            let at = text.find(drives);
            assert!(
                at.is_none(),
                "{words:?} {stream}: {:?}",
                at.map(|at| text[at..].chars().take(60).collect::<String>())
            );
            // A forged line begins where the text of an object ends one.
            for forged in ["NEXT: rm", "CRITICAL forged-rule", "OVERALL 10.0", "FORGED"] {
                let line = text.lines().find(|line| line.trim_start().starts_with(forged));
                assert!(line.is_none(), "{words:?} {stream}: {line:?}");
            }
        }
    }
}

#[test]
fn machine_output_holds_the_names_as_they_are() {
    let home = Home::new();
    let report = run(&home, &["audit", "-o", "json"], "forged.yaml").json();
    let yaml: Value = serde_saphyr::from_str(&run(&home, &["audit", "-o", "yaml"], "forged.yaml").stdout).unwrap();
    assert_eq!(yaml["findings"], report["findings"]);
    let findings = report["findings"].as_array().unwrap();
    let name = "map\u{1b}[31m\nCRITICAL forged-rule";
    assert!(findings.iter().any(|finding| finding["object"]["name"] == name), "{report:#}");
    for line in run(&home, &["audit", "-o", "name"], "forged.yaml").stdout.lines() {
        assert!(line.contains('/'), "one object a line: {line:?}");
    }
}
