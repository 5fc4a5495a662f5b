//! The core loop on the namespace of the assessment: audit, fix, audit again, undo, history.

use std::collections::BTreeMap;

use rexpect::ReadUntil;
use serde_json::{Value, json};

use crate::assessed::{Assessed, NAME};
use crate::harness::ControlPlane;
use crate::prompts::{QUESTION, Talk};
use crate::scene::{assert_guarded, pairs, path_of};

/// Pods of backend, frontend and LocalStack once the autoscalers have raised them.
const PODS: [i64; 3] = [3, 2, 1];

/// The findings of the assessment, as the live namespace shows them.
const EXPECTED: &[(&str, &str)] = &[
    ("dev-storage-endpoint", "ConfigMap/progrc-config"),
    ("insecure-flag", "ConfigMap/progrc-config"),
    ("insecure-flag", "ConfigMap/progrc-config"),
    ("insecure-flag", "ConfigMap/progrc-config"),
    ("missing-ingress-policy", "Deployment/progrc-backend"),
    ("missing-ingress-policy", "Deployment/progrc-frontend"),
    ("missing-pdb", "Deployment/progrc-backend"),
    ("missing-pdb", "Deployment/progrc-frontend"),
    ("missing-resource-quota", "Namespace/progrc-dev"),
    ("redundant-load-balancer", "Service/progrc-backend"),
    ("redundant-load-balancer", "Service/progrc-frontend"),
    ("replicas-pinned-with-hpa", "Deployment/progrc-backend"),
];

/// How often each pair of rule and object is in a list.
fn counted(list: &[(String, String)]) -> BTreeMap<(&str, &str), usize> {
    let mut out = BTreeMap::new();
    for (rule, object) in list {
        *out.entry((rule.as_str(), object.as_str())).or_default() += 1;
    }
    out
}

#[test]
fn the_assessed_namespace_is_fixed_and_comes_back() {
    let scene = Assessed::on(ControlPlane::full());
    scene.wait(PODS);
    let before = scene.snapshot();
    let found = finds_what_the_assessment_found(&scene);
    let safe = fixes_what_is_safe(&scene);
    let answered = answers_the_rest(&scene);
    is_silent_afterwards(&scene, &found);
    scene.assert_made_is_marked(&before);
    scene.undo(&[&answered, &safe]);
    scene.wait(PODS);
    scene.assert_as_at(&before);
    // The same once more, in a batch.
    let batch = fixes_the_rest(&scene);
    is_silent_afterwards(&scene, &found);
    scene.undo(&[&batch]);
    scene.wait(PODS);
    scene.assert_as_at(&before);
    tells_what_it_did(&scene, &safe);
    assert_guarded(&scene.ns.requests());
}

/// Audits; returns the findings.
fn finds_what_the_assessment_found(scene: &Assessed) -> Value {
    let audit = scene.progrc(&["audit"], 1);
    assert_eq!(audit["gaps"], json!([]));
    let found = pairs(&audit["findings"]);
    let expected: Vec<_> = EXPECTED.iter().map(|(rule, object)| ((*rule).to_owned(), (*object).to_owned())).collect();
    let found = counted(&found);
    for (pair, count) in counted(&expected) {
        assert_eq!(found.get(&pair), Some(&count), "{pair:?} of {found:#?}");
    }
    assert!(!found.keys().any(|(rule, _)| *rule == "replicas-below-hpa-min"), "the autoscaler has repaired it");
    audit["findings"].clone()
}

/// Applies the safe fixes; returns the journal entry.
fn fixes_what_is_safe(scene: &Assessed) -> String {
    let earlier = scene.ns.requests().len();
    let fixed = scene.progrc(&["fix", "--yes"], 0);
    let written: Vec<String> = scene.ns.requests()[earlier..]
        .iter()
        .filter(|it| it.writes())
        .map(|it| format!("{} {}", it.verb, it.resource))
        .collect();
    assert_eq!(written, ["create poddisruptionbudgets"; 2], "the safe ones and nothing else");
    let budgets = ["progrc-backend", "progrc-frontend"];
    let budgets = budgets.map(|name| ("missing-pdb".to_owned(), format!("Deployment/{name}")));
    assert_eq!(pairs(&fixed["applied"]), budgets);
    let score = |when: &str| fixed["score"][when].as_f64().unwrap();
    assert!(score("after") > score("before"), "{}", fixed["score"]);
    assert!(fixed["left"].as_array().unwrap().iter().all(|left| left["counts"] == false), "{}", fixed["left"]);
    fixed["entry"].as_str().unwrap().to_owned()
}

/// What is asked at the prompt, and what the user knows and the cluster does not.
const ANSWERS: [(&str, &str, &str); 7] = [
    ("endpoint", "URL of the production object store", "https://nyc3.digitaloceanspaces.com"),
    ("region", "region of the object store", "nyc3"),
    ("bucket", "bucket of the object store", "progrc-uploads"),
    ("credentialsSecret", "Secret from which the consumers take their keys", "progrc-storage"),
    ("copied", "the objects are copied", "yes"),
    ("bucketReady", "the bucket exists", "yes"),
    ("credentialsReady", "take their keys from it", "yes"),
];

/// Says yes to every fix that is asked about, answers its questions and confirms by name; returns
/// the journal entry.
fn answers_the_rest(scene: &Assessed) -> String {
    let rules = "--select=dev-storage-endpoint,insecure-flag,missing-ingress-policy,missing-resource-quota,\
                 redundant-load-balancer,replicas-pinned-with-hpa";
    let mut talk = Talk::start(&scene.ns, &["fix", "-n", NAME, rules]);
    let asked =
        "Apply this fix\\? \\[|Type \\S+ to confirm:|[^\\r\\n]*\\(empty [a-z ]+\\):|[^\\r\\n]* \\[[^]\\r\\n]*\\]:";
    let asked = || ReadUntil::Regex(regex::Regex::new(asked).unwrap());
    let (mut consents, mut answered, mut confirmed, mut end) = (0, Vec::new(), Vec::new(), String::new());
    loop {
        let (before, question) = talk.0.exp_any(vec![asked(), ReadUntil::EOF]).unwrap();
        if question.is_empty() {
            end += &before;
            break;
        }
        if question.starts_with(QUESTION) {
            consents += 1;
            talk.say("y");
        } else if let Some(name) = question.strip_prefix("Type ").and_then(|rest| rest.strip_suffix(" to confirm:")) {
            confirmed.push(name.to_owned());
            talk.say(name);
        } else {
            let known = ANSWERS.iter().find(|(_, prompt, _)| question.contains(prompt));
            answered.extend(known.map(|(key, _, _)| *key));
            talk.say(known.map_or("", |(_, _, answer)| answer));
        }
    }
    end += &talk.end(0);
    assert!(consents >= 9, "{consents}: {end}");
    assert_eq!(confirmed, ["progrc-backend", "progrc-frontend"]);
    assert_eq!(answered, ANSWERS.map(|(key, _, _)| key));
    scene.wait(PODS);
    is_repaired(scene);
    let history = scene.progrc(&["history"], 0);
    history[0]["id"].as_str().unwrap().to_owned()
}

/// What the unsafe fixes have changed.
fn is_repaired(scene: &Assessed) {
    let data = &scene.ns.get("/api/v1/namespaces/progrc-dev/configmaps/progrc-config")["data"];
    let flags = ["ENABLE_PERMISSION_RESTRICTIONS", "ALLOW_UNKNOWN_API_PATHS", "ALLOW_EMPTY_PERMISSIONS"];
    assert_eq!(flags.map(|flag| data[flag].as_str().unwrap()), ["true", "false", "false"]);
    assert_eq!(data["AWS_S3_ENDPOINT"], "https://nyc3.digitaloceanspaces.com");
    assert_eq!(data["USE_LOCALSTACK"], "false");
    for name in ["progrc-backend", "progrc-frontend"] {
        let service = scene.ns.get(&format!("/api/v1/namespaces/progrc-dev/services/{name}"));
        assert_eq!(service["spec"]["type"], "ClusterIP", "{name}");
    }
}

/// Applies the unsafe fixes and those whose questions are answered; returns the journal entry.
fn fixes_the_rest(scene: &Assessed) -> String {
    let earlier = scene.ns.requests().len();
    let confirm = |name: &str| format!("--set=redundant-load-balancer.confirm={NAME}/{name}");
    let answers = ANSWERS.map(|(key, _, answer)| format!("--set=dev-storage-endpoint.{key}={answer}"));
    let answers = [&answers[..], &["progrc-backend", "progrc-frontend"].map(confirm)].concat();
    let command = ["fix", "--yes", "--unsafe-fixes"].into_iter().chain(answers.iter().map(String::as_str));
    let fixed = scene.progrc(&command.collect::<Vec<_>>(), 0);
    let applied = pairs(&fixed["applied"]);
    let applied = counted(&applied);
    for (rule, object) in EXPECTED {
        assert!(applied.contains_key(&(*rule, *object)), "{rule} {object} of {applied:#?}\nleft: {:#}", fixed["left"]);
    }
    let restarts: Vec<&str> = fixed["applied"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|applied| applied["title"].as_str().filter(|title| title.starts_with("Restart ")))
        .collect();
    assert_eq!(restarts, ["Restart Deployment/progrc-backend"]);
    scene.wait(PODS);
    is_repaired(scene);
    let requests = scene.ns.requests();
    let backend = "/apis/apps/v1/namespaces/progrc-dev/deployments/progrc-backend";
    let patches = requests[earlier..].iter().filter(|it| it.writes() && path_of(it) == backend).count();
    assert_eq!(patches, 2, "the last-applied annotation and one restart");
    fixed["entry"].as_str().unwrap().to_owned()
}

/// What was fixed is not found again; of the storage a next stage is, and it says another thing.
fn is_silent_afterwards(scene: &Assessed, before: &Value) {
    let audit = scene.progrc(&["audit", "--fail-on=never"], 0);
    let of = |findings: &Value, rule: &str, object: &str| -> Vec<String> {
        let findings = findings.as_array().unwrap().iter();
        let here = findings.filter(|it| it["rule"] == rule && object.ends_with(it["object"]["name"].as_str().unwrap()));
        here.map(|it| it["message"].as_str().unwrap().to_owned()).collect()
    };
    for (rule, object) in EXPECTED {
        let again = of(&audit["findings"], rule, object);
        if *rule == "dev-storage-endpoint" {
            let earlier = of(before, rule, object);
            assert!(again.iter().all(|message| !earlier.contains(message)), "{again:?}");
        } else {
            assert_eq!(again, Vec::<String>::new(), "{rule} {object} is found again");
        }
    }
}

fn tells_what_it_did(scene: &Assessed, safe: &str) {
    let history = scene.progrc(&["history"], 0);
    let list: Vec<(&str, &str)> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["command"].as_str().unwrap(), entry["status"].as_str().unwrap()))
        .collect();
    let (undo, fix) = (("undo", "done"), ("fix", "undone"));
    assert_eq!(list, [undo, fix, undo, undo, fix, fix]);
    let one = scene.progrc(&["history", safe], 0);
    assert_eq!(pairs(&one["steps"]).len(), 2, "{one}");
}
