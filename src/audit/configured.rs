//! The whole audit: the rules that the configuration leaves on, then waivers.

use crate::model::Inventory;
use crate::rules::rule::{Depth, Rule};
use crate::rules::settings::{Attestation, Settings};

use super::config::Config;
use super::engine::{self, Audit};
use super::waivers;

/// Runs the rules that the configuration leaves on, and takes out what is waived.
///
/// `settings` are those of [`Config::settings`] with what the command line adds; those of `rules` run
/// that the configuration leaves on. The inventory's scope knows the configuration's system
/// namespaces already.
pub fn run_configured(inventory: &Inventory, settings: &Settings, config: &Config, rules: &[&'static Rule]) -> Audit {
    run_configured_to(Depth::Whole, inventory, settings, config, rules)
}

/// The same for what is wanted of it.
pub fn run_configured_to(
    depth: Depth,
    inventory: &Inventory,
    settings: &Settings,
    config: &Config,
    rules: &[&'static Rule],
) -> Audit {
    let mut audit = engine::run_to(depth, inventory, settings, &config.rules(rules));
    audit.warnings.extend(old_attestations(inventory, settings));
    waivers::apply(&mut audit, inventory, &config.waivers, rules);
    audit
}

/// A sentence about each attestation that does not hold now.
fn old_attestations(inventory: &Inventory, settings: &Settings) -> Vec<String> {
    let void = settings.attestations.iter().filter(|(_, attestation)| !attestation.holds(inventory.taken_at));
    let sentence = |(rule, attestation): (&String, &Attestation)| match attestation.age(inventory.taken_at) {
        Some(age) if age > Attestation::DAYS => {
            format!(
                "the attestation of {rule} of {} is {age} days old: it holds for {}",
                attestation.date,
                Attestation::DAYS
            )
        }
        _ => format!("the attestation of {rule} of {} does not hold: its day is to come", attestation.date),
    };
    void.map(sentence).collect()
}
