//! When a read is sent again. Writes never are: their caller decides by `safe-apply`'s table.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Request, Response, StatusCode};
use kube::client::Body;
use tower::BoxError;

use super::transport;

/// Limits of the retries of one read.
#[derive(Clone, Copy, Debug)]
pub(super) struct RetryPolicy {
    /// Attempts in all, the first included.
    pub(super) tries: u32,
    /// The first pause; it doubles.
    pub(super) first: Duration,
    /// The longest own pause.
    pub(super) longest: Duration,
    /// The longest pause a server may ask for with `Retry-After`.
    pub(super) longest_asked: Duration,
    /// No attempt starts later than this after the first one.
    pub(super) budget: Duration,
}

impl RetryPolicy {
    /// Eight tries within two minutes, or within the request timeout if there is one.
    pub(super) fn new(request_timeout: Option<Duration>) -> Self {
        Self {
            tries: 8,
            first: Duration::from_millis(200),
            longest: Duration::from_secs(5),
            longest_asked: Duration::from_secs(30),
            budget: request_timeout.unwrap_or(Duration::from_mins(2)),
        }
    }

    /// The pause after attempt number `attempt` (from 1): what the server asks for, capped, else
    /// exponential; up to a quarter of it is added by `random`, from 0 to 1.
    fn pause(&self, attempt: u32, asked: Option<Duration>, random: f64) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(attempt - 1));
        let own = doubled.min(self.longest);
        let pause = asked.map_or(own, |asked| asked.min(self.longest_asked));
        pause + pause.mul_f64(random / 4.0)
    }
}

/// The pause before a write is sent again that was turned away unread: as long as the server asks,
/// at most half a minute, and up to a quarter more.
pub fn write_pause(asked: Option<Duration>) -> Duration {
    RetryPolicy::new(None).pause(2, asked, random())
}

/// Sends a request through `attempt`; a GET again after 429, 503, 504 or a lost connection.
pub(super) async fn send<B, F, R>(
    policy: RetryPolicy,
    request: Request<Body>,
    attempt: F,
) -> Result<Response<B>, BoxError>
where
    F: Fn(Request<Body>) -> R,
    R: Future<Output = Result<Response<B>, BoxError>>,
{
    let started = Instant::now();
    let mut request = request;
    let mut number = 1;
    loop {
        let again = copy(&request).filter(|_| number < policy.tries);
        let result = attempt(request).await;
        let Some((next, asked)) = again.zip(worth_repeating(&result)) else {
            return result;
        };
        let pause = policy.pause(number, asked, random());
        if started.elapsed() + pause > policy.budget {
            return result;
        }
        drop(result);
        tokio::time::sleep(pause).await;
        request = next;
        number += 1;
    }
}

/// A second copy of a read; `None` for everything else.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    if request.method() != Method::GET {
        return None;
    }
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}

/// `Some` if another try may help, with the pause that the server asked for.
#[expect(clippy::option_option, reason = "whether, and then how long if the server said so")]
fn worth_repeating<B>(result: &Result<Response<B>, BoxError>) -> Option<Option<Duration>> {
    match result {
        Ok(response) => matches!(
            response.status(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
        )
        .then(|| retry_after(response.headers())),
        Err(error) => transport::was_cut_off(error.as_ref()).then_some(None),
    }
}

/// `Retry-After` in seconds; the date form is not used by Kubernetes.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// A number from 0 to 1, different in every process, for spreading retries; not for secrets.
fn random() -> f64 {
    let hash = RandomState::new().hash_one(0_u8);
    f64::from(u16::try_from(hash >> 48).expect("16 bits remain")) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    const QUICK: RetryPolicy = RetryPolicy {
        tries: 8,
        first: Duration::from_millis(1),
        longest: Duration::from_millis(2),
        longest_asked: Duration::from_millis(2),
        budget: Duration::from_mins(1),
    };

    /// The answers of a server that fails `failures` times; how many requests it saw.
    async fn tries(policy: RetryPolicy, method: Method, status: u16, failures: usize) -> (u16, usize) {
        let seen = RefCell::new(0);
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        let response = send(policy, request, |_| {
            *seen.borrow_mut() += 1;
            let status = if *seen.borrow() <= failures { status } else { 200 };
            async move {
                let response = Response::builder().status(status).header("retry-after", "1");
                Ok(response.body(()).unwrap())
            }
        })
        .await
        .unwrap();
        (response.status().as_u16(), seen.into_inner())
    }

    #[tokio::test]
    async fn reads_are_repeated_within_limits() {
        for status in [429, 503, 504] {
            assert_eq!(tries(QUICK, Method::GET, status, 2).await, (200, 3));
        }
        assert_eq!(tries(QUICK, Method::GET, 503, 99).await, (503, 8));
        assert_eq!(tries(QUICK, Method::GET, 500, 1).await, (500, 1));
        let hurried = RetryPolicy { budget: Duration::ZERO, ..QUICK };
        assert_eq!(tries(hurried, Method::GET, 503, 1).await, (503, 1));
    }

    #[tokio::test]
    async fn writes_are_never_repeated() {
        for method in [Method::PATCH, Method::POST, Method::PUT, Method::DELETE] {
            assert_eq!(tries(QUICK, method, 503, 1).await, (503, 1));
        }
    }

    #[test]
    fn pauses_double_and_are_capped() {
        let policy = RetryPolicy::new(None);
        let pause =
            |attempt, asked: Option<u64>| policy.pause(attempt, asked.map(Duration::from_secs), 0.0).as_millis();
        assert_eq!([pause(1, None), pause(2, None), pause(7, None)], [200, 400, 5000]);
        assert_eq!([pause(1, Some(3)), pause(1, Some(900))], [3000, 30_000]);
        let most = policy.pause(1, Some(Duration::from_secs(4)), 1.0);
        assert_eq!(most, Duration::from_secs(5));
    }
}
