//! Reading and trying: what the plugin does without the right, or the will, to write.

use http::Method;
use serde_json::Value;

use crate::harness::{ControlPlane, Rule, TestNamespace, User, WAIT, wait_until};
use crate::scene::{assert_no_secrets, deployment, pairs, report, writes};

/// A Deployment of three ready pods, which lacks a budget.
fn unprotected(prefix: &str) -> TestNamespace {
    let ns = ControlPlane::full().namespace(prefix);
    ns.apply(&deployment("web", 3));
    ns.wait_for_rollout("web");
    ns
}

/// No budget was made.
#[track_caller]
fn assert_unchanged(ns: &TestNamespace) {
    let budgets = ns.get("policy/v1/poddisruptionbudgets");
    assert_eq!(budgets["items"], serde_json::json!([]));
}

const SELECTED: &str = "--select=missing-pdb";

#[test]
fn a_server_dry_run_writes_nothing() {
    let ns = unprotected("dry-server");
    let fixed = ns.progrc(&["fix", "--dry-run=server", "-o", "json", SELECTED]).run().expect_code(0);
    let report = report(&fixed);
    assert_eq!((&report["applied"], &report["entry"]), (&serde_json::json!([]), &Value::Null));
    let requests = ns.requests();
    assert_eq!(writes(&requests), []);
    let tried = requests.iter().filter(|request| request.uri.contains("dryRun=All"));
    assert_eq!(tried.map(|request| request.code).collect::<Vec<_>>(), [Some(201)]);
    assert_no_secrets(&requests);
    assert_unchanged(&ns);
    assert!(!ns.home().join("state").exists(), "a dry run has no journal entry");
}

#[test]
fn a_client_dry_run_sends_no_write_at_all() {
    let ns = unprotected("dry-client");
    let fixed = ns.progrc(&["fix", "--dry-run=client", SELECTED]).run().expect_code(0);
    assert!(fixed.stderr.contains("Create PodDisruptionBudget web-pdb"), "{}", fixed.stderr);
    let requests = ns.requests();
    assert!(requests.iter().all(|request| matches!(request.verb.as_str(), "get" | "list" | "watch")), "{requests:?}");
    assert_unchanged(&ns);
}

#[test]
fn without_a_terminal_somebody_has_to_say_yes() {
    let ns = unprotected("consent");
    for command in [&["fix", SELECTED][..], &["undo"]] {
        let refused = ns.progrc(command).run().expect_code(2);
        assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
    let requests = ns.requests();
    assert_eq!(requests.iter().filter(|request| request.verb != "get" && request.verb != "list").count(), 0);
    assert_unchanged(&ns);
}

const READ: &[&str] = &["get", "list", "watch"];

/// Everything that an audit reads, and no Secrets.
pub(crate) const AUDIT: &[Rule] = &[
    Rule {
        group: "",
        resources: &[
            "configmaps",
            "limitranges",
            "namespaces",
            "nodes",
            "persistentvolumeclaims",
            "pods",
            "replicationcontrollers",
            "resourcequotas",
            "serviceaccounts",
            "services",
        ],
        verbs: READ,
    },
    Rule { group: "apps", resources: &["*"], verbs: READ },
    Rule { group: "autoscaling", resources: &["*"], verbs: READ },
    Rule { group: "batch", resources: &["*"], verbs: READ },
    Rule { group: "discovery.k8s.io", resources: &["*"], verbs: READ },
    Rule { group: "networking.k8s.io", resources: &["*"], verbs: READ },
    Rule { group: "policy", resources: &["*"], verbs: READ },
    Rule { group: "rbac.authorization.k8s.io", resources: &["*"], verbs: READ },
    Rule { group: "admissionregistration.k8s.io", resources: &["*"], verbs: READ },
    Rule { group: "apiregistration.k8s.io", resources: &["*"], verbs: READ },
    Rule { group: "apiextensions.k8s.io", resources: &["*"], verbs: READ },
];

#[test]
fn a_reader_learns_that_it_may_not_write() {
    let ns = unprotected("reader");
    let user = ControlPlane::full().user_with(AUDIT);
    let audit = ns.progrc_as(&user, &["audit", "-o", "json", SELECTED]).run().expect_code(1);
    let audit = report(&audit);
    assert_eq!(audit["gaps"], serde_json::json!([]), "the role is all that an audit needs");

    let fixed = ns.progrc_as(&user, &["fix", "--yes", "-o", "json", SELECTED]).run().expect_code(2);
    assert!(fixed.stderr.contains("may not create poddisruptionbudgets.policy"), "{}", fixed.stderr);
    let requests = ns.requests_of(&user);
    assert_eq!(writes(&requests), []);
    assert_no_secrets(&requests);
    assert_unchanged(&ns);
    assert!(!ns.home().join("state").exists(), "nothing was written, so there is no journal entry");
}

#[test]
fn a_reader_of_one_namespace_sees_it_with_gaps() {
    let ns = unprotected("narrow");
    let user = ns.user_with(AUDIT);
    let audit = ns.progrc_as(&user, &["audit", "-o", "json"]).run().expect_code(1);
    let audit = report(&audit);
    let found = pairs(&audit["findings"]);
    assert!(found.contains(&("missing-pdb".to_owned(), "Deployment/web".to_owned())), "{found:?}");
    let gaps: Vec<String> = audit["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gap| format!("{} {}", gap["kind"].as_str().unwrap(), gap["reason"].as_str().unwrap()))
        .collect();
    assert!(gaps.contains(&"nodes forbidden".to_owned()), "{gaps:?}");
    assert!(!gaps.iter().any(|gap| gap.starts_with("pods")), "{gaps:?}");
    let coverage = audit["score"]["coverage"].as_f64().unwrap();
    let categories = audit["score"]["categories"].as_array().unwrap();
    assert!(coverage < 1.0 && categories.iter().any(|it| it["coverage"].as_f64().is_some_and(|it| it < 1.0)));
    assert!(!audit["unknown"].as_array().unwrap().is_empty());
    // What a person sees: that it is partial, why, and what would help.
    let page = ns.progrc_as(&user, &["audit"]).run().expect_code(1);
    let said = format!("{}{}", page.stdout, page.stderr);
    for part in ["not readable", "nodes", "forbidden", "kubectl progrc rbac audit"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let full = report(&ns.progrc(&["audit", "-o", "json"]).run().expect_code(1));
    assert!(coverage < full["score"]["coverage"].as_f64().unwrap(), "{coverage}");
    for words in [&["audit", "-A"][..], &["audit", "-o", "wide"], &["diff"], &["fix", "--dry-run=server"]] {
        let ended = ns.progrc_as(&user, words).run();
        assert!(matches!(ended.code, Some(0..=2)) && !ended.stderr.contains("panicked"), "{words:?} {ended:?}");
    }
    assert_no_secrets(&ns.requests_of(&user));
    ns.progrc_as(&user, &["audit", "--require-full"]).run().expect_code(2);
    let fixed = ns.progrc_as(&user, &["fix", "--yes", "--select=missing-tracing"]).run().expect_code(0);
    assert!(fixed.stdout.contains("were not read and what rests on them is unknown: "), "{}", fixed.stdout);
}

#[test]
fn a_port_by_a_name_that_no_pod_has_leads_nowhere() {
    let ns = ControlPlane::full().namespace("named-port");
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  selector: {app: web}\n  \
                   ports: [{name: good, port: 80, targetPort: http}, {name: bad, port: 81, targetPort: none}]\n\
                   ---\napiVersion: v1\nkind: Service\nmetadata: {name: lost}\nspec:\n  selector: {app: web}\n  \
                   ports: [{port: 80, targetPort: none}]\n";
    let ingress = |name: &str, service: &str, port: u32| {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}}}\nspec:\n  rules:\n  \
             - host: {name}.example.com\n    http: {{paths: [{{path: /, pathType: Prefix, backend: \
             {{service: {{name: {service}, port: {{number: {port}}}}}}}}}]}}\n"
        )
    };
    let ingresses = ingress("good", "web", 80) + &ingress("bad", "web", 81) + &ingress("lost", "lost", 80);
    ns.apply(&(deployment("web", 1) + service + &ingresses));
    ns.wait_for_rollout("web");
    let audit = wait_until(WAIT, "endpoints of both Services", || {
        let slices = ns.get("discovery.k8s.io/v1/endpointslices");
        let ready = |slice: &&Value| slice["endpoints"][0]["conditions"]["ready"] == true;
        let ready = slices["items"].as_array().unwrap().iter().filter(ready).count();
        if ready < 2 {
            return Err(slices.to_string());
        }
        Ok(report(&ns.progrc(&["audit", "-o", "json", "--fail-on=never"]).run().expect_code(0)))
    });
    let said = |name: &str| {
        let about = |list: &'static str| audit[list].as_array().unwrap().iter();
        let all = about("findings").filter(|f| f["rule"] == "broken-ingress-route" && f["object"]["name"] == name);
        all.map(|f| f["message"].to_string()).collect::<String>()
    };
    assert!(!said("good").contains("endpoint"), "{}", said("good"));
    assert!(said("bad").contains("Service web: no ready endpoint has its port none"), "{}", said("bad"));
    assert!(said("lost").contains("Service lost: no ready endpoint has its port none"), "{}", said("lost"));
}

#[test]
fn a_user_without_any_right_hears_so() {
    let ns = unprotected("stranger");
    let user = ControlPlane::full().spare_user();
    let audit = ns.progrc_as(&user, &["audit", "-o", "json"]).run();
    assert!(matches!(audit.code, Some(0 | 2)), "{audit:?}");
    let said = format!("{}{}", audit.stdout, audit.stderr);
    assert!(said.contains("forbidden"), "{said}");
    assert_no_secrets(&ns.requests_of(&user));
}

#[test]
fn names_of_the_cluster_and_of_its_kubeconfig_are_completed() {
    let ns = ControlPlane::bare().namespace("complete");
    let offered = |words: &[&str]| ns.progrc(&[&["__complete", "audit"], words].concat()).run().expect_code(0).stdout;
    let namespaces = offered(&["-n", ""]);
    assert!(namespaces.lines().any(|line| line == ns.name) && namespaces.ends_with(":4\n"), "{namespaces}");
    assert!(offered(&["--context", ""]).lines().any(|line| line == "test"));
}

/// Nothing that a user without an identity does gets anywhere: it ends with 2, says what is wrong and
/// what helps, and prints no token.
#[track_caller]
fn assert_unknown(ns: &TestNamespace, user: &User) {
    for words in [&["audit"][..], &["diff"], &["plan"], &["fix", "--yes", SELECTED], &["undo", "--yes"], &["recover"]] {
        let refused = ns.progrc_as(user, words).run().expect_code(2);
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(said.contains("does not accept these credentials (Unauthorized)"), "{words:?}: {said}");
        assert!(said.contains("log in again"), "{words:?}: {said}");
        assert!(!said.contains(&user.token), "{words:?}: {said}");
    }
}

#[test]
fn a_token_that_is_wrong_or_no_longer_valid_is_called_so() {
    let ns = unprotected("expired");
    assert_unknown(&ns, &User { name: "wrong".to_owned(), token: "no-such-token".to_owned() });

    let account = serde_json::json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}});
    ns.request(Method::POST, "v1/serviceaccounts", Some(&account)).success();
    let wanted = serde_json::json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let issued = ns.request(Method::POST, "v1/serviceaccounts/robot/token", Some(&wanted)).success();
    let token = issued["status"]["token"].as_str().unwrap().to_owned();
    let robot = User { name: "robot".to_owned(), token };
    let known = ns.progrc_as(&robot, &["audit"]).run();
    assert!(!known.stderr.contains("Unauthorized"), "{}", known.stderr);
    // A token is void with its account; the server remembers for some seconds that it was not.
    ns.delete("v1/serviceaccounts/robot");
    wait_until(WAIT, "the end of the token", || {
        match ControlPlane::full().request_as(&robot, Method::GET, "/version", None).code {
            401 => Ok(()),
            code => Err(code.to_string()),
        }
    });
    assert_unknown(&ns, &robot);
}
