//! unbounded-db-pool: pods that may open more connections than the database has.

use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Confidence, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Fix};
use crate::model::capacity;
use crate::model::database::{Pool, pool_of};
use crate::model::environment::{Variable, config_maps_as_variables};
use crate::model::workload::Workload;
use crate::model::{Inventory, Item};

declare_rule! {
    /// ## What it does
    /// Reports a workload that names a database in its variables and bounds its connection pool
    /// nowhere: by a variable such as `DB_POOL_MAX` or `*_POOL_SIZE`, by `connection_limit`,
    /// `pool_size` or `pool_max_conns` in its URL, or by a pooler (PgBouncer, port 6432 or 25061).
    /// With `--set unbounded-db-pool.maxConnections=N` a known pool is checked too: all pods at their
    /// peak may take four fifths of it; of a DaemonSet whose nodes are not known nothing can be said.
    /// Where everything stands in Secrets nothing is known. Database servers themselves are left out.
    ///
    /// ## Why it matters
    /// Each pod opens its own pool, and autoscaling multiplies it. A database that has no connection
    /// left refuses everybody, the old pods included.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1, env: [{name: DB_HOST, value: db.example.com}]}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec:
    ///       containers:
    ///         - name: web
    ///           image: web:1
    ///           env: [{name: DB_HOST, value: db.example.com}, {name: DB_POOL_MAX, value: "10"}]
    /// ```
    ///
    /// ## Fix
    /// Manual: which key bounds the pool is up to the application. With the database's maximum given,
    /// the finding computes the pool of one pod: four fifths of what is not reserved, shared by the
    /// pods at their peak. A pooler before the database is the other way.
    ///
    /// ## References
    /// - <https://www.postgresql.org/docs/current/runtime-config-connection.html>
    /// - <https://www.pgbouncer.org/features.html>
    /// - <https://docs.digitalocean.com/products/databases/postgresql/how-to/manage-connection-pools/>
    id: "unbounded-db-pool",
    summary: "no limit of database connections",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::Scalability,
    fix: Some(Applicability::Manual),
    impact: "Scaling up exhausts the database's connections for everybody.",
    parameters: &[
        Parameter {
            key: "maxConnections",
            prompt: "connections that the database allows (max_connections)",
            kind: ParameterKind::Number(1),
            default: None,
        },
        Parameter {
            key: "reserved",
            prompt: "connections that the database keeps for its own users",
            kind: ParameterKind::Number(0),
            default: Some("3"),
        },
    ],
    next_stages: &[],
    unmoved_by: &[Aspect::Budgets, Aspect::Warnings],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    for (position, workload) in context.inventory.audited_workloads() {
        let most = context.number(&workload.subject, "maxConnections");
        if workload.is_idle() {
            verdicts.na(&workload.subject);
            continue;
        }
        let pool = pool_of(context.inventory, workload);
        if let Some(reason) = unread(context.inventory, workload, &pool) {
            verdicts.unknown(&workload.subject, reason);
            continue;
        }
        match pool {
            Pool::None => verdicts.na(&workload.subject),
            Pool::Hidden(name) if most.is_some() => {
                verdicts.unknown(&workload.subject, format!("{name} bounds the pool, but its value can't be read"));
            }
            Pool::Pooled(_) | Pool::Hidden(_) => verdicts.pass(&workload.subject),
            Pool::Secret(name) => {
                verdicts.unknown(&workload.subject, format!("{name} stands in a Secret, which is never read"));
            }
            Pool::Bounded(size, variable) => {
                let (pods, source) = most_pods(context.inventory, position);
                let exceeds = |pods, most: i64| size.saturating_mul(pods).saturating_mul(5) > most.saturating_mul(4);
                match (pods, most) {
                    (None, Some(_)) => {
                        verdicts.unknown(&workload.subject, format!("its pods can't be counted: {source}"));
                    }
                    (Some(pods), Some(most)) if exceeds(pods, most) => {
                        let wanted = size.saturating_mul(pods);
                        let message = format!("{pods} pods with {size} connections each, of {most} in all");
                        let finding = at(context.finding(workload, message), &variable, workload)
                            .because(format!("{size} × {pods} pods ({source}) = {wanted}, more than 4/5 of {most}"));
                        verdicts.fail(detailed(context, finding, position, workload));
                    }
                    _ => verdicts.pass(&workload.subject),
                }
            }
            Pool::Unbounded(variable) => {
                let finding = context.finding(workload, "nothing bounds its database connections");
                let finding = at(finding, &variable, workload)
                    .confidence(Confidence::Inferred)
                    .because(format!("{} names a database; no variable bounds the pool", variable.name));
                verdicts.fail(detailed(context, finding, position, workload));
            }
        }
    }
}

fn detailed(context: &Context<'_>, finding: Finding, position: usize, workload: &Item<Workload>) -> Finding {
    let class = Some(Applicability::Manual);
    context.detail_as(class, finding, |finding| finding.fix(fix(context, position, workload)))
}

/// The most pods that hold connections at once: the ceiling and the surge of a rollout; `None` if
/// they can't be counted.
fn most_pods(inventory: &Inventory, position: usize) -> (Option<i64>, String) {
    let workload = inventory.workloads.at(position);
    if !workload.is_scalable() {
        return capacity::peak_pods(inventory, position);
    }
    let ceiling = capacity::ceiling(inventory, position);
    let (surge, _) = workload.surge_and_unavailable(ceiling.pods);
    (Some(ceiling.pods + surge), format!("{} from {} + surge {surge}", ceiling.pods, ceiling.source))
}

/// A `ConfigMap` that may bound the pool, or name a database, and that was not read.
fn unread(inventory: &Inventory, workload: &Item<Workload>, pool: &Pool) -> Option<String> {
    let hidden = inventory.unseen("configmaps", workload.namespace());
    let may_be_missing = hidden.is_some() || (!inventory.is_live() && !inventory.is_complete());
    let decides = matches!(pool, Pool::Unbounded(_)) || (hidden.is_some() && matches!(pool, Pool::None));
    let known = |name: &&str| inventory.config_maps.get(workload.namespace(), "ConfigMap", name).is_some();
    let maps = config_maps_as_variables(workload).into_iter();
    let missing = maps.filter(|_| may_be_missing && decides).find(|name| !known(name))?;
    Some(hidden.unwrap_or_else(|| format!("ConfigMap {missing} is not in the files")))
}

/// The place of a variable, which may stand in a `ConfigMap`.
fn at(finding: Finding, variable: &Variable, workload: &Item<Workload>) -> Finding {
    let location = Location::at(&variable.pointer).named(format!("env/{}", variable.name));
    let foreign = variable.holder != workload.subject;
    finding.at(if foreign { location.of(&variable.holder) } else { location })
}

fn fix(context: &Context<'_>, position: usize, workload: &Item<Workload>) -> Fix {
    let (pods, source) = most_pods(context.inventory, position);
    let most = context.input(&workload.subject, "maxConnections", false);
    let reserved = context.input(&workload.subject, "reserved", false);
    let number = |input: &crate::fix::Input| input.value.as_ref().and_then(|value| value.parse::<i64>().ok());
    let counted = pods.map_or_else(|| "not known".to_owned(), |pods| pods.to_string());
    let mut fix = Fix::new(format!("Bound the pool of {}", workload.subject.short()), Applicability::Manual)
        .note(format!("pods at once: {counted} ({source})"));
    fix = match (number(&most), number(&reserved), pods) {
        (Some(_), Some(_), None) => fix,
        (Some(most), Some(reserved), Some(pods)) => {
            let each = (most - reserved).max(0).saturating_mul(4) / (5 * pods.max(1));
            fix.note(format!("{each} connections a pod: 4/5 of {most} - {reserved} reserved, over {pods} pods"))
        }
        _ => fix.note(
            "give the database's maximum (--set unbounded-db-pool.maxConnections=N) to compute the pool of one pod",
        ),
    };
    fix.note("or put a pooler such as PgBouncer before the database").ask(most).ask(reserved)
}
