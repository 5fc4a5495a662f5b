//! The write-ahead record of every change: what undo reads, and what a crash leaves behind.
//!
//! One entry is one run: a file of JSON lines below the state directory, one folder for each
//! cluster. A line is on disk before anything is sent. Values that may not be shown are never in
//! it: fixes that would need them are refused before.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

mod entry;
mod lock;
mod record;
mod weave;
mod writer;

pub use entry::{Entry, StepEntry, StepState};
pub use record::{Begin, Intent, Outcome, Record, StepResult, Verb};
pub use weave::weave;
pub use writer::Writer;

/// The version of the records that this program writes and understands.
pub const SCHEMA: u32 = 1;
/// Entries that stay whatever their age.
const KEEP: usize = 200;
/// Days after which other entries go.
const DAYS: i64 = 90;

/// The journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file or directory.
    #[error("failed to {verb} {path}")]
    Io {
        /// What we were doing: `create`, `write`, `read`.
        verb: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A newer program wrote it.
    #[error("{path} was written by a newer version (schema {schema})")]
    Newer {
        /// The file.
        path: String,
        /// Its schema.
        schema: u32,
    },
    /// A line that is not a record.
    #[error("{path}:{line} is not a journal record")]
    Corrupt {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
    },
    /// There is no such entry.
    #[error("no journal entry {0}")]
    NoEntry(String),
    /// Several entries begin like this.
    #[error("{0} is the beginning of {1} journal entries: type more of it")]
    Ambiguous(String, usize),
    /// The run of the entry has not ended.
    #[error("the run of journal entry {0} has not ended")]
    Running(String),
    /// A request was sent, and its answer is not in the journal.
    #[error("failed to journal the answer to a request")]
    Unanswered(#[source] Box<JournalError>),
    /// Another run is writing: where, and who it is.
    #[error("another run is changing {0}{1}")]
    Locked(String, String),
}

fn io_error(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.display().to_string();
    move |source| JournalError::Io { verb, path, source }
}

/// The journal of all clusters.
#[derive(Clone, Debug)]
pub struct Journal {
    root: PathBuf,
}

impl Journal {
    /// The journal in a state directory: `$XDG_STATE_HOME`, else `~/.local/state`.
    pub fn new(state: &Path) -> Self {
        Self { root: state.join("kubectl-progrc") }
    }

    /// Opens a new entry and writes its first record. Old entries go.
    pub fn begin(&self, cluster: &str, mut begin: Begin) -> Result<Writer, JournalError> {
        let folder = self.root.join(folder_name(cluster));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(io_error("create", &folder))?;
        let lock = lock::take(&folder, &begin)?;
        self.prune(&folder);
        let id = next_id(&folder).to_string();
        let path = folder.join(format!("{id}.jsonl"));
        begin.id.clone_from(&id);
        let mut writer = Writer::create(id, path, lock)?;
        writer.write(&Record::Begin(begin))?;
        // The name of a new file is safe only once its folder is.
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(io_error("write", &folder))?;
        Ok(writer)
    }

    /// All entries of all clusters, newest first. What can't be read is left out and named.
    pub fn entries(&self) -> Result<(Vec<Entry>, Vec<JournalError>), JournalError> {
        let (mut entries, mut bad) = (Vec::new(), Vec::new());
        for path in self.files()? {
            match Entry::read(&path) {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => {}
                Err(error) => bad.push(error),
            }
        }
        entries.sort_by(|a: &Entry, b: &Entry| b.begin.id.cmp(&a.begin.id));
        weave(&mut entries);
        Ok((entries, bad))
    }

    /// One entry by its ID, or by a prefix that names one.
    pub fn entry(&self, id: &str) -> Result<Entry, JournalError> {
        let wanted = id.to_ascii_uppercase();
        let named = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with(&wanted));
        let mut found: Vec<PathBuf> = self.files()?.into_iter().filter(named).collect();
        if found.len() > 1 && !wanted.is_empty() {
            return Err(JournalError::Ambiguous(id.to_owned(), found.len()));
        }
        let Some(path) = found.pop().filter(|_| !wanted.is_empty()) else {
            return Err(JournalError::NoEntry(id.to_owned()));
        };
        let entry = Entry::read(&path)?.ok_or_else(|| JournalError::NoEntry(id.to_owned()))?;
        // What became of it stands in others too.
        let (others, _) = self.entries()?;
        Ok(others.into_iter().find(|other| other.path == path).unwrap_or(entry))
    }

    /// Opens an entry that its run has left, to settle it. Like a run of its own it keeps others
    /// from its namespaces.
    pub fn reopen(&self, entry: &Entry) -> Result<Writer, JournalError> {
        let mut writer = Writer::reopen(entry.begin.id.clone(), entry.path.clone())?;
        let folder = entry.path.parent().unwrap_or(&self.root);
        writer.lock = Some(lock::take(folder, &Begin { command: "recover".to_owned(), ..entry.begin.clone() })?);
        Ok(writer)
    }

    /// Removes entries that are old and beyond the newest ones; never an open one.
    fn prune(&self, folder: &Path) {
        let Ok(mut files) = list(folder) else { return };
        files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        files.sort();
        files.reverse();
        let limit = jiff::Timestamp::now().as_millisecond() - DAYS * 24 * 3600 * 1000;
        let is_old = |path: &PathBuf| {
            let made = path.file_stem().and_then(|stem| ulid::Ulid::from_string(&stem.to_string_lossy()).ok());
            made.is_some_and(|id| i64::try_from(id.timestamp_ms()).is_ok_and(|ms| ms < limit))
        };
        let old: Vec<PathBuf> = files.into_iter().skip(KEEP).filter(is_old).collect();
        if old.is_empty() {
            return;
        }
        // Of a file that can't be read nobody knows whether it is open.
        let Ok((entries, _)) = self.entries() else { return };
        for path in old {
            let is_settled = match entries.iter().find(|entry| entry.path == path) {
                Some(entry) => entry.is_settled(),
                None => matches!(Entry::read(&path), Ok(None)),
            };
            if is_settled {
                let _ = fs::remove_file(path);
            }
        }
    }

    fn files(&self) -> Result<Vec<PathBuf>, JournalError> {
        let mut out = Vec::new();
        for folder in list(&self.root)? {
            if folder.is_dir() {
                out.extend(list(&folder)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "jsonl")));
            }
        }
        out.sort();
        Ok(out)
    }
}

/// An ID that sorts behind all others of a folder, even if the clock was put back.
fn next_id(folder: &Path) -> ulid::Ulid {
    let new = ulid::Ulid::generate();
    let id = |path: PathBuf| ulid::Ulid::from_string(&path.file_stem()?.to_string_lossy()).ok();
    match list(folder).unwrap_or_default().into_iter().filter_map(id).max() {
        Some(newest) if newest >= new => newest.increment().unwrap_or(new),
        _ => new,
    }
}

/// A server's URL makes no good folder; a uid does.
fn folder_name(cluster: &str) -> String {
    cluster.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, JournalError> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(io_error("read", folder)(error)),
    }
}

#[cfg(test)]
mod tests;
