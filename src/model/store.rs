//! Objects of one kind, sorted: every look-up is by hash or a binary search, every walk is in order.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::object::{Meta, ObjectRef, Subject};

/// A projection of a kind: the fields that rules read.
pub trait Projection {
    /// Its metadata.
    fn meta(&self) -> &Meta;
    /// Its metadata, to fill in.
    fn meta_mut(&mut self) -> &mut Meta;
}

macro_rules! projections {
    ($($path:path),* $(,)?) => {$(
        impl Projection for $path {
            fn meta(&self) -> &Meta { &self.metadata }
            fn meta_mut(&mut self) -> &mut Meta { &mut self.metadata }
        }
    )*};
}

projections!(
    super::pod::Pod,
    super::workload::Workload,
    super::network::Service,
    super::network::EndpointSlice,
    super::network::Ingress,
    super::network::IngressClass,
    super::network::NetworkPolicy,
    super::policy::Autoscaler,
    super::policy::DisruptionBudget,
    super::policy::ResourceQuota,
    super::policy::LimitRange,
    super::cluster::Namespace,
    super::cluster::ConfigMap,
    super::cluster::Node,
    super::cluster::VolumeClaim,
    super::cluster::ServiceAccount,
    super::cluster::RoleBinding,
    super::cluster::WebhookConfiguration,
    super::cluster::ApiService,
    super::cluster::Definition,
    super::cluster::Other,
);

/// Where a manifest stands: an index into the sources, and the index inside a List.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The document.
    pub document: usize,
    /// The place inside a List.
    pub item: Option<usize>,
}

/// A manifest whose object another one describes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The object.
    pub subject: Subject,
    /// Where the manifest stands.
    pub origin: Origin,
    /// Where the one stands that counts.
    pub by: Origin,
}

/// One object: its name, where it came from and its projection.
#[derive(Clone, Debug)]
pub struct Item<T> {
    /// Its name, shared with every verdict about it.
    pub subject: Subject,
    /// Where it stands in the manifests; `None` for live objects.
    pub origin: Option<Origin>,
    /// The fields that rules read.
    pub body: T,
}

impl<T> std::ops::Deref for Item<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.body
    }
}

impl<T: Projection> Item<T> {
    /// Names a projection.
    pub fn new(api_version: &str, kind: &str, body: T, origin: Option<Origin>) -> Self {
        let meta = body.meta();
        let subject = Arc::new(ObjectRef {
            kind: kind.to_owned(),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            api_version: api_version.to_owned(),
            uid: meta.uid.clone(),
        });
        Self { subject, origin, body }
    }

    /// Its namespace, or `""`.
    pub fn namespace(&self) -> &str {
        self.subject.namespace()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.subject.name
    }
}

/// Positions by the hash of namespace, kind and name: whoever asks compares what is found.
type Places = HashMap<u64, usize, FixedState>;

/// The fewest objects whose places are kept by hash.
const MANY: usize = 64;

/// Objects of one kind, sorted by namespace, kind and name.
#[derive(Clone, Debug)]
pub struct Store<T> {
    items: Vec<Arc<Item<T>>>,
    /// `None` for few objects, and from a change until the next sort: then look-ups search.
    places: Option<Arc<Places>>,
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self { items: Vec::new(), places: None }
    }
}

fn key(subject: &ObjectRef) -> (&str, &str, &str) {
    (subject.namespace(), &subject.kind, &subject.name)
}

/// The hash of a name; the same in every run, and for people who choose names to share one a search.
fn hash(key: (&str, &str, &str)) -> u64 {
    FixedState::default().hash_one(key)
}

impl<T> Store<T> {
    /// Adds an object; [`Self::sort`] must follow before anything is looked up.
    pub fn push(&mut self, item: Item<T>) {
        self.places = None;
        self.items.push(Arc::new(item));
    }

    /// Takes over the objects of another store; [`Self::sort`] must follow.
    pub fn absorb(&mut self, mut other: Self) {
        if self.items.is_empty() {
            *self = other;
        } else if !other.items.is_empty() {
            self.places = None;
            self.items.append(&mut other.items);
        }
    }

    /// Moves the places of objects that nobody else holds yet.
    pub fn displace(&mut self, moved: impl Fn(Origin) -> Origin) {
        for item in self.items.iter_mut().filter_map(Arc::get_mut) {
            item.origin = item.origin.map(&moved);
        }
    }

    /// Puts the objects in order. Of two with one name the later wins, as `kubectl apply` would. Returns
    /// the manifests that lost.
    pub fn sort(&mut self) -> Vec<Replaced> {
        let mut replaced = Vec::new();
        if self.places.is_some() {
            return replaced;
        }
        self.items.sort_by(|a, b| key(&a.subject).cmp(&key(&b.subject)));
        self.items.reverse();
        self.items.dedup_by(|a, b| {
            let same = key(&a.subject) == key(&b.subject) && a.subject.group() == b.subject.group();
            if let (true, Some(origin), Some(by)) = (same, a.origin, b.origin) {
                replaced.push(Replaced { subject: a.subject.clone(), origin, by });
            }
            same
        });
        self.items.reverse();
        self.places = (self.items.len() >= MANY).then(|| {
            let places = self.items.iter().enumerate().map(|(at, item)| (hash(key(&item.subject)), at));
            Arc::new(places.collect())
        });
        replaced
    }

    /// Replaces or adds one object, in order.
    pub fn put(&mut self, item: Item<T>) {
        match self.items.binary_search_by(|other| key(&other.subject).cmp(&key(&item.subject))) {
            Ok(at) => self.items[at] = Arc::new(item),
            Err(at) => {
                self.places = None;
                self.items.insert(at, Arc::new(item));
            }
        }
    }

    /// Puts objects in the places of those of the same names. False if one has no place; others may
    /// have taken theirs then.
    #[must_use]
    pub fn revise(&mut self, changed: Self) -> bool {
        changed.items.into_iter().all(|item| {
            let subject = &item.subject;
            let place = self.position(subject.namespace(), &subject.kind, &subject.name);
            let same = place.filter(|at| self.items[*at].subject.group() == subject.group());
            same.is_some_and(|at| {
                self.items[at] = item;
                true
            })
        })
    }

    /// Takes objects out.
    pub fn retain(&mut self, stays: impl Fn(&ObjectRef) -> bool) {
        let before = self.items.len();
        self.items.retain(|item| stays(&item.subject));
        if self.items.len() < before {
            self.places = None;
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Item<T>>> {
        self.items.iter()
    }

    /// The same as a slice.
    pub fn all(&self) -> &[Arc<Item<T>>] {
        &self.items
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The position of an object, for indexes beside the store.
    pub fn at(&self, position: usize) -> &Arc<Item<T>> {
        &self.items[position]
    }

    /// All of one namespace; `""` for objects of the whole cluster.
    pub fn within(&self, namespace: &str) -> &[Arc<Item<T>>] {
        let start = self.items.partition_point(|item| item.subject.namespace() < namespace);
        let end = self.items.partition_point(|item| item.subject.namespace() <= namespace);
        &self.items[start..end]
    }

    /// The position of the first object of a namespace.
    pub fn start_of(&self, namespace: &str) -> usize {
        self.items.partition_point(|item| item.subject.namespace() < namespace)
    }

    /// One by kind and name.
    pub fn get(&self, namespace: &str, kind: &str, name: &str) -> Option<&Arc<Item<T>>> {
        self.position(namespace, kind, name).map(|at| &self.items[at])
    }

    /// The position of an object by kind and name.
    pub fn position(&self, namespace: &str, kind: &str, name: &str) -> Option<usize> {
        let wanted = (namespace, kind, name);
        let search = || self.items.binary_search_by(|item| key(&item.subject).cmp(&wanted)).ok();
        let Some(places) = &self.places else { return search() };
        let at = *places.get(&hash(wanted))?;
        // Two names with one hash: only one has its place there.
        if key(&self.items[at].subject) == wanted { Some(at) } else { search() }
    }
}
