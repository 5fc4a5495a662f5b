//! No cluster, no context, no terminal.

use std::time::{Duration, Instant};

use crate::run::{Home, ended};

const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
    clusters: [{name: here, cluster: {server: 'https://127.0.0.1:1'}}]\n\
    users: [{name: me, user: {token: secret-token-of-mine}}]\n\
    contexts: [{name: here, context: {cluster: here, user: me}}]\n";

#[test]
fn no_kubeconfig() {
    let home = Home::new();
    for words in [&["audit"][..], &["diff"], &["fix", "--yes"], &["undo", "--yes"]] {
        home.run(words).refusal(&["no cluster is configured", "hint: ", "--context"]);
    }
    home.run(&["audit", "--kubeconfig", "gone"]).refusal(&["gone does not exist"]);
}

#[test]
fn a_broken_kubeconfig() {
    let home = Home::new();
    home.write("broken", "apiVersion: v1\nkind: Config\nclusters: [\n");
    home.run(&["audit", "--kubeconfig", "broken"]).refusal(&["kubeconfig broken", "line 3"]);
    let variable = ended(home.progrc(&["audit"]).env("KUBECONFIG", home.path("broken")));
    variable.refusal(&["broken", "line 3"]);
}

#[test]
fn an_unknown_context() {
    let home = Home::new();
    home.write("config", KUBECONFIG);
    home.run(&["audit", "--kubeconfig", "config", "--context", "there"]).refusal(&["\"there\" does not exist", "here"]);
    home.run(&["audit", "--kubeconfig", "config", "--user", "nobody"]).refusal(&["nobody"]);
}

#[test]
fn a_server_that_does_not_answer() {
    let home = Home::new();
    home.write(".kube/config", KUBECONFIG);
    let started = Instant::now();
    for words in
        [&["audit"][..], &["diff"], &["fix", "--yes"], &["undo", "--yes"], &["audit", "-s", "https://127.0.0.1:1"]]
    {
        let ended = home.run(words).refusal(&["https://127.0.0.1:1", "refused the connection", "hint: "]);
        assert!(!ended.stderr.contains("secret-token"), "{}", ended.stderr);
    }
    assert!(started.elapsed() < Duration::from_mins(1));
    assert!(!home.path("state").exists(), "nothing was begun");
}

#[test]
fn nobody_to_ask() {
    let home = Home::new();
    home.write(".kube/config", KUBECONFIG);
    home.run(&["fix"]).refusal(&["no terminal", "--yes", "--dry-run"]);
    home.run(&["undo"]).refusal(&["no terminal", "--yes"]);
}

#[test]
fn entries_that_are_not_there() {
    let home = Home::new();
    home.run(&["history", "01ABC"]).refusal(&["01ABC", "kubectl progrc history"]);
}
