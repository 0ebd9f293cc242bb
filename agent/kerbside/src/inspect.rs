//! Inspect: `kerbside journal`, for whoever must know what a box said and whether its trace is whole. Reads only.

mod show;
mod verify;

#[cfg(test)]
mod tests;

use std::io::Write;

use crate::cli::{JournalCommand, exit};
use kerbside_trace::journal::audit;

/// Runs the command, writing to `out`; the exit code.
pub fn run(command: &JournalCommand, out: &mut impl Write) -> anyhow::Result<u8> {
    match command {
        JournalCommand::Verify { dir, key, json } => {
            let whole = verify::run(dir, key.as_deref(), *json, out)?;
            Ok(if whole { exit::OK } else { exit::FAILED })
        }
        JournalCommand::Show(args) => show::run(args, out).map(|()| exit::OK),
    }
}

/// The folder of segments that a person named, which must hold some.
fn folder(dir: &std::path::Path) -> anyhow::Result<std::path::PathBuf> {
    let folder = audit::folder(dir);
    let entries = std::fs::read_dir(&folder);
    let entries = entries.map_err(|e| anyhow::anyhow!("{}: {e}", folder.display()))?;
    let has_segments =
        entries.filter_map(Result::ok).any(|e| e.path().extension().is_some_and(|e| e == "journal"));
    anyhow::ensure!(has_segments, "{}: no journal here (files *.journal)", folder.display());
    Ok(folder)
}
