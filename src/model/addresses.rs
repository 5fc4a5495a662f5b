//! Where an address of the outside is written down: configuration, variables, arguments.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::inventory::{Inventory, is_top_level};
use super::object::{Subject, pointer};

/// A place that names an address. The value itself is never kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// The object.
    pub object: Subject,
    /// Where in it.
    pub pointer: String,
}

/// Where each of these IP addresses and host names is written, in all namespaces that were read.
/// One walk over all values, however many addresses there are.
pub fn hits(inventory: &Inventory, addresses: &BTreeSet<String>) -> BTreeMap<String, Vec<Hit>> {
    let Some(search) = Search::new(addresses) else {
        return BTreeMap::new();
    };
    let mut out: BTreeMap<String, Vec<Hit>> = BTreeMap::new();
    let mut look = |text: &str, object: &Subject, at: &dyn Fn() -> String| {
        for address in search.found(text) {
            out.entry(address).or_default().push(Hit { object: object.clone(), pointer: at() });
        }
    };
    for map in inventory.config_maps.iter() {
        for (key, text) in &map.data {
            look(text, &map.subject, &|| pointer("/data", &[key]));
        }
    }
    for service in inventory.services.iter() {
        let name = service.spec.external_name.as_deref().unwrap_or_default();
        look(name, &service.subject, &|| "/spec/externalName".to_owned());
    }
    for workload in inventory.workloads.iter().filter(|workload| is_top_level(workload)) {
        let Some(template) = workload.template() else { continue };
        let spec = workload.pod_spec_pointer();
        for (list, index, container) in template.spec.all_containers() {
            let base = pointer(&spec, &[list, &index.to_string()]);
            for (at, variable) in container.env.iter().enumerate() {
                let text = variable.value.as_deref().unwrap_or_default();
                look(text, &workload.subject, &|| pointer(&base, &["env", &at.to_string(), "value"]));
            }
            for (field, words) in [("args", &container.args), ("command", &container.command)] {
                for (at, word) in words.iter().enumerate() {
                    look(word, &workload.subject, &|| pointer(&base, &[field, &at.to_string()]));
                }
            }
        }
    }
    out
}

/// All addresses in one pattern.
struct Search(Regex);

impl Search {
    fn new(addresses: &BTreeSet<String>) -> Option<Self> {
        let mut longest_first: Vec<String> =
            addresses.iter().filter(|address| !address.is_empty()).map(|address| regex::escape(address)).collect();
        longest_first.sort_by_key(|address| std::cmp::Reverse(address.len()));
        if longest_first.is_empty() {
            return None;
        }
        Regex::new(&format!("(?i)(?:{})", longest_first.join("|"))).ok().map(Self)
    }

    /// The addresses in a text, each once; `10.0.0.1` does not stand in `10.0.0.12` or `110.0.0.1`.
    fn found(&self, text: &str) -> BTreeSet<String> {
        let part_of_more = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        self.0
            .find_iter(text)
            .filter(|found| {
                let before = text[..found.start()].chars().next_back();
                let after = text[found.end()..].chars().next();
                !part_of_more(before) && !part_of_more(after)
            })
            .map(|found| found.as_str().to_ascii_lowercase())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_whole() {
        let search = Search::new(&["203.0.113.7", "lb.example.com"].map(str::to_owned).into()).unwrap();
        for text in ["http://203.0.113.7:80/x", "a,203.0.113.7", "api.203.0.113.7.nip.io", "https://LB.example.com/"] {
            assert_eq!(search.found(text).len(), 1, "{text}");
        }
        for text in ["203.0.113.70", "1203.0.113.7", "xlb.example.com", "lb.example.community"] {
            assert!(search.found(text).is_empty(), "{text}");
        }
    }
}
