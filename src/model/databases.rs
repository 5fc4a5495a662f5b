//! Databases that run in the cluster: workloads by image, or by variable and port, and the resources
//! of operators. Who calls a database elsewhere is in [`managed`](super::managed).
//!
//! Caches (Redis, Valkey, Memcached) and search indexes are not counted: what they hold can be made
//! again from its source.

use std::sync::LazyLock;

use regex::Regex;

use super::cluster::Other;
use super::container::Container;
use super::inventory::Inventory;
use super::object::Meta;
use super::store::Item;
use super::workload::Workload;

/// The database systems whose tools and directories are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// PostgreSQL and what is built on it.
    Postgres,
    /// MySQL, MariaDB and Percona Server.
    MySql,
    /// MongoDB.
    Mongo,
    /// Another one.
    Other,
}

impl Engine {
    /// The name in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL",
            Self::Mongo => "MongoDB",
            Self::Other => "a database",
        }
    }

    /// Directories in which images of this engine keep their data, unless told otherwise.
    pub fn directories(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &[
                "/var/lib/postgresql/data",
                "/var/lib/postgresql",
                "/bitnami/postgresql",
                "/home/postgres/pgdata",
                "/home/postgres/pgroot",
                "/pgdata",
                "/var/lib/pgsql/data",
                "/var/lib/pgsql",
            ],
            Self::MySql => &["/var/lib/mysql", "/bitnami/mysql", "/bitnami/mariadb", "/var/lib/mysql/data"],
            Self::Mongo => &["/data/db", "/bitnami/mongodb", "/var/lib/mongodb"],
            Self::Other => &[
                "/cockroach/cockroach-data",
                "/var/lib/cassandra",
                "/bitnami/cassandra",
                "/var/lib/scylla",
                "/opt/couchdb/data",
                "/opt/couchbase/var",
                "/var/lib/clickhouse",
                "/var/opt/mssql",
                "/opt/oracle/oradata",
                "/var/lib/influxdb2",
                "/var/lib/influxdb",
                "/data",
                "/var/lib/arangodb3",
            ],
        }
    }
}

/// A container that is a database.
#[derive(Clone, Copy, Debug)]
pub struct Running<'a> {
    /// The system.
    pub engine: Engine,
    /// The container.
    pub container: &'a Container,
    /// The name of its list, and its place there.
    pub place: (&'static str, usize),
    /// True if only variables and a port say so.
    pub inferred: bool,
}

/// A resource of an operator that keeps databases: resource name, the plural as the server has it
/// if it differs, and the system.
pub const OPERATED: [(&str, Engine); 9] = [
    ("clusters.postgresql.cnpg.io", Engine::Postgres),
    ("innodbclusters.mysql.oracle.com", Engine::MySql),
    ("mariadbs.k8s.mariadb.com", Engine::MySql),
    ("perconapgclusters.pgv2.percona.com", Engine::Postgres),
    ("perconaservermongodbs.psmdb.percona.com", Engine::Mongo),
    ("perconaservermysqls.ps.percona.com", Engine::MySql),
    ("perconaxtradbclusters.pxc.percona.com", Engine::MySql),
    ("postgresclusters.postgres-operator.crunchydata.com", Engine::Postgres),
    ("postgresqls.acid.zalan.do", Engine::Postgres),
];

/// The resource names of [`OPERATED`].
pub fn operated_lists() -> Vec<&'static str> {
    OPERATED.iter().map(|(resource, _)| *resource).collect()
}

/// Labels by which operators mark the workloads of one database.
const CLUSTER_LABELS: [&str; 7] = [
    "app.kubernetes.io/instance",
    "cluster-name",
    "cnpg.io/cluster",
    "mysql.oracle.com/cluster",
    "pg-cluster",
    "postgres-operator.crunchydata.com/cluster",
    "stackgres.io/cluster-name",
];

/// Words in the name of an image that is a companion of a database, not one itself.
const COMPANIONS: [&str; 39] = [
    "admin",
    "agent",
    "api",
    "backup",
    "backups",
    "bouncer",
    "browser",
    "cli",
    "client",
    "compass",
    "connect",
    "dump",
    "exporter",
    "express",
    "haproxy",
    "init",
    "logical",
    "manager",
    "mcp",
    "metrics",
    "migrate",
    "migration",
    "migrations",
    "monitor",
    "operator",
    "orchestrator",
    "pgbouncer",
    "pgpool",
    "pool",
    "pooler",
    "proxy",
    "proxysql",
    "replicator",
    "restore",
    "router",
    "shell",
    "tools",
    "ui",
    "upgrade",
];

/// Distributions that put their name before that of the system.
const DISTRIBUTIONS: [&str; 6] = ["community", "crunchy", "edb", "enterprise", "percona", "supabase"];

const OTHERS: [&str; 20] = [
    "arangodb",
    "cassandra",
    "clickhouse",
    "cockroach",
    "cockroachdb",
    "couchbase",
    "couchdb",
    "dgraph",
    "edgedb",
    "influxdb",
    "mssql",
    "neo4j",
    "questdb",
    "ravendb",
    "rethinkdb",
    "rqlite",
    "scylla",
    "surrealdb",
    "tikv",
    "yugabyte",
];

/// Programs of clients, whose container is no server though its image is that of one.
static CLIENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?:^|[\s/;&|(])(?:psql|pg_dump(?:all)?|pg_restore|pg_isready|pg_basebackup|mysqldump|mariadb-dump|mysqladmin",
        r"|mysql|mariadb|mongodump|mongorestore|mongosh|mongo|sleep|tail)(?:[\s;&|)]|$)",
    ))
    .expect("a constant pattern")
});
static SERVER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|[\s/;&|(])(?:postgres|postmaster|patroni|mysqld(?:_safe)?|mariadbd|mongod|mongos|docker-entrypoint\.sh|(?:entrypoint|run)\.sh)(?:[\s;&|)]|$)")
        .expect("a constant pattern")
});

/// True for an image that serves a database and is none: an exporter, a pooler, a backup tool.
pub fn is_companion(container: &Container) -> bool {
    container.image_name().to_ascii_lowercase().split(['-', '_', '.']).any(|word| COMPANIONS.contains(&word))
}

/// The system that an image runs, if it is a database.
pub fn engine_of_image(container: &Container) -> Option<Engine> {
    let path = container.image_path().to_ascii_lowercase();
    let name = path.rsplit('/').next().unwrap_or(&path);
    if path.ends_with("mssql/server") || path.ends_with("azure-sql-edge") {
        return Some(Engine::Other);
    }
    let words: Vec<&str> = name.split(['-', '_', '.']).collect();
    let found = words.iter().find_map(|word| engine_of_word(word));
    let of_mysql = path.contains("mysql/") && matches!(name, "community-server" | "enterprise-server");
    if found.is_none() && !of_mysql || words.iter().any(|word| COMPANIONS.contains(word)) {
        return None;
    }
    let first = words.first().copied().unwrap_or_default();
    if engine_of_word(first).is_some() || DISTRIBUTIONS.contains(&first) {
        // `percona` alone is MySQL; `percona-server-mongodb` is what its later word says.
        let later = words.iter().skip(1).find_map(|word| engine_of_word(word));
        return if first == "percona" { later.or(Some(Engine::MySql)) } else { found };
    }
    of_mysql.then_some(Engine::MySql)
}

fn engine_of_word(word: &str) -> Option<Engine> {
    let base = word.trim_end_matches(|c: char| c.is_ascii_digit());
    match base {
        "postgres" | "postgresql" | "postgis" | "pgvector" | "timescaledb" | "spilo" | "alloydbomni" => {
            Some(Engine::Postgres)
        }
        "mysql" | "mariadb" | "percona" => Some(Engine::MySql),
        "mongo" | "mongodb" => Some(Engine::Mongo),
        _ => (OTHERS.contains(&word) || base != word && OTHERS.contains(&base)).then_some(Engine::Other),
    }
}

/// The system that the variables and ports of a container tell of.
fn engine_of_signs(container: &Container) -> Option<Engine> {
    let listens = |number: i64| container.ports.iter().any(|port| port.container_port == number);
    let has = |names: &[&str]| container.env.iter().any(|variable| names.contains(&variable.name.as_str()));
    let engine = if listens(5432) && has(&["PGDATA", "POSTGRES_DB", "POSTGRES_HOST_AUTH_METHOD", "POSTGRES_PASSWORD"]) {
        Some(Engine::Postgres)
    } else if listens(3306) && has(&["MARIADB_ROOT_PASSWORD", "MYSQL_DATABASE", "MYSQL_ROOT_PASSWORD"]) {
        Some(Engine::MySql)
    } else if listens(27017) && has(&["MONGO_INITDB_ROOT_PASSWORD", "MONGO_INITDB_ROOT_USERNAME"]) {
        Some(Engine::Mongo)
    } else {
        None
    };
    engine.filter(|_| !is_companion(container))
}

/// What a container is as a database.
pub fn of_container(container: &Container) -> Option<(Engine, bool)> {
    let by_image = engine_of_image(container).map(|engine| (engine, false));
    let found = by_image.or_else(|| engine_of_signs(container).map(|engine| (engine, true)))?;
    let line: Vec<&str> = container.command.iter().chain(&container.args).map(String::as_str).collect();
    let line = line.join(" ");
    (!CLIENT.is_match(&line) || SERVER.is_match(&line)).then_some(found)
}

/// The database that a workload runs. Jobs run clients and tests.
pub fn running(workload: &Workload) -> Option<Running<'_>> {
    if matches!(workload.kind.as_str(), "CronJob" | "Job") {
        return None;
    }
    let mut places = workload.template()?.spec.all_containers();
    places.find_map(|(list, index, container)| {
        let serves = list == "containers" || container.is_sidecar();
        let (engine, inferred) = of_container(container).filter(|_| serves)?;
        Some(Running { engine, container, place: (list, index), inferred })
    })
}

/// The resources of operators in a namespace that keep databases.
pub fn operated<'a>(inventory: &'a Inventory, namespace: &'a str) -> impl Iterator<Item = (&'a Item<Other>, Engine)> {
    OPERATED.iter().flat_map(move |(resource, engine)| {
        let store = inventory.custom(resource);
        let items = store.map_or(&[][..], |store| store.within(namespace));
        items.iter().map(move |item| (&**item, *engine))
    })
}

/// True if an object belongs to a database that an operator keeps.
pub fn belongs_to(meta: &Meta, cluster: &Item<Other>) -> bool {
    let name = cluster.name();
    let owned = meta.owner_references.iter().any(|owner| owner.kind == cluster.kind && owner.name == name);
    owned || CLUSTER_LABELS.iter().any(|label| meta.label(label) == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn engine(container: &serde_json::Value) -> Option<Engine> {
        let container: Container = serde_json::from_value(container.clone()).unwrap();
        of_container(&container).map(|(engine, _)| engine)
    }

    #[test]
    fn images_of_databases_are_known() {
        for (image, expected) in [
            ("postgres:16", Some(Engine::Postgres)),
            ("docker.io/bitnami/postgresql:16", Some(Engine::Postgres)),
            ("ghcr.io/cloudnative-pg/postgresql:16.4", Some(Engine::Postgres)),
            ("postgis/postgis:16-3.4", Some(Engine::Postgres)),
            ("timescale/timescaledb-ha:pg16", Some(Engine::Postgres)),
            ("ghcr.io/zalando/spilo-16:3.2", Some(Engine::Postgres)),
            ("crunchydata/crunchy-postgres:ubi8-16", Some(Engine::Postgres)),
            ("registry/rhel9/postgresql-15:1", Some(Engine::Postgres)),
            ("mysql:8", Some(Engine::MySql)),
            ("percona/percona-server:8", Some(Engine::MySql)),
            ("percona/percona-server-mongodb:7", Some(Engine::Mongo)),
            ("percona/percona-distribution-postgresql:16", Some(Engine::Postgres)),
            ("mongo@sha256:00", Some(Engine::Mongo)),
            ("mongodb/mongodb-community-server:7", Some(Engine::Mongo)),
            ("cockroachdb/cockroach:v24", Some(Engine::Other)),
            ("mcr.microsoft.com/mssql/server:2022-latest", Some(Engine::Other)),
            ("prometheuscommunity/postgres-exporter:v0.15", None),
            ("prodrigestivill/postgres-backup-local:16", None),
            ("mongo-express:1", None),
            ("dpage/pgadmin4:8", None),
            ("bitnami/pgbouncer:1", None),
            ("ghcr.io/cloudnative-pg/cloudnative-pg:1.24", None),
            ("percona/percona-postgresql-operator:2", None),
            ("redis:7", None),
            ("localstack/localstack:3", None),
            ("registry.example.com/shop/backend:1", None),
        ] {
            assert_eq!(engine(&json!({"image": image})), expected, "{image}");
        }
    }

    #[test]
    fn clients_are_no_databases_and_signs_tell_renamed_images() {
        let psql = json!({"image": "postgres:16", "command": ["sh", "-c", "until pg_isready; do sleep 1; done"]});
        assert_eq!(engine(&psql), None);
        let server =
            json!({"image": "postgres:16", "command": ["docker-entrypoint.sh", "postgres"], "args": ["-c", "x"]});
        assert_eq!(engine(&server), Some(Engine::Postgres));
        let renamed = json!({"image": "registry/ourdb:1", "ports": [{"containerPort": 5432}],
            "env": [{"name": "POSTGRES_PASSWORD", "value": "x"}]});
        assert_eq!(engine(&renamed), Some(Engine::Postgres));
        assert_eq!(engine(&json!({"image": "registry/web:1", "env": [{"name": "POSTGRES_PASSWORD"}]})), None);
    }
}
