//! The shape of the house is a law: the order of the modules, the size and the names of the
//! files, and which room does what.

mod laws;
mod order;
mod source;

use std::fs;
use std::path::Path;

use laws::{LAWS, NO_ALLOW};
use source::Source;

/// Lines of the longest file: a longer one is two ideas.
const LONGEST: usize = 400;
/// Names of modules that say nothing.
const EMPTY_NAMES: [&str; 7] = ["utils", "util", "helpers", "helper", "common", "types", "misc"];

/// All Rust files below a directory of the package, sorted.
fn sources(dir: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut left = vec![root.join(dir)];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).expect("a directory of the package") {
            let path = entry.expect("a readable directory").path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("a text file");
                let name = path.strip_prefix(root).expect("a file of the package");
                found.push(Source::new(&name.to_string_lossy().replace('\\', "/"), &text));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The order of the modules, as `src/lib.rs` gives it.
fn map() -> Vec<String> {
    let sources = sources("src");
    order::map(sources.iter().find(|s| s.path == "src/lib.rs").expect("a library"))
}

/// Why the file's length or name is refused.
fn misshapen(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    if source.lines > LONGEST {
        found.push(format!("{}: {} lines, at most {LONGEST}", source.path, source.lines));
    }
    let inline = source.tokens.windows(2).filter(|t| t[0].text == "mod").map(|t| t[1].text.clone());
    for name in source.module().into_iter().chain(inline) {
        if EMPTY_NAMES.contains(&name.as_str()) {
            found.push(format!("{}: the name {name} says nothing", source.path));
        }
    }
    found
}

#[test]
fn a_module_uses_only_what_stands_above_it() {
    let map = map();
    let found: Vec<_> = sources("src").iter().flat_map(|s| order::violations(&map, s)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_module_is_on_the_map() {
    let mut modules: Vec<_> = sources("src").iter().filter_map(|s| s.module().first().cloned()).collect();
    modules.dedup();
    let mut map = map();
    map.sort();
    modules.sort();
    modules.dedup();
    assert_eq!(modules, map);
}

#[test]
fn files_are_short_and_their_names_say_something() {
    let found: Vec<_> = ["src", "tests"].into_iter().flat_map(sources).flat_map(|s| misshapen(&s)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn each_room_does_its_own_work() {
    let sources: Vec<_> = sources("src").iter().map(Source::without_tests).collect();
    let found: Vec<_> = LAWS.iter().flat_map(|law| sources.iter().flat_map(|s| law.violations(s))).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_lint_is_allowed() {
    let found: Vec<_> = ["src", "tests"].into_iter().flat_map(sources).flat_map(|s| NO_ALLOW.violations(&s)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_misshapen_file_is_found() {
    let long = "\n".repeat(LONGEST + 1);
    assert_eq!(misshapen(&Source::new("src/model/object.rs", &long[1..])), Vec::<String>::new());
    assert_eq!(misshapen(&Source::new("src/model/object.rs", &long)).len(), 1);
    assert_eq!(misshapen(&Source::new("src/model/utils.rs", "")).len(), 1);
    assert_eq!(misshapen(&Source::new("src/common/a.rs", "mod helpers {}")).len(), 2);
}
