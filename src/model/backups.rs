//! Backups of databases: jobs with dump tools, archiving in the database's own pods, and what the
//! resources of operators ask for.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::cluster::Other;
use super::databases::{self, Engine};
use super::inventory::{Inventory, is_top_level};
use super::pod::Volume;
use super::references::References;
use super::store::Item;
use super::workload::Workload;

/// Tools by the system whose data they save; `None` saves whatever it finds.
static TOOLS: LazyLock<Vec<(Option<Engine>, Regex)>> = LazyLock::new(|| {
    let tool = |engine, words: &str| {
        let pattern = format!(r"(?i)(?:^|[^a-z0-9_])((?-u:{words}))(?:$|[^a-z0-9_])");
        (engine, Regex::new(&pattern).expect("constant patterns"))
    };
    vec![
        tool(
            Some(Engine::Postgres),
            "pg_dump(?:all)?|pg_basebackup|pgbackrest|wal-[ge]|barman(?:-cloud-backup)?|pg[-_]?backup|pgdump|postgres(?:ql)?[-_]backup(?:[-_][a-z0-9]+)*|logical-backup",
        ),
        tool(
            Some(Engine::MySql),
            "mysqldump|mariadb-dump|mariabackup|mariadb-backup|xtrabackup|mydumper|mysqlpump|mysql[-_]backup",
        ),
        tool(Some(Engine::Mongo), "mongodump|mongo(?:db)?[-_]backup|pbm|percona-backup-mongodb"),
        tool(
            Some(Engine::Other),
            r"medusa|clickhouse-backup|nodetool\s+snapshot|influxd?\s+backup|neo4j-admin\s+(?:database\s+)?(?:dump|backup)|backup\s+(?:into|database|to)|arangodump|couchbackup",
        ),
        tool(None, "restic|kopia|borg(?:matic)?|duplicity|db-backup"),
    ]
});
static NAMED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)(?:^|[-_./])(?:backups?|dumps?)(?:$|[-_.:/])").expect("a constant pattern"));
static ARCHIVE_KEY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        "^(?:WALG_[A-Z0-9]+_PREFIX|WALE_[A-Z0-9]+_PREFIX|WAL_(?:S3|GS)_BUCKET|USE_WALG_BACKUP|PGBACKREST_REPO1_.+)$",
    )
    .expect("a constant pattern")
});

/// A workload that backs databases up.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its position in the inventory.
    pub workload: usize,
    /// Whose data its tool saves; `None` for any.
    pub engine: Option<Engine>,
    /// The tool; `None` if only its name says that it is a backup.
    pub tool: Option<String>,
    /// The positions of the databases that it names; empty if it names none that was read.
    pub databases: BTreeSet<usize>,
}

/// All jobs of an inventory.
#[derive(Debug, Default)]
pub struct Backups {
    /// In the order of the workloads.
    pub jobs: Vec<Job>,
}

/// Whether a database is backed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cover {
    /// By this.
    By(String),
    /// Perhaps by this, whose doing can't be seen.
    Maybe(String),
    /// By nothing that was found.
    None,
}

impl Backups {
    /// Finds the jobs, and what each of them names.
    pub fn of(inventory: &Inventory) -> Self {
        let mut jobs = Vec::new();
        for (position, workload) in inventory.workloads.iter().enumerate() {
            if is_top_level(workload) && !matches!(workload.kind.as_str(), "Job" | "Pod") {
                jobs.extend(job(inventory, position, workload));
            }
        }
        if !jobs.is_empty() {
            let references = inventory.references();
            for job in &mut jobs {
                job.databases = named(inventory, &references, job.workload);
            }
        }
        Self { jobs }
    }

    /// What backs up the database that a workload runs.
    pub fn of_workload(&self, inventory: &Inventory, position: usize, engine: Engine) -> Cover {
        let workload = inventory.workloads.at(position);
        if let Some(reason) = archives(workload, engine) {
            return Cover::By(reason);
        }
        self.search(inventory, workload.namespace(), engine, Some(position))
    }

    /// What backs up a database of a namespace that runs in no workload of its own.
    pub fn of_namespace(&self, inventory: &Inventory, namespace: &str, engine: Option<Engine>) -> Cover {
        let engines = engine.map_or(vec![Engine::Postgres, Engine::MySql, Engine::Mongo, Engine::Other], |e| vec![e]);
        let mut best = Cover::None;
        for engine in engines {
            match self.search(inventory, namespace, engine, None) {
                Cover::None => {}
                Cover::Maybe(reason) => best = Cover::Maybe(reason),
                by @ Cover::By(_) => return by,
            }
        }
        best
    }

    fn search(&self, inventory: &Inventory, namespace: &str, engine: Engine, database: Option<usize>) -> Cover {
        let mut maybe = Cover::None;
        for job in &self.jobs {
            let workload = inventory.workloads.at(job.workload);
            let fits = job.engine.is_none_or(|of| of == engine);
            let names = database.is_some_and(|position| job.databases.contains(&position));
            let near = workload.namespace() == namespace && job.databases.is_empty();
            if !fits || !names && !near {
                continue;
            }
            match &job.tool {
                Some(tool) => return Cover::By(format!("{} runs {tool}", workload.subject)),
                None => {
                    maybe = Cover::Maybe(format!("{} may back it up: what it runs can't be seen", workload.subject));
                }
            }
        }
        maybe
    }
}

fn job(inventory: &Inventory, position: usize, workload: &Item<Workload>) -> Option<Job> {
    if databases::running(workload).is_some() {
        return None;
    }
    let text = text(inventory, workload)?;
    let found = TOOLS.iter().find_map(|(engine, tool)| Some((*engine, tool.captures(&text)?[1].to_owned())));
    if let Some((engine, tool)) = found {
        return Some(Job { workload: position, engine, tool: Some(tool), databases: BTreeSet::new() });
    }
    let images = workload.template()?.spec.containers.iter().any(|container| NAMED.is_match(container.image_path()));
    let named = workload.kind == "CronJob" && (images || NAMED.is_match(workload.name()));
    named.then(|| Job { workload: position, engine: None, tool: None, databases: BTreeSet::new() })
}

/// What a workload runs: images, commands, arguments, and the scripts that it mounts.
fn text(inventory: &Inventory, workload: &Item<Workload>) -> Option<String> {
    let spec = &workload.template()?.spec;
    let mut out = String::new();
    for (_, _, container) in spec.all_containers() {
        let words = container.command.iter().chain(&container.args).map(String::as_str);
        for word in [container.image_path()].into_iter().chain(words) {
            out.push_str(word);
            out.push('\n');
        }
    }
    for name in spec.volumes.iter().flat_map(Volume::config_maps) {
        let map = inventory.config_maps.get(workload.namespace(), "ConfigMap", name);
        for script in map.into_iter().flat_map(|map| map.data.values()) {
            out.push_str(script);
            out.push('\n');
        }
    }
    Some(out)
}

/// The databases behind the Services that a job names.
fn named(inventory: &Inventory, references: &References, job: usize) -> BTreeSet<usize> {
    let services = references.of_client(job).iter().map(|reference| inventory.services.at(reference.service));
    services
        .flat_map(|service| inventory.workloads_of(service))
        .filter(|workload| databases::running(workload).is_some())
        .filter_map(|workload| {
            let subject = &workload.subject;
            inventory.workloads.position(subject.namespace(), &subject.kind, &subject.name)
        })
        .collect()
}

/// A tool in the pods of the database itself: a sidecar, or archiving by the server.
fn archives(workload: &Item<Workload>, engine: Engine) -> Option<String> {
    let spec = &workload.template()?.spec;
    let name = workload.subject.short();
    for container in spec.serving_containers() {
        if let Some(variable) = container.env.iter().find(|variable| ARCHIVE_KEY.is_match(&variable.name)) {
            return Some(format!("{name} archives, as {} says", variable.name));
        }
        let words = container.command.iter().chain(&container.args).map(String::as_str);
        let line: Vec<&str> = [container.image_path()].into_iter().chain(words).collect();
        let line = line.join("\n");
        let mut tools = TOOLS.iter().filter(|(of, _)| of.is_none_or(|of| of == engine));
        if let Some(found) = tools.find_map(|(_, tool)| tool.captures(&line)) {
            return Some(format!("container {} of {name} runs {}", container.name, &found[1]));
        }
    }
    None
}

/// What an operator's resource asks for, if it asks for backups.
pub fn of_resource(inventory: &Inventory, cluster: &Item<Other>) -> Option<String> {
    let name = cluster.subject.short();
    let filled = |pointer: &str| match cluster.at(pointer) {
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Bool(on)) => *on,
        _ => false,
    };
    let off = |pointer: &str| cluster.at(pointer) == Some(&Value::Bool(false));
    let told = |pointer: &str| filled(pointer).then(|| format!("{name} {}", pointer[1..].replace('/', ".")));
    match cluster.kind.as_str() {
        "Cluster" => ["/spec/backup/barmanObjectStore", "/spec/backup/volumeSnapshot"]
            .into_iter()
            .find_map(told)
            .or_else(|| scheduled(inventory, cluster, "scheduledbackups.postgresql.cnpg.io", "/spec/cluster/name")),
        "PostgresCluster" | "PerconaPGCluster" => {
            let repos = cluster.at("/spec/backups/pgbackrest/repos").and_then(Value::as_array);
            let planned = |repo: &Value| {
                repo.get("schedules").and_then(Value::as_object).is_some_and(|schedules| !schedules.is_empty())
            };
            let any = repos.into_iter().flatten().any(planned);
            any.then(|| format!("{name} spec.backups.pgbackrest.repos have schedules"))
        }
        "postgresql" => told("/spec/enableLogicalBackup").or_else(|| archive_variable(cluster)),
        "InnoDBCluster" => told("/spec/backupSchedules"),
        "MariaDB" => ["backups.k8s.mariadb.com", "physicalbackups.k8s.mariadb.com"]
            .into_iter()
            .find_map(|resource| scheduled(inventory, cluster, resource, "/spec/mariaDbRef/name")),
        "PerconaServerMongoDB" | "PerconaServerMySQL" if off("/spec/backup/enabled") => None,
        "PerconaServerMongoDB" => ["/spec/backup/tasks", "/spec/backup/pitr/enabled"].into_iter().find_map(told),
        _ => told("/spec/backup/schedule"),
    }
}

/// An object that plans backups of a cluster of its namespace.
fn scheduled(inventory: &Inventory, cluster: &Item<Other>, resource: &str, pointer: &str) -> Option<String> {
    let items = inventory.custom(resource).map_or(&[][..], |store| store.within(cluster.namespace()));
    let plans = |item: &&std::sync::Arc<Item<Other>>| {
        item.at("/spec/schedule").is_some() && item.at(pointer).and_then(Value::as_str) == Some(cluster.name())
    };
    items.iter().find(plans).map(|item| item.subject.to_string())
}

fn archive_variable(cluster: &Item<Other>) -> Option<String> {
    let variables = cluster.at("/spec/env").and_then(Value::as_array)?;
    let names = variables.iter().filter_map(|variable| variable.get("name").and_then(Value::as_str));
    let found = names.into_iter().find(|name| ARCHIVE_KEY.is_match(name))?;
    Some(format!("{} archives, as {found} says", cluster.subject.short()))
}
