//! Non-maximum suppression.

use std::cmp::Ordering;

use kerbside_domain::detection::Detection;

use super::scored_box::ScoredBox;
use crate::manifest::Manifest;

/// Greedy non-maximum suppression within each group: two labels of one group on one place are one thing.
pub(super) fn suppress(m: &Manifest, mut boxes: Vec<ScoredBox>) -> Vec<Detection> {
    boxes.retain(|c| c.bbox.w > 0.0 && c.bbox.h > 0.0);
    boxes.sort_by(best_first);
    let mut kept: Vec<ScoredBox> = Vec::new();
    for c in boxes {
        if kept.len() >= m.output.max_detections {
            break;
        }
        let group = m.labels[c.label].group;
        let same_thing =
            |k: &ScoredBox| m.labels[k.label].group == group && k.bbox.iou(&c.bbox) > m.output.nms_iou;
        if !kept.iter().any(same_thing) {
            kept.push(c);
        }
    }
    let detection = |c: ScoredBox| {
        let label = &m.labels[c.label];
        Detection { label: label.name.clone(), group: label.group, confidence: c.score, bbox: c.bbox }
    };
    kept.into_iter().map(detection).collect()
}

/// A total order, so that equal scores come out the same everywhere.
fn best_first(a: &ScoredBox, b: &ScoredBox) -> Ordering {
    let place = |c: &ScoredBox| [c.bbox.x, c.bbox.y, c.bbox.w, c.bbox.h];
    b.score.total_cmp(&a.score).then(a.label.cmp(&b.label)).then_with(|| {
        let pairs = place(a).into_iter().zip(place(b));
        pairs.map(|(p, q)| p.total_cmp(&q)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    })
}
