//! How many pods a workload may have, and what in its own template speaks against more.
//!
//! Source: the reference documentation on Deployments ("Rolling update").

use std::fmt;

use serde_json::Value;

use super::cluster::Other;
use super::inventory::Inventory;
use super::object::Subject;
use super::pod::{Container, PodTemplate, Volume};
use super::policy::Autoscaler;
use super::selector::Selector;
use super::store::Item;
use super::workload::Workload;

/// The number of pods that a workload keeps or may reach, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Pods.
    pub pods: i64,
    /// The field that says so, for evidence.
    pub source: BoundSource,
}

/// The field that says how many pods a workload has: `HorizontalPodAutoscaler/x spec.minReplicas`.
/// Whoever needs no sentence does not pay for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundSource {
    holder: Holder,
    field: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Holder {
    Object(Subject),
    /// It is not always read.
    ScaledObject(String),
}

impl BoundSource {
    fn of(object: &Subject, field: &'static str) -> Self {
        Self { holder: Holder::Object(object.clone()), field }
    }

    /// True if the field is one of this object.
    pub fn is_in(&self, object: &Subject) -> bool {
        matches!(&self.holder, Holder::Object(holder) if holder == object)
    }
}

impl fmt::Display for BoundSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match &self.holder {
            Holder::Object(object) => (object.kind.as_str(), &object.name),
            Holder::ScaledObject(name) => ("ScaledObject", name),
        };
        write!(f, "{kind}/{name} spec.{}", self.field)
    }
}

/// The least pods that a workload keeps: an autoscaler's minimum, else its own replicas. An object
/// of KEDA that made the autoscaler counts instead of it.
pub fn floor(inventory: &Inventory, workload: usize) -> Bound {
    bound(inventory, workload, "minReplicas", "minReplicaCount", 0)
}

/// The most pods that a workload may reach.
pub fn ceiling(inventory: &Inventory, workload: usize) -> Bound {
    bound(inventory, workload, "maxReplicas", "maxReplicaCount", 100)
}

fn bound(
    inventory: &Inventory,
    position: usize,
    field: &'static str,
    keda_field: &'static str,
    keda_default: i64,
) -> Bound {
    let workload = inventory.workloads.at(position);
    let of_keda = |name: &str, scaled: Option<&Item<Other>>| {
        let count = scaled.and_then(|scaled| scaled.at(&format!("/spec/{keda_field}"))?.as_i64());
        let pods = count.filter(|count| i32::try_from(*count).is_ok()).unwrap_or(keda_default);
        let holder = Holder::ScaledObject(name.to_owned());
        Bound { pods, source: BoundSource { holder, field: keda_field } }
    };
    let Some(autoscaler) = inventory.autoscalers_of(position).next() else {
        if let Some(scaled) = inventory.scaled_object_of(position) {
            return of_keda(scaled.name(), Some(scaled));
        }
        return Bound { pods: workload.replicas(), source: BoundSource::of(&workload.subject, "replicas") };
    };
    if let Some((name, scaled)) = scaled_object(inventory, autoscaler) {
        return of_keda(name, scaled);
    }
    let pods = if field == "minReplicas" { autoscaler.floor() } else { autoscaler.spec.max_replicas };
    Bound { pods, source: BoundSource::of(&autoscaler.subject, field) }
}

/// The name of the `ScaledObject` that made an autoscaler, and the object if it was read.
pub fn scaled_object<'a>(
    inventory: &'a Inventory,
    autoscaler: &'a Item<Autoscaler>,
) -> Option<(&'a str, Option<&'a Item<Other>>)> {
    let owner = autoscaler.metadata.controller().filter(|owner| owner.kind == "ScaledObject")?;
    let read = inventory.custom("scaledobjects.keda.sh");
    let scaled = read.and_then(|store| store.get(autoscaler.namespace(), "ScaledObject", &owner.name));
    Some((&owner.name, scaled.map(|scaled| &**scaled)))
}

/// The most pods that a workload may have at once, surge and pods that are still ending included,
/// and the arithmetic in words. No number for a `DaemonSet` whose nodes are not known; the words say
/// why.
pub fn peak_pods(inventory: &Inventory, position: usize) -> (Option<i64>, String) {
    let workload = inventory.workloads.at(position);
    let (pods, text) = match workload.kind.as_str() {
        "DaemonSet" => {
            let Some((nodes, what)) = daemon_nodes(inventory, workload) else {
                let why = if inventory.is_live() { " yet" } else { ", and the files have no nodes" };
                return (None, format!("one on each node; its status states no number{why}"));
            };
            let surge = workload.daemon_surge(nodes);
            (nodes + surge, format!("{nodes} {what} + surge {surge}"))
        }
        "CronJob" => {
            let parallel = workload.spec.job_template.as_ref().and_then(|job| job.spec.parallelism).unwrap_or(1);
            let overlapping = workload.spec.concurrency_policy.as_deref().unwrap_or("Allow") == "Allow";
            let pods = parallel * if overlapping { 2 } else { 1 };
            (pods, format!("parallelism {parallel}{}", if overlapping { ", two runs may overlap" } else { "" }))
        }
        "Job" => (workload.spec.parallelism.unwrap_or(1), "parallelism".to_owned()),
        "Pod" => (1, "one pod".to_owned()),
        _ => {
            let ceiling = ceiling(inventory, position);
            let (surge, missing) = workload.surge_and_unavailable(ceiling.pods);
            let text = format!("{} from {} + surge {surge} + ending {missing}", ceiling.pods, ceiling.source);
            (ceiling.pods + surge + missing, text)
        }
    };
    (Some(pods), text)
}

/// True for a `DaemonSet` of which nobody knows on how many nodes it runs.
pub fn is_uncounted(inventory: &Inventory, workload: &Workload) -> bool {
    workload.kind == "DaemonSet" && daemon_nodes(inventory, workload).is_none()
}

/// The nodes of a `DaemonSet` as its controller counts them, else those that the files show, and what
/// they are in words.
fn daemon_nodes(inventory: &Inventory, workload: &Workload) -> Option<(i64, &'static str)> {
    let status = &workload.status;
    if status.desired_number_scheduled > 0 || status.observed_generation > 0 {
        return Some((status.desired_number_scheduled, "nodes"));
    }
    let shown = i64::try_from(inventory.nodes.len()).unwrap_or(i64::MAX);
    (!inventory.is_live() && shown > 0).then_some((shown, "nodes in the files"))
}

/// Why a second pod of this workload may not be able to start beside the first, or may do harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// One word: `volume`, `new-volumes`, `recreate`, `nodes`, `singleton`, `quota`, `capacity`.
    pub guard: &'static str,
    /// The sentence.
    pub reason: String,
    /// True if more pods can't work at all.
    pub refuses: bool,
    /// False if it rests on something that was not read.
    pub known: bool,
}

impl Obstacle {
    pub(super) fn new(guard: &'static str, reason: String) -> Self {
        Self { guard, reason, refuses: false, known: true }
    }

    /// True for what is said and is no reason to do less: nobody who may not see the nodes, or the
    /// labels of the namespace, could be sure of anything.
    pub fn is_hint(&self) -> bool {
        !self.known && matches!(self.guard, "capacity" | "pod-security")
    }

    pub(super) fn unknown(mut self) -> Self {
        self.known = false;
        self
    }
}

/// Everything in a workload's template that speaks against `pods` pods at once.
pub fn obstacles(inventory: &Inventory, workload: &Item<Workload>, pods: i64) -> Vec<Obstacle> {
    let Some(template) = workload.template() else {
        return Vec::new();
    };
    let claims = template.spec.volumes.iter().filter_map(Volume::claim);
    let mut out: Vec<Obstacle> =
        claims.filter_map(|claim| bound_volume(inventory, workload.namespace(), claim)).collect();
    if workload.strategy_kind() == "Recreate" {
        let reason = "the strategy is Recreate: the workload does not want two pods at once";
        out.push(Obstacle::new("recreate", reason.to_owned()));
    }
    if workload.kind == "StatefulSet" && !workload.spec.volume_claim_templates.is_empty() {
        let reason = "each new pod makes a PersistentVolumeClaim, which costs and stays";
        out.push(Obstacle::new("new-volumes", reason.to_owned()));
    }
    out.extend(needs_own_node(template).and_then(|reason| few_nodes(inventory, &reason, pods)));
    out.extend(singleton_hint(workload).map(|reason| Obstacle::new("singleton", reason)));
    out
}

/// Why a claim can't be mounted by pods on several nodes.
fn bound_volume(inventory: &Inventory, namespace: &str, name: &str) -> Option<Obstacle> {
    let claims = &inventory.volume_claims;
    let Some(claim) = claims.get(namespace, "PersistentVolumeClaim", name) else {
        let reason = format!("the access modes of PersistentVolumeClaim/{name} are not known");
        return Some(Obstacle::new("volume", reason).unknown());
    };
    let short = claim.subject.short();
    if claim.is_for_one_pod() {
        let reason = format!("{short} may be mounted by one pod only (ReadWriteOncePod)");
        let mut obstacle = Obstacle::new("volume", reason);
        obstacle.refuses = true;
        return Some(obstacle);
    }
    let modes = claim.spec.access_modes.join(", ");
    let reason = format!("{short} can't be mounted on several nodes ({modes})");
    (!claim.is_shared()).then(|| Obstacle::new("volume", reason))
}

/// Too few nodes for pods of which each needs its own.
fn few_nodes(inventory: &Inventory, reason: &str, pods: i64) -> Option<Obstacle> {
    if inventory.nodes.is_empty() {
        let reason = format!("{reason}, and the nodes are not known");
        return Some(Obstacle::new("nodes", reason).unknown());
    }
    let schedulable = inventory.nodes.iter().filter(|node| node.is_schedulable());
    let nodes = i64::try_from(schedulable.count()).unwrap_or(i64::MAX);
    let verb = if nodes == 1 { "node takes" } else { "nodes take" };
    let reason = format!("{reason}, and {nodes} {verb} pods");
    (nodes < pods).then(|| Obstacle::new("nodes", reason))
}

fn needs_own_node(template: &PodTemplate) -> Option<String> {
    let spec = &template.spec;
    if spec.on_host_network() {
        return Some("hostNetwork lets one pod run on a node".to_owned());
    }
    let ports = spec.serving_containers().flat_map(|container| &container.ports);
    if let Some(port) = ports.filter_map(|port| port.host_port).find(|port| *port > 0) {
        return Some(format!("hostPort {port} lets one pod run on a node"));
    }
    let required =
        spec.affinity.as_ref()?.pointer("/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution")?;
    let own = |term: &Value| {
        let selector = term.get("labelSelector").cloned().unwrap_or_default();
        let selector = serde_json::from_value::<Option<Selector>>(selector).ok().flatten();
        term.get("topologyKey").and_then(Value::as_str) == Some("kubernetes.io/hostname")
            && selector.is_some_and(|selector| selector.matches(template.labels()))
    };
    required.as_array()?.iter().any(own).then(|| "a required anti-affinity lets one pod run on a node".to_owned())
}

fn singleton_hint(workload: &Workload) -> Option<String> {
    let template = workload.template()?;
    let marked = |key: &str| {
        workload.metadata.annotation(key) == Some("true") || template.metadata.annotation(key) == Some("true")
    };
    if marked("progrc.io/singleton") {
        return Some("it is marked progrc.io/singleton".to_owned());
    }
    let no_election = |container: &&Container| {
        container.args.iter().chain(&container.command).any(|word| word.contains("--leader-elect=false"))
    };
    let container = template.spec.containers.iter().find(no_election)?;
    Some(format!("container {} runs with --leader-elect=false", container.name))
}
