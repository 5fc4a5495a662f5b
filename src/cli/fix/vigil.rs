//! Looking after what was done: soaks and checks, together at the end of a batch, after each fix
//! at a prompt.

use super::run::Run;
use super::settled::related;
use super::waiting::Teller;
use crate::backend::cluster::checks::{self, Check, Verdict};
use crate::backend::journal::Record;
use crate::cli::error::CliError;
use crate::cli::prompt::{self, Way};

impl Run<'_> {
    /// Looks at everything that waits to be looked at. What fails is taken back in a batch; at a
    /// prompt that is offered.
    pub fn look_after(&mut self) -> Result<(), CliError> {
        let mut watchlist = std::mem::take(&mut self.watchlist);
        if self.after.soak.is_some_and(|soak| soak.is_zero()) {
            watchlist.retain(|(_, check)| !check.needs_time());
        }
        if watchlist.is_empty() || self.interrupted {
            return Ok(());
        }
        let Some(verdicts) = self.judge(&watchlist) else {
            return Ok(());
        };
        for ((index, check), verdict) in watchlist.iter().zip(verdicts) {
            let (ok, message) = match &verdict {
                Verdict::Well(text) => (true, text.clone()),
                Verdict::Unclear(text) | Verdict::Ill(text) => (false, text.clone()),
            };
            let message = format!("{}: {message}", check.name());
            if let Some(step) = self.settled[*index].steps.last().copied() {
                self.record(&Record::Verify { step, ok, message: message.clone() })?;
            }
            match verdict {
                Verdict::Well(_) => self.shell.ui.detail(&message),
                Verdict::Unclear(_) => self.shell.ui.warn(&message),
                Verdict::Ill(_) => self.fallen(*index, &message)?,
            }
        }
        Ok(())
    }

    /// All verdicts; `None` if a signal ended the watch.
    fn judge(&mut self, watchlist: &[(usize, Check)]) -> Option<Vec<Verdict>> {
        let list: Vec<&Check> = watchlist.iter().map(|(_, check)| check).collect();
        let soak = checks::longest_soak(&list, self.after.soak);
        let name = format!("watching {}", super::count(list.len(), "change", "changes"));
        let what = match list.len() {
            _ if !soak.is_zero() => format!("for {} s", soak.as_secs()),
            1 => "until controllers have seen it".to_owned(),
            _ => "until controllers have seen them".to_owned(),
        };
        loop {
            let interrupt = self.interrupt.clone();
            let teller = Teller::new(self.shell, &name, &what);
            let verdicts = self.runtime.block_on(async {
                tokio::select! {
                    verdicts = checks::judge(&self.connection, &list, soak) => Some(verdicts),
                    () = interrupt.wait() => None,
                }
            });
            drop(teller);
            if verdicts.is_some() {
                return verdicts;
            }
            match self.answer_signal("What was changed is still being watched.", false) {
                Way::Wait => {}
                Way::Stop => return None,
                Way::Leave | Way::Back => {
                    self.interrupted = true;
                    return None;
                }
            }
        }
    }

    /// A check found that a fix does harm, or not what it should.
    pub(super) fn fallen(&mut self, index: usize, why: &str) -> Result<(), CliError> {
        self.needs_look = true;
        if self.settled[index].taken_back {
            return Ok(());
        }
        self.settled[index].failure = Some(why.to_owned());
        self.shell.ui.warn(why);
        let back = self.after.rollback
            && (self.after.batch || prompt::confirm(&self.shell.ui, &self.interrupt, "Take this change back?")?);
        if back {
            let which = related(&self.settled, index);
            self.take_back(&which, why)?;
        }
        Ok(())
    }
}
