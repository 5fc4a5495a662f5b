//! Colour, width, pipes.

use std::io::Read as _;
use std::process::Stdio;

use crate::run::{Ended, Home, ended, example};

/// Output of `audit -f` of the example with these variables and words.
fn audit(variables: &[(&str, &str)], words: &[&str]) -> Ended {
    let example = example();
    let home = Home::new();
    let all: Vec<&str> = ["audit", "-f", &example].iter().chain(words).copied().collect();
    ended(home.progrc(&all).envs(variables.iter().copied())).code(1)
}

const ESCAPE: char = '\u{1b}';

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let coloured = |variables: &[(&str, &str)], words: &[&str]| audit(variables, words).stdout.contains(ESCAPE);
    assert!(!coloured(&[("TERM", "xterm")], &[]), "a pipe gets none");
    assert!(coloured(&[("CLICOLOR_FORCE", "1")], &[]));
    assert!(coloured(&[], &["--color", "always"]));
    assert!(coloured(&[("NO_COLOR", "1")], &["--color=always"]), "the flag wins");
    assert!(!coloured(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], &[]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1")], &["--color", "never"]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "0")], &[]));
}

#[test]
fn colour_says_nothing_that_words_do_not() {
    let coloured = audit(&[], &["--color", "always"]).stdout;
    let plain = strip(&coloured);
    let seconds = |text: &str| text.lines().skip(1).map(|line| line.to_owned() + "\n").collect::<String>();
    assert_eq!(seconds(&plain), seconds(&audit(&[], &[]).stdout));
}

/// A text without its colours.
fn strip(text: &str) -> String {
    let mut parts = text.split(ESCAPE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').expect("an escape is a colour").1)
}

#[test]
fn machine_output_has_no_colour_whoever_asks() {
    for format in ["json", "yaml", "name"] {
        let ended = audit(&[], &["--color", "always", "-o", format]);
        assert!(!ended.stdout.contains(ESCAPE), "{format}");
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for columns in [40, 60, 80, 100] {
        for words in [&["-o", "table"][..], &["-o", "wide"], &["-o", "actions"], &["--explain-score"]] {
            let ended = audit(&[("COLUMNS", &columns.to_string())], words);
            for line in ended.stdout.lines() {
                let width = line.chars().count();
                // A word longer than the terminal stands alone on its line.
                assert!(width <= columns || !line.trim().contains(' '), "{columns} {words:?}: {width}: {line}");
            }
        }
    }
}

#[test]
fn a_closed_pipe_is_no_panic() {
    for words in [&["-o", "wide"][..], &["-o", "json"], &["--help"]] {
        let home = Home::new();
        let example = example();
        let all: Vec<&str> = ["audit", "-f", &example].iter().chain(words).copied().collect();
        let mut child =
            home.progrc(&all).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 1];
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut first).unwrap();
        drop(out);
        let said = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stderr), "");
        assert!(matches!(said.status.code(), Some(0 | 1)), "{:?}", said.status);
    }
}

#[test]
fn what_a_manifest_says_never_drives_a_terminal() {
    let home = Home::new();
    let name = "a".repeat(253);
    // An escape sequence, a bell, a carriage return, a right-to-left override and a C1 control.
    let nasty = r"true\e[31m\a\r\u202e\u009b2J";
    home.write(
        "nasty.yaml",
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\n\
             data:\n  ALLOW_UNKNOWN_API_PATHS: \"{nasty}\"\n  AWS_S3_ENDPOINT: \"http://localstack:4566/{nasty}\"\n"
        ),
    );
    for words in [
        &["audit", "-o", "table"][..],
        &["audit", "-o", "wide"],
        &["audit", "-o", "actions"],
        &["audit", "-o", "name"],
        &["audit", "-o", "json"],
        &["audit", "-o", "yaml"],
        &["diff"],
        &["diff", "-o", "json"],
        &["diff", "-o", "yaml"],
    ] {
        let all: Vec<&str> = words.iter().copied().chain(["-f", "nasty.yaml"]).collect();
        let ended = home.run(&all);
        ended.is_clean();
        assert!(!ended.stdout.contains('\u{202e}'), "{words:?}: {}", ended.stdout);
        assert!(matches!(ended.code, Some(0 | 1)), "{words:?} {ended:?}");
    }
    let wide = home.run(&["audit", "-f", "nasty.yaml", "-o", "wide"]).stdout;
    assert!(wide.contains(&name), "the whole name: {wide}");
}
