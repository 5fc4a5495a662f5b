//! missing-dr-drill: backups that nobody has restored.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::rule::{Aspect, Context, Verdicts};
use super::vouch;
use crate::declare_rule;
use crate::finding::{Category, Finding, Priority, Severity};
use crate::fix::Applicability;
use crate::model::cluster::Other;
use crate::model::{Inventory, Item, evidence};

declare_rule! {
    /// ## What it does
    /// Reports a cluster without a sign of a restore in the last 90 days: a Restore of Velero that
    /// completed, or an attestation. In manifests the absence is unknown, unless they are declared
    /// complete, and so it is where no workload may be read. A restore by hand can't be seen: attest it with its date.
    ///
    /// ## Why it matters
    /// A backup that nobody has restored is a hope. Missing permissions, lost keys and forgotten
    /// parts show in a drill or in the disaster.
    ///
    /// ## Example
    /// ```yaml
    /// # complete: true
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: shop}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// # complete: true
    /// apiVersion: velero.io/v1
    /// kind: Restore
    /// metadata: {name: drill, namespace: velero}
    /// spec: {backupName: shop-20251214}
    /// status: {phase: Completed, completionTimestamp: "2025-12-15T09:00:00Z"}
    /// ```
    ///
    /// ## Fix
    /// Manual. Restore the newest backup into another namespace or cluster, check the data, note how
    /// long it took, and attest the drill. Repeat it every quarter.
    ///
    /// ## References
    /// - <https://velero.io/docs/main/restore-reference/>
    /// - <https://velero.io/docs/main/api-types/restore/>
    /// - <https://csrc.nist.gov/pubs/sp/800/34/r1/upd1/final>
    id: "missing-dr-drill",
    summary: "nobody has restored a backup lately",
    severity: Severity::Low,
    priority: Priority::LongTerm,
    category: Category::BackupDr,
    fix: Some(Applicability::Manual),
    impact: "Whether the backups can be restored shows in the disaster.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

const RESTORES: &str = "restores.velero.io";
/// Days for which a drill counts.
const DAYS: i64 = 90;

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let cluster = inventory.cluster_subject();
    let newest = newest(inventory);
    let recent = |(_, time): &(&Item<Other>, Timestamp)| {
        inventory.taken_at.duration_since(*time) <= SignedDuration::from_hours(DAYS * 24)
    };
    if newest.as_ref().is_some_and(recent) {
        verdicts.pass(&cluster);
    } else {
        let unseen = evidence::unseen_anywhere(inventory, &[RESTORES]).or_else(|| nothing_seen(inventory));
        vouch::settle(context, verdicts, &cluster, unseen, || finding(context, newest));
    }
}

/// Why it is not known whether there is anything to restore.
fn nothing_seen(inventory: &Inventory) -> Option<String> {
    let none = inventory.audited_workloads().next().is_none();
    evidence::gap(inventory, &evidence::PROGRAMS).filter(|_| none)
}

/// The completed restore that ended last.
fn newest(inventory: &Inventory) -> Option<(&Item<Other>, Timestamp)> {
    let text = |item: &Item<Other>, pointer: &str| item.at(pointer).and_then(Value::as_str).map(str::to_owned);
    inventory
        .other(RESTORES)
        .filter(|item| text(item, "/status/phase").as_deref() == Some("Completed"))
        .filter_map(|item| Some((&**item, text(item, "/status/completionTimestamp")?.parse().ok()?)))
        .max_by_key(|(_, time)| *time)
}

fn finding(context: &Context<'_>, newest: Option<(&Item<Other>, Timestamp)>) -> Finding {
    let cluster = context.inventory.cluster_subject();
    let mut finding = context.finding_about(&cluster, format!("no restore of a backup in the last {DAYS} days"));
    finding = match newest {
        Some((item, time)) => {
            finding.because_of(&item.subject, format!("the last one that completed is {} of {time}", item.subject))
        }
        None => finding.because("searched: Restores of Velero that completed; there is none"),
    };
    let notes = ["restore the newest backup into another namespace, check the data, note how long it took"];
    context.detail(finding, |finding| finding.fix(vouch::manual(context, "Drill a restore", &notes)))
}
