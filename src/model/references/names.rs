//! Names of cluster DNS.

use std::net::Ipv6Addr;

use crate::model::inventory::Inventory;

/// True for an address or a name of public DNS: not a single word.
pub(super) fn is_outside(name: &str) -> bool {
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
        return !name.starts_with("127.") && name != "0.0.0.0";
    }
    if let Ok(address) = name.parse::<Ipv6Addr>() {
        return !address.is_loopback() && !address.is_unspecified();
    }
    let top = name.rsplit('.').next().unwrap_or_default();
    name.contains('.') && !name.contains("..") && top.len() > 1 && top.bytes().all(|b| b.is_ascii_alphabetic())
}

/// An IPv6 address in its shortest form; one that stands for an IPv4 address is that address.
pub(super) fn address_v6(text: &str) -> Option<String> {
    let address = text.parse::<Ipv6Addr>().ok()?;
    Some(address.to_canonical().to_string())
}

/// The Service that a host name means to a pod of `namespace`, and whether the name is qualified.
/// A bare name never leaves the namespace. Pods of a headless Service have names of their own
/// before the Service's.
pub(super) fn resolve(inventory: &Inventory, namespace: &str, host: &str) -> Option<(usize, bool)> {
    let find = |namespace: &str, name: &str| inventory.services.position(namespace, "Service", name);
    let headless =
        |namespace: &str, name: &str| find(namespace, name).filter(|at| inventory.services.at(*at).is_headless());
    let labels: Vec<&str> = host.splitn(5, '.').collect();
    match labels[..] {
        [service] => Some((find(namespace, service)?, false)),
        [service, space, "svc", ..] | [_, service, space, "svc", ..] => Some((find(space, service)?, true)),
        [first, second] => find(second, first).or_else(|| headless(namespace, second)).map(|at| (at, false)),
        [_, service, space] => Some((headless(space, service)?, false)),
        _ => None,
    }
}
