//! Questions, in the way of `git add -p`: a line and Enter. A signal ends them.
//!
//! The terminal stays as it is, with its own line editing: a program that ends at a question has
//! nothing to put back.

use std::io::BufRead;
use std::sync::mpsc::{self, RecvTimeoutError};

use dialoguer::theme::{SimpleTheme, Theme};

use super::error::{CliError, code};
use super::interrupt::{Interrupt, PULSE};
use super::ui::{Ui, safe};
use crate::fix::Input;
use crate::report::text::{Line, Role};

/// The answers to "Apply this fix?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Apply it.
    Yes,
    /// Leave it.
    No,
    /// Apply it and every later one of the same rule and class.
    All,
    /// Leave it and every later one of the rule.
    Drop,
    /// Show the patch.
    Show,
    /// Change the answers it was built with.
    Edit,
    /// Stop here.
    Quit,
}

const HELP: &[(&str, &str)] = &[
    ("y", "apply this fix"),
    ("n", "leave this finding as it is"),
    ("a", "apply this and every remaining fix of the same rule and class"),
    ("d", "leave this and every remaining finding of this rule"),
    ("s", "show the requests as they will be sent"),
    ("e", "change the answers this fix was built with"),
    ("q", "stop here; what is applied stays"),
    ("?", "this help"),
];

/// What to do with a rollout that somebody interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Wait on.
    Wait,
    /// Wait no longer for this rollout, and go on.
    Stop,
    /// Take the changes back that began it, and end.
    Back,
    /// End; it goes on by itself.
    Leave,
}

/// Prints a question and reads the line that answers it.
fn read(ui: &Ui, interrupt: &Interrupt, question: &str) -> Result<String, CliError> {
    ui.question(question);
    let (sender, receiver) = mpsc::channel();
    // A read can't be called off: it ends with the program.
    std::thread::spawn(move || {
        let mut line = Vec::new();
        let read = std::io::stdin().lock().read_until(b'\n', &mut line);
        let _ = sender.send(read.map(|_| line));
    });
    loop {
        if interrupt.is_set() {
            ui.end_question();
            return Err(CliError::new("interrupted").code(code::INTERRUPTED));
        }
        match receiver.recv_timeout(PULSE) {
            Ok(Ok(line)) if !line.is_empty() => return Ok(String::from_utf8_lossy(&line).trim().to_owned()),
            Err(RecvTimeoutError::Timeout) => {}
            Ok(_) | Err(RecvTimeoutError::Disconnected) => {
                ui.end_question();
                return Err(CliError::new("standard input ended before the answer"));
            }
        }
    }
}

/// A text from the cluster, fit for a spinner.
pub fn shown(text: &str) -> String {
    safe(text)
}

/// Asks what to do with a fix.
pub fn choose(ui: &Ui, interrupt: &Interrupt, can_edit: bool) -> Result<Choice, CliError> {
    let keys = if can_edit { "y,n,a,d,s,e,q,?" } else { "y,n,a,d,s,q,?" };
    loop {
        let choice = match read(ui, interrupt, &format!("Apply this fix? [{keys}]"))?.to_ascii_lowercase().as_str() {
            "y" | "yes" => Choice::Yes,
            "n" | "no" => Choice::No,
            "a" => Choice::All,
            "d" => Choice::Drop,
            "s" => Choice::Show,
            "e" if can_edit => Choice::Edit,
            "q" | "quit" => Choice::Quit,
            _ => {
                let shown = HELP.iter().filter(|(key, _)| *key != "e" || can_edit);
                let lines: Vec<Line> = shown
                    .map(|(key, text)| {
                        Line::of(Role::Strong, &format!("  {key}")).and(Role::Plain, &format!("  {text}"))
                    })
                    .collect();
                ui.ask_lines(&lines);
                continue;
            }
        };
        return Ok(choice);
    }
}

/// Asks a yes-or-no question; no is the default.
pub fn confirm(ui: &Ui, interrupt: &Interrupt, text: &str) -> Result<bool, CliError> {
    let mut question = String::new();
    SimpleTheme.format_confirm_prompt(&mut question, text, Some(false)).expect("a String takes text");
    let answer = read(ui, interrupt, question.trim_end())?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks what becomes of something long that somebody interrupted, which is described in a sentence.
pub fn interrupted(ui: &Ui, interrupt: &Interrupt, state: &str, can_go_back: bool) -> Result<Way, CliError> {
    let (keys, back) = if can_go_back { ("w,s,r,l,?", "[r]oll back, ") } else { ("w,s,l,?", "") };
    ui.ask_lines(&[Line::of(Role::Strong, state)]);
    let question = format!("[w]ait on, [s]top waiting, {back}[l]eave it and end? [{keys}]");
    loop {
        return Ok(match read(ui, interrupt, &question)?.to_ascii_lowercase().as_str() {
            "" | "w" => Way::Wait,
            "s" => Way::Stop,
            "r" if can_go_back => Way::Back,
            "l" | "q" => Way::Leave,
            _ => {
                let text = "  w goes on waiting, s waits no longer and goes on, r takes the change back, \
                    l ends and leaves it to itself; Ctrl-C once more ends at once";
                ui.ask_lines(&[Line::of(Role::Plain, text)]);
                continue;
            }
        });
    }
}

/// Asks one of a fix's questions, with its default, until the answer is not rejected. `None` leaves it open.
pub fn ask(
    ui: &Ui,
    interrupt: &Interrupt,
    input: &Input,
    reject: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, CliError> {
    let default = input.value.clone().or_else(|| input.default.clone()).unwrap_or_default();
    let otherwise = match (default.is_empty(), input.required) {
        (false, _) => "",
        (true, true) => " (empty leaves this finding)",
        (true, false) => " (empty for none)",
    };
    let (text, shown) = (format!("{}{otherwise}", safe(&input.prompt)), safe(&default));
    let mut question = String::new();
    let shown = Some(shown.as_str()).filter(|shown| !shown.is_empty());
    SimpleTheme.format_input_prompt(&mut question, &text, shown).expect("a String takes text");
    loop {
        let answer = read(ui, interrupt, question.trim_end())?;
        let answer = if answer.is_empty() { default.clone() } else { answer };
        if answer.is_empty() {
            return Ok(None);
        }
        match reject(&answer) {
            Some(reason) => ui.ask_lines(&[Line::of(Role::Plain, &format!("  {reason}"))]),
            None => return Ok(Some(answer)),
        }
    }
}

/// Asks for an object's name, which confirms what can't be undone.
pub fn type_name(ui: &Ui, interrupt: &Interrupt, lost: &str, name: &str, path: &str) -> Result<bool, CliError> {
    ui.ask_lines(&[Line::of(Role::Critical, "Can't be undone: ").and(Role::Plain, lost)]);
    let answer = read(ui, interrupt, &format!("Type {} to confirm:", safe(name)))?;
    Ok(answer == name || answer == path)
}
