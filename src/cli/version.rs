//! `version`: client, server and rules.

use clap::Args;
use serde_json::json;

use super::Shell;
use super::error::{CliError, code};
use super::session;
use crate::rules::RULES;

/// The flags of `version`.
#[derive(Debug, Args)]
pub struct VersionArgs {
    /// Only the version of this program
    #[arg(long)]
    client: bool,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json", "yaml"])]
    output: Option<String>,
}

/// Prints versions. A server that can't be reached is said, and is no failure: the client is known.
pub fn run(args: &VersionArgs, shell: &Shell) -> Result<u8, CliError> {
    let client = env!("CARGO_PKG_VERSION");
    let server = if args.client { None } else { Some(server_version(shell)) };
    let known = server.as_ref().and_then(|server| server.as_ref().ok());
    let report = json!({"clientVersion": client, "serverVersion": known, "rules": RULES.len()});
    match args.output.as_deref() {
        Some("json") => shell.ui.data(&format!("{report:#}\n")),
        Some(_) => shell.ui.data(&serde_saphyr::to_string(&report)?),
        None => {
            shell.ui.data(&format!("Client version: v{client}\n"));
            if let Some(version) = known {
                shell.ui.data(&format!("Server version: {version}\n"));
            }
            shell.ui.data(&format!("Rules: {}\n", RULES.len()));
        }
    }
    if let Some(Err(error)) = server {
        shell.ui.warn(&format!("no server version: {}", error.message));
    }
    Ok(code::DONE)
}

fn server_version(shell: &Shell) -> Result<String, CliError> {
    let runtime = session::runtime()?;
    let (_, identity) = runtime.block_on(session::connect(&shell.connection, &shell.env))?;
    Ok(identity.version)
}
