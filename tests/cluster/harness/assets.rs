//! Where the binaries of the control plane are.

use std::path::{Path, PathBuf};

/// The directory with the binaries: `KUBEBUILDER_ASSETS`, else what `make testenv` builds.
fn directory() -> PathBuf {
    match std::env::var_os("KUBEBUILDER_ASSETS") {
        Some(directory) if !directory.is_empty() => PathBuf::from(directory),
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).join("target/testenv/bin"),
    }
}

/// The path of a binary; panics with the command that builds it when it is missing.
pub(crate) fn binary(name: &str) -> PathBuf {
    let path = directory().join(name);
    assert!(
        path.is_file(),
        "the test control plane lacks {}: run `make testenv`, or point KUBEBUILDER_ASSETS to a \
         directory with etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl, \
         kwok and its stages",
        path.display()
    );
    path
}

/// The stages of kwok, its own and those of the tests, in a fixed order.
pub(crate) fn stages() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/stages");
    let mut files: Vec<PathBuf> = [directory().join("stages"), own]
        .iter()
        .flat_map(|folder| {
            std::fs::read_dir(folder).unwrap_or_else(|error| {
                panic!("failed to list the stages of kwok in {}: {error}; run `make testenv`", folder.display())
            })
        })
        .map(|entry| entry.expect("a listed folder stays readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}
