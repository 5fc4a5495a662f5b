//! Whether a change does what it should, and no harm: looked at after the write, against how it
//! was before.

use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;
use tokio::sync::watch::Sender;
use tokio::time::Instant;

use super::connect::Connection;
use super::follow::{Query, View, follow};
use super::objects;
use super::rollout::selector_of;
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
    /// events that were there before.
    Quota(View),
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
            What::Endpoints(_) | What::Quota(_) => SOAK,
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
            What::Quota(events.unwrap_or_default())
        }
        "NetworkPolicy" => {
            let selector = wanted.pointer("/spec/podSelector").and_then(|it| serde_json::from_value(it.clone()).ok());
            pods(connection, namespace, selector.unwrap_or_default(), true).await?
        }
        "Service" if matches!(write, Write::Patch { .. }) => {
            let slices = endpoints(object).read(connection).await.ok()?;
            What::Endpoints(Members::of_endpoints(&slices))
        }
        _ => return None,
    };
    Some(Check { object: object.clone(), what })
}

/// The pods of a workload that has just rolled out.
pub async fn rolled_out(connection: &Connection, object: &ObjectRef) -> Option<Check> {
    let workload = objects::get(connection, object, None).await.ok()?;
    let what = pods(connection, object.namespace.as_deref(), selector_of(&workload), false).await?;
    Some(Check { object: object.clone(), what })
}

/// Pods that are ready now; none if they can't be read, or if there are none.
async fn pods(connection: &Connection, namespace: Option<&str>, selector: Selector, policy: bool) -> Option<What> {
    let view = Query::new("v1", "pods", namespace).labels(&selector.text()).read(connection).await.ok()?;
    let members = Members::of_pods(&view);
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
    join_all(checks.iter().map(|check| one(connection, check, soak))).await
}

async fn one(connection: &Connection, check: &Check, soak: Duration) -> Verdict {
    let object = &check.object;
    let namespace = object.namespace.as_deref();
    let own = Query::at(objects::collection_path(object)).fields(&format!("metadata.name={}", object.name));
    match &check.what {
        What::Budget => awaited(connection, &own, bounds::budget).await,
        What::Quota(events) => {
            let counted = awaited(connection, &own, bounds::quota).await;
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

/// Follows one object until something can be said of it.
async fn awaited(connection: &Connection, query: &Query, judge: fn(&Value) -> Result<Verdict, String>) -> Verdict {
    let view: Sender<View> = Sender::default();
    let mut seen = view.subscribe();
    let mut last = "it could not be read".to_owned();
    let looking = async {
        loop {
            if let Some(object) = seen.borrow_and_update().objects().next() {
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
    let ended = tokio::select! {
        verdict = looking => Some(verdict),
        () = follow(connection, query, &view) => None,
        () = tokio::time::sleep(LIMIT) => None,
    };
    ended.unwrap_or_else(|| Verdict::Ill(format!("after {} s {last}", LIMIT.as_secs())))
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
