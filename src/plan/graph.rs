//! What must come before what in one plan: edges between its fixes, and an order that keeps them.
//!
//! An edge joins two fixes that are about the same object, or about the same namespace where the
//! later one bounds all of it. It also says who is stopped: what must follow a fix that failed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Finding;
use crate::fix::{Fix, Step};
use crate::model::{Inventory, Subject};

/// One fix of a plan.
#[derive(Clone, Debug)]
pub struct Planned<'a> {
    /// The rule.
    pub rule: String,
    /// The object of the finding.
    pub object: Subject,
    /// The fix.
    pub fix: Cow<'a, Fix>,
    /// Every object that it concerns: the finding's, those that it writes, those that they rest on.
    pub about: Vec<Subject>,
}

/// How two fixes of an edge are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// They concern the same object.
    Object,
    /// They are in the same namespace.
    Namespace,
}

/// Rules of which the first comes before the second, where their fixes are related.
const RULES: [(&str, &str, Reach); 14] = [
    ("unbounded-db-pool", "misconfigured-hpa", Reach::Object),
    ("unbounded-db-pool", "replicas-below-hpa-min", Reach::Object),
    ("hpa-cannot-scale", "replicas-below-hpa-min", Reach::Object),
    ("misconfigured-hpa", "replicas-below-hpa-min", Reach::Object),
    ("hpa-cannot-scale", "missing-pdb", Reach::Object),
    ("misconfigured-hpa", "missing-pdb", Reach::Object),
    ("replicas-below-hpa-min", "missing-pdb", Reach::Object),
    ("missing-limit-range", "missing-resource-quota", Reach::Namespace),
    ("ingress-without-tls", "redundant-load-balancer", Reach::Object),
    ("redundant-load-balancer", "missing-ingress-policy", Reach::Object),
    ("missing-ingress-policy", "missing-egress-policy", Reach::Namespace),
    ("missing-ingress-policy", "missing-default-deny", Reach::Namespace),
    ("missing-egress-policy", "missing-default-deny", Reach::Namespace),
    ("missing-egress-policy", "dev-storage-endpoint", Reach::Namespace),
];

/// The label whose change makes a namespace refuse pods.
const ENFORCE: &str = "/metadata/labels/pod-security.kubernetes.io~1enforce";

impl<'a> Planned<'a> {
    /// The fix of a finding.
    pub fn of(finding: &Finding, fix: &'a Fix, inventory: &Inventory) -> Self {
        let mut about = vec![finding.object.clone()];
        about.extend(fix.steps.iter().map(|step| step.object().clone()));
        about.extend(finding.locations.iter().filter_map(|location| location.object.clone()));
        about.extend(finding.evidence.iter().filter_map(|evidence| evidence.object.clone()));
        about.extend(neighbours(&finding.object, inventory));
        Self { rule: finding.rule.to_owned(), object: finding.object.clone(), fix: Cow::Borrowed(fix), about }
    }

    /// The namespace that it is in; that of a Namespace is its own.
    fn namespace(&self) -> &str {
        if self.object.kind == "Namespace" { &self.object.name } else { self.object.namespace() }
    }

    fn rolls_out(&self) -> bool {
        self.fix.restarts().next().is_some()
    }

    fn any(&self, wanted: impl Fn(&Step) -> bool) -> bool {
        self.fix.steps.iter().any(wanted)
    }

    /// True if it gives a namespace more room.
    fn makes_room(&self) -> bool {
        self.any(|step| matches!(step, Step::Patch { object, .. } if object.kind == "ResourceQuota"))
    }

    /// True if it makes more pods.
    fn adds_pods(&self) -> bool {
        self.any(|step| match step {
            Step::Patch { object, edits, .. } => edits.iter().any(|edit| match object.kind.as_str() {
                "HorizontalPodAutoscaler" => edit.pointer.ends_with("Replicas"),
                _ => edit.pointer == "/spec/replicas",
            }),
            _ => false,
        })
    }

    /// True if pods that were admitted before may be refused afterwards.
    fn bounds_pods(&self) -> bool {
        self.any(|step| match step {
            Step::Create { object, .. } => object.kind == "ResourceQuota",
            Step::Patch { object, edits, .. } => {
                object.kind == "Namespace" && edits.iter().any(|edit| edit.pointer == ENFORCE)
            }
            _ => false,
        })
    }

    /// True if something goes that others may still use.
    fn takes_away(&self) -> bool {
        self.fix.irreversible.is_some() || self.any(|step| matches!(step, Step::Delete { .. }))
    }
}

/// The workloads behind an autoscaler or a Service.
fn neighbours(object: &Subject, inventory: &Inventory) -> Vec<Subject> {
    let (namespace, name) = (object.namespace(), object.name.as_str());
    let workload = |position: usize| inventory.workloads.at(position).subject.clone();
    match object.kind.as_str() {
        "HorizontalPodAutoscaler" => {
            let autoscaler = inventory.autoscalers.get(namespace, &object.kind, name);
            autoscaler.and_then(|it| inventory.target_of(it)).map(workload).into_iter().collect()
        }
        "Service" => match inventory.services.get(namespace, "Service", name) {
            Some(service) => inventory.workloads_of(service).map(|workload| workload.subject.clone()).collect(),
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// For each fix those that come before it.
pub fn edges(fixes: &[Planned<'_>]) -> Vec<BTreeSet<usize>> {
    let mut before = gated(fixes);
    let gates = before.split_off(fixes.len());
    for earlier in &mut before {
        for gate in earlier.split_off(&fixes.len()) {
            earlier.extend(&gates[gate - fixes.len()]);
        }
    }
    before
}

/// The same, with gates behind the fixes: where many come before many, each of these waits for one
/// gate, which waits for each of those.
fn gated(fixes: &[Planned<'_>]) -> Vec<BTreeSet<usize>> {
    let mut before = vec![BTreeSet::new(); fixes.len()];
    let mut gates = Vec::new();
    let mut places: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    let mut namespaces: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, fix) in fixes.iter().enumerate() {
        places.entry((&fix.rule, fix.namespace())).or_default().push(index);
        namespaces.entry(fix.namespace()).or_default().push(index);
    }
    for ((rule, namespace), firsts) in &places {
        for (_, later, reach) in RULES.iter().filter(|(first, ..)| first == rule) {
            let Some(seconds) = places.get(&(*later, *namespace)) else { continue };
            match reach {
                Reach::Object => share_an_object(fixes, firsts, seconds, &mut before),
                Reach::Namespace => {
                    seconds.iter().for_each(|second| {
                        before[*second].insert(fixes.len() + gates.len());
                    });
                    gates.push(firsts.iter().copied().collect());
                }
            }
        }
    }
    for members in namespaces.values() {
        within(fixes, members, &mut before);
    }
    same_creations(fixes, &gates, &mut before);
    before.append(&mut gates);
    before
}

/// Edges between fixes that concern the same object; a namespace is none.
fn share_an_object(fixes: &[Planned<'_>], firsts: &[usize], seconds: &[usize], before: &mut [BTreeSet<usize>]) {
    type Name<'a> = (&'a str, &'a str, &'a str, &'a str);
    fn names<'f>(fix: &'f Planned<'_>) -> impl Iterator<Item = Name<'f>> {
        let objects = fix.about.iter().filter(|object| object.kind != "Namespace");
        objects.map(|object| (object.group(), object.kind.as_str(), object.namespace(), object.name.as_str()))
    }
    let mut about: BTreeMap<Name<'_>, Vec<usize>> = BTreeMap::new();
    for first in firsts {
        names(&fixes[*first]).for_each(|name| about.entry(name).or_default().push(*first));
    }
    for second in seconds {
        before[*second].extend(names(&fixes[*second]).filter_map(|name| about.get(&name)).flatten());
    }
}

/// Edges that the steps of one namespace make: room before what needs it, bounds after everything
/// that they would refuse.
fn within(fixes: &[Planned<'_>], members: &[usize], before: &mut [BTreeSet<usize>]) {
    fn pick<'f>(fixes: &'f [Planned<'f>], members: &[usize], wanted: fn(&Planned<'f>) -> bool) -> Vec<usize> {
        members.iter().copied().filter(|index| wanted(&fixes[*index])).collect()
    }
    let pick = |wanted| pick(fixes, members, wanted);
    let more = pick(|fix| fix.rolls_out() || fix.adds_pods());
    for room in pick(Planned::makes_room) {
        more.iter().filter(|later| **later != room).for_each(|later| {
            before[*later].insert(room);
        });
    }
    let rolling = pick(Planned::rolls_out);
    for bound in pick(Planned::bounds_pods) {
        before[bound].extend(rolling.iter().filter(|earlier| **earlier != bound));
    }
}

/// Of two fixes that make the same object one does it for both.
fn same_creations(fixes: &[Planned<'_>], gates: &[BTreeSet<usize>], before: &mut [BTreeSet<usize>]) {
    let mut makers: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, fix) in fixes.iter().enumerate() {
        for step in fix.fix.steps.iter().filter(|step| matches!(step, Step::Create { .. })) {
            makers.entry(format!("{} {}", step.object().group(), step.object())).or_default().push(index);
        }
    }
    for makers in makers.values() {
        for pair in makers.windows(2) {
            let mut doors = before[pair[0]].range(fixes.len()..).map(|gate| &gates[gate - fixes.len()]);
            let follows = before[pair[0]].contains(&pair[1]) || doors.any(|gate| gate.contains(&pair[1]));
            if !follows && pair[0] != pair[1] {
                before[pair[1]].insert(pair[0]);
            }
        }
    }
}

/// Everything that comes after one fix, however far.
pub fn descendants(before: &[BTreeSet<usize>], fix: usize) -> BTreeSet<usize> {
    let (mut found, mut open) = (BTreeSet::new(), vec![fix]);
    while let Some(earlier) = open.pop() {
        let next = (0..before.len()).filter(|later| before[*later].contains(&earlier));
        open.extend(next.filter(|later| found.insert(*later)).collect::<Vec<_>>());
    }
    found
}

/// An order that keeps the edges; of those that may come next the first by `rank`, then by place.
pub fn topological(before: &[BTreeSet<usize>], rank: impl Fn(usize) -> usize) -> Vec<usize> {
    let mut waits: Vec<usize> = before.iter().map(BTreeSet::len).collect();
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); before.len()];
    for (later, earlier) in before.iter().enumerate() {
        earlier.iter().for_each(|earlier| after[*earlier].push(later));
    }
    let all = 0..before.len();
    let mut ready: BTreeSet<(usize, usize)> =
        all.clone().filter(|index| waits[*index] == 0).map(|index| (rank(index), index)).collect();
    let mut open: BTreeSet<usize> = all.collect();
    let mut order = Vec::with_capacity(before.len());
    // Edges make no circle; if they did, the first of it would go ahead and nothing would be lost.
    while let Some(next) = ready.pop_first().map(|(_, index)| index).or_else(|| open.first().copied()) {
        if !open.remove(&next) {
            continue;
        }
        order.push(next);
        for later in &after[next] {
            waits[*later] = waits[*later].saturating_sub(1);
            if waits[*later] == 0 && open.contains(later) {
                ready.insert((rank(*later), *later));
            }
        }
    }
    order
}

/// The order of the fixes of a plan: edges, then additions before what takes something away, then
/// the order in which they were given.
pub fn order(fixes: &[Planned<'_>]) -> Vec<usize> {
    // A gate opens as soon as it can.
    let rank = |index: usize| fixes.get(index).map_or(0, |fix| 1 + usize::from(fix.takes_away()));
    let order = topological(&gated(fixes), rank);
    order.into_iter().filter(|index| *index < fixes.len()).collect()
}

#[cfg(test)]
#[path = "graph/tests.rs"]
mod tests;
