//! Workloads of a namespace beside one of them.

use std::collections::BTreeMap;

/// By namespace some of its workloads, each with a text.
#[derive(Default)]
pub(in crate::rules) struct Others(BTreeMap<String, Vec<(usize, String)>>);

impl Others {
    /// Adds a workload; they come in the order of their positions.
    pub(in crate::rules) fn push(&mut self, namespace: &str, position: usize, text: String) {
        let list = self.0.entry(namespace.to_owned()).or_default();
        debug_assert!(list.last().is_none_or(|(last, _)| *last < position), "positions rise");
        list.push((position, text));
    }

    /// The first few but this one, and how many more: `a, b and 2 more`. `None` if there are none.
    pub(in crate::rules) fn beside(&self, namespace: &str, position: usize, few: usize) -> Option<String> {
        let list = self.0.get(namespace)?;
        let is_listed = list.binary_search_by_key(&position, |(position, _)| *position).is_ok();
        let others = list.iter().filter(|(other, _)| *other != position);
        let shown: Vec<&str> = others.take(few).map(|(_, text)| text.as_str()).collect();
        match list.len() - usize::from(is_listed) - shown.len() {
            _ if shown.is_empty() => None,
            0 => Some(shown.join(", ")),
            more => Some(format!("{} and {more} more", shown.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_left_out_wherever_it_stands() {
        let mut others = Others::default();
        for (position, text) in [(2, "a"), (5, "b"), (7, "c")] {
            others.push("shop", position, text.to_owned());
        }
        let beside = |position, few| others.beside("shop", position, few);
        assert_eq!(beside(2, 1).as_deref(), Some("b and 1 more"));
        assert_eq!(beside(5, 1).as_deref(), Some("a and 1 more"));
        assert_eq!(beside(9, 2).as_deref(), Some("a, b and 1 more"));
        assert_eq!(beside(7, 3).as_deref(), Some("a, b"));
        assert_eq!(others.beside("else", 2, 3), None);
        others.push("else", 2, "d".to_owned());
        assert_eq!(others.beside("else", 2, 3), None);
    }
}
