//! ephemeral-database: a database whose data go with the pod.

use std::collections::BTreeSet;

use super::rule::{Aspect, Context, Verdicts};
use super::vouch;
use crate::declare_rule;
use crate::finding::{Category, Confidence, Finding, Location, Priority, Severity};
use crate::fix::Applicability;
use crate::model::Item;
use crate::model::allowance;
use crate::model::data_place::{self, Place};
use crate::model::databases::{self, Running};
use crate::model::evidence;
use crate::model::workload::Workload;

declare_rule! {
    /// ## What it does
    /// Reports a workload that runs a database (see missing-db-backup) and keeps its data on an
    /// emptyDir, a hostPath, a generic ephemeral volume, or the file system of its container. The
    /// directory is the one that the container is told (`PGDATA`, `--datadir`, `--dbpath`), else the
    /// one that its image uses. A namespace without a database passes. Caches and development
    /// services, such as LocalStack, are no databases.
    ///
    /// ## Why it matters
    /// An emptyDir is deleted with the pod: each rollout and each drained node starts an empty
    /// database. A hostPath stays on one node, where the next pod may not be.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: db, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: db}}
    ///   template:
    ///     metadata: {labels: {app: db}}
    ///     spec:
    ///       containers:
    ///         - name: db
    ///           image: "postgres:16"
    ///           volumeMounts: [{name: data, mountPath: /var/lib/postgresql/data}]
    ///       volumes: [{name: data, emptyDir: {}}]
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: StatefulSet
    /// metadata: {name: db, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: db}}
    ///   template:
    ///     metadata: {labels: {app: db}}
    ///     spec:
    ///       containers:
    ///         - name: db
    ///           image: "postgres:16"
    ///           volumeMounts: [{name: data, mountPath: /var/lib/postgresql/data}]
    ///   volumeClaimTemplates:
    ///     - metadata: {name: data}
    ///       spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}
    /// ```
    ///
    /// ## Fix
    /// Manual. Dump the data, run the database as a StatefulSet with a template of claims, restore the
    /// dump, then switch the clients. A changed volume starts empty.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/storage/volumes/#emptydir>
    /// - <https://kubernetes.io/docs/concepts/storage/volumes/#hostpath>
    /// - <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/>
    id: "ephemeral-database",
    summary: "a database whose data go with the pod",
    severity: Severity::Low,
    priority: Priority::LongTerm,
    category: Category::BackupDr,
    fix: Some(Applicability::Manual),
    impact: "The data go with the pod.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let mut with_database = BTreeSet::new();
    for (_, workload) in
        inventory.audited_workloads().filter(|(_, w)| !w.is_idle() && !evidence::has_ended(inventory, w))
    {
        let Some(running) = databases::running(workload) else { continue };
        with_database.insert(workload.namespace());
        let place = data_place::place(workload, &running);
        match &place {
            Place::Kept => verdicts.pass(&workload.subject),
            Place::Lost { .. } => {
                vouch::settle(context, verdicts, &workload.subject, None, || {
                    finding(context, workload, &running, place.clone())
                });
            }
        }
    }
    for namespace in inventory.audited_namespaces() {
        let name = namespace.name.as_str();
        if with_database.contains(name) {
            continue;
        }
        let lists = ["deployments", "statefulsets"];
        let unread = lists.into_iter().find_map(|list| inventory.unseen(list, name));
        match allowance::unseen_namespace(inventory, name).or(unread) {
            Some(reason) => verdicts.unknown(&namespace, reason),
            None => verdicts.pass(&namespace),
        }
    }
}

fn finding(context: &Context<'_>, workload: &Item<Workload>, running: &Running<'_>, place: Place) -> Finding {
    let Place::Lost { what, pointer: (at, stable), current, directory } = place else {
        return context.finding(workload, "keeps its data");
    };
    let message = format!("runs {} and keeps its data on {what}", running.engine.word());
    let location = Location::at(at).named(stable).values(current, None);
    let mut finding = context.finding(workload, message).at(location);
    let signs = if running.inferred { "variables and port" } else { "image" };
    finding = finding.because(format!(
        "container {} is a database by its {signs}: {}",
        running.container.name, running.container.image
    ));
    finding = finding.because(format!("its data are in {directory}"));
    if running.inferred {
        finding = finding.confidence(Confidence::Inferred);
    }
    let notes = [
        "dump the data first: a changed volume starts empty",
        "run it as a StatefulSet with volumeClaimTemplates, or with a claim that exists",
    ];
    context.detail(finding, |finding| finding.fix(vouch::manual(context, "Keep the data on a claim", &notes)))
}
