//! Which containers of a workload a Service sends traffic to.

use crate::model::container::Container;
use crate::model::network::ServicePort;
use crate::model::number::IntOrString;
use crate::model::pod::{self, PodSpec};
use crate::model::{Inventory, Subject};

/// A container that gets traffic, or one beside it.
pub(super) struct Served<'a> {
    /// The container.
    pub(super) container: &'a Container,
    /// The pointer to it.
    base: String,
    /// The same with its name in place of its position.
    stable: String,
    /// The ports that it is reached at, with the Services that do.
    pub(super) sources: Vec<Source>,
}

/// A Service's port that leads to a container.
pub(super) struct Source {
    /// The Service.
    pub(super) service: Subject,
    /// The port of the pod, if it is a number or a declared name.
    port: Option<i64>,
    tcp: bool,
    /// The same in words.
    pub(super) text: String,
}

impl Served<'_> {
    /// The pointer to a field of the container.
    pub(super) fn pointer(&self, field: &str) -> String {
        format!("{}/{field}", self.base)
    }

    /// The same with the container's name.
    pub(super) fn stable(&self, field: &str) -> String {
        format!("{}/{field}", self.stable)
    }

    /// True if a Service sends to it.
    pub(super) fn is_receiver(&self) -> bool {
        !self.sources.is_empty()
    }

    /// The first TCP port that a Service sends to.
    pub(super) fn tcp_port(&self) -> Option<i64> {
        self.sources.iter().filter(|source| source.tcp).find_map(|source| source.port)
    }
}

/// The serving containers of a workload that Services send traffic to, in the order of the template;
/// none if no Service sends to any. Those without sources are ready or not with the rest: a pod is
/// ready if all its containers are.
pub(super) fn served<'a>(inventory: &Inventory, workload: usize, spec: &'a PodSpec) -> Vec<Served<'a>> {
    let base = inventory.workloads.at(workload).pod_spec_pointer();
    let serving = spec.all_containers().filter(|(list, _, container)| *list == "containers" || container.is_sidecar());
    let mut all: Vec<Served<'_>> = serving
        .map(|(list, index, container)| Served {
            container,
            base: format!("{base}/{list}/{index}"),
            stable: format!("{base}/{list}/{}", container.name),
            sources: Vec::new(),
        })
        .collect();
    for service in inventory.services_of(workload) {
        for port in &service.spec.ports {
            let Some(receiver) = receiver(spec, port, &all) else {
                continue;
            };
            let number = pod::resolve_port(spec, &port.target(), port.protocol());
            let target = port.target();
            let text = format!("{} port {} sends to port {target}", service.subject.short(), port.port);
            let source = Source { service: service.subject.clone(), port: number, tcp: port.protocol() == "TCP", text };
            all[receiver].sources.push(source);
        }
    }
    if all.iter().all(|served| served.sources.is_empty()) {
        all.clear();
    }
    all
}

/// The container behind a port: the one that declares it; of a number that nobody declares the
/// one with a readiness probe, else the first of the application's.
fn receiver(spec: &PodSpec, port: &ServicePort, all: &[Served<'_>]) -> Option<usize> {
    let declares = |container: &Container| {
        container.ports.iter().any(|declared| {
            let same = match port.target() {
                IntOrString::Int(number) => declared.container_port == number,
                IntOrString::Text(name) => declared.name.as_deref() == Some(name.as_str()),
            };
            same && declared.protocol.as_deref().unwrap_or("TCP") == port.protocol()
        })
    };
    let known = all.iter().position(|served| declares(served.container));
    let first = spec.containers.first()?;
    let guessed = || match port.target() {
        IntOrString::Text(_) => None,
        IntOrString::Int(_) => all
            .iter()
            .position(|served| served.container.readiness_probe.is_some())
            .or_else(|| all.iter().position(|served| std::ptr::eq(served.container, first))),
    };
    known.or_else(guessed)
}
