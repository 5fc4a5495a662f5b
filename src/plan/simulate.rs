//! What the inventory would be after fixes: on projections, without guards.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashMapExt, HashSet};
use serde_json::Value;

use crate::fix::{Fix, Step};
use crate::model::{Inventory, ObjectRef, parallel};

use super::patch;

/// Groups of fixes that a processor takes at a time.
const GROUPS: usize = 256;

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
    let mut after = After::default();
    after.take(changed)?;
    Ok(after.replace(inventory))
}

/// What fixes change of an inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// How many replicas a workload has, above none; which budgets there are; labels of namespaces.
    Slight,
    /// Anything.
    Any,
}

/// The inventory with every fix applied that still fits after those before it, each whole or not
/// at all: two findings may ask for the same object.
pub fn apply_what_fits(inventory: &Inventory, fixes: &[&Fix], change: Change) -> Result<Inventory, SimulationError> {
    let groups: Vec<Vec<&Fix>> =
        related(fixes).into_iter().map(|group| group.into_iter().map(|index| fixes[index]).collect()).collect();
    let several: Vec<_> = groups.chunks(GROUPS).collect();
    let parts = parallel::map(&several, |groups| -> Result<After, SimulationError> {
        let mut after = After::default();
        for related in *groups {
            let mut changed = Changed::of(inventory);
            related.iter().for_each(|fix| changed.apply_if_it_fits(fix));
            after.take(changed)?;
        }
        Ok(after)
    });
    let mut after = After::default();
    for part in parts {
        after.absorb(part?);
    }
    let slight = (change == Change::Slight).then(|| after.revise(inventory)).flatten();
    Ok(slight.unwrap_or_else(|| after.replace(inventory)))
}

/// The positions of the fixes in groups that touch no object of each other, so that order matters
/// inside a group alone, and no more than its objects have to be kept as JSON.
pub fn related(fixes: &[&Fix]) -> Vec<Vec<usize>> {
    let mut leads: Vec<usize> = (0..fixes.len()).collect();
    let mut touched: HashMap<(&str, &str, &str, &str), usize> = HashMap::new();
    for (index, fix) in fixes.iter().enumerate() {
        for step in &fix.steps {
            let other = *touched.entry(name(step.object())).or_insert(index);
            let (one, other) = (lead(&mut leads, index), lead(&mut leads, other));
            leads[one.max(other)] = one.min(other);
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in 0..fixes.len() {
        groups.entry(lead(&mut leads, index)).or_default().push(index);
    }
    groups.into_values().collect()
}

/// The first fix of the group that a fix belongs to.
fn lead(leads: &mut [usize], mut fix: usize) -> usize {
    while leads[fix] != fix {
        leads[fix] = leads[leads[fix]];
        fix = leads[fix];
    }
    fix
}

/// Objects as fixes leave them.
#[derive(Default)]
struct After {
    /// Those that take the place of others, or go.
    known: HashSet<ObjectRef>,
    objects: Inventory,
}

impl After {
    fn take(&mut self, changed: Changed<'_>) -> Result<(), SimulationError> {
        for (object, after) in changed.objects {
            if let Some(value) = after {
                let origin = changed.inventory.origin(&object);
                let added = self.objects.add(&object.api_version, &object.kind, &*value, origin);
                let failed = |error: crate::model::inventory::BadObject| SimulationError {
                    object: object.to_string(),
                    reason: error.to_string(),
                };
                added.map_err(failed)?;
            }
            self.known.insert(object);
        }
        Ok(())
    }

    fn absorb(&mut self, other: Self) {
        self.known.extend(other.known);
        self.objects.absorb(other.objects);
    }

    /// The inventory after a slight change; `None` if it turns out to be another one.
    fn revise(&self, inventory: &Inventory) -> Option<Inventory> {
        let known: HashSet<_> =
            self.known.iter().filter(|object| object.kind == "PodDisruptionBudget").map(name).collect();
        inventory.revised(&self.objects, |budget| known.contains(&name(budget)))
    }

    fn replace(self, inventory: &Inventory) -> Inventory {
        let mut out = inventory.clone();
        let known: HashSet<_> = self.known.iter().map(name).collect();
        // Most objects are of kinds that no fix touches.
        let kinds: BTreeSet<&str> = self.known.iter().map(|object| &*object.kind).collect();
        out.retain(|object| !kinds.contains(&*object.kind) || !known.contains(&name(object)));
        out.absorb(self.objects);
        out.finish()
    }
}

/// The objects that steps have touched so far, beside the inventory as it was.
struct Changed<'a> {
    inventory: &'a Inventory,
    /// Without uids; `None` for what was deleted.
    objects: BTreeMap<ObjectRef, Option<Cow<'a, Value>>>,
}

impl<'a> Changed<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        Self { inventory, objects: BTreeMap::new() }
    }

    fn apply_if_it_fits(&mut self, fix: &'a Fix) {
        // A single step changes nothing when it does not fit.
        let several = if fix.steps.len() > 1 { &fix.steps[..] } else { &[] };
        let touched: Vec<ObjectRef> = several.iter().map(|step| plain(step.object())).collect();
        let before: Vec<_> = touched.iter().map(|name| self.objects.get(name).cloned()).collect();
        if self.apply(fix).is_err() {
            for (name, state) in touched.into_iter().zip(before) {
                match state {
                    Some(state) => self.objects.insert(name, state),
                    None => self.objects.remove(&name),
                };
            }
        }
    }

    fn apply(&mut self, fix: &'a Fix) -> Result<(), SimulationError> {
        for step in &fix.steps {
            self.step(step).map_err(|reason| SimulationError { object: step.object().to_string(), reason })?;
        }
        Ok(())
    }

    fn step(&mut self, step: &'a Step) -> Result<(), String> {
        let name = plain(step.object());
        let after = match step {
            Step::Patch { object, edits, expect, .. } => {
                let read;
                let before = if let Some(changed) = self.objects.get(&name) {
                    changed.as_deref()
                } else {
                    read = self.inventory.projection(object);
                    read.as_ref()
                };
                let before = before.ok_or("there is no such object")?;
                Some(Cow::Owned(patch::build(before, edits, expect).map_err(|error| error.to_string())?.after))
            }
            Step::Create { manifest, .. } => Some(Cow::Borrowed(manifest)),
            Step::Delete { .. } => None,
            Step::Restart { .. } | Step::Wait { .. } => return Ok(()),
        };
        self.objects.insert(name, after);
        Ok(())
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
        let after = apply_what_fits(&inventory, &fixes, Change::Any).unwrap();
        assert_eq!(after.projection(&object).unwrap()["data"], json!({"A": "2"}));
        assert_eq!(after.len(), 3);
        assert!(apply(&inventory, &fixes).is_err());
    }
}
