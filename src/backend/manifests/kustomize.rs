//! `-k DIR`: kubectl builds the directory, its output is read like a file.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a kustomization could not be built.
#[derive(Debug, thiserror::Error)]
pub enum KustomizeError {
    /// There is no kubectl to run.
    #[error("failed to run {program} for -k")]
    NoKubectl {
        /// What was run.
        program: String,
        /// Why it did not start.
        source: io::Error,
    },
    /// kubectl refused the directory.
    #[error("failed to build the kustomization {dir}: {message}")]
    Refused {
        /// The directory.
        dir: PathBuf,
        /// What kubectl said, without its log prefix.
        message: String,
    },
}

impl KustomizeError {
    /// What the user may do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoKubectl { .. } => {
                Some("install kubectl, or pipe: kustomize build DIR | kubectl progrc … -f -".to_owned())
            }
            Self::Refused { .. } => None,
        }
    }
}

/// Runs `kubectl kustomize DIR` and returns its output.
///
/// # Errors
/// [`KustomizeError`] if kubectl is missing or refuses.
pub(super) fn build(dir: &Path, kubectl: Option<&Path>) -> Result<Vec<u8>, KustomizeError> {
    let program = kubectl.unwrap_or(Path::new("kubectl"));
    let output = Command::new(program)
        .arg("kustomize")
        .arg("--")
        .arg(dir)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| KustomizeError::NoKubectl { program: program.display().to_string(), source })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let message = match plain(&said) {
        "" => output.status.to_string(),
        message => message.to_owned(),
    };
    Err(KustomizeError::Refused { dir: dir.to_owned(), message })
}

/// kubectl's message without `error: ` or the frame of its log:
/// `E1123 … run.go:72] "command failed" err="…"`.
fn plain(said: &str) -> &str {
    let said = said.trim();
    let said = said.strip_prefix("error: ").unwrap_or(said);
    let framed = said.split_once("\"command failed\" err=\"").and_then(|(_, message)| message.strip_suffix('"'));
    framed.unwrap_or(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_lose_their_frame() {
        let said = "E1123 23:24:42 1 run.go:72] \"command failed\" err=\"no such dir\"\n";
        assert_eq!(plain(said), "no such dir");
        assert_eq!(plain("error: no such dir\n"), "no such dir");
        assert_eq!(plain("no such dir"), "no such dir");
    }

    #[test]
    fn a_missing_kubectl_is_named() {
        let missing = Path::new("/nonexistent/kubectl");
        let error = build(Path::new("."), Some(missing)).unwrap_err();
        assert_eq!(error.to_string(), "failed to run /nonexistent/kubectl for -k");
    }
}
