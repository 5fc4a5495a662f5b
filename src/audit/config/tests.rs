use super::*;
use crate::audit::test_rules::RULES;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, ".progrc.yaml", RULES).map_err(|error| error.to_string())
}

const WHOLE: &str = r#"apiVersion: progrc.io/v1
kind: Config
environment: staging
complete: true        # all there is
systemNamespaces: [ingress-nginx]
ignore: [test-bare]
rules:
  test-many:
    flags: {A: "true", B: false, C: yes, D: 012, E: null}
    hosts: [a.example, 7]
    endpoint: "https://nyc3.digitaloceanspaces.com"
    count: 24
    style: b
    done: yes
    severity: low
waivers:
  - {rule: test-many, object: Deployment/progrc-dev/worker, reason: "talks", until: 2027-01-31}
  - {rule: test-many, object: Namespace/a}
  - {rule: test-many, object: Cluster/arn:aws:eks:x:1:cluster/a}
attestations:
  test-bare: {statement: "provider's managed logs", date: 2026-10-01}
"#;

#[test]
fn everything_that_a_file_can_say() {
    let config = parse(WHOLE).unwrap();
    assert_eq!(config.environment, Some(Environment::Staging));
    assert!(config.complete && config.system_namespaces.contains("ingress-nginx"));
    let ids: Vec<&str> = config.rules(RULES).iter().map(|rule| rule.id).collect();
    assert_eq!(ids, ["test-many"]);
    let parameters = serde_json::json!({
        "flags": {"A": "true", "B": "false", "C": "yes", "D": "012", "E": null},
        "hosts": ["a.example", "7"],
        "endpoint": "https://nyc3.digitaloceanspaces.com",
        "count": "24", "style": "b", "done": "yes",
    });
    assert_eq!(Value::Object(config.parameters["test-many"].clone()), parameters);
    assert_eq!(config.severities["test-many"], Severity::Low);
    let waiver = ConfigWaiver {
        rule: "test-many",
        object: "Deployment/progrc-dev/worker".into(),
        reason: "talks".into(),
        until: Some(jiff::civil::date(2027, 1, 31)),
        line: Some(17),
    };
    assert_eq!(config.waivers[0], waiver);
    assert_eq!(config.waivers[2].object, "Cluster/arn:aws:eks:x:1:cluster/a");
    assert_eq!(config.attestations["test-bare"].date, "2026-10-01");
    assert_eq!(config.settings().environment, Environment::Staging);
}

#[test]
fn a_file_that_says_nothing() {
    for text in
        ["", "# a comment\n", "apiVersion: progrc.io/v1\nkind: Config\nwaivers:\nrules:\n  test-many:\nignore:\n"]
    {
        assert_eq!(parse(text), Ok(Config::default()), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, message) in [
        ("kind: Config\nignored: []\n", "2: unknown key `ignored`; did you mean `ignore`?"),
        ("apiVersion: progrc.io/v2\n", "1: `progrc.io/v2` is not `progrc.io/v1`"),
        ("kind: Deployment\n", "1: `Deployment` is not `Config`"),
        ("environment: prod\n", "1: `prod` is not one of production, staging, dev; did you mean `production`?"),
        ("complete: yes\n", "1: invalid boolean (strict mode expects true/false)"),
        ("ignore: [test-bear]\n", "1: `test-bear` is not a rule, a category or a severity; did you mean `test-bare`?"),
        ("rules:\n  test-mny: {}\n", "2: unknown rule `test-mny`; did you mean `test-many`?"),
        ("rules:\n  qqq: {}\n", "2: unknown rule `qqq`; `kubectl progrc rules` lists them"),
        (
            "rules:\n  test-many:\n\n    stile: a\n",
            "4: unknown key `stile` of test-many; did you mean `style`? \
             (its keys: endpoint, style, count, done, confirm, hosts, flags, severity)",
        ),
        (
            "rules:\n  test-bare: {severity: hihg}\n",
            "2: test-bare.severity: `hihg` is not one of critical, high, medium, low, info; did you mean `high`?",
        ),
        ("rules:\n  test-many: {style: c}\n", "2: test-many.style: `c` is not one of a, b"),
        ("rules:\n  test-many: {count: -1}\n", "2: test-many.count: `-1` is not a whole number"),
        ("rules:\n  test-many: {count: [1]}\n", "2: test-many.count: is one text"),
        ("rules:\n  test-many:\n    hosts: a\n", "3: test-many.hosts: is a list of texts"),
        ("rules:\n  test-many:\n    flags: {A: {B: c}}\n", "3: test-many.flags: is texts by name"),
        ("rules:\n  test-many: {confirm: a/b}\n", "2: test-many.confirm: is answered with --set, for one run"),
        (
            "waivers:\n  - rule: test-mny\n    object: Deployment/a/b\n",
            "2: unknown rule `test-mny`; did you mean `test-many`?",
        ),
        (
            "waivers:\n  - rule: test-many\n    object: a/b\n",
            "3: `a/b` is not Kind/namespace/name, or Kind/name, or Cluster",
        ),
        (
            "waivers:\n  - rule: test-many\n    object: Pod/a/b\n    until: 31.1.2027\n",
            "4: `31.1.2027` is not a day of the form 2027-01-31",
        ),
        (
            "waivers:\n  - rule: test-many\n    object: Pod/a/b\n    untl: 2027-01-31\n",
            "4: unknown key `untl`; did you mean `until`?",
        ),
        ("waivers:\n  - rule: test-many\n", "2: the key `object` is missing"),
        (
            "attestations:\n  test-bare: {statement: x, date: 2026-02-30}\n",
            "2: `2026-02-30` is not a day of the form 2027-01-31",
        ),
        ("attestations:\n  test-bare: {statement: ' ', date: 2026-02-03}\n", "2: the statement is empty"),
        ("systemNamespaces: ['kube-*']\n", "1: `kube-*` is not the name of a namespace"),
        ("ignore: [a]\nignore: [b]\n", "2: the key `ignore` stands twice"),
        ("rules:\n  test-many: {style: a}\n  test-many: {style: b}\n", "3: the key `test-many` stands twice"),
    ] {
        assert_eq!(parse(text).unwrap_err(), format!(".progrc.yaml:{message}"), "{text}");
    }
}

#[test]
fn everything_wrong_is_named_at_once() {
    let error = parse("rules:\n  a: {}\nignore: [b]\n").unwrap_err();
    let lines: Vec<&str> = error.lines().map(|line| line.split("; ").next().unwrap()).collect();
    assert_eq!(
        lines,
        [".progrc.yaml:2: unknown rule `a`", ".progrc.yaml:3: `b` is not a rule, a category or a severity"]
    );
    assert!(parse("a: [").unwrap_err().starts_with(".progrc.yaml:"));
    assert!(parse("- a\n").is_err());
}

#[test]
fn a_severity_in_ignore_is_the_one_that_holds() {
    let config = parse("ignore: [low]\nrules: {test-many: {severity: low}}\n").unwrap();
    assert_eq!(config.ignored.into_iter().collect::<Vec<_>>(), ["test-many"]);
}

#[test]
fn the_schema_takes_what_the_parser_takes() {
    let schema = schema(RULES);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let value: Value = serde_saphyr::from_str(&WHOLE.replace("yes", "'yes'")).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    for wrong in [
        r#"{"a": 1}"#,
        r#"{"rules": {"x": {}}}"#,
        r#"{"rules": {"test-many": {"style": "c"}}}"#,
        r#"{"ignore": ["x"]}"#,
        r#"{"waivers": [{"rule": "x", "object": "a/b"}]}"#,
        r#"{"environment": "prod"}"#,
    ] {
        assert!(!validator.is_valid(&serde_json::from_str(wrong).unwrap()), "{wrong}");
    }
}

#[test]
fn the_configuration_of_the_example_is_read() {
    let text = include_str!("../../../examples/progrc-dev/.progrc.yaml");
    assert!(Config::parse(text, ".progrc.yaml", crate::rules::RULES).unwrap().complete);
}
