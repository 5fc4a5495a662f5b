//! The objects of findings as kubectl takes them: `deployment.apps/web`, each once.

use super::audit::{AuditReport, Object};
use super::text::escape;

/// One name a line, sorted. What is no object of the API, such as the cluster itself, has none.
pub fn names(report: &AuditReport) -> Vec<String> {
    let mut names: Vec<String> = report.findings.iter().filter_map(|finding| name(&finding.object)).collect();
    names.sort();
    names.dedup();
    names
}

/// `deployment.apps/web`, or `service/web` in the core group.
pub fn name(object: &Object) -> Option<String> {
    let (kind, name) = (object.kind.to_lowercase(), &object.name);
    let whole = match object.api_version.split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{name}"),
        None if object.api_version.is_empty() => return None,
        None => format!("{kind}/{name}"),
    };
    // A manifest may call itself anything; a line stays a line.
    Some(escape(&whole).into_owned())
}

#[cfg(test)]
mod tests {
    use crate::report::samples::{objects, report_of};

    #[test]
    fn each_object_has_one_line() {
        let mut report = report_of(&objects(2), true);
        report.findings.push(report.findings[0].clone());
        let mut cluster = report.findings[0].clone();
        (cluster.object.kind, cluster.object.api_version) = ("Cluster".into(), String::new());
        report.findings.push(cluster);
        assert_eq!(super::names(&report), ["configmap/config", "deployment.apps/web", "service/s0", "service/s1"]);
    }
}
