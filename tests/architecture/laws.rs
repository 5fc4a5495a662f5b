//! What only one room of the house may do: print, name a colour, read the environment, touch
//! the world; and what the pure modules never do.

use crate::source::{Source, starts_with};

/// Where in `src/` a law holds.
enum Rooms {
    /// Everywhere but here.
    AllBut(&'static [&'static str]),
    /// Here alone.
    Only(&'static [&'static str]),
}

/// One law: words and paths that are not written in some rooms.
pub(crate) struct Law {
    says: &'static str,
    rooms: Rooms,
    /// Sequences of tokens.
    tokens: &'static [&'static [&'static str]],
    /// Neighbours in a path; `*` in the source is a name like any other.
    paths: &'static [&'static [&'static str]],
}

const PURE: &[&str] = &["src/model", "src/fix", "src/finding", "src/rules", "src/audit", "src/plan", "src/report"];

pub(crate) const LAWS: [Law; 5] = [
    Law {
        says: "only src/cli/ui.rs prints",
        rooms: Rooms::AllBut(&["src/cli/ui"]),
        tokens: &[
            &["println", "!"],
            &["print", "!"],
            &["eprintln", "!"],
            &["eprint", "!"],
            &["dbg", "!"],
            &["stdout", "(", ")"],
            &["stderr", "(", ")"],
        ],
        paths: &[],
    },
    Law {
        says: "only src/cli/style.rs names a colour",
        rooms: Rooms::AllBut(&["src/cli/style"]),
        tokens: &[],
        paths: &[&["AnsiColor"], &["Ansi256Color"], &["RgbColor"], &["Color"]],
    },
    Law {
        says: "only src/main.rs and src/cli/args read the environment",
        rooms: Rooms::AllBut(&["src/main", "src/cli/args"]),
        tokens: &[],
        paths: &[
            &["env", "var"],
            &["env", "var_os"],
            &["env", "vars"],
            &["env", "vars_os"],
            &["env", "args"],
            &["env", "args_os"],
            &["env", "home_dir"],
            &["env", "temp_dir"],
            &["env", "*"],
        ],
    },
    Law {
        says: "only src/backend opens files, sockets and processes",
        rooms: Rooms::AllBut(&["src/backend"]),
        tokens: &[
            &[".", "exists", "(", ")"],
            &[".", "is_file", "(", ")"],
            &[".", "is_dir", "(", ")"],
            &[".", "read_dir", "(", ")"],
        ],
        paths: &[
            &["std", "fs"],
            &["tokio", "fs"],
            &["std", "net", "*"],
            &["tokio", "net"],
            &["process", "Command"],
            &["File"],
            &["OpenOptions"],
            &["TcpStream"],
            &["TcpListener"],
            &["UdpSocket"],
            &["UnixStream"],
        ],
    },
    Law {
        says: "the pure modules know no clock, no chance, no input and no waiting",
        rooms: Rooms::Only(PURE),
        tokens: &[&["async"], &["await"], &["stdin", "(", ")"]],
        paths: &[
            &["Instant", "now"],
            &["SystemTime", "now"],
            &["Timestamp", "now"],
            &["Zoned", "now"],
            &["Ulid", "new"],
            &["tokio"],
            &["futures"],
        ],
    },
];

/// Holds in tests too.
pub(crate) const NO_ALLOW: Law = Law {
    says: "an exception is `#[expect(…, reason)]`, never `allow`",
    rooms: Rooms::AllBut(&[]),
    tokens: &[&["[", "allow", "("], &[",", "allow", "("]],
    paths: &[],
};

impl Law {
    /// The places where the file breaks the law.
    pub(crate) fn violations(&self, source: &Source) -> Vec<String> {
        if !self.holds_in(&source.path) {
            return Vec::new();
        }
        let tokens = &source.tokens;
        let written = (0..tokens.len())
            .filter(|at| self.tokens.iter().any(|texts| starts_with(&tokens[*at..], texts)))
            .map(|at| tokens[at].line);
        let named = source.paths().into_iter().filter(|n| self.names(&n.segments)).map(|n| n.line);
        let lines = written.chain(named);
        lines.map(|line| format!("{}:{line}: {}", source.path, self.says)).collect()
    }

    fn holds_in(&self, path: &str) -> bool {
        let stands_in = |rooms: &[&str]| rooms.iter().any(|room| within(path, room));
        match self.rooms {
            Rooms::AllBut(rooms) => !stands_in(rooms),
            Rooms::Only(rooms) => stands_in(rooms),
        }
    }

    fn names(&self, segments: &[String]) -> bool {
        let mut pairs = self.paths.iter();
        pairs.any(|names| segments.windows(names.len()).any(|part| part == *names))
    }
}

/// Whether the file is the room or stands in it: `src/cli/ui` is `ui.rs` and `ui/`.
fn within(path: &str, room: &str) -> bool {
    path.strip_prefix(room).is_some_and(|rest| rest.starts_with(['.', '/']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, text: &str) -> Vec<usize> {
        let source = Source::new(path, text);
        let broken = LAWS.iter().chain([&NO_ALLOW]).enumerate().filter(|(_, law)| !law.violations(&source).is_empty());
        broken.map(|(index, _)| index).collect()
    }

    #[test]
    fn every_law_can_be_broken() {
        for (law, path, text) in [
            (0, "src/report/table.rs", "fn a() { println!(\"x\"); }"),
            (0, "src/cli/uint.rs", "fn a() { std::io::stdout().flush(); }"),
            (1, "src/cli/prompt.rs", "use anstyle::{AnsiColor, Style};"),
            (1, "src/cli/prompt.rs", "const A: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(x)));"),
            (2, "src/cli/fix.rs", "fn a() { std::env::var(\"HOME\"); }"),
            (2, "src/backend/mod.rs", "use std::{env::{self, var_os}, path};"),
            (3, "src/main.rs", "use std::fs;"),
            (3, "src/main.rs", "use std::{io, fs::File};"),
            (3, "src/cli/emit.rs", "fn a(path: &Path) { path.exists(); }"),
            (3, "src/cli/emit.rs", "use tokio::net::TcpStream;"),
            (3, "src/cli/emit.rs", "use std::process::{Command, ExitCode};"),
            (4, "src/rules/pdb.rs", "async fn a() {}"),
            (4, "src/fix.rs", "fn a() { jiff::Timestamp::now(); }"),
            (5, "src/backend/mod.rs", "#[allow(dead_code)] fn a() {}"),
            (5, "src/lib.rs", "#![allow(clippy::all)]"),
            (5, "src/lib.rs", "#[cfg_attr(test, allow(dead_code))]"),
        ] {
            assert_eq!(broken(path, text), [law], "{path}: {text}");
        }
    }

    #[test]
    fn each_room_keeps_its_trade() {
        for (path, text) in [
            ("src/cli/ui.rs", "fn a() { println!(\"x\"); stderr().lock(); }"),
            ("src/cli/style/diff.rs", "use anstyle::AnsiColor;"),
            ("src/cli/args.rs", "fn a() { env::var_os(\"KUBECONFIG\"); }"),
            ("src/backend/journal.rs", "async fn a() { tokio::fs::read(x).await; } use std::fs::File;"),
            ("src/backend/mod.rs", "fn a() { Command::new(x).stdout(Stdio::piped()); }"),
            ("src/report/table.rs", "fn a() { writeln!(out, \"println!()\"); env!(\"CARGO_PKG_VERSION\"); }"),
            ("src/finding.rs", "#[expect(dead_code, reason = \"allow(x)\")] fn allow(a: u8) {}"),
        ] {
            assert_eq!(broken(path, text), [], "{path}: {text}");
        }
    }
}
