//! Which files the user's paths mean.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use foldhash::{HashSet, HashSetExt};

/// The endings that a file in a directory needs; a file named itself needs none.
const ENDINGS: [&str; 3] = ["json", "yaml", "yml"];

/// Why the paths cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Nothing stands there.
    #[error("the path {0} does not exist")]
    Missing(String),
    /// A URL: nothing is downloaded.
    #[error("{0} is a URL: only files, directories and - are read")]
    Url(String),
    /// A directory without a single file to read.
    #[error("no manifests in {dir}: recognized file endings are .json, .yaml and .yml")]
    NoManifests {
        /// The directory.
        dir: String,
        /// Whether it has directories that were not entered.
        directories: bool,
    },
    /// A directory or a link could not be read.
    #[error("failed to read {path}")]
    Unreadable {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl FilesError {
    /// What the user may do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Url(url) => Some(format!("pipe it: curl -fsSL {url} | kubectl progrc … -f -")),
            Self::NoManifests { directories: true, .. } => Some("-R reads the directories below, too".to_owned()),
            _ => None,
        }
    }
}

/// Something to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// Standard input.
    Stdin,
    /// A kustomization to build.
    Kustomize(PathBuf),
    /// A file, and how the user would name it.
    File { path: PathBuf, name: Arc<str> },
}

/// Whether a file of this name configures this program, so that it is no manifest.
pub fn is_configuration_name(name: &str) -> bool {
    matches!(name, ".progrc.yaml" | ".progrc.yml")
}

/// The files that `paths` mean, each once, in the order of the paths; those of a directory in
/// the order of their names. Links to directories and, unlike in kubectl, directories whose
/// name begins with a dot are not entered.
///
/// # Errors
/// [`FilesError`] for a path that does not exist, is a URL or holds no manifests.
pub(super) fn expand(paths: &[String], recursive: bool, skip: &[PathBuf]) -> Result<Vec<Input>, FilesError> {
    let mut found = Found {
        recursive,
        skip: skip.iter().map(|path| canonical(path).into_os_string()).collect(),
        seen: HashSet::new(),
        inputs: Vec::new(),
    };
    for path in paths {
        found.path(path)?;
    }
    Ok(found.inputs)
}

struct Found {
    recursive: bool,
    /// Whole names: to take thousands of paths apart takes time.
    skip: HashSet<OsString>,
    seen: HashSet<OsString>,
    inputs: Vec<Input>,
}

impl Found {
    fn path(&mut self, named: &str) -> Result<(), FilesError> {
        if named == "-" {
            if !self.inputs.contains(&Input::Stdin) {
                self.inputs.push(Input::Stdin);
            }
            return Ok(());
        }
        if ["http://", "https://"].iter().any(|scheme| named.starts_with(scheme)) {
            return Err(FilesError::Url(named.to_owned()));
        }
        let path = Path::new(named);
        let kind = fs::metadata(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => FilesError::Missing(named.to_owned()),
            _ => unreadable(path, source),
        })?;
        if !kind.is_dir() {
            self.file(path.to_owned(), canonical(path));
            return Ok(());
        }
        let mut walk = Walk::default();
        self.directory(path, &canonical(path), &mut walk)?;
        if walk.files == 0 {
            return Err(FilesError::NoManifests { dir: named.to_owned(), directories: walk.left_out });
        }
        Ok(())
    }

    fn directory(&mut self, dir: &Path, real: &Path, walk: &mut Walk) -> Result<(), FilesError> {
        let entries = fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = entries.map_err(|source| unreadable(dir, source))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let path = dir.join(&name);
            let kind = entry.file_type().map_err(|source| unreadable(&path, source))?;
            if kind.is_dir() {
                if name.as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                if self.recursive {
                    self.directory(&path, &real.join(&name), walk)?;
                } else {
                    walk.left_out = true;
                }
            } else if is_manifest_name(&path) && !(kind.is_symlink() && path.is_dir()) {
                walk.files += 1;
                self.file(path, real.join(&name));
            }
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf, real: PathBuf) {
        let real = real.into_os_string();
        if !self.skip.contains(&real) && self.seen.insert(real) {
            let name = path.to_string_lossy();
            let name = name.strip_prefix("./").unwrap_or(&name).into();
            self.inputs.push(Input::File { path, name });
        }
    }
}

/// What a walk through a directory met.
#[derive(Default)]
struct Walk {
    files: usize,
    left_out: bool,
}

fn is_manifest_name(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let name = path.file_name().and_then(|name| name.to_str());
    ending.is_some_and(|ending| ENDINGS.contains(&ending)) && !name.is_some_and(is_configuration_name)
}

/// The path without links and dots; as it is where there is none, as for a pipe.
fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn unreadable(path: &Path, source: io::Error) -> FilesError {
    FilesError::Unreadable { path: path.display().to_string(), source }
}
