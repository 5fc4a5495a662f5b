use serde_json::json;

use super::*;
use crate::plan::patch::{add, replace, test};

fn operation(operation: &json_patch::PatchOperation) -> Operation {
    serde_json::from_value(serde_json::to_value(operation).unwrap()).unwrap()
}

fn object() -> Object {
    let object = ObjectRef::new("v1", "ConfigMap", Some("a"), "config");
    Object { uid: Some("u".into()), ..(&object).into() }
}

fn patch(operations: &[json_patch::PatchOperation]) -> Step {
    let patch = operations.iter().map(operation).collect();
    Step::Patch { object: object(), subresource: None, patch, texts: Vec::new() }
}

fn planned(steps: Vec<Step>) -> Planned {
    let mut planned = Planned {
        rule: "insecure-flag".into(),
        severity: Severity::High,
        object: object(),
        message: "FLAG is \"true\"".into(),
        fingerprint: "sha256:0".into(),
        title: "Set FLAG".into(),
        applicability: Applicability::Unsafe,
        reversible: Reversible::Full,
        irreversible: None,
        consequences: vec!["restarts Deployment/web".into()],
        inputs: BTreeMap::from([("value".into(), "false".into())]),
        steps,
        hash: String::new(),
    };
    planned.hash = planned.sum();
    planned
}

/// Texts that another reader of YAML could take for something else.
const AWKWARD: [&str; 14] = [
    "yes",
    "null",
    "~",
    "1:30",
    "0x1F",
    "012",
    "1e3",
    "1_000",
    ".5",
    " a ",
    "a: b # c",
    "two\nlines\n",
    "<a&b>\u{2028}",
    "2026-01-01",
];

fn plan() -> Plan {
    let mut steps = vec![patch(&[
        test("/metadata/uid", "u".into()),
        test("/data/FLAG", "true".into()),
        test("/data/NEW", Value::Null),
        replace("/data/FLAG", "false".into()),
        add("/data/NEW", json!({"list": [], "map": {}, "number": 1, "switch": true, "none": null})),
    ])];
    let manifest = json!({"kind": "ConfigMap", "data": AWKWARD.iter().zip(0..).map(|(text, i)| (format!("k{i}"), text)).collect::<BTreeMap<_, _>>()});
    steps.push(Step::Create { object: Object { uid: None, ..object() }, manifest });
    steps.push(Step::Restart { object: object() });
    let metadata = Metadata {
        tool_version: "0.1.0".into(),
        created_at: "2026-01-01T00:00:00Z".into(),
        cluster: Cluster { uid: Some("c".into()), server: "https://x".into(), context: None },
        namespaces: vec!["a".into()],
        environment: Environment::Production,
        settings: Settings::default(),
        hash: String::new(),
    };
    Plan::new(metadata, vec![planned(steps), planned(vec![Step::Delete { object: object() }])], Vec::new())
}

#[test]
fn a_plan_is_read_as_it_was_written_and_fits_its_schema() {
    let plan = plan();
    let text = plan.to_yaml();
    assert_eq!(read(&text, "f").unwrap(), plan, "{text}");
    assert_eq!(read(&serde_json::to_string(&plan).unwrap(), "f").unwrap(), plan);
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let value: Value = serde_saphyr::from_str(&text).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let wrong = text.replace("action: restart", "action: reboot");
    assert!(!validator.is_valid(&serde_saphyr::from_str(&wrong).unwrap()));
}

#[test]
fn what_was_edited_is_named() {
    let text = plan().to_yaml();
    let refused = |text: &str| read(text, "f").unwrap_err().to_string();
    let spaced = format!("# reviewed by me\n{text}\n");
    assert!(read(&spaced, "f").is_ok(), "comments change nothing");
    let guard = text.replacen("value: \"true\"", "value: \"false\"", 1);
    assert_eq!(refused(&guard), "f was edited since it was made: fix 1 (insecure-flag of ConfigMap/config)");
    let age = text.replace("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert!(refused(&age).starts_with("f was edited since it was made: its metadata"), "{}", refused(&age));
    let mut shorter = plan();
    shorter.fixes.pop();
    assert!(refused(&shorter.to_yaml()).contains("which fixes stand in it"));
    let newer = text.replacen("progrc.io/v1", "progrc.io/v2", 1);
    assert_eq!(refused(&newer), "f has the format progrc.io/v2, and this version reads progrc.io/v1");
    assert_eq!(refused("kind: Deployment"), "f is no plan: its kind is Deployment");
    let unknown = text.replacen("severity: high", "severity: high\n  colour: red", 1);
    assert!(refused(&unknown).contains("colour"), "{}", refused(&unknown));
}

#[test]
fn what_differs_is_named() {
    let with = |value: &str, uid: &str| {
        let step = patch(&[
            test("/metadata/uid", uid.into()),
            test("/data/FLAG", value.into()),
            replace("/data/FLAG", "x".into()),
        ]);
        let Step::Patch { object, subresource, patch, texts } = step else { unreachable!() };
        planned(vec![Step::Patch { object: Object { uid: Some(uid.into()), ..object }, subresource, patch, texts }])
    };
    assert_eq!(differences(&with("a", "u"), &with("a", "u")), Vec::<String>::new());
    let other = differences(&with("a", "u"), &with("b", "u"));
    assert_eq!(other, ["ConfigMap/a/config: /data/FLAG is \"b\", not \"a\""]);
    assert_eq!(differences(&with("a", "u"), &with("a", "v")), ["ConfigMap/a/config was deleted and made anew"]);
    let more = planned(vec![with("a", "u").steps[0].clone(), Step::Restart { object: object() }]);
    assert_eq!(differences(&with("a", "u"), &more), ["the fix would do something else now"]);
}

#[test]
fn what_the_plan_itself_changes_is_not_expected() {
    let first = planned(vec![patch(&[test("/data/A", "1".into()), replace("/data/A", "2".into())])]);
    let second = planned(vec![patch(&[
        test("/metadata/uid", "u".into()),
        test("/data/A", "1".into()),
        test("/data/B", "1".into()),
        test("/data/C", Value::Null),
        test("/metadata/labels", Value::Null),
        replace("/data/B", "2".into()),
        add("/data/C", "1".into()),
        add("/metadata/labels/x", "1".into()),
    ])]);
    let fixes = [first, second];
    assert_eq!(expectations(&fixes, 0, 0), [("/data/A".to_owned(), json!("1"))]);
    let expected = [("/data/B".to_owned(), json!("1")), ("/data/C".to_owned(), Value::Null)];
    assert_eq!(expectations(&fixes, 1, 0), expected);
}
