//! From flags to findings: configuration, objects, audit. Every command that looks starts here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::args::{Env, WhatArgs};
use super::connection::ConnectionArgs;
use super::error::CliError;
use super::ui::Ui;
use crate::audit::{self, Audit, Config, Filter, parse_set};
use crate::backend::cluster::connect::{self, Connection, Environment, explain, explain_status};
use crate::backend::cluster::load::{self, Identity, LoadError};
use crate::backend::cluster::refresh::{self, Wanted};
use crate::backend::configuration;
use crate::backend::manifests::{self, Manifests, ReadOptions, Severity};
use crate::backend::snapshot::{self, Snapshot};
use crate::finding::{Finding, Location};
use crate::fix::Fix;
use crate::model::selector::Selector;
use crate::model::{Gap, Inventory, Scope, parallel};
use crate::rules::RULES;
use crate::rules::rule::Rule;
use crate::rules::settings;

/// Where the objects came from, and where fixes go.
pub enum Origin {
    /// A live cluster.
    Cluster {
        /// The connection.
        connection: Arc<Connection>,
        /// Who it is.
        identity: Identity,
    },
    /// Files.
    Manifests(Manifests),
}

/// Everything that a command knows.
pub struct Session {
    /// Where the objects came from.
    pub origin: Origin,
    /// All objects.
    pub inventory: Inventory,
    /// What the user said about rules.
    pub settings: settings::Settings,
    /// The configuration.
    pub config: Config,
    /// The rules that are on.
    pub rules: Vec<&'static Rule>,
    /// What they said.
    pub audit: Audit,
    /// Which findings count.
    pub filter: Filter,
    /// Which objects count.
    pub selector: Option<Selector>,
    /// How long reading and judging took.
    pub elapsed: Duration,
}

/// How long a snapshot is good enough to offer fixes from.
const FRESH_SECONDS: i64 = 15 * 60;

fn is_old(taken_at: jiff::Timestamp, now: jiff::Timestamp) -> bool {
    now.as_second() - taken_at.as_second() > FRESH_SECONDS
}

/// The runtime of everything that talks to a server.
pub fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// Connects, and asks who the cluster is.
pub async fn connect(args: &ConnectionArgs, env: &Environment) -> Result<(Arc<Connection>, Identity), CliError> {
    let connection =
        connect::connect(&args.options(), env).await.map_err(|error| CliError::of(&error).hint(error.hint.clone()))?;
    let identity = load::identify(&connection).await.map_err(|error| unreachable(&error))?;
    Ok((Arc::new(connection), identity))
}

/// What identifies a cluster in the journal: its uid, or its server where that may not be read.
pub fn cluster_of(connection: &Connection, identity: &Identity) -> String {
    identity.uid.clone().unwrap_or_else(|| connection.server.clone())
}

fn unreachable(error: &LoadError) -> CliError {
    let (message, hint) = match error {
        LoadError::Unreachable { server, source } => explain(source, server),
        LoadError::Refused { server, status, body, .. } => explain_status(*status, body, server),
    };
    CliError::new(message).hint(hint)
}

impl Session {
    /// Reads what the flags name and runs the rules.
    pub fn open(
        what: &WhatArgs,
        connection: &ConnectionArgs,
        env: &Environment,
        ui: &Ui,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<Self, CliError> {
        let started = Instant::now();
        let filter = Filter::parse(&what.select, &what.ignore, RULES)?;
        let selector = what.selector.as_deref().map(Selector::parse).transpose()?;
        let found = if what.known.is_some() { None } else { find_configuration(what, env)? };
        let config = match (&what.known, &found) {
            (Some(known), _) => known.clone(),
            (None, Some(file)) => Config::parse(&file.text, &file.name, RULES)?,
            (None, None) => Config::default(),
        };
        if let Some(file) = &found {
            ui.detail(&format!("Configuration {}", file.name));
        }
        let settings = settings_of(what, &config)?;
        let skip = found.iter().map(|file| std::path::PathBuf::from(&file.name)).collect();
        let (origin, inventory) = read(what, connection, env, &config, skip, ui, runtime)?;
        let rules = config.rules(RULES);
        let audit = audit::run_configured_to(what.depth, &inventory, &settings, &config, &rules);
        audit.warnings.iter().for_each(|warning| ui.warn(warning));
        let mut session =
            Self { origin, inventory, settings, config, rules, audit, filter, selector, elapsed: started.elapsed() };
        if let Some(settle) = what.settle {
            session.settle(settle, ui, runtime);
        }
        session.require_full(what)?;
        session.elapsed = started.elapsed();
        Ok(session)
    }

    /// Reads the workloads that may still be scaling once more after a while, them alone.
    fn settle(&mut self, settle: Duration, ui: &Ui, runtime: &tokio::runtime::Runtime) {
        let Origin::Cluster { connection, .. } = &self.origin else { return };
        let unsettled = self.audit.unsettled();
        if unsettled.is_empty() {
            return;
        }
        let names: Vec<String> = unsettled.iter().map(|object| object.short()).collect();
        ui.note(&format!("Waiting {} s: may still be scaling: {}", settle.as_secs(), names.join(", ")));
        let mut wanted = Wanted::default();
        unsettled.iter().for_each(|object| wanted.object(object));
        let (fresh, read) = runtime.block_on(async {
            tokio::time::sleep(settle).await;
            refresh::refresh(connection, std::mem::take(&mut self.inventory), wanted).await
        });
        self.inventory = fresh;
        self.inventory.taken_at = jiff::Timestamp::now();
        for ((object, _), answer) in read {
            let Err(error) = answer else { continue };
            let scope = object.namespace.as_ref().map_or_else(|| "cluster".into(), |name| format!("namespace {name}"));
            let gap = Gap { kind: object.to_string(), verb: "get".into(), scope, reason: error.to_string() };
            self.inventory.gaps.push(gap);
        }
        self.inventory.gaps.sort();
        self.judge_again();
    }

    fn require_full(&self, what: &WhatArgs) -> Result<(), CliError> {
        if !what.require_full || self.inventory.gaps.is_empty() {
            return Ok(());
        }
        let list = |gap: &crate::model::Gap| format!("{} in {}: {}", gap.kind, gap.scope, gap.reason);
        let mut error = CliError::new("the audit is not full, and --require-full is set");
        error.causes = self.inventory.gaps.iter().map(list).collect();
        Err(error)
    }

    /// Names file and line of every place of these findings in manifests.
    pub fn locate(&mut self, findings: impl Iterator<Item = usize>) {
        let Origin::Manifests(manifests) = &self.origin else { return };
        let place = |finding: &Finding, location: &Location| {
            let subject = location.object.as_ref().unwrap_or(&finding.object);
            let loaded = &manifests.objects[self.inventory.origin(subject)?.document];
            Some((loaded.source.file().to_string(), loaded.line(&location.pointer)))
        };
        let of_finding = |at: &usize| {
            let finding = &self.audit.findings[*at];
            finding.locations.iter().map(|location| place(finding, location)).collect::<Vec<_>>()
        };
        let findings: Vec<usize> = findings.collect();
        let places = parallel::map(&findings, of_finding);
        for (at, places) in findings.into_iter().zip(places) {
            for (location, place) in self.audit.findings[at].locations.iter_mut().zip(places) {
                if let Some((file, line)) = place {
                    (location.file, location.line) = (Some(file), line);
                }
            }
        }
    }

    /// True if a finding counts: for output, fixes and the exit code.
    pub fn keeps(&self, finding: &Finding) -> bool {
        let labels = |selector: &Selector| {
            let labels = self.inventory.meta(&finding.object).map(|meta| &meta.labels);
            labels.is_some_and(|labels| selector.matches(labels))
        };
        self.filter.keeps(finding) && self.selector.as_ref().is_none_or(labels)
    }

    /// The findings that count.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.counted().map(|at| &self.audit.findings[at])
    }

    /// Where they stand in the audit.
    pub fn counted(&self) -> impl Iterator<Item = usize> {
        (0..self.audit.findings.len()).filter(|at| self.keeps(&self.audit.findings[*at]))
    }

    /// True if the objects were read so long ago that a fix may rest on another world.
    pub fn is_old(&self, now: jiff::Timestamp) -> bool {
        is_old(self.inventory.taken_at, now)
    }

    /// Reads all objects again and runs the rules on them.
    pub fn read_again(&mut self, runtime: &tokio::runtime::Runtime) -> Result<(), CliError> {
        let Origin::Cluster { connection, identity } = &self.origin else { return Ok(()) };
        let load = load::load(connection, identity, &self.inventory.scope);
        self.inventory = runtime.block_on(load).map_err(|error| unreachable(&error))?;
        self.judge_again();
        Ok(())
    }

    /// Runs the rules again, after an answer or on fresh objects.
    pub fn judge_again(&mut self) {
        self.audit = audit::run_configured(&self.inventory, &self.settings, &self.config, &self.rules);
    }
}

/// Reads the objects that the flags name: from a cluster, or from manifests without those files.
pub fn read(
    what: &WhatArgs,
    connection: &ConnectionArgs,
    env: &Environment,
    config: &Config,
    skip: Vec<std::path::PathBuf>,
    ui: &Ui,
    runtime: &tokio::runtime::Runtime,
) -> Result<(Origin, Inventory), CliError> {
    if what.filename.is_empty() && what.kustomize.is_none() {
        runtime.block_on(from_cluster(what, connection, env, config, ui))
    } else {
        from_manifests(what, connection, env, config, skip, ui)
    }
}

/// The configuration that a command with these flags reads.
pub fn find_configuration(what: &WhatArgs, env: &Environment) -> Result<Option<configuration::Found>, CliError> {
    let variable = |name: &str| env.variables.get(name).map(std::ffi::OsString::from);
    let user = configuration::user_directory(variable, env.home.as_deref());
    // A kustomization is a directory of manifests too.
    let mut manifests = what.filename.clone();
    manifests.extend(what.kustomize.iter().map(|dir| dir.display().to_string()));
    Ok(configuration::find(&configuration::Search {
        named: what.config.as_deref(),
        manifests: &manifests,
        working_directory: &crate::backend::files::working_directory(),
        user_directory: user.as_deref(),
    })?)
}

/// The fix that is offered for a finding: the first.
pub fn offered(finding: &Finding) -> Option<&Fix> {
    finding.fixes.first()
}

fn settings_of(what: &WhatArgs, config: &Config) -> Result<settings::Settings, CliError> {
    let mut settings = config.settings();
    match what.env {
        Some(Env::Production) => settings.environment = settings::Environment::Production,
        Some(Env::Staging) => settings.environment = settings::Environment::Staging,
        Some(Env::Dev) => settings.environment = settings::Environment::Dev,
        None => {}
    }
    settings.allow_managed.clone_from(&what.allow_managed);
    for text in &what.set {
        settings.answers.push(parse_set(text, RULES)?);
    }
    Ok(settings)
}

async fn from_cluster(
    what: &WhatArgs,
    args: &ConnectionArgs,
    env: &Environment,
    config: &Config,
    ui: &Ui,
) -> Result<(Origin, Inventory), CliError> {
    let (connection, identity) = connect(args, env).await?;
    let mut scope = if what.all_namespaces { Scope::default() } else { Scope::only(&connection.namespace) };
    scope.system.clone_from(&config.system_namespaces);
    let inventory = load::load(&connection, &identity, &scope).await.map_err(|error| unreachable(&error))?;
    connection.warnings().drain().iter().for_each(|warning| ui.warn(warning));
    if !what.all_namespaces && inventory.gap("namespaces", "").is_none() {
        let known = inventory.namespaces.get("", "Namespace", &connection.namespace).is_some();
        if !known {
            let namespace = &connection.namespace;
            return Err(CliError::new(format!("namespace {namespace} does not exist on {}", connection.server))
                .hint("name another with -n, or audit all with -A"));
        }
    }
    Ok((Origin::Cluster { connection, identity }, inventory))
}

fn from_manifests(
    what: &WhatArgs,
    args: &ConnectionArgs,
    env: &Environment,
    config: &Config,
    skip: Vec<std::path::PathBuf>,
    ui: &Ui,
) -> Result<(Origin, Inventory), CliError> {
    let options = ReadOptions {
        paths: what.filename.clone(),
        recursive: what.recursive,
        kustomize: what.kustomize.clone(),
        kubectl: env.variables.get("KUBECTL_PATH").map(std::path::PathBuf::from),
        skip,
    };
    let namespace = args.namespace.as_deref().filter(|_| !what.all_namespaces);
    let mut scope = namespace.map_or_else(Scope::default, Scope::only);
    scope.system.clone_from(&config.system_namespaces);
    let complete = what.complete || config.complete;
    let read = snapshot::read(&options, &mut std::io::stdin(), scope, complete, args.namespace.as_deref());
    let Snapshot { manifests, inventory, bad } = read.map_err(|error| {
        let mut cli = CliError::of(&error).hint(error.hint().unwrap_or_default());
        if let manifests::ReadError::NoObjects { problems } = &error {
            cli.causes.extend(problems.iter().map(ToString::to_string));
        }
        cli
    })?;
    let broken: Vec<String> =
        manifests.problems.iter().filter(|p| p.severity == Severity::Error).map(ToString::to_string).collect();
    if !broken.is_empty() {
        let mut lines = broken.into_iter();
        let mut error = CliError::new(lines.next().unwrap_or_default());
        error.causes = lines.collect();
        return Err(error.hint("mend the file, or leave it out"));
    }
    for problem in &manifests.problems {
        match problem.severity {
            Severity::Skipped => ui.detail(&format!("{problem} (skipped)")),
            _ => ui.warn(&problem.to_string()),
        }
    }
    bad.iter().for_each(|message| ui.warn(message));
    Ok((Origin::Manifests(manifests), inventory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_good_for_a_quarter_of_an_hour() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let taken_at = at("2026-01-01T12:00:00Z");
        assert!(!is_old(taken_at, at("2026-01-01T12:15:00Z")));
        assert!(is_old(taken_at, at("2026-01-01T12:15:01Z")));
        assert!(!is_old(taken_at, at("2026-01-01T11:00:00Z")), "a clock that was put back");
    }
}
