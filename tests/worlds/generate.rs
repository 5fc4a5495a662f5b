//! The objects of a world, from its seed: what there is of each kind, and when it comes.

use serde_json::{Value, json};

use crate::around::{budgets, ingress, policy, scaler, services};
use crate::chance::Chance;
use crate::limits::{Need, quota, range};
use crate::workloads::{self, Plan};

/// A namespace before anybody fixes it.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// What runs, and what it needs to.
    pub(crate) running: Vec<Value>,
    /// True if a person keeps what runs with `kubectl apply`.
    pub(crate) kept: bool,
    /// What comes when all is up, and may not allow it to come up again: quotas, ranges, budgets.
    pub(crate) limits: Vec<Value>,
    /// What is changed when all is up: kind, name and merge patch.
    pub(crate) changes: Vec<(&'static str, String, Value)>,
}

/// A world. Everything in it is accepted, and all its pods become ready.
pub(crate) fn world(seed: u64) -> World {
    let mut chance = Chance::new(seed);
    let mut world = World { kept: chance.percent(25), ..World::default() };
    configuration(&mut chance, &mut world);
    let mut need = Need::default();
    for number in 0..2 + chance.below(3) {
        application(&mut chance, &mut world, &mut need, number);
    }
    if chance.percent(15) {
        world.running.push(workloads::cron_job(&mut chance));
    }
    if chance.percent(10) {
        world.running.push(workloads::job());
    }
    if chance.percent(10) {
        let pod = workloads::bare_pod(&mut chance);
        need.add(&pod["spec"], 1);
        world.running.push(pod);
    }
    whole(&mut chance, &mut world, need);
    world
}

/// What all pods read.
fn configuration(chance: &mut Chance, world: &mut World) {
    let on = |chance: &mut Chance, cases| if chance.percent(cases) { "true" } else { "false" };
    let mut data = json!({
        "ALLOW_UNKNOWN_API_PATHS": on(chance, 60),
        "UNKNOWN_API_PATHS": on(chance, 40),
        "LOG_LEVEL": "debug",
    });
    if chance.percent(20) {
        data["ENABLE_PERMISSION_RESTRICTIONS"] = on(chance, 40).into();
    }
    if chance.percent(20) {
        data["BACKEND_URL"] = "http://app-1/?a=1&b=<2>".into();
    }
    let mut map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": data});
    if chance.percent(10) {
        map["immutable"] = true.into();
    }
    world.running.push(map);
    world.running.push(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"},
        "data": {"ALLOW_EMPTY_PERMISSIONS": on(chance, 60), "settings.yaml": "level: info\n"},
    }));
}

/// One workload and what belongs to it.
fn application(chance: &mut Chance, world: &mut World, need: &mut Need, number: u64) {
    let kind = chance.one(&["Deployment", "Deployment", "Deployment", "StatefulSet", "DaemonSet"]);
    let replicas = chance.one(&[0, 1, 1, 2, 2, 3, 4]);
    // A StatefulSet's name is part of a label that also has a hash.
    let longest = if kind == "StatefulSet" { 52 } else { 63 };
    let mut name = format!("app-{number}");
    if chance.percent(10) {
        name = format!("{name:x<longest$}");
    }
    let plan = Plan { kind, name: name.clone(), replicas };
    let workload = workloads::workload(chance, &plan);
    let mut most = if kind == "DaemonSet" { 2 } else { replicas };
    if kind != "DaemonSet" && replicas > 0 && !workloads::is_spread(&workload) && chance.percent(40) {
        let least = 1 + chance.below(3);
        most = most.max(least);
        world.running.push(scaler(chance, kind, &name, least));
    }
    need.add(&workload["spec"]["template"]["spec"], most);
    world.running.push(workload);
    if kind == "StatefulSet" || chance.percent(60) {
        world.running.extend(services(chance, &name));
        if chance.percent(20) {
            world.running.push(ingress(chance, &name));
        }
    }
    world.limits.extend(budgets(chance, &name, replicas));
    if chance.percent(25) {
        world.limits.push(policy(chance, &name));
    }
    if kind == "Deployment" && chance.percent(7) {
        world.changes.push(("deployments", name, json!({"spec": {"paused": true}})));
    }
}

/// What concerns the whole namespace.
fn whole(chance: &mut Chance, world: &mut World, need: Need) {
    if chance.percent(20) {
        world.limits.push(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "default-deny"},
            "spec": {"podSelector": {}, "policyTypes": chance.one(&[json!(["Ingress"]), json!(["Ingress", "Egress"])])},
        }));
    }
    if chance.percent(7) {
        let mut spec = chance.one(&[json!({"maxUnavailable": 1}), json!({"minAvailable": 1})]);
        spec["selector"] = chance.one(&[json!({}), json!({"matchLabels": {"part": "front"}})]);
        world.limits.push(json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "all"}, "spec": spec,
        }));
    }
    if chance.percent(40) {
        world.limits.push(quota(chance, need));
    }
    if chance.percent(30) {
        world.limits.push(range(chance));
    }
    if chance.percent(15) {
        // Pods that run stay; none that violates it comes again.
        let level = chance.one(&["baseline", "restricted"]);
        let labels = json!({"pod-security.kubernetes.io/enforce": level});
        world.changes.push(("namespaces", String::new(), json!({"metadata": {"labels": labels}})));
    }
}

#[test]
fn a_seed_gives_its_world() {
    let text = |seed| format!("{:?}", world(seed));
    assert_eq!(text(3), text(3));
    assert_ne!(text(3), text(4));
}
