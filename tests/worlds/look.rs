//! What the people of a world would notice: ready pods, drains that go through, findings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::harness::{ControlPlane, TestNamespace, wait_until};

/// How long controllers may take that serve ten worlds at the same time.
const LIMIT: Duration = Duration::from_mins(3);
/// How long a budget may be behind its pods before it is taken as it is.
const BEHIND: Duration = Duration::from_secs(40);

/// The kinds that run pods.
const KINDS: [&str; 3] = ["deployments", "statefulsets", "daemonsets"];

/// One look at a world.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    /// Ready pods by workload.
    pub(crate) ready: BTreeMap<String, i64>,
    /// Workloads of which a pod could be evicted now.
    pub(crate) evictable: BTreeSet<String>,
    /// Findings: rule, object and message by fingerprint.
    pub(crate) findings: BTreeMap<String, (String, String)>,
    /// The whole report.
    pub(crate) report: Value,
}

impl Look {
    /// Waits until nothing moves any more, then looks.
    pub(crate) fn at(ns: &TestNamespace) -> Self {
        let ready = settled(ns);
        let pods = ns.get("v1/pods")["items"].as_array().unwrap().clone();
        let mut evictable = BTreeSet::new();
        for pod in &pods {
            let name = pod["metadata"]["name"].as_str().unwrap();
            let app = pod["metadata"]["labels"]["app"].as_str().unwrap_or_default();
            let eviction = json!({
                "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": ns.name},
                "deleteOptions": {"dryRun": ["All"]},
            });
            let path = format!("/api/v1/namespaces/{}/pods/{name}/eviction?dryRun=All", ns.name);
            if ControlPlane::full().request(Method::POST, &path, Some(&eviction)).code == 201 {
                evictable.insert(app.to_owned());
            }
        }
        let audit = ns.progrc(&["audit", "--fail-on=never", "-o", "json"]).run().expect_code(0);
        let report: Value = serde_json::from_str(&audit.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().iter().map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            let object = format!("{}/{}", finding["object"]["kind"].as_str().unwrap(), finding["object"]["name"]);
            (text("fingerprint"), (text("rule"), format!("{object}: {}", text("message"))))
        });
        Self { ready, evictable, findings: findings.collect(), report }
    }
}

/// The ready pods of each workload, once its controller has done what it can.
fn ready_pods(ns: &TestNamespace) -> Result<BTreeMap<String, i64>, String> {
    let mut ready = BTreeMap::new();
    for kind in KINDS {
        for object in ns.get(&format!("apps/v1/{kind}"))["items"].as_array().unwrap() {
            let status = |key: &str| object["status"][key].as_i64().unwrap_or(0);
            let name = object["metadata"]["name"].as_str().unwrap();
            let (wanted, is, new) = match kind {
                "daemonsets" => {
                    (status("desiredNumberScheduled"), status("numberReady"), status("updatedNumberScheduled"))
                }
                _ => (object["spec"]["replicas"].as_i64().unwrap(), status("readyReplicas"), status("updatedReplicas")),
            };
            let seen = object["status"]["observedGeneration"] == object["metadata"]["generation"];
            let failing = object["status"]["conditions"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|condition| condition["type"] == "ReplicaFailure" && condition["status"] == "True");
            let total = if kind == "daemonsets" { is } else { status("replicas") };
            let whole = seen && is == wanted && new == wanted && total == wanted;
            if !whole && !failing {
                let pods = ns.get(&format!("v1/pods?labelSelector=app%3D{name}"));
                let pod = &pods["items"][0];
                let pod = json!([pod["spec"]["nodeName"], pod["status"], pod["metadata"]["deletionTimestamp"]]);
                return Err(format!("{kind}/{name}: {is} of {wanted} ready, {new} new; its first pod: {pod}"));
            }
            ready.insert(name.to_owned(), is);
        }
    }
    Ok(ready)
}

/// Waits until every controller has done what it can; the ready pods of each workload.
fn settled(ns: &TestNamespace) -> BTreeMap<String, i64> {
    let started = Instant::now();
    wait_until(LIMIT, &format!("{} to settle", ns.name), || {
        let ready = ready_pods(ns)?;
        for scaler in ns.get("autoscaling/v2/horizontalpodautoscalers")["items"].as_array().unwrap() {
            let target = scaler["spec"]["scaleTargetRef"]["name"].as_str().unwrap();
            let least = scaler["spec"]["minReplicas"].as_i64().unwrap_or(1);
            let is = ready.get(target).copied().unwrap_or(0);
            let off = is == 0 && workload_wants(ns, target) == Some(0);
            if is < least && !off {
                return Err(format!("{target}: {is} ready, {least} at least"));
            }
            let conditions = scaler["status"]["conditions"].as_array();
            if !conditions.into_iter().flatten().any(|condition| condition["type"] == "ScalingActive") {
                return Err(format!("the autoscaler of {target} has not looked for metrics yet"));
            }
        }
        for budget in ns.get("policy/v1/poddisruptionbudgets")["items"].as_array().unwrap() {
            let selected = budget["spec"]["selector"]["matchLabels"]["app"].as_str().unwrap_or_default();
            let healthy = budget["status"]["currentHealthy"].as_i64();
            let seen = budget["status"]["observedGeneration"] == budget["metadata"]["generation"];
            // A share of a DaemonSet: its controller can't count that, and lets nothing through.
            let failed = budget["status"]["conditions"][0]["reason"] == "SyncFailed";
            if failed {
                continue;
            }
            // The controller wakes up one budget of a pod that several select; the others stay behind.
            let may_be_behind = started.elapsed() < BEHIND;
            if may_be_behind && (!seen || ready.get(selected).is_some_and(|ready| Some(*ready) != healthy)) {
                return Err(format!("a budget of {selected} is behind: {}", budget["status"]));
            }
        }
        let pods = ns.get("v1/pods");
        let leaving =
            pods["items"].as_array().unwrap().iter().any(|pod| !pod["metadata"]["deletionTimestamp"].is_null());
        if leaving { Err("pods are still ending".to_owned()) } else { Ok(ready) }
    })
}

fn workload_wants(ns: &TestNamespace, name: &str) -> Option<i64> {
    ["deployments", "statefulsets"].iter().find_map(|kind| {
        let answer = ns.request(Method::GET, &format!("apps/v1/{kind}/{name}"), None);
        answer.body["spec"]["replicas"].as_i64()
    })
}
