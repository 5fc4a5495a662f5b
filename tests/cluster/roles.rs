//! `rbac`: the roles that it prints are enough, and hold nothing to see Secrets with.

use serde_json::{Value, json};

use crate::harness::{ControlPlane, TestNamespace, User, WAIT, wait_until};
use crate::scene::{assert_no_secrets, deployment, history, pairs, report, writes};

/// A user with the printed rights, in one namespace or everywhere.
fn bound(ns: &TestNamespace, purpose: &str, in_namespace: bool) -> User {
    let user = ControlPlane::full().spare_user();
    let grantee = format!("user:{}", user.name);
    let mut words = vec!["rbac", purpose, "--for", &grantee, "--name", &user.name];
    words.extend(in_namespace.then_some(["-n", &ns.name]).into_iter().flatten());
    ns.apply(&ns.progrc(&words).run().expect_code(0).stdout);
    wait_until(WAIT, &format!("the rights of {}", user.name), || {
        let may = |what: &str| ns.kubectl_as(&user, &["auth", "can-i", "list", what]).run().code == Some(0);
        if may("pods") && may("nodes") { Ok(()) } else { Err("not yet".to_owned()) }
    });
    user
}

/// Nothing was forbidden, and nobody asked for Secrets.
#[track_caller]
fn assert_allowed(ns: &TestNamespace, user: &User) {
    let requests = ns.requests_of(user);
    // The wait for the rights asks, too.
    let refused: Vec<_> =
        requests.iter().filter(|r| r.code == Some(403) && r.resource != "selfsubjectaccessreviews").collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert_no_secrets(&requests);
}

fn shop(prefix: &str) -> TestNamespace {
    let ns = ControlPlane::full().namespace(prefix);
    ns.apply(&deployment("web", 3));
    ns.wait_for_rollout("web");
    ns
}

#[test]
fn the_role_for_audits_is_a_full_audit() {
    let ns = shop("role-audit");
    let user = bound(&ns, "audit", false);
    let of = |user: &User| report(&ns.progrc_as(user, &["audit", "-o", "json"]).run().expect_code(1));
    let (theirs, ours) = (of(&user), of(&ns.tester));
    assert_eq!(theirs["gaps"], json!([]));
    assert_eq!(theirs["findings"], ours["findings"], "one who may do everything sees no more");
    assert_eq!(theirs["score"], ours["score"]);
    ns.progrc_as(&user, &["audit", "-A", "--require-full", "--fail-on", "never"]).run().expect_code(0);
    assert_allowed(&ns, &user);
    let requests = ns.requests_of(&user);
    let verbs = requests.iter().filter(|request| request.resource != "selfsubjectaccessreviews");
    assert!(verbs.into_iter().all(|request| matches!(request.verb.as_str(), "get" | "list")), "{requests:?}");
}

#[test]
fn the_role_for_fixes_fixes_and_takes_back() {
    let ns = shop("role-fix");
    let user = bound(&ns, "fix", false);
    let fixed = report(&ns.progrc_as(&user, &["fix", "--yes", "-o", "json"]).run().expect_code(0));
    let applied = pairs(&fixed["applied"]);
    assert!(applied.contains(&("missing-pdb".to_owned(), "Deployment/web".to_owned())), "{applied:?}");
    assert_eq!(ns.get("policy/v1/poddisruptionbudgets/web-pdb")["spec"]["maxUnavailable"], 1);
    // Whatever else the rules find there: no step of it lacks a right.
    ns.progrc_as(&user, &["fix", "--yes", "--unsafe-fixes"]).run();
    assert_allowed(&ns, &user);
    assert!(writes(&ns.requests_of(&user)).len() > 3);
    for _ in history(&ns).1 {
        ns.progrc_as(&user, &["undo", "--yes"]).run();
    }
    assert_allowed(&ns, &user);
    assert_eq!(ns.get("policy/v1/poddisruptionbudgets")["items"], json!([]));
}

#[test]
fn the_role_for_one_namespace_fixes_it_and_sees_no_other() {
    let ns = shop("role-narrow");
    let user = bound(&ns, "fix", true);
    let audit = report(&ns.progrc_as(&user, &["audit", "-o", "json"]).run().expect_code(1));
    let gaps = audit["gaps"].as_array().unwrap();
    assert!(!gaps.is_empty());
    for gap in gaps {
        assert_eq!((&gap["scope"], &gap["reason"]), (&"other namespaces".into(), &"forbidden".into()), "{gap}");
    }
    let coverage = |report: &Value| report["score"]["coverage"].as_f64().unwrap();
    let full = report(&ns.progrc(&["audit", "-o", "json"]).run().expect_code(1));
    assert!(coverage(&audit) <= coverage(&full));
    let fixed = report(&ns.progrc_as(&user, &["fix", "--yes", "-o", "json"]).run().expect_code(0));
    assert!(pairs(&fixed["applied"]).contains(&("missing-pdb".to_owned(), "Deployment/web".to_owned())), "{fixed}");
    let requests = ns.requests_of(&user);
    assert!(requests.iter().filter(|request| request.writes()).all(|request| request.code != Some(403)));
    assert_no_secrets(&requests);
    ns.progrc_as(&user, &["undo", "--yes"]).run().expect_code(0);
    // What is not its own stays out of its reach.
    let other = shop("role-other");
    let elsewhere = report(&ns.progrc_as(&user, &["fix", "-n", &other.name, "--yes", "-o", "json"]).run());
    assert_eq!(elsewhere["applied"], json!([]));
    assert_eq!(other.get("policy/v1/poddisruptionbudgets")["items"], json!([]));
}
