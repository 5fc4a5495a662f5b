//! The generated network policies on applications that others wrote: whom they let in, held against
//! a list of who really calls whom.
//!
//! Beside each application's manifests stands that list. A call whose address stands in a program
//! alone is marked `in code`: no policy can be made from it, so the fix of its target has to ask
//! instead of cutting it off.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use kubectl_progrc::audit;
use kubectl_progrc::fix::Step;
use kubectl_progrc::model::store::Origin;
use kubectl_progrc::model::{Inventory, Scope, World};
use kubectl_progrc::rules::find;
use kubectl_progrc::rules::settings::Settings;
use serde_json::Value;

/// Caller, target and the pod port that is called.
type Edge = (String, String, u64);

struct Application {
    /// Labels of the pods, by workload.
    pods: BTreeMap<String, Value>,
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
        let pods = workloads.map(|object| {
            (string(&object["metadata"]["name"]), object["spec"]["template"]["metadata"]["labels"].clone())
        });
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
        Self { pods: pods.collect(), objects, visible, in_code }
    }

    /// The policies of the fixes, by the workload that they isolate, and the workloads whose fix
    /// asks before it makes one.
    fn policies(&self) -> (BTreeMap<String, Value>, BTreeSet<String>) {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut inventory = Inventory::new(World::Manifests { complete: true }, Scope::default(), now);
        for (document, object) in self.objects.iter().enumerate() {
            let (version, kind) = (string(&object["apiVersion"]), string(&object["kind"]));
            inventory.add(&version, &kind, object, Some(Origin { document, item: None })).unwrap();
        }
        let rule = find("missing-ingress-policy").unwrap();
        let audit = audit::run(&inventory.finish(), &Settings::default(), &[rule]);
        assert_eq!(audit.findings.len(), self.pods.len(), "every workload lacks a policy");
        let (mut made, mut asks) = (BTreeMap::new(), BTreeSet::new());
        for finding in &audit.findings {
            let fix = &finding.fixes[0];
            if let Some(Step::Create { manifest, .. }) = fix.steps.first() {
                made.insert(finding.object.name.clone(), manifest.clone());
            } else {
                assert!(fix.inputs.iter().any(|input| input.key == "callers"), "{}", finding.object);
                asks.insert(finding.object.name.clone());
            }
        }
        (made, asks)
    }

    /// The calls between pods that the policies let through, by the API's own rules.
    fn allowed(&self, policies: &BTreeMap<String, Value>) -> BTreeSet<Edge> {
        let mut out = BTreeSet::new();
        for (target, policy) in policies {
            let spec = &policy["spec"];
            assert!(selects(&spec["podSelector"], &self.pods[target]), "{target}: {spec}");
            for rule in spec["ingress"].as_array().unwrap() {
                let peers = rule["from"].as_array().unwrap();
                let ports = rule["ports"].as_array().unwrap().iter().map(|port| port["port"].as_u64().unwrap());
                for (port, (caller, labels)) in ports.flat_map(|port| self.pods.iter().map(move |pod| (port, pod))) {
                    // Nobody else lives in these files: a peer of another namespace matches no pod.
                    let own = |peer: &&Value| peer.get("namespaceSelector").is_none() && peer.get("ipBlock").is_none();
                    if peers.iter().filter(own).any(|peer| selects(&peer["podSelector"], labels)) {
                        out.insert((caller.clone(), target.clone(), port));
                    }
                }
            }
        }
        out
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// `matchLabels` alone: the applications use nothing else.
fn selects(selector: &Value, labels: &Value) -> bool {
    assert!(selector.get("matchExpressions").is_none(), "{selector}");
    let wanted = selector.get("matchLabels").and_then(Value::as_object);
    wanted.into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value))
}

/// The share of the visible calls that go through, and the share of what goes through that nobody calls.
fn figures(name: &str) -> (f64, f64) {
    let application = Application::read(name);
    let (policies, asks) = application.policies();
    let allowed = application.allowed(&policies);
    let real: BTreeSet<Edge> = application.visible.union(&application.in_code).cloned().collect();
    let open = |edge: &&Edge| allowed.contains(*edge) || asks.contains(&edge.1);
    let kept = application.visible.iter().filter(open).count();
    let invented = allowed.difference(&real).count();
    let cut: Vec<&Edge> = real.iter().filter(|edge| !open(edge)).collect();
    let (all, through) = (application.visible.len(), allowed.len());
    let line = format!(
        "{name}: {kept} of {all} visible calls and {} of {} in code kept; {invented} of {through} allowed calls \
         invented; {} policies, {} questions\n",
        application.in_code.iter().filter(open).count(),
        application.in_code.len(),
        policies.len(),
        asks.len(),
    );
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(cut.is_empty() || cut.len() * 20 <= real.len(), "cut off: {cut:?}");
    let share = |part: usize, whole: usize| {
        f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(whole.max(1)).unwrap())
    };
    (share(kept, all), share(invented, through))
}

#[test]
fn policies_of_online_boutique_let_its_calls_through() {
    let (kept, invented) = figures("online-boutique");
    assert!(kept >= 0.95, "{kept}");
    assert!(invented < 0.05, "{invented}");
}

#[test]
fn policies_of_sock_shop_cut_nothing_off_that_only_its_code_knows() {
    let (kept, invented) = figures("sock-shop");
    assert!(kept >= 0.95, "{kept}");
    assert!(invented < 0.05, "{invented}");
}
