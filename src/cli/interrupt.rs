//! Signals: the first asks for an end, the second does not ask.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::error::code;
use super::ui::{Ui, leave};

/// How often a wait looks for a signal.
pub const PULSE: Duration = Duration::from_millis(50);

/// How long the program has to end by itself once it should end at once.
const GRACE: Duration = Duration::from_secs(3);

/// The signals that have arrived.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// 1 after Ctrl-C, more after a second one or a SIGTERM.
    level: AtomicU8,
    /// What a program that has to end in the middle leaves behind.
    in_flight: Mutex<Option<String>>,
    /// The exit code of the first signal once nothing is left to settle; 0 before.
    settled: AtomicU8,
}

impl Interrupt {
    /// Listens for Ctrl-C and SIGTERM. A question or a wait ends with the first; work is settled
    /// before the program ends. The second, and SIGTERM at once, ends it without a question.
    pub fn listen(runtime: &tokio::runtime::Runtime, ui: &Ui) -> Self {
        let this = Self::default();
        let (listener, interactive) = (this.clone(), ui.is_interactive());
        runtime.spawn(async move {
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            loop {
                let weight = tokio::select! {
                    _ = interrupt.recv() => 1,
                    _ = terminate.recv() => 2,
                };
                let settled = listener.state.settled.load(Ordering::SeqCst);
                if settled != 0 {
                    let text = "\nInterrupted after the last write; `kubectl progrc history` shows what was done.";
                    leave(interactive, text, settled);
                }
                let before = listener.state.level.fetch_add(weight, Ordering::SeqCst);
                if before < 2 && before + weight >= 2 {
                    tokio::spawn(listener.clone().force(interactive));
                }
            }
        });
        this
    }

    /// Ends the program if it does not end by itself.
    async fn force(self, interactive: bool) {
        tokio::time::sleep(GRACE).await;
        let in_flight = self.state.in_flight.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let what = in_flight.unwrap_or_else(|| "`kubectl progrc history` shows what is in flight.".to_owned());
        leave(interactive, &format!("\nInterrupted. {what}"), code::LOOK);
    }

    /// True once a signal has arrived.
    pub fn is_set(&self) -> bool {
        self.state.level.load(Ordering::SeqCst) > 0
    }

    /// True once the program should end without another question.
    pub fn is_urgent(&self) -> bool {
        self.state.level.load(Ordering::SeqCst) > 1
    }

    /// Forgets a first signal, which was answered.
    pub fn answer(&self) {
        let _ = self.state.level.compare_exchange(1, 0, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Says what is left behind if the program has to end now.
    pub fn in_flight(&self, what: Option<String>) {
        *self.state.in_flight.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// From now on the first signal ends the program with this code: nothing is left to settle.
    pub fn all_is_settled(&self, code: u8) {
        self.state.settled.store(code, Ordering::SeqCst);
    }

    /// Returns when a signal has arrived.
    pub async fn wait(&self) {
        while !self.is_set() {
            tokio::time::sleep(PULSE).await;
        }
    }

    /// Returns when the program should end without another question.
    pub async fn wait_urgent(&self) {
        while !self.is_urgent() {
            tokio::time::sleep(PULSE).await;
        }
    }
}
