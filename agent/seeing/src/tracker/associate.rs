//! Which detection is which track: passes from sure to doubtful, each a greedy matching by buffered IoU.
//! Greedy, not optimal: with few boxes a look the two differ rarely, and greedy is deterministic without a solver.

use kerbside_domain::detection::Detection;
use kerbside_domain::time::Mono;

use super::SURE;
use super::live::Live;

/// One round of matching. Buffers grow from pass to pass; the last one is for what was hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    SureNarrow,
    SureWide,
    Doubtful,
    Hidden,
}

impl Pass {
    pub(super) const IN_ORDER: [Pass; 4] = [Pass::SureNarrow, Pass::SureWide, Pass::Doubtful, Pass::Hidden];

    /// Buffer as a share of the box's size, and the least buffered IoU that makes a pair.
    fn buffer_and_floor(self) -> (f32, f32) {
        match self {
            Pass::SureNarrow | Pass::Doubtful => (0.3, 0.25),
            Pass::SureWide => (0.5, 0.15),
            Pass::Hidden => (0.0, 0.5),
        }
    }

    fn wants_detection(self, confidence: f32) -> bool {
        match self {
            Pass::SureNarrow | Pass::SureWide => confidence >= SURE,
            Pass::Doubtful => confidence < SURE,
            Pass::Hidden => true,
        }
    }
}

/// Pairs of (track index, detection index), each index at most once.
pub(super) fn associate(
    pass: Pass,
    at: Mono,
    tracks: &[Live],
    waiting: &[usize],
    detections: &[Detection],
    free: &[usize],
) -> Vec<(usize, usize)> {
    let (buffer, floor) = pass.buffer_and_floor();
    let mut scored: Vec<(f32, usize, usize)> = Vec::new();
    for &t in waiting.iter().filter(|&&t| tracks[t].hidden() == (pass == Pass::Hidden)) {
        let expected = tracks[t].predicted(at).buffered(buffer);
        for &d in free {
            let detection = &detections[d];
            // Classes of one group may flicker (car, truck); groups never mix.
            if detection.group != tracks[t].track.group || !pass.wants_detection(detection.confidence) {
                continue;
            }
            let score = expected.iou(&detection.bbox.buffered(buffer));
            if score >= floor {
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
