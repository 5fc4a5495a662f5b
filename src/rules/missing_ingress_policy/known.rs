//! What is known of the whole inventory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::inventory::is_top_level;
use crate::model::isolation;
use crate::model::permits::{self, Permit};
use crate::model::plugin::{self, Enforcement};
use crate::model::references::References;
use crate::model::routes::Routes;
use crate::model::scrapes::Scrapes;
use crate::model::{Inventory, Subject};

/// What is known of the whole inventory, computed once.
pub(super) struct Known {
    pub(super) references: Arc<References>,
    pub(super) routes: Routes,
    pub(super) scrapes: Scrapes,
    /// By workload what policies let out to it.
    pub(super) permits: BTreeMap<usize, Vec<Permit>>,
    pub(super) called_by_api_server: BTreeMap<(String, String), Subject>,
    pub(super) enforcement: Enforcement,
    /// By namespace the workloads with addresses in Secrets: position and text.
    pub(super) hidden: BTreeMap<String, Vec<(usize, String)>>,
}

impl Known {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let references = inventory.references();
        let mut hidden: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
        for (position, workload) in
            inventory.workloads.iter().enumerate().filter(|(_, workload)| is_top_level(workload))
        {
            if let Some(value) = references.hidden(position).first() {
                let text = format!("{} ({value})", workload.subject.short());
                hidden.entry(workload.namespace().to_owned()).or_default().push((position, text));
            }
        }
        Self {
            references,
            routes: Routes::of(inventory),
            scrapes: Scrapes::of(inventory),
            permits: permits::by_peer(inventory, "Egress"),
            called_by_api_server: isolation::called_by_api_server(inventory),
            enforcement: plugin::enforcement(inventory),
            hidden,
        }
    }
}
