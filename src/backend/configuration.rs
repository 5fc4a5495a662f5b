//! Where the configuration stands, and its text. What it means is the business of `audit`.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::manifests::is_configuration_name;

/// The names of the file; of both in one directory the first counts.
const NAMES: [&str; 2] = [".progrc.yaml", ".progrc.yml"];

/// Where to look. Nothing here reads the environment.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The value of `--config`.
    pub named: Option<&'a Path>,
    /// The values of `-f`: a single directory is looked in first, with its parents.
    pub manifests: &'a [String],
    /// The working directory.
    pub working_directory: &'a Path,
    /// The user's own directory of configurations, from [`user_directory`].
    pub user_directory: Option<&'a Path>,
}

/// A configuration that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file, as messages name it: relative to the working directory where it stands below it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A configuration that is there, or should be, and can't be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the configuration {path}")]
pub struct Unreadable {
    /// The file.
    pub path: String,
    /// Why.
    pub source: io::Error,
}

/// The user's directory of configurations: `$XDG_CONFIG_HOME`, else `%APPDATA%`, else `~/.config`.
/// Values that are not absolute count as unset, as the XDG base directory specification says.
pub fn user_directory(variable: impl Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("APPDATA").filter(|_| cfg!(windows)))
        .or_else(|| home.map(|home| home.join(".config")))
}

/// The configuration: the named file; else with a single `-f` directory the nearest one there or in
/// its parents; else the nearest one in the working directory or its parents; else the user's own,
/// `kubectl-progrc/.progrc.yaml` or `.progrc.yaml` in the user's directory. `None` if there is none.
pub fn find(search: &Search<'_>) -> Result<Option<Found>, Unreadable> {
    let here = search.working_directory;
    if let Some(named) = search.named {
        let text = std::fs::read_to_string(here.join(named)).map_err(|source| unreadable(named, source))?;
        return Ok(Some(Found { name: named.display().to_string(), text }));
    }
    let manifests = match search.manifests {
        [only] if only != "-" => directory(&here.join(only)),
        _ => None,
    };
    let working_directory = directory(here);
    let user = search.user_directory;
    let places = (manifests.iter().flat_map(|path| path.ancestors()))
        .chain(working_directory.iter().flat_map(|path| path.ancestors()))
        .map(Path::to_owned)
        .chain(user.map(|user| user.join("kubectl-progrc")))
        .chain(user.map(Path::to_owned));
    for place in places {
        for name in NAMES {
            debug_assert!(is_configuration_name(name), "the reader of manifests leaves it out");
            if let Some(text) = read(&place.join(name))? {
                return Ok(Some(Found { name: shown(&place.join(name), working_directory.as_deref()), text }));
            }
        }
    }
    Ok(None)
}

/// The real path of a directory, so that its parents are those on the disk; `None` for what is none.
fn directory(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok().filter(|path| path.is_dir())
}

/// The text of a file; `None` if there is no file of that name.
fn read(path: &Path) -> Result<Option<String>, Unreadable> {
    if !path.is_file() {
        return Ok(None);
    }
    std::fs::read_to_string(path).map(Some).map_err(|source| unreadable(path, source))
}

fn unreadable(path: &Path, source: io::Error) -> Unreadable {
    Unreadable { path: path.display().to_string(), source }
}

fn shown(path: &Path, working_directory: Option<&Path>) -> String {
    let below = working_directory.and_then(|here| path.strip_prefix(here).ok());
    below.unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with the files, each with its own path as its text, and links resolved.
    fn tree(files: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for file in files {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        (dir, root)
    }

    fn found(root: &Path, named: Option<&str>, manifests: &[&str]) -> Option<Found> {
        let manifests: Vec<String> = manifests.iter().map(|path| (*path).to_owned()).collect();
        let (here, user) = (root.join("work/inner"), root.join("user"));
        let search = Search {
            named: named.map(Path::new),
            manifests: &manifests,
            working_directory: &here,
            user_directory: Some(&user),
        };
        find(&search).unwrap()
    }

    const INNER: &str = "work/inner/x";

    #[test]
    fn the_manifests_come_before_the_working_directory_and_the_user_last() {
        let all =
            ["deploy/.progrc.yml", "deploy/k8s/a.yaml", "work/.progrc.yaml", "user/kubectl-progrc/.progrc.yaml", INNER];
        let (_dir, root) = tree(&all);
        let text = |manifests: &[&str]| found(&root, None, manifests).unwrap().text;
        assert_eq!(text(&["../../deploy/k8s"]), "deploy/.progrc.yml");
        assert_eq!(text(&["../../deploy/k8s/a.yaml"]), "work/.progrc.yaml");
        assert_eq!(text(&["../../deploy/k8s", "."]), "work/.progrc.yaml");
        assert_eq!(text(&["-"]), "work/.progrc.yaml");
        std::fs::remove_file(root.join("work/.progrc.yaml")).unwrap();
        assert_eq!(text(&[]), "user/kubectl-progrc/.progrc.yaml");
    }

    #[test]
    fn the_named_file_wins_and_has_to_be_there() {
        let (_dir, root) = tree(&["work/.progrc.yaml", "other.yaml", INNER]);
        let named = found(&root, Some("../../other.yaml"), &[]).unwrap();
        assert_eq!((named.name.as_str(), named.text.as_str()), ("../../other.yaml", "other.yaml"));
        let search = Search {
            named: Some(Path::new("none.yaml")),
            manifests: &[],
            working_directory: &root,
            user_directory: None,
        };
        assert_eq!(find(&search).unwrap_err().to_string(), "failed to read the configuration none.yaml");
    }

    #[test]
    fn a_file_below_the_working_directory_has_a_short_name() {
        let (_dir, root) = tree(&["work/inner/.progrc.yaml", "work/inner/.progrc.yml"]);
        assert_eq!(found(&root, None, &[]).unwrap().name, ".progrc.yaml");
        std::fs::remove_file(root.join("work/inner/.progrc.yaml")).unwrap();
        std::fs::create_dir(root.join("work/inner/.progrc.yaml")).unwrap();
        assert_eq!(found(&root, None, &[]).unwrap().name, ".progrc.yml");
    }

    #[test]
    fn the_user_directory_follows_the_specification() {
        let home = Path::new("/home/a");
        let with = |value: &str| {
            let value = OsString::from(value);
            user_directory(move |name| (name == "XDG_CONFIG_HOME").then(|| value.clone()), Some(home))
        };
        let standard = Some(home.join(".config"));
        assert_eq!(with("relative"), standard);
        assert_eq!(with(""), standard);
        assert_eq!(user_directory(|_| None, None), None);
        if cfg!(unix) {
            assert_eq!(with("/x"), Some(PathBuf::from("/x")));
        }
    }
}
