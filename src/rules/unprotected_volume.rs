//! unprotected-volume: a claim whose data nothing saves.

use std::collections::BTreeSet;

use super::rule::{Aspect, Context, Verdicts};
use super::vouch;
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::Applicability;
use crate::model::backups::{self, Cover};
use crate::model::volumes::{self, Claim, LISTS};
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, ObjectRef, Subject, databases, evidence};

declare_rule! {
    /// ## What it does
    /// Reports a bound PersistentVolumeClaim of a StatefulSet or of a database that nothing saves: no
    /// Schedule of Velero that takes its namespace, labels and resources together with volume data
    /// (snapshots that are not off, or the file backup), none of K8up, VolSync or SnapScheduler, no
    /// recurring backup of Longhorn, and no two ready VolumeSnapshots of the last week. Snapshots of
    /// Longhorn stay on the same disks and do not count. The claims of a database that has backups of
    /// its own (see missing-db-backup) pass. In manifests the first claim of each template of a
    /// StatefulSet stands for all, and the absence of a backup is unknown unless they are declared
    /// complete. A paused Schedule counts here and is reported by stale-backup.
    ///
    /// ## Why it matters
    /// A deleted claim takes its data along where the reclaim policy is `Delete`, the default of most
    /// classes.
    ///
    /// ## Example
    /// ```yaml
    /// # complete: true
    /// apiVersion: apps/v1
    /// kind: StatefulSet
    /// metadata: {name: queue, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: queue}}
    ///   template:
    ///     metadata: {labels: {app: queue}}
    ///     spec: {containers: [{name: queue, image: "queue:1"}]}
    ///   volumeClaimTemplates:
    ///     - metadata: {name: data}
    ///       spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// # complete: true
    /// apiVersion: apps/v1
    /// kind: StatefulSet
    /// metadata: {name: queue, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: queue}}
    ///   template:
    ///     metadata: {labels: {app: queue}}
    ///     spec: {containers: [{name: queue, image: "queue:1"}]}
    ///   volumeClaimTemplates:
    ///     - metadata: {name: data}
    ///       spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
    /// ---
    /// apiVersion: velero.io/v1
    /// kind: Schedule
    /// metadata: {name: shop, namespace: velero}
    /// spec:
    ///   schedule: 0 3 * * *
    ///   template: {includedNamespaces: [shop], snapshotVolumes: true}
    /// ```
    ///
    /// ## Fix
    /// Manual. Let a Schedule take the namespace with its volume data, and restore one to see that it
    /// works. Snapshots that the provider takes by itself can't be seen: attest them.
    ///
    /// ## References
    /// - <https://velero.io/docs/main/api-types/schedule/>
    /// - <https://velero.io/docs/main/file-system-backup/>
    /// - <https://longhorn.io/docs/latest/snapshots-and-backups/scheduling-backups-and-snapshots/>
    /// - <https://kubernetes.io/docs/concepts/storage/volume-snapshots/>
    id: "unprotected-volume",
    summary: "a claim whose data nothing saves",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::BackupDr,
    fix: Some(Applicability::Manual),
    impact: "Its data go with the volume.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let backups = inventory.backups();
    let product = volumes::other_product(inventory);
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    for (position, workload) in inventory.audited_workloads() {
        let running = databases::running(workload);
        if workload.is_idle() || workload.kind != "StatefulSet" && running.is_none() {
            continue;
        }
        let hidden = inventory.unseen("persistentvolumeclaims", workload.namespace());
        if let Some(reason) = hidden.filter(|_| mounts_claims(workload)) {
            verdicts.unknown(&workload.subject, reason);
            continue;
        }
        let cover = running.map_or(Cover::None, |running| backups.of_workload(inventory, position, running.engine));
        for claim in volumes::claims(inventory, workload) {
            if seen.insert((claim.namespace.to_owned(), claim.name.clone())) {
                judge(context, verdicts, &claim, Some(workload), (&cover, product.as_ref()));
            }
        }
    }
    for claim in inventory.volume_claims.iter().filter(|claim| inventory.scope.covers(claim.namespace())) {
        let owner = databases::operated(inventory, claim.namespace())
            .find(|(cluster, _)| databases::belongs_to(&claim.metadata, cluster));
        let Some((cluster, _)) = owner else { continue };
        if seen.insert((claim.namespace().to_owned(), claim.name().to_owned())) {
            let cover = backups::of_resource(inventory, cluster).map_or(Cover::None, Cover::By);
            judge(context, verdicts, &volumes::claim(claim), None, (&cover, product.as_ref()));
        }
    }
}

fn mounts_claims(workload: &Workload) -> bool {
    let mut volumes = workload.template().into_iter().flat_map(|template| &template.spec.volumes);
    !workload.spec.volume_claim_templates.is_empty() || volumes.any(|volume| volume.claim().is_some())
}

fn subject_of(claim: &Claim<'_>) -> Subject {
    claim.item.map_or_else(
        || Subject::new(ObjectRef::new("v1", "PersistentVolumeClaim", Some(claim.namespace), &claim.name)),
        |item| item.subject.clone(),
    )
}

fn judge(
    context: &Context<'_>,
    verdicts: &mut Verdicts<'_>,
    claim: &Claim<'_>,
    workload: Option<&Item<Workload>>,
    (cover, product): (&Cover, Option<&String>),
) {
    let inventory = context.inventory;
    let subject = subject_of(claim);
    let phase = claim.item.and_then(|item| item.status.get("phase")).and_then(serde_json::Value::as_str);
    let pods = workload.and_then(|workload| workload.template()).map(|template| &template.metadata);
    if phase.is_some_and(|phase| phase != "Bound") {
        verdicts.na(&subject);
    } else if matches!(cover, Cover::By(_)) || volumes::saved_by(inventory, claim, pods).is_some() {
        verdicts.pass(&subject);
    } else {
        let unseen = unseen(inventory, cover).or_else(|| product.cloned());
        vouch::settle(context, verdicts, &subject, unseen, || finding(context, claim, &subject, workload));
    }
}

fn unseen(inventory: &Inventory, cover: &Cover) -> Option<String> {
    let maybe = match cover {
        Cover::Maybe(reason) => Some(reason.clone()),
        _ => None,
    };
    let lists: Vec<&str> = LISTS.into_iter().chain(["cronjobs"]).collect();
    evidence::unseen_anywhere(inventory, &lists).or(maybe)
}

fn finding(context: &Context<'_>, claim: &Claim<'_>, subject: &Subject, workload: Option<&Item<Workload>>) -> Finding {
    let message = "nothing saves its data";
    let mut finding = match claim.item {
        Some(item) => context.finding(item, message).at(Location::at("/spec")),
        None => context.finding_about(subject, message),
    };
    if let Some(workload) = workload {
        let name = workload.subject.short();
        if let Some(index) = claim.template {
            let at = Location::at(format!("/spec/volumeClaimTemplates/{index}"));
            let at = at.named(format!("/spec/volumeClaimTemplates/{}", claim.volume)).of(&workload.subject);
            let text = format!("the template {} of {name} makes it", claim.volume);
            finding = finding.at(at).because_of(&workload.subject, text);
        } else {
            finding = finding.because_of(&workload.subject, format!("{name} mounts it"));
        }
    }
    let covering = context.inventory.other(LISTS[0]).filter(|item| volumes::takes_namespace(item, claim.namespace));
    for schedule in covering {
        let text = format!("{} takes the namespace, but not this claim with its data", schedule.subject);
        finding = finding.because_of(&schedule.subject, text);
    }
    finding =
        finding.because("searched: Schedules of Velero and K8up, VolSync, SnapScheduler, Longhorn, VolumeSnapshots");
    let note = format!("velero schedule create {0} --schedule '0 3 * * *' --include-namespaces {0}", claim.namespace);
    context.detail(finding, |finding| finding.fix(vouch::manual(context, "Save the volume's data", &[&note])))
}
