//! The krew manifest, its template, the release script and the completion shim.
//!
//! The rules are those of krew's own validation and of the reviewers of its index; the
//! installation repeats what krew does with an archive. Nothing here needs a network.
#![cfg(unix)]

mod manifest;
mod release;

use std::fs;
use std::path::Path;

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// The release of this package.
const TAG: &str = concat!("v", env!("CARGO_PKG_VERSION"));

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).expect(path)
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("a YAML document")
}

fn krew_manifest() -> Value {
    yaml(&read("krew-manifest.yaml"))
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
