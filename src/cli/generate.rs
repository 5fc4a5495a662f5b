//! Files that are made from the code: completions, manuals, schemas. `make generate` writes them.

use clap::CommandFactory;
use clap_complete::Shell as Kind;

use super::Shell;
use super::args::Args;
use super::error::{CliError, code};

/// Every generated file: path in the repository, and content.
pub fn files() -> Vec<(String, String)> {
    let mut files = crate::report::generated::files();
    for (kind, name) in [
        (Kind::Bash, "kubectl-progrc.bash"),
        (Kind::Zsh, "_kubectl-progrc"),
        (Kind::Fish, "kubectl-progrc.fish"),
        (Kind::PowerShell, "_kubectl-progrc.ps1"),
        (Kind::Elvish, "kubectl-progrc.elv"),
    ] {
        files.push((format!("completions/{name}"), completion(kind)));
    }
    files
}

/// The completion script of a shell, for the program called by its own name.
pub fn completion(kind: Kind) -> String {
    let mut out = Vec::new();
    // With its display name the script would take over kubectl's own completion.
    let mut command = Args::command().bin_name("kubectl-progrc");
    clap_complete::generate(kind, &mut command, "kubectl-progrc", &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Writes the generated files below the working directory.
pub fn run(shell: &Shell) -> Result<u8, CliError> {
    for (path, content) in files() {
        crate::backend::files::write(std::path::Path::new(&path), &content)?;
        shell.ui.note(&path);
    }
    Ok(code::DONE)
}
