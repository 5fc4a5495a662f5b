//! Waiting for a rollout, as `kubectl rollout status` does, with watches; and giving up early when
//! its pods can't start.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch::Sender;
use tokio::time::Instant;

use super::connect::Connection;
use super::follow::{Query, View, follow};
use super::objects;
use crate::model::ObjectRef;
use crate::model::selector::Selector;

mod judge;
mod revision;
mod trouble;

pub use judge::{Progress, judge};
pub use revision::Revision;

use trouble::{Patience, Verdict};

/// How long the watch of the pods may be behind that of their workload.
const PAUSE: Duration = Duration::from_secs(2);

/// What is watched while a workload rolls out.
struct Board {
    queries: [Query; 4],
    workload: Sender<View>,
    pods: Sender<View>,
    sets: Sender<View>,
    events: Sender<View>,
}

impl Board {
    fn new(object: &ObjectRef, workload: &Value) -> Self {
        let namespace = object.namespace.as_deref();
        let selector = selector_of(workload).text();
        let named = format!("metadata.name={}", object.name);
        Self {
            queries: [
                Query::at(objects::collection_path(object)).fields(&named),
                Query::new("v1", "pods", namespace).labels(&selector),
                Query::new("apps/v1", "replicasets", namespace).labels(&selector),
                Query::new("v1", "events", namespace).fields("type!=Normal"),
            ],
            workload: Sender::default(),
            pods: Sender::default(),
            sets: Sender::default(),
            events: Sender::default(),
        }
    }

    /// Waits until the watch of the pods has caught up with what the workload says of them.
    async fn pods_are_seen(&self) {
        let mut pods = self.pods.subscribe();
        let wanted = || {
            let number = |key: &str| self.workload.borrow().objects().find_map(|it| it.pointer(key)?.as_u64());
            number("/status/readyReplicas").or_else(|| number("/status/numberReady")).unwrap_or(0)
        };
        let ready = |view: &View| view.objects().filter(|pod| is_ready(pod)).count() as u64 >= wanted();
        // The sender is ours, so that the watch does not end.
        let _ = pods.wait_for(|view| matches!(view, View::Refused(_)) || ready(view)).await;
    }

    fn seen(&self, workload: &Value) -> Seen {
        Seen {
            selector: selector_of(workload),
            workload: self.workload.borrow().clone(),
            sets: self.sets.borrow().clone(),
            pods: self.pods.borrow().clone(),
        }
    }

    /// Keeps all of it up to date; never returns.
    async fn follow(&self, connection: &Connection, has_sets: bool) {
        let [workload, pods, sets, events] = &self.queries;
        let sets = async {
            if has_sets {
                follow(connection, sets, &self.sets).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::join!(
            follow(connection, workload, &self.workload),
            follow(connection, pods, &self.pods),
            sets,
            follow(connection, events, &self.events),
        );
    }
}

/// The selector of a workload.
pub fn selector_of(workload: &Value) -> Selector {
    workload.pointer("/spec/selector").and_then(|it| serde_json::from_value(it.clone()).ok()).unwrap_or_default()
}

/// A workload, its ReplicaSets and its pods as the watches saw them last.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Whose pods they are.
    pub selector: Selector,
    /// The workload.
    pub workload: View,
    /// Its ReplicaSets, those of a Deployment.
    pub sets: View,
    /// Its pods.
    pub pods: View,
}

impl Seen {
    /// True if the workload itself was seen.
    pub fn is_whole(&self) -> bool {
        self.workload.objects().next().is_some()
    }
}

/// Waits until a rollout is complete, can't be, or the time is over. `workload` is the object as it was
/// when it was changed; `report` hears each new state.
pub async fn wait(
    connection: &Connection,
    object: &ObjectRef,
    workload: &Value,
    timeout: Duration,
    report: &mut (dyn FnMut(&str) + Send),
) -> (Progress, Seen) {
    let (deadline, since) = (Instant::now() + timeout, jiff::Timestamp::now());
    if let Some(why) = judge::not_waitable(workload) {
        return (Progress::NotWaitable(why), Seen::default());
    }
    let board = Board::new(object, workload);
    let has_sets = object.kind == "Deployment";
    let mut patience = Patience::new(since);
    let watching = async {
        let end = observe(&board, &mut patience, (deadline, timeout), report).await;
        if end == Progress::Complete {
            let _ = tokio::time::timeout(PAUSE, board.pods_are_seen()).await;
        }
        end
    };
    let end = tokio::select! {
        end = watching => end,
        () = board.follow(connection, has_sets) => Progress::Failed("nothing is watched any more".to_owned()),
    };
    (end, board.seen(workload))
}

/// Looks at the board whenever something on it changes.
async fn observe(
    board: &Board,
    patience: &mut Patience,
    (deadline, timeout): (Instant, Duration),
    report: &mut (dyn FnMut(&str) + Send),
) -> Progress {
    let (mut workload, mut pods) = (board.workload.subscribe(), board.pods.subscribe());
    let (mut sets, mut events) = (board.sets.subscribe(), board.events.subscribe());
    let mut last = String::new();
    loop {
        let mut wake = deadline;
        let state = look(&workload.borrow_and_update());
        match state {
            Glance::Progress(Progress::Waiting(what), object) => {
                if what != last {
                    report(&what);
                    last = what;
                }
                let scene = trouble::Scene {
                    workload: &object,
                    pods: &pods.borrow_and_update(),
                    sets: &sets.borrow_and_update(),
                    events: &events.borrow_and_update(),
                };
                match patience.judge(&scene, Instant::now()) {
                    Verdict::Hopeless(why) => return Progress::Failed(why),
                    Verdict::Until(at) => wake = wake.min(at),
                    Verdict::Well => {}
                }
            }
            Glance::Progress(end, _) => return end,
            Glance::Nothing(why) => last = why,
        }
        if Instant::now() >= deadline {
            return Progress::Failed(format!("not complete after {} s: {last}", timeout.as_secs()));
        }
        tokio::select! {
            _ = workload.changed() => {}
            _ = pods.changed() => {}
            _ = sets.changed() => {}
            _ = events.changed() => {}
            () = tokio::time::sleep_until(wake) => {}
        }
    }
}

enum Glance {
    Progress(Progress, Value),
    Nothing(String),
}

fn look(view: &View) -> Glance {
    match view {
        View::Unread => Glance::Nothing("nothing seen yet".to_owned()),
        View::Failing(why) => Glance::Nothing(why.clone()),
        View::Refused(why) => {
            Glance::Progress(Progress::Failed(format!("its state may not be read: {why}")), Value::Null)
        }
        View::Objects(objects) => match objects.values().next() {
            Some(object) => Glance::Progress(judge(object), object.clone()),
            None => Glance::Progress(Progress::Failed("it was deleted".to_owned()), Value::Null),
        },
    }
}

/// The pods of a StatefulSet that are not ready and not of its newest revision, once its
/// controller has seen that: it waits for them before it replaces them. Each with its uid and as
/// it is.
pub async fn outdated_pods(
    connection: &Connection,
    object: &ObjectRef,
) -> Result<Vec<(ObjectRef, String, Value)>, String> {
    let number = |workload: &Value, pointer: &str| workload.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let view = Sender::default();
    let named = format!("metadata.name={}", object.name);
    let query = Query::at(objects::collection_path(object)).fields(&named);
    let mut seen = view.subscribe();
    let workload = tokio::select! {
        seen = seen.wait_for(|view: &View| view.objects().any(|workload| {
            number(workload, "/status/observedGeneration") >= number(workload, "/metadata/generation")
        })) => seen.ok().and_then(|view| view.objects().next().cloned()),
        () = follow(connection, &query, &view) => None,
        () = tokio::time::sleep(SEEN) => None,
    };
    let workload = workload.ok_or("its controller has not seen the change".to_owned())?;
    let pods = Query::new("v1", "pods", object.namespace.as_deref()).labels(&selector_of(&workload).text());
    let pods = pods.read(connection).await?;
    let revision = Revision::of(&workload, &View::Unread);
    let ours = |pod: &Value| {
        let owners = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        owners.into_iter().flatten().any(|owner| owner.get("uid") == workload.pointer("/metadata/uid"))
    };
    let outdated = |pod: &&Value| {
        let leaving = pod.pointer("/metadata/deletionTimestamp").is_some();
        ours(pod) && !leaving && !is_ready(pod) && !revision.has(pod, jiff::Timestamp::now())
    };
    let named = |pod: &Value| {
        let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let pod_ref = ObjectRef::new("v1", "Pod", object.namespace.as_deref(), &text("/metadata/name"));
        (pod_ref, text("/metadata/uid"), pod.clone())
    };
    Ok(pods.objects().filter(outdated).map(named).collect())
}

/// How long a controller may take to see a change.
const SEEN: Duration = Duration::from_secs(30);

/// True if a pod takes part in its Services.
pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|it| it["type"] == "Ready" && it["status"] == "True")
}
