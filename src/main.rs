//! Parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    kubectl_progrc::cli::main(std::env::args_os().collect())
}
