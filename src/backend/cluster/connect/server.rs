//! The server's address: what kubectl accepts, with or without a scheme.

use http::Uri;

use super::error::ConnectError;
use super::overrides::Target;

/// The base of all requests. Without a scheme it is `https` if anything speaks of TLS (an
/// authority, a client certificate, the insecure switch), else `http`: client-go's rule.
pub(super) fn address(target: &Target) -> Result<Uri, ConnectError> {
    let given = target.cluster.server.as_deref().unwrap_or_default();
    let given = given.split(['?', '#']).next().unwrap_or_default();
    let wrong = || {
        ConnectError::new(
            format!("server {given:?} is no address"),
            "write it as https://HOST:PORT, in the kubeconfig or with --server",
        )
    };
    if let Some((scheme, _)) = given.split_once("://") {
        let uri: Uri = given.parse().map_err(|error| wrong().because(error))?;
        return match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" if uri.host().is_some_and(|host| !host.is_empty()) => Ok(uri),
            _ => Err(wrong()),
        };
    }
    let scheme = if speaks_tls(target) { "https" } else { "http" };
    let uri: Uri = format!("{scheme}://{given}").parse().map_err(|error| wrong().because(error))?;
    // `host/path` without a scheme is ambiguous; client-go refuses it too.
    match uri.path() {
        "" | "/" if uri.host().is_some_and(|host| !host.is_empty()) => Ok(uri),
        _ => Err(wrong()),
    }
}

fn speaks_tls(target: &Target) -> bool {
    let (cluster, user) = (&target.cluster, &target.user);
    cluster.certificate_authority.is_some()
        || cluster.certificate_authority_data.is_some()
        || cluster.insecure_skip_tls_verify
        || user.client_certificate.is_some()
        || user.client_certificate_data.is_some()
}

/// The address as a person reads it: without the trailing slash that parsing adds.
pub(super) fn display(server: &Uri) -> String {
    server.to_string().trim_end_matches('/').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(server: &str, authority: bool) -> String {
        let mut target = Target::default();
        target.cluster.server = Some(server.into());
        target.cluster.certificate_authority = authority.then(|| "/ca".into());
        match address(&target) {
            Ok(uri) => display(&uri),
            Err(error) => error.message,
        }
    }

    #[test]
    fn a_missing_scheme_follows_client_go() {
        assert_eq!(shown("localhost:8080", false), "http://localhost:8080");
        assert_eq!(shown("10.0.0.1", false), "http://10.0.0.1");
        assert_eq!(shown("10.0.0.1:6443", true), "https://10.0.0.1:6443");
        assert_eq!(shown("https://a.example/k8s/c-1/", false), "https://a.example/k8s/c-1");
        assert_eq!(shown("https://a.example/x?y=1#z", false), "https://a.example/x");
        assert_eq!(shown("https://[::1]:6443", false), "https://[::1]:6443");
        for wrong in ["a.example/path", "ftp://a.example", "https://", "a b"] {
            assert_eq!(shown(wrong, false), format!("server {wrong:?} is no address"));
        }
    }
}
