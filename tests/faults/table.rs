//! The rows of the answer table that need a fault: what a write makes of them, how often it was
//! sent, and what the real server holds afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kubectl_progrc::backend::change::{self, Prepared, Purpose};
use kubectl_progrc::backend::cluster::connect::{ConnectOptions, Connection, Environment, connect};
use kubectl_progrc::backend::cluster::write::Options;
use kubectl_progrc::backend::journal::{Begin, Journal, Outcome, StepResult};
use kubectl_progrc::fix::{Edit, Step};
use kubectl_progrc::model::{ObjectRef, Subject};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::fault::{Action, Fault, Place, Reply};
use crate::harness::{ControlPlane, TestNamespace};
use crate::proxy::Proxy;

/// One write of a flag through a proxy.
struct Bench {
    ns: TestNamespace,
    proxy: Proxy,
    runtime: Runtime,
    connection: Arc<Connection>,
    prepared: Prepared,
}

impl Bench {
    /// Sets a flag up that is to become `false`; the faults meet its PATCH, dry runs aside.
    fn new(prefix: &str, faults: Vec<Fault>, request_timeout: Option<Duration>) -> Self {
        let ns = ControlPlane::bare().namespace(prefix);
        let map =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": {"FLAG": "true"}});
        let made = ns.request(http::Method::POST, "v1/configmaps", Some(&map)).success();
        let proxy = Proxy::start(ControlPlane::bare(), &ns.tester, faults);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = proxy.server().trim_start_matches("--server=").to_owned();
        let kubeconfig = Some(ns.kubeconfig(&ns.tester));
        let options = ConnectOptions { kubeconfig, server: Some(server), request_timeout, ..ConnectOptions::default() };
        let connection = Arc::new(runtime.block_on(connect(&options, &Environment::default())).unwrap());
        let mut object = ObjectRef::new("v1", "ConfigMap", Some(&ns.name), "config");
        object.uid = made["metadata"]["uid"].as_str().map(str::to_owned);
        let step = Step::patch(&Subject::new(object), vec![Edit::set("/data/FLAG", "false")]);
        let prepared = runtime.block_on(change::prepare(&connection, &step, &Options::default())).unwrap().unwrap();
        Self { ns, proxy, runtime, connection, prepared }
    }

    fn commit(&self) -> StepResult {
        let journal = Journal::new(&self.ns.home().join("state"));
        let mut writer = journal.begin("cluster", Begin::default()).unwrap();
        let purpose = Purpose { rule: "rule".into(), title: "title".into(), irreversible: None, awaits: Vec::new() };
        let options = Options::default();
        let commit = change::commit(&self.connection, &mut writer, 0, &purpose, &self.prepared, &options);
        self.runtime.block_on(commit).unwrap()
    }

    /// How often the write was sent, and how often the server saw it.
    fn sent(&self) -> (usize, usize) {
        let log = self.proxy.log();
        let writes = || log.iter().filter(|asked| asked.writes());
        (writes().count(), writes().filter(|asked| asked.code.is_some()).count())
    }

    fn flag(&self) -> String {
        self.ns.get("v1/configmaps/config")["data"]["FLAG"].as_str().unwrap().to_owned()
    }
}

fn busy() -> Action {
    Action::Answer(Reply::status(429, "TooManyRequests", "too many requests").header("retry-after", "1"))
}

fn at_write(nth: usize, action: Action) -> Fault {
    Fault::new(Place::write(nth), action)
}

#[test]
fn a_busy_server_is_asked_again_and_three_times_at_most() {
    let bench = Bench::new("busy", vec![at_write(0, busy()), at_write(1, busy())], None);
    let result = bench.commit();
    assert_eq!((result.outcome, result.code), (Outcome::Applied, 200), "{result:?}");
    assert_eq!((bench.sent(), bench.flag().as_str()), ((3, 1), "false"));

    let bench = Bench::new("busier", (0..4).map(|nth| at_write(nth, busy())).collect(), None);
    let result = bench.commit();
    assert_eq!((result.outcome, result.code), (Outcome::NotApplied, 429), "{result:?}");
    assert_eq!((bench.sent(), bench.flag().as_str()), ((3, 0), "true"));
}

/// Answers that leave open whether it was done: the connection that ends, the half answer, the one
/// that comes too late, and errors of whoever stands before the server.
fn unclear(after: bool) -> Vec<(&'static str, Action)> {
    let reply = |code: u16, reason: &str| {
        let reply = Reply::status(code, reason, "the answer of a proxy");
        if after { Action::AnswerAfter(reply) } else { Action::Answer(reply) }
    };
    let mut out = vec![
        ("500", reply(500, "InternalError")),
        ("503", reply(503, "ServiceUnavailable")),
        ("504", reply(504, "Timeout")),
        ("closed", if after { Action::CloseAfter } else { Action::CloseBefore }),
    ];
    if after {
        out.push(("cut", Action::CutBody));
        out.push(("too late", Action::DelayAnswer(Duration::from_secs(3))));
    }
    out
}

#[test]
fn what_was_done_is_known_although_its_answer_is_lost() {
    for (name, action) in unclear(true) {
        let bench = Bench::new("done", vec![at_write(0, action)], Some(Duration::from_secs(1)));
        let result = bench.commit();
        assert_eq!(result.outcome, Outcome::Applied, "{name}: {result:?}");
        assert_eq!((bench.sent(), bench.flag().as_str()), ((1, 1), "false"), "{name}: sent once");
        assert_eq!(result.changes.len(), 1, "{name}: {result:?}");
    }
}

#[test]
fn what_was_not_done_is_known_and_not_sent_again() {
    for (name, action) in unclear(false) {
        let bench = Bench::new("undone", vec![at_write(0, action)], None);
        let result = bench.commit();
        assert_eq!(result.outcome, Outcome::NotApplied, "{name}: {result:?}");
        assert!(result.message.contains("the object is as it was"), "{name}: {result:?}");
        assert_eq!((bench.sent(), bench.flag().as_str()), ((1, 0), "true"), "{name}: sent once");
    }
}

#[test]
fn where_somebody_else_wrote_too_nobody_knows() {
    let name = Arc::new(std::sync::Mutex::new(String::new()));
    let theirs = name.clone();
    let other = move || {
        let path = format!("/api/v1/namespaces/{}/configmaps/config", theirs.lock().unwrap());
        let change = json!({"data": {"FLAG": "maybe"}});
        ControlPlane::bare().request(http::Method::PATCH, &path, Some(&change)).success();
    };
    // The request is lost, and before the object is read somebody has set the flag.
    let look = Place::of("GET", "/configmaps/config", 1);
    let faults = vec![at_write(0, Action::CloseBefore), Fault::new(look, Action::First(Box::new(move |_| other())))];
    let bench = Bench::new("neither", faults, None);
    name.lock().unwrap().clone_from(&bench.ns.name);
    let result = bench.commit();
    assert_eq!(result.outcome, Outcome::Ambiguous, "{result:?}");
    assert_eq!((bench.sent(), bench.flag().as_str()), ((1, 0), "maybe"));
}

/// Reads of every kind: of the server itself, of a list, and of one object before its write.
#[test]
fn a_read_that_a_busy_server_turns_away_is_repeated_when_it_says() {
    let ns = ControlPlane::bare().namespace("busy-reads");
    let labels = json!({"app": "web"});
    let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": 3, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "main", "image": "registry.example/web:1"}]}}}});
    ns.request(http::Method::POST, "apps/v1/deployments", Some(&web)).success();
    let reads = ["^/version", "/deployments[?]limit=", "/deployments/web$"];
    let faults = reads.map(|read| Fault::new(Place::of("GET", read, 0), busy()));
    let proxy = Proxy::start(ControlPlane::bare(), &ns.tester, faults.into());
    let begun = Instant::now();
    let fix = ["fix", "--yes", "--select=missing-pdb", "--wait=false", &proxy.server()];
    ns.progrc(&fix).run().expect_code(0);
    // Each of the three is waited for in its turn, and no write is sent twice.
    assert!(begun.elapsed() >= Duration::from_secs(3), "{:?}", begun.elapsed());
    let log = proxy.log();
    for read in reads {
        let place = Place::of("GET", read, 0);
        let first = log.iter().position(|asked| place.is(asked)).unwrap();
        let again = log[first + 1..].iter().find(|asked| asked.target == log[first].target);
        assert_eq!((log[first].code, again.and_then(|asked| asked.code)), (None, Some(200)), "{read}");
    }
    assert_eq!(log.iter().filter(|asked| asked.writes()).count(), 1);
}
