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

/// Writes texts into a directory, none of which may be there already. The names that are, if any:
/// then nothing is written.
pub fn write_all_new(folder: &Path, files: &[(String, String)]) -> Result<Vec<String>, FileError> {
    let taken = |(name, _): &&(String, String)| folder.join(name).symlink_metadata().is_ok();
    let taken: Vec<String> = files.iter().filter(taken).map(|(name, _)| name.clone()).collect();
    if taken.is_empty() {
        for (name, text) in files {
            write(&folder.join(name), text)?;
        }
    }
    Ok(taken)
}

/// The way from one directory to another, by their names alone.
pub fn relative(from: &Path, to: &Path) -> std::path::PathBuf {
    let whole = |path: &Path| {
        let mut out = std::path::PathBuf::new();
        for part in working_directory().join(path).components() {
            match part {
                std::path::Component::ParentDir => drop(out.pop()),
                std::path::Component::CurDir => {}
                part => out.push(part),
            }
        }
        out
    };
    let (from, to) = (whole(from), whole(to));
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| std::path::Component::ParentDir);
    let way: std::path::PathBuf = up.chain(to.components().skip(shared)).collect();
    if way.as_os_str().is_empty() { ".".into() } else { way }
}

/// The directory of the running program.
pub fn own_directory() -> Option<std::path::PathBuf> {
    std::env::current_exe().ok()?.parent().map(Path::to_path_buf)
}

/// The working directory.
pub fn working_directory() -> std::path::PathBuf {
    std::env::current_dir().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_between_directories() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to)).display().to_string();
        assert_eq!(way("/a/b/out", "/a/base"), "../../base");
        assert_eq!(way("/a/out", "/a/./out/../k8s"), "../k8s");
        assert_eq!(way("out", "k8s/base"), "../k8s/base");
        assert_eq!(way("/a", "/a"), ".");
    }

    #[test]
    fn what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let files = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())];
        assert_eq!(write_all_new(folder.path(), &files[1..]).unwrap(), Vec::<String>::new());
        assert_eq!(write_all_new(folder.path(), &files).unwrap(), ["b"]);
        assert!(read(&folder.path().join("a")).is_err());
    }
}
