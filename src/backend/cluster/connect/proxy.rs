//! Which proxy leads to the API server: Go's rules for `HTTPS_PROXY`, `HTTP_PROXY` and
//! `NO_PROXY`, and client-go's rule that a cluster's own `proxy-url` always applies.

use std::net::IpAddr;

use http::Uri;

use super::error::ConnectError;
use super::options::Environment;

/// The proxy for requests to `server`, if any. `proxy_url` is the cluster's own setting.
///
/// `ALL_PROXY` is not read: neither does kubectl.
pub(super) fn choose(proxy_url: Option<&str>, server: &Uri, env: &Environment) -> Result<Option<Uri>, ConnectError> {
    if let Some(url) = proxy_url {
        return parse(url, "proxy-url of the cluster", false).map(Some);
    }
    let secure = server.scheme_str() == Some("https");
    let names: [&str; 2] = if secure { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
    let Some(proxy) = env.first(&names) else {
        return Ok(None);
    };
    let no_proxy = env.first(&["NO_PROXY", "no_proxy"]).unwrap_or_default();
    let default_port = if secure { 443 } else { 80 };
    let host = server.host().unwrap_or_default();
    if bypasses(no_proxy, host, server.port_u16().unwrap_or(default_port)) {
        return Ok(None);
    }
    parse(proxy, names[0], true).map(Some)
}

/// A proxy's address. From the environment the scheme may be missing and then is `http`.
fn parse(text: &str, origin: &str, scheme_optional: bool) -> Result<Uri, ConnectError> {
    let wrong = || {
        // The address itself may hold a password: only its origin is named.
        ConnectError::new(
            format!("the proxy address in {origin} is invalid"),
            "write it as http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT",
        )
    };
    let full = match text.split_once("://") {
        // hyper leaves names to a SOCKS proxy in any case, which is what socks5h asks for.
        Some(("socks5h", rest)) => format!("socks5://{rest}"),
        Some(_) => text.to_string(),
        None if scheme_optional => format!("http://{text}"),
        None => return Err(wrong()),
    };
    let uri: Uri = full.parse().map_err(|error| wrong().because(error))?;
    match uri.scheme_str() {
        Some("http" | "https" | "socks5") if uri.host().is_some_and(|host| !host.is_empty()) => Ok(uri),
        _ => Err(wrong()),
    }
}

/// Whether a request to `host:port` goes straight: `localhost` and loopback always do.
fn bypasses(no_proxy: &str, host: &str, port: u16) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    let address = host.parse::<IpAddr>().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    no_proxy
        .split(',')
        .map(|entry| entry.trim().to_ascii_lowercase())
        .filter(|entry| !entry.is_empty())
        .any(|entry| matches(&entry, &host, address, port))
}

fn matches(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, bits)) = entry.split_once('/') {
        return match (network.parse(), bits.parse(), address) {
            (Ok(network), Ok(bits), Some(address)) => contains(network, bits, address),
            _ => false,
        };
    }
    let (name, wanted) = split_port(entry);
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    if let Ok(wanted) = name.parse::<IpAddr>() {
        return address == Some(wanted);
    }
    if let Some(suffix) = name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
        return is_below(host, suffix);
    }
    host == name || is_below(host, name)
}

/// Whether `host` is a subdomain of `domain`.
fn is_below(host: &str, domain: &str) -> bool {
    !domain.is_empty() && host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// `name:port`, `[address]:port`, or the whole without a port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some(rest) = entry.strip_prefix('[')
        && let Some((address, tail)) = rest.split_once(']')
    {
        return (address, tail.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

fn contains(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    let prefix = |value: u128, width: u32| (bits <= width).then(|| value.checked_shr(width - bits).unwrap_or(0));
    match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let (a, b) = (prefix(a.to_bits().into(), 32), prefix(b.to_bits().into(), 32));
            a.is_some() && a == b
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let (a, b) = (prefix(a.to_bits(), 128), prefix(b.to_bits(), 128));
            a.is_some() && a == b
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment {
            variables: pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            ..Environment::default()
        }
    }

    fn chosen(proxy_url: Option<&str>, server: &str, pairs: &[(&str, &str)]) -> Option<String> {
        choose(proxy_url, &server.parse().unwrap(), &environment(pairs)).unwrap().map(|uri| uri.to_string())
    }

    #[test]
    fn the_clusters_own_proxy_ignores_no_proxy() {
        let env = [("NO_PROXY", "*"), ("HTTPS_PROXY", "http://env:1")];
        let own = chosen(Some("socks5h://own:1080"), "https://127.0.0.1", &env);
        assert_eq!(own.as_deref(), Some("socks5://own:1080/"));
    }

    #[test]
    fn variables_follow_the_servers_scheme() {
        let env = [("HTTPS_PROXY", "secure:3128"), ("http_proxy", "http://plain:3128")];
        assert_eq!(chosen(None, "https://a", &env).as_deref(), Some("http://secure:3128/"));
        assert_eq!(chosen(None, "http://a", &env).as_deref(), Some("http://plain:3128/"));
        assert_eq!(chosen(None, "https://a", &[("ALL_PROXY", "http://all:1")]), None);
        assert_eq!(chosen(None, "https://localhost:6443", &env), None);
        assert_eq!(chosen(None, "https://[::1]:6443", &env), None);
    }

    #[test]
    fn no_proxy_is_matched_against_the_server() {
        let direct = |server: &str, list: &str| {
            chosen(None, server, &[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", list)]).is_none()
        };
        assert!(direct("https://10.0.0.1:6443", "10.0.0.0/8"));
        assert!(!direct("https://11.0.0.1:6443", "10.0.0.0/8, p"));
        assert!(direct("https://10.0.0.1:6443", " 10.0.0.1:6443"));
        assert!(!direct("https://10.0.0.1", "10.0.0.1:6443"));
        assert!(direct("https://a.example.com", "example.com"));
        assert!(direct("https://example.com", "EXAMPLE.com"));
        assert!(!direct("https://example.com", ".example.com"));
        assert!(direct("https://a.example.com", "*.example.com"));
        assert!(!direct("https://badexample.com", "example.com"));
        assert!(direct("https://a.example.com:8443", "example.com:8443"));
        assert!(!direct("https://a.example.com", "example.com:8443"));
        assert!(direct("https://[fd00::1]:6443", "fd00::/8"));
        assert!(direct("https://[fd00::1]:6443", "[fd00::1]:6443"));
        assert!(direct("https://anything", "*"));
        assert!(direct("https://203.0.113.7", "0.0.0.0/0"));
        assert!(!direct("https://203.0.113.7", "0.0.0.0/99"));
    }

    #[test]
    fn an_invalid_proxy_does_not_show_its_password() {
        let server = "https://a".parse().unwrap();
        let env = environment(&[("HTTPS_PROXY", "gopher://me:s3cret@p:1")]);
        let error = choose(None, &server, &env).unwrap_err();
        assert_eq!(error.message, "the proxy address in HTTPS_PROXY is invalid");
    }
}
