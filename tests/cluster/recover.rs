//! What a crash leaves open: the journal cut off where a program may have ended, and how it is
//! settled.

use serde_json::{Value, json};

use crate::harness::{ControlPlane, TestNamespace};
use crate::scene::{FIX_FLAGS, assert_guarded, deployment, flag, flagged, history, journal_files, report, writes};

/// Cuts the newest entry of the journal off after so many lines, and adds what a crash may leave
/// of the next.
fn crash(ns: &TestNamespace, lines: usize, torn: &str) {
    let file = journal_files(ns).pop().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let kept: String = text.split_inclusive('\n').take(lines).collect();
    std::fs::write(&file, kept + torn).unwrap();
}

fn statuses(ns: &TestNamespace) -> Vec<String> {
    history(ns).0.into_iter().map(|(command, status)| format!("{command} {status}")).collect()
}

/// The outcomes that `recover` names, with this exit code.
#[track_caller]
fn recover(ns: &TestNamespace, flags: &[&str], code: i32) -> Vec<Value> {
    let report = report(&ns.progrc(&[&["recover", "-o", "json"], flags].concat()).run().expect_code(code));
    let steps = report["entries"].as_array().unwrap().iter().flat_map(|entry| entry["steps"].as_array().unwrap());
    steps.map(|step| step["outcome"].clone()).collect()
}

/// A patch of a ConfigMap was sent, and so was the restart, whose answer nobody wrote down.
#[test]
fn a_patch_whose_answer_was_lost_is_found_applied() {
    let ns = flagged("crashed");
    ns.progrc(FIX_FLAGS).run().expect_code(0);
    crash(&ns, 4, "{\"record\":\"result\",\"st");
    assert_eq!(statuses(&ns), ["fix open"]);
    let (_, ids) = history(&ns);
    let noticed = ns.progrc(FIX_FLAGS).run().expect_code(0);
    let hint = format!("was left open: `kubectl progrc recover {}`", ids[0]);
    assert!(noticed.stderr.contains(&hint), "{}", noticed.stderr);

    let sent = writes(&ns.requests()).len();
    let asked = ns.progrc(&["recover"]).run().expect_code(2);
    assert!(asked.stderr.contains("no terminal to ask on"), "{}", asked.stderr);
    assert_eq!(recover(&ns, &["--dry-run"], 0), ["applied"]);
    assert_eq!(statuses(&ns), ["fix open"]);
    assert_eq!(recover(&ns, &["--yes"], 0), ["applied"]);
    assert_eq!(statuses(&ns), ["fix interrupted"]);
    assert_eq!(recover(&ns, &[], 0), Vec::<Value>::new(), "nothing to write, nothing to ask");
    assert_eq!(writes(&ns.requests()).len(), sent, "only the journal is written");

    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert_eq!(flag(&ns), "true");
    let restarted = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";
    assert_eq!(ns.get("apps/v1/deployments/web").pointer(restarted), None);
    assert_guarded(&ns.requests());
}

#[test]
fn a_patch_that_was_never_sent_is_found_so() {
    let ns = flagged("unsent");
    ns.progrc(FIX_FLAGS).run().expect_code(0);
    crash(&ns, 2, "");
    ns.patch("v1/configmaps/config", &json!({"data": {"ALLOW_UNKNOWN_API_PATHS": "true", "OTHER": "new"}}));
    assert_eq!(recover(&ns, &["--yes"], 0), ["not-applied"]);
    ns.progrc(&["undo", "--yes"]).run().expect_code(2);
    assert_eq!(statuses(&ns), ["fix interrupted"]);
}

#[test]
fn what_nobody_knows_stays_open_until_somebody_decides() {
    let ns = flagged("unclear");
    ns.progrc(FIX_FLAGS).run().expect_code(0);
    crash(&ns, 2, "");
    ns.patch("v1/configmaps/config", &json!({"data": {"ALLOW_UNKNOWN_API_PATHS": "maybe"}}));
    let unclear = ns.progrc(&["recover", "--yes"]).run().expect_code(1);
    let columns = "/data/ALLOW_UNKNOWN_API_PATHS: before \"true\" · we set \"false\" · now \"maybe\"";
    assert!(unclear.stdout.contains(columns), "{}", unclear.stdout);
    assert!(unclear.stderr.contains("--decide applied"), "{}", unclear.stderr);
    assert_eq!(recover(&ns, &["--yes"], 1), ["unclear"]);
    let (_, ids) = history(&ns);
    assert_eq!(recover(&ns, &[&ids[0], "--yes", "--decide=applied"], 0), ["applied"]);
    assert_eq!(statuses(&ns), ["fix interrupted"]);
    let refused = ns.progrc(&["undo", "--yes"]).run().expect_code(1);
    assert!(refused.stderr.contains(columns), "{}", refused.stderr);
}

/// A Deployment that lacks a budget, and the fix that makes one, cut off before its answer.
fn half_made(prefix: &str) -> TestNamespace {
    let ns = ControlPlane::bare().namespace(prefix);
    ns.apply(&deployment("web", 3));
    ns.progrc(&["fix", "--yes", "--select=missing-pdb"]).run().expect_code(0);
    crash(&ns, 2, "");
    ns
}

#[test]
fn a_made_object_is_known_by_its_mark() {
    let ns = half_made("mark");
    let text = ns.progrc(&["recover", "--yes"]).run().expect_code(0).stdout;
    assert!(text.contains("applied: Create PodDisruptionBudget web-pdb"), "{text}");
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert_eq!(ns.get("policy/v1/poddisruptionbudgets")["items"], json!([]));
}

#[test]
fn what_somebody_has_changed_since_the_crash_is_not_deleted() {
    let ns = half_made("changed");
    ns.patch("policy/v1/poddisruptionbudgets/web-pdb", &json!({"spec": {"maxUnavailable": 2}}));
    assert_eq!(recover(&ns, &["--yes"], 0), ["applied"]);
    let refused = ns.progrc(&["undo", "--yes"]).run().expect_code(1);
    assert!(refused.stderr.contains("somebody has changed it since"), "{}", refused.stderr);
}

#[test]
fn an_object_of_somebody_else_is_not_taken_for_ours() {
    let ns = half_made("theirs");
    let path = "policy/v1/poddisruptionbudgets/web-pdb";
    ns.patch(path, &json!({"metadata": {"annotations": {"progrc.io/change-id": "another"}}}));
    assert_eq!(recover(&ns, &["--yes"], 0), ["not-applied"]);
    ns.progrc(&["undo", "--yes"]).run().expect_code(2);
    assert_eq!(ns.get(path)["spec"]["maxUnavailable"], 1);
}

#[test]
fn an_undo_settles_what_it_takes_back() {
    let ns = half_made("undo-open");
    let said = ns.progrc(&["undo", "--yes"]).run().expect_code(0).stderr;
    assert!(said.contains("the object is there, with our mark"), "{said}");
    assert_eq!(ns.get("policy/v1/poddisruptionbudgets")["items"], json!([]));
    assert_eq!(statuses(&ns), ["undo done", "fix undone"]);
}

/// The first record is on disk, whole or with half of the next, and nothing was sent.
#[test]
fn an_entry_of_its_beginning_alone_is_settled() {
    for torn in ["", "{\"record\":\"intent\"", "\0\0\0"] {
        let ns = half_made("begun");
        ns.delete("policy/v1/poddisruptionbudgets/web-pdb");
        crash(&ns, 1, torn);
        assert_eq!(statuses(&ns), ["fix open"]);
        let said = ns.progrc(&["recover", "--yes"]).run().expect_code(0).stdout;
        assert!(said.contains("nothing was in flight"), "{said}");
        assert_eq!(statuses(&ns), ["fix interrupted"]);
        ns.progrc(&["undo", "--yes"]).run().expect_code(2);
    }
}
