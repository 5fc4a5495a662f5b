//! Which database a workload calls, and how many connections it may open, from its variables.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::environment::{self, Value, Variable};
use super::inventory::Inventory;
use super::store::Item;
use super::workload::Workload;

static HOST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(DATABASE_URL|DATABASE_HOST|DB_(HOST|HOSTNAME|URL|URI|CONNECTION_STRING)|PGHOST|PGHOSTADDR",
        r"|(POSTGRES|POSTGRESQL|MYSQL|MARIADB)_(HOST|URL)|SPRING_DATASOURCE_(URL|JDBC_URL)|TYPEORM_(HOST|URL))$",
    ))
    .expect("a constant pattern")
});
static USE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(DATABASE_(URL|HOST|USER|USERNAME|PASSWORD|NAME|PORT)|DB_[A-Z0-9_]+|SPRING_DATASOURCE_[A-Z0-9_]+|TYPEORM_[A-Z0-9_]+",
        r"|PG(HOST|HOSTADDR|PORT|USER|PASSWORD|DATABASE|SERVICE|SSLMODE))$",
    ))
    .expect("a constant pattern")
});
static POOL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(DB_POOL(_MAX|_SIZE|_MAX_SIZE)?|DATABASE_POOL(_MAX|_SIZE)?|DB_MAX_(OPEN_)?(CONNECTIONS|CONNS)|DB_CONNECTION_LIMIT|PGPOOL_?(MAX|SIZE)",
        r"|SPRING_DATASOURCE_(HIKARI_|TOMCAT_)?(MAXIMUM_?POOL_?SIZE|MAX_?ACTIVE)|TYPEORM_(DRIVER_EXTRA|POOL_SIZE|MAX_CONNECTIONS)|[A-Z0-9_]*_POOL_SIZE)$",
    ))
    .expect("a constant pattern")
});
static QUERY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[?&](connection_limit|pool_size|pool_max_conns|max_pool_size|maxPoolSize)=([0-9]+)")
        .expect("a constant pattern")
});
static SERVER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(^|/)(postgres|postgresql|postgis|mysql|mariadb|percona|timescaledb|pgbouncer)[^/]*$")
        .expect("a constant pattern")
});

/// Ports on which connection poolers listen: PgBouncer, and the pools of DigitalOcean.
const POOLER_PORTS: [&str; 2] = ["6432", "25061"];

/// What is known about a workload's connections.
#[derive(Clone, Debug)]
pub enum Pool {
    /// It calls no database, as far as its variables say.
    None,
    /// A pooler stands between.
    Pooled(String),
    /// Each pod opens at most this many; the variable that says so.
    Bounded(i64, Variable),
    /// A variable bounds it, with a value that can't be read.
    Hidden(String),
    /// Nothing bounds it: the variable that names the database.
    Unbounded(Variable),
    /// Everything about the database stands in Secrets.
    Secret(String),
}

/// Reads the pool of a workload from all its containers; the one that knows least decides.
pub fn pool_of(inventory: &Inventory, workload: &Item<Workload>) -> Pool {
    let Some(template) = workload.template() else { return Pool::None };
    let containers = &template.spec.containers;
    if let Some(container) = containers.iter().find(|container| container.image.to_lowercase().contains("pgbouncer")) {
        return Pool::Pooled(format!("container {} is a pooler", container.name));
    }
    let mut worst = Pool::None;
    for place in template.spec.all_containers().filter(|(list, _, c)| *list == "containers" || c.is_sidecar()) {
        let name = place.2.image.split('@').next().unwrap_or_default();
        if SERVER.is_match(name) {
            continue;
        }
        let found = read(&environment::effective(inventory, workload, place));
        if rank(&found) > rank(&worst) {
            worst = found;
        }
    }
    worst
}

fn rank(pool: &Pool) -> u8 {
    match pool {
        Pool::None => 0,
        Pool::Pooled(_) => 1,
        Pool::Bounded(..) => 2,
        Pool::Hidden(_) => 3,
        Pool::Secret(_) => 4,
        Pool::Unbounded(_) => 5,
    }
}

fn read(variables: &BTreeMap<String, Variable>) -> Pool {
    // Each with whether it says where the database is.
    let all: Vec<(&Variable, bool)> = variables.values().map(|v| (v, HOST.is_match(&v.name))).collect();
    let used: Vec<_> = all.iter().copied().filter(|(v, is_host)| *is_host || USE.is_match(&v.name)).collect();
    if used.is_empty() {
        return Pool::None;
    }
    if let Some(reason) = used.iter().find_map(|(variable, is_host)| pooler(variable, *is_host)) {
        return Pool::Pooled(reason);
    }
    for (variable, is_host) in &all {
        let inside = variable.text().filter(|_| *is_host).and_then(|text| QUERY.captures(text));
        let number = match inside {
            Some(found) => found[2].parse().ok(),
            None if POOL.is_match(&variable.name) => variable.text().and_then(|text| text.trim().parse().ok()),
            None => continue,
        };
        return match number {
            Some(number) => Pool::Bounded(number, (*variable).clone()),
            None => Pool::Hidden(variable.name.clone()),
        };
    }
    let told = |variable: &Variable| variable.text().is_some_and(|text| !text.is_empty());
    if let Some((variable, _)) = all.iter().find(|(variable, is_host)| *is_host && told(variable)) {
        return Pool::Unbounded((*variable).clone());
    }
    match used.iter().find(|(variable, _)| matches!(variable.value, Value::Secret)) {
        Some((variable, _)) => Pool::Secret(variable.name.clone()),
        None => Pool::None,
    }
}

/// Why a variable says that a pooler is called.
fn pooler(variable: &Variable, is_host: bool) -> Option<String> {
    let text = variable.text()?;
    let is_port = variable.name.ends_with("PORT") && POOLER_PORTS.contains(&text.trim());
    let in_url =
        is_host && (text.to_lowercase().contains("pgbouncer") || POOLER_PORTS.iter().any(|port| has_port(text, port)));
    (is_port || in_url).then(|| format!("{} leads to a connection pooler", variable.name))
}

fn has_port(text: &str, port: &str) -> bool {
    text.split(':')
        .skip(1)
        .any(|rest| rest.strip_prefix(port).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[expect(clippy::needless_pass_by_value, reason = "called with values made in place")]
    fn pool(env: serde_json::Value, image: &str) -> Pool {
        let mut inventory = Inventory::default();
        let deployment = json!({"metadata": {"name": "web", "namespace": "a"}, "spec": {"template": {"spec": {
            "containers": [{"name": "web", "image": image, "env": env}]}}}});
        inventory.add("apps/v1", "Deployment", deployment, None).unwrap();
        let inventory = inventory.finish();
        pool_of(&inventory, inventory.workloads.get("a", "Deployment", "web").unwrap())
    }

    #[test]
    fn pools_are_found_by_key_query_and_port() {
        let var = |name: &str, value: &str| json!({"name": name, "value": value});
        let secret = json!({"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}});
        let host = var("DB_HOST", "db.example.com");
        assert!(matches!(pool(json!([]), "web"), Pool::None));
        assert!(matches!(pool(json!([host]), "web"), Pool::Unbounded(_)));
        assert!(matches!(pool(json!([host]), "library/postgres:16"), Pool::None));
        assert!(matches!(pool(json!([host, var("DB_POOL_MAX", "12")]), "web"), Pool::Bounded(12, _)));
        assert!(matches!(pool(json!([host, var("DB_PORT", "6432")]), "web"), Pool::Pooled(_)));
        assert!(matches!(pool(json!([host, var("DB_PORT", "25060")]), "web"), Pool::Unbounded(_)));
        assert!(matches!(pool(json!([secret]), "web"), Pool::Secret(_)));
        let url = var("DATABASE_URL", "postgres://u@db:5432/x?sslmode=require&connection_limit=7");
        assert!(matches!(pool(json!([url]), "web"), Pool::Bounded(7, _)));
        assert!(matches!(pool(json!([var("DATABASE_URL", "postgres://pgbouncer:6432/x")]), "web"), Pool::Pooled(_)));
    }
}
