//! What is known of the whole inventory.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Others;
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
    pub(super) routes: Arc<Routes>,
    pub(super) scrapes: Arc<Scrapes>,
    /// By workload what policies let out to it.
    pub(super) permits: BTreeMap<usize, Vec<Permit>>,
    pub(super) called_by_api_server: BTreeMap<(String, String), Subject>,
    pub(super) enforcement: Enforcement,
    /// The workloads with addresses in Secrets.
    pub(super) hidden: Others,
}

impl Known {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let references = inventory.references();
        let mut hidden = Others::default();
        for (position, workload) in
            inventory.workloads.iter().enumerate().filter(|(_, workload)| is_top_level(workload))
        {
            if let Some(value) = references.hidden(position).first() {
                let text = format!("{} ({value})", workload.subject.short());
                hidden.push(workload.namespace(), position, text);
            }
        }
        Self {
            references,
            routes: inventory.routes(),
            scrapes: inventory.scrapes(),
            permits: permits::by_peer(inventory, "Egress"),
            called_by_api_server: isolation::called_by_api_server(inventory),
            enforcement: plugin::enforcement(inventory),
            hidden,
        }
    }
}
