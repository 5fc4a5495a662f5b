//! Measures a live audit and a batch of fixes against a bare client, on etcd and an API server of
//! its own.
//!
//! Prints rows of the table of `bench/run.sh`, which builds the binary and names it in
//! `BENCH_BINARY`; without it the one that Cargo built is measured. `BENCH_PODS` is the number of
//! pods (default 20,000); there are two other objects for five pods. Ends with 1 if a figure is
//! missed. Needs GNU time and the test control plane.

// The harness serves the tests; this uses a part of it.
#[path = "../tests/cluster/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests use what this does not")]
mod harness;
#[path = "live/bare.rs"]
mod bare;
#[path = "live/batch.rs"]
mod batch;
#[path = "live/measure.rs"]
mod measure;
#[path = "live/objects.rs"]
mod objects;

use std::collections::BTreeSet;
use std::process::ExitCode;

use harness::ControlPlane;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// Runs of which the best counts.
const RUNS: usize = 3;
/// Pods without `BENCH_PODS`.
const PODS: usize = 20_000;

/// One figure in seconds or megabytes against its limit.
struct Row {
    command: String,
    measured: String,
    target: String,
    reached: bool,
    others: String,
}

fn main() -> ExitCode {
    // Cargo runs benches in tests too, without this flag.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let pods = std::env::var("BENCH_PODS").map_or(PODS, |text| text.parse().expect("BENCH_PODS is a number"));
    // The batch comes first: the audits around it are then those of a small cluster.
    let mut rows = vec![measured_batch()];
    rows.extend(measured(pods));
    print(&rows);
    // The control plane lives in a static: it ends with this process.
    if rows.iter().all(|row| row.reached) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Applies a batch of independent fixes and sends the same requests bare, in namespaces of their own.
fn measured_batch() -> Row {
    let plane = ControlPlane::bare();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be started");
    let (mut best, mut least) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..RUNS {
        let (ours, other) = (plane.namespace("batch"), plane.namespace("bare"));
        let client = runtime.block_on(client(&ours.kubeconfig(plane.admin())));
        runtime.block_on(batch::create(&client, &ours.name));
        let fix = ours.progrc(&["fix", "--yes", "--select", "missing-pdb", "-o", "name"]).command();
        best = best.min(measure::run(&fix).seconds);
        least = least.min(runtime.block_on(batch::bare(&client, &other.name)));
    }
    Row {
        command: format!("`fix --yes`, {} independent fixes", batch::FIXES),
        measured: format!("{best:.2} s, {:.2} ×", best / least),
        target: "≤ 2 × bare dry runs and writes, one after another".to_owned(),
        reached: best <= 2.0 * least,
        others: format!("bare requests: {least:.2} s"),
    }
}

/// Fills a cluster and measures both clients and kubectl on it.
fn measured(pods: usize) -> Vec<Row> {
    let plane = ControlPlane::bare();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be started");
    let namespace = plane.namespace("bench");
    let client = runtime.block_on(client(&namespace.kubeconfig(plane.admin())));
    let total = runtime.block_on(objects::create(&client, pods));

    let args = ["audit", "-A", "--fail-on", "never", "-o", "name"];
    // The first run warms the server; it also tells which lists the audit reads.
    let audit = namespace.progrc(&args).command();
    let mark = plane.mark();
    measure::run(&audit);
    let paths = list_paths(&plane.requests(mark, |entry| entry.user == namespace.tester.name));
    let mut audits = Vec::new();
    let mut fetches = Vec::new();
    for _ in 0..RUNS {
        // In turns, so that both see the same server.
        audits.push(measure::run(&audit));
        fetches.push(runtime.block_on(bare::fetch(&client, &paths)));
    }
    let kubectl = namespace.kubectl(&["get", "pods", "-A"]).command();
    let kubectl = (0..RUNS).map(|_| measure::run(&kubectl).seconds).fold(f64::INFINITY, f64::min);
    let pages = fetches[0].pages;
    assert!(pages * bare::PAGE >= total, "the bare client fetched {pages} pages of {total} objects");
    let best = audits.iter().map(|run| run.seconds).fold(f64::INFINITY, f64::min);
    let least = fetches.iter().map(|fetch| fetch.seconds).fold(f64::INFINITY, f64::min);
    let memory = audits.iter().map(|run| run.megabytes).fold(0.0, f64::max);
    let command = format!("`audit -A -o name`, {total} objects, {pods} of them pods");
    vec![
        Row {
            command: command.clone(),
            measured: format!("{best:.2} s, {:.2} ×", best / least),
            target: "≤ 1.5 × a client that drops what it fetches".to_owned(),
            reached: best <= 1.5 * least,
            others: format!("bare client: {least:.2} s, {pages} pages; `kubectl get pods -A`: {kubectl:.2} s"),
        },
        Row {
            command,
            measured: format!("{memory:.0} MB"),
            target: "< 250 MB".to_owned(),
            reached: memory < 250.0,
            others: String::new(),
        },
    ]
}

/// The paths of all lists that were answered, in the order of their first request.
fn list_paths(requests: &[harness::AuditEntry]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let lists = requests.iter().filter(|entry| entry.verb == "list" && entry.code == Some(200));
    let paths = lists.map(|entry| entry.uri.split('?').next().unwrap_or_default().to_owned());
    paths.filter(|path| seen.insert(path.clone())).collect()
}

/// A client as the plugin's: the same transport, the same compression.
async fn client(kubeconfig: &std::path::Path) -> Client {
    let file = Kubeconfig::read_from(kubeconfig).expect("the harness wrote it");
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("the kubeconfig is whole")).expect("the CA is readable")
}

#[expect(clippy::print_stdout, reason = "rows for the table of bench/run.sh")]
fn print(rows: &[Row]) {
    for Row { command, measured, target, reached, others } in rows {
        let mark = if *reached { "" } else { " **MISSED**" };
        println!("| {command} | {measured}{mark} | {target} | {others} |");
    }
}
