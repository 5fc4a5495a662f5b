//! `audit`: read, judge, report.

use clap::{Args, ValueEnum};

use super::Shell;
use super::args::WhatArgs;
use super::error::{CliError, code};
use super::session::{Session, runtime};
use crate::audit::folded::fold;
use crate::audit::{Baseline, run_configured_to};
use crate::finding::{Finding, Severity};
use crate::plan::outlook::{Reach, score_with_outlook};
use crate::report::audit::{About, AuditReport, Shown, report};
use crate::report::{actions, name, table};
use crate::rules::rule::Depth;

/// The flags of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// What is looked at
    #[command(flatten)]
    pub what: WhatArgs,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Output")]
    output: Format,
    /// Exit 1 for findings of this severity and worse
    #[arg(long, value_enum, default_value = "low", value_name = "SEVERITY", help_heading = "Output")]
    fail_on: FailOn,
    /// Say what each check contributes to the score and takes from it
    #[arg(long, help_heading = "Output")]
    explain_score: bool,
    /// Findings in this file do not fail the run
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    baseline: Option<std::path::PathBuf>,
    /// Write the findings to this file, as a baseline
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    write_baseline: Option<std::path::PathBuf>,
}

/// Output formats of `audit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Scorecard and findings, folded
    #[default]
    Table,
    /// Everything: no folding, every place and fact
    Wide,
    /// The AuditReport as JSON
    Json,
    /// The AuditReport as YAML
    Yaml,
    /// One kind.group/name a line, each once
    Name,
    /// What to do: immediate, short term, long term
    Actions,
}

/// The mildest severity that fails a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Critical findings only
    Critical,
    /// High and worse
    High,
    /// Medium and worse
    Medium,
    /// Any finding; info never fails
    Low,
    /// Nothing
    Never,
}

impl FailOn {
    fn fails(self, severity: Severity) -> bool {
        match self {
            Self::Critical => severity <= Severity::Critical,
            Self::High => severity <= Severity::High,
            Self::Medium => severity <= Severity::Medium,
            Self::Low => severity <= Severity::Low,
            Self::Never => false,
        }
    }
}

/// Runs `audit`.
pub fn run(args: &AuditArgs, shell: &Shell) -> Result<u8, CliError> {
    let runtime = runtime()?;
    let baseline = args.baseline.as_deref().map(read_baseline).transpose()?;
    // Names need no evidence and no fixes, a table few of them. The score after all fixes needs all.
    let depth = match args.output {
        Format::Name => Depth::Verdicts,
        Format::Table if !args.explain_score => Depth::Folded,
        _ => Depth::Whole,
    };
    let what = WhatArgs { depth, ..args.what.clone() };
    let mut session = Session::open(&what, &shell.connection, &shell.env, &shell.ui, &runtime)?;
    print(args, shell, &mut session, depth);
    if let Some(path) = &args.write_baseline {
        let text = Baseline::of(session.findings()).to_yaml();
        crate::backend::files::write(path, &text)?;
        shell.ui.note(&format!("Baseline of {} findings written to {}", session.findings().count(), path.display()));
    }
    let known = |finding: &&Finding| baseline.as_ref().is_some_and(|b| b.contains(finding));
    let failing = session.findings().filter(|finding| args.fail_on.fails(finding.severity));
    let failing = failing.filter(|finding| !known(finding)).count();
    if let Some(baseline) = &baseline {
        let old = session.findings().filter(known).count();
        shell.ui.note(&format!("{old} findings are in the baseline"));
        let gone = baseline.gone(session.findings()).len();
        if gone > 0 {
            shell.ui.note(&format!("{gone} findings of the baseline are gone: write it anew with --write-baseline"));
        }
    }
    // The program ends here: taking thousands of objects apart before it does is time for nothing.
    std::mem::forget(session);
    Ok(if failing > 0 { code::LEFT } else { code::DONE })
}

fn read_baseline(path: &std::path::Path) -> Result<Baseline, CliError> {
    let text = crate::backend::files::read(path)?;
    Ok(Baseline::parse(&text, &path.display().to_string())?)
}

/// The findings of a session that a report shows, each with the number of those that it leaves out
/// after it: a table tells together those that say the same.
fn shown(session: &Session, is_table: bool) -> Vec<(usize, usize)> {
    let counted: Vec<usize> = session.counted().collect();
    if !is_table {
        return counted.into_iter().map(|at| (at, 0)).collect();
    }
    let findings: Vec<&Finding> = counted.iter().map(|at| &session.audit.findings[*at]).collect();
    fold(&findings).into_iter().map(|(position, more)| (counted[position], more)).collect()
}

/// The report of a session, with the findings that count.
fn report_of(session: &mut Session, what: &WhatArgs, is_table: bool, depth: Depth) -> AuditReport {
    let mut chosen = shown(session, is_table);
    // Waivers and selectors may leave others to show than the rules saw.
    let is_whole = !chosen.iter().any(|(at, _)| session.audit.findings[*at].abridged.is_some());
    if !is_whole {
        session.judge_again();
        chosen = shown(session, is_table);
    }
    session.locate(chosen.iter().map(|(at, _)| *at));
    let again = |inventory: &crate::model::Inventory, rules: &[_]| {
        run_configured_to(Depth::Verdicts, inventory, &session.settings, &session.config, rules)
    };
    let reach = if depth == Depth::Folded { Reach::Safe } else { Reach::All };
    let score = score_with_outlook(&session.inventory, &session.audit, reach, again);
    let mut files = what.filename.clone();
    files.extend(what.kustomize.iter().map(|dir| dir.display().to_string()));
    let about = About {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        generated_at: session.inventory.taken_at,
        elapsed_seconds: session.elapsed.as_secs_f64(),
        environment: session.settings.environment,
        files,
    };
    let shown: Vec<Shown<'_>> =
        chosen.into_iter().map(|(at, more)| Shown { finding: &session.audit.findings[at], more }).collect();
    report(&session.inventory, &session.audit, &shown, &score, &about)
}

fn print(args: &AuditArgs, shell: &Shell, session: &mut Session, depth: Depth) {
    // Scores and places cost time, names need neither.
    if args.output == Format::Name {
        let names = name::names(session.findings().map(|finding| &*finding.object));
        return shell.ui.data(&names.into_iter().map(|name| name + "\n").collect::<String>());
    }
    let report = &report_of(session, &args.what, args.output == Format::Table, depth);
    let options = table::Options {
        width: shell.ui.width(),
        wide: args.output == Format::Wide,
        selection: selection(&args.what, shell),
    };
    match args.output {
        Format::Json => shell.ui.data(&report.to_json()),
        Format::Yaml => shell.ui.data(&report.to_yaml()),
        Format::Name => {}
        Format::Actions => shell.ui.lines(&actions::actions(report, &options)),
        Format::Table | Format::Wide => {
            shell.ui.lines(&table::table(report, &options));
            if args.explain_score {
                shell.ui.lines(&table::explain_score(report, &options));
            }
        }
    }
}

/// What the user typed to choose the objects, for the commands that come next.
pub fn selection(what: &WhatArgs, shell: &Shell) -> String {
    let mut words: Vec<String> = Vec::new();
    words.extend(shell.connection.context.iter().map(|context| format!("--context {context}")));
    if what.all_namespaces {
        words.push("-A".to_owned());
    } else {
        words.extend(shell.connection.namespace.iter().map(|namespace| format!("-n {namespace}")));
    }
    words.extend(what.filename.iter().map(|file| format!("-f {}", quoted(file))));
    words.extend(what.recursive.then(|| "-R".to_owned()));
    words.extend(what.kustomize.iter().map(|dir| format!("-k {}", quoted(&dir.display().to_string()))));
    words.extend(what.complete.then(|| "--complete".to_owned()));
    words.extend(what.config.iter().map(|file| format!("--config {}", quoted(&file.display().to_string()))));
    words.join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
