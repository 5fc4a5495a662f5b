//! certificate-not-ready: a certificate that was not issued, or that is about to end.

use serde_json::Value;

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Location, Priority, Severity};
use crate::fix::{Applicability, Fix};
use crate::model::certificates::{CERTIFICATES, condition};
use crate::model::cluster::Other;
use crate::model::{Item, evidence};

declare_rule! {
    /// ## What it does
    /// Reports a Certificate of cert-manager that is not ready, or that ends within 21 days; within
    /// seven days the severity is high. A certificate of at most 30 days of life is renewed late
    /// by design and is reported within a tenth of its life. Without a status nothing is known:
    /// files never show one, unless it was exported with the object. Certificates that cert-manager
    /// does not manage end inside a Secret, which is never read.
    ///
    /// ## Why it matters
    /// cert-manager renews at two thirds of a certificate's life. One that is closer to its end was
    /// not renewed, and the next thing to happen is an error in every browser.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: cert-manager.io/v1
    /// kind: Certificate
    /// metadata: {name: web-tls, namespace: shop}
    /// spec: {secretName: web-tls, dnsNames: [shop.example.com], issuerRef: {name: ca, kind: ClusterIssuer}}
    /// status:
    ///   conditions: [{type: Ready, status: "False", reason: DoesNotExist, message: Issuing certificate}]
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: cert-manager.io/v1
    /// kind: Certificate
    /// metadata: {name: web-tls, namespace: shop}
    /// spec: {secretName: web-tls, dnsNames: [shop.example.com], issuerRef: {name: ca, kind: ClusterIssuer}}
    /// status:
    ///   conditions: [{type: Ready, status: "True", reason: Ready, message: Certificate is up to date}]
    ///   notAfter: "2036-01-01T00:00:00Z"
    /// ```
    ///
    /// ## Fix
    /// Manual. `kubectl describe` of the Certificate, its CertificateRequest, Order and Challenge
    /// names the cause: most often DNS, port 80, or the limits of the issuer.
    ///
    /// ## References
    /// - <https://cert-manager.io/docs/troubleshooting/>
    /// - <https://cert-manager.io/docs/usage/certificate/>
    id: "certificate-not-ready",
    summary: "certificate not ready or about to end",
    severity: Severity::High,
    priority: Priority::Immediate,
    category: Category::NetworkSecurity,
    fix: Some(Applicability::Manual),
    impact: "Clients refuse the connection.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

const DAY: i64 = 86_400;

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    if let Some(reason) = evidence::gap_here(inventory, &[CERTIFICATES]) {
        verdicts.unknown(&inventory.cluster_subject(), reason);
    }
    let certificates = inventory.other(CERTIFICATES);
    for certificate in certificates.filter(|certificate| inventory.scope.covers(certificate.namespace())) {
        judge(context, verdicts, certificate);
    }
}

fn judge(context: &Context<'_>, verdicts: &mut Verdicts<'_>, certificate: &Item<Other>) {
    let ready = condition(certificate, "Ready");
    if let Some((status, message)) = ready.filter(|(status, _)| *status != "True") {
        let text = format!("Ready is {status}: {message}");
        report(context, verdicts, certificate, "not ready", text, Severity::High);
        return;
    }
    let time = |field: &str| -> Option<jiff::Timestamp> {
        certificate.at(&format!("/status/{field}")).and_then(Value::as_str)?.parse().ok()
    };
    let Some(end) = time("notAfter") else {
        verdicts.unknown(&certificate.subject, "it has no status that says when it ends");
        return;
    };
    let left = end.as_second() - context.inventory.taken_at.as_second();
    let life = time("notBefore").map(|start| end.as_second() - start.as_second());
    let short = life.filter(|life| *life <= 30 * DAY).map(|life| life / 10);
    let (urgent, soon) = (short.unwrap_or(7 * DAY), short.unwrap_or(21 * DAY));
    if left > soon {
        verdicts.pass(&certificate.subject);
        return;
    }
    let severity = if left <= urgent { Severity::High } else { Severity::Medium };
    let what = if left <= 0 { "has ended".to_owned() } else { format!("ends in {} days", left / DAY) };
    report(context, verdicts, certificate, &what, format!("status.notAfter is {end}"), severity);
}

fn report(
    context: &Context<'_>,
    verdicts: &mut Verdicts<'_>,
    certificate: &Item<Other>,
    what: &str,
    reason: String,
    severity: Severity,
) {
    let (name, namespace) = (certificate.name(), certificate.namespace());
    let mut finding = context.finding(certificate, format!("certificate {what}")).severity(severity).because(reason);
    finding.priority = severity.priority();
    if let Some(issuer) = certificate.at("/spec/issuerRef/name").and_then(Value::as_str) {
        let kind = certificate.at("/spec/issuerRef/kind").and_then(Value::as_str).unwrap_or("Issuer");
        finding = finding.because(format!("its issuer is {kind}/{issuer}"));
    }
    let fix = Fix::new("Find out why it is not issued", Applicability::Manual)
        .note(format!("kubectl describe certificate,certificaterequest,order,challenge -n {namespace}"))
        .note(format!("then have it issued anew: cmctl renew {name} -n {namespace}"));
    verdicts.fail(finding.at(Location::at("/status")).fix(fix));
}
