//! Reads everything that the user named: files in parallel, results in order.

use std::fs;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::documents;
use super::files::{self, FilesError, Input};
use super::kustomize::{self, KustomizeError};
use super::objects::{File, Harvest};
use super::problem::{Problem, Severity};
use super::source::Loaded;
use super::text;
use crate::model::parallel;

/// What a worker takes at once from a file, in bytes.
const BATCH: usize = 64 * 1024;
/// The stack of a worker: nesting is bounded, but unoptimized frames are large.
const STACK: usize = 16 * 1024 * 1024;

/// What to read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Files, directories and `-` for standard input.
    pub paths: Vec<String>,
    /// Whether to enter the directories in a directory.
    pub recursive: bool,
    /// A kustomization to build with kubectl.
    pub kustomize: Option<PathBuf>,
    /// The kubectl to run for it; the one in `PATH` unless given.
    pub kubectl: Option<PathBuf>,
    /// Configuration files in use: never manifests.
    pub skip: Vec<PathBuf>,
}

/// What was read. The order is that of the paths, files and documents.
#[derive(Debug, Default)]
pub struct Manifests {
    /// The objects, at least one.
    pub objects: Vec<Loaded>,
    /// What is not an object, or not a sound one.
    pub problems: Vec<Problem>,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The paths are wrong.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The kustomization is wrong.
    #[error(transparent)]
    Kustomize(#[from] KustomizeError),
    /// A file could not be read.
    #[error("failed to read {file}")]
    Io {
        /// The file as the user named it.
        file: Arc<str>,
        /// Why.
        source: io::Error,
    },
    /// There is no object in all the files.
    #[error("no objects in the manifests")]
    NoObjects {
        /// What stands there instead.
        problems: Vec<Problem>,
    },
}

impl ReadError {
    /// What the user may do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Files(error) => error.hint(),
            Self::Kustomize(error) => error.hint(),
            Self::Io { .. } | Self::NoObjects { .. } => None,
        }
    }
}

/// Reads what the options name; standard input from `stdin`, if it is named.
///
/// A broken document becomes a [`Problem`], the others go on.
///
/// # Errors
/// [`ReadError`] if a path cannot be read, or if there is no object in any.
pub fn read(options: &ReadOptions, stdin: &mut (dyn Read + Send)) -> Result<Manifests, ReadError> {
    let mut inputs = files::expand(&options.paths, options.recursive, &options.skip)?;
    inputs.extend(options.kustomize.clone().map(Input::Kustomize));
    let stdin = Mutex::new(stdin);
    let files = parallel::map_with_stack(&inputs, Some(STACK), |input| open(input, &stdin, options.kubectl.as_deref()));
    let files: Vec<File> = files.into_iter().collect::<Result<_, _>>()?;
    let harvests = parallel::map_with_stack(&batches(&files), Some(STACK), |(file, parts)| {
        let mut harvest = Harvest::default();
        harvest.gather(&files[*file], parts.clone());
        harvest
    });
    let mut all = Harvest::default();
    for harvest in harvests {
        all.objects.extend(harvest.objects);
        all.problems.extend(harvest.problems);
    }
    all.fold_templates();
    let Harvest { objects, problems } = all;
    if objects.is_empty() {
        return Err(ReadError::NoObjects { problems });
    }
    Ok(Manifests { objects, problems })
}

/// Reads, decodes and splits a file.
fn open(input: &Input, stdin: &Mutex<&mut (dyn Read + Send)>, kubectl: Option<&Path>) -> Result<File, ReadError> {
    let (name, bytes) = match input {
        Input::Stdin => {
            let mut bytes = Vec::new();
            let mut stdin = stdin.lock().unwrap_or_else(PoisonError::into_inner);
            let read = stdin.read_to_end(&mut bytes).map(|_| bytes);
            ("<stdin>".into(), read)
        }
        Input::Kustomize(dir) => {
            let name = format!("kustomize {}", dir.display());
            (name.into(), Ok(kustomize::build(dir, kubectl)?))
        }
        Input::File { path, name } => (Arc::clone(name), fs::read(path)),
    };
    match bytes {
        Ok(bytes) => Ok(split(name, bytes)),
        Err(source) => Err(ReadError::Io { file: name, source }),
    }
}

fn split(name: Arc<str>, bytes: Vec<u8>) -> File {
    match text::decode(bytes) {
        Ok(text) => File { parts: documents::split(&text), text: text.into(), name, refused: None },
        Err((line, message)) => File {
            parts: Vec::new(),
            text: "".into(),
            refused: Some(Problem { file: Arc::clone(&name), line, message, severity: Severity::Error }),
            name,
        },
    }
}

/// Cuts the files into work: an index and a range of pieces, of about the same size.
fn batches(files: &[File]) -> Vec<(usize, Range<usize>)> {
    let mut batches = Vec::new();
    for (index, file) in files.iter().enumerate() {
        if file.refused.is_some() {
            batches.push((index, 0..0));
        }
        let (mut start, mut size) = (0, 0);
        for (number, part) in file.parts.iter().enumerate() {
            size += part.range.len();
            if size >= BATCH || number + 1 == file.parts.len() {
                batches.push((index, start..number + 1));
                (start, size) = (number + 1, 0);
            }
        }
    }
    batches
}
