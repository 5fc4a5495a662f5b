//! Waiting for a rollout: what is seen meanwhile, and what Ctrl-C does.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::run::{Run, kubectl_name};
use super::settled::Failure;
use crate::backend::change::Prepared;
use crate::backend::cluster::rollout::{self, Progress, Seen};
use crate::cli::Shell;
use crate::cli::prompt::{self, Way};
use crate::model::ObjectRef;

/// Tells a person how something long is going: a spinner, or a line for each new state.
pub(super) struct Teller<'a> {
    shell: &'a Shell,
    name: String,
    started: Instant,
    spinner: Option<ProgressBar>,
}

impl<'a> Teller<'a> {
    /// Begins to tell about something.
    pub(super) fn new(shell: &'a Shell, name: &str, what: &str) -> Self {
        let spinner = shell.ui.is_interactive().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg} · {elapsed}").expect("the template is fixed");
            let spinner = ProgressBar::new_spinner().with_style(style).with_message(format!("{name}: {what}"));
            spinner.enable_steady_tick(Duration::from_millis(120));
            spinner
        });
        // A terminal that can't move its cursor gets lines.
        let spinner = spinner.filter(|spinner| !spinner.is_hidden());
        Self { shell, name: name.to_owned(), started: Instant::now(), spinner }
    }

    /// A new state.
    pub(super) fn say(&self, what: &str) {
        let what = prompt::shown(what);
        match &self.spinner {
            Some(spinner) => spinner.set_message(format!("{}: {what}", self.name)),
            None => self.shell.ui.note(&format!("{}: {what} · {} s", self.name, self.started.elapsed().as_secs())),
        }
    }
}

impl Drop for Teller<'_> {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

impl Run<'_> {
    /// Waits for the rollout that a step starts, and keeps what was seen of it; says why it did not end
    /// well.
    pub(super) fn await_rollout(&mut self, step: &Prepared) -> Result<(), Failure> {
        let object = step.write.object();
        let workload = step.after.as_ref().or(step.before.as_ref()).unwrap_or(&Value::Null);
        let can_go_back = !self.interrupt.is_urgent() && self.command != "undo";
        let name = kubectl_name(object);
        loop {
            let Some(end) = self.rollout(object, workload) else { return Ok(()) };
            let Some((end, seen)) = end else {
                match self.answer_signal(&format!("{name} is still rolling out."), can_go_back) {
                    Way::Wait => continue,
                    Way::Stop => {
                        self.shell.ui.note(&format!("{name} goes on rolling out; nobody waits for it"));
                        return Ok(());
                    }
                    Way::Back => return Err(Failure::Unwanted(format!("the rollout of {name} was interrupted"))),
                    Way::Leave => {
                        let why = format!("interrupted while {name} was rolling out; it goes on by itself");
                        return Err(Failure::Interrupted(why));
                    }
                }
            };
            self.seen.retain(|(other, _)| !other.same(object));
            self.seen.push((object.clone(), seen));
            match end {
                Progress::Failed(why) => {
                    return Err(Failure::Rollout(format!("the rollout of {name} failed: {why}")));
                }
                Progress::NotWaitable(why) => self.shell.ui.warn(&format!("{name}: {why}")),
                Progress::Complete | Progress::Waiting(_) => self.shell.ui.note(&format!("{name} rolled out")),
            }
            return Ok(());
        }
    }

    /// One wait: `None` if nobody waits at all, `Some(None)` after a signal.
    #[expect(clippy::option_option, reason = "whether there was a wait, and whether it came to its end")]
    fn rollout(&self, object: &ObjectRef, workload: &Value) -> Option<Option<(Progress, Seen)>> {
        let timeout = self.wait?;
        let name = kubectl_name(object);
        self.interrupt.in_flight(Some(format!("{name} goes on rolling out by itself.")));
        let teller = Teller::new(self.shell, &name, "rolling out");
        let mut say = |what: &str| teller.say(what);
        let interrupt = self.interrupt.clone();
        let end = self.runtime.block_on(async {
            tokio::select! {
                end = rollout::wait(&self.connection, object, workload, timeout, &mut say) => Some(end),
                () = interrupt.wait() => None,
            }
        });
        self.interrupt.in_flight(None);
        Some(end)
    }

    /// What becomes of a rollout after a signal: a person is asked, if there is one and this is
    /// the first.
    pub(super) fn answer_signal(&self, state: &str, can_go_back: bool) -> Way {
        if !self.shell.ui.is_interactive() || self.interrupt.is_urgent() {
            return Way::Leave;
        }
        self.interrupt.answer();
        // An error is the second signal, or nobody there any more.
        prompt::interrupted(&self.shell.ui, &self.interrupt, state, can_go_back).unwrap_or(Way::Leave)
    }
}
