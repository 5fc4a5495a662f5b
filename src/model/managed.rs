//! Databases outside the cluster, as the variables of workloads name them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::databases;
use super::environment::{self, Value, Variable};
use super::inventory::Inventory;
use super::object::Subject;
use super::store::Item;
use super::workload::Workload;

static HOST_KEY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        "^(?:(?:[A-Z0-9]+_)*(?:DB|DATABASE|POSTGRES|POSTGRESQL|PG|MYSQL|MARIADB|MONGO|MONGODB)(?:_[A-Z0-9]+)*_?",
        "(?:HOST|HOSTNAME|HOSTADDR|SERVER|ADDRESS|ENDPOINT|URL|URI|DSN|CONNECTION_STRING)",
        "|SPRING_DATASOURCE_(?:JDBC_)?URL|TYPEORM_(?:HOST|URL))$",
    ))
    .expect("a constant pattern")
});
static URL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)^(?:jdbc:)?(?:postgres(?:ql)?|pgsql|postgis|mysql2?|mariadb|mongodb(?:\+srv)?|sqlserver|cockroachdb)",
        r"(?:\+[a-z0-9]+)?://(?:[^/?#\s]*@)?([^/?#;,\s@]+)",
    ))
    .expect("a constant pattern")
});
static WORDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:^|[\s;])(?:host|server|data source)\s*=\s*([^;,\s]+)|@tcp\(([^)]+)\)")
        .expect("a constant pattern")
});
static BARE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[A-Za-z0-9._-]+(?::\d+)?$").expect("a constant pattern"));

/// Containers through which a managed database is reached.
const PROXIES: [&str; 5] = ["alloydb-auth-proxy", "cloud-sql-proxy", "cloudsql-proxy", "gce-proxy", "rds-proxy"];

/// A database that a workload calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Where it is.
    pub place: Place,
    /// What says so: `DB_HOST`.
    pub variable: String,
    /// The object that holds the value, and where in it.
    pub holder: (Subject, String),
}

/// Where a database is that a workload calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Outside the cluster, at this host.
    Outside(String),
    /// At a name that no Service has that was read.
    Nowhere(String),
    /// The host stands in a Secret.
    Hidden,
}

/// The addresses of Services in the cluster.
#[derive(Debug, Default)]
pub struct Addresses {
    known: BTreeSet<String>,
}

impl Addresses {
    /// Gathers them once.
    pub fn of(inventory: &Inventory) -> Self {
        Self { known: inventory.services.iter().filter_map(|service| service.spec.cluster_ip.clone()).collect() }
    }
}

/// The databases outside its cluster that a workload calls, and those that can't be told.
pub fn uses(inventory: &Inventory, addresses: &Addresses, workload: &Item<Workload>) -> Vec<Use> {
    let Some(template) = workload.template() else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for place in template.spec.all_containers() {
        if databases::of_container(place.2).is_some() {
            continue;
        }
        if PROXIES.contains(&place.2.image_name()) {
            let at = format!("{}/{}/{}/image", workload.pod_spec_pointer(), place.0, place.1);
            let holder = (workload.subject.clone(), at);
            let name = place.2.image_name().to_owned();
            out.push(Use { place: Place::Outside(name.clone()), variable: format!("image {name}"), holder });
        }
        for variable in environment::effective(inventory, workload, place).values() {
            if let Some(place) = place_of(inventory, addresses, workload.namespace(), variable) {
                let holder = (variable.holder.clone(), variable.pointer.clone());
                out.push(Use { place, variable: variable.name.clone(), holder });
            }
        }
    }
    out
}

fn place_of(inventory: &Inventory, addresses: &Addresses, namespace: &str, variable: &Variable) -> Option<Place> {
    let is_key = HOST_KEY.is_match(&variable.name);
    match &variable.value {
        Value::Secret if is_key => Some(Place::Hidden),
        Value::Text(text) => {
            let host = host(text.trim(), is_key)?;
            locate(inventory, addresses, namespace, &host)
        }
        _ => None,
    }
}

/// The host that a value names: a URL of a database, words, or a bare name under a key that asks for
/// one.
fn host(text: &str, is_key: bool) -> Option<String> {
    let found = URL.captures(text).map(|found| found[1].to_owned()).or_else(|| {
        let words = WORDS.captures(text).filter(|_| is_key)?;
        words.get(1).or(words.get(2)).map(|word| word.as_str().to_owned())
    });
    let found = found.or_else(|| (is_key && BARE.is_match(text)).then(|| text.to_owned()))?;
    let name = found.split(':').next().unwrap_or_default().trim_end_matches('.');
    (!name.is_empty()).then(|| name.to_owned())
}

/// Where a host is; `None` if it is in the pod, or a Service that leads to pods.
fn locate(inventory: &Inventory, addresses: &Addresses, namespace: &str, host: &str) -> Option<Place> {
    if host == "localhost" || host.starts_with("127.") {
        return None;
    }
    let labels: Vec<&str> = host.split('.').collect();
    let service = match labels[..] {
        [name] => inventory.services.get(namespace, "Service", name),
        // With one label more: a pod of a StatefulSet behind its headless Service.
        [name, space] | [name, space, "svc", ..] | [_, name, space, "svc", ..] => {
            inventory.services.get(space, "Service", name)
        }
        _ => None,
    };
    if let Some(service) = service {
        return match &service.spec.external_name {
            Some(target) if service.kind() == "ExternalName" => Some(Place::Outside(target.clone())),
            _ if service.has_selector() => None,
            _ => Some(Place::Outside(host.to_owned())),
        };
    }
    if addresses.known.contains(host) {
        return None;
    }
    let of_cluster = labels.len() == 1 || labels.get(2) == Some(&"svc") || labels.get(3) == Some(&"svc");
    Some(if of_cluster { Place::Nowhere(host.to_owned()) } else { Place::Outside(host.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn places(name: &str, value: &str) -> Vec<Place> {
        let mut inventory = Inventory::default();
        let web = json!({"metadata": {"name": "web", "namespace": "a"}, "spec": {"template": {"spec": {
            "containers": [{"name": "web", "image": "web", "env": [{"name": name, "value": value}]}]}}}});
        inventory.add("apps/v1", "Deployment", web, None).unwrap();
        for (name, spec) in [
            ("db", json!({"selector": {"app": "db"}})),
            ("rds", json!({"type": "ExternalName", "externalName": "x.rds.example.com"})),
            ("fixed", json!({"ports": [{"port": 5432}]})),
        ] {
            let service = json!({"metadata": {"name": name, "namespace": "a"}, "spec": spec});
            inventory.add("v1", "Service", service, None).unwrap();
        }
        let inventory = inventory.finish();
        uses(&inventory, &Addresses::of(&inventory), inventory.workloads.at(0))
            .into_iter()
            .map(|found| found.place)
            .collect()
    }

    #[test]
    fn hosts_are_located() {
        let outside = |host: &str| vec![Place::Outside(host.into())];
        for (name, value, expected) in [
            ("DB_HOST", "db.example.com", outside("db.example.com")),
            ("DB_HOST", "10.0.0.7:5432", outside("10.0.0.7")),
            ("PGHOST", "db", vec![]),
            ("PGHOST", "localhost", vec![]),
            ("APP_DATABASE_READ_URL", "postgres://u:p@db.a.svc:5432/x", vec![]),
            ("DATABASE_URL", "postgresql+asyncpg://u:p@pg.example.com/x?sslmode=require", outside("pg.example.com")),
            ("SPRING_DATASOURCE_URL", "jdbc:postgresql://pg.example.com:5432/x", outside("pg.example.com")),
            ("SOMETHING", "mongodb+srv://u:p@c0.example.net/x", outside("c0.example.net")),
            ("MYSQL_DSN", "u:p@tcp(my.example.com:3306)/x", outside("my.example.com")),
            ("DB_CONNECTION_STRING", "Server=sql.example.com;Database=x", outside("sql.example.com")),
            ("DB_HOST", "rds", outside("x.rds.example.com")),
            ("DB_HOST", "fixed", outside("fixed")),
            ("DB_HOST", "nobody", vec![Place::Nowhere("nobody".into())]),
            ("DB_HOST", "db.b.svc.cluster.local", vec![Place::Nowhere("db.b.svc.cluster.local".into())]),
            ("VECTOR_DB_URL", "https://vectors.example.com", vec![]),
            ("DB_NAME", "shop", vec![]),
            ("REDIS_URL", "redis://cache.example.com", vec![]),
        ] {
            assert_eq!(places(name, value), expected, "{name}={value}");
        }
    }
}
