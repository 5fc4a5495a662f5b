//! Some objects of a snapshot read once more.

use futures::stream::{self, StreamExt};

use super::connect::Connection;
use super::objects;
use crate::model::{Gap, Inventory, Subject};

/// Requests that run at the same time.
const PARALLEL: usize = 4;

/// The inventory with some objects as they are now. One that can't be read stays as it was, and is a
/// gap.
pub async fn refresh(connection: &Connection, mut inventory: Inventory, stale: &[Subject]) -> Inventory {
    let reads = stale.iter().map(|object| async move { (object, objects::find(connection, object, None).await) });
    let answers: Vec<_> = stream::iter(reads).buffered(PARALLEL).collect().await;
    let gap = |object: &Subject, reason: String| {
        let scope = object.namespace.as_ref().map_or_else(|| "cluster".into(), |name| format!("namespace {name}"));
        Gap { kind: object.to_string(), verb: "get".into(), scope, reason }
    };
    for (object, answer) in answers {
        match answer {
            Ok(Some(value)) => {
                inventory.retain(|other| !other.same(object));
                if let Err(bad) = inventory.add(&object.api_version, &object.kind, value, None) {
                    inventory.gaps.push(gap(object, bad.reason));
                }
            }
            Ok(None) => inventory.retain(|other| !other.same(object)),
            Err(error) => inventory.gaps.push(gap(object, error.to_string())),
        }
    }
    inventory.taken_at = jiff::Timestamp::now();
    inventory.finish()
}
