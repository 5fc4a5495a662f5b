//! Claims and what saves their data: Velero, K8up, VolSync, SnapScheduler, Longhorn, snapshots.

use std::sync::{Arc, LazyLock};

use jiff::SignedDuration;
use regex::Regex;
use serde_json::Value;

use super::cluster::{Other, VolumeClaim};
use super::inventory::Inventory;
use super::object::Meta;
use super::observability;
use super::selector::{Labels, Selector};
use super::store::Item;
use super::workload::Workload;

/// The lists that say what saves volumes.
pub const LISTS: [&str; 6] = [
    "schedules.velero.io",
    "schedules.k8up.io",
    "replicationsources.volsync.backube",
    "snapshotschedules.snapscheduler.backube",
    "recurringjobs.longhorn.io",
    "volumesnapshots.snapshot.storage.k8s.io",
];

static PRODUCTS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:^|/)(?:kasten-images|kasten|kanisterio|stashed|kubestash|trilio(?:vault)?[^/]*|px-backup|portworx|catalogicsoftware|commvault[^/]*)(?:/|$)")
        .expect("a constant pattern")
});

/// A claim of a workload: one that exists, or one that a template makes.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The name.
    pub name: String,
    /// The labels that it has or gets.
    pub labels: Labels,
    /// The claim itself, if it was read.
    pub item: Option<&'a Item<VolumeClaim>>,
    /// The place of the template that makes it.
    pub template: Option<usize>,
    /// The volume's name in the pods.
    pub volume: String,
}

/// The claims that a workload's pods mount, those that it makes included. Without the claims
/// themselves (manifests) the first of each template stands for all.
pub fn claims<'a>(inventory: &'a Inventory, workload: &'a Item<Workload>) -> Vec<Claim<'a>> {
    let namespace = workload.namespace();
    let mut out = Vec::new();
    for (index, template) in workload.spec.volume_claim_templates.iter().enumerate() {
        let Some(name) = template.pointer("/metadata/name").and_then(Value::as_str) else { continue };
        let base = format!("{name}-{}-", workload.name());
        let all = inventory.volume_claims.within(namespace);
        let start = all.partition_point(|claim| claim.name() < base.as_str());
        let read = all[start..].iter().take_while(|claim| claim.name().starts_with(&base));
        let read = read.filter(|claim| claim.name()[base.len()..].parse::<u32>().is_ok());
        let before = out.len();
        out.extend(read.map(|item| existing(item, name, Some(index))));
        if out.len() == before && !inventory.is_live() {
            let own = template.pointer("/metadata/labels").cloned().unwrap_or_default();
            let mut labels: Labels = serde_json::from_value(own).unwrap_or_default();
            labels.extend(workload.spec.selector.iter().flat_map(|selector| selector.match_labels.clone()));
            let first = format!("{base}0");
            out.push(Claim {
                namespace,
                name: first,
                labels,
                item: None,
                template: Some(index),
                volume: name.to_owned(),
            });
        }
    }
    let volumes = workload.template().into_iter().flat_map(|template| &template.spec.volumes);
    for volume in volumes {
        let item =
            volume.claim().and_then(|name| inventory.volume_claims.get(namespace, "PersistentVolumeClaim", name));
        out.extend(item.map(|item| existing(item, &volume.name, None)));
    }
    out
}

/// A claim that was read, whoever mounts it.
pub fn claim(item: &Item<VolumeClaim>) -> Claim<'_> {
    existing(item, "", None)
}

fn existing<'a>(item: &'a Item<VolumeClaim>, volume: &str, template: Option<usize>) -> Claim<'a> {
    Claim {
        namespace: item.namespace(),
        name: item.name().to_owned(),
        labels: item.metadata.labels.clone(),
        item: Some(item),
        template,
        volume: volume.to_owned(),
    }
}

/// What saves a claim's data. `pods` is the metadata of the template that mounts it, whose
/// annotations choose volumes.
pub fn saved_by(inventory: &Inventory, claim: &Claim<'_>, pods: Option<&Meta>) -> Option<String> {
    let annotation = |key: &str| claim.item.and_then(|item| item.metadata.annotation(key));
    let velero = || inventory.other(LISTS[0]).find(|schedule| velero(schedule, claim, pods));
    let k8up = || {
        let mut plans = here(inventory, LISTS[1], claim).filter(|item| item.at("/spec/backup/schedule").is_some());
        plans.next().filter(|_| annotation("k8up.io/backup") != Some("false"))
    };
    let volsync = || {
        here(inventory, LISTS[2], claim).find(|item| {
            let same = item.at("/spec/sourcePVC").and_then(Value::as_str) == Some(claim.name.as_str());
            same && item.at("/spec/trigger/schedule").is_some()
        })
    };
    let snapshots = || {
        here(inventory, LISTS[3], claim).find(|item| {
            let selector = item.at("/spec/claimSelector").and_then(|value| serde_json::from_value(value.clone()).ok());
            let selector: Selector = selector.unwrap_or_default();
            let on = item.at("/spec/disabled").and_then(Value::as_bool) != Some(true);
            on && selector.matches(&claim.labels)
        })
    };
    let longhorn = || inventory.other(LISTS[4]).find(|job| longhorn(job, claim));
    let found = velero().or_else(k8up).or_else(volsync).or_else(snapshots).or_else(longhorn);
    found.map(|item| item.subject.to_string()).or_else(|| recent_snapshots(inventory, claim))
}

/// The objects of a list in the namespace of a claim.
fn here<'a>(inventory: &'a Inventory, list: &str, claim: &Claim<'_>) -> impl Iterator<Item = &'a Arc<Item<Other>>> {
    inventory.custom(list).map_or(&[][..], |store| store.within(claim.namespace)).iter()
}

/// A backup product whose rules are not read.
pub fn other_product(inventory: &Inventory) -> Option<String> {
    super::evidence::running(inventory).filter(|(_, workload)| observability::is_program(workload)).find_map(
        |(_, workload)| {
            let spec = &workload.template()?.spec;
            let found = spec.containers.iter().find(|container| PRODUCTS.is_match(container.image_path()))?;
            Some(format!("{} ({}) may back it up, by rules that are not read", workload.subject, found.image_path()))
        },
    )
}

fn texts<'a>(item: &'a Other, pointer: &str) -> impl Iterator<Item = &'a str> {
    item.at(pointer).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// True if a Schedule of Velero takes this namespace.
pub fn takes_namespace(schedule: &Other, namespace: &str) -> bool {
    let mut included = texts(schedule, "/spec/template/includedNamespaces").peekable();
    let all = included.peek().is_none() || included.any(|name| fits(name, namespace));
    all && !texts(schedule, "/spec/template/excludedNamespaces").any(|name| fits(name, namespace))
}

/// True if a pattern with stars matches a name.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => {
            let Some(rest) = name.strip_prefix(head) else { return false };
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && fits(tail, &rest[at..]))
        }
    }
}

/// True if a Schedule of Velero saves a claim with its data.
fn velero(schedule: &Item<Other>, claim: &Claim<'_>, pods: Option<&Meta>) -> bool {
    let names = |key: &str| -> Vec<String> {
        let of = |list: &str| texts(schedule, &format!("/spec/template/{list}")).map(resource).collect::<Vec<_>>();
        [of(&format!("{key}Resources")), of(&format!("{key}NamespaceScopedResources"))].concat()
    };
    let is_claim =
        |name: &String| matches!(name.as_str(), "*" | "persistentvolumeclaims" | "persistentvolumeclaim" | "pvc");
    let (included, excluded) = (names("included"), names("excluded"));
    let resources = (included.is_empty() || included.iter().any(is_claim)) && !excluded.iter().any(is_claim);
    let excluded = claim.labels.get("velero.io/exclude-from-backup").map(String::as_str) == Some("true");
    resources
        && !excluded
        && takes_namespace(schedule, claim.namespace)
        && chosen(schedule, &claim.labels)
        && with_data(schedule, &claim.volume, pods)
}

fn resource(name: &str) -> String {
    name.split('.').next().unwrap_or(name).to_ascii_lowercase()
}

fn chosen(schedule: &Item<Other>, labels: &Labels) -> bool {
    let read = |value: &Value| serde_json::from_value::<Selector>(value.clone()).unwrap_or_default();
    let one = schedule.at("/spec/template/labelSelector").map(read);
    let any = schedule.at("/spec/template/orLabelSelectors").and_then(Value::as_array).filter(|list| !list.is_empty());
    one.is_none_or(|selector| selector.matches(labels))
        && any.is_none_or(|list| list.iter().any(|selector| read(selector).matches(labels)))
}

/// True if the data of a volume go with the objects: by snapshot unless that is off, or by the file
/// backup, for all volumes or those that the pods name.
fn with_data(schedule: &Item<Other>, volume: &str, pods: Option<&Meta>) -> bool {
    let flag = |key: &str| schedule.at(&format!("/spec/template/{key}")).and_then(Value::as_bool);
    let named = |key: &str| {
        let list = pods.and_then(|meta| meta.annotation(key)).unwrap_or_default();
        list.split(',').any(|name| name.trim() == volume)
    };
    let files = flag("defaultVolumesToFsBackup").or(flag("defaultVolumesToRestic")) == Some(true);
    flag("snapshotVolumes") != Some(false)
        || files && !named("backup.velero.io/backup-volumes-excludes")
        || named("backup.velero.io/backup-volumes")
}

/// True if a recurring backup of Longhorn takes a claim. Its snapshots stay on the same disks and do
/// not count.
fn longhorn(job: &Item<Other>, claim: &Claim<'_>) -> bool {
    let task = job.at("/spec/task").and_then(Value::as_str).unwrap_or_default();
    if !task.starts_with("backup") {
        return false;
    }
    let on = |key: String| claim.labels.get(&key).is_some_and(|value| value == "enabled");
    if on(format!("recurring-job.longhorn.io/{}", job.name())) {
        return true;
    }
    let groups: Vec<&str> = texts(job, "/spec/groups").collect();
    if groups.iter().any(|group| on(format!("recurring-job-group.longhorn.io/{group}"))) {
        return true;
    }
    let unlabelled = !claim.labels.keys().any(|key| key.starts_with("recurring-job"));
    let of_longhorn = claim.item.is_some_and(|item| {
        let by = ["volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"];
        by.iter().any(|key| item.metadata.annotation(key) == Some("driver.longhorn.io"))
            || item.spec.storage_class_name.as_deref().is_some_and(|class| class.contains("longhorn"))
    });
    groups.contains(&"default") && unlabelled && of_longhorn
}

/// Two ready snapshots of a claim, the newest at most a week old: somebody takes them regularly.
fn recent_snapshots(inventory: &Inventory, claim: &Claim<'_>) -> Option<String> {
    let mut made: Vec<jiff::Timestamp> = here(inventory, LISTS[5], claim)
        .filter(|item| item.at("/status/readyToUse").and_then(Value::as_bool) == Some(true))
        .filter(|item| {
            let source = item.at("/spec/source/persistentVolumeClaimName").and_then(Value::as_str);
            source == Some(claim.name.as_str())
        })
        .filter_map(|item| item.metadata.creation_timestamp)
        .collect();
    made.sort_unstable();
    let newest = *made.last().filter(|_| made.len() > 1)?;
    let age = inventory.taken_at.duration_since(newest);
    (age <= SignedDuration::from_hours(7 * 24)).then(|| format!("{} snapshots, the newest of {newest}", made.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_namespaces() {
        for (pattern, name, expected) in [
            ("*", "shop", true),
            ("shop", "shop", true),
            ("shop", "shop-a", false),
            ("shop-*", "shop-a", true),
            ("*-prod", "shop-prod", true),
            ("team-*-prod", "team-a-prod", true),
            ("team-*-prod", "team-a", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
