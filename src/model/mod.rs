//! One Kubernetes object and all of them: parsed, related, indexed. Pure.
//!
//! What lives here: projections (the fields that rules read, under their API names), the
//! semantics that Kubernetes gives them (selectors, quantities, ports, environment), and the
//! [`inventory::Inventory`] that holds them sorted. No rule and no input or output.

pub mod parallel;
pub mod short;
pub mod texts;
pub mod object;
pub mod quantity;
pub mod number;
pub mod selector;
pub mod container;
pub mod pod;
pub mod amounts;
pub mod workload;
pub mod ingress;
pub mod network;
pub mod policy;
pub mod cluster;
pub mod ownership;
pub mod mask;
pub mod store;
pub mod inventory;
pub mod makers;
pub mod environment;
pub mod config_text;
pub mod consumers;
pub mod pod_security;
pub mod references;
pub mod routes;
pub mod isolation;
pub mod scrapes;
pub mod plugin;
pub mod lint;
pub mod permits;
pub mod evidence;
pub mod observability;
pub mod telemetry;
pub mod monitors;
pub mod scraped;
pub mod databases;
pub mod schedule;
pub mod managed;
pub mod backups;
pub mod volumes;
pub mod data_place;
pub mod tenancy;
pub mod capacity;
pub mod replicas;
pub mod allowance;
pub mod bounds;
pub mod admission;
pub mod room;
pub mod balancer;
pub mod addresses;
pub mod exposure;
pub mod admittance;
pub mod endpoints;
pub mod certificates;
pub mod database;
pub mod tenants;
pub mod reach;
pub mod autoscaling;
pub mod eviction;

#[cfg(test)]
mod semantics;

pub use inventory::{Gap, Inventory, Scope, World};
pub use object::{Meta, ObjectRef, Subject};
pub use store::{Item, Projection, Store};
