//! "Did you mean": the known word that is nearest to an unknown one.

/// How alike two words must be, as clap does it: Jaro similarity from 0 to 1.
const ALIKE: f64 = 0.7;
/// More known words than this are not listed.
const LISTED: usize = 12;

/// The known word that is nearest to `word`, if one is near; the first of equals.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for candidate in known {
        let alike = strsim::jaro(&word, &candidate.to_lowercase());
        if alike > ALIKE && best.is_none_or(|(most, _)| alike > most) {
            best = Some((alike, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The end of a message about an unknown word: the nearest known one, else the known ones if they
/// are few.
pub fn instead_of(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(candidate) => format!("; did you mean `{candidate}`?"),
        None if known.is_empty() || known.len() > LISTED => String::new(),
        None => format!("; known: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_proposed() {
        let known = ["missing-pdb", "missing-probes", "insecure-flag"];
        assert_eq!(nearest("missing-pbd", known), Some("missing-pdb"));
        assert_eq!(nearest("Insecure-Flags", known), Some("insecure-flag"));
        assert_eq!(nearest("xyz", known), None);
        assert_eq!(instead_of("xyz", &["style"]), "; known: style");
        assert_eq!(instead_of("styl", &["style"]), "; did you mean `style`?");
        assert_eq!(instead_of("xyz", &[]), "");
    }
}
