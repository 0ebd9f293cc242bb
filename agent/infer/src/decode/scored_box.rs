//! One box with its best label, before suppression. Scores and boxes are rounded, so that the last bits in which processors differ
//! decide nothing.

use kerbside_domain::frame::BBox;

use crate::manifest::Manifest;
use crate::tuning::ROUNDING;

/// One box before thresholds.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScoredBox {
    pub(super) bbox: BBox,
    pub(super) score: f32,
    /// Position in the manifest's labels.
    pub(super) label: usize,
}

/// The best of the manifest's labels that reaches its own threshold; of equals the first.
pub(super) fn best_label(m: &Manifest, score: impl Fn(usize) -> f32) -> Option<(usize, f32)> {
    let mut best: Option<(usize, f32)> = None;
    for (k, label) in m.labels.iter().enumerate() {
        let raw = score(label.index);
        // Most boxes of most models hold nothing: they are not worth the rounding.
        if raw + ROUNDING < label.min_score || best.is_some_and(|(_, b)| raw + ROUNDING < b) {
            continue;
        }
        let score = rounded(raw.clamp(0.0, 1.0));
        if score >= label.min_score && score > 0.0 && best.is_none_or(|(_, b)| score > b) {
            best = Some((k, score));
        }
    }
    best
}

pub(super) fn scored_box((label, score): (usize, f32), bbox: BBox) -> ScoredBox {
    let BBox { x, y, w, h } = bbox;
    ScoredBox { bbox: BBox { x: rounded(x), y: rounded(y), w: rounded(w), h: rounded(h) }, score, label }
}

pub(super) fn rounded(v: f32) -> f32 {
    (v * 1e4).round() / 1e4
}
