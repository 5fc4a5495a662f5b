//! Says where the time of an audit of manifests goes: reading, indexing, each rule, outlook, report.
//!
//!     cargo bench --bench phases -- DIR
//!
//! Prints Markdown rows; the best of some runs, each on the same objects. Ends with 1 if one rule
//! costs 10 % of the evaluation or more.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use kubectl_progrc::audit::{self, Config};
use kubectl_progrc::backend::manifests::{self, ReadOptions};
use kubectl_progrc::backend::snapshot;
use kubectl_progrc::model::references::References;
use kubectl_progrc::model::routes::Routes;
use kubectl_progrc::model::scrapes::Scrapes;
use kubectl_progrc::model::{Inventory, Scope};
use kubectl_progrc::plan::outlook::{Reach, score_with_outlook};
use kubectl_progrc::rules::RULES;
use kubectl_progrc::rules::rule::{Context, Depth, Verdicts};

/// Runs of which the best counts.
const RUNS: usize = 5;
/// Runs of all rules in turn: a slow moment of the machine then meets one run of many rules, not all
/// runs of one.
const ROUNDS: usize = 10;
/// The most that one rule may cost of the evaluation.
const SHARE: f64 = 0.1;

fn main() -> ExitCode {
    // Cargo runs benches in tests too, without this flag.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(directory) = arguments.next() else { return ExitCode::SUCCESS };
    if phases(&directory) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures the phases and prints them; true if no rule costs too much.
#[expect(clippy::print_stdout, reason = "the head of a table")]
fn phases(directory: &str) -> bool {
    let options = ReadOptions { paths: vec![directory.to_owned()], recursive: true, ..ReadOptions::default() };
    let read = || manifests::read(&options, &mut std::io::empty()).expect("the manifests are readable");
    println!("| phase of an audit of these manifests | time | share of the rules |\n|---|---|---|");
    print("reading and parsing alone", best(read), None);
    let take = || snapshot::read(&options, &mut std::io::empty(), Scope::default(), false, None);
    print("reading, parsing, making the inventory", best(take), None);
    let inventory = take().expect("the manifests are readable").inventory;
    let shared = || (References::of(&inventory), Routes::of(&inventory), Scrapes::of(&inventory));
    print("what rules share: references, routes, scrapes", best(shared), None);
    let config = Config::default();
    let settings = config.settings();
    let audit = || audit::run_configured(&inventory, &settings, &config, RULES);
    let whole = best(audit);
    print("evaluation: all rules and guards", whole, None);
    let mut rules: Vec<_> = RULES.iter().map(|rule| (Duration::MAX, rule.id)).collect();
    for _ in 0..ROUNDS {
        for (rule, (best, _)) in RULES.iter().zip(&mut rules) {
            *best = time(|| check(&inventory, &settings, rule)).min(*best);
        }
    }
    let sum: Duration = rules.iter().map(|(time, _)| *time).sum();
    let judged = audit();
    let again = |inventory: &Inventory, rules: &[_]| {
        audit::run_configured_to(Depth::Verdicts, inventory, &settings, &config, rules)
    };
    let outlook = best(|| score_with_outlook(&inventory, &judged, Reach::Safe, again));
    print("outlook: the scores after fixes", outlook, None);
    rules.sort_by(|a, b| b.cmp(a));
    for (time, id) in rules.iter().take(12) {
        print(id, *time, Some(time.as_secs_f64() / sum.as_secs_f64()));
    }
    print("all rules, one after another", sum, None);
    rules[0].0.as_secs_f64() < SHARE * sum.as_secs_f64()
}

fn check(
    inventory: &Inventory,
    settings: &kubectl_progrc::rules::settings::Settings,
    rule: &'static kubectl_progrc::rules::rule::Rule,
) -> Verdicts<'static> {
    let mut verdicts = Verdicts::default();
    (rule.check)(&Context::whole(inventory, settings, rule), &mut verdicts);
    verdicts
}

/// The best time of some runs.
fn best<T>(work: impl Fn() -> T) -> Duration {
    (0..RUNS).map(|_| time(&work)).min().expect("there is a run")
}

/// The time of one run, without that to drop what it returns.
fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let result = work();
    let time = start.elapsed();
    drop(result);
    time
}

#[expect(clippy::print_stdout, reason = "rows of a table")]
fn print(what: &str, time: Duration, share: Option<f64>) {
    let share = share.map(|share| format!("{:.1} %", share * 100.0)).unwrap_or_default();
    println!("| {what} | {:.1} ms | {share} |", time.as_secs_f64() * 1e3);
}
