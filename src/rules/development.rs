//! Development services: what dev-storage-endpoint recognises, and why the rules of high
//! availability, cost, exposure and network policy leave such workloads alone.

use std::cell::RefCell;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::rule::Context;
use super::settings::Environment;
use crate::model::Item;
use crate::model::network::Service;
use crate::model::number::IntOrString;
use crate::model::workload::Workload;

/// The rule whose parameter extends the recognition.
pub const RULE: &str = "dev-storage-endpoint";

/// Names of images that are development services wherever they run.
const IMAGES: [&str; 5] = ["localstack", "localstack-pro", "mailhog", "maildev", "moto"];
/// One that is if it keeps nothing.
const OBJECT_STORE: &str = "minio";
static VALUE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)localstack|:4566\b").expect("a constant pattern"));

thread_local! {
    /// The user's patterns as they were last asked for: one expression for many questions.
    static USERS: RefCell<(Vec<String>, Option<Regex>)> = const { RefCell::new((Vec::new(), None)) };
}

/// True if the workload runs a development service and the environment is not development, so that
/// dev-storage-endpoint reports it and the other rules need not.
pub fn is_development(context: &Context<'_>, workload: &Item<Workload>) -> bool {
    context.environment() != Environment::Dev && service_image(context, workload).is_some()
}

/// True if the Service leads to a development service: it selects such a workload, or, where it
/// selects nothing that was read, its name or port says so.
pub fn is_development_service(context: &Context<'_>, service: &Item<Service>) -> bool {
    if context.environment() == Environment::Dev {
        return false;
    }
    let mut selected = context.inventory.workloads_of(service).peekable();
    if selected.peek().is_some() {
        return selected.any(|workload| service_image(context, workload).is_some());
    }
    let external = service.spec.external_name.as_deref().unwrap_or_default();
    let port = |port: &crate::model::network::ServicePort| port.port == 4566 || port.target() == IntOrString::Int(4566);
    is_development_value(context, service.name())
        || is_development_value(context, external)
        || service.spec.ports.iter().any(port)
}

/// The image by which a workload is a development service: LocalStack, a mail catcher, a mock, an
/// object store without a volume, or what the configuration names.
pub fn service_image<'a>(context: &Context<'_>, workload: &'a Item<Workload>) -> Option<&'a str> {
    let template = workload.template()?;
    let keeps_data = template.spec.volumes.iter().any(|volume| volume.claim().is_some())
        || !workload.spec.volume_claim_templates.is_empty();

    let found = template.spec.containers.iter().find(|container| {
        let image = container.image_name();
        let is = |name: &str| image.eq_ignore_ascii_case(name);
        IMAGES.into_iter().any(is) || (is(OBJECT_STORE) && !keeps_data) || is_users(context, &container.image)
    });
    found.map(|container| container.image.as_str())
}

/// True if a value leads to a development service.
pub fn is_development_value(context: &Context<'_>, text: &str) -> bool {
    VALUE.is_match(text) || is_users(context, text)
}

/// True if one of the user's patterns matches. A pattern that is no regular expression stands for
/// itself.
fn is_users(context: &Context<'_>, text: &str) -> bool {
    let parameters = context.settings.parameters.get(RULE);
    let list = parameters.and_then(|keys| keys.get("patterns")?.as_array());
    let Some(list) = list.filter(|list| !list.is_empty()) else {
        return false;
    };
    USERS.with_borrow_mut(|(known, pattern)| {
        let current = list.iter().filter_map(Value::as_str);
        if !current.clone().eq(known.iter().map(String::as_str)) {
            *known = current.map(str::to_owned).collect();
            *pattern = combine(known);
        }
        pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
    })
}

fn combine(patterns: &[String]) -> Option<Regex> {
    let alternatives: Vec<String> = patterns
        .iter()
        .filter(|pattern| !pattern.is_empty())
        .map(|pattern| match Regex::new(pattern) {
            Ok(_) => format!("(?:{pattern})"),
            Err(_) => regex::escape(pattern),
        })
        .collect();
    if alternatives.is_empty() {
        return None;
    }
    Regex::new(&alternatives.join("|")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Inventory;
    use crate::rules::settings::Settings;
    use serde_json::json;

    fn inventory() -> Inventory {
        let mut inventory = Inventory::default();
        let workload = |name: &str, image: &str, volumes: Value| {
            json!({"metadata": {"name": name, "namespace": "a"}, "spec": {"template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"volumes": volumes, "containers": [{"name": "x", "image": image}]}}}})
        };
        let claim = json!([{"name": "d", "persistentVolumeClaim": {"claimName": "d"}}]);
        for (name, image, volumes) in [
            ("stack", "docker.io/localstack/localstack:3", json!([])),
            ("kept", "quay.io/minio/minio", claim),
            ("lost", "quay.io/minio/minio@sha256:00", json!([])),
            ("fake", "registry/fake-gcs-server:1", json!([])),
            ("notes", "registry/localstack-docs:1", json!([])),
        ] {
            inventory.add("apps/v1", "Deployment", workload(name, image, volumes), None).unwrap();
        }
        for (name, app, port) in [("s3", "stack", 80), ("web", "notes", 4566), ("far", "none", 4566)] {
            let service = json!({"metadata": {"name": name, "namespace": "a"},
                "spec": {"selector": {"app": app}, "ports": [{"port": port}]}});
            inventory.add("v1", "Service", service, None).unwrap();
        }
        inventory.finish()
    }

    fn names(settings: &Settings) -> Vec<String> {
        let inventory = inventory();
        let rule = crate::rules::RULES[0];
        let context = Context::whole(&inventory, settings, rule);
        let workloads = inventory.workloads.iter().filter(|workload| is_development(&context, workload));
        let services = inventory.services.iter();
        let services = services.filter(|service| is_development_service(&context, service));
        workloads.map(|item| item.name().to_owned()).chain(services.map(|item| item.name().to_owned())).collect()
    }

    #[test]
    fn images_and_services_are_recognised() {
        let mut settings = Settings::default();
        assert_eq!(names(&settings), ["lost", "stack", "far", "s3"]);
        let parameters = json!({"patterns": ["fake-gcs", "broken("]});
        settings.parameters.insert(RULE.into(), parameters.as_object().unwrap().clone());
        assert_eq!(names(&settings), ["fake", "lost", "stack", "far", "s3"]);
        settings.environment = Environment::Dev;
        assert!(names(&settings).is_empty());
    }
}
