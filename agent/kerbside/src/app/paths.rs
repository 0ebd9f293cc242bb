//! Where the agent's files lie.

use std::path::PathBuf;

use kerbside_site::config::Site;

use crate::evidence::Watermark;

/// Where the site's evidence lies.
pub(crate) fn evidence_dir(site: &Site) -> PathBuf {
    site.device.data_dir.join("evidence")
}

/// How much of its disk is left to the reports.
pub(crate) fn watermark(site: &Site) -> Watermark {
    Watermark::new(evidence_dir(site), site.evidence.min_free)
}
