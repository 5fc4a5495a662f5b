//! What is wrong with a configuration, line by line.

use std::fmt;

use serde_saphyr::Error as Yaml;

use crate::audit::suggest;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The line, from 1, where it is known.
    pub line: Option<u32>,
    /// What is wrong, with what it may have been meant to be.
    pub message: String,
}

/// A configuration that can't be used. Everything that is wrong is named at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file, as it was named.
    pub file: String,
    /// At least one, in the order of the lines.
    pub problems: Vec<ConfigProblem>,
}

/// `FILE:LINE: MESSAGE`, one line each.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            match problem.line {
                Some(line) => write!(f, "{end}{}:{line}: {}", self.file, problem.message)?,
                None => write!(f, "{end}{}: {}", self.file, problem.message)?,
            }
        }
        Ok(())
    }
}

impl ConfigError {
    /// A file that is not YAML, or not of the configuration's shape.
    pub(in crate::audit) fn shape(file: &str, error: &Yaml) -> Self {
        let line = error.location().map(|location| location.line()).filter(|line| *line > 0);
        let line = line.and_then(|line| u32::try_from(line).ok());
        let problem = ConfigProblem { line, message: message(error.without_snippet()) };
        Self { file: file.to_owned(), problems: vec![problem] }
    }
}

fn message(error: &Yaml) -> String {
    match error {
        Yaml::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key `{field}`{}", suggest::instead_of(field, expected))
        }
        Yaml::SerdeUnknownVariant { variant, expected, .. } => {
            let known = format!("`{variant}` is not {}", one_of(expected));
            suggest::nearest(variant, expected.iter().copied())
                .filter(|_| expected.len() > 1)
                .map_or(known.clone(), |near| format!("{known}; did you mean `{near}`?"))
        }
        Yaml::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        Yaml::SerdeInvalidType { unexpected, expected, .. } => format!("{unexpected} instead of {expected}"),
        Yaml::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` stands twice"),
        Yaml::MultipleDocuments { .. } => "more than one document".to_owned(),
        other => {
            let text = other.to_string();
            let first = text.lines().next().unwrap_or("not YAML");
            // The line stands before the message already.
            first.split(" at line ").next().unwrap_or(first).to_owned()
        }
    }
}

/// `one of a, b, c`, or the only one.
pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [word] => format!("`{word}`"),
        _ => format!("one of {}", words.join(", ")),
    }
}
