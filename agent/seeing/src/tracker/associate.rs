//! Which detection is which track: passes from confident to doubtful, each a greedy matching by buffered IoU.
//! Greedy, not optimal: with few boxes a frame the two differ rarely, and greedy is deterministic without a solver.

use kerbside_domain::detection::Detection;
use kerbside_domain::time::Mono;

use super::live_track::LiveTrack;
use super::tuning::{CONFIDENT, HIDDEN, NARROW, WIDE};

/// One round of matching. Buffers grow from pass to pass; the last one is for what was hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    ConfidentNarrow,
    ConfidentWide,
    Doubtful,
    Hidden,
}

impl Pass {
    pub(super) const IN_ORDER: [Pass; 4] =
        [Pass::ConfidentNarrow, Pass::ConfidentWide, Pass::Doubtful, Pass::Hidden];

    /// Buffer as a share of the box's size, and the least buffered IoU that makes a pair.
    fn buffer_and_min_iou(self) -> (f32, f32) {
        match self {
            Pass::ConfidentNarrow | Pass::Doubtful => NARROW,
            Pass::ConfidentWide => WIDE,
            Pass::Hidden => HIDDEN,
        }
    }

    fn takes_detection(self, confidence: f32) -> bool {
        match self {
            Pass::ConfidentNarrow | Pass::ConfidentWide => confidence >= CONFIDENT,
            Pass::Doubtful => confidence < CONFIDENT,
            Pass::Hidden => true,
        }
    }
}

/// Pairs of (track index, detection index), each index at most once, best first.
pub(super) fn associate(
    pass: Pass,
    at: Mono,
    tracks: &[LiveTrack],
    unmatched_tracks: &[usize],
    detections: &[Detection],
    unmatched_detections: &[usize],
) -> Vec<(usize, usize)> {
    let (buffer, min_iou) = pass.buffer_and_min_iou();
    let mut scored: Vec<(f32, usize, usize)> = Vec::new();
    for &t in unmatched_tracks.iter().filter(|&&t| tracks[t].is_hidden() == (pass == Pass::Hidden)) {
        let expected = tracks[t].predicted(at).buffered(buffer);
        for &d in unmatched_detections {
            let detection = &detections[d];
            // Classes of one group may flicker (car, truck); groups never mix.
            if detection.group != tracks[t].track.group || !pass.takes_detection(detection.confidence) {
                continue;
            }
            let score = expected.iou(&detection.bbox.buffered(buffer));
            if score >= min_iou {
                scored.push((score, t, d));
            }
        }
    }
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (_, t, d) in scored {
        if !pairs.iter().any(|p| p.0 == t || p.1 == d) {
            pairs.push((t, d));
        }
    }
    pairs
}
