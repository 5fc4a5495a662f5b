//! The file's shape, read strictly, with the lines of what has to be checked afterwards.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_saphyr::Spanned;

use crate::model::object::nullable;
use crate::rules::settings::Environment;

/// The configuration of kubectl progrc.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Document {
    /// The version of this format.
    pub api_version: Option<ApiVersion>,
    /// What this file is.
    pub kind: Option<Kind>,
    /// What the audited namespaces are for; production unless said.
    pub environment: Option<Environment>,
    /// True: the manifests given with -f are all there is, so what they do not contain does not exist.
    pub complete: Option<bool>,
    /// Namespaces that belong to the cluster, besides kube-system, kube-public and kube-node-lease.
    #[serde(deserialize_with = "nullable")]
    #[schemars(with = "Vec<String>")]
    pub system_namespaces: Vec<Spanned<String>>,
    /// Rules that are switched off, out of the score too: ids, categories or severities.
    #[serde(deserialize_with = "nullable")]
    #[schemars(with = "Vec<String>")]
    pub ignore: Vec<Spanned<String>>,
    /// Parameters of rules and their severity, by the rule's id.
    #[serde(deserialize_with = "nullable")]
    #[schemars(with = "BTreeMap<String, BTreeMap<String, Value>>")]
    pub rules: Entries<Option<Entries<Spanned<Value>>>>,
    /// Findings that somebody accepts.
    #[serde(deserialize_with = "nullable")]
    pub waivers: Vec<WaiverEntry>,
    /// What nobody can see from inside the cluster and somebody vouches for, by the rule's id. Each
    /// holds for 90 days after its date.
    #[serde(deserialize_with = "nullable")]
    #[schemars(with = "BTreeMap<String, AttestationEntry>")]
    pub attestations: Entries<AttestationEntry>,
}

/// The version of this format.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum ApiVersion {
    /// The first.
    #[serde(rename = "progrc.io/v1")]
    V1,
}

/// What this file is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum Kind {
    /// A configuration.
    Config,
}

/// A finding that somebody accepts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WaiverEntry {
    /// The rule's id.
    #[schemars(with = "String")]
    pub rule: Spanned<String>,
    /// Kind/namespace/name, or Kind/name for an object of the whole cluster; Cluster for the
    /// cluster itself.
    #[schemars(with = "String")]
    pub object: Spanned<String>,
    /// Why it is accepted.
    #[serde(default, deserialize_with = "nullable")]
    pub reason: String,
    /// The last day that it holds: 2027-01-31.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub until: Option<Spanned<String>>,
}

/// What somebody vouches for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AttestationEntry {
    /// What is so.
    #[schemars(with = "String")]
    pub statement: Spanned<String>,
    /// The day it was said: 2026-10-01.
    #[schemars(with = "String")]
    pub date: Spanned<String>,
}

/// A mapping in the order of the file, with the lines of its keys.
#[derive(Debug)]
pub(super) struct Entries<T>(pub Vec<(Spanned<String>, T)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}
