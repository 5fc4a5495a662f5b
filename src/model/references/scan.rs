//! Finds names of Services in a text, in one pass.
//!
//! A qualified name (`web.shop.svc`) speaks for itself. A bare name is a common word, so it counts
//! only with evidence: a scheme, a port that the Service has, or a key that asks for an address.

use super::keys::{is_host_key, is_silent_key};
use super::names::{address_v6, is_outside, resolve};
use crate::model::inventory::Inventory;

/// What a text names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// A Service that was read, by position.
    Service(usize),
    /// An address outside the Services that were read.
    Host(String),
}

/// Why a name counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// It is a name of cluster DNS, or of a variable that Kubernetes makes for a Service.
    Qualified,
    /// It stands after a scheme.
    Scheme,
    /// The Service has the port beside it.
    Port,
    /// It stands after this key, flag or command.
    Key(String),
    /// It is the whole text; whoever reads the text knows its key.
    Whole,
}

/// One name in a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mention {
    pub(super) target: Target,
    /// The port beside it, as the client writes it.
    pub(super) port: Option<i64>,
    pub(super) why: Why,
}

/// Finds the names that a client in `namespace` may mean. Linear in the text.
pub(super) fn scan(inventory: &Inventory, namespace: &str, text: &str) -> Vec<Mention> {
    let whole = text.trim().trim_matches(['"', '\'']);
    if let Some(mention) = whole_address(whole) {
        return vec![mention];
    }
    let mut scanner = Scanner {
        inventory,
        namespace,
        text,
        bytes: text.as_bytes(),
        length: whole.len(),
        has_comments: !text.trim_start().starts_with(['{', '[']),
        key: None,
        pending: None,
        found: Vec::new(),
    };
    scanner.run();
    let mut found = scanner.found;
    found.sort();
    found.dedup();
    found
}

/// A key and how far it reaches.
#[derive(Clone)]
struct Key<'a> {
    word: &'a str,
    /// `key=value` ends at a blank, `key: value` at the end of the line.
    ends_at_blank: bool,
    used: bool,
    /// A list below the key: it reaches until the next key.
    list: bool,
}

struct Scanner<'a> {
    inventory: &'a Inventory,
    namespace: &'a str,
    text: &'a str,
    bytes: &'a [u8],
    /// The length of the text without blanks and quotes around it.
    length: usize,
    has_comments: bool,
    key: Option<Key<'a>>,
    /// A flag or command whose value is the next word.
    pending: Option<&'a str>,
    found: Vec<Mention>,
}

/// Commands whose argument is a host, and directives of configuration files that take one.
const COMMANDS: [&str; 12] =
    ["curl", "dig", "getent", "hosts", "nc", "ncat", "nslookup", "ping", "replicaof", "slaveof", "telnet", "wget"];

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl<'a> Scanner<'a> {
    fn run(&mut self) {
        let mut at = 0;
        let mut line_start = true;
        while at < self.bytes.len() {
            let byte = self.bytes[at];
            if self.starts_comment(at, line_start) {
                at = self.end_of_line(at);
            } else if byte == b'\n' {
                self.end_line();
                line_start = true;
                at += 1;
                continue;
            } else if self.text[at..].starts_with("://") {
                at = self.authority(at + 3);
            } else if is_word(byte) {
                at = self.word(at);
            } else {
                self.pass(byte);
                line_start &= is_blank(byte);
                at += self.width(at);
                continue;
            }
            line_start = false;
        }
    }

    /// The width of the character at `at`, so that slices stay on boundaries.
    fn width(&self, at: usize) -> usize {
        let next = (at + 1..=self.bytes.len()).find(|next| self.text.is_char_boundary(*next));
        next.unwrap_or(self.bytes.len()) - at
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(b'\n')
    }

    fn starts_comment(&self, at: usize, line_start: bool) -> bool {
        let after_blank = at == 0 || is_blank(self.bytes[at - 1]);
        let hash = self.bytes[at] == b'#' && after_blank;
        let slashes = line_start && self.text[at..].starts_with("//");
        self.has_comments && (hash || slashes)
    }

    fn end_of_line(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.bytes.len(), |length| at + length)
    }

    fn end_line(&mut self) {
        let ends = |key: &mut Key<'_>| {
            key.list |= !key.used && !key.ends_at_blank;
            !key.list
        };
        if self.key.as_mut().is_some_and(ends) {
            self.key = None;
        }
    }

    /// A separator.
    fn pass(&mut self, byte: u8) {
        let ends = |key: &Key<'_>| key.used && key.ends_at_blank && (is_blank(byte) || matches!(byte, b';' | b'&'));
        if self.key.as_ref().is_some_and(ends) {
            self.key = None;
        }
        if matches!(byte, b';' | b'|' | b'&') {
            self.pending = None;
        }
    }

    /// Hosts after `://`: user information before the last `@`, commas between hosts.
    fn authority(&mut self, start: usize) -> usize {
        let scheme = self.text[..start - 3].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '+').next();
        let usual = default_port(scheme.unwrap_or_default());
        let end = self.end_of_authority(start);
        let authority = &self.text[start..end];
        let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
        if !self.is_silent() {
            for host in hosts.split(',').filter(|host| !host.ends_with(':')) {
                let (name, port) = split_port(host);
                if let Some(address) = address_v6(name) {
                    self.host(&address, port, usual, &Why::Scheme);
                } else if !name.is_empty() && name.bytes().all(is_word) {
                    self.host(name, port, usual, &Why::Scheme);
                }
            }
        }
        self.use_key();
        // `http://a,http://b`: the next scheme was taken for a host.
        end - usize::from(authority.ends_with(':') && self.text[end..].starts_with("//"))
    }

    /// The `]` of an address in brackets does not end an authority.
    fn end_of_authority(&self, start: usize) -> usize {
        let stop = |c: char| c.is_whitespace() || "/?#\"'`;)]}>|&\\<".contains(c);
        let mut at = start;
        while let Some(length) = self.text[at..].find(stop) {
            let end = at + length;
            let in_brackets = || self.text[start..end].rsplit_once('[').and_then(|(_, inside)| address_v6(inside));
            if self.bytes[end] != b']' || in_brackets().is_none() {
                return end;
            }
            at = end + 1;
        }
        self.bytes.len()
    }

    /// A word: a key, a flag, a command, a number, or a name.
    fn word(&mut self, start: usize) -> usize {
        let mut end = start;
        while end < self.bytes.len() && is_word(self.bytes[end]) {
            end += 1;
        }
        let word = &self.text[start..end];
        if self.text[end..].starts_with("://") {
            return end;
        }
        if let Some(next) = self.as_key(word, end) {
            return next;
        }
        if word.starts_with('-') {
            self.pending = Some(word).filter(|flag| is_host_key(flag)).or(self.pending);
            return end;
        }
        let before = if start == 0 { b'\n' } else { self.bytes[start - 1] };
        if before == b'$' || (start > 1 && matches!(before, b'(' | b'{') && self.bytes[start - 2] == b'$') {
            self.service_variable(word);
            return end;
        }
        let in_path = before == b'/' && (start < 2 || self.bytes[start - 2] != b'/');
        if !in_path && !self.is_silent() {
            self.name(word, start, end);
        }
        self.use_key();
        let is_command = COMMANDS.binary_search(&word).is_ok();
        self.pending =
            if is_command { Some(word) } else { self.pending.filter(|_| word.bytes().all(|b| b.is_ascii_digit())) };
        end
    }

    fn use_key(&mut self) {
        if let Some(key) = &mut self.key {
            key.used = true;
        }
    }

    fn is_silent(&self) -> bool {
        self.key.as_ref().is_some_and(|key| is_silent_key(key.word))
    }

    /// Takes the word as a key if `=` or `: ` follows; returns where its value starts.
    fn as_key(&mut self, word: &'a str, end: usize) -> Option<usize> {
        let quoted = matches!(self.byte(end), b'"' | b'\'');
        let mut at = end + usize::from(quoted);
        let unspaced = at;
        while matches!(self.byte(at), b' ' | b'\t') && at < self.bytes.len() {
            at += 1;
        }
        let sign = if at < self.bytes.len() { self.bytes[at] } else { b'\n' };
        let after = self.byte(at + 1);
        let is_key = match sign {
            b'=' => true,
            b':' => quoted || (at == unspaced && (is_blank(after) || matches!(after, b'"' | b'\''))),
            _ => false,
        };
        if !is_key {
            return None;
        }
        self.key = Some(Key { word, ends_at_blank: sign == b'=', used: false, list: false });
        self.pending = None;
        Some(at + 1)
    }

    /// `REDIS_SERVICE_HOST`: Kubernetes gives every container such variables of its namespace's
    /// Services.
    fn service_variable(&mut self, word: &str) {
        let Some(name) = word.strip_suffix("_SERVICE_HOST") else {
            return;
        };
        let name = name.to_ascii_lowercase().replace('_', "-");
        if let Some(service) = self.inventory.services.position(self.namespace, "Service", &name) {
            self.found.push(Mention { target: Target::Service(service), port: None, why: Why::Qualified });
        }
    }

    fn name(&mut self, word: &'a str, start: usize, end: usize) {
        let port = self.port_after(end);
        let is_whole = self.length == port.map_or(end, |(_, end)| end) - start;
        let key = self.key.as_ref().map(|key| key.word).filter(|key| is_host_key(key));
        let why = match (self.pending.or(key), is_whole) {
            (Some(key), _) => Why::Key(key.trim_start_matches('-').to_owned()),
            (None, true) => Why::Whole,
            (None, false) => Why::Port,
        };
        self.host(word, port.map(|(port, _)| port), None, &why);
    }

    /// A port directly after a name, `db:5432`, or as the next word, `nc db 5432`.
    fn port_after(&self, end: usize) -> Option<(i64, usize)> {
        let mut at = end;
        while at < self.bytes.len() && at - end < 4 && (is_blank(self.bytes[at]) || b":,\"'".contains(&self.bytes[at]))
        {
            at += 1;
        }
        let digits = self.bytes[at.min(self.bytes.len())..].iter().take(6).take_while(|b| b.is_ascii_digit()).count();
        let stop = at + digits;
        let is_number =
            at > end && (1..=5).contains(&digits) && (stop == self.bytes.len() || !is_word(self.bytes[stop]));
        let port = self.text.get(at..stop).filter(|_| is_number)?.parse().ok()?;
        Some((port, stop))
    }

    /// A possible host with what speaks for it.
    fn host(&mut self, name: &str, port: Option<i64>, usual: Option<i64>, why: &Why) {
        let name = name.trim_end_matches('.');
        let Some((service, is_qualified)) = resolve(self.inventory, self.namespace, name) else {
            if *why != Why::Port && is_outside(name) {
                let target = Target::Host(name.to_owned());
                self.found.push(Mention { target, port: port.or(usual), why: why.clone() });
            }
            return;
        };
        let has_port =
            port.is_some_and(|port| self.inventory.services.at(service).spec.ports.iter().any(|p| p.port == port));
        let why = match why {
            _ if is_qualified => Why::Qualified,
            Why::Port if !has_port => return,
            Why::Whole if has_port || name.contains('.') => Why::Port,
            why => why.clone(),
        };
        self.found.push(Mention { target: Target::Service(service), port, why });
    }
}

/// The port that a scheme stands for.
fn default_port(scheme: &str) -> Option<i64> {
    Some(match scheme {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        "postgres" | "postgresql" => 5432,
        "mysql" | "mariadb" => 3306,
        "redis" | "rediss" => 6379,
        "amqp" => 5672,
        "amqps" => 5671,
        "mongodb" => 27017,
        _ => return None,
    })
}

/// A text that is an IPv6 address and nothing else, or one in brackets with its port.
fn whole_address(text: &str) -> Option<Mention> {
    let (address, port) = match text.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        Some((address, "")) => (address, None),
        Some((address, rest)) => (address, Some(rest.strip_prefix(':')?.parse::<i64>().ok()?)),
        None => (text, None),
    };
    let host = address_v6(address).filter(|host| is_outside(host))?;
    Some(Mention { target: Target::Host(host), port, why: Why::Whole })
}

/// `db:5432` as name and port, `[2001:db8::1]:5432` as address and port.
fn split_port(host: &str) -> (&str, Option<i64>) {
    if let Some((address, rest)) = host.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        return (address, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match host.split_once(':') {
        Some((name, port)) => (name, port.parse().ok()),
        None => (host, None),
    }
}
