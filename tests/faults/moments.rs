//! The moments of a write that matter most, one by one: what is known after each.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::fault::{Action, Fault, Place, Reply, Side};
use crate::harness::{ControlPlane, TestNamespace};
use crate::proxy::Proxy;
use crate::stage::told;

const CONFIG: &str = "v1/configmaps/config";
const FIX: [&str; 5] = ["fix", "--yes", "--unsafe-fixes", "--select=insecure-flag", "--wait=false"];

/// A flag that nobody reads: its fix is one write.
fn scene(prefix: &str) -> TestNamespace {
    let ns = ControlPlane::bare().namespace(prefix);
    ns.apply(
        "
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {ALLOW_UNKNOWN_API_PATHS: 'true'}
",
    );
    ns
}

fn flag(ns: &TestNamespace) -> Value {
    ns.get(CONFIG)["data"]["ALLOW_UNKNOWN_API_PATHS"].clone()
}

/// How often the write was sent.
fn sent(proxy: &Proxy) -> usize {
    proxy.log().iter().filter(|asked| asked.writes()).count()
}

/// The write is carried out, and this is what comes back.
#[track_caller]
fn is_found_out_and_sent_once(prefix: &str, action: Action) {
    let ns = scene(prefix);
    let proxy = Proxy::start(ControlPlane::bare(), &ns.tester, vec![Fault::new(Place::write(0), action)]);
    let server = proxy.server();
    let fixed = ns.progrc(&[&FIX[..], &["-o", "json", &server]].concat()).run().expect_code(0);
    let report: Value = serde_json::from_str(&fixed.stdout).unwrap();
    assert_eq!(report["applied"].as_array().unwrap().len(), 1, "{}", told(&fixed));
    assert_eq!((flag(&ns), sent(&proxy)), (json!("false"), 1), "{}", told(&fixed));
    let history = ns.progrc(&["history", "-o", "json"]).run().expect_code(0);
    let history: Value = serde_json::from_str(&history.stdout).unwrap();
    assert_eq!(history[0]["status"], "done");
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert_eq!(flag(&ns), "true");
}

#[test]
fn a_timeout_after_the_commit_is_told_as_applied() {
    let timeout = Reply::status(504, "Timeout", "request did not complete within the allotted timeout");
    is_found_out_and_sent_once("timeout", Action::AnswerAfter(timeout));
}

#[test]
fn a_lost_answer_after_the_commit_is_told_as_applied() {
    is_found_out_and_sent_once("lost-answer", Action::CloseAfter);
}

/// The process dies between the intent and the result, before or after the server has written: the
/// journal can't say which, and `recover` has to.
#[track_caller]
fn dies(prefix: &str, side: Side, outcome: &str) {
    let ns = scene(prefix);
    let (fault, held) = Fault::hold(Place::write(0), side);
    let proxy = Proxy::start(ControlPlane::bare(), &ns.tester, vec![fault]);
    let server = proxy.server();
    let mut command = ns.progrc(&[&FIX[..], &[&server]].concat()).command();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(held.wait(|| child.try_wait().unwrap().is_some()), "it comes to its write");
    let before = if side == Side::Before { "true" } else { "false" };
    assert_eq!(flag(&ns), before);
    child.kill().unwrap();
    child.wait().unwrap();
    drop(held);
    let recovered = ns.progrc(&["recover", "--yes", "-o", "json"]).run().expect_code(0);
    let report: Value = serde_json::from_str(&recovered.stdout).unwrap();
    assert_eq!(report["entries"][0]["steps"][0]["outcome"], outcome, "{}", told(&recovered));
    assert_eq!((flag(&ns), sent(&proxy)), (json!(before), 1), "recovery writes nothing");
    let undone = ns.progrc(&["undo", "--yes"]).run();
    let code = if outcome == "applied" { 0 } else { 2 };
    assert_eq!((undone.code, flag(&ns)), (Some(code), json!("true")), "{}", told(&undone));
}

#[test]
fn killed_before_the_commit_it_is_found_not_applied() {
    dies("killed-before", Side::Before, "not-applied");
}

#[test]
fn killed_after_the_commit_it_is_found_applied() {
    dies("killed-after", Side::After, "applied");
}
