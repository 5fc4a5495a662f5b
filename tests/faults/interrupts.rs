//! Ctrl-C twice: the program leaves at once, with what it knows in the journal, and says what it
//! leaves behind.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use http::Method;
use kubectl_progrc::backend::journal::StepState;
use serde_json::Value;

use crate::fault::{Fault, Place, Side};
use crate::harness::{ControlPlane, Finished, TestNamespace};
use crate::proxy::Proxy;
use crate::stage::{journal, told};
use crate::writers::{CONFIG, FLAGGED, WEB};

fn control_c(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success(), "it is still there");
}

/// A fix that is told to end while one of its requests has no answer, and told again if it says that
/// it waits for that. The answer never comes.
fn interrupted(ns: &TestNamespace, place: Place, wait: &str) -> Finished {
    let (fault, held) = Fault::hold(place, Side::After);
    let proxy = Proxy::start(ControlPlane::bare(), &ns.tester, vec![fault]);
    let server = proxy.server();
    let words = ["fix", "--yes", "--unsafe-fixes", "--select=insecure-flag", wait, &server];
    let mut command = ns.progrc(&words).command();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(held.wait(|| child.try_wait().unwrap().is_some()), "it comes to that request");
    control_c(&child);
    // Two that come at once would count as one: the second comes when the first was heard, if that is
    // said, or ends the program.
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut heard = String::new();
    while said.read_line(&mut heard).unwrap() > 0 {
        if heard.contains("Ctrl-C once more leaves at once") {
            control_c(&child);
            break;
        }
    }
    said.read_to_string(&mut heard).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(held);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    Finished { code: output.status.code(), stdout, stderr: heard }
}

fn flagged(prefix: &str) -> TestNamespace {
    let ns = ControlPlane::bare().namespace(prefix);
    ns.apply(FLAGGED);
    ns
}

#[test]
fn a_request_without_an_answer_is_named_and_stays_open() {
    let ns = flagged("in-flight");
    let ended = interrupted(&ns, Place::write(0), "--wait=false");
    let said = told(&ended);
    assert_eq!(ended.code, Some(3), "{said}");
    assert!(said.contains("The request to ") && said.contains("has no answer yet"), "{said}");
    let entry = journal(&ns.home().join("state")).unwrap().remove(0);
    assert!(said.contains(&format!("kubectl progrc history {}", entry.begin.id)), "the next command: {said}");
    assert!(entry.is_open() && entry.steps.len() == 1, "{entry:?}");
    assert_eq!(entry.steps[0].state(), StepState::Open, "nobody has heard of it");
    // Both the value and, for its readers, the rest of the fix.
    ns.progrc(&["recover", "--yes"]).run().expect_code(0);
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    assert_eq!(ns.get(CONFIG)["data"]["ALLOW_UNKNOWN_API_PATHS"], "true");
    let restarted = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";
    assert_eq!(ns.get(WEB).pointer(restarted), None);
}

/// The rollout never ends, since no controller is there; its state is read when the signals come.
/// Without a terminal nobody is asked, and the first signal is enough.
#[test]
fn a_wait_is_left_at_once_and_the_journal_is_settled() {
    let ns = flagged("in-wait");
    let ended = interrupted(&ns, Place::of("GET", "/pods\\?labelSelector", 0), "--wait=true");
    let said = told(&ended);
    assert_eq!(ended.code, Some(130), "{said}");
    assert!(said.contains("deployment.apps/web was rolling out; it goes on by itself"), "{said}");
    let entry = journal(&ns.home().join("state")).unwrap().remove(0);
    assert!(!entry.is_open() && entry.status() == "interrupted", "{entry:?}");
    assert!(entry.steps.iter().all(|step| step.state() == StepState::Applied), "{entry:?}");
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    let flag: Value = ns.request(Method::GET, CONFIG, None).success()["data"]["ALLOW_UNKNOWN_API_PATHS"].clone();
    assert_eq!(flag, "true");
}
