//! Every bad answer at every request: lost, late, refused, cut, or true but never told.

use std::path::Path;
use std::time::Duration;

use http::Method;
use kubectl_progrc::backend::journal::{Entry, StepState};
use serde_json::json;
use ulid::Ulid;

use crate::crash::{RECOVER, Victim, back, commands, expect, leave_half_done, unjournaled};
use crate::fault::{Action, Asked, Fault, Place, Reply};
use crate::harness::ControlPlane;
use crate::proxy::Proxy;
use crate::stage::{Stage, journal, told};
use crate::stages::{Most, conclude, failed, in_parallel, sample, stages};
use crate::state::{BESIDE, State};

/// Cases. In a long run each request meets three or four of the faults, and the next one others.
const MOST: Most = Most { test: 75, long: 3_000 };

type MakeAction = fn() -> Action;

/// At which requests a fault does what no other of the table does.
#[derive(Clone, Copy)]
enum At {
    Any,
    /// Of a request that changes nothing it is the same whether the server has seen it.
    Write,
    /// Where no object is named, nobody writes beside.
    Object,
}

impl At {
    fn is(self, asked: &Asked) -> bool {
        match self {
            Self::Any => true,
            Self::Write => asked.writes(),
            Self::Object => names_object(asked),
        }
    }
}

fn names_object(asked: &Asked) -> bool {
    asked.method != "POST" && !asked.path().ends_with("reviews")
}

/// The bad days of a network and a server.
const FAULTS: [(&str, At, MakeAction); 15] = [
    ("close before", At::Any, || Action::CloseBefore),
    ("close after", At::Write, || Action::CloseAfter),
    ("late", At::Any, || Action::Delay(Duration::from_millis(300))),
    ("too late", At::Any, || Action::DelayAnswer(PATIENCE * 3)),
    ("cut", At::Any, || Action::CutBody),
    ("another writer first", At::Object, || Action::First(Box::new(write_beside))),
    ("401", At::Any, || Action::Answer(Reply::status(401, "Unauthorized", "Unauthorized"))),
    ("409", At::Any, || {
        Action::Answer(Reply::status(409, "Conflict", "the object has been modified; please apply your changes"))
    }),
    ("410", At::Any, || Action::Answer(Reply::status(410, "Expired", "the resource version is too old"))),
    ("422", At::Any, || Action::Answer(Reply::failed_guard())),
    ("429", At::Any, || {
        Action::Answer(Reply::status(429, "TooManyRequests", "too many requests").header("retry-after", "1"))
    }),
    ("500 webhook", At::Any, || {
        let text = "Internal error occurred: failed calling webhook \"policy.example.com\": connection refused";
        Action::Answer(Reply::status(500, "InternalError", text))
    }),
    ("503", At::Any, || Action::Answer(Reply::status(503, "ServiceUnavailable", "apiserver is shutting down"))),
    ("503 after the commit", At::Write, || {
        Action::AnswerAfter(Reply::status(503, "ServiceUnavailable", "apiserver is shutting down"))
    }),
    ("504 after the commit", At::Any, || {
        Action::AnswerAfter(Reply::status(504, "Timeout", "request did not complete within the allotted timeout"))
    }),
];

/// How long the plugin waits for an answer where one comes too late.
const PATIENCE: Duration = Duration::from_secs(1);

/// Somebody writes the object that is asked for, beside all that matters to us: it has another
/// version now, and another owner of a field.
fn write_beside(asked: &Asked) {
    if !names_object(asked) {
        return;
    }
    let path = asked.path().trim_end_matches("/scale");
    let mark = Ulid::generate().to_string();
    let change = json!({"metadata": {"annotations": {BESIDE: mark}}});
    // What is not there nobody writes.
    ControlPlane::bare().request(Method::PATCH, path, Some(&change));
}

#[derive(Clone, Copy, Debug)]
struct Case {
    stage: usize,
    /// `undo` comes after a whole `fix`, `recover` after one that died.
    victim: Victim,
    /// The request about an object, from 0.
    at: usize,
    fault: usize,
}

#[test]
fn a_bad_answer_to_any_request_is_survived_and_told() {
    let all = stages();
    let cases = sample("fault sweep", cases(), &MOST);
    let total = cases.len();
    let failures: Vec<String> = in_parallel("fault sweep", cases, |case| {
        let stage = all.take(case.stage);
        let result = run(&stage, case);
        if result.is_err() {
            stage.first.restore(stage.plane, &stage.namespaces);
        }
        let asked = &case.victim.steps(&stage)[case.at];
        let what = format!("{} {:?} {} {} ({})", stage.name, case.victim, FAULTS[case.fault].0, case.at, asked.short());
        result.err().map(|error| failed(format!("{what}: {error}")))
    })
    .into_iter()
    .flatten()
    .collect();
    conclude("fault sweep", total, &failures);
}

/// Every fault at every request, where it is one of its own.
fn cases() -> Vec<Case> {
    let mut out = Vec::new();
    for stage in 0..stages().len() {
        for (victim, steps) in commands(stage) {
            for (at, asked) in steps.iter().enumerate() {
                let own = FAULTS.iter().enumerate().filter(|(_, (_, place, _))| place.is(asked));
                out.extend(own.map(|(fault, _)| Case { stage, victim, at, fault }));
            }
        }
    }
    out
}

/// What the victim is told to do, between which states, which it has to come to.
struct Order {
    args: Vec<String>,
    from: State,
    /// None for a `recover`: what it has to do depends on where the `fix` died.
    to: Option<State>,
}

fn order(stage: &Stage, home: &Path, victim: Victim) -> Result<Order, String> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    Ok(match victim {
        Victim::Fix => Order { args: stage.fix_args(), from: stage.first.clone(), to: Some(stage.last.clone()) },
        Victim::Undo => {
            expect(stage, home, &stage.fix_args(), &[0])?;
            Order { args: words(&["undo", "--yes", "--wait=false"]), from: stage.now(), to: Some(stage.first.clone()) }
        }
        Victim::Recover => {
            leave_half_done(stage, home)?;
            Order { args: words(&RECOVER), from: stage.now(), to: None }
        }
    })
}

fn run(stage: &Stage, case: Case) -> Result<(), String> {
    let home = stage.new_home();
    stage.reset();
    let mark = stage.plane.mark();
    let Order { mut args, from, to } = order(stage, &home, case.victim)?;
    if FAULTS[case.fault].0 == "too late" {
        args.push(format!("--request-timeout={}s", PATIENCE.as_secs()));
    }
    let proxy =
        Proxy::start(stage.plane, &stage.ns.tester, vec![Fault::new(Place::step(case.at), FAULTS[case.fault].2())]);
    let ended = stage.command(&home, &args, &proxy).run();
    let said = told(&ended);
    let now = stage.now();
    let Some(code) = ended.code.filter(|code| [0, 1, 2, 3, 130].contains(code)) else {
        return Err(format!("it ends with {:?}:\n{said}", ended.code));
    };
    let wrote = proxy.log().iter().any(|it| it.writes() && it.code.is_some_and(|code| code < 300));
    let differs = to.map(|to| to.differs_in_more_than_time(&now)).unwrap_or_default();
    let problem = match code {
        0 if !differs.is_empty() => Some("all is well, it says, and the state is not the last one"),
        2 if wrote || !from.differs(&now).is_empty() => Some("nothing is written, it says, and something is"),
        1..=3 if !said.contains("error: ") && !said.contains("left") => Some("it does not say what went wrong"),
        _ => None,
    };
    if let Some(problem) = problem {
        return Err(format!("{problem} (exit {code}): {differs:#?}\n{said}"));
    }
    let entries = journal(&home)?;
    let own = |entry: &&Entry| (entry.begin.command == "undo") == (case.victim == Victim::Undo);
    match entries.iter().find(own) {
        Some(entry) if case.victim != Victim::Recover => {
            known(entry, &proxy.log(), code).map_err(|error| format!("{error} (exit {code}):\n{said}"))?;
        }
        Some(entry) if code == 0 && entry.is_open() => return Err(format!("it leaves the entry open:\n{said}")),
        None if wrote => return Err(format!("something is written and there is no entry:\n{said}")),
        _ => {}
    }
    expect(stage, &home, &RECOVER.map(str::to_owned), &[0])?;
    back(stage, &home).map_err(|error| format!("{error}\nbefore that, exit {code}:\n{said}"))?;
    let user = &stage.ns.tester.name;
    let writes = stage.plane.requests(mark, |entry| entry.user == *user && entry.writes());
    unjournaled(&writes, &journal(&home)?)
}

/// The journal says of each write what became of it, and does not err.
fn known(entry: &Entry, log: &[Asked], code: i32) -> Result<(), String> {
    for step in &entry.steps {
        let name = &step.intent.object.name;
        // A write may be sent again after an answer that proves that nothing was done.
        let done = log.iter().any(|asked| {
            let here = asked.path().split('/').any(|part| part == name) || asked.method == "POST";
            asked.writes() && here && asked.code.is_some_and(|code| code < 300)
        });
        match step.state() {
            StepState::Applied if !done => return Err(format!("{name} is not written, and the journal says it is")),
            StepState::NotApplied if done && entry.steps.len() == 1 => {
                return Err(format!("{name} is written, and the journal says it is not"));
            }
            StepState::Open if code != 3 => {
                return Err(format!("what became of {name} is open, and the exit code is not 3"));
            }
            _ => {}
        }
    }
    Ok(())
}
