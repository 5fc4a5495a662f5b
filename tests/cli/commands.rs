//! The commands beside `audit`: what they print and how they end.

use kubectl_progrc::rules::RULES;

use crate::run::{Home, ended, example};

#[test]
fn diff_prints_unified_diffs_and_exits_1() {
    let ended = Home::new().run(&["diff", "-f", &example()]).code(1);
    ended.is_clean();
    let out = &ended.stdout;
    let has = |wanted: &str| assert!(out.lines().any(|line| line.trim() == wanted), "{wanted}: {out}");
    has("-  ALLOW_UNKNOWN_API_PATHS: \"true\"");
    has("+  ALLOW_UNKNOWN_API_PATHS: \"false\"");
    has("PodDisruptionBudget/progrc-backend-pdb (new)");
    has("+kind: PodDisruptionBudget");
    assert!(out.contains("config.yaml:"), "the file of what is patched: {out}");
}

#[test]
fn diff_knows_formats_and_batches() {
    let home = Home::new();
    let example = example();
    let report = home.run(&["diff", "-f", &example, "-o", "json"]).code(1).json();
    assert_eq!(report["kind"], "DiffReport");
    let all = report["diffs"].as_array().unwrap();
    assert!(all.iter().any(|d| d["diff"].as_str().unwrap().contains("+kind: PodDisruptionBudget")), "{report:#}");
    let safe = home.run(&["diff", "-f", &example, "-o", "json", "--yes"]).code(1).json();
    let safe = safe["diffs"].as_array().unwrap();
    assert!(!safe.is_empty() && safe.len() < all.len());
    assert!(safe.iter().all(|diff| diff["applicability"] == "safe"));
    let yaml = home.run(&["diff", "-f", &example, "-o", "yaml"]).code(1).stdout;
    assert!(yaml.contains("kind: DiffReport"), "{yaml}");
    let names = home.run(&["diff", "-f", &example, "-o", "name", "--yes"]).code(1).stdout;
    assert!(names.lines().any(|name| name == "poddisruptionbudget.policy/progrc-backend-pdb"), "{names}");
    let none = home.run(&["diff", "-f", &example, "--select", "missing-tenant-rate-limit"]).code(0);
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("", "No fix would change anything.\n"));
}

#[test]
fn fix_of_manifests_names_the_command_that_there_is() {
    let example = example();
    for words in
        [&["fix", "-f", &example][..], &["fix", "-f", &example, "--yes"], &["fix", "-f", "-"], &["fix", "-k", &example]]
    {
        Home::new().run(words).refusal(&["kubectl progrc diff -f"]);
    }
}

#[test]
fn rules_lists_each_rule_once() {
    let home = Home::new();
    let names = home.run(&["rules", "-o", "name"]).code(0).stdout;
    assert_eq!(names.lines().collect::<Vec<_>>(), RULES.iter().map(|rule| rule.id).collect::<Vec<_>>());
    let table = home.run(&["rules"]).code(0).stdout;
    assert!(table.starts_with("RULE "));
    let bare = home.run(&["rules", "--no-headers"]).code(0).stdout;
    assert_eq!(table.split_once('\n').unwrap().1, bare);
    assert_eq!(bare.lines().count(), RULES.len());
    let json = home.run(&["rules", "-o", "json"]).code(0).json();
    assert_eq!((&json["apiVersion"], &json["kind"]), (&"progrc.io/v1".into(), &"RuleList".into()));
    assert_eq!(json["rules"].as_array().unwrap().len(), RULES.len());
    let schema = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas/rule-list.json");
    let schema = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    assert!(jsonschema::is_valid(&schema, &json), "it fits its schema");
    let yaml: serde_json::Value = serde_saphyr::from_str(&home.run(&["rules", "-o", "yaml"]).code(0).stdout).unwrap();
    assert_eq!(yaml, json);
    let narrow = ended(home.progrc(&["rules"]).env("COLUMNS", "60")).code(0).stdout;
    assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
}

#[test]
fn explain_prints_a_manual() {
    for rule in RULES {
        let ended = Home::new().run(&["explain", rule.id]).code(0);
        ended.is_clean();
        for heading in ["WHAT IT DOES", "WHY IT MATTERS", "EXAMPLE", "FIX"] {
            assert!(ended.stdout.lines().any(|line| line == heading), "{}: {heading}: {}", rule.id, ended.stdout);
        }
        assert!(!ended.stdout.contains("```"), "{}: {}", rule.id, ended.stdout);
    }
}

#[test]
fn manuals_fit_a_narrow_terminal() {
    for rule in RULES {
        let out = ended(Home::new().progrc(&["explain", rule.id]).env("COLUMNS", "40")).code(0).stdout;
        assert!(out.lines().all(|line| line.chars().count() <= 40), "{out}");
    }
}

#[test]
fn every_command_that_is_printed_exists() {
    let home = Home::new();
    let example = example();
    let mut texts = Vec::new();
    let mut outputs =
        vec![home.run(&[]), home.run(&["audit", "-f", &example]), home.run(&["history"]), home.run(&["fix"])];
    outputs.extend(RULES.iter().map(|rule| home.run(&["explain", rule.id])));
    texts.extend(outputs.into_iter().map(|ended| ended.stdout + &ended.stderr));
    for text in texts {
        for words in text.split("kubectl progrc ").skip(1) {
            let word: String = words.chars().take_while(char::is_ascii_lowercase).collect();
            if !word.is_empty() {
                home.run(&[&word, "--help"]).code(0);
            }
        }
    }
}

#[test]
fn version_and_history_need_no_cluster() {
    let home = Home::new();
    let client = home.run(&["version", "--client"]).code(0);
    assert_eq!(client.stdout.lines().next(), Some(concat!("Client version: v", env!("CARGO_PKG_VERSION"))));
    assert_eq!(client.stderr, "");
    let json = home.run(&["version", "--client", "-o", "json"]).code(0).json();
    assert_eq!((json["clientVersion"].as_str(), &json["serverVersion"]), (Some(env!("CARGO_PKG_VERSION")), &().into()));
    assert_eq!(json["rules"], RULES.len());
    let without = home.run(&["version"]).code(0);
    assert!(without.stderr.starts_with("Warning: no server version"), "{}", without.stderr);

    let empty = home.run(&["history"]).code(0);
    assert_eq!((empty.stdout.as_str(), empty.stderr.as_str()), ("", "No changes in the journal.\n"));
    assert_eq!(home.run(&["history", "-o", "json"]).code(0).json(), serde_json::json!([]));
    assert_eq!(home.run(&["history", "-o", "name"]).code(0).stdout, "");
}

#[test]
fn the_bare_program_prints_help() {
    let home = Home::new();
    let bare = home.run(&[]).code(0);
    assert_eq!(bare.stdout, home.run(&["-h"]).code(0).stdout);
    assert!(bare.stdout.contains("Usage: kubectl progrc"), "{}", bare.stdout);
    assert!(!bare.stdout.contains("__"), "hidden commands stay hidden: {}", bare.stdout);
    for command in
        ["audit", "diff", "fix", "undo", "history", "rules", "explain", "init", "rbac", "completion", "version"]
    {
        let help = home.run(&[command, "--help"]).code(0);
        assert!(help.stdout.contains(&format!("Usage: kubectl progrc {command}")), "{}", help.stdout);
        assert_eq!(help.stderr, "");
    }
    assert!(!home.path("state").exists(), "nothing is written");
}

#[test]
fn quiet_leaves_data_and_errors() {
    let home = Home::new();
    assert_eq!(home.run(&["-q", "history"]).code(0).stderr, "");
    home.run(&["-q", "explain", "nothing"]).refusal(&["nothing"]);
}
