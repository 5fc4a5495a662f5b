//! Which databases a namespace has, and whether anything saves them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::finding::Location;
use crate::model::allowance::active_workloads;
use crate::model::backups::{self, Backups, Cover};
use crate::model::databases::{self, Engine};
use crate::model::managed::{self, Addresses, Place, Use};
use crate::model::object::pointer;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, Subject, volumes};

/// A database that nothing saves.
pub(super) struct Unsaved {
    /// `StatefulSet/db (PostgreSQL)`, or the host.
    pub name: String,
    /// What makes it one, in words.
    pub reason: String,
    /// Where it stands.
    pub location: Location,
    /// True if only variables and a port say that it is one.
    pub inferred: bool,
    /// The workload and what it runs, for the template of a backup.
    pub runs: Option<(usize, Engine)>,
}

/// What is known about one database.
pub(super) enum State {
    Saved,
    Open(String),
    Unsaved(Box<Unsaved>),
}

impl State {
    pub(super) fn unsaved(&self) -> Option<&Unsaved> {
        match self {
            Self::Unsaved(database) => Some(database),
            _ => None,
        }
    }

    pub(super) fn open(&self) -> Option<String> {
        match self {
            Self::Open(reason) => Some(reason.clone()),
            _ => None,
        }
    }
}

/// What is gathered once for all databases.
pub(super) struct Evidence {
    backups: Arc<Backups>,
    /// A backup product whose rules are not read.
    product: Option<String>,
    /// The addresses of Services.
    addresses: Addresses,
}

impl Evidence {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let product = volumes::other_product(inventory);
        Self { backups: inventory.backups(), product, addresses: Addresses::of(inventory) }
    }
}

/// The audited namespaces that have workloads, or databases that an operator keeps.
pub(super) fn namespaces(inventory: &Inventory) -> Vec<Subject> {
    let mut names: BTreeSet<String> = inventory.audited_namespaces().iter().map(|n| n.name.clone()).collect();
    let operated = databases::operated_lists().into_iter().flat_map(|resource| inventory.other(resource));
    names.extend(operated.map(|item| item.namespace().to_owned()).filter(|name| inventory.scope.covers(name)));
    names.iter().map(|name| inventory.namespace_subject(name)).collect()
}

/// The databases of a namespace: those that run in it, those of operators, those outside.
pub(super) fn states(inventory: &Inventory, found: &Evidence, namespace: &str) -> Vec<State> {
    let mut out = Vec::new();
    let clusters: Vec<_> = databases::operated(inventory, namespace).collect();
    for (cluster, engine) in &clusters {
        out.push(of_operator(inventory, found, cluster, *engine));
    }
    for (position, workload) in active_workloads(inventory, namespace) {
        let Some(running) = databases::running(workload) else { continue };
        if clusters.iter().any(|(cluster, _)| databases::belongs_to(&workload.metadata, cluster)) {
            continue;
        }
        let at = pointer(&workload.pod_spec_pointer(), &[running.place.0, &running.place.1.to_string(), "image"]);
        let stable = pointer(&workload.pod_spec_pointer(), &[running.place.0, &running.container.name, "image"]);
        let signs = if running.inferred { "its variables and port" } else { "its image" };
        let unsaved = Unsaved {
            name: format!("{} ({})", workload.subject.short(), running.engine.word()),
            reason: format!("{signs}: {}", running.container.image),
            location: Location::at(at)
                .named(stable)
                .of(&workload.subject)
                .values(Some(running.container.image.clone().into()), None),
            inferred: running.inferred,
            runs: Some((position, running.engine)),
        };
        let cover = found.backups.of_workload(inventory, position, running.engine);
        out.push(judge(found, cover, || saved_claims(inventory, workload), unsaved));
    }
    let inside = !out.is_empty();
    out.extend(outside(inventory, found, namespace, inside));
    out
}

fn judge(found: &Evidence, cover: Cover, claims: impl Fn() -> bool, unsaved: Unsaved) -> State {
    match (cover, &found.product) {
        (Cover::By(_), _) => State::Saved,
        _ if claims() => State::Saved,
        (Cover::Maybe(reason), _) => State::Open(reason),
        (Cover::None, Some(product)) => State::Open(product.clone()),
        (Cover::None, None) => State::Unsaved(Box::new(unsaved)),
    }
}

/// True if the workload has claims and each of them has a backup.
fn saved_claims(inventory: &Inventory, workload: &Item<Workload>) -> bool {
    let claims = volumes::claims(inventory, workload);
    let pods = workload.template().map(|template| &template.metadata);
    !claims.is_empty() && claims.iter().all(|claim| volumes::saved_by(inventory, claim, pods).is_some())
}

fn of_operator(
    inventory: &Inventory,
    found: &Evidence,
    cluster: &Item<crate::model::cluster::Other>,
    engine: Engine,
) -> State {
    let cover = backups::of_resource(inventory, cluster)
        .map_or_else(|| found.backups.of_namespace(inventory, cluster.namespace(), Some(engine)), Cover::By);
    let claims = || {
        let all = inventory.volume_claims.within(cluster.namespace()).iter();
        let mut own = all.filter(|claim| databases::belongs_to(&claim.metadata, cluster)).peekable();
        own.peek().is_some() && own.all(|claim| volumes::saved_by(inventory, &volumes::claim(claim), None).is_some())
    };
    let unsaved = Unsaved {
        name: format!("{} ({})", cluster.subject.short(), engine.word()),
        reason: "a resource of its operator that asks for no backup".to_owned(),
        location: Location::at("/spec").of(&cluster.subject),
        inferred: false,
        runs: None,
    };
    judge(found, cover, claims, unsaved)
}

/// Databases outside the cluster. One in a Secret is taken for the one inside, if there is one.
fn outside(inventory: &Inventory, evidence: &Evidence, namespace: &str, inside: bool) -> Vec<State> {
    let mut hosts: BTreeMap<String, Use> = BTreeMap::new();
    let (mut hidden, mut nowhere) = (None, None);
    for (_, workload) in active_workloads(inventory, namespace) {
        for found in managed::uses(inventory, &evidence.addresses, workload) {
            match &found.place {
                Place::Outside(host) => {
                    hosts.entry(host.clone()).or_insert(found);
                }
                Place::Hidden => hidden = hidden.or(Some(found)),
                Place::Nowhere(host) => {
                    nowhere =
                        nowhere.or(Some(format!("{} names {host}, and no such Service was read", found.variable)));
                }
            }
        }
    }
    let saved = matches!(evidence.backups.of_namespace(inventory, namespace, None), Cover::By(_));
    let mut out: Vec<State> = nowhere.map(State::Open).into_iter().collect();
    for (host, found) in &hosts {
        let name = format!("the database at {host}");
        out.push(of_host(inventory, saved, name, found));
    }
    if let (Some(found), false, true) = (&hidden, inside, hosts.is_empty()) {
        let name = format!("the database that {} names in a Secret", found.variable);
        out.push(of_host(inventory, saved, name, found));
    }
    out
}

fn of_host(inventory: &Inventory, saved: bool, name: String, found: &Use) -> State {
    if saved {
        return State::Saved;
    }
    if !inventory.is_complete() {
        return State::Open(format!("{name} is not among what was read: its backups can't be seen"));
    }
    let (holder, at) = &found.holder;
    State::Unsaved(Box::new(Unsaved {
        reason: format!("{} of {}", found.variable, holder.short()),
        location: Location::at(at).of(holder),
        name,
        inferred: false,
        runs: None,
    }))
}
