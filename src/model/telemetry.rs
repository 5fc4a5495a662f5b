//! What a workload does for its own traces and metrics: variables, annotations and start commands
//! of OpenTelemetry and of vendors.
//!
//! Sources: the environment variables of the OpenTelemetry specification, the annotations of its
//! operator, and the vendors' documentation of their agents' variables.

use std::sync::LazyLock;

use regex::Regex;

use super::environment::{self, Value, Variable, Variables, parse_switch};
use super::inventory::Inventory;
use super::object::Meta;
use super::pod::Container;
use super::store::Item;
use super::workload::Workload;

static TRACE_KEY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        "^(OTEL_EXPORTER_OTLP_(TRACES_)?ENDPOINT|OTEL_EXPORTER_(JAEGER|ZIPKIN)_.+|OTEL_TRACES_EXPORTER",
        "|DD_TRACE_.+|DD_AGENT_HOST|NEW_RELIC_.+|ELASTIC_APM_.+|JAEGER_(AGENT_HOST|ENDPOINT|SAMPLER_.+)",
        "|SPLUNK_(ACCESS_TOKEN|REALM|TRACE_.+)|SENTRY_TRACES_SAMPLE_RATE|INSTANA_(AGENT_HOST|ENDPOINT_URL)",
        "|HONEYCOMB_API_KEY|APPLICATIONINSIGHTS_CONNECTION_STRING|AWS_XRAY_DAEMON_ADDRESS|DT_(TENANT|CONNECTION_POINT)",
        "|SW_AGENT_COLLECTOR_BACKEND_SERVICES|APPDYNAMICS_CONTROLLER_HOST_NAME",
        "|MANAGEMENT_(OTLP_TRACING|ZIPKIN_TRACING)_ENDPOINT|MANAGEMENT_(OTLP|ZIPKIN)_TRACING_.*ENDPOINT)$",
    ))
    .expect("a constant pattern")
});
static METRIC_KEY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        "^(OTEL_EXPORTER_OTLP_(METRICS_)?ENDPOINT|DD_DOGSTATSD_(URL|SOCKET|HOST)|DD_AGENT_HOST|STATSD_HOST",
        "|NEW_RELIC_LICENSE_KEY|ELASTIC_APM_SERVER_URLS?)$",
    ))
    .expect("a constant pattern")
});
static STARTER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)(-javaagent:\S*(opentelemetry|dd-java-agent|newrelic|elastic-apm|applicationinsights|skywalking)",
        r"|\bopentelemetry-instrument\b|\bddtrace-run\b|\bnewrelic-admin\b|\belasticapm-run\b",
        r"|@opentelemetry/auto-instrumentations-node|\bdd-trace/(init|initialize)\b)",
    ))
    .expect("a constant pattern")
});
static INJECTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(instrumentation\.(opentelemetry\.io|newrelic\.com)/inject-.+",
        r"|sidecar\.(opentelemetry\.io|jaegertracing\.io)/inject|admission\.datadoghq\.com/.+-lib\.version",
        r"|oneagent\.dynatrace\.com/inject|instana-autotrace|odigos-instrumentation|admission\.datadoghq\.com/enabled)$",
    ))
    .expect("a constant pattern")
});

/// Variables that switch an agent off, with the value that does.
const OFF: [(&str, bool); 6] = [
    ("OTEL_SDK_DISABLED", true),
    ("DD_TRACE_ENABLED", false),
    ("NEW_RELIC_ENABLED", false),
    ("NEW_RELIC_AGENT_ENABLED", false),
    ("ELASTIC_APM_ENABLED", false),
    ("ELASTIC_APM_ACTIVE", false),
];

/// By what a workload takes part in tracing, if it does: `env OTEL_EXPORTER_OTLP_ENDPOINT`.
pub fn traces(inventory: &Inventory, workload: &Item<Workload>) -> Option<String> {
    let template = workload.template()?;
    let namespace = inventory.namespaces.get("", "Namespace", workload.namespace());
    let of_namespace = namespace
        .and_then(|namespace| Some(format!("{} of Namespace/{}", injection(&namespace.metadata)?, namespace.name())));
    injection(&template.metadata)
        .or_else(|| injection(&workload.metadata))
        .or(of_namespace)
        .or_else(|| by_containers(inventory, workload, traced))
}

/// By what a workload sends its metrics, if it does.
pub fn pushes_metrics(inventory: &Inventory, workload: &Item<Workload>) -> Option<String> {
    by_containers(inventory, workload, |_, variables| {
        let none = text(variables, "OTEL_METRICS_EXPORTER") == Some("none");
        let is_sent = |key: &str| METRIC_KEY.is_match(key) && !(none && key.starts_with("OTEL_"));
        let found = variables.values().find(|variable| is_sent(&variable.name) && is_given(variable));
        found.filter(|variable| !is_off(variables, &variable.name)).map(|variable| format!("env {}", variable.name))
    })
}

/// A source of variables that was not read and may switch tracing on.
pub fn hidden_variables(inventory: &Inventory, workload: &Item<Workload>) -> Option<String> {
    let template = workload.template()?;
    let sources = template.spec.serving_containers().flat_map(|container| &container.env_from);
    for source in sources {
        if let Some(secret) = &source.secret_ref {
            return Some(format!("the variables in Secret/{} are not read", secret.name));
        }
        let Some(map) = &source.config_map_ref else { continue };
        let read = inventory.config_maps.get(workload.namespace(), "ConfigMap", &map.name).is_some();
        if !read && map.optional != Some(true) && !inventory.is_complete() {
            return Some(format!("ConfigMap/{} was not read", map.name));
        }
    }
    None
}

fn by_containers(
    inventory: &Inventory,
    workload: &Item<Workload>,
    find: impl Fn(&Container, &Variables) -> Option<String>,
) -> Option<String> {
    let template = workload.template()?;
    template
        .spec
        .all_containers()
        .filter(|(list, _, container)| *list == "containers" || container.is_sidecar())
        .find_map(|place| {
            let found = find(place.2, &environment::effective(inventory, workload, place))?;
            Some(format!("{found} of container {}", place.2.name))
        })
}

fn injection(meta: &Meta) -> Option<String> {
    let marks = meta.annotations.iter().map(|mark| ("annotation", mark));
    let mut marks = marks.chain(meta.labels.iter().map(|mark| ("label", mark)));
    let on = |value: &str| parse_switch(value) != Some(false);
    marks.find(|(_, (key, value))| INJECTED.is_match(key) && on(value)).map(|(what, (key, _))| format!("{what} {key}"))
}

fn traced(container: &Container, variables: &Variables) -> Option<String> {
    let none = text(variables, "OTEL_TRACES_EXPORTER") == Some("none");
    let is_sent = |key: &str| TRACE_KEY.is_match(key) && !(none && key.starts_with("OTEL_"));
    let by_key = variables
        .values()
        .find(|variable| is_sent(&variable.name) && is_given(variable) && !is_off(variables, &variable.name));
    if let Some(variable) = by_key {
        return Some(format!("env {}", variable.name));
    }
    let line = container.command.iter().chain(&container.args).find(|word| STARTER.is_match(word));
    if line.is_some() {
        return Some("the start command".to_owned());
    }
    let by_value = variables.values().find(|variable| variable.text().is_some_and(|text| STARTER.is_match(text)));
    by_value.map(|variable| format!("env {}", variable.name))
}

fn text<'a>(variables: &'a Variables, key: &str) -> Option<&'a str> {
    variables.get(key).and_then(Variable::text)
}

/// True unless the variable is empty or its reference leads nowhere.
fn is_given(variable: &Variable) -> bool {
    match &variable.value {
        Value::Text(text) => !text.trim().is_empty(),
        Value::Secret | Value::Runtime => true,
        Value::Missing => false,
    }
}

/// True if the agent that the variable configures is switched off.
fn is_off(variables: &Variables, key: &str) -> bool {
    let agent = |name: &str| name.split('_').next().unwrap_or_default().to_owned();
    OFF.iter()
        .any(|(name, off)| agent(name) == agent(key) && text(variables, name).and_then(parse_switch) == Some(*off))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn web(env: &Json, annotations: &Json) -> Inventory {
        let mut inventory = Inventory::default();
        let object = json!({"metadata": {"name": "web", "namespace": "a"}, "spec": {"template": {
            "metadata": {"annotations": annotations},
            "spec": {"containers": [{"name": "web", "image": "web", "env": env}]}}}});
        inventory.add("apps/v1", "Deployment", object, None).unwrap();
        inventory.finish()
    }

    fn told(env: &Json, annotations: &Json) -> (Option<String>, Option<String>) {
        let inventory = web(env, annotations);
        let workload = inventory.workloads.at(0);
        (traces(&inventory, workload), pushes_metrics(&inventory, workload))
    }

    #[test]
    fn variables_and_annotations_trace() {
        let none = json!({});
        let env = |name: &str, value: &str| json!([{"name": name, "value": value}]);
        let text = |name: &str| Some(format!("env {name} of container web"));
        let otlp = "OTEL_EXPORTER_OTLP_ENDPOINT";
        assert_eq!(told(&env(otlp, "http://otel:4317"), &none), (text(otlp), text(otlp)));
        assert_eq!(told(&env(otlp, ""), &none), (None, None));
        assert_eq!(told(&env("OTEL_SERVICE_NAME", "web"), &none), (None, None));
        assert_eq!(told(&env("DD_TRACE_SAMPLE_RATE", "1"), &none), (text("DD_TRACE_SAMPLE_RATE"), None));
        assert_eq!(told(&env("DD_TRACE_ENABLED", "true"), &none), (text("DD_TRACE_ENABLED"), None));
        assert_eq!(told(&env("DD_TRACE_ENABLED", "false"), &none), (None, None));
        let off = json!([{"name": otlp, "value": "http://otel"}, {"name": "OTEL_SDK_DISABLED", "value": "true"}]);
        assert_eq!(told(&off, &none), (None, None));
        let metrics =
            json!([{"name": otlp, "value": "http://otel"}, {"name": "OTEL_TRACES_EXPORTER", "value": "none"}]);
        assert_eq!(told(&metrics, &none), (None, text(otlp)));
        let java = env("JAVA_TOOL_OPTIONS", "-javaagent:/otel/opentelemetry-javaagent.jar");
        assert_eq!(told(&java, &none).0, text("JAVA_TOOL_OPTIONS"));
        let inject = json!({"instrumentation.opentelemetry.io/inject-java": "true"});
        let named = "annotation instrumentation.opentelemetry.io/inject-java";
        assert_eq!(told(&json!([]), &inject).0.as_deref(), Some(named));
        assert_eq!(told(&json!([]), &json!({"instrumentation.opentelemetry.io/inject-java": "false"})).0, None);
    }
}
