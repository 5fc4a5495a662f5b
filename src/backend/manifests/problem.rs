//! What was found in the files besides objects.

use std::fmt;
use std::sync::Arc;

/// How much a [`Problem`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something that should have been an object could not be read; kubectl would refuse it too.
    Error,
    /// It was read, in kubectl's way, and its author may have meant something else.
    Warning,
    /// It was left out on purpose: it is not an object.
    Skipped,
}

/// Something in a file that is not an object, or not a sound one.
///
/// The message never quotes a value of the file: it may belong to a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as [`Source::file`](super::Source::file) names it.
    pub file: Arc<str>,
    /// The line in that file, from 1.
    pub line: Option<u32>,
    /// A lowercase fragment without the position.
    pub message: String,
    /// How much it matters.
    pub severity: Severity,
}

/// `file:line: message`.
impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(out, "{}:{line}: {}", self.file, self.message),
            None => write!(out, "{}: {}", self.file, self.message),
        }
    }
}
