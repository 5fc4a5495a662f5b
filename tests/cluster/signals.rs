//! Ctrl-C and SIGTERM while a rollout is waited for, in a pseudo-terminal.

use rexpect::process::Signal;
use serde_json::Value;

use crate::harness::TestNamespace;
use crate::prompts::{QUESTION, Talk};
use crate::rollback::readers;
use crate::scene::{flag, history, report};
use crate::waiting::cramped;

const ASKS: &str = "[r]oll back, [l]eave it and end?";
const WORDS: [&str; 3] = ["fix", "--unsafe-fixes", "--select=insecure-flag"];

/// A dialogue that waits for a rollout which never ends.
fn waiting(ns: &TestNamespace) -> Talk {
    begin(Talk::start(ns, &WORDS))
}

fn begin(mut talk: Talk) -> Talk {
    talk.hear(QUESTION);
    talk.say("y");
    talk.hear("1 of 2 pods are new");
    talk
}

fn control_c(talk: &mut Talk) {
    talk.0.send_control('c').expect("the terminal is open");
}

/// All steps of the newest entry are settled; how it ended.
#[track_caller]
fn settled(ns: &TestNamespace) -> String {
    let (states, ids) = history(ns);
    let entry = report(&ns.progrc(&["history", &ids[0], "-o", "json"]).run().expect_code(0));
    let steps: Vec<&Value> = entry["steps"].as_array().unwrap().iter().map(|step| &step["state"]).collect();
    assert!(steps.iter().all(|state| *state == "applied"), "{entry}");
    states[0].1.clone()
}

#[test]
fn one_may_wait_on_and_then_leave() {
    let ns = cramped("leave");
    let mut talk = waiting(&ns);
    control_c(&mut talk);
    talk.hear(ASKS);
    talk.say("?");
    talk.hear(ASKS);
    talk.say("w");
    talk.hear("1 of 2 pods are new");
    control_c(&mut talk);
    talk.hear(ASKS);
    talk.say("l");
    let end = talk.end(130);
    assert!(end.contains("it goes on by itself") && end.contains("kubectl progrc undo"), "{end}");
    assert_eq!((settled(&ns).as_str(), flag(&ns)), ("interrupted", Value::from("false")));
}

#[test]
fn one_may_stop_waiting_and_go_on() {
    let ns = cramped("stop");
    let mut talk = waiting(&ns);
    control_c(&mut talk);
    talk.hear(ASKS);
    talk.say("s");
    let end = talk.end(0);
    assert!(end.contains("nobody waits for it") && end.contains("1 fix applied"), "{end}");
    assert_eq!(settled(&ns), "done");
}

#[test]
fn one_may_take_the_change_back() {
    let ns = cramped("back");
    let mut talk = waiting(&ns);
    control_c(&mut talk);
    talk.hear(ASKS);
    talk.say("r");
    let end = talk.end(130);
    assert!(end.contains("taken back"), "{end}");
    assert_eq!(flag(&ns), "true");
    settled(&ns);
    ns.wait_for_rollout("web");
    ns.progrc(&["undo", "--yes"]).run().expect_code(2);
}

#[test]
fn a_second_control_c_and_a_request_to_end_leave_at_once() {
    let ns = cramped("twice");
    let mut talk = waiting(&ns);
    control_c(&mut talk);
    talk.hear(ASKS);
    control_c(&mut talk);
    let end = talk.end(130);
    assert!(end.contains("it goes on by itself"), "what is in flight: {end}");
    assert_eq!(settled(&ns), "interrupted");
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    ns.wait_for_rollout("web");

    // Where the cursor can be moved it is a spinner that says so.
    let mut talk = begin(Talk::with(&ns.progrc(&WORDS).env("TERM", "xterm")));
    talk.0.process_mut().signal(Signal::SIGTERM).expect("it is our child");
    let end = talk.end(130);
    assert!(end.contains("it goes on by itself") && !end.contains(ASKS), "{end}");
    let (hidden, shown) = (end.rfind("\u{1b}[?25l"), end.rfind("\u{1b}[?25h"));
    assert!(hidden.is_none() || hidden < shown, "the cursor can be seen: {end:?}");
    assert_eq!(settled(&ns), "interrupted");
}

#[test]
fn a_soak_that_fails_is_asked_about() {
    let ns = readers("asked", &[("web", "Deployment", "falters")]);
    for (answer, flag_then) in [("n", "false"), ("y", "true")] {
        let mut talk = Talk::start(&ns, &[&WORDS[..], &["--soak=30s"]].concat());
        talk.hear(QUESTION);
        talk.say("y");
        let before = talk.hear("Take this change back? [y/N] ");
        assert!(before.contains("is not ready any more"), "{before}");
        talk.say(answer);
        let end = talk.end(3);
        assert!(end.contains("kubectl progrc history"), "the next command: {end}");
        assert_eq!(flag(&ns), flag_then);
        if answer == "n" {
            ns.progrc(&["undo", "--yes"]).run().expect_code(0);
            ns.wait_for_rollout("web");
        }
    }
}
