//! Completion: scripts for shells, and kubectl's own protocol.
//!
//! kubectl runs `kubectl_complete-progrc WORDS…`; programs of cobra's kind are asked through
//! `__complete`. Both get one candidate a line, `value<TAB>description`, and a last line with a
//! directive: 4 keeps the shell from offering files, 2 adds no space.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

use clap::{Args, CommandFactory, FromArgMatches};
use clap_complete::CompletionCandidate;
use clap_complete::engine::{ArgValueCandidates, complete as candidates};

use super::Shell;
use super::args::{self, Args as Root};
use super::connection::ConnectionArgs;
use super::error::{CliError, code};
use super::generate::completion;
use crate::backend::cluster::connect::{self, ConnectOptions};
use crate::backend::files;
use crate::backend::journal::Journal;
use crate::finding::{Category, Severity};
use crate::rules::RULES;

/// The program that kubectl asks.
const SHIM: &str = "kubectl_complete-progrc";
/// How long a shell waits for names from a cluster.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);
const SHIM_TEXT: &str = include_str!("../../completions/kubectl_complete-progrc");

/// The flags of `completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// bash, zsh, fish, powershell or elvish for `kubectl-progrc`; install for `kubectl progrc`
    #[arg(value_parser = ["bash", "zsh", "fish", "powershell", "elvish", "install"], value_name = "SHELL|install")]
    target: String,
    /// With install: the directory, on PATH; that of this program unless given
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
    /// With install: do not ask
    #[arg(short, long)]
    yes: bool,
}

/// The words behind the program's name; the last one is being completed.
#[derive(Debug, Args)]
pub struct CompleteArgs {
    /// The words
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Called under the name that kubectl asks, the program completes.
pub fn as_completer(mut words: Vec<OsString>) -> Vec<OsString> {
    let stem = words.first().map(PathBuf::from).and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
    if stem.as_deref() == Some(SHIM) {
        words.insert(1, "__complete".into());
    }
    words
}

/// Runs `completion`.
pub fn run(args: &CompletionArgs, shell: &Shell) -> Result<u8, CliError> {
    use clap_complete::Shell as Kind;
    let kind = match args.target.as_str() {
        "bash" => Kind::Bash,
        "zsh" => Kind::Zsh,
        "fish" => Kind::Fish,
        "powershell" => Kind::PowerShell,
        "elvish" => Kind::Elvish,
        _ => return install(args, shell),
    };
    shell.ui.data(&completion(kind));
    Ok(code::DONE)
}

fn install(args: &CompletionArgs, shell: &Shell) -> Result<u8, CliError> {
    let directory = args
        .dir
        .clone()
        .or_else(|| shell.env.variables.get("KREW_ROOT").map(|root| PathBuf::from(root).join("bin")))
        .or_else(files::own_directory)
        .ok_or_else(|| CliError::new("the directory of this program is not known").hint("name one with --dir"))?;
    let path = directory.join(SHIM);
    if !args.yes {
        if !shell.ui.is_interactive() {
            return Err(CliError::new("there is no terminal to ask on").hint("--yes installs without asking"));
        }
        let runtime = super::session::runtime()?;
        let interrupt = super::interrupt::Interrupt::listen(&runtime, &shell.ui);
        if !super::prompt::confirm(&shell.ui, &interrupt, &format!("Write {}?", path.display()))? {
            return Ok(code::LEFT);
        }
    }
    files::write_program(&path, SHIM_TEXT)?;
    shell.ui.note(&format!("{} written; it has to be on PATH, and kubectl 1.26 or newer asks it", path.display()));
    Ok(code::DONE)
}

/// The connection that the words so far describe: names come from there.
static TYPED: OnceLock<ConnectOptions> = OnceLock::new();

/// The connection flags among words that may be no whole command.
fn typed(words: &[OsString]) -> Option<ConnectOptions> {
    let matches = Root::command().ignore_errors(true).try_get_matches_from(words).ok()?;
    Some(ConnectionArgs::from_arg_matches(&matches).ok()?.options())
}

/// Answers what the last word may become. Never fails: kubectl would offer files instead.
pub fn complete(args: &CompleteArgs, shell: &Shell) -> Result<u8, CliError> {
    let mut words: Vec<OsString> = vec!["kubectl-progrc".into()];
    words.extend(args.words.iter().cloned());
    if words.len() == 1 {
        words.push(OsString::new());
    }
    let last = words.len() - 1;
    TYPED.get_or_init(|| typed(&words[..last]).unwrap_or_default());
    let wants_flags = words[last].to_string_lossy().starts_with('-');
    let mut command = Root::command();
    let found = candidates(&mut command, words, last, Some(&files::working_directory())).unwrap_or_default();
    let (mut out, mut directive) = (String::new(), 4);
    for candidate in found {
        let value = candidate.get_value().to_string_lossy().into_owned();
        if value.starts_with('-') && !wants_flags {
            continue;
        }
        if value.ends_with('/') {
            directive |= 2;
        }
        out.push_str(&value);
        if let Some(help) = candidate.get_help() {
            out.push('\t');
            out.push_str(help.to_string().lines().next().unwrap_or_default());
        }
        out.push('\n');
    }
    shell.ui.data(&format!("{out}:{directive}\n"));
    Ok(code::DONE)
}

/// Ids of rules.
pub fn rule_ids() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        RULES.iter().map(|rule| CompletionCandidate::new(rule.id).help(Some(rule.summary.into()))).collect()
    })
}

/// Rules, categories and severities.
pub fn words() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let rules = RULES.iter().map(|rule| CompletionCandidate::new(rule.id).help(Some(rule.summary.into())));
        let categories = Category::ALL.iter().map(|c| CompletionCandidate::new(c.word()).help(Some("category".into())));
        let severities = Severity::ALL.iter().map(|s| CompletionCandidate::new(s.word()).help(Some("severity".into())));
        rules.chain(categories).chain(severities).collect()
    })
}

/// `RULE.KEY=` for every key.
pub fn answers() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let keys = RULES.iter().flat_map(|rule| rule.parameters.iter().map(move |parameter| (rule.id, parameter)));
        keys.map(|(rule, parameter)| {
            CompletionCandidate::new(format!("{rule}.{}=", parameter.key)).help(Some(parameter.prompt.into()))
        })
        .collect()
    })
}

/// Entries of the journal, newest first.
pub fn entries() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let env = args::environment();
        let state = env.variables.get("XDG_STATE_HOME").map(PathBuf::from);
        let state = state.or_else(|| env.home.map(|home| home.join(".local/state")));
        let entries = state.and_then(|state| Journal::new(&state).entries().ok()).map(|(entries, _)| entries);
        let describe = |entry: &crate::backend::journal::Entry| {
            format!("{} of {}", entry.begin.command, entry.begin.time.strftime("%Y-%m-%d %H:%M:%SZ"))
        };
        entries
            .into_iter()
            .flatten()
            .map(|entry| CompletionCandidate::new(entry.begin.id.clone()).help(Some(describe(&entry).into())))
            .collect()
    })
}

/// Contexts of the kubeconfig.
pub fn contexts() -> ArgValueCandidates {
    ArgValueCandidates::new(|| named(|names| names.contexts))
}

/// Clusters of the kubeconfig.
pub fn clusters() -> ArgValueCandidates {
    ArgValueCandidates::new(|| named(|names| names.clusters))
}

/// Users of the kubeconfig.
pub fn users() -> ArgValueCandidates {
    ArgValueCandidates::new(|| named(|names| names.users))
}

/// Namespaces of the cluster, if it answers within a second; a shell does not wait for longer.
pub fn namespaces() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        read_namespaces().unwrap_or_default().into_iter().map(CompletionCandidate::new).collect()
    })
}

fn named(pick: fn(connect::Names) -> Vec<String>) -> Vec<CompletionCandidate> {
    let options = TYPED.get().cloned().unwrap_or_default();
    let names = connect::names(&options, &args::environment()).unwrap_or_default();
    pick(names).into_iter().map(CompletionCandidate::new).collect()
}

fn read_namespaces() -> Option<Vec<String>> {
    // Nobody can answer a credential plugin's question here.
    let env = connect::Environment { stdin_is_terminal: false, ..args::environment() };
    let runtime = super::session::runtime().ok()?;
    let reading = async {
        let typed = TYPED.get().cloned().unwrap_or_default();
        let options = ConnectOptions { request_timeout: Some(PATIENCE), ..typed };
        let connection = connect::connect(&options, &env).await.ok()?;
        let mut body = Vec::new();
        let head = connection.read_into("/api/v1/namespaces?limit=500", &mut body).await.ok()?;
        let list: serde_json::Value = serde_json::from_slice(&body).ok().filter(|_| head.status == 200)?;
        let name = |item: &serde_json::Value| Some(item.pointer("/metadata/name")?.as_str()?.to_owned());
        Some(list.get("items")?.as_array()?.iter().filter_map(name).collect())
    };
    let names = runtime.block_on(async { tokio::time::timeout(PATIENCE, reading).await.ok().flatten() });
    // What still hangs must not hold the answer back.
    runtime.shutdown_background();
    names
}
