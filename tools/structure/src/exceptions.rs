//! The exceptions of deny.toml to the security advisories: each dated, with its reason, and for a package that is still in the tree.

use anyhow::{Context as _, Result};

/// What is wrong with the exceptions of `deny_toml`. An exception reads
/// `{ id = "RUSTSEC-2026-0001", reason = "2026-11-28, PACKAGE VERSION: why it does no harm here" }`.
pub fn problems(deny_toml: &str, cargo_lock: &str) -> Result<Vec<String>> {
    let (_, advisories) = deny_toml.split_once("[advisories]").context("deny.toml has no [advisories]")?;
    let section = advisories.lines().take_while(|line| !line.starts_with('['));
    let mut found = Vec::new();
    for line in section.filter(|line| line.contains("RUSTSEC-") && !line.trim_start().starts_with('#')) {
        found.extend(
            problem(line, cargo_lock).map(|problem| format!("deny.toml: {}: {problem}", line.trim())),
        );
    }
    Ok(found)
}

fn problem(line: &str, cargo_lock: &str) -> Option<String> {
    let Some((_, reason)) = line.split_once("reason = \"") else {
        return Some("no reason".to_owned());
    };
    let Some((date, rest)) = reason.split_once(", ").filter(|(date, _)| is_date(date)) else {
        return Some("the reason does not begin with a date".to_owned());
    };
    let Some((package, why)) = rest.split_once(": ") else {
        return Some(format!("after {date} no `PACKAGE VERSION: why`"));
    };
    if why.len() < 20 {
        return Some("no reason".to_owned());
    }
    let (name, version) = package.split_once(' ').unwrap_or((package, ""));
    let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
    (!cargo_lock.contains(&entry))
        .then(|| format!("{package} is no longer in Cargo.lock: the exception can go"))
}

fn is_date(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() })
}
