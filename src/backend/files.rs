//! Small files that the user names: baselines, completions.

use std::io;
use std::path::Path;

/// A file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("failed to {verb} {path}")]
pub struct FileError {
    verb: &'static str,
    path: String,
    source: io::Error,
}

impl FileError {
    /// True if there was a file where none was expected.
    pub fn is_there_already(&self) -> bool {
        self.source.kind() == io::ErrorKind::AlreadyExists
    }
}

fn failed(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.display().to_string();
    move |source| FileError { verb, path, source }
}

/// Reads a text.
pub fn read(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path).map_err(failed("read", path))
}

/// Writes a text whole or not at all: beside its place first, then there.
pub fn write(path: &Path, text: &str) -> Result<(), FileError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed("create", folder))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.{}", std::process::id()));
    std::fs::write(&beside, text).map_err(failed("write", path))?;
    std::fs::rename(&beside, path).map_err(failed("write", path))
}

/// Writes a text to a place where nothing is yet.
pub fn write_new(path: &Path, text: &str) -> Result<(), FileError> {
    use std::io::Write as _;
    let mut file = std::fs::File::create_new(path).map_err(failed("write", path))?;
    file.write_all(text.as_bytes()).map_err(|error| {
        // Half a file is worse than none; the failure to say is that of the write.
        let _ = std::fs::remove_file(path);
        failed("write", path)(error)
    })
}

/// True if two paths lead to one file that is there.
pub fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    real(one).is_some() && real(one) == real(other)
}

/// Writes a program that the shell can run.
pub fn write_program(path: &Path, text: &str) -> Result<(), FileError> {
    write(path, text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).map_err(failed("write", path))?;
    }
    Ok(())
}

/// The directory of the running program.
pub fn own_directory() -> Option<std::path::PathBuf> {
    std::env::current_exe().ok()?.parent().map(Path::to_path_buf)
}

/// The working directory.
pub fn working_directory() -> std::path::PathBuf {
    std::env::current_dir().unwrap_or_default()
}
