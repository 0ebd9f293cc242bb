//! The journal of a stopped agent, read record by record.

use anyhow::{Result, ensure};
use kerbside_crypto::hash::Hash;
use kerbside_testkit::Site;
use kerbside_trace::journal::{RecordKind, scan};
use serde_json::Value;

/// Ids of all `matter` messages that the journal holds; every record must be whole and chained to the one before.
pub fn matters(site: &Site) -> Result<Vec<String>> {
    let folder = site.data_dir().join("journal");
    let mut segments: Vec<_> =
        std::fs::read_dir(&folder)?.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
    segments.sort();
    let (mut tip, mut damage) = (scan::Tip { n: 0, hash: None::<Hash> }, scan::Damage::default());
    let mut ids = Vec::new();
    for segment in &segments {
        let bytes = std::fs::read(segment)?;
        scan::segment(&bytes, &mut tip, None, &mut damage, &mut |record, _, _| {
            let body = serde_json::from_str::<Value>(&record.body).unwrap_or_default();
            let is_matter = body["type"].as_str().is_some_and(|t| t.starts_with("kerbside.matter."));
            if record.kind == RecordKind::Message && is_matter {
                ids.extend(body["id"].as_str().map(str::to_owned));
            }
        });
    }
    // A kill may leave the line that was being written when it came; nothing else may be wrong.
    ensure!(
        damage.bad == 0 && damage.missing.is_empty() && damage.broken_links == 0,
        "the journal in {} is damaged: {damage:?}",
        folder.display()
    );
    Ok(ids)
}
