//! What the people of a world would notice: ready pods, drains that go through, findings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::harness::wait::try_until;
use crate::harness::{ControlPlane, TestNamespace};

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
    /// Waits until nothing moves any more, then looks. An error says what did not come to rest.
    pub(crate) fn at(ns: &TestNamespace) -> Result<Self, String> {
        let ready = settled(ns)?;
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
            let message = format!("{object}: {}; {}", text("message"), finding["evidence"]);
            (text("fingerprint"), (text("rule"), message))
        });
        Ok(Self { ready, evictable, findings: findings.collect(), report })
    }
}

/// The ready pods of each workload, once its controller has done what it can.
fn ready_pods(ns: &TestNamespace) -> Result<BTreeMap<String, i64>, String> {
    let mut ready = BTreeMap::new();
    for kind in KINDS {
        for object in ns.get(&format!("apps/v1/{kind}"))["items"].as_array().unwrap() {
            let name = object["metadata"]["name"].as_str().unwrap();
            let (is, whole) = progress(kind, object);
            let failing = object["status"]["conditions"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|condition| condition["type"] == "ReplicaFailure" && condition["status"] == "True");
            if !whole && !failing {
                let pods = ns.get(&format!("v1/pods?labelSelector=app%3D{name}"));
                let pod = &pods["items"][0];
                let pod = json!([pod["spec"]["nodeName"], pod["status"], pod["metadata"]["deletionTimestamp"]]);
                let status = &object["status"];
                return Err(format!("{kind}/{name}: {is} ready of {}; {status}; its first pod: {pod}", object["spec"]));
            }
            ready.insert(name.to_owned(), is);
        }
    }
    Ok(ready)
}

/// The ready pods of a workload, and whether all are there, available and new.
fn progress(kind: &str, object: &Value) -> (i64, bool) {
    let (spec, seen) = (&object["spec"], object["status"]["observedGeneration"] == object["metadata"]["generation"]);
    let status = |key: &str| object["status"][key].as_i64().unwrap_or(0);
    // Such pods become new when somebody deletes them.
    let on_delete = spec["updateStrategy"]["type"] == "OnDelete";
    if kind == "daemonsets" {
        let (wanted, is) = (status("desiredNumberScheduled"), status("numberReady"));
        let new = on_delete || status("updatedNumberScheduled") == wanted;
        return (is, seen && new && is == wanted && status("numberAvailable") == wanted);
    }
    let (wanted, is) = (spec["replicas"].as_i64().unwrap(), status("readyReplicas"));
    // Those below the partition stay as they are.
    let old = spec["updateStrategy"]["rollingUpdate"]["partition"].as_i64().unwrap_or(0);
    let new = on_delete || spec["paused"] == true || status("updatedReplicas") >= wanted - old;
    let total = status("replicas");
    (is, seen && new && is == wanted && total == wanted && status("availableReplicas") == wanted)
}

/// Waits until every controller has done what it can; the ready pods of each workload.
fn settled(ns: &TestNamespace) -> Result<BTreeMap<String, i64>, String> {
    let started = Instant::now();
    let settled = try_until(LIMIT, || {
        let mut ready = ready_pods(ns)?;
        scaled(ns, &ready)?;
        // The controller wakes up one budget of a pod that several select; the others stay behind.
        if started.elapsed() < BEHIND {
            budgets_counted(ns)?;
            quotas_counted(ns)?;
        }
        for job in ns.get("batch/v1/jobs")["items"].as_array().unwrap() {
            if job["status"]["succeeded"] != 1 {
                return Err(format!("job/{} has not ended: {}", job["metadata"]["name"], job["status"]));
            }
        }
        for pod in ns.get("v1/pods")["items"].as_array().unwrap() {
            let name = pod["metadata"]["name"].as_str().unwrap();
            if !pod["metadata"]["deletionTimestamp"].is_null() {
                return Err(format!("pod/{name} is still ending"));
            }
            if pod["metadata"]["ownerReferences"].is_null() {
                if !is_ready(pod) {
                    return Err(format!("pod/{name} is not ready: {}", pod["status"]));
                }
                ready.insert(name.to_owned(), 1);
            }
        }
        Ok(ready)
    });
    settled.map_err(|seen| format!("{} did not settle: {seen}\n{}", ns.name, events(ns)))
}

/// What controllers complained about.
fn events(ns: &TestNamespace) -> String {
    let events = ns.get("v1/events?fieldSelector=type%3DWarning");
    let mut lines: Vec<String> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| format!("{} {}: {}", event["involvedObject"]["name"], event["reason"], event["message"]))
        .collect();
    lines.sort();
    lines.dedup();
    lines.join("\n")
}

/// Every autoscaler has looked, and its target has as many pods as it wants at least.
fn scaled(ns: &TestNamespace, ready: &BTreeMap<String, i64>) -> Result<(), String> {
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
    Ok(())
}

/// Every budget has counted the pods that are ready now.
fn budgets_counted(ns: &TestNamespace) -> Result<(), String> {
    for budget in ns.get("policy/v1/poddisruptionbudgets")["items"].as_array().unwrap() {
        // Pods without a scale, as those of a DaemonSet: its controller can't count them, and lets nothing through.
        if budget["status"]["conditions"][0]["reason"] == "SyncFailed" {
            continue;
        }
        let labels = budget["spec"]["selector"]["matchLabels"].as_object().into_iter().flatten();
        let query: Vec<String> = labels.map(|(key, value)| format!("{key}%3D{}", value.as_str().unwrap())).collect();
        let pods = ns.get(&format!("v1/pods?labelSelector={}", query.join(",")));
        let healthy = pods["items"].as_array().unwrap().iter().filter(|pod| is_ready(pod)).count();
        let counted = budget["status"]["currentHealthy"].as_u64();
        let seen = budget["status"]["observedGeneration"] == budget["metadata"]["generation"];
        if !seen || counted != Some(healthy as u64) {
            return Err(format!("a budget is behind: {} {}", budget["metadata"]["name"], budget["status"]));
        }
    }
    Ok(())
}

/// No quota counts pods that are gone any more.
fn quotas_counted(ns: &TestNamespace) -> Result<(), String> {
    let pods = ns.get("v1/pods");
    let ended = |pod: &&Value| pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed";
    let there = pods["items"].as_array().unwrap().iter().filter(|pod| !ended(pod)).count().to_string();
    for quota in ns.get("v1/resourcequotas")["items"].as_array().unwrap() {
        let used = &quota["status"]["used"]["pods"];
        if used.is_string() && *used != there.as_str() {
            return Err(format!("a quota is behind: {there} pods, {}", quota["status"]));
        }
    }
    Ok(())
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|it| it["type"] == "Ready" && it["status"] == "True")
}

fn workload_wants(ns: &TestNamespace, name: &str) -> Option<i64> {
    ["deployments", "statefulsets"].iter().find_map(|kind| {
        let answer = ns.request(Method::GET, &format!("apps/v1/{kind}/{name}"), None);
        answer.body["spec"]["replicas"].as_i64()
    })
}
