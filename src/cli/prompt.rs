//! Questions, in the way of `git add -p`: a letter and Enter. And what a signal does meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use dialoguer::Input as Question;

use super::error::{CliError, code};
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

/// What the program is doing, for a signal that arrives meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    asking: Arc<AtomicBool>,
    count: Arc<AtomicU8>,
}

impl Interrupt {
    /// Listens for Ctrl-C and SIGTERM. At a question nothing is in flight: the program ends at
    /// once. At work the signal is remembered, and a second one ends the program.
    pub fn listen(runtime: &tokio::runtime::Runtime, ui: &Ui) -> Self {
        let this = Self::default();
        let (listener, interactive) = (this.clone(), ui.is_interactive());
        runtime.spawn(async move {
            while next_signal().await {
                let count = listener.count.fetch_add(1, Ordering::SeqCst);
                if listener.asking.load(Ordering::SeqCst) {
                    leave(interactive, "\nInterrupted; nothing is in flight.", code::INTERRUPTED);
                }
                if count > 0 {
                    leave(interactive, "\nInterrupted; `kubectl progrc history` shows what is in flight.", code::LOOK);
                }
            }
        });
        this
    }

    /// True once a signal has arrived.
    pub fn is_set(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }

    /// Returns when a signal has arrived.
    pub async fn wait(&self) {
        while !self.is_set() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    fn during<T>(&self, ask: impl FnOnce() -> T) -> T {
        self.asking.store(true, Ordering::SeqCst);
        let answer = ask();
        self.asking.store(false, Ordering::SeqCst);
        answer
    }
}

async fn next_signal() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return false;
    };
    tokio::select! {
        seen = interrupt.recv() => seen.is_some(),
        seen = terminate.recv() => seen.is_some(),
    }
}

/// Ends the program with the terminal as it was found.
fn leave(interactive: bool, message: &str, code: u8) -> ! {
    if interactive {
        let terminal = console::Term::stderr();
        let _ = terminal.write_line(message).and_then(|()| terminal.show_cursor());
    }
    std::process::exit(i32::from(code));
}

fn read(ui: &Ui, interrupt: &Interrupt, question: Question<'_, String>) -> Result<String, CliError> {
    let answer = interrupt.during(|| question.interact_text_on(&ui.terminal()));
    answer.map_err(|error| {
        ui.restore_cursor();
        let interrupted = interrupt.is_set() || error.to_string().contains("interrupted");
        let code = if interrupted { code::INTERRUPTED } else { code::FAILED };
        CliError::new("no answer").code(code)
    })
}

/// Asks what to do with a fix.
pub fn choose(ui: &Ui, interrupt: &Interrupt, can_edit: bool) -> Result<Choice, CliError> {
    let keys = if can_edit { "y,n,a,d,s,e,q,?" } else { "y,n,a,d,s,q,?" };
    loop {
        let question = Question::new().with_prompt(format!("Apply this fix? [{keys}]")).allow_empty(true);
        let choice = match read(ui, interrupt, question)?.trim().to_ascii_lowercase().as_str() {
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
    let question = Question::new().with_prompt(format!("{text} [y,N]")).allow_empty(true);
    let answer = read(ui, interrupt, question)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks one of a fix's questions, with its default, until the answer fits. `None` leaves it open.
pub fn ask(ui: &Ui, interrupt: &Interrupt, input: &Input) -> Result<Option<String>, CliError> {
    let pattern = input.pattern.as_ref().and_then(|p| regex::Regex::new(&format!("^(?:{p})$")).ok());
    let default = input.value.clone().or_else(|| input.default.clone());
    let must = if input.required { "" } else { ", empty for none" };
    let mut question = Question::new().with_prompt(format!("{}{must}", safe(&input.prompt)));
    if let Some(default) = default {
        question = question.default(default);
    }
    let wanted = input.pattern.clone().unwrap_or_default();
    let question = question.allow_empty(true).validate_with(move |text: &String| {
        let fits = text.is_empty() || pattern.as_ref().is_none_or(|pattern| pattern.is_match(text));
        if fits { Ok(()) } else { Err(format!("`{}` does not match {wanted}", safe(text))) }
    });
    Ok(Some(read(ui, interrupt, question)?).filter(|answer| !answer.is_empty()))
}

/// Asks for an object's name, which confirms what can't be undone.
pub fn type_name(ui: &Ui, interrupt: &Interrupt, lost: &str, name: &str, path: &str) -> Result<bool, CliError> {
    ui.ask_lines(&[Line::of(Role::Critical, "Can't be undone: ").and(Role::Plain, lost)]);
    let question = Question::new().with_prompt(format!("Type {} to confirm", safe(name))).allow_empty(true);
    let answer = read(ui, interrupt, question)?;
    Ok(answer == name || answer == path)
}
