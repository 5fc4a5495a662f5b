//! Files that are written from the code stand in the repository as the code writes them.
//! `BLESS=1 cargo test --test generated` writes them anew.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kubectl_progrc::cli::generate;

/// Directories that hold generated files and nothing else but [`WRITTEN`].
const GENERATED: [&str; 3] = ["completions", "docs/rules", "docs/schemas"];
/// Files in them that somebody wrote: what kubectl asks for completions.
const WRITTEN: [&str; 2] = ["completions/kubectl_complete-progrc", "completions/kubectl_complete-progrc.cmd"];

#[test]
fn generated_files_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wanted: BTreeMap<String, String> = generate::files().into_iter().collect();
    if std::env::var_os("BLESS").is_some() {
        for file in on_disk(root).keys().filter(|file| !wanted.contains_key(*file)) {
            fs::remove_file(root.join(file)).unwrap();
        }
        for (file, text) in &wanted {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), text).unwrap();
        }
    }
    let found = on_disk(root);
    let mut wrong: Vec<&String> =
        wanted.iter().filter(|(file, text)| found.get(*file) != Some(text)).map(|f| f.0).collect();
    wrong.extend(found.keys().filter(|file| !wanted.contains_key(*file)));
    assert!(wrong.is_empty(), "BLESS=1 cargo test --test generated writes anew: {wrong:#?}");
}

/// The files of the directories of [`GENERATED`], by path.
fn on_disk(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for dir in GENERATED {
        for entry in fs::read_dir(root.join(dir)).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if WRITTEN.contains(&format!("{dir}/{name}").as_str()) {
                continue;
            }
            // A checkout may have turned the ends of lines.
            let text = fs::read_to_string(root.join(dir).join(&name)).unwrap().replace("\r\n", "\n");
            found.insert(format!("{dir}/{name}"), text);
        }
    }
    found
}
