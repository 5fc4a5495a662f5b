//! The rules: one file each, one line here. Pure.

pub mod rule;
pub mod settings;
pub mod development;

use crate::finding::{Finding, Location};
use crate::model::Subject;
use rule::Rule;

/// Declares the module of each rule and the list of all of them.
macro_rules! registry {
    ($($module:ident),* $(,)?) => {
        $(pub mod $module;)*

        /// Every rule, in the order of their ids.
        pub static RULES: &[&Rule] = &[$(&$module::RULE),*];
    };
}

registry! {
    missing_limit_range,
    missing_pdb,
    missing_resource_quota,
}

pub use development::is_development;

/// A finding about a namespace, with its own marks if the Namespace was read.
fn namespace_finding(
    context: &rule::Context<'_>,
    namespace: &Subject,
    message: impl Into<String>,
) -> Finding {
    match context
        .inventory
        .namespaces
        .get("", "Namespace", &namespace.name)
    {
        Some(item) => context
            .finding(item, message)
            .at(Location::at("/metadata/name")),
        None => context.finding_about(namespace, message),
    }
}

/// A rule by its id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_sorted_and_named_once() {
        assert!(RULES.windows(2).all(|pair| pair[0].id < pair[1].id));
    }

    #[test]
    fn patterns_of_parameters_are_regular_expressions_that_their_defaults_match() {
        for parameter in RULES.iter().flat_map(|rule| rule.parameters) {
            let rejected = parameter.default.and_then(|default| parameter.reject(default));
            assert_eq!(rejected, None, "{}", parameter.key);
        }
    }
}
