//! Where time is read and waited for: clocks in one place of the agent and one of the tests, no sleeps in tests but one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use syn::Item;

use crate::modules::{Reference, names};

/// The files that may read a clock: clippy's `disallowed-methods` is allowed there and nowhere else.
pub const CLOCKS: [&str; 2] = ["agent/domain/src/time.rs", "tests/testkit/src/wait.rs"];
/// The file in which tests sleep.
pub const SLEEP: &str = "tests/testkit/src/wait.rs";

/// Every exception to the rule on clocks, and every sleep of a test, outside the files above.
pub fn problems(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in sources(root)? {
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let shown = file.strip_prefix(root).unwrap_or(&file).display().to_string();
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
        collect(&parsed.items, is_test_file(shown), &mut references);
        let sleeps = references.iter().filter(|r| is_sleep(&r.segments));
        found.extend(sleeps.map(|r| format!("{shown}:{}: a test sleeps; use testkit's wait", r.line)));
    }
    Ok(found)
}

fn is_test_file(shown: &str) -> bool {
    shown.split('/').rev().skip(1).any(|folder| folder == "tests") || shown.ends_with("/tests.rs")
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

/// Every Rust file of ours.
fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut open: Vec<PathBuf> = ["agent", "desk", "tests", "tools"].map(|folder| root.join(folder)).into();
    let mut found = Vec::new();
    while let Some(folder) = open.pop().filter(|folder| folder.is_dir()) {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
