//! The edges between the crates of the workspace, held to the order of the architecture, and their picture.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// A crate may use only those before it. The order is the architecture: words first, programs last.
pub const ORDER: [&str; 12] = [
    "kerbside-domain",
    "kerbside-crypto",
    "kerbside-c2pa",
    "kerbside-sheet",
    "kerbside-site",
    "kerbside-wire",
    "kerbside-seeing",
    "kerbside-media",
    "kerbside-infer",
    "kerbside-trace",
    "kerbside-link",
    "kerbside-agent",
];

/// Bindings of native libraries, each with the one crate of the agent that may use it (invariant 3).
pub const NATIVE: [(&str, &str); 5] = [
    ("ffmpeg-next", "kerbside-media"),
    ("ffmpeg-sys-next", "kerbside-media"),
    ("opencv", "kerbside-media"),
    ("ort", "kerbside-infer"),
    ("ort-sys", "kerbside-infer"),
];

/// The lines of ARCHITECTURE.md between which the picture stands.
pub const MARKS: [&str; 2] = ["<!-- crates -->", "<!-- /crates -->"];

/// One package of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crate {
    pub name: String,
    pub description: String,
    /// Path of its manifest.
    pub manifest: String,
    /// Names of all packages it is built from, of the workspace or not.
    pub uses: BTreeSet<String>,
    /// The same for its tests, examples and benches alone.
    pub uses_in_tests: BTreeSet<String>,
    /// `lib.rs` or `main.rs`: the roots of what it builds, its tests and examples left out.
    pub roots: Vec<String>,
}

/// What Cargo says of the workspace that has its root here.
pub fn read(root: &Path) -> Result<Vec<Crate>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--format-version", "1"];
    let output = Command::new(cargo).args(arguments).current_dir(root).output().context("cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("no packages in the metadata")?;
    Ok(packages.iter().map(package).collect())
}

fn package(of: &Value) -> Crate {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |name: &str| of[name].as_array().into_iter().flatten();
    let uses = |in_tests: bool| {
        list("dependencies").filter(|d| (d["kind"] == "dev") == in_tests).map(|d| text(&d["name"])).collect()
    };
    let is_built = |target: &&Value| {
        let kinds = target["kind"].as_array().into_iter().flatten();
        kinds.into_iter().any(|k| k == "lib" || k == "bin")
    };
    Crate {
        name: text(&of["name"]),
        description: text(&of["description"]),
        manifest: text(&of["manifest_path"]),
        uses: uses(false),
        uses_in_tests: uses(true),
        roots: list("targets").filter(is_built).map(|t| text(&t["src_path"])).collect(),
    }
}

/// Every edge that breaks the order, and every native library in a wrong place. Nothing: all is well.
pub fn problems(crates: &[Crate]) -> Vec<String> {
    let place = |name: &str| ORDER.iter().position(|n| *n == name);
    let mut found = Vec::new();
    for name in ORDER.iter().filter(|name| !crates.iter().any(|c| c.name == **name)) {
        found.push(format!("{name}: the order names it, the workspace does not have it"));
    }
    for one in crates {
        let Some(own) = place(&one.name) else { continue };
        for used in one.uses.iter().filter(|u| crates.iter().any(|c| c.name == **u)) {
            match place(used) {
                None => found.push(format!("{} -> {used}: no crate of the agent, only for tests", one.name)),
                Some(other) if other >= own => {
                    found.push(format!("{} -> {used}: stands before it in the order", one.name));
                }
                Some(_) => {}
            }
        }
    }
    for one in crates.iter().filter(|one| place(&one.name).is_some()) {
        for (binding, owner) in NATIVE.iter().filter(|(binding, _)| one.uses.contains(*binding)) {
            if one.name != *owner {
                found.push(format!("{} -> {binding}: only {owner} may use it", one.name));
            }
        }
    }
    found
}

/// The picture: one line a crate in the order, with what it uses and what it is.
pub fn picture(crates: &[Crate]) -> String {
    let short = |name: &str| name.trim_start_matches("kerbside-").to_owned();
    let rows: Vec<(String, String, &str)> = ORDER
        .iter()
        .filter_map(|name| crates.iter().find(|c| c.name == *name))
        .map(|one| {
            let used = ORDER.iter().filter(|other| one.uses.contains(**other)).map(|other| short(other));
            (short(&one.name), used.collect::<Vec<_>>().join(" "), one.description.as_str())
        })
        .collect();
    let name_width = rows.iter().map(|r| r.0.len()).max().unwrap_or(0);
    let uses_width = rows.iter().map(|r| r.1.len()).max().unwrap_or(0).max(4);
    let mut out = format!("{:name_width$}    {:uses_width$}  what it is\n", "", "uses");
    for (name, uses, what) in rows {
        let arrow = if uses.is_empty() { "  " } else { "->" };
        out.push_str(&format!("{name:name_width$} {arrow} {uses:uses_width$}  {what}\n"));
    }
    out
}

/// The document with today's picture between its marks.
pub fn with_picture(document: &str, crates: &[Crate]) -> Result<String> {
    let [begin, end] = MARKS;
    let (head, rest) = document.split_once(begin).with_context(|| format!("no line {begin}"))?;
    let (_, tail) = rest.split_once(end).with_context(|| format!("no line {end} after {begin}"))?;
    Ok(format!("{head}{begin}\n```text\n{}```\n{end}{tail}", picture(crates)))
}
