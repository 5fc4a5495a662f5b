//! Who belongs to whom, computed once: pods to workloads, selectors to templates, autoscalers to
//! targets. Everything is kept as positions in the stores.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};

use foldhash::fast::FixedState;

use super::Inventory;
use crate::model::backups::Backups;
use crate::model::cluster::Other;
use crate::model::environment::Variables;
use crate::model::network::{NetworkPolicy, Service};
use crate::model::parallel;
use crate::model::pod::{Pod, Requests};
use crate::model::policy::{Autoscaler, DisruptionBudget};
use crate::model::references::References;
use crate::model::routes::Routes;
use crate::model::scrapes::Scrapes;
use crate::model::selector::{Labels, Selector};
use crate::model::store::{Item, Store};
use crate::model::workload::Workload;

const SCALED_OBJECTS: &str = "scaledobjects.keda.sh";

/// For each workload the positions of the budgets that select its template.
pub(super) type Budgets = Vec<Vec<usize>>;

/// Positions of related objects: all but budgets, which come and go.
#[derive(Debug, Default)]
pub(super) struct Relations {
    /// The workloads that rules judge, by namespace.
    top_level: Vec<Vec<usize>>,
    templates: LabelIndex,
    pod_labels: LabelIndex,
    owner_of_pod: Vec<Option<usize>>,
    pods_of: Vec<Vec<usize>>,
    services_of: Vec<Vec<usize>>,
    workloads_of_service: Vec<Vec<usize>>,
    policies_of: Vec<Vec<usize>>,
    autoscalers_of: Vec<Vec<usize>>,
    /// The `ScaledObject` of KEDA that scales a workload.
    scaled_by: HashMap<usize, Arc<Item<Other>>>,
    /// Who names whose Service: found at the first question.
    references: OnceLock<Arc<References>>,
    /// The jobs that back up: found at the first question.
    backups: OnceLock<Arc<Backups>>,
    /// The ways from outside: found at the first question.
    routes: OnceLock<Arc<Routes>>,
    /// Who reads metrics from whom: found at the first question.
    scrapes: OnceLock<Arc<Scrapes>>,
    /// What the containers of each workload get: found at the first question.
    environments: Vec<Environments>,
    /// What the pods of each node request: found at the first question.
    taken: OnceLock<HashMap<String, Taken>>,
}

/// What the pods on a node take of it, as far as they were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Pods.
    pub pods: i64,
    /// What they request.
    pub requests: Requests,
}

/// The variables of each container of a workload, in the order of the template.
pub(in crate::model) type Environments = OnceLock<Vec<Arc<Variables>>>;

/// Positions by namespace, label and value; the shortest list bounds what a selector looks at.
#[derive(Clone, Debug, Default)]
struct LabelIndex {
    /// By the hash of the three: whoever asks matches what is found.
    by_term: HashMap<u64, Vec<usize>, FixedState>,
    hasher: FixedState,
}

impl LabelIndex {
    fn add(&mut self, namespace: &str, labels: &Labels, position: usize) {
        for (key, value) in labels {
            self.by_term.entry(self.hasher.hash_one((namespace, key, value))).or_default().push(position);
        }
    }

    /// Positions that may match, in order, or `None` if the selector has no exact label.
    fn candidates(&self, namespace: &str, selector: &Selector) -> Option<&[usize]> {
        let lists = selector.match_labels.iter().map(|(key, value)| {
            let term = self.hasher.hash_one((namespace, key, value));
            self.by_term.get(&term).map_or(&[][..], Vec::as_slice)
        });
        lists.min_by_key(|list| list.len())
    }
}

impl Relations {
    /// The positions of the workloads that rules judge, in groups of one namespace.
    pub(super) fn top_level(&self) -> &[Vec<usize>] {
        &self.top_level
    }

    pub(super) fn of(inventory: &Inventory) -> Self {
        let mut relations = Self::default();
        let count = inventory.workloads.len();
        let mut namespace = None;
        let workloads = inventory.workloads.iter().enumerate();
        for (position, workload) in workloads.filter(|(_, workload)| super::is_top_level(workload)) {
            if namespace.replace(workload.namespace()) != Some(workload.namespace()) {
                relations.top_level.push(Vec::new());
            }
            relations.top_level.last_mut().expect("it has just been made").push(position);
            if let Some(template) = workload.template() {
                relations.templates.add(workload.namespace(), template.labels(), position);
            }
        }
        for (position, pod) in inventory.pods.iter().enumerate() {
            relations.pod_labels.add(pod.namespace(), &pod.metadata.labels, position);
        }
        relations.relate_pods(inventory);
        relations.workloads_of_service = vec![Vec::new(); inventory.services.len()];
        relations.services_of = relations.invert(inventory, &inventory.services, |service| {
            service.has_selector().then(|| Selector::labels(&service.spec.selector))
        });
        relations.policies_of =
            relations.invert(inventory, &inventory.network_policies, |p| Some(p.spec.pod_selector.clone()));
        for (workload, services) in relations.services_of.iter().enumerate() {
            for service in services {
                relations.workloads_of_service[*service].push(workload);
            }
        }
        relations.autoscalers_of = vec![Vec::new(); count];
        relations.environments = vec![Environments::new(); count];
        for (position, autoscaler) in inventory.autoscalers.iter().enumerate() {
            if let Some(target) = target_of(inventory, autoscaler) {
                relations.autoscalers_of[target].push(position);
            }
        }
        for scaled in inventory.other(SCALED_OBJECTS) {
            let target = scaled.at("/spec/scaleTargetRef");
            let text = |key: &str| target.and_then(|target| target.get(key)?.as_str());
            let (kind, name) = (text("kind").unwrap_or("Deployment"), text("name").unwrap_or_default());
            if let Some(workload) = inventory.workloads.position(scaled.namespace(), kind, name) {
                relations.scaled_by.entry(workload).or_insert_with(|| scaled.clone());
            }
        }
        relations
    }

    /// The budgets of each workload.
    pub(super) fn budgets(&self, inventory: &Inventory) -> Budgets {
        self.invert(inventory, &inventory.budgets, |budget| budget.spec.selector.clone())
    }

    /// For each workload the positions of the objects whose selector selects its template.
    fn invert<T: Send + Sync>(
        &self,
        inventory: &Inventory,
        store: &Store<T>,
        selector: impl Fn(&Item<T>) -> Option<Selector> + Sync,
    ) -> Vec<Vec<usize>> {
        let selected = parallel::map(store.all(), |item| {
            selector(item).map(|selector| self.selected(inventory, item.subject.namespace(), &selector))
        });
        let mut out = vec![Vec::new(); inventory.workloads.len()];
        for (position, workloads) in selected.into_iter().enumerate() {
            workloads.into_iter().flatten().for_each(|workload| out[workload].push(position));
        }
        out
    }

    fn selected(&self, inventory: &Inventory, namespace: &str, selector: &Selector) -> Vec<usize> {
        let matches = |position: &usize| {
            let workload = inventory.workloads.at(*position);
            let template = workload.template().filter(|_| super::is_top_level(workload));
            template.is_some_and(|template| selector.matches(template.labels()))
        };
        if let Some(candidates) = self.templates.candidates(namespace, selector) {
            return candidates.iter().copied().filter(|position| matches(position)).collect();
        }
        let start = inventory.workloads.start_of(namespace);
        let end = start + inventory.workloads.within(namespace).len();
        (start..end).filter(matches).collect()
    }

    fn relate_pods(&mut self, inventory: &Inventory) {
        let by_uid: HashMap<&str, usize> = inventory
            .workloads
            .iter()
            .enumerate()
            .filter_map(|(position, workload)| Some((workload.metadata.uid.as_deref()?, position)))
            .collect();
        self.pods_of = vec![Vec::new(); inventory.workloads.len()];
        for (position, pod) in inventory.pods.iter().enumerate() {
            let owner = top_owner(inventory, &by_uid, pod);
            if let Some(owner) = owner {
                self.pods_of[owner].push(position);
            }
            self.owner_of_pod.push(owner);
        }
    }
}

/// What a cell holds, found if it is empty. It is found on all processors, so that nobody may wait for a
/// lock meanwhile: two may find the same.
fn found_once<T>(cell: &OnceLock<Arc<T>>, find: impl FnOnce() -> T) -> Arc<T> {
    if let Some(known) = cell.get() {
        return known.clone();
    }
    let found = Arc::new(find());
    cell.get_or_init(|| found).clone()
}

/// The workload at the end of a pod's chain of controllers.
fn top_owner(inventory: &Inventory, by_uid: &HashMap<&str, usize>, pod: &Item<Pod>) -> Option<usize> {
    let Some(controller) = pod.metadata.controller() else {
        return inventory.workloads.position(pod.namespace(), "Pod", pod.name());
    };
    let mut position = *by_uid.get(controller.uid.as_str())?;
    for _ in 0..4 {
        let above = inventory.workloads.at(position).metadata.controller();
        match above.and_then(|above| by_uid.get(above.uid.as_str())) {
            Some(next) => position = *next,
            None => break,
        }
    }
    Some(position)
}

/// The position of the workload that an autoscaler targets. Kind, name and group must agree.
fn target_of(inventory: &Inventory, autoscaler: &Item<Autoscaler>) -> Option<usize> {
    let target = &autoscaler.spec.scale_target_ref;
    let position = inventory.workloads.position(autoscaler.namespace(), &target.kind, &target.name)?;
    let group = target.api_version.split_once('/').map_or("", |(group, _)| group);
    let same = inventory.workloads.at(position).subject.group() == group || target.api_version.is_empty();
    same.then_some(position)
}

impl Inventory {
    /// Where the variables of a workload's containers are kept; `None` if it is not of this inventory.
    pub(in crate::model) fn environments_of(&self, workload: &Item<Workload>) -> Option<&Environments> {
        let subject = &workload.subject;
        let position = self.workloads.position(subject.namespace(), &subject.kind, &subject.name)?;
        let known = self.relations.environments.get(position)?;
        std::ptr::eq(&raw const **self.workloads.at(position), workload).then_some(known)
    }

    /// Who names whose Service, found once.
    pub fn references(&self) -> Arc<References> {
        found_once(&self.relations.references, || References::of(self))
    }

    /// The jobs that back up, found once.
    pub fn backups(&self) -> Arc<Backups> {
        found_once(&self.relations.backups, || Backups::of(self))
    }

    /// The ways from outside to each Service, found once.
    pub fn routes(&self) -> Arc<Routes> {
        found_once(&self.relations.routes, || Routes::of(self))
    }

    /// Who reads metrics from which workload, found once.
    pub fn scrapes(&self) -> Arc<Scrapes> {
        found_once(&self.relations.scrapes, || Scrapes::of(self))
    }

    /// Finds at once what many rules will ask for.
    pub fn prepare(&self) {
        self.references();
    }

    /// What the pods that were read take of a node. Pods that are ending are not counted.
    pub fn taken(&self, node: &str) -> Taken {
        let all = self.relations.taken.get_or_init(|| {
            let mut all: HashMap<String, Taken> = HashMap::new();
            for pod in self.pods.iter().filter(|pod| pod.is_active()) {
                let Some(node) = &pod.spec.node_name else { continue };
                let taken = all.entry(node.clone()).or_default();
                taken.pods += 1;
                taken.requests.cpu = taken.requests.cpu + pod.requests.cpu;
                taken.requests.memory = taken.requests.memory + pod.requests.memory;
            }
            all
        });
        all.get(node).copied().unwrap_or_default()
    }

    /// Positions of the top-level workloads of a namespace whose template the selector selects.
    pub fn selected_workloads(&self, namespace: &str, selector: &Selector) -> Vec<usize> {
        self.relations.selected(self, namespace, selector)
    }

    /// The active pods of a namespace that a selector selects, with the position of their workload.
    pub fn selected_pods(&self, namespace: &str, selector: &Selector) -> Vec<(&Arc<Item<Pod>>, Option<usize>)> {
        let wanted = |position: &usize| {
            let pod = self.pods.at(*position);
            pod.is_active() && selector.matches(&pod.metadata.labels)
        };
        let show = |position: usize| (self.pods.at(position), self.relations.owner_of_pod[position]);
        if let Some(candidates) = self.relations.pod_labels.candidates(namespace, selector) {
            return candidates.iter().copied().filter(|position| wanted(position)).map(show).collect();
        }
        let start = self.pods.start_of(namespace);
        (start..start + self.pods.within(namespace).len()).filter(wanted).map(show).collect()
    }

    /// The pods that a workload controls.
    pub fn pods_of(&self, workload: usize) -> impl Iterator<Item = &Arc<Item<Pod>>> {
        self.relations.pods_of[workload].iter().map(|position| self.pods.at(*position))
    }

    /// The Services that select a workload's template.
    pub fn services_of(&self, workload: usize) -> impl Iterator<Item = &Arc<Item<Service>>> {
        self.relations.services_of[workload].iter().map(|position| self.services.at(*position))
    }

    /// The workloads whose template a Service selects.
    pub fn workloads_of(&self, service: &Item<Service>) -> impl Iterator<Item = &Arc<Item<Workload>>> {
        let position = self.services.position(service.namespace(), "Service", service.name());
        let found = position.map_or(&[][..], |position| self.relations.workloads_of_service[position].as_slice());
        found.iter().map(|position| self.workloads.at(*position))
    }

    /// The disruption budgets that select a workload's template.
    pub fn budgets_of(&self, workload: usize) -> impl Iterator<Item = &Arc<Item<DisruptionBudget>>> {
        self.budgets_of[workload].iter().map(|position| self.budgets.at(*position))
    }

    /// The network policies that select a workload's template.
    pub fn policies_of(&self, workload: usize) -> impl Iterator<Item = &Arc<Item<NetworkPolicy>>> {
        self.relations.policies_of[workload].iter().map(|position| self.network_policies.at(*position))
    }

    /// The autoscalers that target a workload.
    pub fn autoscalers_of(&self, workload: usize) -> impl Iterator<Item = &Arc<Item<Autoscaler>>> {
        self.relations.autoscalers_of[workload].iter().map(|position| self.autoscalers.at(*position))
    }

    /// The `ScaledObject` of KEDA that scales a workload; its autoscaler is made in the cluster.
    pub fn scaled_object_of(&self, workload: usize) -> Option<&Item<Other>> {
        self.relations.scaled_by.get(&workload).map(|scaled| &**scaled)
    }

    /// The workload that an autoscaler targets, if it was read.
    pub fn target_of(&self, autoscaler: &Item<Autoscaler>) -> Option<usize> {
        target_of(self, autoscaler)
    }

    /// True if every live pod that the selector selects belongs to this workload, so that a budget
    /// or policy with this selector touches nobody else. Without pods (manifests, or pods that may
    /// not be read) the templates of the namespace decide.
    pub fn is_exclusive(&self, selector: &Selector, workload: usize) -> bool {
        let namespace = self.workloads.at(workload).namespace();
        let foreign = |owner: Option<usize>| owner != Some(workload);
        self.selected_workloads(namespace, selector).iter().all(|position| *position == workload)
            && !self.selected_pods(namespace, selector).iter().any(|(_, owner)| foreign(*owner))
    }
}
