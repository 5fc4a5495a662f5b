//! The command line: arguments, one file a command, the only printer.

pub mod connection;
pub mod error;
pub mod style;
pub mod ui;
pub mod args;
pub mod session;
pub mod completion;
pub mod version;
pub mod rules;
pub mod history;
pub mod audit;
pub mod init;
pub mod rbac;
pub mod diff;
pub mod interrupt;
pub mod prompt;
pub mod fix;
pub mod recover;
pub mod emit;
pub mod plan;
pub mod apply;
pub mod undo;
pub mod generate;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Args, Command};
use connection::ConnectionArgs;
use error::{CliError, code};
use ui::Ui;

use crate::backend::cluster::connect::Environment;

/// What every command has at hand.
pub struct Shell {
    /// The printer.
    pub ui: Ui,
    /// The environment.
    pub env: Environment,
    /// Which cluster.
    pub connection: ConnectionArgs,
}

/// Parses, runs and says how it ended. `words` begin with the name of the program.
pub fn main(words: Vec<OsString>) -> ExitCode {
    let words = completion::as_completer(words);
    let matches = match Args::command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => {
            // A closed pipe is no reason to complain about help.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(code::FAILED) } else { ExitCode::SUCCESS };
        }
    };
    let args = Args::from_arg_matches(&matches).expect("clap checked the arguments that it declares");
    let env = args::environment();
    let shell = Shell { ui: Ui::new(&args.terminal, &env), env, connection: args.connection };
    let code = run(args.command, &shell).unwrap_or_else(|error| {
        shell.ui.error(&error);
        error.code
    });
    ExitCode::from(code)
}

fn run(command: Option<Command>, shell: &Shell) -> Result<u8, CliError> {
    match command {
        None => {
            shell.ui.data(&Args::command().render_help().to_string());
            Ok(code::DONE)
        }
        Some(Command::Audit(args)) => audit::run(&args, shell),
        Some(Command::Diff(args)) => diff::run(&args, shell),
        Some(Command::Fix(args)) => fix::run(&args, shell),
        Some(Command::Plan(args)) => plan::run(&args, shell),
        Some(Command::Apply(args)) => apply::run(&args, shell),
        Some(Command::Emit(args)) => emit::run(&args, shell),
        Some(Command::Undo(args)) => undo::run(&args, shell),
        Some(Command::Recover(args)) => recover::run(&args, shell),
        Some(Command::History(args)) => history::run(&args, shell),
        Some(Command::Init(args)) => init::run(&args, shell),
        Some(Command::Rbac(args)) => rbac::run(&args, shell),
        Some(Command::Rules(args)) => rules::list(&args, shell),
        Some(Command::Explain(args)) => rules::explain(&args, shell),
        Some(Command::Completion(args)) => completion::run(&args, shell),
        Some(Command::Complete(args)) => completion::complete(&args, shell),
        Some(Command::Version(args)) => version::run(&args, shell),
        Some(Command::Generate) => generate::run(shell),
    }
}
