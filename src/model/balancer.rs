//! What kind of load balancer a Service asks for, and what it does besides forwarding.
//!
//! Sources: the documentation of the cloud controllers for their annotations, and the reference
//! documentation on Services of type `LoadBalancer`.

use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;

use super::inventory::Inventory;
use super::network::Service;
use super::number::IntOrString;
use super::object::Meta;
use super::pod::resolve_port;
use super::store::Item;

/// The annotation that older clusters read in place of `loadBalancerSourceRanges`.
pub const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";

/// Annotations of providers by which a load balancer gets no public address: key, and the value
/// that says so (`""` for any but `false`).
const INTERNAL: [(&str, &str); 13] = [
    ("cloud.google.com/load-balancer-type", "internal"),
    ("load-balancer.hetzner.cloud/disable-public-network", "true"),
    ("networking.gke.io/load-balancer-type", "internal"),
    ("oci-network-load-balancer.oraclecloud.com/internal", "true"),
    ("service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type", "intranet"),
    ("service.beta.kubernetes.io/aws-load-balancer-internal", ""),
    ("service.beta.kubernetes.io/aws-load-balancer-scheme", "internal"),
    ("service.beta.kubernetes.io/azure-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/do-loadbalancer-network", "internal"),
    ("service.beta.kubernetes.io/oci-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/openstack-internal-load-balancer", "true"),
    ("service.beta.kubernetes.io/scw-loadbalancer-private", "true"),
    ("service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type", "private"),
];

/// Controllers that make load balancers out of nodes: a part of their class, their annotations or
/// their finalizers.
const SOFTWARE: [&str; 8] = [
    "io.cilium",
    "kube-vip.io",
    "metallb.io",
    "metallb.universe.tf",
    "openelb.io",
    "purelb.io",
    "svccontroller.k3s.cattle.io",
    "tailscale",
];

/// Ports whose usual protocol no HTTP router forwards.
const NOT_HTTP: [i64; 52] = [
    20, 21, 22, 23, 25, 53, 110, 143, 389, 465, 587, 636, 853, 993, 995, 1194, 1433, 1521, 1883, 2049, 2181, 3306,
    3389, 3868, 4222, 5060, 5061, 5222, 5432, 5433, 5671, 5672, 5900, 6379, 6380, 6432, 6443, 7000, 7687, 8883, 9042,
    9092, 9093, 9094, 11211, 25060, 25061, 26257, 26379, 27017, 27018, 51820,
];

/// Why a load balancer is not one that is paid for by the public address: it is internal, or made
/// of nodes.
pub fn without_public_cost(service: &Service) -> Option<String> {
    let meta = &service.metadata;
    for (key, value) in INTERNAL {
        let said = meta.annotation(key).map(str::to_ascii_lowercase);
        if said.is_some_and(|said| said == value || (value.is_empty() && said != "false")) {
            return Some(format!("annotation {key} keeps it internal"));
        }
    }
    let class = service.spec.load_balancer_class.as_deref();
    let marks = meta.annotations.keys().chain(&meta.finalizers).map(String::as_str).chain(class);
    let software = marks.filter_map(|mark| SOFTWARE.into_iter().find(|known| mark.starts_with(known))).min();
    if let Some(software) = software {
        return Some(format!("{software} makes it of the cluster's own nodes"));
    }
    let mut addresses = service.status.addresses().peekable();
    let first = addresses.peek().copied();
    first.filter(|_| addresses.all(is_private)).map(|address| format!("{address} is a private address"))
}

/// True for an address that is not routed in the internet.
pub fn is_private(address: &str) -> bool {
    match address.parse() {
        Ok(IpAddr::V4(v4)) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        Ok(IpAddr::V6(v6)) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
        Err(_) => false,
    }
}

/// Why an HTTP router can't stand in for this load balancer: one of its ports speaks something else.
pub fn not_http(inventory: &Inventory, service: &Item<Service>) -> Option<String> {
    let templates: Vec<_> = inventory.workloads_of(service).filter_map(|workload| workload.template()).collect();
    service.spec.ports.iter().find_map(|port| {
        let number = port.port;
        if port.protocol() != "TCP" {
            return Some(format!("port {number} is {}", port.protocol()));
        }
        if let Some(protocol) = &port.app_protocol {
            let name = protocol.rsplit('/').next().unwrap_or(protocol).to_ascii_lowercase();
            let http =
                matches!(name.as_str(), "http" | "https" | "http2" | "h2" | "h2c" | "grpc" | "grpcs" | "ws" | "wss");
            return (!http).then(|| format!("port {number} speaks {protocol}"));
        }
        let target = port.target();
        let named = matches!(&target, IntOrString::Text(_)).then_some(&target);
        let behind = templates.iter().filter_map(|template| resolve_port(&template.spec, named?, "TCP"));
        let stated = if let IntOrString::Int(number) = target { Some(number) } else { None };
        let usual = behind.chain(stated).chain([number]).find(|number| NOT_HTTP.contains(number))?;
        Some(format!("port {usual} is not one of HTTP"))
    })
}

/// Something that a load balancer does besides forwarding, and that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feature {
    /// It ends TLS.
    Tls(String),
    /// It lets only some addresses in.
    SourceRanges(Vec<String>),
    /// It tells the client's address by the PROXY protocol.
    ProxyProtocol(String),
    /// It keeps the client's address: `externalTrafficPolicy: Local`.
    ClientAddress,
    /// It keeps a client at one pod.
    Sticky(String),
}

static TLS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)(ssl-cert|tls-ports|ssl-ports|certificate|certificate-id|backend-config|tls-secret|ssl-.*-secret|http2?-ports?-tls)",
    )
    .expect("a constant pattern")
});
static PROXY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?i)(proxy-protocol|proxyprotocol|uses-proxyprotocol)").expect("a constant pattern"));
static STICKY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?i)(sticky-session|session-sticky|stickiness)").expect("a constant pattern"));

/// Annotations of cloud controllers on a Service.
fn provider_annotations(meta: &Meta) -> impl Iterator<Item = (&str, &str)> {
    let known = |key: &str| {
        key.contains("kubernetes.io/") || key.contains("hetzner.cloud/") || key.contains("oraclecloud.com/")
    };
    let off = |value: &str| matches!(value.to_ascii_lowercase().as_str(), "" | "false" | "none" | "off" | "disable");
    meta.annotations.iter().map(|(key, value)| (key.as_str(), value.as_str())).filter(move |(key, value)| {
        known(key) && *key != SOURCE_RANGES && *key != super::object::LAST_APPLIED && !off(value)
    })
}

/// What is lost with the load balancer of a Service, in a fixed order.
pub fn features(service: &Service) -> Vec<Feature> {
    let mut out = Vec::new();
    let first = |pattern: &Regex| {
        provider_annotations(&service.metadata).find(|(key, _)| pattern.is_match(key)).map(|(key, _)| key.to_owned())
    };
    out.extend(first(&TLS).map(Feature::Tls));
    let ranges = source_ranges(service);
    if !ranges.is_empty() {
        out.push(Feature::SourceRanges(ranges));
    }
    out.extend(first(&PROXY).map(Feature::ProxyProtocol));
    if service.spec.external_traffic_policy.as_deref() == Some("Local") {
        out.push(Feature::ClientAddress);
    }
    let affinity = service.spec.session_affinity.as_deref() == Some("ClientIP");
    out.extend(first(&STICKY).or(affinity.then(|| "sessionAffinity".to_owned())).map(Feature::Sticky));
    out
}

/// The addresses that may call the load balancer, from the field or the older annotation; none if
/// everybody may.
pub fn source_ranges(service: &Service) -> Vec<String> {
    let annotated = service.metadata.annotation(SOURCE_RANGES).unwrap_or_default();
    let mut ranges = service.spec.load_balancer_source_ranges.clone();
    ranges.extend(annotated.split(',').map(|range| range.trim().to_owned()).filter(|range| !range.is_empty()));
    ranges.sort();
    ranges.dedup();
    ranges
}

/// The ranges that still keep somebody out: none of them is the whole internet.
pub fn is_restricted(service: &Service) -> bool {
    let ranges = source_ranges(service);
    // Whoever lists half of all addresses lists the other half, too.
    let is_open = |range: &String| range.rsplit_once('/').is_some_and(|(_, length)| matches!(length, "0" | "1"));
    !ranges.is_empty() && !ranges.iter().any(is_open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[expect(clippy::needless_pass_by_value, reason = "called with values made in place")]
    fn service(spec: serde_json::Value, annotations: serde_json::Value) -> Service {
        serde_json::from_value(json!({"metadata": {"name": "x", "annotations": annotations}, "spec": spec})).unwrap()
    }

    #[test]
    fn internal_and_software_balancers_cost_no_public_address() {
        let aws =
            |value: &str| service(json!({}), json!({"service.beta.kubernetes.io/aws-load-balancer-internal": value}));
        assert!(without_public_cost(&aws("0.0.0.0/0")).is_some());
        assert!(without_public_cost(&aws("false")).is_none());
        assert!(without_public_cost(&service(json!({"loadBalancerClass": "tailscale"}), json!({}))).is_some());
        assert!(is_private("10.1.2.3") && is_private("100.64.0.1") && is_private("fd00::1"));
        assert!(!is_private("203.0.113.7") && !is_private("lb.example.com"));
    }

    #[test]
    fn protocols() {
        let inventory = Inventory::default().finish();
        let item =
            |port: serde_json::Value| Item::new("v1", "Service", service(json!({"ports": [port]}), json!({})), None);
        for port in [json!({"port": 80}), json!({"port": 5432, "appProtocol": "kubernetes.io/h2c"})] {
            assert_eq!(not_http(&inventory, &item(port)), None);
        }
        for port in [
            json!({"port": 443, "protocol": "UDP"}),
            json!({"port": 80, "targetPort": 6379}),
            json!({"port": 80, "appProtocol": "mysql"}),
        ] {
            assert!(not_http(&inventory, &item(port)).is_some());
        }
    }

    #[test]
    fn features_that_go_with_the_balancer() {
        let all = service(
            json!({"loadBalancerSourceRanges": ["203.0.113.0/24"], "externalTrafficPolicy": "Local", "sessionAffinity": "ClientIP"}),
            json!({"service.beta.kubernetes.io/do-loadbalancer-certificate-id": "c",
                   "service.beta.kubernetes.io/do-loadbalancer-enable-proxy-protocol": "true"}),
        );
        assert_eq!(features(&all).len(), 5);
        assert!(features(&service(json!({"externalTrafficPolicy": "Cluster"}), json!({}))).is_empty());
    }

    #[test]
    fn the_whole_internet_is_no_restriction() {
        let listed = |ranges: &[&str]| is_restricted(&service(json!({"loadBalancerSourceRanges": ranges}), json!({})));
        assert!(listed(&["10.0.0.0/8", "203.0.113.7/32"]));
        assert!(!listed(&[]) && !listed(&["10.0.0.0/8", "::/0"]) && !listed(&["0.0.0.0/1", "128.0.0.0/1"]));
    }
}
