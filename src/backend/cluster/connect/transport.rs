//! One request and its answer, raw: status, warnings and bytes, whatever the status is.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use rustls::{AlertDescription, CertificateError};
use tokio::time::Instant;
use tower::BoxError;

use super::{retry, warnings};

/// What a server answered, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawResponse {
    /// HTTP status code.
    pub status: u16,
    /// Texts of this response's `Warning: 299` headers.
    pub warnings: Vec<String>,
    /// `Retry-After`, if the server named a number of seconds.
    pub retry_after: Option<Duration>,
    /// The body, decompressed.
    pub body: Vec<u8>,
}

/// What a server answered, without the body: [`get_bytes`] puts that into the caller's buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// HTTP status code.
    pub status: u16,
    /// Texts of this response's `Warning: 299` headers.
    pub warnings: Vec<String>,
    /// `Retry-After`, if the server named a number of seconds.
    pub retry_after: Option<Duration>,
}

/// A request without a complete answer. The write protocol depends on which of the two it is.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// No byte of the request reached the server: nothing can have changed.
    #[error("the request was not sent")]
    NeverSent {
        /// What went wrong, for the explanation.
        cause: Cause,
        /// The error below.
        #[source]
        source: BoxError,
    },
    /// The server may have carried the request out.
    #[error("the answer was lost")]
    AnswerUnknown {
        /// What went wrong, for the explanation.
        cause: Cause,
        /// The error below.
        #[source]
        source: BoxError,
    },
}

impl TransportError {
    /// True if nothing can have changed on the server.
    pub fn never_sent(&self) -> bool {
        matches!(self, Self::NeverSent { .. })
    }

    /// What went wrong.
    pub fn cause(&self) -> Cause {
        match self {
            Self::NeverSent { cause, .. } | Self::AnswerUnknown { cause, .. } => *cause,
        }
    }

    fn from_error(source: BoxError) -> Self {
        let cause = classify(source.as_ref());
        let refused_in_handshake = cause == Cause::ClientCertificate;
        let failed_to_connect = chain(source.as_ref()).any(|error| {
            error
                .downcast_ref::<hyper_util::client::legacy::Error>()
                .is_some_and(hyper_util::client::legacy::Error::is_connect)
        });
        if failed_to_connect || refused_in_handshake || cause == Cause::Credentials {
            Self::NeverSent { cause, source }
        } else {
            Self::AnswerUnknown { cause, source }
        }
    }
}

/// Why a request has no complete answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nobody listens there.
    Refused,
    /// The name does not resolve.
    Dns,
    /// No route, or the network is down.
    Unreachable,
    /// The server's certificate is from an authority that we do not know.
    UnknownAuthority,
    /// The server's certificate is for another name.
    WrongName,
    /// The server's certificate is expired or not valid yet.
    Expired,
    /// The server's certificate is refused for another reason.
    BadCertificate,
    /// The server refused our client certificate.
    ClientCertificate,
    /// The server does not speak TLS.
    NotTls,
    /// The proxy could not be reached or refused.
    Proxy,
    /// A token could not be obtained.
    Credentials,
    /// No answer in time.
    TimedOut,
    /// The connection was cut.
    Reset,
    /// Something else.
    Other,
}

/// A request that took longer than the request timeout.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {}", humane(*.0))]
pub(super) struct RequestTimedOut(pub(super) Duration);

fn humane(duration: Duration) -> String {
    format!("{duration:?}")
}

/// When the whole of a request has to be over; travels with its response to where the body is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    pub(super) after: Duration,
}

/// Sends one request and reads its answer whole. A 4xx or 5xx is an answer, not an error.
///
/// With [`Connection::write_client`](super::Connection::write_client) the request leaves at most
/// once; with the read client a GET may be repeated.
pub async fn send(client: &kube::Client, request: Request<Vec<u8>>) -> Result<RawResponse, TransportError> {
    let mut body = Vec::new();
    let head = receive(client, request, &mut body).await?;
    Ok(RawResponse { status: head.status, warnings: head.warnings, retry_after: head.retry_after, body })
}

/// Reads `path_and_query` into `body`, whose old content is dropped and whose memory is reused:
/// for paging through large lists without copies.
pub async fn get_bytes(
    client: &kube::Client,
    path_and_query: &str,
    body: &mut Vec<u8>,
) -> Result<ResponseHead, TransportError> {
    let request = Request::get(path_and_query)
        .header(http::header::ACCEPT, "application/json")
        .body(Vec::new())
        .map_err(|error| TransportError::NeverSent { cause: Cause::Other, source: error.into() })?;
    receive(client, request, body).await
}

async fn receive(
    client: &kube::Client,
    request: Request<Vec<u8>>,
    body: &mut Vec<u8>,
) -> Result<ResponseHead, TransportError> {
    body.clear();
    let response =
        client.send(request.map(Body::from)).await.map_err(|error| TransportError::from_error(error.into()))?;
    let head = ResponseHead {
        status: response.status().as_u16(),
        warnings: warnings::parse(response.headers()),
        retry_after: retry::retry_after(response.headers()),
    };
    let read = read_body(response, body).await;
    read.map_err(|source| TransportError::AnswerUnknown { cause: classify(source.as_ref()), source })?;
    Ok(head)
}

async fn read_body(response: Response<Body>, into: &mut Vec<u8>) -> Result<(), BoxError> {
    let deadline = response.extensions().get::<Deadline>().copied();
    let mut body = response.into_body();
    loop {
        let frame = match deadline {
            None => body.frame().await,
            Some(Deadline { at, after }) => {
                tokio::time::timeout_at(at, body.frame()).await.map_err(|_| RequestTimedOut(after))?
            }
        };
        let Some(frame) = frame else { return Ok(()) };
        if let Some(data) = frame?.data_ref() {
            into.extend_from_slice(data);
        }
    }
}

/// An error and everything below it. An `io::Error` hides its content from `source`.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    })
}

/// Whether a connection that had been open was lost: a read may be tried again.
pub(super) fn was_cut_off(error: &(dyn StdError + 'static)) -> bool {
    classify(error) == Cause::Reset
}

/// Names what went wrong by the deepest error that tells.
fn classify(error: &(dyn StdError + 'static)) -> Cause {
    let causes: Vec<Cause> = chain(error).filter_map(cause_of).collect();
    // What failed below a proxy's error happened on the way to the proxy, not to the server.
    if causes.contains(&Cause::Proxy) { Cause::Proxy } else { causes.last().copied().unwrap_or(Cause::Other) }
}

fn cause_of(error: &(dyn StdError + 'static)) -> Option<Cause> {
    if error.is::<RequestTimedOut>() {
        return Some(Cause::TimedOut);
    }
    if error.is::<kube::client::AuthError>() {
        return Some(Cause::Credentials);
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(tls_cause(error));
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return io_cause(error);
    }
    // These types are private to hyper; their text is all there is.
    let text = error.to_string();
    if text == "dns error" {
        return Some(Cause::Dns);
    }
    if text.starts_with("tunnel error") || text.starts_with("SOCKS error") {
        return Some(Cause::Proxy);
    }
    (text == "connection closed before message completed").then_some(Cause::Reset)
}

fn io_cause(error: &io::Error) -> Option<Cause> {
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => Cause::Refused,
        io::ErrorKind::TimedOut => Cause::TimedOut,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            Cause::Unreachable
        }
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Cause::Reset,
        _ => return None,
    })
}

fn tls_cause(error: &rustls::Error) -> Cause {
    match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            // A cluster made anew has an authority of the same name with another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Cause::UnknownAuthority,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Cause::WrongName,
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Cause::Expired,
            // A leaf that is used as its own authority, which Go accepts.
            other if format!("{other:?}").contains("CaUsedAsEndEntity") => Cause::UnknownAuthority,
            _ => Cause::BadCertificate,
        },
        rustls::Error::InvalidMessage(_) => Cause::NotTls,
        rustls::Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => Cause::ClientCertificate,
        _ => Cause::Other,
    }
}
