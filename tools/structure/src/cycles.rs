//! Groups of modules that need each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::modules::Arrow;

/// Modules of which each needs each other one, with the arrows between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    pub modules: Vec<String>,
    /// One of each pair, the first in the source.
    pub arrows: Vec<Arrow>,
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} modules need each other: {}", self.modules.len(), self.modules.join(", "))?;
        for arrow in &self.arrows {
            let Arrow { from, to, file, line, path } = arrow;
            write!(f, "\n  {from} -> {to}   {path} at {}:{line}", file.display())?;
        }
        Ok(())
    }
}

/// The cycles among all modules, and those among the modules that lib.rs names, each taken with all that it holds: two
/// folders that need each other are one room with two names, also where no single file needs itself.
pub fn cycles(arrows: &[Arrow]) -> Vec<Cycle> {
    let mut found = groups(arrows);
    let rooms: Vec<Arrow> = arrows.iter().filter_map(between_rooms).collect();
    let shown: Vec<BTreeSet<String>> =
        found.iter().map(|cycle| cycle.modules.iter().map(|module| room(module)).collect()).collect();
    let is_shown = |cycle: &Cycle| shown.iter().any(|rooms| cycle.modules.iter().all(|m| rooms.contains(m)));
    found.extend(groups(&rooms).into_iter().filter(|cycle| !is_shown(cycle)));
    found
}

/// The module of lib.rs that holds this one.
fn room(module: &str) -> String {
    module.split("::").next().unwrap_or(module).to_owned()
}

/// The arrow as one between the modules that lib.rs names; `None` inside of one.
fn between_rooms(arrow: &Arrow) -> Option<Arrow> {
    let (from, to) = (room(&arrow.from), room(&arrow.to));
    (from != to).then(|| Arrow { from, to, ..arrow.clone() })
}

/// The strongly connected groups of two modules or more.
fn groups(arrows: &[Arrow]) -> Vec<Cycle> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for arrow in arrows {
        next.entry(&arrow.from).or_default().insert(&arrow.to);
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        next.keys().map(|from| (*from, reach(&next, from))).collect();
    let both_ways =
        |a: &str, b: &str| reached[a].contains(b) && reached.get(b).is_some_and(|r| r.contains(a));
    let mut left: BTreeSet<&str> = next.keys().copied().collect();
    let mut found = Vec::new();
    while let Some(first) = left.pop_first() {
        let others: Vec<&str> = left.iter().copied().filter(|other| both_ways(first, other)).collect();
        if others.is_empty() {
            continue;
        }
        left.retain(|module| !others.contains(module));
        let modules: Vec<String> = std::iter::once(first).chain(others).map(str::to_owned).collect();
        found.push(Cycle { arrows: between(arrows, &modules), modules });
    }
    found
}

fn reach<'a>(next: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&str> = next.get(from).into_iter().flatten().copied().collect();
    while let Some(module) = open.pop() {
        if seen.insert(module) {
            open.extend(next.get(module).into_iter().flatten());
        }
    }
    seen
}

fn between(arrows: &[Arrow], modules: &[String]) -> Vec<Arrow> {
    let mut pairs = BTreeSet::new();
    let inside = arrows.iter().filter(|a| modules.contains(&a.from) && modules.contains(&a.to));
    inside.filter(|a| pairs.insert((&a.from, &a.to))).cloned().collect()
}
