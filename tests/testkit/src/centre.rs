//! The centre's side of a box: `kerbside watch`, which answers with receipts; each line it prints is one message.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Result;
use parking_lot::Mutex;
use serde_json::Value;

use crate::wait::Missed;
use crate::{Broker, Contract, LIMIT, Process, command, repo};

/// Whoever listens at the broker as the centre does.
#[derive(Debug)]
pub struct Centre {
    process: Process,
}

impl Centre {
    /// Returns once it has subscribed.
    pub fn start(broker: &Broker) -> Result<Centre> {
        let process = Process::start(
            "kerbside watch",
            command(&["watch", "--json", "--receipts", "--broker", &broker.url()])?,
        )?;
        process.until_log("subscription of the centre", LIMIT, |lines| {
            lines.iter().any(|l| l.contains("\"subscribed\"")).then_some(())
        })?;
        Ok(Centre { process })
    }

    /// A centre whose messages another program prints, one JSON line each.
    pub fn of(process: Process) -> Centre {
        Centre { process }
    }

    /// Every line so far.
    pub fn lines(&self) -> Vec<String> {
        self.process.lines()
    }

    /// Messages of the type `kerbside.{kind}.v1` so far.
    pub fn messages(&self, kind: &str) -> Vec<Value> {
        messages(&self.process.lines(), kind)
    }

    /// Waits for the first message of this kind.
    pub fn message(&self, kind: &str) -> Result<Value> {
        self.message_where(kind, "any", |_| true)
    }

    /// The files of an incident that were named so far, in order. Each revision names only its own.
    pub fn evidence_of(&self, incident_id: &Value) -> Vec<Value> {
        let of_incident =
            self.messages("matter.updated").into_iter().filter(|m| m["data"]["incident_id"] == *incident_id);
        let named = of_incident.flat_map(|m| m["data"]["evidence"].as_array().cloned().unwrap_or_default());
        named.filter(|e| e["state"] == "available").collect()
    }

    /// Waits for a message of this kind that satisfies `wanted`; `which` says in words what that is.
    pub fn message_where(
        &self,
        kind: &str,
        which: &str,
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        self.until(&format!("{kind} ({which})"), kind, LIMIT, |all| all.iter().find(|m| wanted(m)).cloned())
    }

    /// Waits until the messages of this kind satisfy `look`.
    pub fn until<T>(
        &self,
        awaited: &str,
        kind: &str,
        limit: Duration,
        mut look: impl FnMut(&[Value]) -> Option<T>,
    ) -> Result<T> {
        let found = self.process.until_lines(awaited, limit, |lines| look(&messages(lines, kind)));
        found.map_err(|missed| Missed { came: summary(&self.lines(), kind), ..missed }.into())
    }

    /// The same over every line.
    pub fn until_lines<T>(&self, awaited: &str, mut look: impl FnMut(&[String]) -> Option<T>) -> Result<T> {
        let found = self.process.until_lines(awaited, LIMIT, &mut look);
        found.map_err(|missed| Missed { came: summary(&self.lines(), ""), ..missed }.into())
    }
}

/// How many messages of each type came, and the last one of `kind`.
fn summary(lines: &[String], kind: &str) -> String {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        let of = event["type"].as_str().unwrap_or("no message").to_owned();
        *count.entry(of).or_default() += 1;
    }
    let count: Vec<String> = count.iter().map(|(of, n)| format!("{n} {of}")).collect();
    let last = messages(lines, kind).last().map(|m| format!("\nthe last {kind}: {m}")).unwrap_or_default();
    format!("{} lines: {}{last}", lines.len(), count.join(", "))
}

/// Messages among these lines, of the type `kerbside.{kind}.v1`. Each is held against the contract.
pub fn messages(lines: &[String], kind: &str) -> Vec<Value> {
    let wanted = format!("kerbside.{kind}.v1");
    lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .inspect(check_contract)
        .filter(|message| message["type"] == wanted.as_str())
        .collect()
}

/// Panics where a message is not as `edge-config/contract/` says. Each is looked at once.
#[allow(clippy::panic)] // It fails the test that saw it.
fn check_contract(message: &Value) {
    static CHECKED: Mutex<BTreeSet<(String, String)>> = Mutex::new(BTreeSet::new());
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    let Some(kind) = message["type"].as_str() else { return };
    let key = (kind.to_owned(), message["id"].as_str().unwrap_or_default().to_owned());
    if !CHECKED.lock().insert(key) {
        return;
    }
    let read = || {
        let folder = repo().join("edge-config/contract");
        Contract::read(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
    };
    if let Err(why) = CONTRACT.get_or_init(read).check(message) {
        panic!("a message breaks the contract: {why}");
    }
}
