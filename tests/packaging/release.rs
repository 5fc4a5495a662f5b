//! The release script: what it packs, when it refuses, and that krew can install the result.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::manifest::violations;
use crate::{ROOT, TAG, list, read, text, yaml};

/// A room for one test of the release script: a manifest of its own, a stand-in binary, an
/// output directory and a `gh` that writes down its arguments.
struct Release {
    dir: TempDir,
    manifest: PathBuf,
}

impl Release {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let manifest = dir.path().join("manifest.yaml");
        let sum = Regex::new("sha256: .*").expect("a pattern");
        let zeros = format!("sha256: \"{}\"", "0".repeat(64));
        fs::write(&manifest, sum.replace_all(&read("krew-manifest.yaml"), zeros.as_str()).as_ref())
            .expect("a writable directory");
        script(&dir.path().join("standin"), "echo stand-in");
        script(&dir.path().join("gh"), &format!("echo \"$@\" >{}/gh.log", dir.path().display()));
        Self { dir, manifest }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let path = std::env::var("PATH").expect("a PATH");
        Command::new(Path::new(ROOT).join("scripts/release.sh"))
            .args(arguments)
            .args(["--out", &self.path("out").display().to_string()])
            .args(["--manifest", &self.manifest.display().to_string()])
            .env("PATH", format!("{}:{path}", self.dir.path().display()))
            .env("SOURCE_DATE_EPOCH", "1767225600")
            .output()
            .expect("a shell")
    }

    /// Packs `binary` for `target`; the path of the archive.
    fn build(&self, target: &str, binary: &Path) -> PathBuf {
        let output = self.run(&["--target", target, "--binary", &binary.display().to_string()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    }

    fn platform(&self, index: usize) -> Value {
        let text = fs::read_to_string(&self.manifest).expect("the manifest");
        yaml(&text)["spec"]["platforms"][index].clone()
    }
}

fn script(path: &Path, body: &str) {
    fs::write(path, format!("#!/bin/sh\n{body}\n")).expect("a writable directory");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file of our own");
}

fn sum(path: &Path) -> String {
    let digest = Sha256::digest(fs::read(path).expect("an archive"));
    digest.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

const TARGETS: [&str; 5] = [
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
];

#[test]
fn publishing_waits_for_every_platform() {
    let release = Release::new();
    let refused = release.run(&["publish"]);
    assert_eq!(refused.status.code(), Some(1));
    release.build(TARGETS[0], &release.path("standin"));
    let refused = release.run(&["publish"]);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(message, "release: no archive was built for: linux-arm64 darwin-amd64 darwin-arm64 windows-amd64\n");
    assert!(!release.path("gh.log").exists());
}

#[test]
fn publishing_uploads_what_the_sums_say() {
    let release = Release::new();
    let archives: Vec<_> = TARGETS.map(|t| release.build(t, &release.path("standin"))).to_vec();
    let published = release.run(&["publish"]);
    assert!(published.status.success(), "{}", String::from_utf8_lossy(&published.stderr));
    let log = fs::read_to_string(release.path("gh.log")).unwrap();
    assert!(log.starts_with(&format!("release create {TAG} --verify-tag")));
    assert!(archives.iter().all(|a| log.contains(&a.display().to_string())));

    fs::write(&archives[2], "something else").unwrap();
    let refused = release.run(&["publish"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("does not match its sum"));
}

#[test]
fn an_archive_depends_on_its_files_alone() {
    let (first, second) = (Release::new(), Release::new());
    symlink(second.path("standin"), second.path("link")).unwrap();
    let one = first.build(TARGETS[0], &first.path("standin"));
    let two = second.build(TARGETS[0], &second.path("link"));
    assert_eq!(sum(&one), sum(&two));
    assert_eq!(text(&first.platform(0), "/sha256"), sum(&one));
}

#[test]
fn a_new_version_loses_the_old_sums() {
    let release = Release::new();
    let old = read("krew-manifest.yaml").replace(TAG, "v0.0.9");
    fs::write(&release.manifest, old.replace(&"0".repeat(64), &"a".repeat(64))).unwrap();
    release.build(TARGETS[0], &release.path("standin"));
    let now = fs::read_to_string(&release.manifest).unwrap();
    assert!(!now.contains("v0.0.9") && !now.contains(&"a".repeat(64)));
    assert_eq!(violations(&yaml(&now)), Vec::<String>::new());
}

/// What krew does with an archive: check its sum, unpack regular files only, move them by the
/// file operations into the store, and link the binary.
fn install(release: &Release, archive: &Path, platform: &Value, krew_root: &Path) -> PathBuf {
    assert_eq!(text(platform, "/sha256"), sum(archive));
    let listing = Command::new("tar").arg("-tvzf").arg(archive).output().expect("tar");
    for entry in String::from_utf8_lossy(&listing.stdout).lines() {
        assert!(entry.starts_with('-') && !entry.contains(".."), "krew refuses {entry}");
    }
    let unpacked = release.path("unpacked");
    let store = krew_root.join("store/progrc").join(TAG);
    for dir in [&unpacked, &store, &krew_root.join("bin")] {
        fs::create_dir_all(dir).expect("a writable directory");
    }
    let tar = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&unpacked).status();
    assert!(tar.expect("tar").success());
    for file in list(platform, "/files") {
        let name = text(file, "/from");
        fs::rename(unpacked.join(name), store.join(text(file, "/to")).join(name)).expect(name);
    }
    let link = krew_root.join("bin/kubectl-progrc");
    symlink(store.join(text(platform, "/bin")), &link).expect("a new link");
    link
}

#[test]
fn krew_can_install_the_archive() {
    let release = Release::new();
    let archive = release.build(TARGETS[0], Path::new(env!("CARGO_BIN_EXE_kubectl-progrc")));
    let krew_root = release.path("krew");
    let link = install(&release, &archive, &release.platform(0), &krew_root);
    let version = Command::new(link).arg("--version").env_clear().output().unwrap();
    assert!(version.status.success(), "{}", String::from_utf8_lossy(&version.stderr));
    let store = krew_root.join("store/progrc").join(TAG);
    assert_eq!(fs::read_to_string(store.join("LICENSE")).unwrap(), read("LICENSE"));
    assert_eq!(fs::read_dir(release.path("unpacked")).unwrap().count(), 0);
}

#[test]
fn the_shim_hands_every_word_to_the_plugin() {
    let dir = tempfile::tempdir().unwrap();
    script(&dir.path().join("kubectl-progrc"), "for word; do echo \"<$word>\"; done; exit 7");
    let shim = Path::new(ROOT).join("completions/kubectl_complete-progrc");
    let output = Command::new(shim).args(["fix", "a b", ""]).env("PATH", dir.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "<__complete>\n<fix>\n<a b>\n<>\n");
    assert_eq!(output.status.code(), Some(7));
}
