//! Every fixture whose rule writes, as a stage; a fair sample of them unless all are asked for.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use kubectl_progrc::fix::Applicability;
use kubectl_progrc::rules::RULES;
use kubectl_progrc::rules::rule::Rule;

use crate::crash::Victim;
use crate::fault::shapes;
use crate::harness::ControlPlane;
use crate::kinds;
use crate::stage::{Stage, Unfit};

/// Work that goes on at the same time.
pub(crate) const WORKERS: usize = 3;

/// True if every case is to run: `make test-long`.
pub(crate) fn is_long() -> bool {
    std::env::var_os("PROGRC_LONG").is_some()
}

/// The stages that alone are wanted, by a part of their names: `PROGRC_STAGE=missing-pdb/fires`.
fn wanted() -> Option<String> {
    std::env::var("PROGRC_STAGE").ok()
}

/// True if also those cases are to run that the protocol can't tell from others: `PROGRC_CASES=all`.
fn wants_all() -> bool {
    std::env::var("PROGRC_CASES").is_ok_and(|cases| cases == "all")
}

/// How many cases of a sweep are to run, if somebody says: `PROGRC_CASES=500`.
fn asked_for() -> Option<usize> {
    if wants_all() { Some(usize::MAX) } else { std::env::var("PROGRC_CASES").ok()?.parse().ok() }
}

/// Stages of one rule in a sample, and fixtures that are tried for them.
const OF_A_RULE: (usize, usize) = (1, 6);

/// The stages that could be set, and what was said about the others.
pub(crate) struct Stages {
    ready: Vec<Mutex<Stage>>,
    defects: Vec<String>,
}

impl Stages {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ready.len()
    }

    /// One of them, for one case at a time.
    pub(crate) fn take(&self, number: usize) -> MutexGuard<'_, Stage> {
        // A case that panicked has said so.
        self.ready[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All stages, set up and rehearsed once.
pub(crate) fn stages() -> &'static Stages {
    static STAGES: OnceLock<Stages> = OnceLock::new();
    STAGES.get_or_init(|| {
        let plane = ControlPlane::bare();
        kinds::install(plane);
        // First all objects, then the rehearsals: cluster-wide ones are seen by every stage.
        let set: Vec<Vec<Named>> = fixtures()
            .into_iter()
            .map(|(rule, files)| {
                files.iter().filter(|file| is_wanted(rule, file)).map(|file| set_up(plane, rule, file)).collect()
            })
            .collect();
        let (mut ready, mut rows, mut defects) = (Vec::new(), Vec::new(), Vec::new());
        for (name, stage) in in_parallel("rehearsals", set, rehearse).into_iter().flatten() {
            match stage {
                Ok(stage) => ready.push(stage),
                Err(Unfit::Scene(why)) => rows.push(format!("  {name}: {why}")),
                Err(Unfit::Defect(why)) => defects.push(format!("{name}: {why}")),
            }
        }
        ready.sort_by(|a, b| a.name.cmp(&b.name));
        share_out(&mut ready);
        rows.sort();
        report(&ready, &rows);
        assert!(!ready.is_empty(), "no fixture could be fixed on the server: {defects:?}");
        Stages { ready: ready.into_iter().map(Mutex::new).collect(), defects }
    })
}

#[test]
fn every_fix_of_the_fixtures_comes_back() {
    let defects = &stages().defects;
    assert!(defects.is_empty(), "{}", defects.join("\n\n"));
}

type Named = (String, Result<Stage, Unfit>);

fn name_of(rule: &Rule, file: &Path) -> String {
    format!("{}/{}", rule.id, file.file_stem().unwrap().to_str().unwrap())
}

fn is_wanted(rule: &Rule, file: &Path) -> bool {
    wanted().is_none_or(|wanted| name_of(rule, file).contains(&wanted))
}

fn set_up(plane: &'static ControlPlane, rule: &'static Rule, file: &Path) -> Named {
    let name = name_of(rule, file);
    (name, Stage::set_up(plane, rule, file).map_err(Unfit::Scene))
}

/// Rehearses the stages of a rule in order, until a sample has enough of them.
fn rehearse(stages: Vec<Named>) -> Vec<Named> {
    let mut ran = 0;
    let mut out = Vec::new();
    for (number, (name, stage)) in stages.into_iter().enumerate() {
        if !is_long() && wanted().is_none() && (ran == OF_A_RULE.0 || number == OF_A_RULE.1) {
            break;
        }
        let stage = stage.and_then(|mut stage| stage.rehearse().map(|()| stage));
        ran += usize::from(stage.is_ok());
        out.push((name, stage));
    }
    out
}

/// Says which commands of which stage are killed and spoiled: the first of each rule that sends its
/// requests in their order.
fn share_out(ready: &mut [Stage]) {
    let mut known = BTreeSet::new();
    for stage in ready {
        let mut is_new = |victim: Victim| known.insert((stage.rule.id, victim, shapes(victim.steps(stage))));
        let own = Victim::ALL.into_iter().filter(|victim| is_new(*victim) || wants_all()).collect();
        stage.victims = own;
    }
}

/// The fixtures whose fixes write: those with a diff beside them, by rule; first those with answers
/// to all questions, then those of a cluster. What only a person does is never written.
fn fixtures() -> Vec<(&'static Rule, Vec<PathBuf>)> {
    let mut out = Vec::new();
    for rule in RULES.iter().filter(|rule| rule.fix.is_some_and(|fix| fix < Applicability::Manual)) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules").join(rule.id);
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| {
            let is_bad = file.file_name().unwrap().to_str().unwrap().starts_with("fires");
            is_bad && file.extension().is_some_and(|it| it == "yaml") && file.with_extension("diff").exists()
        });
        files.sort();
        files.sort_by_key(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            (!text.contains("# set: "), !text.contains("# world: live"))
        });
        if !files.is_empty() {
            out.push((*rule, files));
        }
    }
    out
}

#[expect(clippy::print_stderr, reason = "which fixtures ran is part of the result")]
fn report(ready: &[Stage], rows: &[String]) {
    let rules: BTreeSet<&str> = ready.iter().map(|stage| stage.rule.id).collect();
    let left: Vec<&str> = fixtures().iter().map(|(rule, _)| rule.id).filter(|rule| !rules.contains(rule)).collect();
    eprintln!("{} fixtures of {} rules are fixed and taken back on the server:", ready.len(), rules.len());
    for stage in ready {
        let twin = if stage.victims.is_empty() { ", those of another" } else { "" };
        eprintln!("  {} ({} requests about objects{twin})", stage.name, stage.fix_steps.len());
    }
    eprintln!("{} fixtures could not run:", rows.len());
    rows.iter().for_each(|row| eprintln!("{row}"));
    eprintln!("rules whose fixes write and of which no fixture ran: {left:?}");
}

/// Prints what went wrong with a case, at once: a long sweep is watched.
#[expect(clippy::print_stderr, reason = "somebody waits for it")]
pub(crate) fn failed(what: String) -> String {
    eprintln!("FAILED {what}");
    what
}

/// Prints how a sweep ended, and panics if a case failed.
#[expect(clippy::print_stderr, reason = "how many cases ran is the result")]
pub(crate) fn conclude(sweep: &str, cases: usize, failures: &[String]) {
    let stages = stages().len();
    eprintln!("{sweep}: {cases} cases on {stages} stages, {} failed", failures.len());
    assert!(cases > 0 && failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Does some work with a few threads, and says after each hundred how far it is; the results in no
/// order.
#[expect(clippy::print_stderr, reason = "somebody waits for it")]
pub(crate) fn in_parallel<T: Send, R: Send>(what: &str, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let total = items.len();
    let queue = Mutex::new(VecDeque::from(items));
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some(item) = queue.lock().unwrap().pop_front() else { return };
                    let result = work(item);
                    let mut results = results.lock().unwrap();
                    results.push(result);
                    if results.len() % 100 == 0 {
                        eprintln!("{what}: {} of {total}", results.len());
                    }
                }
            });
        }
    });
    results.into_inner().unwrap()
}

/// How many cases of a sweep run, at most: in `make test` and in `make test-long`.
pub(crate) struct Most {
    pub(crate) test: usize,
    pub(crate) long: usize,
}

/// Every so-many-th case, so that no more are left than that, spread over all.
#[expect(clippy::print_stderr, reason = "what a sample is of is part of the result")]
pub(crate) fn sample<T>(sweep: &str, cases: Vec<T>, most: &Most) -> Vec<T> {
    let total = cases.len();
    let most = asked_for().unwrap_or(if is_long() { most.long } else { most.test }).min(total);
    eprintln!("{sweep}: {most} of {total} cases");
    // The i-th case is kept when the line from 0 to `most` passes a whole number at it.
    cases.into_iter().enumerate().filter(|(i, _)| (i + 1) * most / total > i * most / total).map(|(_, it)| it).collect()
}
