//! YAML and JSON files: read, locate.
//!
//! [`read`] turns what `-f`, `-R` and `-k` name into objects, as kubectl would read them, and
//! keeps with each the [`Source`] it stands in, so that a finding can name its line. What is
//! not an object (a Helm template, a values file, a broken document) becomes a [`Problem`] and
//! never stops the rest. Values of Secrets are dropped here and the text of a document that
//! holds one is never handed out.
//!
//! An object's way: `files` (which files) → `text` (bytes to text) → `documents` (split the
//! stream) → `values` and `scalars`, or `json` (text to values) → `secrets` → `objects`
//! (lists flattened, the rest refused) → `locate` (on demand).

mod problem;
mod source;
mod files;
mod text;
mod documents;
mod scalars;
mod values;
mod json;
mod secrets;
mod objects;
mod locate;
mod kustomize;
mod read;

pub use files::{FilesError, is_configuration_name};
pub use kustomize::KustomizeError;
pub use locate::locate;
pub use problem::{Problem, Severity};
pub use read::{Manifests, ReadError, ReadOptions, read};
pub use source::{Loaded, Source};

#[cfg(test)]
mod tests;
