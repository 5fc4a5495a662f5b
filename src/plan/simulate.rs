//! What the inventory would be after fixes: on projections, without guards.

use crate::fix::{Fix, Step};
use crate::model::Inventory;
use crate::model::store::Origin;

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
    let mut after = inventory.clone();
    for step in fixes.iter().flat_map(|fix| &fix.steps) {
        apply_step(&mut after, step).map_err(|reason| SimulationError { object: step.object().to_string(), reason })?;
    }
    Ok(after.finish())
}

fn apply_step(inventory: &mut Inventory, step: &Step) -> Result<(), String> {
    match step {
        Step::Patch { object, edits, expect, .. } => {
            let before = inventory.projection(object).ok_or("there is no such object")?;
            let origin = inventory.origin(object);
            let after = patch::build(&before, edits, expect).map_err(|error| error.to_string())?.after;
            inventory.remove(object);
            put(inventory, &object.api_version, &object.kind, after, origin)
        }
        Step::Create { object, manifest } => put(inventory, &object.api_version, &object.kind, manifest.clone(), None),
        Step::Delete { object } => {
            inventory.remove(object);
            Ok(())
        }
        Step::Restart { .. } | Step::Wait { .. } => Ok(()),
    }
}

fn put(
    inventory: &mut Inventory,
    api_version: &str,
    kind: &str,
    value: serde_json::Value,
    origin: Option<Origin>,
) -> Result<(), String> {
    inventory.add(api_version, kind, value, origin).map_err(|error| error.to_string())
}
