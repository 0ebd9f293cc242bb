//! Where time is read and waited for: clocks in one place of the agent and one of the tests, no sleeps in tests but one.

use std::path::Path;

use anyhow::{Context as _, Result};
use syn::Item;

use crate::modules::{Reference, names};
use crate::sources;

/// The files that may read a clock: clippy's `disallowed-methods` is allowed there and nowhere else.
pub const CLOCKS: [&str; 2] = ["agent/domain/src/time.rs", "tests/testkit/src/wait.rs"];
/// The file in which tests sleep.
pub const SLEEP: &str = "tests/testkit/src/wait.rs";

/// Every exception to the rule on clocks, and every sleep of a test, outside the files above.
pub fn problems(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (shown, text) in sources::read(root, &["agent", "desk", "tests", "tools"])? {
        found.extend(of_file(&shown, &text)?);
    }
    Ok(found)
}

/// The same for one file; `shown` is its path from the root.
pub fn of_file(shown: &str, text: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let marks = text
        .lines()
        .enumerate()
        .filter(|(_, l)| l.trim_start().starts_with('#') && l.contains("disallowed_methods"));
    if !CLOCKS.contains(&shown) {
        found.extend(marks.map(|(n, _)| format!("{shown}:{}: reads a clock (invariant 1)", n + 1)));
    }
    if shown != SLEEP {
        let parsed = syn::parse_file(text).with_context(|| shown.to_owned())?;
        let mut references = Vec::new();
        collect(&parsed.items, sources::is_test(shown), &mut references);
        let sleeps = references.iter().filter(|r| is_sleep(&r.segments));
        found.extend(sleeps.map(|r| format!("{shown}:{}: a test sleeps; use testkit's wait", r.line)));
    }
    Ok(found)
}

fn is_sleep(segments: &[String]) -> bool {
    let last_two: Vec<&str> = segments.iter().rev().take(2).map(String::as_str).collect();
    matches!(
        last_two.as_slice(),
        ["sleep", "thread" | "time"] | ["sleep_until", "time"] | ["park_timeout", _]
    )
}

fn collect(items: &[Item], in_test: bool, into: &mut Vec<Reference>) {
    for item in items {
        let in_test = in_test || names::is_test(item);
        match item {
            Item::Mod(module) => {
                collect(module.content.as_ref().map_or(&[], |(_, items)| items), in_test, into);
            }
            other if in_test => names::references(other, into),
            _ => {}
        }
    }
}
