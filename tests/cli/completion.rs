//! Completion: scripts, kubectl's protocol, the file that kubectl asks.

use std::path::Path;

use crate::run::{Home, PROGRAM, ended, kubectl};

/// The candidates for the last of these words, and the directive.
fn complete(words: &[&str]) -> (Vec<String>, String) {
    let all: Vec<&str> = ["__complete"].iter().chain(words).copied().collect();
    let ended = Home::new().run(&all).code(0);
    assert_eq!(ended.stderr, "");
    candidates(&ended.stdout)
}

fn candidates(out: &str) -> (Vec<String>, String) {
    let mut lines: Vec<&str> = out.lines().collect();
    let directive = lines.pop().expect("there is a directive").to_owned();
    (lines.iter().map(|line| line.split('\t').next().unwrap().to_owned()).collect(), directive)
}

#[test]
fn commands_come_first_and_flags_when_asked_for() {
    let (words, directive) = complete(&[""]);
    assert_eq!(directive, ":4");
    for command in ["audit", "diff", "fix", "undo", "history", "rules", "explain", "completion", "version"] {
        assert!(words.contains(&command.to_owned()), "{command}: {words:?}");
    }
    assert!(!words.iter().any(|word| word.starts_with('-') || word.starts_with('_')), "{words:?}");
    assert_eq!(complete(&["hi"]).0, ["history"]);
    let (flags, _) = complete(&["audit", "-"]);
    assert!(flags.contains(&"--select".to_owned()) && flags.contains(&"--context".to_owned()), "{flags:?}");
    assert_eq!(complete(&["audit", "--fail"]).0, ["--fail-on"]);
}

#[test]
fn values_are_offered() {
    assert!(complete(&["explain", "missing-p"]).0.contains(&"missing-pdb".to_owned()));
    assert_eq!(complete(&["audit", "--fail-on", ""]).0, ["critical", "high", "medium", "low", "never"]);
    assert_eq!(complete(&["audit", "-o", "j"]).0, ["json"]);
    let (words, _) = complete(&["audit", "--select", ""]);
    for word in ["missing-pdb", "security", "critical"] {
        assert!(words.contains(&word.to_owned()), "{words:?}");
    }
    assert_eq!(complete(&["fix", "--set", "missing-pdb."]).0, ["missing-pdb.style="]);
    assert_eq!(complete(&["completion", "z"]).0, ["zsh"]);
}

#[test]
fn what_can_not_be_known_is_no_error() {
    for words in [
        &["audit", "-n", ""][..],
        &["audit", "--context", ""],
        &["undo", ""],
        &["nothing", ""],
        &["audit", "--bad", ""],
        &[],
    ] {
        assert!(complete(words).1.starts_with(':'), "{words:?}");
    }
}

#[test]
fn descriptions_stand_behind_a_tab() {
    let out = Home::new().run(&["__complete", "audi"]).code(0).stdout;
    assert!(out.starts_with("audit\t") && out.ends_with("\n:4\n"), "{out:?}");
}

#[test]
fn files_are_offered_where_files_are_wanted() {
    let home = Home::new();
    home.write("manifests/web.yaml", "");
    let out = home.run(&["__complete", "audit", "-f", "mani"]).code(0).stdout;
    let (words, directive) = candidates(&out);
    assert_eq!((words, directive.as_str()), (vec!["manifests/".to_owned()], ":6"), "no space behind a directory");
}

#[test]
fn every_shell_gets_a_script() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ended = Home::new().run(&["completion", shell]).code(0);
        assert!(ended.stdout.contains("kubectl-progrc") && ended.stdout.contains("fail-on"), "{shell}");
        assert_eq!(ended.stderr, "");
    }
    Home::new().run(&["completion", "tcsh"]).refusal(&["tcsh", "bash", "install"]);
}

#[test]
fn installed_kubectl_completes_the_plugin() {
    let home = Home::new();
    home.run(&["completion", "install", "--dir", "bin"]).refusal(&["--yes"]);
    assert!(!home.path("bin").exists());
    let installed = home.run(&["completion", "install", "--dir", "bin", "--yes"]).code(0);
    assert_eq!(installed.stdout, "");
    assert!(installed.stderr.contains("kubectl_complete-progrc"), "{}", installed.stderr);

    let own = Path::new(PROGRAM).parent().unwrap();
    let path = [home.path("bin"), own.to_owned(), "/usr/bin".into(), "/bin".into()];
    let ask = |words: &[&str]| {
        let all: Vec<&str> = ["__complete", "progrc"].iter().chain(words).copied().collect();
        let mut command = home.command(&kubectl(), &all);
        candidates(&ended(command.env("PATH", std::env::join_paths(&path).unwrap())).code(0).stdout)
    };
    let (words, directive) = ask(&[""]);
    assert!(words.contains(&"audit".to_owned()) && words.contains(&"undo".to_owned()), "{words:?}");
    assert_eq!(directive, ":4");
    assert_eq!(ask(&["explain", "missing-pd"]).0, ["missing-pdb"]);
    assert!(ask(&["audit", "--se"]).0.contains(&"--select".to_owned()));
}

#[cfg(unix)]
#[test]
fn under_the_name_that_kubectl_asks_it_completes() {
    let home = Home::new();
    let link = home.path("kubectl_complete-progrc");
    std::os::unix::fs::symlink(PROGRAM, &link).unwrap();
    let out = ended(&mut home.command(&link, &["expl"])).code(0).stdout;
    assert_eq!(candidates(&out).0, ["explain"]);
}
