//! The inventory of manifests: the same model as that of a cluster, from files.

use std::io::Read;

use super::manifests::{self, Loaded, Manifests, ReadError, ReadOptions, Tree};
use crate::model::object::is_cluster_wide;
use crate::model::store::{Origin, Replaced};
use crate::model::{Gap, Inventory, Scope, World};

/// How many manifests are named that do not count.
const SHOWN: usize = 5;

/// Manifests and what the rules see of them.
pub struct Snapshot {
    /// The documents, without the values of their objects.
    pub manifests: Manifests,
    /// The objects.
    pub inventory: Inventory,
    /// Which objects do not have the shape of their kind, and which manifests do not count since
    /// others describe the same objects, one line each.
    pub bad: Vec<String>,
}

/// What one share of the documents holds; its origins count from the share's first document.
struct Share {
    documents: usize,
    inventory: Inventory,
    bad: Vec<String>,
}

/// Reads manifests into an inventory. A namespace that is left out is `namespace`, else `default`.
/// Objects that do not have the shape of their kind become gaps and messages. Values go from
/// documents to the inventory share by share: what is there is all that stays of them.
///
/// # Errors
/// [`ReadError`] if the options name nothing that holds an object.
pub fn read(
    options: &ReadOptions,
    stdin: &mut (dyn Read + Send),
    scope: Scope,
    complete: bool,
    namespace: Option<&str>,
) -> Result<Snapshot, ReadError> {
    let (manifests, shares) = manifests::read_with(options, stdin, |objects| project(objects, namespace))?;
    let mut inventory = Inventory::new(World::Manifests { complete }, scope, jiff::Timestamp::now());
    let (mut documents, mut bad) = (0, Vec::new());
    for share in shares {
        inventory.absorb_after(documents, share.inventory);
        documents += share.documents;
        bad.extend(share.bad);
    }
    let inventory = inventory.finish();
    bad.extend(told_again(&manifests, &inventory.replaced));
    Ok(Snapshot { manifests, inventory, bad })
}

/// A line about each of the first manifests that do not count, and one about the others.
fn told_again(manifests: &Manifests, replaced: &[Replaced]) -> Vec<String> {
    let place = |origin: Origin| manifests.objects[origin.document].place("");
    let line = |replaced: &Replaced| {
        let (place, by) = (place(replaced.origin), place(replaced.by));
        format!("{place}: {} stands again at {by}, which counts", replaced.subject)
    };
    let mut lines: Vec<String> = replaced.iter().take(SHOWN).map(line).collect();
    if replaced.len() > SHOWN {
        lines.push(format!("{} more manifests do not count: others describe the same objects", replaced.len() - SHOWN));
    }
    lines
}

/// Takes the values of some objects.
fn project(objects: &mut [(Loaded, Tree<'_>)], namespace: Option<&str>) -> Share {
    let mut share = Share { documents: objects.len(), inventory: Inventory::default(), bad: Vec::new() };
    for (document, (loaded, value)) in objects.iter_mut().enumerate() {
        let text = |key: &str| value.get(key).and_then(Tree::text).unwrap_or_default().to_owned();
        let (version, kind) = (text("apiVersion"), text("kind"));
        let origin = Some(Origin { document, item: None });
        if place(value, &version, &kind, namespace) && namespace.is_none() {
            share.inventory.unplaced.extend(origin);
        }
        let name = name_of(value).to_owned();
        if let Err(error) = share.inventory.add_from(&version, &kind, &name, &*value, origin) {
            share.bad.push(format!("{}: {error}", loaded.place(&error.pointer)));
            let (kind, reason) = (error.object, error.reason);
            share.inventory.gaps.push(Gap { kind, verb: "read".into(), scope: "object".into(), reason });
        }
    }
    share
}

/// The name of an object, or how the server will begin it.
fn name_of<'a>(value: &'a Tree<'_>) -> &'a str {
    let text = |field: &str| value.get("metadata")?.get(field)?.text().filter(|text| !text.is_empty());
    text("name").or_else(|| text("generateName")).unwrap_or_default()
}

/// Gives an object its namespace where the manifest leaves it out; true if it did.
fn place(value: &mut Tree<'_>, version: &str, kind: &str, namespace: Option<&str>) -> bool {
    let Some(metadata) = value.get_mut("metadata").and_then(Tree::fields_mut) else { return false };
    let given = metadata.get("namespace").and_then(Tree::text).is_some_and(|given| !given.is_empty());
    if given || is_cluster_wide(version, kind) {
        return false;
    }
    metadata.insert("namespace".into(), Tree::Text(namespace.unwrap_or("default").to_owned().into()));
    true
}
