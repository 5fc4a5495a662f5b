//! What the inventory would be after fixes: on projections, without guards.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::fix::{Fix, Step};
use crate::model::{Inventory, ObjectRef};

use super::patch;

/// A step does not fit the inventory.
#[derive(Debug, thiserror::Error)]
#[error("failed to simulate a change of {object}: {reason}")]
pub struct SimulationError {
    /// The object.
    pub object: String,
    /// Why.
    pub reason: String,
}

/// The inventory with the fixes applied. A fix that does not fit is an error: a rule made it for
/// an object that is not like that.
pub fn apply(inventory: &Inventory, fixes: &[&Fix]) -> Result<Inventory, SimulationError> {
    let mut changed = Changed::of(inventory);
    for fix in fixes {
        changed.apply(fix)?;
    }
    changed.finish()
}

/// The inventory with every fix applied that still fits after those before it, each whole or not
/// at all: two findings may ask for the same object.
pub fn apply_what_fits(inventory: &Inventory, fixes: &[&Fix]) -> Result<Inventory, SimulationError> {
    let mut changed = Changed::of(inventory);
    for fix in fixes {
        let touched: Vec<ObjectRef> = fix.steps.iter().map(|step| plain(step.object())).collect();
        let before: Vec<_> = touched.iter().map(|name| changed.objects.get(name).cloned()).collect();
        if changed.apply(fix).is_err() {
            for (name, state) in touched.into_iter().zip(before) {
                match state {
                    Some(state) => changed.objects.insert(name, state),
                    None => changed.objects.remove(&name),
                };
            }
        }
    }
    changed.finish()
}

/// The objects that steps have touched so far, beside the inventory as it was.
struct Changed<'a> {
    inventory: &'a Inventory,
    /// Without uids; `None` for what was deleted.
    objects: BTreeMap<ObjectRef, Option<Value>>,
}

impl<'a> Changed<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        Self { inventory, objects: BTreeMap::new() }
    }

    fn apply(&mut self, fix: &Fix) -> Result<(), SimulationError> {
        for step in &fix.steps {
            self.step(step).map_err(|reason| SimulationError { object: step.object().to_string(), reason })?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let name = plain(step.object());
        let after = match step {
            Step::Patch { object, edits, expect, .. } => {
                let known = self.objects.get(&name).cloned();
                let before = known.unwrap_or_else(|| self.inventory.projection(object));
                let before = before.ok_or("there is no such object")?;
                Some(patch::build(&before, edits, expect).map_err(|error| error.to_string())?.after)
            }
            Step::Create { manifest, .. } => Some(manifest.clone()),
            Step::Delete { .. } => None,
            Step::Restart { .. } | Step::Wait { .. } => return Ok(()),
        };
        self.objects.insert(name, after);
        Ok(())
    }

    fn finish(self) -> Result<Inventory, SimulationError> {
        let mut inventory = self.inventory.clone();
        let known: HashSet<_> = self.objects.keys().map(name).collect();
        inventory.retain(|object| !known.contains(&name(object)));
        for (object, after) in self.objects {
            if let Some(value) = after {
                let origin = self.inventory.origin(&object);
                let added = inventory.add(&object.api_version, &object.kind, value, origin);
                let failed = |error: crate::model::inventory::BadObject| SimulationError {
                    object: object.to_string(),
                    reason: error.to_string(),
                };
                added.map_err(failed)?;
            }
        }
        Ok(inventory.finish())
    }
}

/// What tells an object from all others at one time.
fn name(object: &ObjectRef) -> (&str, &str, &str, &str) {
    (object.group(), &object.kind, object.namespace(), &object.name)
}

/// The name of an object whatever uid it was read with.
fn plain(object: &ObjectRef) -> ObjectRef {
    ObjectRef { uid: None, ..object.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::{Applicability, Edit};
    use crate::model::Subject;
    use serde_json::json;

    #[test]
    fn fixes_of_one_object_build_on_each_other() {
        let mut inventory = Inventory::default();
        for name in ["a", "b", "c"] {
            let map = json!({"metadata": {"name": name, "namespace": "x"}, "data": {"A": "1", "B": "1"}});
            inventory.add("v1", "ConfigMap", map, None).unwrap();
        }
        let inventory = inventory.finish();
        let object = Subject::new(ObjectRef::new("v1", "ConfigMap", Some("x"), "a"));
        let fix = |edit: Edit| Fix::new("x", Applicability::Safe).step(Step::patch(&object, vec![edit]));
        let mut late = fix(Edit::set("/data/C", "2"));
        if let Step::Patch { expect, .. } = &mut late.steps[0] {
            expect.push(("/data/A".into(), json!("1")));
        }
        let fixes = [&fix(Edit::set("/data/A", "2")), &fix(Edit::remove("/data/B")), &late];
        let after = apply_what_fits(&inventory, &fixes).unwrap();
        assert_eq!(after.projection(&object).unwrap()["data"], json!({"A": "2"}));
        assert_eq!(after.len(), 3);
        assert!(apply(&inventory, &fixes).is_err());
    }
}
