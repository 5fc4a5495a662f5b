//! The client to compare with: it fetches the pages of the same lists and drops them.

use std::time::Instant;

use futures::{StreamExt as _, stream};
use http::Request;
use http_body_util::BodyExt as _;
use kube::Client;

/// Objects in a page, as the plugin's.
pub(crate) const PAGE: usize = 500;
/// Lists at once, as the plugin's.
const PARALLEL: usize = 4;

/// What fetching took and brought.
pub(crate) struct Fetch {
    /// Wall time of all lists.
    pub(crate) seconds: f64,
    /// The pages of all lists.
    pub(crate) pages: usize,
}

/// Fetches all pages of all lists.
pub(crate) async fn fetch(client: &Client, paths: &[String]) -> Fetch {
    let start = Instant::now();
    let lists = stream::iter(paths.to_owned()).map(|path| tokio::spawn(list(client.clone(), path)));
    let counts: Vec<_> = lists.buffer_unordered(PARALLEL).collect().await;
    let seconds = start.elapsed().as_secs_f64();
    Fetch { seconds, pages: counts.into_iter().map(|count| count.expect("a list does not panic")).sum() }
}

/// Fetches one list and returns the number of its pages.
async fn list(client: Client, path: String) -> usize {
    let mut token = String::new();
    let mut pages = 0;
    loop {
        let uri = format!("{path}?limit={PAGE}{token}");
        let request = Request::get(uri).body(Vec::new().into()).expect("the path was a URI before");
        let answer = client.send(request).await.expect("the server answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let head = head(answer.into_body()).await;
        pages += 1;
        match continue_token(&head) {
            Some(next) => token = format!("&continue={next}"),
            None => return pages,
        }
    }
}

/// Reads a body to its end and keeps its first kilobytes: the metadata of a list come first.
async fn head(mut body: kube::client::Body) -> String {
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.expect("the answer is whole");
        if let Some(data) = frame.data_ref()
            && kept.len() < 4096
        {
            kept.extend_from_slice(&data[..data.len().min(4096)]);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The token of the next page. The server's tokens are base64url: a query needs no escapes.
fn continue_token(head: &str) -> Option<&str> {
    let metadata = head.split("\"items\":").next()?;
    let (_, rest) = metadata.split_once("\"continue\":\"")?;
    rest.split_once('"').map(|(token, _)| token)
}
