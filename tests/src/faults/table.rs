//! The table of the suite: for a terminal, for the README, and `faults/results.json` with the machine it was made on.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::row::Row;

const BEGIN: &str = "<!-- faults -->";
const END: &str = "<!-- /faults -->";

/// GitHub's kind of table.
pub fn markdown(rows: &[Row]) -> String {
    let mut out = String::from(
        "| fault | trials | lost | twice | worst recovery | held | figures |\n|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let held = match (&row.skipped, row.held) {
            (Some(why), _) => format!("skipped: {why}"),
            (None, true) => "yes".to_owned(),
            (None, false) => "**no**".to_owned(),
        };
        let (trials, lost, twice) = (row.trials, row.lost, row.duplicated);
        let line = format!(
            "| {} ({}) | {trials} | {lost} | {twice} | {} | {held} | {} |\n",
            row.fault,
            row.how,
            row.recovery(),
            row.figures
        );
        out.push_str(&line);
    }
    out
}

/// Puts the table between the marks of a document.
pub fn put_into(document: &Path, rows: &[Row]) -> Result<()> {
    let text = std::fs::read_to_string(document).with_context(|| document.display().to_string())?;
    let (head, rest) = text.split_once(BEGIN).context("no mark for the table")?;
    let (_, tail) = rest.split_once(END).context("no mark after the table")?;
    Ok(std::fs::write(document, format!("{head}{BEGIN}\n{}{END}{tail}", markdown(rows)))?)
}

/// Rows and the machine. Rows of parts that did not run this time stay as they were.
pub fn write(path: &Path, rows: &[Row], scale: &str) -> Result<()> {
    let mut all: Vec<Value> = std::fs::read(path)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .and_then(|old| old["rows"].as_array().cloned())
        .unwrap_or_default();
    for row in rows {
        let new = serde_json::to_value(row)?;
        match all.iter_mut().find(|old| old["fault"] == new["fault"]) {
            Some(old) => *old = new,
            None => all.push(new),
        }
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let results = json!({
        "machine": { "arch": std::env::consts::ARCH, "cores": std::thread::available_parallelism()?.get(),
            "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim() },
        "version": env!("CARGO_PKG_VERSION"), "scale": scale, "rows": all,
    });
    Ok(std::fs::write(path, serde_json::to_string_pretty(&results)? + "\n")?)
}

/// The rows of an earlier run.
pub fn read(path: &Path) -> Result<Vec<Row>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("{}: run `make faults`", path.display()))?;
    let results: Value = serde_json::from_str(&text)?;
    Ok(serde_json::from_value(results["rows"].clone())?)
}
