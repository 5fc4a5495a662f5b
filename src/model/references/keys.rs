//! Which keys, flags and variables ask for an address.

use std::ops::Range;

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
struct Words {
    /// The words one after another.
    text: String,
    /// Where each stands.
    places: Vec<Range<usize>>,
}

impl Words {
    fn of(key: &str) -> Self {
        let mut words = Self { text: String::with_capacity(key.len()), places: Vec::new() };
        let mut before = '_';
        for c in key.chars() {
            let starts = before.is_ascii_lowercase() && c.is_ascii_uppercase();
            if !c.is_ascii_alphabetic() {
                before = '_';
                continue;
            }
            if before == '_' || starts {
                words.places.push(words.text.len()..words.text.len());
            }
            if let Some(place) = words.places.last_mut() {
                words.text.push(c.to_ascii_lowercase());
                place.end = words.text.len();
            }
            before = c;
        }
        for place in &mut words.places {
            let word = &words.text[place.clone()];
            if word.len() > 2 && word.ends_with('s') && !word.ends_with("ss") {
                place.end -= 1;
            }
        }
        words
    }

    fn list(&self) -> Vec<&str> {
        self.places.iter().map(|place| &self.text[place.clone()]).collect()
    }
}

/// True for a key whose value is an address: `DB_HOST`, `--redis-addr`, `bootstrap.servers`.
pub fn is_host_key(key: &str) -> bool {
    let words = Words::of(key);
    let words = words.list();
    if is_silent(&words) {
        return false;
    }
    let mut rest = words.as_slice();
    while let [before @ .., last] = rest {
        let is_host_name = *last == "name" && before.last() == Some(&"host");
        if !before.is_empty() && (is_host_name || SUFFIXES.contains(last)) {
            rest = before;
            continue;
        }
        let is_text = *last == "connection" || *last == "string" && before.last() == Some(&"connection");
        return HOST_WORDS.contains(last) || is_text;
    }
    false
}

/// True for a key that names a Service, possibly its own: `AUTH_SERVICE`, `DATABASE_SERVICE_NAME`.
pub(super) fn is_service_key(key: &str) -> bool {
    let words = Words::of(key);
    let words = words.list();
    let rest = words.strip_suffix(&["name"]).unwrap_or(&words);
    rest.len() > 1 && rest.last() == Some(&"service") && !TRACERS.contains(&words[0])
}

/// True for a key that names hosts without calling them: `NO_PROXY`, `ALLOWED_HOSTS`, `server_name`.
pub(super) fn is_silent_key(key: &str) -> bool {
    is_silent(&Words::of(key).list())
}

fn is_silent(words: &[&str]) -> bool {
    let has = |of: &[&str]| words.iter().any(|word| of.contains(word));
    let is_plain = words.last().is_some_and(|last| PLAIN_HOSTS.contains(last));
    has(&SILENT)
        || has(&IMAGES) && !is_plain
        || words.windows(2).any(|pair| matches!(pair, ["no", "proxy"] | ["server", "name"]))
        || matches!(words, ["advertised"])
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
