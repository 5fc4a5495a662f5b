//! Routes of the Gateway API and virtual services of Istio.

use serde_json::Value;

use super::{Controller, Finder, Route, Routes, known, text};
use crate::model::cluster::Other;
use crate::model::number::IntOrString;
use crate::model::pod::PodTemplate;
use crate::model::selector::Labels;
use crate::model::store::Item;

/// The kinds of routes of the Gateway API.
const ROUTES: [&str; 5] = ["grpcroutes", "httproutes", "tcproutes", "tlsroutes", "udproutes"];
/// The label of the pods that an implementation runs for a Gateway
/// (<https://gateway-api.sigs.k8s.io/geps/gep-1762/>).
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

pub(super) fn add_routes(finder: &Finder<'_>, out: &mut Routes) {
    for kind in ROUTES {
        for route in finder.inventory.other(&format!("{kind}.gateway.networking.k8s.io")) {
            add_gateway_route(finder, route, out);
        }
    }
    for virtual_service in finder.inventory.other("virtualservices.networking.istio.io") {
        add_virtual_service(finder, virtual_service, out);
    }
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn add_gateway_route(finder: &Finder<'_>, route: &Item<Other>, out: &mut Routes) {
    let controllers = parents(finder, route);
    for (i, rule) in list(route.at("/spec/rules")).enumerate() {
        let backends =
            list(rule.get("backendRefs")).enumerate().map(|(j, backend)| (format!("backendRefs/{j}"), backend));
        let mirrors = list(rule.get("filters")).enumerate().filter_map(|(j, filter)| {
            Some((format!("filters/{j}/requestMirror/backendRef"), filter.pointer("/requestMirror/backendRef")?))
        });
        for (at, backend) in backends.chain(mirrors) {
            let Some(name) =
                text(backend, "/name").filter(|_| text(backend, "/kind").unwrap_or("Service") == "Service")
            else {
                continue;
            };
            let namespace = text(backend, "/namespace").unwrap_or(route.namespace());
            let Some(service) = finder.inventory.services.position(namespace, "Service", name) else {
                continue;
            };
            for controller in &controllers {
                out.add(Route {
                    object: route.subject.clone(),
                    pointer: format!("/spec/rules/{i}/{at}"),
                    service,
                    port: backend.get("port").and_then(Value::as_i64).map(IntOrString::Int),
                    controller: controller.clone(),
                });
            }
        }
    }
}

/// The controllers of the Gateways that a route hangs on. A route on a Service is for a mesh, whose
/// traffic does not come from outside.
fn parents(finder: &Finder<'_>, route: &Item<Other>) -> Vec<Controller> {
    let mut out = Vec::new();
    for parent in list(route.at("/spec/parentRefs")) {
        if text(parent, "/kind").unwrap_or("Gateway") != "Gateway" {
            continue;
        }
        let namespace = text(parent, "/namespace").unwrap_or(route.namespace());
        let name = text(parent, "/name").unwrap_or_default();
        let controller = of_gateway(finder, namespace, name);
        if !out.contains(&controller) {
            out.push(controller);
        }
    }
    out
}

fn of_gateway(finder: &Finder<'_>, namespace: &str, name: &str) -> Controller {
    let own = finder.workloads(|position| {
        let workload = finder.inventory.workloads.at(position);
        let labels = workload.template().map(PodTemplate::labels);
        workload.namespace() == namespace
            && labels.is_some_and(|labels| labels.get(GATEWAY_NAME).is_some_and(|value| value == name))
    });
    if !own.is_empty() {
        return Controller::Pods {
            workloads: own,
            evidence: format!("pods of Gateway/{name} by their label"),
            checked: true,
        };
    }
    let gateway = finder
        .inventory
        .other("gateways.gateway.networking.k8s.io")
        .find(|gateway| gateway.namespace() == namespace && gateway.name() == name);
    let Some(gateway) = gateway else {
        return Controller::Unknown { reason: format!("Gateway/{name} in {namespace} was not read") };
    };
    let addresses: Vec<&str> =
        list(gateway.at("/status/addresses")).filter_map(|address| text(address, "/value")).collect();
    let holders = finder.holders(&addresses);
    if holders.len() == 1 {
        return finder.by_address_alone(&addresses, "");
    }
    let class = gateway.at("/spec/gatewayClassName").and_then(Value::as_str).unwrap_or_default();
    let definition = finder
        .inventory
        .other("gatewayclasses.gateway.networking.k8s.io")
        .find(|definition| definition.name() == class);
    let controller = definition.and_then(|definition| definition.at("/spec/controllerName")?.as_str()).unwrap_or(class);
    by_controller(controller, namespace, name)
}

/// What is usual for an implementation whose pods were not read.
fn by_controller(controller: &str, namespace: &str, gateway: &str) -> Controller {
    let label =
        |pairs: &[(&str, &str)]| -> Labels { pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect() };
    let (space, labels) = match controller {
        "istio.io/gateway-controller" | "istio" | "gateway.nginx.org/nginx-gateway-controller" | "nginx" => {
            (namespace, label(&[(GATEWAY_NAME, gateway)]))
        }
        "gateway.envoyproxy.io/gatewayclass-controller" | "eg" | "envoy" => (
            "envoy-gateway-system",
            label(&[
                ("gateway.envoyproxy.io/owning-gateway-name", gateway),
                ("gateway.envoyproxy.io/owning-gateway-namespace", namespace),
            ]),
        ),
        other => {
            return match known::by_name(other).filter(|known| !known.ranges.is_empty()) {
                Some(known) => Controller::Addresses {
                    name: other.to_owned(),
                    ranges: known.ranges.iter().map(|range| (*range).to_owned()).collect(),
                },
                None => {
                    Controller::Unknown { reason: format!("no pods of Gateway/{gateway} in {namespace} were read") }
                }
            };
        }
    };
    Controller::Assumed { name: controller.to_owned(), namespace: space.to_owned(), labels }
}

/// A virtual service of Istio: the Gateways that it names select pods by label.
fn add_virtual_service(finder: &Finder<'_>, item: &Item<Other>, out: &mut Routes) {
    let mut controllers = Vec::new();
    for gateway in list(item.at("/spec/gateways")).filter_map(Value::as_str).filter(|name| *name != "mesh") {
        let (namespace, name) = gateway.split_once('/').unwrap_or((item.namespace(), gateway));
        controllers.push(of_istio_gateway(finder, namespace, name));
    }
    for kind in ["http", "tcp", "tls"] {
        for (i, rule) in list(item.at(&format!("/spec/{kind}"))).enumerate() {
            for (j, route) in list(rule.get("route")).enumerate() {
                let host = text(route, "/destination/host").unwrap_or_default();
                let Some(service) = destination(finder, item.namespace(), host) else {
                    continue;
                };
                for controller in &controllers {
                    out.add(Route {
                        object: item.subject.clone(),
                        pointer: format!("/spec/{kind}/{i}/route/{j}/destination"),
                        service,
                        port: route.pointer("/destination/port/number").and_then(Value::as_i64).map(IntOrString::Int),
                        controller: controller.clone(),
                    });
                }
            }
        }
    }
}

fn destination(finder: &Finder<'_>, namespace: &str, host: &str) -> Option<usize> {
    let mut labels = host.split('.');
    let (name, space) = (labels.next()?, labels.next().unwrap_or(namespace));
    finder.inventory.services.position(space, "Service", name)
}

fn of_istio_gateway(finder: &Finder<'_>, namespace: &str, name: &str) -> Controller {
    let gateway = finder
        .inventory
        .other("gateways.networking.istio.io")
        .find(|gateway| gateway.namespace() == namespace && gateway.name() == name);
    let selector =
        gateway.and_then(|gateway| serde_json::from_value::<Labels>(gateway.at("/spec/selector")?.clone()).ok());
    let Some(selector) = selector.filter(|selector| !selector.is_empty()) else {
        return Controller::Unknown { reason: format!("Gateway/{name} in {namespace} was not read") };
    };
    let own = finder.workloads(|position| {
        let labels = finder.inventory.workloads.at(position).template().map(PodTemplate::labels);
        labels.is_some_and(|labels| selector.iter().all(|(key, value)| labels.get(key) == Some(value)))
    });
    if own.is_empty() {
        return Controller::Assumed {
            name: "istio.io/ingress-controller".to_owned(),
            namespace: "istio-system".to_owned(),
            labels: selector,
        };
    }
    Controller::Pods { workloads: own, evidence: format!("pods that Gateway/{name} selects"), checked: true }
}
