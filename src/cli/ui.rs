//! The only printer. Data goes to standard output, everything else to standard error.

use std::io::{IsTerminal, Write};

use console::Term;

use super::args::{TerminalArgs, When};
use super::error::CliError;
use super::style::style;
use crate::backend::cluster::connect::Environment;
use crate::report::text::{Line, Role, escape, escape_data};

/// Where and how to print.
#[derive(Clone, Debug)]
pub struct Ui {
    out_color: bool,
    err_color: bool,
    quiet: bool,
    verbose: u8,
    width: Option<usize>,
    interactive: bool,
}

/// True if a stream gets colour: the flag, then `NO_COLOR`, then `CLICOLOR_FORCE` or
/// `FORCE_COLOR`, then what the stream is.
fn wants_color(choice: When, env: &Environment, is_terminal: bool) -> bool {
    let set = |name: &str| env.variables.get(name).is_some_and(|value| !value.is_empty());
    let forced = |name: &str| env.variables.get(name).is_some_and(|value| !value.is_empty() && value != "0");
    match choice {
        When::Always => true,
        When::Never => false,
        When::Auto if env.variables.contains_key("NO_COLOR") => false,
        When::Auto if forced("CLICOLOR_FORCE") || forced("FORCE_COLOR") => true,
        When::Auto => {
            is_terminal && (set("TERM") || cfg!(windows)) && env.variables.get("TERM").is_none_or(|t| t != "dumb")
        }
    }
}

impl Ui {
    /// Looks at the streams.
    pub fn new(args: &TerminalArgs, env: &Environment) -> Self {
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let columns = env.variables.get("COLUMNS").and_then(|text| text.parse::<usize>().ok()).filter(|n| *n >= 20);
        let width = terminal_size::terminal_size_of(std::io::stdout())
            .or_else(|| terminal_size::terminal_size_of(std::io::stderr()))
            .map(|(width, _)| usize::from(width.0));
        Self {
            out_color: wants_color(args.color, env, out),
            err_color: wants_color(args.color, env, err),
            quiet: args.quiet,
            verbose: args.verbose,
            width: if out { columns.or(width) } else { columns },
            interactive: env.stdin_is_terminal && err,
        }
    }

    /// Columns of standard output; `None` in a pipe.
    pub fn width(&self) -> Option<usize> {
        self.width
    }

    /// True if somebody can answer a question.
    pub fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// True if more is to be said.
    pub fn is_verbose(&self) -> bool {
        self.verbose > 0
    }

    /// Prints a question to standard error, without the end of its line.
    pub fn question(&self, text: &str) {
        Self::error_text(&(paint(&Line::of(Role::Strong, text), self.err_color) + " "));
    }

    /// Ends the line of a question that got no answer.
    pub fn end_question(&self) {
        Self::error_text("\n");
    }

    /// Shows the cursor again, whoever hid it.
    pub fn restore_cursor(&self) {
        if self.interactive {
            let _ = Term::stderr().show_cursor();
        }
    }

    /// Prints data as it is, without what could drive a terminal.
    pub fn data(&self, text: &str) {
        Self::out_text(&escape_data(text));
    }

    fn out_text(text: &str) {
        let mut out = std::io::stdout().lock();
        // A reader that went away has read enough.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Prints lines of a report to standard output.
    pub fn lines(&self, lines: &[Line]) {
        let text: String = lines.iter().map(|line| paint(line, self.out_color) + "\n").collect();
        Self::out_text(&text);
    }

    /// Prints lines to standard error, whatever `-q` says: they belong to a question.
    pub fn ask_lines(&self, lines: &[Line]) {
        let text: String = lines.iter().map(|line| paint(line, self.err_color) + "\n").collect();
        Self::error_text(&text);
    }

    /// A sentence on standard error; not with `-q`.
    pub fn note(&self, text: &str) {
        self.note_lines(&[Line::of(Role::Plain, text)]);
    }

    /// Lines on standard error; not with `-q`.
    pub fn note_lines(&self, lines: &[Line]) {
        if !self.quiet {
            self.ask_lines(lines);
        }
    }

    /// A sentence that only `-v` wants.
    pub fn detail(&self, text: &str) {
        if self.verbose > 0 {
            self.ask_lines(&[Line::of(Role::Dim, text)]);
        }
    }

    /// A warning.
    pub fn warn(&self, text: &str) {
        if !self.quiet {
            self.ask_lines(&[Line::of(Role::Medium, "Warning: ").and(Role::Plain, text)]);
        }
    }

    /// An error with its causes and the way out.
    pub fn error(&self, error: &CliError) {
        let mut messages = error.message.lines();
        let mut lines = vec![Line::of(Role::Critical, "error: ").and(Role::Plain, messages.next().unwrap_or_default())];
        lines.extend(messages.map(|line| Line::of(Role::Plain, "  ").and(Role::Plain, line)));
        lines.extend(error.causes.iter().map(|cause| Line::of(Role::Plain, "  caused by: ").and(Role::Plain, cause)));
        lines.extend(error.hint.iter().map(|hint| Line::of(Role::Strong, "hint: ").and(Role::Plain, hint)));
        self.ask_lines(&lines);
    }

    fn error_text(text: &str) {
        let mut err = std::io::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}

fn paint(line: &Line, color: bool) -> String {
    if !color {
        return line.text();
    }
    line.pieces()
        .iter()
        .map(|(role, text)| {
            let style = style(*role);
            format!("{style}{text}{style:#}")
        })
        .collect()
}

/// Ends the program with the terminal as it was found.
pub fn leave(interactive: bool, message: &str, code: u8) -> ! {
    Ui::error_text(&format!("{message}\n"));
    if interactive {
        let _ = Term::stderr().show_cursor();
    }
    std::process::exit(i32::from(code));
}

/// A text from the cluster, fit for a question.
pub fn safe(text: &str) -> String {
    escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_beats_the_environment_and_that_beats_the_stream() {
        let env = |pairs: &[(&str, &str)]| Environment {
            variables: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..Environment::default()
        };
        let term = ("TERM", "xterm");
        assert!(wants_color(When::Auto, &env(&[term]), true));
        assert!(!wants_color(When::Auto, &env(&[term]), false));
        assert!(!wants_color(When::Auto, &env(&[term, ("NO_COLOR", "")]), true));
        assert!(!wants_color(When::Auto, &env(&[("TERM", "dumb")]), true));
        assert!(!wants_color(When::Auto, &env(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]), true));
        assert!(wants_color(When::Auto, &env(&[("FORCE_COLOR", "1")]), false));
        assert!(wants_color(When::Always, &env(&[("NO_COLOR", "1")]), false));
        assert!(!wants_color(When::Never, &env(&[("FORCE_COLOR", "1")]), true));
    }
}
