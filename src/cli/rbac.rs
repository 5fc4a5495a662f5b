//! `rbac`: the least roles for a use of this plugin.

use clap::{Args, ValueEnum};

use super::Shell;
use super::error::{CliError, code};
use crate::backend::cluster::rights::{self, Right};
use crate::report::rbac::{Grantee, manifests};

/// The flags of `rbac`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    kubectl progrc rbac audit --for user:alice | kubectl apply -f -\n  \
    kubectl progrc rbac fix -n shop --for serviceaccount:ci:fixer | kubectl apply -f -")]
pub struct RbacArgs {
    /// What for
    #[arg(value_enum, value_name = "USE")]
    purpose: Purpose,
    /// Who gets the rights: user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME; repeatable
    #[arg(long = "for", value_name = "SUBJECT", value_parser = Grantee::parse)]
    grantees: Vec<Grantee>,
    /// Name of the roles and bindings; kubectl-progrc-audit or kubectl-progrc-fix unless given
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Purpose {
    /// audit and diff of manifests: reads only
    Audit,
    /// audit, diff, fix and undo
    Fix,
}

/// Runs `rbac`. It asks no server: the namespace is that of `-n`, else the roles are of the cluster.
pub fn run(args: &RbacArgs, shell: &Shell) -> Result<u8, CliError> {
    let (word, rights) = match args.purpose {
        Purpose::Audit => ("audit", rights::audit()),
        Purpose::Fix => ("fix", both(rights::audit(), rights::fix())),
    };
    let name = args.name.clone().unwrap_or_else(|| format!("kubectl-progrc-{word}"));
    let namespace = shell.connection.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    let place = namespace.map_or_else(|| "in all namespaces".to_owned(), |name| format!("in namespace {name}"));
    let mut text = format!("# What `kubectl progrc {word}` needs {place}. No right to see Secrets is among it.\n");
    if namespace.is_some() {
        text += "# Other namespaces stay unseen: who calls in from there is a gap of the report.\n";
    }
    for (number, document) in manifests(&name, &rights, namespace, &args.grantees).iter().enumerate() {
        text += if number == 0 { "" } else { "---\n" };
        text += &serde_saphyr::to_string(document)?;
    }
    shell.ui.data(&text);
    if args.grantees.is_empty() {
        shell.ui.note("Nobody is bound to it yet: --for user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME");
    }
    Ok(code::DONE)
}

/// All rights of two uses; a right that only a `ClusterRole` can give and one that a Role can stay two.
fn both(read: Vec<Right>, write: Vec<Right>) -> Vec<Right> {
    let mut all = read;
    for right in write {
        let known = all.iter_mut().find(|other| {
            (&other.group, &other.resource, other.cluster) == (&right.group, &right.resource, right.cluster)
        });
        match known {
            Some(known) => {
                known.verbs.extend(right.verbs);
                known.verbs.sort_unstable();
                known.verbs.dedup();
            }
            None => all.push(right),
        }
    }
    all
}
