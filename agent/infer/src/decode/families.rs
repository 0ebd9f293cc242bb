//! One decoder for each family of models: numbers to boxes with a score.

use kerbside_domain::frame::BBox;

use super::grids::STRIDES;
use super::layout::OutputLayout;
use super::scored_box::{ScoredBox, best_label, rounded, scored_box};
use crate::manifest::Manifest;
use crate::preprocess::Placement;

pub(super) fn boxes_scores(
    m: &Manifest,
    layout: &OutputLayout,
    boxes: &[f32],
    scores: &[f32],
    placed: Placement,
) -> Vec<ScoredBox> {
    let (w, h) = (m.input.width as f32, m.input.height as f32);
    let rows = boxes.chunks_exact(4).zip(scores.chunks_exact(layout.columns));
    rows.filter_map(|(b, s)| {
        best_label(m, |index| s[index])
            .map(|best| scored_box(best, placed.norm_from_model(b[0] * w, b[1] * h, b[2] * w, b[3] * h)))
    })
    .collect()
}

/// Grid decoding as in YOLOX: centre = (cell + offset) * stride, size = exp(value) * stride.
pub(super) fn yolox(m: &Manifest, layout: &OutputLayout, data: &[f32], placed: Placement) -> Vec<ScoredBox> {
    let cells = STRIDES.into_iter().flat_map(|stride| {
        let (gw, gh) = (m.input.width / stride, m.input.height / stride);
        (0..gh).flat_map(move |y| (0..gw).map(move |x| (x as f32, y as f32, stride as f32)))
    });
    data.chunks_exact(layout.columns)
        .zip(cells)
        .filter_map(|(row, (x, y, stride))| {
            let best = best_label(m, |index| row[4] * row[5 + index])?;
            let (cx, cy) = ((x + row[0]) * stride, (y + row[1]) * stride);
            // A wild size would overflow; nothing is larger than some pictures.
            let (w, h) = (row[2].min(10.0).exp() * stride, row[3].min(10.0).exp() * stride);
            Some(scored_box(best, around(placed, cx, cy, w, h)))
        })
        .collect()
}

pub(super) fn yolov5(m: &Manifest, layout: &OutputLayout, data: &[f32], placed: Placement) -> Vec<ScoredBox> {
    (0..layout.n)
        .filter_map(|k| {
            let at = |number: usize| data[layout.at(k, number)];
            let best = best_label(m, |index| at(4) * at(5 + index))?;
            Some(scored_box(best, around(placed, at(0), at(1), at(2), at(3))))
        })
        .collect()
}

pub(super) fn yolov8(m: &Manifest, layout: &OutputLayout, data: &[f32], placed: Placement) -> Vec<ScoredBox> {
    (0..layout.n)
        .filter_map(|k| {
            let at = |number: usize| data[layout.at(k, number)];
            let best = best_label(m, |index| at(4 + index))?;
            Some(scored_box(best, around(placed, at(0), at(1), at(2), at(3))))
        })
        .collect()
}

/// Rows x0,y0,x1,y1, score, class; what the network itself did not suppress.
pub(super) fn nms(m: &Manifest, data: &[f32], placed: Placement) -> Vec<ScoredBox> {
    let rows = data.chunks_exact(6);
    rows.filter_map(|row| {
        let best = label_of(m, row[5].round(), row[4])?;
        Some(scored_box(best, placed.norm_from_model(row[0], row[1], row[2], row[3])))
    })
    .collect()
}

pub(super) fn ssd(
    m: &Manifest,
    boxes: &[f32],
    classes: &[f32],
    scores: &[f32],
    placed: Placement,
) -> Vec<ScoredBox> {
    let (w, h) = (m.input.width as f32, m.input.height as f32);
    let rows = boxes.chunks_exact(4).zip(classes).zip(scores);
    rows.filter_map(|((b, class), score)| {
        let best = label_of(m, class.round() - 1.0, *score)?;
        Some(scored_box(best, placed.norm_from_model(b[1] * w, b[0] * h, b[3] * w, b[2] * h)))
    })
    .collect()
}

/// The label of a class that the network chose itself, and its rounded score, if it reaches the label's threshold.
fn label_of(m: &Manifest, class: f32, score: f32) -> Option<(usize, f32)> {
    let label = m.labels.iter().position(|l| l.index as f32 == class)?;
    let score = rounded(score.clamp(0.0, 1.0));
    (score >= m.labels[label].min_score && score > 0.0).then_some((label, score))
}

fn around(placed: Placement, cx: f32, cy: f32, w: f32, h: f32) -> BBox {
    placed.norm_from_model(cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0)
}
