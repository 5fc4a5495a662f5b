//! The program in an environment of its own: nothing of the machine's but `PATH`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_kubectl-progrc");

/// A home directory that is the working directory too, and vanishes with its test.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file; its directories are made.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A program with this home, the given words and nothing else but `PATH`.
    pub(crate) fn command(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(words)
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", std::env::join_paths(search_path()).unwrap())
            .env("HOME", self.0.path())
            .env("XDG_STATE_HOME", self.path("state"));
        command
    }

    /// The program under test.
    pub(crate) fn progrc(&self, words: &[&str]) -> Command {
        self.command(Path::new(PROGRAM), words)
    }

    /// Runs the program under test with an empty standard input.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        ended(&mut self.progrc(words))
    }
}

/// The plugin's directory, that of the test control plane's kubectl, and the system's.
fn search_path() -> Vec<PathBuf> {
    let own = Path::new(PROGRAM).parent().unwrap().to_owned();
    let system = ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from);
    [own, kubectl().parent().unwrap().to_owned()].into_iter().chain(system).collect()
}

/// The kubectl of the test control plane: that of `KUBEBUILDER_ASSETS`, else what `make testenv` builds.
pub(crate) fn kubectl() -> PathBuf {
    let directory = match std::env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty()) {
        Some(directory) => PathBuf::from(directory),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("target/testenv/bin"),
    };
    let path = directory.join("kubectl");
    assert!(path.is_file(), "there is no {}: run `make testenv`", path.display());
    path
}

/// The example namespace of the repository.
pub(crate) fn example() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/progrc-dev").to_str().unwrap().to_owned()
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; none after a signal.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it said besides.
    pub(crate) stderr: String,
}

impl Ended {
    /// Itself, if the exit code is this one.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// A refusal before any work: exit 2, one message on standard error that holds these words,
    /// and nothing else anywhere.
    #[track_caller]
    pub(crate) fn refusal(self, words: &[&str]) -> Self {
        let this = self.code(2);
        assert_eq!(this.stdout, "", "nothing is printed");
        assert_eq!(this.stderr.matches("error: ").count(), 1, "one message: {}", this.stderr);
        assert!(this.stderr.starts_with("error: "), "{}", this.stderr);
        this.is_clean();
        for word in words {
            assert!(this.stderr.contains(word), "{word:?} is not in {}", this.stderr);
        }
        this
    }

    /// No panic, and no control character but the end of a line reaches a terminal.
    #[track_caller]
    pub(crate) fn is_clean(&self) {
        let both = format!("{}{}", self.stdout, self.stderr);
        assert!(!both.contains("panicked"), "{both}");
        let bad = both.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(bad, None, "{both:?}");
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// Runs a command with an empty standard input.
pub(crate) fn ended(command: &mut Command) -> Ended {
    Ended::from(command.stdin(Stdio::null()).output().unwrap())
}

/// Runs a command with a text on standard input.
pub(crate) fn ended_with(command: &mut Command, input: &str) -> Ended {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, text) = (child.stdin.take().unwrap(), input.to_owned());
    // The program may end without reading all: that is its right.
    let writer = std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ended::from(output)
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}
