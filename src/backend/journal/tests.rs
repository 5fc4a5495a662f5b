use std::fs;

use super::*;
use crate::model::ObjectRef;
use crate::plan::change::between;

fn temporary() -> (tempfile::TempDir, Journal) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::new(dir.path());
    (dir, journal)
}

fn begin() -> Begin {
    Begin { schema: SCHEMA, command: "fix".to_owned(), cluster: "c".to_owned(), ..Begin::default() }
}

fn end() -> Record {
    Record::End { status: "done".to_owned(), time: jiff::Timestamp::UNIX_EPOCH }
}

fn intent() -> Record {
    Record::Intent(Intent {
        step: 0,
        takes_back: None,
        undoes: None,
        awaits: Vec::new(),
        rule: "rule".to_owned(),
        title: "title".to_owned(),
        verb: Verb::Patch,
        object: ObjectRef::new("v1", "ConfigMap", Some("a"), "b"),
        subresource: None,
        changes: Vec::new(),
        derived: Vec::new(),
        owners: Vec::new(),
        hand_back: None,
        manifest: None,
        change_id: None,
        written: None,
        resource_version: None,
        irreversible: None,
        time: jiff::Timestamp::UNIX_EPOCH,
    })
}

#[test]
fn records_are_appended_and_read_back() {
    let (_dir, journal) = temporary();
    let mut writer = journal.begin("c", begin()).unwrap();
    let path = journal.files().unwrap().pop().unwrap();
    let mut before = fs::read(&path).unwrap();
    for record in [intent(), Record::Result(StepResult::new(0, Outcome::Applied)), end()] {
        writer.write(&record).unwrap();
        let now = fs::read(&path).unwrap();
        assert!(now.starts_with(&before) && now.len() > before.len(), "what was written stays");
        before = now;
    }
    drop(writer);
    let (entries, bad) = journal.entries().unwrap();
    assert!(bad.is_empty());
    assert_eq!((entries[0].status(), entries[0].applied().count()), ("done", 1));
}

#[test]
fn an_entry_is_found_by_as_much_of_its_id_as_is_its_own() {
    let (_dir, journal) = temporary();
    let ids = [(); 2].map(|()| journal.begin("c", begin()).unwrap().id().to_owned());
    assert_eq!(journal.entry(&ids[1].to_lowercase()).unwrap().begin.id, ids[1]);
    let shared: String = ids[0].chars().zip(ids[1].chars()).map_while(|(a, b)| (a == b).then_some(a)).collect();
    let refused = journal.entry(&shared).unwrap_err().to_string();
    assert_eq!(refused, format!("{shared} is the beginning of 2 journal entries: type more of it"));
    assert_eq!(journal.entry("").unwrap_err().to_string(), "no journal entry ");
}

#[test]
fn a_torn_last_line_is_left_out_and_nothing_glues_to_it() {
    let (_dir, journal) = temporary();
    let mut writer = journal.begin("c", begin()).unwrap();
    writer.write(&intent()).unwrap();
    drop(writer);
    let path = journal.files().unwrap().pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend(b"{\"record\":\"res");
    fs::write(&path, bytes).unwrap();
    let (entries, bad) = journal.entries().unwrap();
    assert!(bad.is_empty());
    assert_eq!((entries[0].status(), entries[0].open().count()), ("open", 1));
    let mut writer = journal.reopen(&entries[0]).unwrap();
    writer.write(&Record::Result(StepResult::new(0, Outcome::NotApplied))).unwrap();
    writer.write(&end()).unwrap();
    drop(writer);
    assert_eq!(journal.entries().unwrap().0[0].status(), "done");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().all(|line| serde_json::from_str::<Record>(line).is_ok()), "{text}");
}

#[test]
fn an_entry_runs_as_long_as_its_writer_lives() {
    let (_dir, journal) = temporary();
    let writer = journal.begin("c", begin()).unwrap();
    let entry = journal.entries().unwrap().0.remove(0);
    assert_eq!((entry.status(), entry.is_open()), ("running", false));
    assert!(matches!(journal.reopen(&entry), Err(JournalError::Running(_))));
    drop(writer);
    let entry = journal.entries().unwrap().0.remove(0);
    assert_eq!((entry.status(), entry.is_open()), ("open", true));
    let writer = journal.reopen(&entry).unwrap();
    assert!(journal.reopen(&entry).is_err(), "nobody settles it twice at a time");
    drop(writer);
}

#[test]
fn records_of_a_newer_version_are_refused() {
    let (_dir, journal) = temporary();
    drop(journal.begin("c", begin()).unwrap());
    let path = journal.files().unwrap().pop().unwrap();
    let newer = fs::read_to_string(&path).unwrap().replacen("\"schema\":1", "\"schema\":2", 1);
    fs::write(&path, &newer).unwrap();
    let (entries, bad) = journal.entries().unwrap();
    assert!(entries.is_empty());
    let message = bad[0].to_string();
    assert!(message.ends_with("was written by a newer version (schema 2)"), "{message}");
    assert!(journal.entry(path.file_stem().unwrap().to_str().unwrap()).is_err());
    drop(journal.begin("c", begin()).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), newer, "it is left as it is");
}

#[test]
fn a_line_that_is_no_record_is_named() {
    let (_dir, journal) = temporary();
    let mut writer = journal.begin("c", begin()).unwrap();
    writer.write(&end()).unwrap();
    drop(writer);
    let path = journal.files().unwrap().pop().unwrap();
    let text = fs::read_to_string(&path).unwrap().replacen("{\"record\":\"end\"", "{\"record\":\"none\"", 1);
    fs::write(&path, text).unwrap();
    let (_, bad) = journal.entries().unwrap();
    assert!(bad[0].to_string().ends_with(".jsonl:2 is not a journal record"), "{}", bad[0]);
}

#[test]
fn old_entries_go_beyond_the_newest_and_never_an_open_one() {
    let (_dir, journal) = temporary();
    drop(journal.begin("c", begin()).unwrap());
    let first = journal.files().unwrap().pop().unwrap();
    let text = fs::read_to_string(&first).unwrap();
    let folder = first.parent().unwrap().to_owned();
    fs::remove_file(&first).unwrap();
    let day = 24 * 3600 * 1000;
    let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap();
    let closed = text.clone() + &serde_json::to_string(&end()).unwrap() + "\n";
    let make = |age: u64, text: &str| {
        let id = ulid::Ulid::from_parts(now - age, 7).to_string();
        fs::write(folder.join(format!("{id}.jsonl")), text.replace(&journal_id(text), &id)).unwrap();
        id
    };
    let open = make(300 * day, &text);
    let gone: Vec<String> = (0..3).map(|n| make(200 * day + n, &closed)).collect();
    let young: Vec<String> = (0..3).map(|n| make(10 * day + n, &closed)).collect();
    for number in 0..KEEP as u64 {
        make(day + number, &closed);
    }
    drop(journal.begin("c", begin()).unwrap());
    let ids: Vec<String> = journal.entries().unwrap().0.into_iter().map(|entry| entry.begin.id).collect();
    assert!(ids.contains(&open), "it is still to be settled");
    assert!(young.iter().all(|id| ids.contains(id)), "they are younger than 90 days");
    assert!(gone.iter().all(|id| !ids.contains(id)));
    assert_eq!(ids.len(), 1 + young.len() + KEEP + 1);
}

fn journal_id(text: &str) -> String {
    let begin: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    begin["id"].as_str().unwrap().to_owned()
}

fn web() -> ObjectRef {
    ObjectRef::new("apps/v1", "Deployment", Some("a"), "web")
}

/// Writes an entry with these applied steps; its ID.
fn write(journal: &Journal, begin: Begin, steps: &[Intent], end: &str) -> String {
    let mut writer = journal.begin(&begin.cluster.clone(), begin).unwrap();
    for intent in steps {
        writer.write(&Record::Intent(intent.clone())).unwrap();
        writer.write(&Record::Result(StepResult::new(intent.step, Outcome::Applied))).unwrap();
    }
    writer.write(&Record::End { status: end.to_owned(), time: jiff::Timestamp::now() }).unwrap();
    writer.id().to_owned()
}

/// A step of a second that stands for its number.
fn at(step: usize, second: i64) -> Intent {
    let Record::Intent(intent) = intent() else { panic!("it is one") };
    Intent { step, time: jiff::Timestamp::from_second(second).unwrap(), ..intent }
}

fn restart(step: usize, second: i64) -> Intent {
    let annotated = serde_json::json!({"spec": {"template": {"metadata": {"annotations": {"at": "1"}}}}});
    let bare = serde_json::json!({"spec": {"template": {"metadata": {"annotations": {}}}}});
    Intent { object: web(), changes: between(&bare, &annotated), ..at(step, second) }
}

#[test]
fn what_an_undo_has_taken_back_is_known_until_the_undo_is_undone() {
    let (_dir, journal) = temporary();
    let fix = write(&journal, begin(), &[at(0, 1), at(1, 2)], "done");
    let standing =
        |id: &str| -> Vec<usize> { journal.entry(id).unwrap().standing().map(|step| step.intent.step).collect() };
    assert_eq!(standing(&fix), [0, 1]);
    let undo = |undoes: &str, step: usize, end: &str| {
        let begin = Begin { command: "undo".to_owned(), undoes: Some(undoes.to_owned()), ..begin() };
        write(&journal, begin, &[Intent { undoes: Some(step), ..at(0, 3) }], end)
    };
    let cut_off = undo(&fix, 1, "interrupted");
    assert_eq!(standing(&fix), [0]);
    assert!(!journal.entry(&fix).unwrap().is_undone);
    undo(&cut_off, 0, "done");
    assert_eq!(standing(&fix), [0, 1], "it is there again");
    assert_eq!(standing(&cut_off), [0; 0]);
    undo(&fix, 0, "done");
    assert!(journal.entry(&fix).unwrap().is_undone);
}

#[test]
fn an_object_that_an_undo_has_made_again_is_the_one_that_was_changed_before() {
    let (_dir, journal) = temporary();
    let of = |verb: Verb, uid: Option<&str>, undoes: Option<usize>, step: usize| {
        let object = ObjectRef { uid: uid.map(str::to_owned), ..at(0, 1).object };
        Intent { verb, object, undoes, ..at(step, 1) }
    };
    let patch = |step| of(Verb::Patch, Some("first"), None, step);
    let fix = write(&journal, begin(), &[patch(0), of(Verb::Delete, Some("first"), None, 1)], "done");
    let other = write(&journal, begin(), &[patch(0)], "done");
    let makes_again = |undoes: &str, step: usize, uid: &str| {
        let begin = Begin { command: "undo".to_owned(), undoes: Some(undoes.to_owned()), ..begin() };
        let mut writer = journal.begin("c", begin).unwrap();
        writer.write(&Record::Intent(of(Verb::Create, None, Some(step), 0))).unwrap();
        let result = StepResult { uid: Some(uid.to_owned()), ..StepResult::new(0, Outcome::Applied) };
        writer.write(&Record::Result(result)).unwrap();
        writer.id().to_owned()
    };
    let is_about = |id: &str, uid: &str| journal.entry(id).unwrap().steps[0].is_about(Some(uid));
    assert!(is_about(&fix, "first") && !is_about(&fix, "second"), "somebody has made it");
    let undo = makes_again(&fix, 1, "second");
    assert!(is_about(&fix, "second") && is_about(&other, "second"), "while the undo runs, too");
    assert!(!is_about(&fix, "third"));
    // The undo is undone, and that is undone.
    let begin = Begin { command: "undo".to_owned(), undoes: Some(undo), ..begin() };
    let redo = write(&journal, begin, &[of(Verb::Delete, Some("second"), Some(0), 0)], "done");
    makes_again(&redo, 0, "third");
    assert!(is_about(&fix, "third") && is_about(&other, "third"));
}

#[test]
fn an_entry_is_open_until_pods_read_what_it_wrote() {
    let value = Intent { awaits: vec![web()], ..at(0, 10) };
    let (_dir, journal) = temporary();
    let id = write(&journal, begin(), std::slice::from_ref(&value), "interrupted");
    let is_open = || journal.entry(&id).unwrap().is_open();
    assert!(is_open());
    write(&journal, begin(), &[restart(0, 9)], "done");
    assert!(is_open(), "a restart before it");
    write(&journal, Begin { cluster: "other".to_owned(), ..begin() }, &[restart(0, 11)], "done");
    assert!(is_open(), "a workload of the same name on another cluster");
    write(&journal, begin(), &[restart(0, 11)], "done");
    assert!(!is_open());

    let whole = write(&journal, begin(), &[value, restart(1, 11)], "done");
    assert!(!journal.entry(&whole).unwrap().is_open());
}

#[test]
fn a_restart_that_is_not_needed_closes_an_entry() {
    let (_dir, journal) = temporary();
    let id = write(&journal, begin(), &[Intent { awaits: vec![web()], ..at(0, 10) }], "interrupted");
    let mut writer = journal.reopen(&journal.entry(&id).unwrap()).unwrap();
    let (reason, time) = ("it is gone".to_owned(), jiff::Timestamp::now());
    writer.write(&Record::NoRestart { step: 0, object: web(), reason, time }).unwrap();
    drop(writer);
    assert!(journal.entry(&id).unwrap().is_settled());
}
