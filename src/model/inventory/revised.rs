//! An inventory with some objects changed in ways that leave nearly everything related as it was.

use std::sync::Arc;

use super::Inventory;
use crate::model::object::ObjectRef;

impl Inventory {
    /// The same with changed workloads and namespaces, and with other budgets: those of `changed`
    /// instead of those that go. What workloads run, their labels, annotations and selectors, and
    /// whether they run at all must be as before. `None` if something else changes, or comes, or goes.
    pub fn revised(&self, changed: &Self, goes: impl Fn(&ObjectRef) -> bool) -> Option<Self> {
        let (workloads, namespaces, budgets) =
            (changed.workloads.clone(), changed.namespaces.clone(), changed.budgets.clone());
        if workloads.len() + namespaces.len() + budgets.len() != changed.len() {
            return None;
        }
        let mut out = self.clone();
        if !out.workloads.revise(workloads) || !out.namespaces.revise(namespaces) {
            return None;
        }
        out.budgets.retain(|budget| !goes(budget));
        out.budgets.absorb(budgets);
        out.replaced.extend(out.budgets.sort());
        out.budgets_of = Arc::new(out.relations.budgets(&out));
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Inventory;
    use serde_json::{Value, json};

    fn deployment(name: &str, replicas: i64) -> Value {
        json!({"metadata": {"name": name, "namespace": "a"}, "spec": {"replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": name}]}}}})
    }

    fn budget(name: &str, app: &str) -> Value {
        let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": {"app": app}}});
        json!({"metadata": {"name": name, "namespace": "a"}, "spec": spec})
    }

    fn inventory(objects: &[(&str, Value)]) -> Inventory {
        let mut inventory = Inventory::default();
        for (kind, object) in objects {
            let version = match *kind {
                "Deployment" => "apps/v1",
                "PodDisruptionBudget" => "policy/v1",
                _ => "v1",
            };
            inventory.add(version, kind, object, None).unwrap();
        }
        inventory
    }

    fn namespace(warns: &str) -> Value {
        json!({"metadata": {"name": "a", "labels": {"pod-security.kubernetes.io/warn": warns}}})
    }

    /// What is seen of each workload: its name, replicas, Services and budgets.
    fn seen(inventory: &Inventory) -> Vec<(String, i64, Vec<String>, Vec<String>)> {
        let one = |position, replicas, subject: &ObjectRef| {
            let services = inventory.services_of(position).map(|service| service.subject.to_string()).collect();
            let budgets = inventory.budgets_of(position).map(|budget| budget.subject.to_string()).collect();
            (subject.to_string(), replicas, services, budgets)
        };
        let workloads = inventory.audited_workloads();
        workloads.map(|(position, workload)| one(position, workload.replicas(), &workload.subject)).collect()
    }

    #[test]
    fn slight_changes_are_those_of_a_new_inventory() {
        let service = json!({"metadata": {"name": "x", "namespace": "a"}, "spec": {"selector": {"app": "x"}}});
        let before = inventory(&[
            ("Namespace", namespace("baseline")),
            ("Deployment", deployment("w", 1)),
            ("Deployment", deployment("x", 1)),
            ("Service", service.clone()),
            ("PodDisruptionBudget", budget("old", "w")),
            ("PodDisruptionBudget", budget("stays", "w")),
        ])
        .finish();
        let changed = [
            ("Namespace", namespace("restricted")),
            ("Deployment", deployment("w", 3)),
            ("PodDisruptionBudget", budget("new", "w")),
            ("PodDisruptionBudget", budget("x", "x")),
        ];
        let revised = before.revised(&inventory(&changed), |budget| budget.name == "old").unwrap();
        let mut all = changed.to_vec();
        all.extend([
            ("Deployment", deployment("x", 1)),
            ("Service", service),
            ("PodDisruptionBudget", budget("stays", "w")),
        ]);
        let whole = inventory(&all).finish();
        assert_eq!(seen(&revised), seen(&whole));
        assert_eq!(seen(&revised)[0].3.len(), 2);
        let label = |inventory: &Inventory| inventory.namespaces.at(0).metadata.labels.clone();
        assert_eq!(format!("{:?}", label(&revised)), format!("{:?}", label(&whole)));
        assert_eq!(revised.len(), whole.len());
        assert_eq!(format!("{:?}", before.scrapes()), format!("{:?}", whole.scrapes()));
        assert_eq!(format!("{:?}", before.routes()), format!("{:?}", whole.routes()));
    }

    #[test]
    fn other_changes_are_not_made() {
        let before = inventory(&[("Deployment", deployment("w", 1))]).finish();
        let keeps = |_: &ObjectRef| false;
        assert!(before.revised(&inventory(&[("Deployment", deployment("other", 1))]), keeps).is_none());
        let map = json!({"metadata": {"name": "m", "namespace": "a"}});
        assert!(before.revised(&inventory(&[("ConfigMap", map)]), keeps).is_none());
    }
}
