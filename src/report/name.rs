//! The objects of findings as kubectl takes them: `deployment.apps/web`, each once.

use super::audit::{AuditReport, Object};

/// One name a line, sorted. What is no object of the API, such as the cluster itself, has none.
pub fn names(report: &AuditReport) -> Vec<String> {
    let mut names: Vec<String> = report.findings.iter().filter_map(|finding| name(&finding.object)).collect();
    names.sort();
    names.dedup();
    names
}

/// `deployment.apps/web`, or `service/web` in the core group.
pub fn name(object: &Object) -> Option<String> {
    let kind = object.kind.to_lowercase();
    match object.api_version.split_once('/') {
        Some((group, _)) => Some(format!("{kind}.{group}/{}", object.name)),
        None if object.api_version.is_empty() => None,
        None => Some(format!("{kind}/{}", object.name)),
    }
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
