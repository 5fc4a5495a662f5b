//! missing-db-backup: a database that nothing dumps or snapshots.

mod survey;
mod template;

use super::rule::{Aspect, Context, Verdicts};
use super::vouch;
use crate::declare_rule;
use crate::finding::{Category, Confidence, Finding, Priority, Severity};
use crate::fix::Applicability;
use crate::model::{Subject, databases, evidence, volumes};
use survey::{State, Unsaved};

declare_rule! {
    /// ## What it does
    /// Reports a namespace with a database that nothing backs up. Databases are workloads whose
    /// image, or variables and port, are those of PostgreSQL, MySQL, MongoDB and others; resources
    /// of operators (CloudNativePG, Zalando, Percona, Crunchy, MariaDB, Oracle); and databases
    /// outside the cluster that variables name. Redis and Memcached count as caches. Evidence is a
    /// CronJob or a program with a dump tool, in its image, command or mounted script, that names
    /// the database or none in particular; archiving in the database's own pods; what the operator's
    /// resource asks for; or claims that all have a backup (see unprotected-volume). A suspended
    /// CronJob counts here and is reported by stale-backup. A CronJob that is a backup by its name
    /// alone leaves it unknown. A database outside the cluster is unknown until it is attested, and a
    /// finding where the manifests are declared complete. In manifests that are not, the absence of
    /// a backup is unknown.
    ///
    /// ## Why it matters
    /// A dropped table, a broken disk or a wrong migration is final without a copy.
    ///
    /// ## Example
    /// ```yaml
    /// # complete: true
    /// apiVersion: apps/v1
    /// kind: StatefulSet
    /// metadata: {name: db, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: db}}
    ///   template:
    ///     metadata: {labels: {app: db}}
    ///     spec: {containers: [{name: db, image: "postgres:16"}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// # complete: true
    /// apiVersion: apps/v1
    /// kind: StatefulSet
    /// metadata: {name: db, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: db}}
    ///   template:
    ///     metadata: {labels: {app: db}}
    ///     spec: {containers: [{name: db, image: "postgres:16"}]}
    /// ---
    /// apiVersion: batch/v1
    /// kind: CronJob
    /// metadata: {name: db-backup, namespace: shop}
    /// spec:
    ///   schedule: 0 2 * * *
    ///   jobTemplate:
    ///     spec:
    ///       template:
    ///         spec:
    ///           restartPolicy: Never
    ///           containers:
    ///             - name: dump
    ///               image: "postgres:16"
    ///               command: [sh, -c, "pg_dump --format=custom --file=/backup/shop.dump shop"]
    /// ```
    ///
    /// ## Fix
    /// Manual. Credentials, retention, encryption and a place outside the cluster are decisions. For a
    /// database that runs in the cluster the fix shows a CronJob with placeholders, which is never
    /// applied. For a database outside, switch the provider's backups on and attest them.
    ///
    /// ## References
    /// - <https://www.postgresql.org/docs/current/backup.html>
    /// - <https://dev.mysql.com/doc/refman/8.4/en/backup-types.html>
    /// - <https://www.mongodb.com/docs/manual/core/backups/>
    /// - <https://cloudnative-pg.io/documentation/current/backup/>
    id: "missing-db-backup",
    summary: "a database without a backup",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::BackupDr,
    fix: Some(Applicability::Manual),
    impact: "Lost data stay lost.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

/// Lists in which a database may stand.
const HOMES: [&str; 3] = ["deployments", "statefulsets", "configmaps"];

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let gathered = survey::Evidence::of(inventory);
    for namespace in survey::namespaces(inventory) {
        let states = survey::states(inventory, &gathered, &namespace.name);
        let homes = HOMES.into_iter().chain(databases::operated_lists());
        let hidden = homes.into_iter().find_map(|list| inventory.unseen(list, &namespace.name));
        let unsaved: Vec<&Unsaved> = states.iter().filter_map(State::unsaved).collect();
        let open = states.iter().find_map(State::open);
        if unsaved.is_empty() && open.is_none() {
            match (hidden, states.is_empty()) {
                (Some(reason), _) => verdicts.unknown(&namespace, reason),
                (None, true) => verdicts.na(&namespace),
                (None, false) => verdicts.pass(&namespace),
            }
            continue;
        }
        let lists: Vec<&str> =
            volumes::LISTS.into_iter().chain(["cronjobs", "configmaps", "persistentvolumeclaims"]).collect();
        let unseen = if unsaved.is_empty() { open } else { evidence::unseen_anywhere(inventory, &lists) };
        vouch::settle(context, verdicts, &namespace, unseen, || finding(context, &namespace, &unsaved));
    }
}

fn finding(context: &Context<'_>, namespace: &Subject, unsaved: &[&Unsaved]) -> Finding {
    let message = match unsaved {
        [only] => format!("no backup of {} was found", only.name),
        several => format!("no backup of {} databases was found", several.len()),
    };
    let mut finding = super::namespace_finding(context, namespace, message);
    for database in unsaved {
        finding = finding.at(database.location.clone());
        finding = finding.because(format!("{}: {}", database.name, database.reason));
    }
    finding = finding.because(
        "searched: CronJobs and programs with dump tools, resources of operators, Velero, K8up, VolSync, Longhorn, snapshots",
    );
    if unsaved.iter().all(|database| database.inferred) {
        finding = finding.confidence(Confidence::Inferred);
    }
    let mut fix = vouch::manual(context, "Back the database up", &[]);
    let templates: Vec<_> = unsaved.iter().filter_map(|database| template::cron_job(context, database)).collect();
    if templates.len() == unsaved.len() {
        fix.notes.insert(0, "the CronJob is a template: fill in the names that begin with replace-with".to_owned());
        fix.notes.insert(
            1,
            "keep copies outside the cluster, encrypt them, and restore one to see that it works".to_owned(),
        );
        fix.steps = templates;
    } else {
        fix.notes.insert(0, "switch the backups of the provider on, or run a CronJob with a dump tool".to_owned());
    }
    finding.fix(fix)
}
