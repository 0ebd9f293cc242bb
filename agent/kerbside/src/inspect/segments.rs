//! Where the segments of a journal lie.

use kerbside_trace::journal::audit;

/// The folder of segments that a person named, which must hold some.
pub(super) fn folder(dir: &std::path::Path) -> anyhow::Result<std::path::PathBuf> {
    let folder = audit::folder(dir);
    let entries = std::fs::read_dir(&folder);
    let entries = entries.map_err(|e| anyhow::anyhow!("{}: {e}", folder.display()))?;
    let has_segments =
        entries.filter_map(Result::ok).any(|e| e.path().extension().is_some_and(|e| e == "journal"));
    anyhow::ensure!(has_segments, "{}: no journal here (files *.journal)", folder.display());
    Ok(folder)
}
