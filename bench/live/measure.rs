//! One run of a program: wall time and peak memory.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What a run took.
pub(crate) struct Run {
    /// Wall time with the start of the process and of GNU time, about a millisecond.
    pub(crate) seconds: f64,
    /// Maximum resident set, in units of 1,000,000 bytes.
    pub(crate) megabytes: f64,
}

/// Runs a program below GNU time; panics unless it ends with 0.
pub(crate) fn run(inner: &Command) -> Run {
    let directory = inner.get_current_dir().expect("the harness sets it").to_owned();
    let report = directory.join("peak");
    let mut command = Command::new("/usr/bin/time");
    command.args(["-f", "%M", "-o"]).arg(&report).arg(program(inner)).args(inner.get_args());
    command.current_dir(&directory).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().expect("GNU time is installed as /usr/bin/time");
    let seconds = start.elapsed().as_secs_f64();
    assert!(status.success(), "{inner:?} ended with {status}");
    let text = std::fs::read_to_string(&report).expect("GNU time wrote it");
    let kibibytes: f64 = text.trim().parse().expect("GNU time writes a number");
    Run { seconds, megabytes: kibibytes * 1024.0 / 1e6 }
}

/// The program of a command; for the plugin the binary that `BENCH_BINARY` names.
fn program(command: &Command) -> PathBuf {
    let program = PathBuf::from(command.get_program());
    match std::env::var_os("BENCH_BINARY") {
        Some(binary) if program.ends_with("kubectl-progrc") => PathBuf::from(binary),
        _ => program,
    }
}
