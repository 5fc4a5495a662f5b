//! What goes wrong, as the user hears it: one line what happened, the causes, one way out.

use std::error::Error;

/// Exit codes of every command.
pub mod code {
    /// Done, and nothing left.
    pub const DONE: u8 = 0;
    /// Findings, differences, or something selected was not fixed.
    pub const LEFT: u8 = 1;
    /// Failed before any write.
    pub const FAILED: u8 = 2;
    /// Writes ended in a state that needs a look.
    pub const LOOK: u8 = 3;
    /// Interrupted with everything settled.
    pub const INTERRUPTED: u8 = 130;
}

/// An error that ends the program.
#[derive(Debug)]
pub struct CliError {
    /// What happened, one line.
    pub message: String,
    /// Why, from the nearest cause to the first.
    pub causes: Vec<String>,
    /// The way out, one line.
    pub hint: Option<String>,
    /// The exit code.
    pub code: u8,
}

impl CliError {
    /// A failure before any write.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), hint: None, code: code::FAILED }
    }

    /// With the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into()).filter(|hint: &String| !hint.is_empty());
        self
    }

    /// With another exit code.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// An error and everything below it.
    pub fn of(error: &dyn Error) -> Self {
        let mut this = Self::new(error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !this.causes.contains(&text) && text != this.message {
                this.causes.push(text);
            }
            source = cause.source();
        }
        this
    }
}

impl<E: Error + 'static> From<E> for CliError {
    fn from(error: E) -> Self {
        Self::of(&error)
    }
}
