//! Which keys, flags and variables ask for an address.

/// Words at the end of a key that asks for an address.
const HOST_WORDS: [&str; 31] = [
    "addr",
    "address",
    "addresse",
    "broker",
    "connect",
    "connection",
    "curl",
    "dig",
    "dn",
    "dsn",
    "endpoint",
    "fqdn",
    "getent",
    "h",
    "host",
    "hostname",
    "master",
    "nc",
    "node",
    "nslookup",
    "peer",
    "ping",
    "proxy",
    "replicaof",
    "seed",
    "server",
    "slaveof",
    "svc",
    "target",
    "uri",
    "url",
];
/// Words after those that change nothing: `DB_HOST_PRIMARY`.
const SUFFIXES: [&str; 12] = [
    "default",
    "external",
    "internal",
    "list",
    "primary",
    "private",
    "public",
    "read",
    "ro",
    "rw",
    "secondary",
    "write",
];
/// Words in a key that names hosts without calling them: who may call, and one's own names.
const SILENT: [&str; 9] =
    ["allow", "allowed", "allowlist", "cors", "origin", "redirect", "trusted", "virtual", "whitelist"];
/// Words in a key of a container image, whose name begins with a host; `IMAGE_STORE_HOST` is an address.
const IMAGES: [&str; 2] = ["image", "repository"];
/// Words at the end of a key that ask for a host and nothing else.
const PLAIN_HOSTS: [&str; 5] = ["addr", "address", "addresse", "host", "hostname"];
/// Tracing libraries call a process's own name its service.
const TRACERS: [&str; 9] = ["apm", "consul", "datadog", "dd", "elastic", "jaeger", "new", "otel", "sw"];

/// The words of a key, lower-case, without plural: `kafkaBrokers` is `kafka`, `broker`.
fn words(key: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut before = '_';
    for c in key.chars() {
        let starts = before.is_ascii_lowercase() && c.is_ascii_uppercase();
        if !c.is_ascii_alphabetic() {
            before = '_';
            continue;
        }
        if before == '_' || starts {
            out.push(String::new());
        }
        if let Some(word) = out.last_mut() {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    for word in &mut out {
        if word.len() > 2 && word.ends_with('s') && !word.ends_with("ss") {
            word.pop();
        }
    }
    out
}

/// True for a key whose value is an address: `DB_HOST`, `--redis-addr`, `bootstrap.servers`.
pub fn is_host_key(key: &str) -> bool {
    if is_silent_key(key) {
        return false;
    }
    let words = words(key);
    let mut rest = words.as_slice();
    while let [before @ .., last] = rest {
        let is_host_name = last == "name" && before.last().is_some_and(|word| word == "host");
        if !before.is_empty() && (is_host_name || SUFFIXES.contains(&last.as_str())) {
            rest = before;
            continue;
        }
        return HOST_WORDS.contains(&last.as_str())
            || (last == "connection" || last == "string" && before.last().is_some_and(|w| w == "connection"));
    }
    false
}

/// True for a key that names a Service, possibly its own: `AUTH_SERVICE`, `DATABASE_SERVICE_NAME`.
pub(super) fn is_service_key(key: &str) -> bool {
    let words = words(key);
    let rest = match words.as_slice() {
        [rest @ .., last] if last == "name" => rest,
        rest => rest,
    };
    rest.len() > 1 && rest.last().is_some_and(|last| last == "service") && !TRACERS.contains(&words[0].as_str())
}

/// True for a key that names hosts without calling them: `NO_PROXY`, `ALLOWED_HOSTS`, `server_name`.
pub(super) fn is_silent_key(key: &str) -> bool {
    let words = words(key);
    let pair = |a: &str, b: &str| words.windows(2).any(|pair| pair[0] == a && pair[1] == b);
    let has = |of: &[&str]| words.iter().any(|word| of.contains(&word.as_str()));
    let is_plain = words.last().is_some_and(|last| PLAIN_HOSTS.contains(&last.as_str()));
    has(&SILENT)
        || has(&IMAGES) && !is_plain
        || pair("no", "proxy")
        || pair("server", "name")
        || words.first().is_some_and(|word| word == "advertised") && words.len() == 1
}

/// The key that holds the port of a host: `DB_PORT` of `DB_HOST`, `db_port` of `db_host`.
pub(super) fn port_key(key: &str) -> Option<String> {
    let (stem, last) = key.rsplit_once('_')?;
    let is_plain = PLAIN_HOSTS.contains(&last.to_ascii_lowercase().as_str()) || last.eq_ignore_ascii_case("server");
    let port = if last.chars().all(|c| c.is_ascii_uppercase()) { "PORT" } else { "port" };
    is_plain.then(|| format!("{stem}_{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_ask_for_an_address() {
        for key in [
            "DB_HOST",
            "REDIS_ADDR",
            "--redis-addr",
            "apiUrl",
            "bootstrap.servers",
            "REDIS_HOST_NAME",
            "HOST1",
            "-h",
            "ZOOKEEPER_CONNECT",
            "DB_CONNECTION_STRING",
            "IMAGE_PROVIDER_HOST",
        ] {
            assert!(is_host_key(key), "{key}");
        }
        for key in [
            "NODE_ENV",
            "URL_PREFIX",
            "OTEL_SERVICE_NAME",
            "SERVER_NAME",
            "NO_PROXY",
            "ALLOWED_HOSTS",
            "CORS_ORIGINS",
            "POSTGRES_USER",
            "MYSQL_DATABASE",
            "CACHE_TYPE",
            "IMAGE_URL",
        ] {
            assert!(!is_host_key(key), "{key}");
        }
    }

    #[test]
    fn a_port_stands_beside_its_host() {
        let pairs = [("DB_HOST", "DB_PORT"), ("db_host", "db_port"), ("FLAGD_UI_HOST", "FLAGD_UI_PORT")];
        for (host, port) in pairs {
            assert_eq!(port_key(host).as_deref(), Some(port));
        }
        assert_eq!((port_key("HOST"), port_key("DB_URL")), (None, None));
    }

    #[test]
    fn a_tracer_names_its_own_service() {
        assert!(is_service_key("DATABASE_SERVICE_NAME") && is_service_key("AUTH_SERVICE"));
        assert!(
            !is_service_key("OTEL_SERVICE_NAME") && !is_service_key("SERVICE_NAME") && !is_service_key("DD_SERVICE")
        );
    }
}
