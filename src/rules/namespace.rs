//! Findings about a namespace.

use super::rule::Context;
use crate::finding::{Finding, Location};
use crate::model::Subject;

/// A finding about a namespace, with its owner if the Namespace was read.
pub(super) fn namespace_finding(context: &Context<'_>, namespace: &Subject, message: impl Into<String>) -> Finding {
    match context.inventory.namespaces.get("", "Namespace", &namespace.name) {
        Some(item) => context.finding(item, message).at(Location::at("/metadata/name")),
        None => context.finding_about(namespace, message),
    }
}
