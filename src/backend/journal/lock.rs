//! One run at a time: an advisory lock for a cluster and the namespaces that a run is about.
//!
//! The system holds the lock for the process and drops it when that ends, however it ends: what a
//! dead owner left behind is taken over. The file says who the living one is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::record::Begin;
use super::{JournalError, io_error, list};

/// The locks of one run.
#[derive(Debug)]
pub(super) struct Lock {
    _files: Vec<File>,
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    pid: u32,
    host: String,
    since: jiff::Timestamp,
    command: String,
}

/// Whom a lock keeps out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Nobody who is about other namespaces.
    Shared,
    /// Everybody.
    Alone,
}

/// Takes the locks of a run: that of the whole cluster for itself if it is about all namespaces,
/// else that of each of its namespaces.
pub(super) fn take(folder: &Path, begin: &Begin) -> Result<Lock, JournalError> {
    let owner =
        Owner { pid: std::process::id(), host: host(), since: jiff::Timestamp::now(), command: begin.command.clone() };
    let whole = folder.join("lock");
    if begin.namespaces.is_empty() {
        return Ok(Lock { _files: vec![one(&whole, Mode::Alone, "this cluster", &owner)?] });
    }
    let mut names: Vec<&String> = begin.namespaces.iter().collect();
    names.sort();
    names.dedup();
    let mut files = vec![one(&whole, Mode::Shared, "this cluster", &owner)?];
    for name in names {
        let path = folder.join(format!("lock-{name}"));
        files.push(one(&path, Mode::Alone, &format!("namespace {name} of this cluster"), &owner)?);
    }
    Ok(Lock { _files: files })
}

fn one(path: &Path, mode: Mode, what: &str, owner: &Owner) -> Result<File, JournalError> {
    let mut file = open(path)?;
    let taken = match mode {
        Mode::Shared => file.try_lock_shared(),
        Mode::Alone => file.try_lock(),
    };
    match taken {
        Ok(()) if mode == Mode::Shared => Ok(file),
        Ok(()) => {
            let text = serde_json::to_string(owner).expect("owners always serialize");
            let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
            written.map_err(io_error("write", path))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => Err(held(path, mode, what)),
        Err(TryLockError::Error(source)) => Err(io_error("lock", path)(source)),
    }
}

fn open(path: &Path) -> Result<File, JournalError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true).mode(0o600);
    options.open(path).map_err(io_error("create", path))
}

/// Names the living owner. The whole cluster may be held by runs that are about namespaces.
fn held(path: &Path, mode: Mode, what: &str) -> JournalError {
    let mut places: Vec<PathBuf> = vec![path.to_owned()];
    if mode == Mode::Alone && path.ends_with("lock") {
        let folder = path.parent().map(|folder| list(folder).unwrap_or_default()).unwrap_or_default();
        let of_namespace =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lock-"));
        let mut others: Vec<PathBuf> = folder.into_iter().filter(of_namespace).filter(|path| is_held(path)).collect();
        others.sort();
        if !others.is_empty() {
            places = others;
        }
    }
    let owner = places.iter().find_map(|path| owner_of(path));
    let what = what.to_owned();
    match owner {
        Some(Owner { pid, host, since, command }) => {
            let since = since.strftime("%Y-%m-%d %H:%M:%SZ");
            JournalError::Locked(what, format!(": {command}, pid {pid} on {host}, since {since}"))
        }
        None => JournalError::Locked(what, String::new()),
    }
}

fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn owner_of(path: &Path) -> Option<Owner> {
    let mut text = String::new();
    File::open(path).ok()?.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// The name of this machine, where the system says it.
fn host() -> String {
    let name =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| std::fs::read_to_string(path).ok());
    name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "this machine".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(namespaces: &[&str]) -> Begin {
        let namespaces = namespaces.iter().map(|name| (*name).to_owned()).collect();
        Begin { command: "fix".to_owned(), namespaces, ..Begin::default() }
    }

    #[test]
    fn a_living_owner_is_named_and_other_namespaces_are_free() {
        let folder = tempfile::tempdir().unwrap();
        let ours = take(folder.path(), &begin(&["a", "b"])).unwrap();
        let pid = std::process::id();
        for namespaces in [&["b"][..], &[]] {
            let error = take(folder.path(), &begin(namespaces)).unwrap_err().to_string();
            assert!(error.contains(&format!("fix, pid {pid} on ")) && error.contains(", since 20"), "{error}");
        }
        drop(take(folder.path(), &begin(&["c"])).unwrap());
        drop(ours);
        let all = take(folder.path(), &begin(&[])).unwrap();
        let error = take(folder.path(), &begin(&["c"])).unwrap_err().to_string();
        assert!(error.starts_with("another run is changing this cluster: fix, pid "), "{error}");
        drop(all);
    }

    #[test]
    fn the_lock_of_a_dead_owner_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let dead = Owner { pid: 1, host: "gone".into(), since: jiff::Timestamp::UNIX_EPOCH, command: "fix".into() };
        std::fs::write(folder.path().join("lock-a"), serde_json::to_string(&dead).unwrap()).unwrap();
        let _lock = take(folder.path(), &begin(&["a"])).unwrap();
        assert_eq!(owner_of(&folder.path().join("lock-a")).unwrap().pid, std::process::id());
    }
}
