//! Why a rollout will not end: what its new pods, its controller and the scheduler say.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::revision::{Revision, new_set};
use crate::backend::cluster::answer::shorten;
use crate::backend::cluster::follow::View;

/// Reasons for which a container waits and that no patience mends. A first `ErrImagePull` may be a
/// hiccup of the registry; the back-off after it is not.
const FATAL: [&str; 6] = [
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
];

/// How long a pod may look for a node, and a volume for its way there: an autoscaler may be making
/// a node, an old node may be letting the volume go.
const PLACE: Duration = Duration::from_mins(1);

/// How long a quota may be in the way while old pods can still make room.
const ROOM: Duration = Duration::from_secs(10);

/// Everything about a rollout at one moment.
pub(super) struct Scene<'a> {
    pub(super) workload: &'a Value,
    pub(super) pods: &'a View,
    pub(super) sets: &'a View,
    pub(super) events: &'a View,
}

/// What one look tells.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// Nothing is in the way.
    Well,
    /// Something is in the way that may still go by then.
    Until(Instant),
    /// It will not go: why.
    Hopeless(String),
}

/// What has been in the way, and for how long.
pub(super) struct Patience {
    since: jiff::Timestamp,
    first_seen: HashMap<String, Instant>,
    /// Events that were there before, with their counts.
    old_events: Option<HashMap<String, u64>>,
}

/// Something in the way: a name that stays the same, the words, and how long it may be there.
struct Obstacle {
    name: String,
    why: String,
    patience: Duration,
}

impl Obstacle {
    fn fatal(why: String) -> Self {
        Self { name: String::new(), why, patience: Duration::ZERO }
    }
}

impl Patience {
    /// Patience with a rollout that began at this time.
    pub(super) fn new(since: jiff::Timestamp) -> Self {
        Self { since, first_seen: HashMap::new(), old_events: None }
    }

    /// Judges what is in the way now.
    pub(super) fn judge(&mut self, scene: &Scene<'_>, now: Instant) -> Verdict {
        self.remember_events(scene.events);
        let number = |pointer: &str| scene.workload.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
        if number("/status/observedGeneration") < number("/metadata/generation") {
            return Verdict::Well;
        }
        let obstacles = self.obstacles(scene);
        self.first_seen.retain(|name, _| obstacles.iter().any(|obstacle| obstacle.name == *name));
        let mut verdict = Verdict::Well;
        for obstacle in obstacles {
            let until = *self.first_seen.entry(obstacle.name).or_insert(now) + obstacle.patience;
            if until <= now {
                return Verdict::Hopeless(obstacle.why);
            }
            verdict = match verdict {
                Verdict::Until(other) if other < until => Verdict::Until(other),
                _ => Verdict::Until(until),
            };
        }
        verdict
    }

    fn obstacles(&self, scene: &Scene<'_>) -> Vec<Obstacle> {
        let revision = Revision::of(scene.workload, scene.sets);
        let leaving = |pod: &&Value| pod.pointer("/metadata/deletionTimestamp").is_some();
        let pods: Vec<&Value> =
            scene.pods.objects().filter(|pod| revision.has(pod, self.since) && !leaving(pod)).collect();
        let mut out: Vec<Obstacle> = pods.iter().filter_map(|pod| stuck(pod)).collect();
        out.extend(pods.iter().filter_map(|pod| unschedulable(pod)));
        out.extend(self.refused_pods(scene, pods.len()));
        for event in scene.events.objects() {
            out.extend(self.told(scene.workload, &pods, event));
        }
        out
    }

    /// What the controller of a Deployment says about pods that it may not create.
    fn refused_pods(&self, scene: &Scene<'_>, pods: usize) -> Option<Obstacle> {
        let source = match new_set(scene.workload, scene.sets) {
            Some(set) => set,
            None if matches!(scene.sets, View::Refused(_)) => scene.workload,
            None => return None,
        };
        let conditions = source.pointer("/status/conditions").and_then(Value::as_array);
        let text =
            |condition: &Value, key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let condition = conditions.into_iter().flatten().find(|condition| {
            // The condition of a Deployment may be left over from a ReplicaSet before this one.
            let since = text(condition, "lastTransitionTime").parse::<jiff::Timestamp>();
            let ours = source.get("kind") != scene.workload.get("kind")
                || since.is_ok_and(|since| since.as_second() >= self.since.as_second());
            text(condition, "type") == "ReplicaFailure" && text(condition, "status") == "True" && ours
        })?;
        let message = text(condition, "message");
        let why = format!("{}: {}", text(condition, "reason"), shorten(&message));
        // New pods that are there let old ones go once they are ready.
        let has_new = kind(source) == "ReplicaSet"
            && source.pointer("/status/replicas").and_then(Value::as_u64).is_some_and(|pods| pods > 0);
        let may_go = has_new || old_pods_may_go(scene.workload);
        let patience = if message.contains("exceeded quota") && may_go { ROOM } else { Duration::ZERO };
        Some(Obstacle { name: format!("create after {pods}"), why, patience })
    }

    fn remember_events(&mut self, events: &View) {
        if self.old_events.is_none() && events.is_settled() {
            self.old_events = Some(events.objects().map(|event| (uid(event), count(event))).collect());
        }
    }

    /// What an event tells about this workload's controller or a new pod's volume.
    fn told(&self, workload: &Value, pods: &[&Value], event: &Value) -> Option<Obstacle> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let about = text("/involvedObject/uid");
        let why = || {
            let (kind, name) = (text("/involvedObject/kind"), text("/involvedObject/name"));
            format!("{kind}/{name}: {}: {}", text("/reason"), shorten(text("/message")))
        };
        if text("/reason") == "FailedAttachVolume" && pods.iter().any(|pod| uid(pod) == about) {
            // A volume in use by a pod that waits for this one comes free for neither.
            let in_use = text("/message").contains("used by pod") && kind(workload) == "Deployment";
            let patience = if in_use { Duration::ZERO } else { PLACE };
            return Some(Obstacle { name: format!("attach {about}"), why: why(), patience });
        }
        let repeated =
            self.old_events.as_ref().is_some_and(|old| old.get(&uid(event)).is_none_or(|n| *n < count(event)));
        let refused = matches!(text("/reason"), "FailedCreate" | "FailedDaemonPod");
        if !(refused && repeated && about == uid(workload)) {
            return None;
        }
        if !text("/message").contains("exceeded quota") {
            return Some(Obstacle::fatal(why()));
        }
        // The quota counts the old pod a moment longer than it is there; the event stays when it is over.
        let obstacle = Obstacle { name: format!("make {about}"), why: why(), patience: ROOM };
        misses_pods(workload).then_some(obstacle)
    }
}

/// True if a `StatefulSet` or a `DaemonSet` has fewer pods than it should.
fn misses_pods(workload: &Value) -> bool {
    let number = |pointer: &str| workload.pointer(pointer).and_then(Value::as_i64);
    let wanted = number("/status/desiredNumberScheduled").or(number("/spec/replicas")).unwrap_or(1);
    let there = number("/status/currentNumberScheduled").or(number("/status/replicas")).unwrap_or(0);
    there < wanted
}

fn uid(object: &Value) -> String {
    object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn kind(object: &Value) -> &str {
    object.get("kind").and_then(Value::as_str).unwrap_or_default()
}

fn count(event: &Value) -> u64 {
    event.pointer("/series/count").or_else(|| event.get("count")).and_then(Value::as_u64).unwrap_or(1)
}

/// True if a rolling update may take old pods away before new ones are ready.
fn old_pods_may_go(workload: &Value) -> bool {
    let replicas = workload.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    match workload.pointer("/spec/strategy/rollingUpdate/maxUnavailable") {
        Some(Value::Number(number)) => number.as_i64() != Some(0),
        Some(Value::String(text)) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            percent * replicas / 100 > 0
        }
        _ => true,
    }
}

/// Why a pod can't start.
fn stuck(pod: &Value) -> Option<Obstacle> {
    let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let mut statuses = statuses.iter().filter_map(|list| pod.pointer(list)?.as_array()).flatten();
    statuses.find_map(|status| {
        let waiting = |key: &str| status.pointer("/state/waiting")?.get(key)?.as_str();
        let reason = waiting("reason")?;
        let restarts = status.get("restartCount").and_then(Value::as_i64).unwrap_or(0);
        let crashes = reason == "CrashLoopBackOff" && restarts >= 2;
        if !crashes && !FATAL.contains(&reason) {
            return None;
        }
        let message = waiting("message").map(|message| format!(": {}", shorten(message))).unwrap_or_default();
        Some(Obstacle::fatal(format!("Pod/{name}: {reason}{message}")))
    })
}

/// Why the scheduler finds no node for a pod.
fn unschedulable(pod: &Value) -> Option<Obstacle> {
    let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array)?;
    let text = |condition: &Value, key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let condition =
        conditions.iter().find(|it| text(it, "type") == "PodScheduled" && text(it, "reason") == "Unschedulable")?;
    let why = format!("Pod/{name}: no node takes it: {}", shorten(&text(condition, "message")));
    Some(Obstacle { name: format!("schedule {}", uid(pod)), why, patience: PLACE })
}

#[cfg(test)]
mod tests;
