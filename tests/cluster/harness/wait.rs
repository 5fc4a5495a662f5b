//! Waiting for a condition, with a limit and a message that says what was missing.

use std::time::{Duration, Instant};

/// How long a test waits for something that takes a second on an idle machine.
pub(crate) const WAIT: Duration = Duration::from_mins(1);

/// Pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(25);

/// Looks at a condition until it holds and returns what it found.
///
/// The condition answers `Err` with the state that it saw while it does not hold. Panics after
/// `limit` with `what` was awaited and the last state.
#[track_caller]
pub(crate) fn wait_until<T>(limit: Duration, what: &str, mut condition: impl FnMut() -> Result<T, String>) -> T {
    match try_until(limit, &mut condition) {
        Ok(value) => value,
        Err(state) => panic!("waited {limit:?} for {what}; last seen: {state}"),
    }
}

/// As [`wait_until`], but hands back the last state instead of a panic.
pub(crate) fn try_until<T>(limit: Duration, mut condition: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let start = Instant::now();
    loop {
        match condition() {
            Ok(value) => return Ok(value),
            Err(state) if start.elapsed() >= limit => return Err(state),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}
