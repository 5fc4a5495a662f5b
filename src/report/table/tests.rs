use super::*;
use crate::report::samples::{objects, report_of};

fn show(lines: &[Line]) -> String {
    lines.iter().map(|line| line.text().trim_end().to_owned() + "\n").collect()
}

#[test]
fn print() {
    for width in [Some(40), Some(80), Some(120), None] {
        let options = Options { width, ..Options::default() };
        println!("{}\n=====", show(&table(&report_of(&objects(6), true), &options)));
        println!("{}\n=====", show(&explain_score(&report_of(&objects(6), true), &options)));
    }
    let options = Options { width: Some(80), wide: true, selection: "-f k8s".into() };
    println!("{}\n=====", show(&table(&report_of(&objects(6), false), &options)));
}
