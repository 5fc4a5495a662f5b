//! `audit -f`: the exit code, every format, every flag that narrows or answers.

use std::path::Path;

use serde_json::Value;

use crate::run::{Ended, Home, ended_with, example};

/// `audit -f` of the example, with more words.
pub(crate) fn audit(words: &[&str]) -> Ended {
    let example = example();
    let all: Vec<&str> = ["audit", "-f", &example].iter().chain(words).copied().collect();
    Home::new().run(&all)
}

/// The rules of a report's findings, each once.
fn rules(report: &Value) -> Vec<String> {
    let mut rules: Vec<String> =
        report["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap().to_owned()).collect();
    rules.dedup();
    rules
}

#[test]
fn findings_exit_1_unless_they_may_stay() {
    let ended = audit(&[]).code(1);
    assert_eq!(ended.stderr, "");
    ended.is_clean();
    audit(&["--fail-on", "never"]).code(0);
    audit(&["--fail-on", "critical", "--select", "missing-pdb"]).code(0);
    audit(&["--fail-on", "high", "--select", "missing-pdb"]).code(1);
    audit(&["--select", "missing-default-deny"]).code(0);
}

#[test]
fn json_fits_its_schema_and_yaml_says_the_same() {
    let report = audit(&["-o", "json"]).code(1).json();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas/audit-report.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert_eq!((&report["kind"], &report["apiVersion"]), (&"AuditReport".into(), &"progrc.io/v1".into()));

    let yaml = audit(&["-o", "yaml"]).code(1).stdout;
    let yaml: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(yaml["findings"], report["findings"]);
    assert_eq!(yaml["score"], report["score"]);
}

#[test]
fn every_place_names_a_line_that_is_there() {
    let report = audit(&["-o", "json"]).code(1).json();
    let mut places = 0;
    for location in report["findings"].as_array().unwrap().iter().flat_map(|f| f["locations"].as_array().unwrap()) {
        let lines = std::fs::read_to_string(location["file"].as_str().unwrap()).unwrap().lines().count();
        let line = usize::try_from(location["line"].as_u64().unwrap()).unwrap();
        assert!((1..=lines).contains(&line), "{location}");
        places += 1;
    }
    assert!(places > 10);
}

#[test]
fn names_stand_each_once() {
    let names = audit(&["-o", "name"]).code(1).stdout;
    let mut lines: Vec<&str> = names.lines().collect();
    assert!(lines.contains(&"deployment.apps/progrc-backend") && lines.contains(&"configmap/progrc-config"), "{names}");
    let all = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), all, "{names}");
}

#[test]
fn wide_leaves_nothing_out_and_actions_are_in_order() {
    let wide = audit(&["-o", "wide"]).code(1).stdout;
    assert!(!wide.contains("more fact") && wide.len() > audit(&[]).stdout.len(), "{wide}");
    let actions = audit(&["-o", "actions"]).code(1).stdout;
    let place = |heading: &str| actions.find(heading).unwrap_or_else(|| panic!("{heading}: {actions}"));
    assert!(place("IMMEDIATE") < place("SHORT TERM") && place("SHORT TERM") < place("LONG TERM"));
    let score = audit(&["--explain-score"]).code(1).stdout;
    assert!(score.len() > audit(&[]).stdout.len());
}

#[test]
fn select_and_ignore_narrow_findings_and_never_the_score() {
    let all = audit(&["-o", "json"]).json();
    let one = audit(&["-o", "json", "--select", "missing-pdb"]).code(1).json();
    assert_eq!(rules(&one), ["missing-pdb"]);
    assert_eq!(one["score"], all["score"]);
    let rest = audit(&["-o", "json", "--ignore", "missing-pdb,critical"]).code(1).json();
    assert!(!rules(&rest).contains(&"missing-pdb".to_owned()));
    assert!(rest["findings"].as_array().unwrap().iter().all(|finding| finding["severity"] != "critical"));
    assert_eq!(rest["score"], all["score"]);
    let category = audit(&["-o", "json", "--select", "high-availability"]).json();
    assert!(category["findings"].as_array().unwrap().iter().all(|f| f["category"] == "high-availability"));
}

#[test]
fn labels_and_namespaces_narrow() {
    let home = Home::new();
    let workload = |name: &str, namespace: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: {namespace}, \
             labels: {{app: {name}}}}}\nspec:\n  replicas: 3\n  selector: {{matchLabels: {{app: {name}}}}}\n  \
             template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      \
             containers: [{{name: main, image: x}}]\n"
        )
    };
    home.write("all.yaml", [workload("web", "shop"), workload("db", "back")].join("---\n"));
    let objects = |words: &[&str]| {
        let words: Vec<&str> =
            ["audit", "-f", "all.yaml", "-o", "name", "--select", "missing-pdb"].iter().chain(words).copied().collect();
        home.run(&words).code(1).stdout
    };
    assert_eq!(objects(&[]), "deployment.apps/db\ndeployment.apps/web\n");
    assert_eq!(objects(&["-l", "app=web"]), "deployment.apps/web\n");
    assert_eq!(objects(&["-l", "app!=web"]), "deployment.apps/db\n");
    assert_eq!(objects(&["-n", "back"]), "deployment.apps/db\n");
    assert_eq!(objects(&["-n", "back", "-A"]), "deployment.apps/db\ndeployment.apps/web\n", "-A wins");
}

#[test]
fn the_environment_moves_findings() {
    let dev = audit(&["-o", "json", "--env", "dev"]).json();
    assert_eq!(dev["metadata"]["environment"], "dev");
    assert!(!rules(&dev).contains(&"dev-storage-endpoint".to_owned()), "development services are at home there");
    assert!(rules(&audit(&["-o", "json"]).json()).contains(&"dev-storage-endpoint".to_owned()));
}

#[test]
fn complete_manifests_are_all_there_is() {
    let home = Home::new();
    home.write(
        "ingress.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web, namespace: shop}\nspec:\n  \
         rules:\n  - host: shop.example.com\n    http:\n      paths:\n      - path: /\n        pathType: Prefix\n        \
         backend: {service: {name: web, port: {number: 80}}}\n",
    );
    let report = |words: &[&str]| {
        let words: Vec<&str> = ["audit", "-f", "ingress.yaml", "-o", "json"].iter().chain(words).copied().collect();
        home.run(&words).json()
    };
    assert!(!rules(&report(&[])).contains(&"broken-ingress-route".to_owned()));
    let complete = report(&["--complete"]);
    assert!(rules(&complete).contains(&"broken-ingress-route".to_owned()), "{complete:#}");
    assert_eq!(complete["metadata"]["source"]["complete"], true);
}

#[test]
fn an_answer_changes_the_fix() {
    let manifest = |words: &[&str]| {
        let words: Vec<&str> = ["-o", "json", "--select", "missing-pdb"].iter().chain(words).copied().collect();
        audit(&words).json()["findings"][0]["fixes"][0]["steps"][0]["manifest"]["spec"].clone()
    };
    assert!(manifest(&[]).get("maxUnavailable").is_some());
    assert!(manifest(&["--set", "missing-pdb.style=minAvailable"]).get("minAvailable").is_some());
    let one = "missing-pdb[Deployment/progrc-dev/progrc-frontend].style=minAvailable";
    assert!(manifest(&["--set", one]).get("maxUnavailable").is_some(), "the other Deployment keeps its default");
}

#[test]
fn standard_input_and_kustomizations_are_manifests_too() {
    let home = Home::new();
    let text = std::fs::read_to_string(Path::new(&example()).join("backend.yaml")).unwrap();
    let piped = ended_with(&mut home.progrc(&["audit", "-f", "-", "-o", "name"]), &text).code(1);
    assert!(piped.stdout.contains("deployment.apps/progrc-backend"), "{}", piped.stdout);

    let built = home.run(&["audit", "-k", &example(), "--complete", "-o", "json"]).code(1).json();
    assert_eq!(rules(&built), rules(&audit(&["-o", "json"]).json()));
    home.run(&["audit", "-k", "none"]).refusal(&["none"]);
    home.run(&["audit", "-k", &example(), "-f", "x"]).refusal(&["--kustomize", "--filename"]);
}

#[test]
fn the_order_of_files_changes_nothing() {
    let report = |prefix: &dyn Fn(usize) -> usize| {
        let home = Home::new();
        let mut files: Vec<_> = std::fs::read_dir(example()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for (index, file) in files.iter().enumerate() {
            home.write(&format!("in/{:02}.yaml", prefix(index)), std::fs::read(file).unwrap());
        }
        let mut report = home.run(&["audit", "-f", "in", "-o", "json"]).code(1).json();
        report["metadata"]["generatedAt"].take();
        report["metadata"]["elapsedSeconds"].take();
        // The names of the files, and nothing else, may differ.
        for finding in report["findings"].as_array_mut().unwrap() {
            finding["locations"].as_array_mut().unwrap().iter_mut().for_each(|l| drop(l["file"].take()));
        }
        report.to_string()
    };
    assert_eq!(report(&|index| index), report(&|index| 50 - index));
}

#[test]
fn a_baseline_holds_what_is_known() {
    let home = Home::new();
    let example = example();
    home.run(&["audit", "-f", &example, "--write-baseline", "known.yaml"]).code(1);
    let again = home.run(&["audit", "-f", &example, "--baseline", "known.yaml"]).code(0);
    assert!(again.stderr.contains("in the baseline"), "{}", again.stderr);
}

#[test]
fn the_configuration_is_found_beside_the_manifests() {
    let home = Home::new();
    home.write("in/web.yaml", std::fs::read(Path::new(&example()).join("backend.yaml")).unwrap());
    home.write(
        "in/.progrc.yaml",
        "apiVersion: progrc.io/v1\nkind: Config\nenvironment: staging\nignore: [missing-pdb]\n",
    );
    let report = home.run(&["audit", "-f", "in", "-o", "json"]).json();
    assert_eq!(report["metadata"]["environment"], "staging");
    assert!(!rules(&report).contains(&"missing-pdb".to_owned()));
}

#[test]
fn a_table_tells_the_details_of_what_it_shows_whatever_is_waived_or_selected() {
    let deployment = |number: usize| {
        let waiver = if number == 0 { ", annotations: {progrc.io/ignore: missing-pdb}" } else { "" };
        let group = if number < 2 { "first" } else { "second" };
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web-{number}, namespace: shop, labels: {{group: {group}}}{waiver}}}\n\
             spec: {{replicas: 3, selector: {{matchLabels: {{app: web-{number}}}}}, template: {{metadata: {{labels: {{app: \
             web-{number}}}}}, spec: {{containers: [{{name: web, image: web:1}}]}}}}}}\n---\n"
        )
    };
    let home = Home::new();
    let file = home.write("web.yaml", (0..8).map(deployment).collect::<String>());
    let table = |words: &[&str]| {
        let all = [&["audit", "--select", "missing-pdb", "--fail-on", "never", "-f", file.to_str().unwrap()], words];
        home.run(&all.concat()).code(0).stdout
    };
    let waived = table(&[]);
    assert!(waived.contains("safe fix: create PodDisruptionBudget/web-1-pdb\n  and 6 more"), "{waived}");
    let selected = table(&["-l", "group=second"]);
    assert!(selected.contains("safe fix: create PodDisruptionBudget/web-2-pdb\n  and 5 more"), "{selected}");
}
