//! Why an autoscaler does nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::allowance::Defaults;
use crate::model::autoscaling::{self, OtherScalers};
use crate::model::policy::Autoscaler;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, Subject};

/// One cause, and what a person does about it.
pub(super) struct Cause {
    pub(super) text: String,
    pub(super) advice: String,
    pub(super) object: Subject,
    pub(super) inferred: bool,
}

impl Cause {
    /// The sentence up to what the server adds: `HorizontalPodAutoscaler/web ScalingActive=False/X`.
    pub(super) fn brief(&self) -> &str {
        self.text.split_once(": ").map_or(self.text.as_str(), |(brief, _)| brief)
    }
}

/// Autoscalers besides the first.
pub(super) fn double(autoscalers: &[&Arc<Item<Autoscaler>>]) -> Vec<Cause> {
    let [first, rest @ ..] = autoscalers else {
        return Vec::new();
    };
    let cause = |other: &&Arc<Item<Autoscaler>>| Cause {
        text: format!("{} and {} have the same target", first.subject.short(), other.subject.short()),
        advice: "put the metrics of both into one autoscaler and delete the other".to_owned(),
        object: other.subject.clone(),
        inferred: false,
    };
    rest.iter().map(cause).collect()
}

/// An autoscaler of another target whose selector selects some of the same pods.
pub(super) struct Rival<'a> {
    autoscaler: &'a Item<Autoscaler>,
    /// Whose pods both select.
    shared: &'a Subject,
}

/// Autoscalers by the position of their target.
pub(super) type ByTarget<'a> = BTreeMap<usize, Vec<&'a Arc<Item<Autoscaler>>>>;

/// Which targets' selectors select the pods of which workloads. The controller looks for each pod
/// that a target's selector selects up all autoscalers whose selectors select it, and does nothing
/// where there are two.
pub(super) struct Counted<'a> {
    inventory: &'a Inventory,
    by_target: &'a ByTarget<'a>,
    /// The workloads with pods that the selector of a target selects.
    workloads: BTreeMap<usize, Vec<usize>>,
    /// The other way round, the targets in order.
    targets: BTreeMap<usize, Vec<usize>>,
}

impl<'a> Counted<'a> {
    pub(super) fn of(inventory: &'a Inventory, by_target: &'a ByTarget<'a>) -> Self {
        let (mut workloads, mut targets) = (BTreeMap::new(), BTreeMap::<usize, Vec<usize>>::new());
        for target in by_target.keys() {
            let item = inventory.workloads.at(*target);
            let Some(selector) = &item.spec.selector else { continue };
            let mut selected = inventory.selected_workloads(item.namespace(), selector);
            selected.retain(|position| !inventory.workloads.at(*position).is_idle());
            selected.iter().for_each(|position| targets.entry(*position).or_default().push(*target));
            workloads.insert(*target, selected);
        }
        Self { inventory, by_target, workloads, targets }
    }

    /// The rivals of a target's autoscalers.
    pub(super) fn rivals(&self, target: usize) -> Vec<Rival<'a>> {
        let mut shared = BTreeMap::new();
        for workload in self.workloads.get(&target).into_iter().flatten() {
            let others = self.targets[workload].iter().filter(|other| **other != target);
            for other in others.filter(|other| !self.inventory.workloads.at(**other).is_idle()) {
                shared.entry(other).or_insert(workload);
            }
        }
        let rival = |(other, workload): (&usize, &usize)| {
            let autoscaler = self.by_target[other].first()?;
            Some(Rival { autoscaler, shared: &self.inventory.workloads.at(*workload).subject })
        };
        shared.into_iter().filter_map(rival).collect()
    }
}

/// The rivals of an autoscaler of which its conditions do not speak yet.
pub(super) fn ambiguous(autoscaler: &Item<Autoscaler>, rivals: &[Rival<'_>]) -> impl Iterator<Item = Cause> {
    let judged = autoscaler.condition("ScalingActive").is_some_and(|condition| condition.status != "Unknown");
    rivals.iter().filter(move |_| !judged).map(|rival| Cause {
        text: format!(
            "{} and {} both count the pods of {}",
            autoscaler.subject.short(),
            rival.autoscaler.subject.short(),
            rival.shared.short()
        ),
        advice: "make the selectors of their targets disjoint: else the controller scales neither".to_owned(),
        object: rival.autoscaler.subject.clone(),
        inferred: false,
    })
}

pub(super) fn said_by_conditions(
    inventory: &Inventory,
    workload: &Item<Workload>,
    autoscaler: &Item<Autoscaler>,
    at_zero: bool,
) -> Vec<Cause> {
    let mut causes = false_conditions(autoscaler);
    // A target that has replicas again makes the controller's old remark about 0 stale.
    causes.retain(|(reason, _)| reason != "ScalingDisabled");
    let mut causes: Vec<Cause> = causes
        .into_iter()
        .map(|(reason, text)| Cause {
            text,
            advice: advice(&reason, workload, autoscaler),
            object: autoscaler.subject.clone(),
            inferred: false,
        })
        .collect();
    let judged = autoscaler.condition("ScalingActive").is_some_and(|condition| condition.status != "Unknown");
    if causes.is_empty() && !judged && !at_zero {
        let cause = without_scale(workload, autoscaler)
            .or_else(|| without_container(inventory, workload, autoscaler))
            .or_else(|| without_requests(inventory, workload, autoscaler));
        causes.extend(cause);
    }
    causes
}

/// The target is of a kind whose number of pods nobody sets, so that the API has no `/scale` for it.
fn without_scale(workload: &Item<Workload>, autoscaler: &Item<Autoscaler>) -> Option<Cause> {
    let kind = workload.subject.kind.as_str();
    (!workload.is_scalable()).then(|| Cause {
        text: format!("{} can't scale a {kind}: the kind has no scale subresource", autoscaler.subject.short()),
        advice: "name a Deployment, StatefulSet or another kind with a number of replicas, or delete the autoscaler"
            .to_owned(),
        object: autoscaler.subject.clone(),
        inferred: false,
    })
}

/// No metric can be computed, and at least one is that of a container which the pods don't have.
fn without_container(inventory: &Inventory, workload: &Item<Workload>, autoscaler: &Item<Autoscaler>) -> Option<Cause> {
    let spec = &workload.template()?.spec;
    let metrics = autoscaling::metrics(autoscaler);
    let name = metrics.iter().find_map(|metric| metric.absent(spec))?;
    let none_works = metrics.iter().all(|metric| metric.absent(spec).is_some() || !metric.lacking(spec).is_empty());
    let names: Vec<&str> = spec.serving_containers().map(|container| container.name.as_str()).collect();
    none_works.then(|| Cause {
        text: format!("{} measures container {name}, which the pods don't have", autoscaler.subject.short()),
        advice: format!("measure one of the containers {}", names.join(", ")),
        object: autoscaler.subject.clone(),
        inferred: !inventory.is_live() && !inventory.is_complete(),
    })
}

/// Reason and sentence of each condition that says that the autoscaler can't act.
pub(super) fn false_conditions(autoscaler: &Item<Autoscaler>) -> Vec<(String, String)> {
    let conditions = ["AbleToScale", "ScalingActive"].into_iter().filter_map(|kind| autoscaler.condition(kind));
    conditions
        .filter(|condition| condition.status == "False")
        .map(|condition| {
            let name = autoscaler.subject.short();
            let text = format!("{name} {}=False/{}: {}", condition.kind, condition.reason, condition.message);
            (condition.reason.clone(), text)
        })
        .collect()
}

fn advice(reason: &str, workload: &Item<Workload>, autoscaler: &Item<Autoscaler>) -> String {
    let without = lacking(workload, autoscaler);
    match reason {
        "FailedGetResourceMetric" | "FailedGetContainerResourceMetric" if !without.is_empty() => {
            format!("give container {} requests", without.join(", "))
        }
        "FailedGetResourceMetric" | "FailedGetContainerResourceMetric" => {
            "check that metrics-server runs, and that every container of the running pods, injected ones too, has \
             requests"
                .to_owned()
        }
        "InvalidSelector" => "give the workload a selector that its /scale shows".to_owned(),
        "AmbiguousSelector" => "two autoscalers count the same pods: make the selectors disjoint".to_owned(),
        "FailedGetScale" => "check apiVersion, kind and name of scaleTargetRef".to_owned(),
        "FailedUpdateScale" => {
            "check admission webhooks and quotas, and the rights of the controller on /scale".to_owned()
        }
        reason if reason.starts_with("FailedGet") => "check the metrics adapter and the name of the metric".to_owned(),
        _ => "repair what the condition says".to_owned(),
    }
}

/// The containers without which no metric of the autoscaler can be computed.
fn lacking<'a>(workload: &'a Item<Workload>, autoscaler: &Item<Autoscaler>) -> Vec<&'a str> {
    let Some(template) = workload.template() else {
        return Vec::new();
    };
    let metrics = autoscaling::metrics(autoscaler);
    let lists: Vec<Vec<&str>> = metrics.iter().map(|metric| metric.lacking(&template.spec)).collect();
    if lists.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    lists.into_iter().next().unwrap_or_default()
}

/// All metrics are shares of requests that are not there, and no default gives them.
fn without_requests(inventory: &Inventory, workload: &Item<Workload>, autoscaler: &Item<Autoscaler>) -> Option<Cause> {
    let containers = lacking(workload, autoscaler);
    let defaults = Defaults::of(inventory, workload.namespace());
    let given = autoscaling::metrics(autoscaler)
        .iter()
        .any(|metric| defaults.get(&format!("requests.{}", metric.resource)).is_some());
    (!containers.is_empty() && !given).then(|| Cause {
        text: format!(
            "{} measures a share of requests that container {} does not have",
            autoscaler.subject.short(),
            containers.join(", ")
        ),
        advice: format!("give container {} requests", containers.join(", ")),
        object: autoscaler.subject.clone(),
        inferred: !inventory.is_live() && !inventory.is_complete(),
    })
}

pub(super) fn vertical_conflict(
    workload: &Item<Workload>,
    autoscaler: &Item<Autoscaler>,
    others: &OtherScalers,
) -> Option<Cause> {
    let (vertical, resources) = others.vertical(workload)?;
    let metrics = autoscaling::metrics(autoscaler);
    let shared: Vec<&str> = resources
        .iter()
        .map(String::as_str)
        .filter(|resource| metrics.iter().any(|metric| metric.resource == *resource))
        .collect();
    (!shared.is_empty()).then(|| Cause {
        text: format!(
            "{} scales on {} while {} changes its requests",
            autoscaler.subject.short(),
            shared.join(" and "),
            vertical.short()
        ),
        advice: format!("set updateMode Off, or take {} out of controlledResources", shared.join(" and ")),
        object: vertical.clone(),
        inferred: false,
    })
}
