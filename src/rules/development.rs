//! Development services: what dev-storage-endpoint recognises, and why the rules of high
//! availability, cost, exposure and network policy leave such workloads alone.

use std::sync::LazyLock;

use regex::Regex;

use super::rule::Context;
use super::settings::Environment;
use crate::model::Item;
use crate::model::workload::Workload;

static IMAGE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(^|/)(localstack(-pro)?|mailhog|maildev|moto)([:@]|$)").expect("a constant pattern")
});
static OBJECT_STORE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)(^|/)minio([:@]|$)").expect("a constant pattern"));

/// True if the workload runs a development service and the environment is not development, so that
/// dev-storage-endpoint reports it and the other rules need not.
pub fn is_development(context: &Context<'_>, workload: &Item<Workload>) -> bool {
    context.environment() != Environment::Dev && service_image(workload).is_some()
}

/// The image by which a workload is a development service: LocalStack, a mail catcher, a mock, or
/// an object store without a volume.
pub fn service_image(workload: &Item<Workload>) -> Option<&str> {
    let template = workload.template()?;
    let keeps_data = template.spec.volumes.iter().any(|volume| volume.claim().is_some())
        || !workload.spec.volume_claim_templates.is_empty();

    template
        .spec
        .containers
        .iter()
        .map(|container| container.image.as_str())
        .find(|image| IMAGE.is_match(image) || (OBJECT_STORE.is_match(image) && !keeps_data))
}
