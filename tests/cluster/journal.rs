//! The journal on a disk that is full, and what `history` says of it.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{ControlPlane, Finished, TestNamespace};
use crate::scene::{assert_guarded, deployment, history, report, writes};

const FIX: &[&str] = &["fix", "--yes", "--select=missing-pdb"];
const BUDGETS: &str = "policy/v1/poddisruptionbudgets";

fn unprotected(prefix: &str) -> TestNamespace {
    let ns = ControlPlane::bare().namespace(prefix);
    ns.apply(&deployment("web", 3));
    ns
}

/// Runs the plugin with a limit on the size of its files.
fn run_limited(ns: &TestNamespace, bytes: usize) -> Finished {
    let plugin = ns.progrc(FIX).command();
    let mut command = Command::new("/bin/sh");
    // Without the trap the signal ends the program; a full disk sends none.
    command.args(["-c", "trap '' XFSZ; exec prlimit --fsize=\"$0\" \"$@\"", &bytes.to_string()]);
    command.arg(plugin.get_program()).args(plugin.get_args()).env_clear();
    command.envs(plugin.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.current_dir(ns.home()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Finished { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// Each size cuts the journal off at another place: nothing is sent that it does not hold, and
/// what it holds is settled afterwards.
#[test]
fn a_full_disk_stops_before_the_write() {
    let ns = unprotected("full");
    let mut ends = Vec::new();
    // Every record is longer than half of this, but for the last.
    for bytes in (0..).step_by(120) {
        let before = writes(&ns.requests()).len();
        let ended = run_limited(&ns, bytes);
        let sent = writes(&ns.requests()).len() - before;
        let made = ns.get(BUDGETS)["items"].as_array().unwrap().len();
        let said = format!("{bytes} bytes: {} {}", ended.stdout, ended.stderr);
        assert_eq!(sent, made, "{said}");
        ends.push(ended.code.unwrap());
        match ended.code {
            Some(2) => assert_eq!(sent, 0, "{said}"),
            Some(3) => assert_eq!(sent, 1, "{said}"),
            code => {
                assert_eq!((code, sent), (Some(0), 1), "{said}");
                break;
            }
        }
        ns.progrc(&["recover", "--yes"]).run().expect_code(0);
        let open = ns.progrc(&["history", "--open", "-o", "name"]).run().expect_code(0);
        assert_eq!(open.stdout, "", "{said}");
        let undone = ns.progrc(&["undo", "--yes"]).run();
        assert_eq!(undone.code, Some(if made == 1 { 0 } else { 2 }), "{said}{}{}", undone.stdout, undone.stderr);
        assert_eq!(ns.get(BUDGETS)["items"], json!([]), "{said}");
    }
    ends.dedup();
    assert_eq!(ends, [2, 3, 0], "before the intent, between intent and answer, and enough");
    assert_guarded(&ns.requests());
}

#[test]
fn history_is_filtered() {
    let ns = unprotected("filters");
    ns.progrc(FIX).run().expect_code(0);
    ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    let (_, ids) = history(&ns);
    let [undo, fix] = &ids[..] else { panic!("two entries") };
    let listed = |flags: &[&str]| {
        let listed = ns.progrc(&[&["history", "-o", "name"], flags].concat()).run().expect_code(0).stdout;
        listed.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(listed(&[]), [undo.clone(), fix.clone()]);
    assert_eq!(listed(&["--command=fix"]), [fix.as_str()]);
    assert_eq!(listed(&["--command=undo,fix", "--rule=missing-pdb", "--since=1h", "-n", &ns.name]).len(), 2);
    for none in ["--rule=insecure-flag", "--since=0s", "--open", "-nelsewhere", "--context=elsewhere"] {
        assert_eq!(listed(&[none]), [""; 0], "{none}");
    }
    let wrong = ns.progrc(&["history", "--rule=missing-pdbs"]).run().expect_code(2);
    assert!(wrong.stderr.contains("did you mean `missing-pdb`?"), "{}", wrong.stderr);
    ns.progrc(&["history", fix, "--open"]).run().expect_code(2);
}

/// Other people's scripts read these.
#[test]
fn the_json_of_an_entry_has_these_members() {
    let ns = unprotected("json");
    ns.progrc(FIX).run().expect_code(0);
    let list = report(&ns.progrc(&["history", "-o", "json"]).run().expect_code(0));
    let entry = &list[0];
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        members(entry),
        "apiVersion kind id command time status cluster server context user planHash namespaces undoes unfinished steps"
    );
    assert_eq!(members(&entry["steps"][0]), "rule title action object state message irreversible changes");
    assert_eq!((&entry["apiVersion"], &entry["kind"]), (&json!("progrc.io/v1"), &json!("JournalEntry")));
    let one = report(&ns.progrc(&["history", entry["id"].as_str().unwrap(), "-o", "json"]).run().expect_code(0));
    assert_eq!(&one, entry);
}
