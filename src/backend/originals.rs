//! The objects that fixes touch, as they are before: from the server or from manifests.

use futures::stream::{self, StreamExt};

use super::cluster::connect::Connection;
use super::cluster::objects;
use super::manifests::Manifests;
use crate::fix::Step;
use crate::model::Inventory;
use crate::plan::draft::{Original, Originals};

/// Objects that are read at the same time.
const PARALLEL: usize = 4;

/// Reads each object that the steps start from, once. What can't be read is not in it: the reasons
/// are the second part.
pub async fn of_cluster(connection: &Connection, steps: &[&Step]) -> (Originals, Vec<String>) {
    let mut wanted: Vec<_> = steps.iter().filter_map(|step| Originals::wanted(step)).collect();
    wanted.sort();
    wanted.dedup();
    let read = |(object, part)| async move { (object, part, objects::find(connection, object, part).await) };
    let mut found = stream::iter(wanted.into_iter().map(read)).buffered(PARALLEL);
    let (mut originals, mut failed) = (Originals::default(), Vec::new());
    while let Some((object, part, answer)) = found.next().await {
        match answer {
            Ok(Some(value)) => originals.insert(object, part, Original { value, is_source: false }),
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
    for (object, _) in steps.iter().filter_map(|step| Originals::wanted(step)) {
        if let Some(origin) = inventory.origin(object) {
            let value = manifests.objects[origin.document].read();
            originals.insert(object, None, Original { value, is_source: true });
        }
    }
    originals
}
