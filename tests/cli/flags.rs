//! Words that mean nothing: each is refused before any work, with the nearest that does.

use crate::run::{Home, example};

/// Runs a command on the example and expects a refusal with these words.
#[track_caller]
fn refused(words: &[&str], said: &[&str]) {
    let example = example();
    let all: Vec<&str> = words.iter().map(|word| if *word == "EXAMPLE" { example.as_str() } else { word }).collect();
    Home::new().run(&all).refusal(said);
}

#[test]
fn unknown_commands_flags_and_formats() {
    refused(&["frobnicate"], &["frobnicate"]);
    refused(&["audti"], &["audti", "audit"]);
    refused(&["audit", "--frobnicate"], &["--frobnicate"]);
    refused(&["audit", "--selekt", "x"], &["--selekt", "--select"]);
    refused(&["audit", "-f", "EXAMPLE", "-o", "tabel"], &["tabel", "table", "json"]);
    refused(&["diff", "-f", "EXAMPLE", "-o", "table"], &["table", "json, yaml, name"]);
    refused(&["audit", "--fail-on", "info"], &["info", "critical"]);
    refused(&["audit", "--env", "prod"], &["prod", "production"]);
    refused(&["audit", "--settle", "soon"], &["soon", "30s"]);
    refused(&["audit", "--color", "blue"], &["blue", "always"]);
    refused(&["audit", "--allow-managed", "hlem"], &["hlem", "helm"]);
    refused(&["explain"], &["RULE"]);
}

#[test]
fn unknown_rules() {
    refused(&["audit", "-f", "EXAMPLE", "--select", "missing-pdbb"], &["missing-pdbb", "did you mean `missing-pdb`?"]);
    refused(&["audit", "-f", "EXAMPLE", "--ignore", "securty"], &["securty", "did you mean `security`?"]);
    refused(&["diff", "-f", "EXAMPLE", "--select", "zzz"], &["zzz"]);
    refused(&["explain", "missing-pdbb"], &["missing-pdbb", "did you mean `missing-pdb`?", "kubectl progrc rules"]);
}

#[test]
fn unknown_answers() {
    let set = |text: &str, said: &[&str]| refused(&["audit", "-f", "EXAMPLE", "--set", text], said);
    set("missing-pdbb.style=minAvailable", &["missing-pdbb", "did you mean `missing-pdb`?"]);
    set("missing-pdb.stile=minAvailable", &["stile", "did you mean `style`?"]);
    set("missing-pdb.style=most", &["missing-pdb.style", "most", "maxUnavailable", "minAvailable"]);
    set("missing-readiness-probe.path=no slash", &["missing-readiness-probe.path", "no slash"]);
    set("nonsense", &["nonsense", "RULE.KEY=VALUE"]);
    set("missing-pdb[Deployment.style=x", &["missing-pdb[Deployment.style=x"]);
    set("", &["RULE.KEY=VALUE"]);
}

#[test]
fn selectors_that_are_none() {
    for selector in ["=!!", "app in (a", "app in a", "a b", "app=b=c", "-x=1"] {
        refused(&["audit", "-f", "EXAMPLE", &format!("--selector={selector}")], &[selector, "label selector"]);
    }
}

#[test]
fn what_was_typed_can_not_drive_the_terminal() {
    for words in [
        &["explain", "\u{1b}[31mred\u{7}"][..],
        &["audit", "-f", "EXAMPLE", "--select", "\u{1b}[31mred"],
        &["audit", "-f", "EXAMPLE", "--set", "\u{1b}[31m.a=b"],
        &["audit", "-f", "EXAMPLE", "-l", "\u{1b}[31m"],
        &["audit", "-f", "\u{1b}[31mfile.yaml"],
        &["audit", "-f", "EXAMPLE", "-o", "\u{1b}[31m"],
        &["history", "\u{1b}[31m"],
        &["\u{1b}[31m"],
    ] {
        refused(words, &[]);
    }
}

#[test]
fn configuration_files() {
    let home = Home::new();
    let example = example();
    let with = |text: &str| {
        home.write("conf.yaml", text);
        home.run(&["audit", "-f", &example, "--config", "conf.yaml"])
    };
    let head = "apiVersion: progrc.io/v1\nkind: Config\n";
    with(&format!("{head}enviroment: dev\n")).refusal(&["conf.yaml:3", "enviroment", "did you mean `environment`?"]);
    with(&format!("{head}rules:\n  missing-pdbb: {{style: x}}\n"))
        .refusal(&["missing-pdbb", "did you mean `missing-pdb`?"]);
    with(&format!("{head}rules:\n  missing-pdb: {{stile: x}}\n")).refusal(&["stile", "did you mean `style`?"]);
    with(&format!("{head}ignore: [nothing]\n")).refusal(&["conf.yaml:3", "nothing"]);
    with(&format!("{head}environment: [\n")).refusal(&["conf.yaml"]);
    home.run(&["audit", "-f", &example, "--config", "gone.yaml"]).refusal(&["gone.yaml"]);
    home.run(&["audit", "-f", &example, "--baseline", "gone.yaml"]).refusal(&["gone.yaml"]);
}
