//! `init` and `rbac` without a cluster: files and manifests to start from.

use serde_json::Value;

use crate::run::{Home, example};

#[test]
fn init_writes_a_configuration_that_an_audit_reads() {
    let home = Home::new();
    let example = example();
    let made = home.run(&["init", "-f", &example, "--complete"]).code(0);
    assert_eq!(made.stdout, "");
    assert!(made.stderr.starts_with("Wrote .progrc.yaml."), "{}", made.stderr);
    let next = made.stderr.lines().last().unwrap();
    // The example has a configuration of its own, which would be found first.
    let words = format!("Next: kubectl progrc audit -f {example} --complete --config .progrc.yaml");
    assert_eq!(next, words);

    let words: Vec<&str> = next.trim_start_matches("Next: kubectl progrc ").split(' ').collect();
    let audit = home.run(&[&words[..], &["-o", "json"]].concat()).code(1);
    assert_eq!(audit.stderr, "", "it parses and says nothing that is wrong");
    let audit = audit.json();
    assert_eq!(audit["metadata"]["environment"], "production");
    assert!(audit["findings"].as_array().unwrap().len() > 10);
    let text = std::fs::read_to_string(home.path(".progrc.yaml")).unwrap();
    assert!(text.contains("# found: ALLOW_EMPTY_PERMISSIONS in ConfigMap/progrc-dev/progrc-config"), "{text}");
    assert!(text.contains("  dev-storage-endpoint:\n"), "{text}");
}

#[test]
fn the_written_file_is_found_where_no_other_is() {
    let home = Home::new();
    home.write("k8s/web.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n");
    let made = home.run(&["init", "-f", "k8s"]).code(0);
    assert!(made.stderr.ends_with("Next: kubectl progrc audit -f k8s\n"), "{}", made.stderr);
    let verbose = home.run(&["audit", "-v", "-f", "k8s"]);
    assert!(verbose.stderr.contains("Configuration .progrc.yaml"), "{}", verbose.stderr);
}

#[test]
fn init_replaces_a_file_only_if_told() {
    let home = Home::new();
    home.write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n");
    // What stands there need not be right: it is not read.
    home.write(".progrc.yaml", "mine: [\n");
    home.run(&["init", "-f", "a.yaml"]).refusal(&[".progrc.yaml", "--force"]);
    assert_eq!(std::fs::read_to_string(home.path(".progrc.yaml")).unwrap(), "mine: [\n");
    home.run(&["init", "-f", "a.yaml", "--out", "none/there.yaml"]).refusal(&["none/there.yaml"]);
    let printed = home.run(&["init", "-f", "a.yaml", "--out", "-"]).code(0);
    assert!(printed.stdout.starts_with("# Configuration of kubectl progrc."), "{}", printed.stdout);
    assert_eq!(printed.stderr, "");
    home.run(&["init", "-f", "a.yaml", "--force"]).code(0);
    assert_eq!(std::fs::read_to_string(home.path(".progrc.yaml")).unwrap(), printed.stdout);
}

/// The documents of a stream of YAML.
fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

#[test]
fn rbac_prints_roles_without_secrets() {
    let home = Home::new();
    let audit = home.run(&["rbac", "audit", "--for", "user:alice", "--for", "serviceaccount:ci:auditor"]).code(0);
    assert_eq!(audit.stderr, "");
    let roles = documents(&audit.stdout);
    let kinds: Vec<&Value> = roles.iter().map(|role| &role["kind"]).collect();
    assert_eq!(kinds, ["ClusterRole", "ClusterRoleBinding"]);
    assert_eq!(
        roles[1]["subjects"][1],
        serde_json::json!({"kind": "ServiceAccount", "namespace": "ci", "name": "auditor"})
    );
    let verbs = |role: &Value| -> Vec<String> {
        let held = role["rules"].as_array().unwrap().iter();
        held.flat_map(|rule| rule["verbs"].as_array().unwrap()).map(|verb| verb.as_str().unwrap().to_owned()).collect()
    };
    assert!(verbs(&roles[0]).iter().all(|verb| verb == "list" || verb == "get"), "{}", audit.stdout);

    let fix = home.run(&["rbac", "fix", "-n", "shop"]).code(0);
    assert!(fix.stderr.contains("--for user:NAME"), "nobody is bound: {}", fix.stderr);
    let roles = documents(&fix.stdout);
    assert_eq!(roles.iter().map(|role| &role["kind"]).collect::<Vec<_>>(), ["Role", "ClusterRole"]);
    assert!(verbs(&roles[0]).contains(&"patch".to_owned()));
    assert!(verbs(&roles[1]).iter().all(|verb| verb == "list" || verb == "get"), "nothing is written outside");
    for text in [&audit.stdout, &fix.stdout] {
        let body: String = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(!body.contains("secret") && !body.contains('*'), "{text}");
    }
    home.run(&["rbac", "audit", "--for", "alice"]).refusal(&["alice", "user:NAME"]);
    home.run(&["rbac", "undo"]).refusal(&["undo", "audit, fix"]);
}
