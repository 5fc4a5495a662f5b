//! One world after the other: made, fixed, looked at, taken back.

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use http::Method;
use kubectl_progrc::rules::find;
use serde_json::Value;

use crate::generate::{World, world};
use crate::harness::{ControlPlane, Finished, TestNamespace};
use crate::look::Look;
use crate::state::State;

/// Worlds of `make test`, and of `make test-long`.
const WORLDS: (u64, u64) = (10, 200);

/// How long a fix waits for one rollout. Some never end, and are taken back.
const PATIENCE: &str = "--timeout=30s";

/// How long an undo does: what ran before comes up again, however busy the machine is.
const MORE_PATIENCE: &str = "--timeout=2m";

/// Worlds at the same time.
const WORKERS: usize = 4;

#[test]
fn every_world_is_better_off_and_comes_back() {
    let long = std::env::var_os("PROGRC_LONG").is_some();
    let seeds = seeds(if long { WORLDS.1 } else { WORLDS.0 });
    let total = seeds.len();
    let (queue, results) = (Mutex::new(seeds), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some(seed) = queue.lock().unwrap().pop_front() else { return };
                    let result = catch_unwind(AssertUnwindSafe(|| run(seed)));
                    let result = result.unwrap_or_else(|_| Err("it panicked; the message stands above".to_owned()));
                    // At once: of two hundred worlds the first that fails is worth reading before the last ran.
                    match &result {
                        Ok(writes) => say(&format!("world {seed}: {writes} writes")),
                        Err(error) => say(&format!("world {seed} FAILED: {error}")),
                    }
                    results.lock().unwrap().push((seed, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(seed, _)| *seed);
    let fixes: usize = results.iter().filter_map(|(_, result)| result.as_ref().ok()).sum();
    let failures: Vec<String> = results
        .iter()
        .filter_map(|(seed, result)| Some(format!("PROGRC_WORLD_SEED={seed}: {}", result.as_ref().err()?)))
        .collect();
    say(&format!(
        "worlds: {total} ran, seeds {:?}, {fixes} writes, {} failed",
        results.iter().map(|(seed, _)| seed).collect::<Vec<_>>(),
        failures.len()
    ));
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(fixes > 0, "no fix of any world wrote anything");
}

/// The seeds of this run: one that is named, a range that is named, or so many from the first on.
fn seeds(count: u64) -> VecDeque<u64> {
    let number = |text: &str| text.parse::<u64>().expect("a seed is a number");
    if let Ok(seed) = std::env::var("PROGRC_WORLD_SEED") {
        return [number(&seed)].into();
    }
    match std::env::var("PROGRC_WORLDS") {
        Ok(range) => {
            let (first, last) = range.split_once("..").expect("PROGRC_WORLDS is a range such as 21..60");
            (number(first)..=number(last)).collect()
        }
        Err(_) => (1..=count).collect(),
    }
}

#[expect(clippy::print_stderr, reason = "which worlds ran is part of the result")]
fn say(line: &str) {
    eprintln!("{line}");
}

/// Runs a world and removes it: what its pods and autoscalers keep controllers busy with would slow down
/// the two-hundredth. The number of writes.
fn run(seed: u64) -> Result<usize, String> {
    let plane = ControlPlane::full();
    let ns = plane.namespace(&format!("world-{seed}"));
    let result = there_and_back(plane, &ns, &world(seed));
    plane.request(Method::DELETE, &format!("/api/v1/namespaces/{}", ns.name), None).success();
    result
}

/// Makes a world, fixes all that can be fixed, takes it back.
fn there_and_back(plane: &ControlPlane, ns: &TestNamespace, world: &World) -> Result<usize, String> {
    make(ns, world)?;
    ns.wait_for("v1/configmaps/kube-root-ca.crt", "made by its controller", |_| true);
    let names = [ns.name.clone()];
    let before = Look::at(ns).map_err(|error| format!("before the fix {error}"))?;
    let first = State::read(plane, &names);
    let ended = fix(ns, &before);
    let said = format!("{}{}", ended.stdout, ended.stderr);
    if !matches!(ended.code, Some(0 | 1 | 3)) {
        return Err(format!("fix ends with {:?}:\n{said}", ended.code));
    }
    let after = Look::at(ns).map_err(|error| format!("after the fix {error}\n{said}"))?;
    let worse = worse(&before, &after, &said);
    if !worse.is_empty() {
        return Err(format!("{worse:#?}\nfix ended with {:?}:\n{said}", ended.code));
    }
    let writes = ns.requests().iter().filter(|request| request.writes()).count();
    let kept = undo(ns).map_err(|error| format!("{error}\nfix had said:\n{said}"))?;
    Look::at(ns).map_err(|error| format!("after the undo {error}\n{said}"))?;
    let mut differs = first.differs(&State::read(plane, &names));
    // A template that was hardened stays so where its namespace lets only hardened pods in: the pods
    // from before that label ran on, and none like them would come.
    differs.retain(|line| !kept.iter().any(|name| line.contains(&format!("/{name} /spec/template/"))));
    if differs.is_empty() { Ok(writes) } else { Err(format!("not as it was: {differs:#?}\nfix had said:\n{said}")) }
}

/// What runs comes first; when it is up, what limits it and what people change then.
fn make(ns: &TestNamespace, world: &World) -> Result<(), String> {
    create(ns, &world.running, world.kept);
    Look::at(ns).map_err(|error| format!("when it was made {error}"))?;
    create(ns, &world.limits, false);
    for object in world.limits.iter().filter(|object| object["kind"] == "ResourceQuota") {
        let path = format!("v1/resourcequotas/{}", object["metadata"]["name"].as_str().unwrap());
        ns.wait_for(&path, "counted", |quota| quota["status"]["used"].is_object());
    }
    for (kind, name, patch) in &world.changes {
        let name = if *kind == "namespaces" { &ns.name } else { name };
        ns.kubectl(&["patch", kind, name, "--type=merge", "-p", &patch.to_string()]).run().expect_code(0);
    }
    Ok(())
}

/// Makes objects; some as `kubectl apply` does, which writes down what it was given.
fn create(ns: &TestNamespace, objects: &[Value], kept: bool) {
    if objects.is_empty() {
        return;
    }
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
    let args = if kept { ["create", "--save-config", "-f", "-"] } else { ["create", "--save-config=false", "-f", "-"] };
    ns.kubectl(&args).stdin(&list.to_string()).run().expect_code(0);
}

/// Applies every fix, with the default of every question that has one.
fn fix(ns: &TestNamespace, look: &Look) -> Finished {
    let mut args = vec!["fix".to_owned(), "--yes".into(), "--unsafe-fixes".into(), "--keep-going".into()];
    args.push(PATIENCE.into());
    for finding in look.report["findings"].as_array().unwrap() {
        let object = &finding["object"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let namespace = object["namespace"].as_str().map(|name| format!("{name}/")).unwrap_or_default();
        for input in finding["fixes"][0]["inputs"].as_array().into_iter().flatten() {
            if input["required"] == true && input["value"].is_null() && !input["default"].is_null() {
                args.push(format!(
                    "--set={}[{}/{namespace}{}].{}={}",
                    text(&finding["rule"]),
                    text(&object["kind"]),
                    text(&object["name"]),
                    text(&input["key"]),
                    text(&input["default"])
                ));
            }
        }
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    ns.progrc(&args).run()
}

/// What people would complain about.
fn worse(before: &Look, after: &Look, said: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (name, ready) in &before.ready {
        let now = after.ready.get(name).copied().unwrap_or(0);
        if now < *ready {
            out.push(format!("{name} has {now} ready pods and had {ready}"));
        }
    }
    for name in before.evictable.difference(&after.evictable) {
        out.push(format!("no pod of {name} can be evicted any more"));
    }
    // Rules that the fixed rules name as what comes next.
    let stages: BTreeSet<&str> = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("done  ")?.split(" · ").next())
        .filter_map(find)
        .flat_map(|rule| rule.next_stages.iter().copied())
        .collect();
    for (fingerprint, (rule, message)) in &after.findings {
        if !before.findings.contains_key(fingerprint) && !stages.contains(rule.as_str()) {
            out.push(format!("a new finding: {rule} {message}"));
        }
    }
    out
}

/// Takes everything back, entry by entry. The names of the workloads whose template has to stay, since
/// their namespace would refuse the pods of the one before.
fn undo(ns: &TestNamespace) -> Result<BTreeSet<String>, String> {
    let mut kept = BTreeSet::new();
    for _ in 0..3 {
        let ended = ns.progrc(&["undo", "--yes", MORE_PATIENCE]).run();
        let failed = |code| Err(format!("undo ends with {code:?}:\n{}{}", ended.stdout, ended.stderr));
        match ended.code {
            Some(0) => {}
            Some(2) if ended.stderr.contains("nothing to undo") => return Ok(kept),
            Some(1) => {
                let left: Vec<&str> =
                    ended.stdout.lines().filter_map(|line| line.trim().strip_prefix("left: ")).collect();
                for line in &left {
                    let refused = line.split_once(": its new pods would be refused: Namespace/");
                    kept.extend(refused.and_then(|(object, _)| Some(object.split_once('/')?.1.to_owned())));
                }
                return if kept.len() == left.len() { Ok(kept) } else { failed(Some(1)) };
            }
            code => return failed(code),
        }
    }
    Err("there is always something left to undo".to_owned())
}
