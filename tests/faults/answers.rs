//! Every bad answer at every request: lost, late, refused, cut, or true but never told.

use std::time::Duration;

use kubectl_progrc::backend::journal::{Entry, StepState};

use crate::crash::{back, expect, lengths, unjournaled};
use crate::fault::{Action, Asked, Fault, Place, Reply};
use crate::proxy::Proxy;
use crate::stage::{Stage, journal, told};
use crate::stages::{conclude, in_parallel, sample, stages};

/// Cases of `make test`.
const MOST: usize = 75;

/// The bad days of a network and a server.
const FAULTS: [(&str, fn() -> Action); 13] = [
    ("close before", || Action::CloseBefore),
    ("close after", || Action::CloseAfter),
    ("late", || Action::Delay(Duration::from_millis(300))),
    ("cut", || Action::CutBody),
    ("401", || Action::Answer(Reply::status(401, "Unauthorized", "Unauthorized"))),
    ("409", || {
        Action::Answer(Reply::status(409, "Conflict", "the object has been modified; please apply your changes"))
    }),
    ("410", || Action::Answer(Reply::status(410, "Expired", "the resource version is too old"))),
    ("422", || Action::Answer(Reply::failed_guard())),
    ("429", || Action::Answer(Reply::status(429, "TooManyRequests", "too many requests").header("retry-after", "1"))),
    ("500 webhook", || {
        let text = "Internal error occurred: failed calling webhook \"policy.example.com\": connection refused";
        Action::Answer(Reply::status(500, "InternalError", text))
    }),
    ("503", || Action::Answer(Reply::status(503, "ServiceUnavailable", "apiserver is shutting down"))),
    ("503 after the commit", || {
        Action::AnswerAfter(Reply::status(503, "ServiceUnavailable", "apiserver is shutting down"))
    }),
    ("504 after the commit", || {
        Action::AnswerAfter(Reply::status(504, "Timeout", "request did not complete within the allotted timeout"))
    }),
];

#[derive(Clone, Copy, Debug)]
struct Case {
    stage: usize,
    /// The request about an object, from 0.
    at: usize,
    fault: usize,
    /// The victim is `undo`, after a whole `fix`.
    undo: bool,
}

#[test]
fn a_bad_answer_to_any_request_is_survived_and_told() {
    let all = stages();
    let mut cases = Vec::new();
    for stage in 0..all.len() {
        let (fix, undo) = lengths(stage);
        for fault in 0..FAULTS.len() {
            cases.extend((0..fix).map(|at| Case { stage, at, fault, undo: false }));
            cases.extend((0..undo).map(|at| Case { stage, at, fault, undo: true }));
        }
    }
    let cases = sample(cases, MOST);
    let total = cases.len();
    let failures: Vec<String> = in_parallel(cases, |case| {
        let stage = all.take(case.stage);
        let result = run(&stage, case);
        if result.is_err() {
            stage.first.restore(stage.plane, &stage.namespaces);
        }
        let asked = if case.undo { &stage.undo_steps[case.at] } else { &stage.fix_steps[case.at] };
        let victim = if case.undo { "undo" } else { "fix" };
        let what = format!("{} {victim} {} {} ({})", stage.name, FAULTS[case.fault].0, case.at, asked.short());
        result.err().map(|error| format!("{what}: {error}"))
    })
    .into_iter()
    .flatten()
    .collect();
    conclude("fault sweep", total, failures);
}

fn run(stage: &Stage, case: Case) -> Result<(), String> {
    let home = stage.new_home();
    stage.reset();
    let mark = stage.plane.mark();
    let mut args = stage.fix_args();
    let mut from = &stage.first;
    let mut to = &stage.last;
    let last;
    if case.undo {
        expect(stage, &home, &args, &[0])?;
        last = stage.now();
        (from, to) = (&last, &stage.first);
        args = ["undo", "--yes", "--wait=false"].map(str::to_owned).to_vec();
    }
    let proxy =
        Proxy::start(stage.plane, &stage.ns.tester, vec![Fault::new(Place::step(case.at), FAULTS[case.fault].1())]);
    let ended = stage.command(&home, &args, &proxy).run();
    let said = told(&ended);
    let now = stage.now();
    let Some(code) = ended.code.filter(|code| [0, 1, 2, 3, 130].contains(code)) else {
        return Err(format!("it ends with {:?}:\n{said}", ended.code));
    };
    let committed: Vec<Asked> =
        proxy.log().into_iter().filter(|it| it.writes() && it.code.is_some_and(|code| code < 300)).collect();
    let (unchanged, done) = (from.differs(&now).is_empty(), to.differs_in_more_than_time(&now).is_empty());
    let entry = journal(&home)?.into_iter().next().filter(|entry| (entry.begin.command == "undo") == case.undo);
    let problem = match code {
        0 if !done => Some("all is well, it says, and the state is not the last one"),
        2 if !unchanged || !committed.is_empty() => Some("nothing is written, it says, and something is"),
        1..=3 if !said.contains("error: ") && !said.contains("left") => Some("it does not say what went wrong"),
        _ => None,
    };
    if let Some(problem) = problem {
        return Err(format!("{problem} (exit {code}): {:#?}\n{said}", to.differs_in_more_than_time(&now)));
    }
    if let Some(entry) = &entry {
        known(entry, &proxy.log(), code).map_err(|error| format!("{error} (exit {code}):\n{said}"))?;
    } else if !committed.is_empty() {
        return Err(format!("something is written and there is no entry:\n{said}"));
    }
    expect(stage, &home, &["recover", "--yes"].map(str::to_owned), &[0])?;
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
