//! The objects that fixes touch, as they are before: from the server or from manifests.

use std::collections::BTreeSet;

use super::cluster::connect::Connection;
use super::cluster::objects::{self, Place};
use super::manifests::Manifests;
use crate::fix::Step;
use crate::model::Inventory;
use crate::plan::draft::{Original, Originals};

/// Reads each object that the steps start from, once. What can't be read is not in it: the reasons
/// are the second part.
pub async fn of_cluster(connection: &Connection, steps: &[&Step]) -> (Originals, Vec<String>) {
    let sources = steps.iter().filter_map(|step| step.source());
    let places: BTreeSet<Place> = sources.map(|(object, part)| (object.clone(), part.map(str::to_owned))).collect();
    let (mut originals, mut failed) = (Originals::default(), Vec::new());
    for ((object, part), answer) in objects::find_all(connection, places).await {
        match answer {
            Ok(Some(value)) => originals.insert(&object, part.as_deref(), Original { value, is_source: false }),
            Ok(None) => {}
            Err(error) => {
                let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
                failed.push(format!("{error}{source}"));
            }
        }
    }
    (originals, failed)
}

/// The manifests that the steps start from.
pub fn of_manifests(manifests: &Manifests, inventory: &Inventory, steps: &[&Step]) -> Originals {
    let mut originals = Originals::default();
    for (object, _) in steps.iter().filter_map(|step| step.source()) {
        if let Some(origin) = inventory.origin(object) {
            let value = manifests.objects[origin.document].read();
            originals.insert(object, None, Original { value, is_source: true });
        }
    }
    originals
}
