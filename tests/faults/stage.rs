//! One fixture of a rule, set up on the real server: the objects, the command that fixes them, and
//! what a run without faults does.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use kubectl_progrc::backend::journal::{Entry, Journal};
use kubectl_progrc::rules::rule::Rule;
use serde_json::{Value, json};

use crate::crash::{RECOVER, Victim, back, leave_half_done};
use crate::fault::Asked;
use crate::harness::{ControlPlane, Finished, Invocation, TestNamespace};
use crate::proxy::Proxy;
use crate::scene::Scene;
use crate::setting::{FIXED, age, main_namespace, put, renamed};
use crate::state::State;

/// A fixture on the server.
pub(crate) struct Stage {
    /// `RULE/FILE`.
    pub(crate) name: String,
    /// The rule.
    pub(crate) rule: &'static Rule,
    pub(crate) plane: &'static ControlPlane,
    pub(crate) ns: TestNamespace,
    pub(crate) namespaces: Vec<String>,
    fix: Vec<String>,
    /// Before the fix.
    pub(crate) first: State,
    /// After it.
    pub(crate) last: State,
    /// The requests about objects of a `fix` without faults, and of the `undo` after it.
    pub(crate) fix_steps: Vec<Asked>,
    pub(crate) undo_steps: Vec<Asked>,
    /// Those of a `recover` after a `fix` that died when its first write was done.
    pub(crate) recover_steps: Vec<Asked>,
    /// The commands whose requests no other stage of the rule sends in the same order: one stage for
    /// each order is enough.
    pub(crate) victims: Vec<Victim>,
    cases: AtomicUsize,
}

/// Why there is no stage.
pub(crate) enum Unfit {
    /// This server does not take the fixture, or the rule has nothing to write there.
    Scene(String),
    /// The fix could not be taken back although nothing went wrong.
    Defect(String),
}

impl Stage {
    /// Sets a fixture up. Nothing is fixed yet.
    pub(crate) fn set_up(plane: &'static ControlPlane, rule: &'static Rule, file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).unwrap();
        if text.lines().any(|line| line.starts_with("# gap: ") || line.starts_with("# attest: ")) {
            return Err("it needs a list that may not be read, or an attestation".to_owned());
        }
        let ns = plane.namespace("stage");
        let main = main_namespace(&text);
        let (text, others) = renamed(&text, &main, &ns.name);
        let mut scene = Scene::parse(&text);
        for index in std::mem::take(&mut scene.unplaced) {
            scene.objects[index]["metadata"]["namespace"] = ns.name.as_str().into();
        }
        let others: Vec<String> = others.into_iter().filter(|it| *it != ns.name).collect();
        put(plane, &ns.name, &others, &scene.objects)?;
        // On conditions a fix waits; rollouts nobody carries out here.
        let diff = std::fs::read_to_string(file.with_extension("diff")).unwrap();
        let waits = diff.lines().any(|line| line.starts_with("wait for "));
        let wait = if waits { "--wait=true" } else { "--wait=false" };
        let mut fix = ["fix", "--yes", "--unsafe-fixes", "--timeout=20s", wait].map(str::to_owned).to_vec();
        arguments(&mut fix, rule, &text, &ns, &scene);
        let namespaces = std::iter::once(ns.name.clone())
            .chain(others.into_iter().filter(|it| !FIXED.contains(&it.as_str())))
            .collect::<Vec<_>>();
        let first = State::read(plane, &namespaces);
        let name = format!("{}/{}", rule.id, file.file_stem().unwrap().to_str().unwrap());
        Ok(Self {
            name,
            rule,
            plane,
            ns,
            namespaces,
            fix,
            first,
            last: State::default(),
            fix_steps: Vec::new(),
            undo_steps: Vec::new(),
            recover_steps: Vec::new(),
            victims: Vec::new(),
            cases: AtomicUsize::new(0),
        })
    }

    /// Fixes and takes back without any fault: that has to work before anything else is tried.
    pub(crate) fn rehearse(&mut self) -> Result<(), Unfit> {
        let home = self.new_home();
        let proxy = Proxy::start(self.plane, &self.ns.tester, Vec::new());
        let fixed = self.command(&home, &self.fix_args(), &proxy).run();
        let wrote = proxy.log().iter().any(|asked| asked.writes() && asked.code.is_some_and(|code| code < 300));
        let said = told(&fixed);
        if !wrote {
            return Err(Unfit::Scene(format!("nothing is written: {}", why_not(&fixed))));
        }
        self.last = self.now();
        self.fix_steps = steps(&proxy);
        let proxy = Proxy::start(self.plane, &self.ns.tester, Vec::new());
        let undone = self.command(&home, &["undo", "--yes", "--wait=false"].map(str::to_owned), &proxy).run();
        self.undo_steps = steps(&proxy);
        let differs = self.first.differs(&self.now());
        // As the fix has said: who takes it back has to change what refuses the old pods first.
        if undone.code == Some(1) && told(&undone).contains("its new pods would be refused") {
            self.first.restore(self.plane, &self.namespaces);
            return Err(Unfit::Scene("its old pods would be refused by now, so that it stays".to_owned()));
        }
        if fixed.code != Some(0) || undone.code != Some(0) || !differs.is_empty() {
            self.first.restore(self.plane, &self.namespaces);
            let text =
                format!("{differs:#?}\nfix: {:?}\n{said}\nundo: {:?}\n{}", fixed.code, undone.code, told(&undone));
            return Err(Unfit::Defect(text));
        }
        self.rehearse_recovery().map_err(|why| {
            self.first.restore(self.plane, &self.namespaces);
            Unfit::Defect(why)
        })
    }

    /// What `recover` does after a death in the middle, if nothing else goes wrong.
    fn rehearse_recovery(&mut self) -> Result<(), String> {
        let home = self.new_home();
        self.reset();
        leave_half_done(self, &home)?;
        let proxy = Proxy::start(self.plane, &self.ns.tester, Vec::new());
        let recovered = self.command(&home, &RECOVER.map(str::to_owned), &proxy).run();
        if recovered.code != Some(0) {
            return Err(format!("recover: {:?}\n{}", recovered.code, told(&recovered)));
        }
        self.recover_steps = steps(&proxy);
        back(self, &home)
    }

    /// The objects as they are.
    pub(crate) fn now(&self) -> State {
        State::read(self.plane, &self.namespaces)
    }

    /// Puts back what no undo does: the replicas that an autoscaler keeps, as old as they were.
    pub(crate) fn reset(&self) {
        let autoscaled = self.first.autoscaled();
        if !autoscaled.is_empty() {
            self.first.restore(self.plane, &self.namespaces);
            autoscaled.iter().filter(|path| self.first.0.contains_key(*path)).for_each(|path| age(self.plane, path));
        }
    }

    /// A directory for the journal of one case.
    pub(crate) fn new_home(&self) -> PathBuf {
        let number = self.cases.fetch_add(1, Ordering::Relaxed);
        self.ns.home().join(format!("case-{number}"))
    }

    /// The arguments of the fix.
    pub(crate) fn fix_args(&self) -> Vec<String> {
        self.fix.clone()
    }

    /// The plugin, through a proxy, with the journal of one case.
    pub(crate) fn command(&self, home: &Path, args: &[String], proxy: &Proxy) -> Invocation {
        let server = proxy.server();
        let args: Vec<&str> = args.iter().map(String::as_str).chain([server.as_str()]).collect();
        self.ns.progrc(&args).env("XDG_STATE_HOME", home)
    }

    /// The plugin, let alone.
    pub(crate) fn run(&self, home: &Path, args: &[String]) -> Finished {
        self.command(home, args, &Proxy::start(self.plane, &self.ns.tester, Vec::new())).run()
    }
}

/// The entries of a case's journal, newest first; a file that can't be read is an error.
pub(crate) fn journal(home: &Path) -> Result<Vec<Entry>, String> {
    let (entries, bad) = Journal::new(home).entries().map_err(|error| error.to_string())?;
    match bad.first() {
        Some(bad) => Err(format!("the journal is unreadable: {bad}")),
        None => Ok(entries),
    }
}

/// All that a program said.
pub(crate) fn told(ended: &Finished) -> String {
    format!("{}{}", ended.stdout, ended.stderr)
}

fn steps(proxy: &Proxy) -> Vec<Asked> {
    proxy.log().into_iter().filter(Asked::is_step).collect()
}

/// The lines that say what was left.
fn why_not(ended: &Finished) -> String {
    let said = told(ended);
    let lines = said.lines().filter(|line| line.contains(" · ") && !line.starts_with("Context"));
    let lines: Vec<&str> = lines.map(str::trim).take(2).collect();
    if lines.is_empty() { said.lines().take(6).collect::<Vec<_>>().join("; ") } else { lines.join("; ") }
}

/// What the comment lines of a fixture say, as flags.
fn arguments(fix: &mut Vec<String>, rule: &Rule, text: &str, ns: &TestNamespace, scene: &Scene) {
    fix.push(format!("--select={}", rule.id));
    for line in text.lines().filter_map(|line| line.strip_prefix("# ")) {
        match line.split_once(": ") {
            Some(("set", answer)) => fix.push(format!("--set={}", answer.trim())),
            Some(("env", name)) => fix.push(format!("--env={}", name.trim())),
            Some(("config", rules)) => {
                let rules: Value = serde_json::from_str(rules).unwrap();
                let file = ns.home().join("config.yaml");
                let config = json!({"apiVersion": "progrc.io/v1", "kind": "Config", "rules": rules});
                std::fs::write(&file, config.to_string()).unwrap();
                fix.push(format!("--config={}", file.display()));
            }
            _ => {}
        }
    }
    // What is lost for good is confirmed, finding by finding.
    let inventory = scene.inventory(0..scene.objects.len());
    let rule = kubectl_progrc::rules::find(rule.id).unwrap();
    for finding in kubectl_progrc::audit::run(&inventory, &scene.settings, &[rule]).findings {
        if finding.fixes.iter().any(|fix| fix.irreversible.is_some()) {
            fix.push(format!("--set={}[{}].confirm={}", rule.id, finding.object, finding.object.path()));
        }
    }
}
