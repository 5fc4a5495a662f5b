//! Child processes that never outlive the test process, and a directory that vanishes with it.
//!
//! Rust drops no statics, and nothing runs in a process that is killed. What the kernel always
//! does is to close its pipes. So each child runs below a small shell, the watchdog, that holds
//! the reading end of a pipe: when the pipe closes it kills the child, by its id. The watchdogs in
//! turn hold a pipe of the janitor, which therefore removes the directory when the last child is
//! gone.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::wait::{WAIT, wait_until};

/// Starts `$2…` with its output in the file `$1`, its id in `$1.pid`; kills it at end of input.
const WATCHDOG: &str = r#"
exec 3<&0 </dev/null
log=$1
shift
"$@" >"$log" 2>&1 3<&- &
child=$!
echo "$child" >"$log.pid"
(read -r _ <&3; kill -9 "$child") &
watch=$!
exec 3<&-
wait "$child"
code=$?
kill "$watch"
exit "$code"
"#;

/// Removes the directory `$1` at end of input.
const JANITOR: &str = r#"read -r _; rm -rf "$1""#;

/// A new directory that is removed after the test process and all its children have ended.
/// Drop it after the processes that use it.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    /// The janitor's input: it stays open as long as somebody uses the directory.
    open: Option<OwnedFd>,
    janitor: Child,
}

impl Scratch {
    /// Makes the directory below the system's temporary one.
    pub(crate) fn new() -> Self {
        let path = tempfile::Builder::new()
            .prefix("progrc-test-")
            .tempdir()
            .expect("a temporary directory can be made")
            .keep();
        let mut janitor =
            shell(JANITOR).arg(&path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("sh can be started");
        let open = janitor.stdin.take().map(OwnedFd::from);
        Self { path, open, janitor }
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A pipe that holds the directory as long as it is open.
    fn hold(&self) -> OwnedFd {
        let open = self.open.as_ref().expect("it is open until the drop");
        open.try_clone().expect("a pipe can be duplicated")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.open.take());
        // Its children were dropped before it, so the janitor has nothing to wait for.
        let _ = self.janitor.wait();
    }
}

/// A running child below its watchdog. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    log: PathBuf,
    watchdog: Mutex<Child>,
}

impl Process {
    /// Starts `program`; its output goes to `NAME.log` in `scratch`.
    pub(crate) fn start(scratch: &Scratch, name: &str, program: &Path, args: &[String]) -> Self {
        let log = scratch.path().join(format!("{name}.log"));
        let watchdog = shell(WATCHDOG)
            .arg(&log)
            .arg(program)
            .args(args)
            .current_dir(scratch.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", scratch.path())
            .stdin(Stdio::piped())
            .stdout(scratch.hold())
            .spawn()
            .expect("sh can be started");
        Self { name: name.to_owned(), log, watchdog: Mutex::new(watchdog) }
    }

    /// The id of the child, not of its watchdog.
    pub(crate) fn id(&self) -> u32 {
        let file = self.log.with_extension("log.pid");
        wait_until(WAIT, "the id of a child", || {
            let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
            text.strip_suffix('\n').ok_or("half a line")?.parse().map_err(|_| text.clone())
        })
    }

    /// How the process ended and what it said last, if it has ended.
    pub(crate) fn obituary(&self) -> Option<String> {
        let mut watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
        let status = watchdog.try_wait().expect("a child can be waited for")?;
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(15)..].join("\n");
        Some(format!("{} ended with {status}:\n{tail}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let watchdog = self.watchdog.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(watchdog.stdin.take());
        // It only fails if the watchdog was waited for before.
        let _ = watchdog.wait();
    }
}

/// A shell in a process group of its own: Ctrl-C at the terminal ends the test process alone.
fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "sh"]).process_group(0).stderr(Stdio::null());
    command
}
