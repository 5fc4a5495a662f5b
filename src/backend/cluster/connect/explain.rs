//! What a failed request means and what to do about it, in one line each.

use super::transport::{Cause, TransportError};

/// The message and the hint for a request without an answer. `server` is its address as the
/// reader knows it.
pub fn explain(error: &TransportError, server: &str) -> (String, String) {
    let (what, hint) = match error.cause() {
        Cause::Refused => (
            "refused the connection",
            "is the cluster running? check the address with `kubectl cluster-info`, or name another server with --server",
        ),
        Cause::Dns => (
            "cannot be found: its name does not resolve",
            "check the server's name in the kubeconfig, your DNS and your VPN",
        ),
        Cause::Unreachable => ("cannot be reached: there is no route to it", "check your network and your VPN"),
        Cause::UnknownAuthority => (
            "has a certificate from an unknown authority",
            "name the cluster's authority with --certificate-authority; for a test cluster only, --insecure-skip-tls-verify",
        ),
        Cause::WrongName => (
            "has a certificate for another name",
            "name the one in the certificate with --tls-server-name, or connect by that name",
        ),
        Cause::Expired => (
            "has a certificate that is expired or not valid yet",
            "renew the server's certificate, and check this machine's clock",
        ),
        Cause::BadCertificate => (
            "has a certificate that cannot be accepted",
            "see the cause; for a test cluster only, --insecure-skip-tls-verify",
        ),
        Cause::ClientCertificate => (
            "refused the client certificate",
            "renew the client certificate in the kubeconfig: it may be expired or from another cluster",
        ),
        Cause::NotTls => ("does not speak TLS on this port", "if it serves plain HTTP, write its address with http://"),
        Cause::Proxy => (
            "cannot be reached through the proxy",
            "check proxy-url in the kubeconfig and HTTPS_PROXY, or add the server to NO_PROXY",
        ),
        Cause::Credentials => {
            ("was not asked: no token could be obtained", "log in again with your provider's command")
        }
        Cause::TimedOut => ("did not answer in time", "try again, or allow more time with --request-timeout"),
        Cause::Reset => ("closed the connection", "try again; if it happens again, look at the server's log"),
        Cause::Other => ("could not be asked", "see the cause below"),
    };
    (format!("the server {server} {what}"), hint.into())
}

/// The message and the hint for an answer that is an error: `status` and body of the response.
pub fn explain_status(status: u16, body: &[u8], server: &str) -> (String, String) {
    let said = serde_json::from_slice::<serde_json::Value>(body)
        .ok()
        .and_then(|status| status.get("message")?.as_str().map(one_line))
        .filter(|message| !message.is_empty());
    match status {
        401 => (
            format!("the server {server} does not accept these credentials (Unauthorized)"),
            "log in again: the token or certificate may be expired, or belong to another cluster".into(),
        ),
        403 => (
            format!("forbidden: {}", said.unwrap_or_else(|| format!("the server {server} gave no reason"))),
            "ask for the permission, or act as someone else with --as".into(),
        ),
        429 => (format!("the server {server} is overloaded and asks to wait"), "try again later".into()),
        503 | 504 => (
            format!("the server {server} is not available{}", said.map(|text| format!(": {text}")).unwrap_or_default()),
            "try again later; `kubectl get --raw /readyz?verbose` tells what is not ready".into(),
        ),
        _ => (
            format!(
                "the server {server} answered {status}{}",
                said.map(|text| format!(": {text}")).unwrap_or_default()
            ),
            "check that the address is a Kubernetes API server".into(),
        ),
    }
}

/// A text of the server on one line, without characters that steer a terminal.
fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_read_as_one_line() {
        let body = br#"{"kind":"Status","message":"pods is forbidden:\n User \u001b[31m\"a\" cannot"}"#;
        let (message, hint) = explain_status(403, body, "https://s");
        assert_eq!(message, "forbidden: pods is forbidden: User [31m\"a\" cannot");
        assert!(hint.contains("--as"));
        assert_eq!(
            explain_status(401, b"", "https://s").0,
            "the server https://s does not accept these credentials (Unauthorized)"
        );
        assert_eq!(explain_status(404, b"<html>", "https://s").0, "the server https://s answered 404");
    }
}
