//! Measures reading: `cargo run --release --example read_manifests -- PATH…`.
//!
//! Reads the paths ten times, directories below included, and prints the best time.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::time::{Duration, Instant};

use kubectl_progrc::backend::manifests::{ReadError, ReadOptions, read};

fn main() -> Result<(), ReadError> {
    let options = ReadOptions { paths: std::env::args().skip(1).collect(), recursive: true, ..ReadOptions::default() };
    let mut best = Duration::MAX;
    let mut found = (0, 0);
    for _ in 0..10 {
        let start = Instant::now();
        let manifests = read(&options, &mut std::io::stdin())?;
        best = best.min(start.elapsed());
        found = (manifests.objects.len(), manifests.problems.len());
    }
    let (objects, problems) = found;
    println!("{objects} objects and {problems} problems in {} ms", best.as_millis());
    Ok(())
}
