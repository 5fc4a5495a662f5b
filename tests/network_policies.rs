//! The generated network policies on applications that others wrote: whom they let in and out, held
//! against a list of who really calls whom.
//!
//! Beside each application's manifests stands that list. A call whose address stands in a program
//! alone is marked `in code`: no policy can be made from it, so the fix of its target, and that of its
//! caller, have to ask instead of cutting it off.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use kubectl_progrc::audit;
use kubectl_progrc::fix::Step;
use kubectl_progrc::model::store::Origin;
use kubectl_progrc::model::{Inventory, Scope, World};
use kubectl_progrc::rules::find;
use kubectl_progrc::rules::settings::{Answer, Settings};
use serde_json::{Value, json};

#[path = "network_policies/flows.rs"]
mod flows;
use flows::{End, Network};

/// Caller, target and the pod port that is called.
type Edge = (String, String, u64);

/// The two directions, each with its rule and the question that it asks where it may not know all.
#[derive(Clone, Copy)]
enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    fn rule(self) -> (&'static str, &'static str) {
        match self {
            Self::Ingress => ("missing-ingress-policy", "callers"),
            Self::Egress => ("missing-egress-policy", "callees"),
        }
    }

    /// The end of a call that the policy isolates.
    fn own(self, (caller, target, _): &Edge) -> &str {
        match self {
            Self::Ingress => target,
            Self::Egress => caller,
        }
    }
}

struct Application {
    /// The workloads by name.
    workloads: BTreeMap<String, Value>,
    objects: Vec<Value>,
    visible: BTreeSet<Edge>,
    in_code: BTreeSet<Edge>,
}

impl Application {
    fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network_policies");
        let text = |extension: &str| std::fs::read_to_string(folder.join(name).with_extension(extension)).unwrap();
        let mut objects: Vec<Value> = serde_saphyr::from_multiple(&text("yaml")).unwrap();
        objects.retain(|object| !object.is_null());
        let workloads = objects.iter().filter(|object| object["kind"] == "Deployment");
        let workloads = workloads.map(|object| (string(&object["metadata"]["name"]), object.clone()));
        let (mut visible, mut in_code) = (BTreeSet::new(), BTreeSet::new());
        for line in text("edges").lines().filter(|line| !line.starts_with('#')) {
            let (edge, list) = match line.strip_suffix(" in code") {
                Some(edge) => (edge, &mut in_code),
                None => (line, &mut visible),
            };
            let (caller, target) = edge.split_once(" -> ").unwrap();
            let (target, port) = target.split_once(':').unwrap();
            list.insert((caller.to_owned(), target.to_owned(), port.parse().unwrap()));
        }
        Self { workloads: workloads.collect(), objects, visible, in_code }
    }

    /// What the second stage comes after: a policy for incoming traffic that lets everybody in.
    fn first_stage(&self) -> Vec<Value> {
        let open = |(name, workload): (&String, &Value)| {
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": name, "namespace": workload["metadata"]["namespace"]},
                "spec": {"podSelector": workload["spec"]["selector"], "policyTypes": ["Ingress"], "ingress": [{}]},
            })
        };
        self.workloads.iter().map(open).collect()
    }

    /// The policies of the fixes, by the workload that they isolate, and the workloads whose fix
    /// asks before it makes one.
    fn policies(&self, direction: Direction) -> (BTreeMap<String, Value>, BTreeSet<String>) {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut inventory = Inventory::new(World::Manifests { complete: true }, Scope::default(), now);
        let earlier = if matches!(direction, Direction::Egress) { self.first_stage() } else { Vec::new() };
        for (document, object) in self.objects.iter().chain(&earlier).enumerate() {
            let (version, kind) = (string(&object["apiVersion"]), string(&object["kind"]));
            inventory.add(&version, &kind, object, Some(Origin { document, item: None })).unwrap();
        }
        let (rule, question) = direction.rule();
        let external = ("external".to_owned(), "none".to_owned());
        let external =
            Answer { rule: "missing-egress-policy".into(), object: None, key: external.0, value: external.1 };
        let settings = Settings { answers: vec![external], ..Settings::default() };
        let audit = audit::run(&inventory.finish(), &settings, &[find(rule).unwrap()]);
        assert_eq!(audit.findings.len(), self.workloads.len(), "every workload lacks a policy");
        let (mut made, mut asks) = (BTreeMap::new(), BTreeSet::new());
        for finding in &audit.findings {
            let fix = &finding.fixes[0];
            if let Some(Step::Create { manifest, .. }) = fix.steps.first() {
                made.insert(finding.object.name.clone(), manifest.clone());
            } else {
                assert!(fix.inputs.iter().any(|input| input.key == question), "{}", finding.object);
                asks.insert(finding.object.name.clone());
            }
        }
        (made, asks)
    }

    /// The calls between pods that the policies let through, by the API's own rules; of pods that one
    /// isolates.
    fn allowed(&self, direction: Direction, policies: &BTreeMap<String, Value>) -> BTreeSet<Edge> {
        let network = Network::of(self.objects.iter().chain(policies.values()));
        let ports: BTreeSet<u64> = self
            .visible
            .iter()
            .chain(&self.in_code)
            .map(|(_, _, port)| *port)
            .chain(network.pods.iter().flat_map(flows::Pod::ports).map(|(_, port)| port))
            .collect();
        let mut out = BTreeSet::new();
        for (caller, target) in network.pods.iter().flat_map(|one| network.pods.iter().map(move |other| (one, other))) {
            for port in &ports {
                let edge = (caller.name.clone(), target.name.clone(), *port);
                let is_judged = caller.name != target.name && policies.contains_key(direction.own(&edge));
                if is_judged && network.allows(End::Pod(caller), End::Pod(target), ("TCP", *port)) {
                    out.insert(edge);
                }
            }
        }
        out
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The share of the visible calls that go through, and the share of what goes through that nobody calls.
fn figures(name: &str, direction: Direction) -> (f64, f64) {
    let application = Application::read(name);
    let (policies, asks) = application.policies(direction);
    let allowed = application.allowed(direction, &policies);
    let real: BTreeSet<Edge> = application.visible.union(&application.in_code).cloned().collect();
    let open = |edge: &&Edge| allowed.contains(*edge) || asks.contains(direction.own(edge));
    let kept = application.visible.iter().filter(open).count();
    let invented: Vec<&Edge> = allowed.difference(&real).collect();
    let cut: Vec<&Edge> = real.iter().filter(|edge| !open(edge)).collect();
    let (all, through) = (application.visible.len(), allowed.len());
    let line = format!(
        "{name}, {}: {kept} of {all} visible calls and {} of {} in code kept; {} of {through} allowed calls \
         invented; {} policies, {} questions\n",
        direction.rule().0,
        application.in_code.iter().filter(open).count(),
        application.in_code.len(),
        invented.len(),
        policies.len(),
        asks.len(),
    );
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(cut.is_empty(), "cut off: {cut:?}");
    let share = |part: usize, whole: usize| {
        f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(whole.max(1)).unwrap())
    };
    (share(kept, all), share(invented.len(), through))
}

/// Nothing that is called is cut off, and hardly anything else is let through.
#[track_caller]
fn lets_through_what_is_called(name: &str) {
    for direction in [Direction::Ingress, Direction::Egress] {
        let (kept, invented) = figures(name, direction);
        assert!(kept >= 0.95, "{kept}");
        assert!(invented < 0.05, "{invented}");
    }
}

#[test]
fn policies_of_online_boutique_let_its_calls_through() {
    lets_through_what_is_called("online-boutique");
}

#[test]
fn policies_of_sock_shop_cut_nothing_off_that_only_its_code_knows() {
    lets_through_what_is_called("sock-shop");
}
