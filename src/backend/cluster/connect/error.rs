//! Why no connection could be made.

/// The cause below a [`ConnectError`].
type Source = Box<dyn std::error::Error + Send + Sync>;

/// A connection that could not be set up: what we were doing, why it failed, what to do.
///
/// Nothing was sent to a server yet.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConnectError {
    /// One line that names the server, the context or the file.
    pub message: String,
    /// One line: what the reader can do about it.
    pub hint: String,
    #[source]
    source: Option<Source>,
}

impl ConnectError {
    /// An error without a cause below it.
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), source: None }
    }

    /// The same error with its cause.
    pub(super) fn because(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }
}
