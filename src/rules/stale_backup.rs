//! stale-backup: a backup that is there and does not run.

mod operators;
mod runs;

use jiff::{SignedDuration, Timestamp};

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Fix};
use crate::model::schedule;
use crate::model::store::{Item, Projection};

declare_rule! {
    /// ## What it does
    /// Judges what makes backups: CronJobs with a dump tool or a name that says so, Schedules of
    /// Velero that take an audited namespace with the storage locations that they name, and
    /// ScheduledBackups and Clusters of CloudNativePG. It reports one that is suspended or paused,
    /// whose last success is older than two periods of its schedule, that never succeeded in two
    /// periods since it was made, whose last run failed, and a location that is not available. Two
    /// periods are the time from the third-last planned run to the last one, so that a weekend
    /// counts. In manifests only suspension shows; the rest is unknown.
    ///
    /// ## Why it matters
    /// A backup that stopped months ago looks like a backup until it is needed.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: batch/v1
    /// kind: CronJob
    /// metadata: {name: db-backup, namespace: shop}
    /// spec:
    ///   schedule: 0 2 * * *
    ///   suspend: true
    ///   jobTemplate:
    ///     spec:
    ///       template:
    ///         spec:
    ///           restartPolicy: Never
    ///           containers: [{name: dump, image: "postgres:16", command: [pg_dump, shop]}]
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
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
    ///           containers: [{name: dump, image: "postgres:16", command: [pg_dump, shop]}]
    /// ```
    ///
    /// ## Fix
    /// Manual. Find out why it stopped before it runs again: a full disk, an expired credential, a
    /// moved database. Then run it once by hand: `kubectl create job --from=cronjob/NAME`, or
    /// `velero backup create --from-schedule NAME`.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/>
    /// - <https://velero.io/docs/main/api-types/schedule/>
    /// - <https://velero.io/docs/main/api-types/backupstoragelocation/>
    /// - <https://cloudnative-pg.io/documentation/current/cloudnative-pg.v1/>
    id: "stale-backup",
    summary: "a backup that does not run",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::BackupDr,
    fix: Some(Applicability::Manual),
    impact: "The newest copy is older than everybody believes.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    runs::check(context, verdicts);
    operators::check(context, verdicts);
}

/// What is wrong with a backup, and where it shows.
struct Fault {
    message: String,
    location: Location,
    because: Vec<String>,
}

impl Fault {
    fn new(message: impl Into<String>, location: Location) -> Self {
        Self { message: message.into(), location, because: Vec::new() }
    }

    fn because(mut self, text: impl Into<String>) -> Self {
        self.because.push(text.into());
        self
    }
}

/// What came of looking at a backup.
enum State {
    Fresh,
    Open(String),
    Stale(Box<Fault>),
}

fn stale(fault: Fault) -> State {
    State::Stale(Box::new(fault))
}

fn tell<T: Projection>(context: &Context<'_>, verdicts: &mut Verdicts<'_>, item: &Item<T>, state: State) {
    match state {
        State::Fresh => verdicts.pass(&item.subject),
        State::Open(reason) => super::vouch::leave_open(context, verdicts, &item.subject, reason),
        State::Stale(fault) => {
            super::vouch::settle(context, verdicts, &item.subject, None, || finding(context, item, *fault));
        }
    }
}

fn finding<T: Projection>(context: &Context<'_>, item: &Item<T>, fault: Fault) -> Finding {
    let finding = context.finding(item, fault.message).at(fault.location);
    let finding = fault.because.into_iter().fold(finding, Finding::because);
    let title = format!("Bring {} back", item.subject.short());
    finding.fix(
        Fix::new(title, Applicability::Manual)
            .note("find out why it stopped before it runs again")
            .note("then run it once by hand and look at what it made"),
    )
}

/// What the age of the last success says. `since` is when the backup was made; `at` is the field with
/// the last success.
fn age(now: Timestamp, plan: &str, last: Option<Timestamp>, since: Option<Timestamp>, at: &str) -> State {
    let Some(limit) = schedule::two_periods(plan, now) else {
        return State::Open(format!("its schedule `{plan}` could not be read"));
    };
    let Some(from) = last.or(since) else {
        return State::Open("it has no time of a last success".to_owned());
    };
    let age = now.duration_since(from);
    if age <= limit {
        return if last.is_some() {
            State::Fresh
        } else {
            State::Open("it has not succeeded yet, and is young".to_owned())
        };
    }
    let periods = format!("two periods of `{plan}` are {}", span(limit));
    let current = last.map(|last| last.to_string().into());
    let location = Location::at(at).values(current, None);
    stale(match last {
        Some(last) => Fault::new(format!("last succeeded {} ago", span(age)), location)
            .because(format!("its last success was at {last}"))
            .because(periods),
        None => Fault::new(format!("has not succeeded in the {} since it was made", span(age)), location)
            .because(format!("it was made at {from}"))
            .because(periods),
    })
}

/// A duration as days, hours or minutes.
fn span(duration: SignedDuration) -> String {
    let (hours, minutes) = (duration.as_hours(), duration.as_mins());
    let unit = |number: i64, name: &str| format!("{number} {name}{}", if number == 1 { "" } else { "s" });
    match hours {
        48.. => unit(hours / 24, "day"),
        1.. => unit(hours, "hour"),
        _ => unit(minutes, "minute"),
    }
}
