//! Programs that a test runs: the plugin and kubectl, in a scrubbed environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use super::assets;
use super::wait::{WAIT, try_until};

/// The plugin under test.
pub(crate) const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-progrc");

/// A program about to run. It sees `PATH`, `HOME`, `KUBECONFIG` and `XDG_STATE_HOME`, nothing else.
#[derive(Debug)]
pub(crate) struct Invocation {
    program: PathBuf,
    args: Vec<OsString>,
    directory: PathBuf,
    env: BTreeMap<OsString, OsString>,
    stdin: String,
    limit: Duration,
}

/// A directory of its own with a link to the plugin: beside the binary cargo keeps files that kubectl
/// takes for plugins too.
fn linked_plugin(home: &Path) -> PathBuf {
    let directory = home.join("plugins");
    std::fs::create_dir_all(&directory).expect("the home of a test can be written");
    let link = directory.join("kubectl-progrc");
    if !link.exists() {
        // Another program of the same test may be linking at this moment.
        let _ = std::os::unix::fs::symlink(PLUGIN, &link);
    }
    directory
}

/// How a program ended.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    /// The exit code; none after a signal.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it said besides.
    pub(crate) stderr: String,
}

impl Invocation {
    /// kubectl with the credentials of a kubeconfig and `home` as home and working directory.
    /// It finds the plugin.
    pub(crate) fn kubectl(kubeconfig: &Path, home: &Path, args: &[&str]) -> Self {
        Self::new(assets::binary("kubectl"), kubeconfig, home, args)
    }

    /// The plugin itself.
    pub(crate) fn plugin(kubeconfig: &Path, home: &Path, args: &[&str]) -> Self {
        Self::new(PLUGIN.into(), kubeconfig, home, args)
    }

    /// A shell that finds kubectl and the plugin.
    pub(crate) fn shell(kubeconfig: &Path, home: &Path, args: &[&str]) -> Self {
        Self::new("/bin/sh".into(), kubeconfig, home, args)
    }

    fn new(program: PathBuf, kubeconfig: &Path, home: &Path, args: &[&str]) -> Self {
        let plugin = linked_plugin(home);
        let kubectl = assets::binary("kubectl");
        let tools = kubectl.parent().expect("a binary is in a directory");
        let system = ["/usr/local/bin", "/usr/bin", "/bin"].map(Path::new);
        let path = std::env::join_paths([plugin.as_path(), tools].into_iter().chain(system));
        Self {
            program,
            args: args.iter().map(OsString::from).collect(),
            directory: home.to_owned(),
            env: BTreeMap::new(),
            stdin: String::new(),
            limit: WAIT,
        }
        .env("PATH", path.expect("no directory has a colon in its name"))
        .env("HOME", home)
        .env("XDG_STATE_HOME", home.join("state"))
        .env("KUBECONFIG", kubeconfig)
    }

    /// Sets one more variable, or another value.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(name.into(), value.as_ref().into());
        self
    }

    /// The text on standard input; without it the input is empty.
    pub(crate) fn stdin(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stdin);
        self
    }

    /// Another limit than [`WAIT`]: for a run that waits for several rollouts, one after the other.
    pub(crate) fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The command for those who drive it themselves: a pseudo-terminal, a signal.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(&self.directory).env_clear().envs(&self.env);
        command
    }

    /// Runs it to its end; panics when that takes longer than its limit.
    #[track_caller]
    pub(crate) fn run(self) -> Finished {
        let mut child = self
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start {}: {error}", self.program.display()));
        let mut input = child.stdin.take().expect("it is piped");
        let text = self.stdin.clone().into_bytes();
        // The program may end without reading all: that is its right.
        let writer = thread::spawn(move || drop(input.write_all(&text)));
        let stdout = collect(child.stdout.take().expect("it is piped"));
        let stderr = collect(child.stderr.take().expect("it is piped"));
        let limit = self.limit;
        let ended = try_until(limit, || match child.try_wait().expect("it is our child") {
            Some(status) => Ok(status),
            None => Err(String::new()),
        });
        if ended.is_err() {
            child.kill().expect("it is our child");
        }
        writer.join().expect("the writer does not panic");
        let stdout = stdout.join().expect("the reader does not panic");
        let stderr = stderr.join().expect("the reader does not panic");
        let Ok(status) = ended else {
            panic!("{:?} still ran after {limit:?}\nstdout:\n{stdout}\nstderr:\n{stderr}", self.args);
        };
        Finished { code: ExitStatus::code(&status), stdout, stderr }
    }
}

impl Finished {
    /// Itself, if the exit code is this one; panics with the output otherwise.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "stdout:\n{stdout}\nstderr:\n{stderr}");
        self
    }
}

/// Reads a pipe to its end, beside the others.
fn collect(mut pipe: impl std::io::Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
