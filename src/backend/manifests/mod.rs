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
//! (lists flattened, the rest refused) → `locate` (lines, on demand).
//!
//! Known differences from kubectl: directories whose name begins with a dot are not entered,
//! integers beyond `i64` keep their digits, UTF-16 is read, `%YAML` lines are ignored, and
//! where YAML 1.1 and 1.2 differ in syntax (tabs, `?x` in flow style, `:` in an anchor's name)
//! the newer one holds.

mod problem;
mod text;
mod documents;
mod tree;
mod scalars;
mod values;
mod locate;
mod json;
mod secrets;
mod source;
mod objects;
mod files;
mod kustomize;
mod read;

pub use files::{FilesError, is_configuration_name};
pub use kustomize::KustomizeError;
pub use problem::{Problem, Severity};
pub use read::{Manifests, ReadError, ReadOptions, read, read_with};
pub use source::{Loaded, Source, locate};
pub use tree::{Fields, Tree};

#[cfg(test)]
mod tests;
