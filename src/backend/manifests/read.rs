//! Reads everything that the user named: files in parallel, results in order.

use std::fs;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::documents;
use super::files::{self, FilesError, Input};
use super::kustomize::{self, KustomizeError};
use super::objects::{File, Harvest, fold_templates};
use super::problem::{Problem, Severity};
use super::source::Loaded;
use super::text;
use super::tree::Tree;
use crate::model::parallel;

/// What a worker takes at once, in bytes: many small files, or a part of a large one.
const SHARE: usize = 64 * 1024;

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
    read_with(options, stdin, |_| ()).map(|(manifests, _)| manifests)
}

/// The same, and lets `work` see the objects share by share, on the processor that read them, so
/// that what it takes from them never stands in memory all at once. Its results are in order.
///
/// # Errors
/// Those of [`read`].
pub fn read_with<R: Send>(
    options: &ReadOptions,
    stdin: &mut (dyn Read + Send),
    work: impl Fn(&mut [(Loaded, Tree<'_>)]) -> R + Sync,
) -> Result<(Manifests, Vec<R>), ReadError> {
    let mut inputs = files::expand(&options.paths, options.recursive, &options.skip)?;
    inputs.extend(options.kustomize.clone().map(Input::Kustomize));
    let stdin = Mutex::new(stdin);
    let files = parallel::map(&inputs, |input| open(input, &stdin, options.kubectl.as_deref()));
    let files: Vec<File> = files.into_iter().collect::<Result<_, _>>()?;
    let harvests = parallel::map(&shares(&files), |share| {
        let mut harvest = Harvest::default();
        share.iter().for_each(|(file, parts)| harvest.gather(&files[*file], parts.clone()));
        let result = work(&mut harvest.objects);
        let objects: Vec<Loaded> = harvest.objects.into_iter().map(|(loaded, _)| loaded).collect();
        (objects, harvest.problems, result)
    });
    let (mut objects, mut problems, mut results) = (Vec::new(), Vec::new(), Vec::new());
    for (of_share, with, result) in harvests {
        objects.extend(of_share);
        problems.extend(with);
        results.push(result);
    }
    fold_templates(&mut problems);
    if objects.is_empty() {
        return Err(ReadError::NoObjects { problems });
    }
    Ok((Manifests { objects, problems }, results))
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

/// Cuts the files into shares of about the same size: of each file its index and a range of pieces.
fn shares(files: &[File]) -> Vec<Vec<(usize, Range<usize>)>> {
    let (mut shares, mut share, mut size) = (Vec::new(), Vec::new(), 0);
    for (index, file) in files.iter().enumerate() {
        if file.refused.is_some() {
            share.push((index, 0..0));
        }
        let mut start = 0;
        for (number, part) in file.parts.iter().enumerate() {
            size += part.range.len();
            let full = size >= SHARE;
            if full || number + 1 == file.parts.len() {
                share.push((index, start..number + 1));
                start = number + 1;
            }
            if full {
                shares.push(std::mem::take(&mut share));
                size = 0;
            }
        }
    }
    if !share.is_empty() {
        shares.push(share);
    }
    shares
}
