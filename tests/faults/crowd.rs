//! An audit of many pods: few lists at a time, bad answers in the middle of a list, and memory that
//! is bounded.

use std::collections::BTreeSet;
use std::fs::File;
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::fault::{Action, Asked, Fault, Place, Reply};
use crate::harness::{ControlPlane, TestNamespace};
use crate::proxy::Proxy;

const NAMESPACES: usize = 4;

/// Pods of a namespace.
const PODS: usize = 2_500;

/// One pod of so many has no controller, which is a finding: five of them are on each page.
const BARE: usize = 100;

/// What the child may have in memory at once, in MB: 14 kB for each pod with all that surrounds it.
/// The debug build takes 144 on two processors; more of them keep more memory at hand.
const MOST_MEMORY: u64 = 250;

/// Makes the pods, and what owns all but a few of them. Nobody acts on them.
fn fill(plane: &ControlPlane, space: &TestNamespace) {
    let container = json!({"name": "main", "image": "registry.example/app:1"});
    let labels = json!({"app": "many"});
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "many"},
        "spec": {"replicas": PODS, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [container]}}},
    });
    let set = space.request(Method::POST, "apps/v1/replicasets", Some(&set)).success();
    let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "many", "controller": true,
        "uid": set["metadata"]["uid"]}]);
    let pods: Vec<(String, Value)> = (0..PODS)
        .map(|number| {
            let name = format!("pod-{number:05}");
            let mut pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "namespace": space.name, "uid": format!("{}-{name}", space.name),
                    "creationTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {"automountServiceAccountToken": false, "containers": [container]},
                "status": {"phase": "Running"},
            });
            if number % BARE > 0 {
                pod["metadata"]["labels"] = labels.clone();
                pod["metadata"]["ownerReferences"] = owner.clone();
            }
            (format!("pods/{}/{name}", space.name), pod)
        })
        .collect();
    plane.store_all(&pods);
}

/// The peak of a child's memory in MB, looked at until it has ended. Its last two milliseconds may be
/// missed, in which it frees and takes nothing.
fn peak_memory(child: &mut Child) -> u64 {
    let path = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        most = peak.map_or(most, |peak| peak.trim().parse().unwrap());
        thread::sleep(Duration::from_millis(2));
    }
    most / 1024
}

/// The answer of a server that has forgotten what the token of a page belongs to, with a fresh one.
fn expired() -> Action {
    let mut reply = Reply::status(410, "Expired", "The provided continue parameter is too old");
    reply.body["metadata"]["continue"] = "fresh".into();
    Action::Answer(reply)
}

fn busy() -> Action {
    Action::Answer(Reply::status(429, "TooManyRequests", "too many requests").header("retry-after", "1"))
}

#[test]
fn ten_thousand_pods_are_read_whatever_comes_between() {
    static PLANE: OnceLock<ControlPlane> = OnceLock::new();
    let plane = PLANE.get_or_init(ControlPlane::another);
    let spaces: Vec<TestNamespace> = (0..NAMESPACES).map(|_| plane.namespace("crowd")).collect();
    spaces.iter().for_each(|space| fill(plane, space));
    // The eighth page of the first list, and of the second one.
    let page = |nth| Place::of("GET", r"^/api/v1/pods\?.*continue=", nth);
    let proxy =
        Proxy::start(plane, &spaces[0].tester, vec![Fault::new(page(6), expired()), Fault::new(page(13), busy())]);
    let file = spaces[0].home().join("report.json");
    let args = ["audit", "-A", "--fail-on=never", "-o", "json", &proxy.server()];
    let mut audit = spaces[0].progrc(&args).command();
    let mut child = audit.stdin(Stdio::null()).stdout(File::create(&file).unwrap()).spawn().unwrap();
    let most = peak_memory(&mut child);
    assert!(child.wait().unwrap().success());
    // Less than the program alone would mean that nothing was measured.
    assert!((20..MOST_MEMORY).contains(&most), "{most} MB");

    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(report["gaps"], json!([]), "the list that began again is whole");
    let name = |finding: &Value| {
        let part = |key: &str| finding["object"][key].as_str().unwrap().to_owned();
        (part("namespace"), part("name"))
    };
    let bare = report["findings"].as_array().unwrap().iter().filter(|finding| finding["rule"] == "bare-pod");
    let found: BTreeSet<(String, String)> = bare.map(name).collect();
    let every = |space: &TestNamespace| {
        let space = space.name.clone();
        (0..PODS).step_by(BARE).map(move |number| (space.clone(), format!("pod-{number:05}")))
    };
    assert_eq!(found, spaces.iter().flat_map(every).collect());

    let log = proxy.log();
    let pages: Vec<&Asked> = log.iter().filter(|asked| asked.path() == "/api/v1/pods").collect();
    let lost: Vec<usize> = (0..pages.len()).filter(|page| pages[*page].code.is_none()).collect();
    let [expired, busy] = lost[..] else { panic!("the proxy answers two pages: {pages:#?}") };
    assert!(!pages[expired + 1].target.contains("continue="), "the list begins again: {pages:#?}");
    assert_eq!(pages[busy + 1].target, pages[busy].target, "the page is asked for again");
    assert_eq!(pages.len(), expired + 1 + 20 + 1, "20 pages, and those in vain");
    assert!((2..=4).contains(&proxy.most_lists()), "{} lists at once", proxy.most_lists());
}
