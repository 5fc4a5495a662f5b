//! What a rule is: its manual, its attributes, its check.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use crate::finding::{Category, Confidence, Evidence, Finding, Priority, Severity, Verdict};
use crate::fix::{Applicability, Fix, Input};
use crate::model::ownership::Ownership;
use crate::model::{Inventory, Item, Projection, Subject};

use super::settings::{Environment, Settings};

/// One rule. Declared with [`declare_rule!`](crate::declare_rule), whose doc comment is the manual.
#[derive(Debug)]
pub struct Rule {
    /// Names the bad pattern in kebab-case.
    pub id: &'static str,
    /// The bad pattern in a few words, a lowercase fragment.
    pub summary: &'static str,
    /// What it weighs in the score.
    pub severity: Severity,
    /// When to act.
    pub priority: Priority,
    /// Where it counts.
    pub category: Category,
    /// How far its fix may go at best; `None` for rules that only report.
    pub fix: Option<Applicability>,
    /// One sentence for the prompt: what happens if nothing is done.
    pub impact: &'static str,
    /// Its parameters: keys of `--set` and of the configuration.
    pub parameters: &'static [Parameter],
    /// Rules that may speak after its fix, because the fix uncovers them. Its own id here means
    /// that the fix is one stage of several.
    pub next_stages: &'static [&'static str],
    /// What its verdicts do not rest on: where fixes change nothing else, it need not judge again.
    pub unmoved_by: &'static [Aspect],
    /// The manual, Markdown, with the headings of [`MANUAL_HEADINGS`].
    pub manual: &'static str,
    /// Judges every object that it applies to.
    pub check: fn(&Context<'_>, &mut Verdicts<'_>),
}

/// What safe fixes change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// How many replicas a workload has, above none.
    Replicas,
    /// Which PodDisruptionBudgets there are.
    Budgets,
    /// At which level Pod Security Admission warns and audits.
    Warnings,
}

impl Aspect {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Replicas, Self::Budgets, Self::Warnings];
}

/// The headings that every manual has, in this order.
pub const MANUAL_HEADINGS: [&str; 6] =
    ["What it does", "Why it matters", "Example", "Use instead", "Fix", "References"];

/// One parameter of a rule.
#[derive(Debug)]
pub struct Parameter {
    /// The key: `--set RULE.KEY=VALUE`, and the key in the configuration.
    pub key: &'static str,
    /// The question, or what it means.
    pub prompt: &'static str,
    /// What it may be.
    pub kind: ParameterKind,
    /// The value if none is given.
    pub default: Option<&'static str>,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug)]
pub enum ParameterKind {
    /// A text that matches the regular expression as a whole.
    Text(&'static str),
    /// The same, of address ranges that the API takes.
    Ranges(&'static str),
    /// One of these.
    Choice(&'static [&'static str]),
    /// A whole number of at least this.
    Number(i64),
    /// `yes` once a person has checked it.
    Acknowledge,
    /// The object's `NAMESPACE/NAME`, typed to confirm what can't be undone.
    Confirm,
    /// A list of texts; configuration only.
    List,
    /// Texts by name; configuration only.
    Map,
}

impl Parameter {
    /// The regular expression that a value matches as a whole; `None` for lists and maps.
    pub fn pattern(&self) -> Option<Cow<'static, str>> {
        Some(match self.kind {
            ParameterKind::Text(pattern) | ParameterKind::Ranges(pattern) => pattern.into(),
            ParameterKind::Choice(choices) => choices.join("|").into(),
            ParameterKind::Number(_) => "[0-9]+".into(),
            ParameterKind::Acknowledge => "yes".into(),
            ParameterKind::Confirm => r"([a-z0-9.-]+/)?[a-z0-9.-]+".into(),
            ParameterKind::List | ParameterKind::Map => return None,
        })
    }

    /// Why a value is not allowed.
    pub fn reject(&self, value: &str) -> Option<String> {
        let pattern = self.pattern()?;
        let whole = regex::Regex::new(&format!("^(?:{pattern})$")).expect("parameters of rules are tested");
        if !whole.is_match(value) {
            return Some(match self.kind {
                ParameterKind::Choice(choices) => {
                    format!("`{value}` is not one of {}", choices.join(", "))
                }
                ParameterKind::Number(_) => format!("`{value}` is not a whole number"),
                ParameterKind::Acknowledge => format!("`{value}` is not `yes`"),
                _ => format!("`{value}` does not match {pattern}"),
            });
        }
        match self.kind {
            ParameterKind::Number(least) if value.parse::<i64>().is_ok_and(|n| n < least) => {
                Some(format!("`{value}` is less than {least}"))
            }
            ParameterKind::Ranges(_) => super::ranges::reject(value),
            _ => None,
        }
    }
}

/// What is wanted of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Findings with their evidence and their guarded fixes.
    #[default]
    Whole,
    /// The same of the findings that a folded table shows; of the others what orders and scores them.
    Folded,
    /// Verdicts, and which findings there are: enough for a score.
    Verdicts,
}

/// Equal findings of which a folded table shows each; of more it shows the first.
pub const FEW: usize = 3;

/// How many equal findings a check has made: by the hash of what a table folds.
#[derive(Debug, Default)]
pub struct Told(RefCell<HashMap<u64, usize, FixedState>>);

impl Told {
    /// True if a folded table may show one more of these, if findings come in its order.
    fn may_show(&self, finding: &Finding, class: Option<Applicability>) -> bool {
        self.0.borrow().get(&Self::hash(finding, class)).is_none_or(|count| *count < FEW)
    }

    fn count(&self, finding: &Finding, class: Option<Applicability>) {
        *self.0.borrow_mut().entry(Self::hash(finding, class)).or_default() += 1;
    }

    fn hash(finding: &Finding, class: Option<Applicability>) -> u64 {
        FixedState::default().hash_one((finding.severity, finding.priority, finding.message.as_str(), class))
    }
}

/// Folds findings as they are made, so that the details of thousands never stand side by side.
#[derive(Clone, Copy, Debug)]
pub struct Fold<'a> {
    /// The check.
    pub context: Context<'a>,
    /// What is told already.
    pub told: &'a Told,
    /// Guards a fix, which says how far it may go.
    pub guard: fn(&Inventory, &Settings, &mut Fix),
}

impl Fold<'_> {
    fn take(&self, finding: &mut Finding) {
        let class = finding.class();
        let may_show = self.told.may_show(finding, class);
        self.told.count(finding, class);
        if !may_show && finding.abridged.is_none() {
            let Context { inventory, settings, .. } = self.context;
            finding.fixes.iter_mut().for_each(|fix| (self.guard)(inventory, settings, fix));
            finding.abridge();
        }
    }
}

/// What a check sees: the objects and what the user said.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// All objects.
    pub inventory: &'a Inventory,
    /// What the user said.
    pub settings: &'a Settings,
    /// The rule that is running.
    pub rule: &'static Rule,
    /// What is wanted of it.
    pub depth: Depth,
    /// What it has told, where a folded table will show a part.
    pub told: Option<&'a Told>,
}

impl<'a> Context<'a> {
    /// A check of which everything is wanted.
    pub fn whole(inventory: &'a Inventory, settings: &'a Settings, rule: &'static Rule) -> Self {
        Self { inventory, settings, rule, depth: Depth::Whole, told: None }
    }
    /// Adds evidence and fixes to a finding, if they are wanted. Neither may change the verdict.
    pub fn detail(&self, finding: Finding, detail: impl FnOnce(Finding) -> Finding) -> Finding {
        match self.depth {
            Depth::Whole | Depth::Folded => detail(finding),
            Depth::Verdicts => finding,
        }
    }

    /// The same where it is known beforehand how far the fix may go, so that nothing need be built
    /// for findings that a folded table leaves out.
    pub fn detail_as(
        &self,
        class: Option<Applicability>,
        mut finding: Finding,
        detail: impl FnOnce(Finding) -> Finding,
    ) -> Finding {
        if self.told.is_some_and(|told| !told.may_show(&finding, class)) {
            finding.abridged = Some(class);
            return finding;
        }
        let finding = self.detail(finding, detail);
        debug_assert!(self.depth == Depth::Verdicts || finding.class() == class, "{finding:?}");
        finding
    }

    /// The environment.
    pub fn environment(&self) -> Environment {
        self.settings.environment
    }

    /// The value of a parameter for one object, or its default.
    pub fn value(&self, object: &Subject, key: &str) -> Option<String> {
        let answer = self.settings.answer(self.rule.id, object, key);
        answer.or_else(|| self.parameter(key).default.map(str::to_owned))
    }

    /// A whole number.
    pub fn number(&self, object: &Subject, key: &str) -> Option<i64> {
        self.value(object, key)?.parse().ok()
    }

    /// The texts of a [`ParameterKind::Map`] in the configuration, sorted by name.
    pub fn map(&self, key: &str) -> Vec<(String, String)> {
        let map = self.settings.parameters.get(self.rule.id).and_then(|p| p.get(key)?.as_object());
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        map.into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
    }

    /// The texts of a [`ParameterKind::List`] in the configuration.
    pub fn list(&self, key: &str) -> Vec<String> {
        let list = self.settings.parameters.get(self.rule.id).and_then(|p| p.get(key)?.as_array());
        list.into_iter().flatten().filter_map(|value| value.as_str().map(str::to_owned)).collect()
    }

    /// The question of a parameter, with the answer that was given for the object or the default.
    pub fn input(&self, object: &Subject, key: &str, required: bool) -> Input {
        let parameter = self.parameter(key);
        Input {
            key: parameter.key.into(),
            prompt: parameter.prompt.into(),
            default: parameter.default.map(str::to_owned),
            pattern: parameter.pattern(),
            required,
            value: self.value(object, key),
        }
    }

    /// The rule's attestation, if it is given and not older than 90 days.
    pub fn attested(&self) -> Option<String> {
        let attestation = self.settings.attestations.get(self.rule.id)?;
        let holds = attestation.holds(self.inventory.taken_at);
        holds.then(|| format!("{} ({})", attestation.statement, attestation.date))
    }

    /// A finding about an object that was read, with the rule's own attributes.
    pub fn finding<T: Projection>(&self, item: &Item<T>, message: impl Into<String>) -> Finding {
        let mut finding = self.finding_about(&item.subject, message);
        if self.inventory.is_live() {
            finding.ownership = Ownership::of(item.body.meta(), &item.subject.kind, self.inventory);
        }
        finding
    }

    /// A finding about something of which there is no object: the cluster, a namespace that is
    /// only named.
    pub fn finding_about(&self, subject: &Subject, message: impl Into<String>) -> Finding {
        Finding {
            rule: self.rule.id,
            severity: self.rule.severity,
            priority: self.rule.priority,
            category: self.rule.category,
            confidence: Confidence::Observed,
            object: subject.clone(),
            locations: Vec::new(),
            message: message.into(),
            impact: self.rule.impact,
            evidence: Vec::<Evidence>::new(),
            ownership: Ownership::default(),
            fixes: Vec::new(),
            abridged: None,
        }
    }

    fn parameter(&self, key: &str) -> &'static Parameter {
        let found = self.rule.parameters.iter().find(|parameter| parameter.key == key);
        found.expect("a rule asks for its own parameters only, which its tests reach")
    }
}

/// What a rule said.
#[derive(Debug, Default)]
pub struct Verdicts<'a> {
    /// One verdict for each object.
    pub outcomes: Vec<(Subject, Verdict)>,
    /// The findings.
    pub findings: Vec<Finding>,
    /// The pass ratio, where it is not the share of objects that passed, from 0 to 1.
    pub ratio: Option<f64>,
    /// Where a folded table will show a part.
    pub fold: Option<Fold<'a>>,
}

impl Verdicts<'_> {
    /// All is well with this object.
    pub fn pass(&mut self, subject: &Subject) {
        self.outcomes.push((subject.clone(), Verdict::Pass { attested: None }));
    }

    /// All is well, as somebody says.
    pub fn attested(&mut self, subject: &Subject, statement: String) {
        self.outcomes.push((subject.clone(), Verdict::Pass { attested: Some(statement) }));
    }

    /// Half of it is well.
    pub fn partial(&mut self, subject: &Subject, reason: impl Into<String>) {
        self.outcomes.push((subject.clone(), Verdict::Partial { reason: reason.into() }));
    }

    /// It can't be seen.
    pub fn unknown(&mut self, subject: &Subject, reason: impl Into<String>) {
        self.outcomes.push((subject.clone(), Verdict::Unknown { reason: reason.into() }));
    }

    /// The rule does not apply to this object.
    pub fn na(&mut self, subject: &Subject) {
        self.outcomes.push((subject.clone(), Verdict::NotApplicable));
    }

    /// A finding. One of severity info never fails a check.
    pub fn fail(&mut self, mut finding: Finding) {
        self.outcomes.push((finding.object.clone(), Verdict::of(finding.severity)));
        if let Some(fold) = self.fold {
            fold.take(&mut finding);
        }
        self.findings.push(finding);
    }
}

/// Declares the `RULE` of a file: the doc comment is the manual, the rest its attributes.
#[macro_export]
macro_rules! declare_rule {
    ($(#[doc = $manual:expr])* id: $id:literal, $($field:ident: $value:expr),* $(,)?) => {
        $(#[doc = $manual])*
        pub const RULE: $crate::rules::rule::Rule = $crate::rules::rule::Rule {
            id: $id,
            manual: concat!($($manual, "\n"),*),
            $($field: $value),*
        };
    };
}
