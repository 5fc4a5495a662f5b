//! Whether a change does what it should, and no harm: looked at after the write, against how it
//! was before.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;
use tokio::sync::watch::{Receiver, Sender};
use tokio::time::Instant;

use super::connect::Connection;
use super::follow::{Query, View, follow};
use super::objects;
use super::rollout::Seen;
use super::write::Write;
use crate::model::ObjectRef;
use crate::model::selector::Selector;

mod bounds;
mod readiness;

use readiness::Members;

/// How long a controller may take to look at a new object.
const LIMIT: Duration = Duration::from_mins(1);

/// The shortest watch of pods that rolled out, and of pods behind a new network policy.
const SOAK: Duration = Duration::from_secs(30);
const POLICY_SOAK: Duration = Duration::from_mins(1);

/// Something to be looked at.
#[derive(Clone, Debug)]
pub struct Check {
    object: ObjectRef,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// The controller has counted the pods of a budget, and lets one go when all are ready.
    Budget,
    /// The controller has counted what a quota bounds, and nothing new is refused by it. Holds the
    /// events that were there before, and of what more was in use than it allowed.
    Quota(View, Vec<String>),
    /// These pods stay ready.
    Pods { selector: Selector, members: Members, soak: Duration },
    /// These endpoints of a Service stay ready.
    Endpoints(Members),
}

/// What a look at a change found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does what it should.
    Well(String),
    /// It can't be said: why.
    Unclear(String),
    /// It does harm, or nothing: why.
    Ill(String),
}

impl Check {
    /// What it is about: `NetworkPolicy/web`.
    pub fn name(&self) -> String {
        self.object.short()
    }

    /// True if it is about this object.
    pub fn is_about(&self, object: &ObjectRef) -> bool {
        self.object.same(object)
    }

    /// True if it only shows over time: without a soak it says nothing.
    pub fn needs_time(&self) -> bool {
        matches!(self.what, What::Pods { .. } | What::Endpoints(_))
    }

    /// How long it has to be watched.
    fn soak(&self) -> Duration {
        match &self.what {
            What::Pods { soak, .. } => *soak,
            What::Endpoints(_) | What::Quota(..) => SOAK,
            What::Budget => Duration::ZERO,
        }
    }
}

/// What has to be looked at after a write, as it is before it.
pub async fn before(connection: &Connection, write: &Write) -> Option<Check> {
    let (object, wanted) = match write {
        Write::Create { object, manifest } => (object, manifest),
        Write::Patch { object, guarded, .. } => (object, &guarded.after),
        Write::Delete { .. } => return None,
    };
    let namespace = object.namespace.as_deref();
    let what = match object.kind.as_str() {
        "PodDisruptionBudget" => What::Budget,
        "ResourceQuota" => {
            let events = quota_events(namespace).read(connection).await;
            What::Quota(events.unwrap_or_default(), bounds::over(wanted))
        }
        "NetworkPolicy" => {
            let selector = wanted.pointer("/spec/podSelector").and_then(|it| serde_json::from_value(it.clone()).ok());
            pods(connection, namespace, selector.unwrap_or_default()).await?
        }
        "Service" if matches!(write, Write::Patch { .. }) => {
            let slices = endpoints(object).read(connection).await.ok()?;
            What::Endpoints(Members::of_endpoints(&slices))
        }
        _ => return None,
    };
    Some(Check { object: object.clone(), what })
}

/// The pods of a workload that has just rolled out, as they were seen then.
pub fn rolled_out(object: &ObjectRef, seen: &Seen) -> Option<Check> {
    let what = members(seen.selector.clone(), &seen.pods, false)?;
    Some(Check { object: object.clone(), what })
}

/// Pods that are ready now; none if they can't be read, or if there are none.
async fn pods(connection: &Connection, namespace: Option<&str>, selector: Selector) -> Option<What> {
    let view = Query::new("v1", "pods", namespace).labels(&selector.text()).read(connection).await.ok()?;
    members(selector, &view, true)
}

fn members(selector: Selector, view: &View, policy: bool) -> Option<What> {
    let members = Members::of_pods(view);
    let probes = view.objects().map(|pod| readiness::probe(pod, policy)).max().unwrap_or_default();
    let soak = (probes * 2).max(if policy { POLICY_SOAK } else { SOAK });
    (!members.is_empty()).then_some(What::Pods { selector, members, soak })
}

fn endpoints(service: &ObjectRef) -> Query {
    let label = format!("kubernetes.io/service-name={}", service.name);
    Query::new("discovery.k8s.io/v1", "endpointslices", service.namespace.as_deref()).labels(&label)
}

fn quota_events(namespace: Option<&str>) -> Query {
    Query::new("v1", "events", namespace).fields("reason=FailedCreate")
}

/// How long all of them are watched: what the user says, else what the slowest probe needs.
pub fn longest_soak(checks: &[&Check], asked: Option<Duration>) -> Duration {
    asked.unwrap_or_else(|| checks.iter().map(|check| check.soak()).max().unwrap_or_default())
}

/// Looks at all of them at the same time; the verdicts in their order.
pub async fn judge(connection: &Connection, checks: &[&Check], soak: Duration) -> Vec<Verdict> {
    let boards = Boards::of(checks);
    tokio::select! {
        verdicts = join_all(checks.iter().map(|check| one(connection, check, soak, &boards))) => verdicts,
        () = boards.follow(connection) => Vec::new(),
    }
}

/// The lists that hold the objects of checks: one watch for all of a namespace and kind.
struct Boards(BTreeMap<String, (Query, Sender<View>)>);

impl Boards {
    fn of(checks: &[&Check]) -> Self {
        let mut boards: BTreeMap<String, (Query, Sender<View>)> = BTreeMap::new();
        for check in checks.iter().filter(|check| matches!(check.what, What::Budget | What::Quota(..))) {
            let path = objects::collection_path(&check.object);
            // A list of one where there is one: a role may allow no more.
            let one = Query::at(path.clone()).fields(&format!("metadata.name={}", check.object.name));
            let all = Query::at(path.clone());
            boards.entry(path).and_modify(|(query, _)| *query = all).or_insert_with(|| (one, Sender::default()));
        }
        Self(boards)
    }

    /// Keeps all of them up to date; never returns.
    async fn follow(&self, connection: &Connection) {
        join_all(self.0.values().map(|(query, view)| follow(connection, query, view))).await;
        std::future::pending::<()>().await;
    }

    /// The view that an object of a check is in.
    fn view(&self, object: &ObjectRef) -> Receiver<View> {
        let board = self.0.get(&objects::collection_path(object)).map(|(_, view)| view.subscribe());
        board.unwrap_or_else(|| Sender::default().subscribe())
    }
}

async fn one(connection: &Connection, check: &Check, soak: Duration, boards: &Boards) -> Verdict {
    let object = &check.object;
    let namespace = object.namespace.as_deref();
    match &check.what {
        What::Budget => awaited(boards.view(object), &object.name, bounds::budget).await,
        What::Quota(events, over) => {
            let within = |quota: &Value| bounds::quota(quota, over);
            let counted = awaited(boards.view(object), &object.name, within).await;
            if !matches!(counted, Verdict::Well(_)) || soak.is_zero() {
                return counted;
            }
            let refused = |view: &View| bounds::refused(&object.name, events, view);
            watched(connection, &quota_events(namespace), soak, refused).await.unwrap_or(counted)
        }
        What::Pods { selector, members, .. } => {
            let query = Query::new("v1", "pods", namespace).labels(&selector.text());
            let fell = |view: &View| members.fallen(&Members::of_pods(view));
            let well = format!("{} stayed ready", members.text("pod"));
            watched(connection, &query, soak, fell).await.unwrap_or(Verdict::Well(well))
        }
        What::Endpoints(members) => {
            let fell = |view: &View| {
                let now = Members::of_endpoints(view);
                members.fallen(&now).or_else(|| members.vanished(&now))
            };
            let well = format!("{} stayed ready", members.text("endpoint"));
            watched(connection, &endpoints(object), soak, fell).await.unwrap_or(Verdict::Well(well))
        }
    }
}

/// Waits until something can be said of one object of a view.
async fn awaited(mut seen: Receiver<View>, name: &str, judge: impl Fn(&Value) -> Result<Verdict, String>) -> Verdict {
    let mut last = "it could not be read".to_owned();
    let looking = async {
        loop {
            let named = |object: &&Value| object.pointer("/metadata/name").and_then(Value::as_str) == Some(name);
            if let Some(object) = seen.borrow_and_update().objects().find(named) {
                match judge(object) {
                    Ok(verdict) => return verdict,
                    Err(state) => last = state,
                }
            }
            if seen.changed().await.is_err() {
                return Verdict::Unclear("nothing is watched any more".to_owned());
            }
        }
    };
    let ended = tokio::time::timeout(LIMIT, looking).await;
    ended.unwrap_or_else(|_| Verdict::Ill(format!("after {} s {last}", LIMIT.as_secs())))
}

/// Follows a list for some time; the first harm that is seen ends it.
async fn watched(
    connection: &Connection,
    query: &Query,
    soak: Duration,
    harm: impl Fn(&View) -> Option<String>,
) -> Option<Verdict> {
    if soak.is_zero() {
        return None;
    }
    let (view, end) = (Sender::<View>::default(), Instant::now() + soak);
    let mut seen = view.subscribe();
    let looking = async {
        loop {
            match &*seen.borrow_and_update() {
                View::Refused(why) => return Some(Verdict::Unclear(why.clone())),
                now @ View::Objects(_) => {
                    if let Some(why) = harm(now) {
                        return Some(Verdict::Ill(why));
                    }
                }
                View::Unread | View::Failing(_) => {}
            }
            if tokio::time::timeout_at(end, seen.changed()).await.is_err() {
                return match &*seen.borrow() {
                    View::Failing(why) => Some(Verdict::Unclear(why.clone())),
                    View::Unread => Some(Verdict::Unclear("it could not be read".to_owned())),
                    _ => None,
                };
            }
        }
    };
    tokio::select! {
        verdict = looking => verdict,
        () = follow(connection, query, &view) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The check of a Deployment whose ready pods have these readiness probes.
    fn rolled(probes: &[Value]) -> Option<Check> {
        let pods = probes.iter().enumerate().map(|(number, probe)| {
            let name = format!("web-{number}");
            let mut pod = json!({"metadata": {"name": name, "uid": name}, "spec": {"containers": [{"name": "main"}]},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
            if !probe.is_null() {
                pod["spec"]["containers"][0]["readinessProbe"] = probe.clone();
            }
            (name, pod)
        });
        let pods = View::Objects(pods.collect());
        let (selector, none) = (Selector::default(), View::default());
        let seen = Seen { selector, workload: none.clone(), sets: none, pods };
        rolled_out(&ObjectRef::new("apps/v1", "Deployment", Some("shop"), "web"), &seen)
    }

    #[test]
    fn new_pods_are_watched_for_two_readiness_periods_and_half_a_minute_at_least() {
        let probe = |seconds: u64| json!({"httpGet": {"port": 80}, "periodSeconds": seconds});
        let unset = json!({"httpGet": {"port": 80}});
        for (probes, seconds) in [
            (vec![Value::Null], 30),
            (vec![unset.clone()], 30),
            (vec![probe(15)], 30),
            (vec![probe(16)], 32),
            (vec![unset, probe(60), probe(5)], 120),
        ] {
            assert_eq!(rolled(&probes).unwrap().soak(), Duration::from_secs(seconds), "{probes:?}");
        }
        assert!(rolled(&[]).is_none(), "there is nobody to watch");
    }

    #[test]
    fn the_slowest_of_a_batch_decides_and_the_flag_wins() {
        let slow = json!({"periodSeconds": 60});
        let checks = [rolled(&[Value::Null]).unwrap(), rolled(&[slow]).unwrap()];
        let checks: Vec<&Check> = checks.iter().collect();
        assert_eq!(longest_soak(&checks, None), Duration::from_mins(2));
        for asked in [Duration::ZERO, Duration::from_secs(5), Duration::from_mins(10)] {
            assert_eq!(longest_soak(&checks, Some(asked)), asked);
        }
    }
}
