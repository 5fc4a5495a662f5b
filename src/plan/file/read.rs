//! A plan file, read back strictly.

use serde_json::Value;

use super::{API_VERSION, KIND, Plan};

/// A text is not a plan that may be applied.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is something else.
    #[error("{file} is no plan: its kind is {found}")]
    OtherKind {
        /// The file.
        file: String,
        /// What it says it is.
        found: String,
    },
    /// Another version of this program made it.
    #[error("{file} has the format {found}, and this version reads {API_VERSION}")]
    OtherVersion {
        /// The file.
        file: String,
        /// Its `apiVersion`.
        found: String,
    },
    /// It has not the form of a plan.
    #[error("{file} is no plan: {why}")]
    Shape {
        /// The file.
        file: String,
        /// Why, with the line.
        why: String,
    },
    /// It is not what was written.
    #[error("{file} was edited since it was made: {}", edits.join(", "))]
    Edited {
        /// The file.
        file: String,
        /// What was edited.
        edits: Vec<String>,
    },
}

/// Reads a plan. `file` is its name in messages.
pub fn read(text: &str, file: &str) -> Result<Plan, FileError> {
    let file = file.to_owned();
    let options = serde_saphyr::options! { with_snippet: false };
    let shape = |error: serde_saphyr::Error| FileError::Shape { file: file.clone(), why: error.to_string() };
    let value: Value = serde_saphyr::from_str_with_options(text, options.clone()).map_err(shape)?;
    let said = |key: &str| match value.get(key) {
        Some(Value::String(text)) => text.clone(),
        _ => "not given".to_owned(),
    };
    if said("kind") != KIND {
        return Err(FileError::OtherKind { file, found: said("kind") });
    }
    if said("apiVersion") != API_VERSION {
        return Err(FileError::OtherVersion { file, found: said("apiVersion") });
    }
    let plan: Plan = serde_saphyr::from_str_with_options(text, options).map_err(shape)?;
    let edits = plan.edits();
    if edits.is_empty() { Ok(plan) } else { Err(FileError::Edited { file, edits }) }
}
