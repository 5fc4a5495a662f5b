//! The process is killed at every boundary: before and after each request and each record.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};

use http::Method;
use kubectl_progrc::backend::cluster::objects;
use kubectl_progrc::backend::journal::{Entry, Intent, StepState, Verb};

use crate::fault::{Asked, Fault, Place, Side};
use crate::harness::{AuditEntry, Invocation};
use crate::proxy::Proxy;
use crate::stage::{Stage, journal, told};
use crate::stages::{Most, conclude, failed, in_parallel, sample, stages};

/// Cases. A long run dies at every boundary.
const MOST: Most = Most { test: 75, long: usize::MAX };

/// What settles the journal after a death.
pub(crate) const RECOVER: [&str; 2] = ["recover", "--yes"];

/// Which command dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Victim {
    Fix,
    Undo,
    /// `recover`, after a `fix` that died when its first write was done.
    Recover,
}

impl Victim {
    pub(crate) const ALL: [Self; 3] = [Self::Fix, Self::Undo, Self::Recover];

    /// The requests about objects that it sends on a stage where nothing goes wrong.
    pub(crate) fn steps(self, stage: &Stage) -> &[Asked] {
        match self {
            Self::Fix => &stage.fix_steps,
            Self::Undo => &stage.undo_steps,
            Self::Recover => &stage.recover_steps,
        }
    }
}

/// How the state becomes a known one again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// `recover` and `undo`: the first state.
    Back,
    /// `recover` and `fix`: the last one; then back.
    Forth,
}

/// One death.
#[derive(Clone, Copy, Debug)]
struct Case {
    stage: usize,
    victim: Victim,
    /// The request about an object, from 0.
    at: usize,
    side: Side,
    /// The last line of the journal is cut, as if it had not reached the disk whole.
    torn: bool,
    ending: Ending,
}

#[test]
fn a_process_killed_anywhere_loses_nothing() {
    let all = stages();
    let cases = sample("crash sweep", cases(), &MOST);
    let total = cases.len();
    let failures: Vec<String> = in_parallel("crash sweep", cases, |case| {
        let stage = all.take(case.stage);
        let result = run(&stage, case);
        if result.is_err() {
            stage.first.restore(stage.plane, &stage.namespaces);
        }
        let what = case.victim.steps(&stage).get(case.at);
        let what = what.map(|asked| format!(" ({})", asked.short())).unwrap_or_default();
        result.err().map(|error| failed(format!("{} {case:?}{what}: {error}", stage.name)))
    })
    .into_iter()
    .flatten()
    .collect();
    conclude("crash sweep", total, &failures);
}

/// Every death on every stage.
fn cases() -> Vec<Case> {
    let mut out = Vec::new();
    for stage in 0..stages().len() {
        // The next fix of such a rule is its next stage: the last state is not its last.
        let goes_on = has_next_stage(stage);
        for (victim, steps) in commands(stage) {
            let first = steps.iter().position(Asked::writes).unwrap_or(steps.len());
            for at in 0..=steps.len() {
                for (side, torn) in [(Side::Before, false), (Side::Before, true), (Side::After, false)] {
                    // Of a read it is the same whether the server has seen it.
                    if side == Side::After && !steps.get(at).is_some_and(Asked::writes) {
                        continue;
                    }
                    // The journal of a fix begins with its first write: until then there is nothing to tear.
                    if torn && victim == Victim::Fix && at < first {
                        continue;
                    }
                    let forth = victim == Victim::Fix && !goes_on && out.len() % 3 == 0;
                    let ending = if forth { Ending::Forth } else { Ending::Back };
                    out.push(Case { stage, victim, at, side, torn, ending });
                }
            }
        }
    }
    out
}

/// True if what is left after a fix is a stage of the same rule.
fn has_next_stage(stage: usize) -> bool {
    let rule = stages().take(stage).rule;
    rule.next_stages.contains(&rule.id)
}

/// The commands of a stage that are cases of their own, and the requests about objects that each sends.
pub(crate) fn commands(stage: usize) -> Vec<(Victim, Vec<Asked>)> {
    let stage = stages().take(stage);
    stage.victims.iter().map(|victim| (*victim, victim.steps(&stage).to_vec())).collect()
}

fn run(stage: &Stage, case: Case) -> Result<(), String> {
    let home = stage.new_home();
    stage.reset();
    let mark = stage.plane.mark();
    let undo = ["undo", "--yes", "--wait=false"].map(str::to_owned);
    let mut whole = Vec::new();
    match case.victim {
        Victim::Fix => {}
        Victim::Undo => drop(expect(stage, &home, &stage.fix_args(), &[0])?),
        Victim::Recover => leave_half_done(stage, &home)?,
    }
    if case.victim != Victim::Fix {
        whole = lines_of(&home);
    }
    let args = match case.victim {
        Victim::Fix => stage.fix_args(),
        Victim::Undo => undo.to_vec(),
        Victim::Recover => RECOVER.map(str::to_owned).to_vec(),
    };
    let steps = case.victim.steps(stage).len();
    let place = if case.at < steps { Place::step(case.at) } else { Place::after_steps(steps) };
    let end = die(stage, &home, &args, place, case.side);
    // All requests of `fix` are known from its rehearsal; it has to come this far. The others may
    // have less to do.
    if let (Some(status), Victim::Fix) = (end, case.victim)
        && case.at < steps
    {
        return Err(format!("fix never came to its request {}: {status}", case.at));
    }
    if case.torn {
        tear(&home, &whole, case.at * 7919 + case.stage * 104_729)?;
    }
    expect(stage, &home, &RECOVER.map(str::to_owned), &[0])?;
    let open = journal(&home)?.iter().flat_map(|entry| entry.steps.clone()).find(|it| it.state() == StepState::Open);
    if let Some(open) = open {
        return Err(format!("recover leaves a step open: {:?}", open.intent.object));
    }
    if case.ending == Ending::Forth {
        expect(stage, &home, &stage.fix_args(), &[0])?;
        let differs = stage.last.differs_in_more_than_time(&stage.now());
        if !differs.is_empty() {
            return Err(format!("recover and fix do not lead to the last state: {differs:#?}"));
        }
    }
    back(stage, &home)?;
    let user = &stage.ns.tester.name;
    let writes = stage.plane.requests(mark, |entry| entry.user == *user && entry.writes());
    unjournaled(&writes, &journal(&home)?)
}

/// Takes everything back, entry by entry, to the first state.
pub(crate) fn back(stage: &Stage, home: &Path) -> Result<(), String> {
    for _ in 0..4 {
        let ended = expect(stage, home, &["undo", "--yes", "--wait=false"].map(str::to_owned), &[0, 2])?;
        if ended.code == 2 && ended.said.contains("nothing to undo") {
            let differs = stage.first.differs(&stage.now());
            return if differs.is_empty() { Ok(()) } else { Err(format!("not the first state: {differs:#?}")) };
        }
        if ended.code == 2 {
            return Err(format!("undo ends with 2: {}", ended.said));
        }
    }
    Err("there is always something left to undo".to_owned())
}

/// How a command ended that was let alone.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) said: String,
}

/// Runs a command without faults.
pub(crate) fn expect(stage: &Stage, home: &Path, args: &[String], codes: &[i32]) -> Result<Ended, String> {
    let ended = stage.run(home, args);
    let said = told(&ended);
    match ended.code {
        Some(code) if codes.contains(&code) => Ok(Ended { code, said }),
        code => Err(format!("{} ends with {code:?}, not {codes:?}:\n{said}", args[0])),
    }
}

/// A `fix` that dies when its first write is done and its answer is not heard.
pub(crate) fn leave_half_done(stage: &Stage, home: &Path) -> Result<(), String> {
    match die(stage, home, &stage.fix_args(), Place::write(0), Side::After) {
        None => Ok(()),
        Some(status) => Err(format!("fix never came to its first write: {status}")),
    }
}

/// Runs a command until it comes to the boundary and kills it there. How it ended if it never came
/// there.
fn die(stage: &Stage, home: &Path, args: &[String], place: Place, side: Side) -> Option<ExitStatus> {
    let (fault, held) = Fault::hold(place, side);
    let proxy = Proxy::start(stage.plane, &stage.ns.tester, vec![fault]);
    let mut child = start(&stage.command(home, args, &proxy));
    let reached = held.wait(|| child.try_wait().unwrap().is_some());
    child.kill().unwrap();
    let status = child.wait().unwrap();
    drop(held);
    (!reached).then_some(status)
}

fn start(command: &Invocation) -> Child {
    command.command().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Cuts the last line of the journal somewhere, if the one who died wrote it: what was there before
/// was on the disk.
fn tear(home: &Path, whole: &[(PathBuf, usize)], seed: usize) -> Result<(), String> {
    let Some((file, lines)) = lines_of(home).into_iter().max() else { return Ok(()) };
    if whole.iter().any(|(before, there)| *before == file && *there == lines) {
        return Ok(());
    }
    let bytes = fs::read(&file).map_err(|error| error.to_string())?;
    let last = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let start = last.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let kept = start + seed % (last.len() - start + 1);
    fs::write(&file, &bytes[..kept]).map_err(|error| error.to_string())
}

/// The files of a journal and how many lines each has.
fn lines_of(home: &Path) -> Vec<(PathBuf, usize)> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).map(|all| all.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
    };
    let folders = list(&home.join("kubectl-progrc"));
    let files = folders.iter().flat_map(|folder| list(folder));
    files
        .filter(|file| file.extension().is_some_and(|it| it == "jsonl"))
        .map(|file| (file.clone(), fs::read_to_string(&file).unwrap_or_default().matches('\n').count()))
        .collect()
}

/// Every write of the audit log has an intent of its own in the journal.
pub(crate) fn unjournaled(writes: &[AuditEntry], entries: &[Entry]) -> Result<(), String> {
    // One intent covers the values and, after an undo, a second request that hands their fields back.
    let requests = |intent: &Intent| if intent.hand_back.is_some() { 2 } else { 1 };
    let mut intents: Vec<&Intent> = entries
        .iter()
        .flat_map(|entry| &entry.steps)
        .flat_map(|step| std::iter::repeat_n(&step.intent, requests(&step.intent)))
        .collect();
    for write in writes {
        let Some(at) = intents.iter().position(|intent| is_of(intent, write)) else {
            return Err(format!("a write that the journal does not know: {} {}", write.verb, write.uri));
        };
        intents.swap_remove(at);
    }
    Ok(())
}

fn is_of(intent: &Intent, write: &AuditEntry) -> bool {
    let (verb, method) = match intent.verb {
        Verb::Patch => ("patch", Method::PATCH),
        Verb::Create => ("create", Method::POST),
        Verb::Delete => ("delete", Method::DELETE),
    };
    let path = match method {
        Method::POST => objects::collection_path(&intent.object),
        _ => objects::path(&intent.object, intent.subresource.as_deref()),
    };
    let sent = write.uri.split('?').next().unwrap_or_default();
    // Fields go back to their owners in the object itself, whichever part of it was changed.
    let owners = (intent.hand_back.is_some() && verb == "patch").then(|| objects::path(&intent.object, None));
    write.verb == verb && (sent == path || owners.is_some_and(|path| sent == path))
}
