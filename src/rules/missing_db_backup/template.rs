//! A CronJob with placeholders, for a person to complete.

use serde_json::{Value, json};

use super::survey::Unsaved;
use crate::fix::{Step, free_name};
use crate::model::databases::{self, Engine};
use crate::rules::rule::Context;

/// The CronJob that would dump a database that runs in the cluster.
pub(super) fn cron_job(context: &Context<'_>, database: &Unsaved) -> Option<Step> {
    let inventory = context.inventory;
    let (position, engine) = database.runs?;
    let workload = inventory.workloads.at(position);
    let running = databases::running(workload)?;
    let service = inventory.services_of(position).find(|service| !service.is_headless());
    let service = service.or_else(|| inventory.services_of(position).next());
    let host = service.map_or_else(|| "replace-with-host".to_owned(), |service| service.name().to_owned());
    let (command, variables) = dump(engine, &host)?;
    let namespace = workload.namespace();
    let taken = |name: &str| inventory.workloads.get(namespace, "CronJob", name).is_some();
    let name = free_name(&format!("{}-backup", workload.name()), taken);
    let container = json!({
        "name": "dump",
        "image": running.container.image,
        "command": ["sh", "-c", command],
        "env": variables,
        "volumeMounts": [{"name": "backup", "mountPath": "/backup"}],
    });
    let pod = json!({
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "backup", "persistentVolumeClaim": {"claimName": "replace-with-claim"}}],
    });
    let spec = json!({
        "schedule": "0 2 * * *",
        "concurrencyPolicy": "Forbid",
        "jobTemplate": {"spec": {"template": {"spec": pod}}},
    });
    Some(Step::create(context.rule.id, "batch/v1", "CronJob", namespace, &name, spec))
}

/// The command, and the variables with the names of the Secret to fill in.
fn dump(engine: Engine, host: &str) -> Option<(String, Value)> {
    let secret = |name: &str, key: &str| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": "replace-with-secret", "key": key}}});
    Some(match engine {
        Engine::Postgres => (
            "pg_dumpall --clean --file=/backup/$(date +%F).sql".to_owned(),
            json!([{"name": "PGHOST", "value": host}, secret("PGUSER", "username"), secret("PGPASSWORD", "password")]),
        ),
        Engine::MySql => (
            "mysqldump --host=\"$MYSQL_HOST\" --user=\"$MYSQL_USER\" --single-transaction --all-databases --result-file=/backup/$(date +%F).sql"
                .to_owned(),
            json!([{"name": "MYSQL_HOST", "value": host}, secret("MYSQL_USER", "username"), secret("MYSQL_PWD", "password")]),
        ),
        Engine::Mongo => (
            "mongodump --uri=\"$MONGODB_URI\" --archive=/backup/$(date +%F).archive --gzip".to_owned(),
            json!([secret("MONGODB_URI", "uri")]),
        ),
        Engine::Other => return None,
    })
}
