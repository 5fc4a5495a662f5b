//! What a write makes of answers that a healthy server does not give: each row of the table that
//! needs a fault, with the number of requests that were sent.

use http::Method;
use kubectl_progrc::backend::cluster::connect::Connection;
use kubectl_progrc::backend::cluster::write::{self, Answer as Meaning, Options, Write};
use kubectl_progrc::fix::Edit;
use kubectl_progrc::model::ObjectRef;
use kubectl_progrc::plan::patch;
use serde_json::{Value, json};

use crate::server::{Answer, Server};
use crate::world::{World, plain};

fn object(version: &str, flag: &str) -> Value {
    json!({"kind": "ConfigMap", "apiVersion": "v1", "data": {"FLAG": flag},
        "metadata": {"name": "c", "namespace": "shop", "uid": "u", "resourceVersion": version}})
}

/// A guarded patch of the flag from `true` to `false`.
fn flip() -> Write {
    let guarded = patch::build(&object("1", "true"), &[Edit::set("/data/FLAG", "false")], &[]).unwrap();
    Write::Patch { object: ObjectRef::new("v1", "ConfigMap", Some("shop"), "c"), subresource: None, guarded }
}

fn status(code: u16, reason: &str, message: &str) -> Answer {
    let body = json!({"kind": "Status", "code": code, "reason": reason, "message": message, "details": {}});
    Answer::new(code, &body.to_string())
}

fn busy() -> Answer {
    status(429, "TooManyRequests", "too many requests").header("retry-after", "0")
}

fn webhook() -> Answer {
    status(500, "InternalError", "Internal error occurred: failed calling webhook \"w\"").header("retry-after", "0")
}

fn live(version: &str, flag: &str) -> Answer {
    Answer::new(200, &object(version, flag).to_string())
}

/// Sends the patch to a server with these answers, the last one for ever; what it means and the
/// methods of the requests.
async fn meaning(dry: bool, answers: Vec<fn() -> Answer>) -> (Meaning, Vec<String>) {
    let server = Server::http(move |number| answers[(number - 1).min(answers.len() - 1)]());
    let world = World::new();
    let connection: Connection = world.connect(&plain(&server.url)).await;
    let meaning = write::send(&connection, &flip(), &Options::default(), dry).await;
    (meaning, server.take().into_iter().map(|seen| seen.method).collect())
}

async fn real(answers: Vec<fn() -> Answer>) -> (Meaning, Vec<String>) {
    meaning(false, answers).await
}

/// Code and reasons of a refusal.
#[track_caller]
fn refusal(meaning: &Meaning) -> (u16, String) {
    match meaning {
        Meaning::Refused { code, reasons, .. } => (*code, reasons.join("; ")),
        other => panic!("{other:?}"),
    }
}

const PATCH: &str = "PATCH";
const GET: &str = "GET";

#[tokio::test]
async fn a_busy_server_is_asked_three_times() {
    let (done, sent) = real(vec![busy, busy, || live("2", "false")]).await;
    assert!(matches!(done, Meaning::Done { code: 200, .. }), "{done:?}");
    assert_eq!(sent, [PATCH; 3]);
    let (given_up, sent) = real(vec![busy]).await;
    assert_eq!((refusal(&given_up).0, sent), (429, vec![PATCH.to_owned(); 3]));
}

#[tokio::test]
async fn a_webhook_that_does_not_answer_is_tried_twice() {
    let (done, sent) = real(vec![webhook, || live("2", "false")]).await;
    assert!(matches!(done, Meaning::Done { .. }), "{done:?}");
    assert_eq!(sent, [PATCH; 2]);
    let (given_up, sent) = real(vec![webhook]).await;
    let (code, why) = refusal(&given_up);
    assert!(code == 500 && why.contains("failed calling webhook"), "{why}");
    assert_eq!(sent, [PATCH; 2], "nothing was done, so nothing is read");
}

#[tokio::test]
async fn after_a_lost_answer_the_object_tells_and_nothing_is_sent_again() {
    let lost: [fn() -> Answer; 4] = [
        || status(503, "ServiceUnavailable", "the server is going down"),
        || status(504, "Timeout", "request did not complete"),
        || status(500, "InternalError", "etcdserver: leader changed"),
        Answer::hang_up,
    ];
    for answer in lost {
        let (done, sent) = real(vec![answer, || live("2", "false")]).await;
        assert!(matches!(done, Meaning::Done { code: 0, .. }), "{done:?}");
        assert_eq!(sent, [PATCH, GET]);
        let (not_done, _) = real(vec![answer, || live("1", "true")]).await;
        assert!(refusal(&not_done).1.contains("the object is as it was"), "{not_done:?}");
        let (neither, _) = real(vec![answer, || live("3", "maybe")]).await;
        assert!(matches!(neither, Meaning::Ambiguous { .. }), "{neither:?}");
        let (gone, _) = real(vec![answer, || status(404, "NotFound", "")]).await;
        assert!(refusal(&gone).1.contains("does not exist"), "{gone:?}");
    }
    let (unknown, _) = real(vec![lost[1], || status(500, "InternalError", "no")]).await;
    assert!(matches!(unknown, Meaning::Ambiguous { .. }), "{unknown:?}");
}

#[tokio::test]
async fn what_others_did_beside_it_does_not_hide_a_write_that_was_done() {
    fn beside() -> Answer {
        let mut object = object("5", "false");
        object["data"]["OTHER"] = json!("x");
        Answer::new(200, &object.to_string())
    }
    fn another() -> Answer {
        let mut object = object("5", "false");
        object["metadata"]["uid"] = json!("another");
        Answer::new(200, &object.to_string())
    }
    let (done, _) = real(vec![|| status(504, "Timeout", ""), beside]).await;
    assert!(matches!(done, Meaning::Done { code: 0, .. }), "{done:?}");
    let (other, _) = real(vec![|| status(504, "Timeout", ""), another]).await;
    assert!(matches!(other, Meaning::Ambiguous { .. }), "an object of the same name is another: {other:?}");
}

#[tokio::test]
async fn a_change_that_admission_takes_back_is_no_success() {
    let (refused, sent) = real(vec![|| live("1", "true")]).await;
    let (code, why) = refusal(&refused);
    assert!(code == 200 && why.contains("reverted by admission"), "{why}");
    assert_eq!(sent, [PATCH]);
    let (same, _) = real(vec![|| live("1", "false")]).await;
    assert!(matches!(same, Meaning::Done { .. }), "it stands already: {same:?}");
}

#[tokio::test]
async fn too_large_malformed_and_without_a_dry_run() {
    let (large, sent) = real(vec![|| status(413, "RequestEntityTooLarge", "limit is 3145728")]).await;
    assert_eq!((refusal(&large).0, sent.len()), (413, 1));
    let (bad, sent) = real(vec![|| status(400, "BadRequest", "malformed")]).await;
    assert_eq!((refusal(&bad).0, sent.len()), (400, 1));
    let refuses: fn() -> Answer = || status(400, "BadRequest", "admission webhook \"w\" does not support dry run");
    let (Meaning::Refused { hint, .. }, sent) = meaning(true, vec![refuses]).await else { panic!("it is refused") };
    assert!(hint.unwrap().contains("--allow-no-dry-run"));
    assert_eq!(sent.len(), 1);
    let (lost, sent) = meaning(true, vec![Answer::hang_up]).await;
    assert_eq!((refusal(&lost).0, sent), (0, vec![PATCH.to_owned()]), "a dry run changes nothing");
}

#[tokio::test]
async fn expired_credentials_are_renewed_once() {
    let answers: [fn() -> Answer; 2] = [|| status(401, "Unauthorized", "Unauthorized"), || live("2", "false")];
    for (renewed, code) in [(true, 200), (false, 401)] {
        let authority = crate::server::Authority::new();
        let server =
            Server::https(&authority, "127.0.0.1", false, move |number| answers[usize::from(renewed && number > 1)]());
        let world = World::new();
        let plugin = world.plugin(r#"{"token":"t$n"}"#);
        let connection = world.connect(&world.trusting(&server, &authority, &plugin)).await;
        let meaning = write::send(&connection, &flip(), &Options::default(), false).await;
        let seen = server.take();
        assert!(seen.iter().all(|seen| seen.method == Method::PATCH.as_str()));
        assert_eq!((seen.len(), world.runs()), (2, 2), "once more, and no more");
        match meaning {
            Meaning::Done { code: answered, .. } => assert_eq!(answered, code),
            Meaning::Refused { code: answered, hint, .. } => {
                assert_eq!(answered, code);
                assert!(hint.unwrap().contains("log in again"));
            }
            Meaning::Ambiguous { message } => panic!("{message}"),
        }
    }
}
