//! Controllers that are known by name: where they are installed by default, and how their pods are
//! labelled. A default is an assumption and is named as one.

use crate::model::selector::Labels;
use crate::model::workload::Workload;

/// A controller of Ingresses or Gateways.
pub(super) struct Known {
    /// The controller's name in an `IngressClass` or `GatewayClass`, or how it begins.
    name: &'static str,
    /// Names that its class usually has.
    classes: &'static [&'static str],
    /// Parts of its image's name.
    images: &'static [&'static str],
    /// Where it is installed by default.
    pub(super) namespace: &'static str,
    /// The labels of the pods that carry the traffic, where all installations agree.
    labels: &'static [(&'static str, &'static str)],
    /// The addresses from which it calls pods, for controllers outside the cluster.
    pub(super) ranges: &'static [&'static str],
}

const NAME: &str = "app.kubernetes.io/name";
const COMPONENT: &str = "app.kubernetes.io/component";

macro_rules! known {
    ($($name:literal, [$($class:literal),*], [$($image:literal),*], $namespace:literal, [$($label:expr),*], [$($range:literal),*];)*) => {
        &[$(Known { name: $name, classes: &[$($class),*], images: &[$($image),*], namespace: $namespace, labels: &[$($label),*], ranges: &[$($range),*] }),*]
    };
}

/// Sources: the installation manifests and charts of each project; for Google's load balancers
/// <https://cloud.google.com/kubernetes-engine/docs/concepts/firewall-rules>.
static KNOWN: &[Known] = known! {
    "k8s.io/ingress-nginx", ["nginx", "ingress-nginx"], ["ingress-nginx/controller", "ingress-nginx-controller", "nginx-ingress-controller"],
        "ingress-nginx", [(NAME, "ingress-nginx"), (COMPONENT, "controller")], [];
    "nginx.org/ingress-controller", ["nginx-org"], ["nginx/nginx-ingress", "nginx-ic/nginx-plus-ingress"],
        "nginx-ingress", [(NAME, "nginx-ingress")], [];
    "traefik.io/ingress-controller", ["traefik"], ["traefik"], "traefik", [(NAME, "traefik")], [];
    "haproxy.org/ingress-controller", ["haproxy"], ["haproxytech/kubernetes-ingress"], "haproxy-controller", [], [];
    "haproxy-ingress.github.io/controller", ["haproxy-ingress"], ["haproxy-ingress"], "ingress-controller", [], [];
    "ingress-controllers.konghq.com/kong", ["kong"], ["kong/kong-gateway", "kong:"], "kong", [], [];
    "projectcontour.io/ingress-controller", ["contour"], [], "projectcontour", [("app", "envoy")], [];
    "istio.io/ingress-controller", ["istio"], [], "istio-system", [("istio", "ingressgateway")], [];
    "openshift.io/ingress-to-route", ["openshift-default"], [], "openshift-ingress", [], [];
    "k8s.io/ingress-gce", ["gce", "gce-internal"], [], "", [], ["130.211.0.0/22", "35.191.0.0/16"];
    "networking.gke.io/gateway", [], [], "", [], ["130.211.0.0/22", "35.191.0.0/16"];
};

impl Known {
    /// The labels of its pods.
    pub(super) fn labels(&self) -> Labels {
        self.labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }
}

/// By the controller's name.
pub(super) fn by_name(controller: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| controller == known.name || controller.starts_with(&format!("{}/", known.name)))
}

/// By the name that a class usually has.
pub(super) fn by_class(class: &str) -> Option<(&'static str, &'static Known)> {
    KNOWN.iter().find(|known| known.classes.contains(&class)).map(|known| (known.name, known))
}

/// True if the workload runs this controller: its image is the controller's and it does not say
/// that it serves another name, or its arguments name the controller.
pub(super) fn runs(workload: &Workload, controller: &str) -> bool {
    let Some(template) = workload.template() else {
        return false;
    };
    let known = by_name(controller);
    template.spec.containers.iter().any(|container| {
        let words = container.command.iter().chain(&container.args);
        let said = words
            .filter_map(|word| word.split_once("controller-class=").or_else(|| word.split_once("controller-name=")))
            .map(|(_, name)| name)
            .next();
        let image =
            known.is_some_and(|known| known.images.iter().any(|part| names_image(container.image_path(), part)));
        said.map_or(image, |said| said == controller)
    })
}

/// True if the end of an image's path is the wanted part.
fn names_image(path: &str, part: &str) -> bool {
    let part = part.trim_end_matches(':');
    path == part || path.ends_with(&format!("/{part}"))
}
