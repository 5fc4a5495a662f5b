//! What a crash leaves open: the journal cut off where a program may have ended, and how it is
//! settled.

use serde_json::{Value, json};

use crate::harness::{ControlPlane, TestNamespace};
use crate::scene::{
    FIX_FLAGS, assert_guarded, deployment, flag, flagged, history, hold, journal_files, report, writes,
};

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

const WEB: &str = "apps/v1/deployments/web";
const RESTARTED: &str = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";

/// A flag that was set right, and whose reader was not restarted: the program died in between.
fn half_done(prefix: &str) -> TestNamespace {
    let ns = flagged(prefix);
    ns.progrc(FIX_FLAGS).run().expect_code(0);
    crash(&ns, 3, "");
    ns.patch(WEB, &json!({"spec": {"template": {"metadata": {"annotations": null}}}}));
    ns.wait_for_rollout("web");
    assert_eq!(ns.get(WEB).pointer(RESTARTED), None);
    ns
}

/// The restarts that `recover` names, with this exit code.
#[track_caller]
fn restarts(ns: &TestNamespace, flags: &[&str], code: i32) -> Vec<Value> {
    let report = report(&ns.progrc(&[&["recover", "-o", "json"], flags].concat()).run().expect_code(code));
    let entries = report["entries"].as_array().unwrap().iter();
    entries.flat_map(|entry| entry["restarts"].as_array().unwrap()).map(|it| it["outcome"].clone()).collect()
}

#[test]
fn pods_that_a_crash_has_kept_from_their_value_are_restarted() {
    let ns = half_done("half-done");
    let (_, ids) = history(&ns);
    // No rule sees it: the value is right. So everybody who writes says it.
    let noticed = ns.progrc(FIX_FLAGS).run().expect_code(0);
    assert!(noticed.stderr.contains(&format!("kubectl progrc recover {}", ids[0])), "{}", noticed.stderr);
    let shown = ns.progrc(&["history", &ids[0]]).run().expect_code(0).stdout;
    assert!(shown.contains("half done: Deployment/web was not restarted"), "{shown}");

    assert_eq!(restarts(&ns, &["--dry-run"], 0), ["needed"]);
    assert_eq!(ns.get(WEB).pointer(RESTARTED), None);
    let said = ns.progrc(&["recover", "--yes"]).run().expect_code(0);
    assert!(said.stdout.contains("half done: deployment.apps/web was not restarted"), "{}", said.stdout);
    assert!(said.stderr.contains("deployment.apps/web rolled out"), "{}", said.stderr);
    assert!(ns.get(WEB).pointer(RESTARTED).is_some());
    assert_eq!(statuses(&ns), ["fix interrupted"], "the restart is a step of the same entry");
    assert_eq!(restarts(&ns, &[], 0), Vec::<Value>::new());

    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert_eq!((flag(&ns), ns.get(WEB).pointer(RESTARTED)), (json!("true"), None));
    assert_guarded(&ns.requests());
}

#[test]
fn a_restart_that_is_not_wanted_keeps_the_entry_open_until_the_undo() {
    let ns = half_done("unwanted");
    let limit = u64::try_from(crate::harness::WAIT.as_millis()).unwrap();
    let mut talk = rexpect::session::spawn_command(ns.progrc(&["recover"]).command(), Some(limit)).unwrap();
    talk.exp_string("Settle the journal so?").unwrap();
    talk.send_line("y").unwrap();
    talk.exp_string("Restart deployment.apps/web?").unwrap();
    talk.send_line("n").unwrap();
    let end = talk.exp_eof().unwrap();
    let (_, ids) = history(&ns);
    assert!(end.contains("stays open: deployment.apps/web was not restarted"), "{end}");
    assert!(end.contains(&format!("kubectl progrc undo {}", ids[0])), "{end}");
    assert_eq!(statuses(&ns), ["fix open"]);
    assert_eq!(ns.get(WEB).pointer(RESTARTED), None);

    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert_eq!(flag(&ns), "true");
    assert_eq!(statuses(&ns), ["undo done", "fix undone"]);
    assert_eq!(restarts(&ns, &["--yes"], 0), Vec::<Value>::new(), "there is nothing left to be read");
}

#[test]
fn a_restart_by_somebody_else_is_enough() {
    let ns = half_done("by-hand");
    // kubectl writes whole seconds: until one is over it may have been before the value.
    let written = jiff::Timestamp::now().as_second();
    crate::harness::wait_until(crate::harness::WAIT, "the next second", || {
        if jiff::Timestamp::now().as_second() > written { Ok(()) } else { Err("not yet".to_owned()) }
    });
    ns.kubectl(&["rollout", "restart", "deployment/web"]).run().expect_code(0);
    let by_hand = ns.get(WEB).pointer(RESTARTED).cloned();
    assert_eq!(restarts(&ns, &["--yes"], 0), ["not-needed"]);
    assert_eq!(ns.get(WEB).pointer(RESTARTED).cloned(), by_hand);
    assert_eq!(statuses(&ns), ["fix interrupted"]);
}

/// What a crash has cut off in the middle of an undo is not taken for somebody else's work.
#[test]
fn an_undo_goes_on_after_a_crash() {
    let ns = flagged("undo-crashed");
    ns.progrc(FIX_FLAGS).run().expect_code(0);
    ns.progrc(&["undo", "--yes", "--step=1"]).run().expect_code(0);
    crash(&ns, 2, "");
    let (_, ids) = history(&ns);
    let said = ns.progrc(&["recover", "--yes"]).run().expect_code(0).stdout;
    assert!(said.contains(&format!("the rest is taken back with: kubectl progrc undo {}", ids[1])), "{said}");
    let again = ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert!(again.stderr.contains("configmap/config: taken back already"), "{}", again.stderr);
    assert_eq!((flag(&ns), ns.get(WEB).pointer(RESTARTED)), (json!("true"), None));
    assert_eq!(statuses(&ns), ["undo done", "undo interrupted", "fix undone"]);
}

/// Who goes on with an entry takes the lock of its namespace first: nothing is written, neither to the
/// cluster nor to the entry, while another run has it.
#[test]
fn an_entry_is_not_reopened_while_another_run_is_about_its_namespace() {
    let ns = half_done("locked");
    let text = || std::fs::read_to_string(&journal_files(&ns)[0]).unwrap();
    let (before, sent) = (text(), writes(&ns.requests()).len());
    let elsewhere = hold(&ns, "elsewhere");
    let held = hold(&ns, &ns.name);
    for words in [&["recover", "--yes"][..], &["undo", "--yes"]] {
        let refused = ns.progrc(words).run().expect_code(2);
        let (said, pid) = (&refused.stderr, std::process::id());
        let owner = format!("another run is changing namespace {} of this cluster: fix, pid {pid} on ", ns.name);
        assert!(said.contains(&owner), "{words:?}: {said}");
        assert_eq!((text(), writes(&ns.requests()).len()), (before.clone(), sent), "{words:?}");
    }
    drop(held);
    assert_eq!(restarts(&ns, &["--yes"], 0), ["restarted"], "runs about other namespaces are not in the way");
    drop(elsewhere);
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert_eq!((flag(&ns), ns.get(WEB).pointer(RESTARTED)), (json!("true"), None));
}
