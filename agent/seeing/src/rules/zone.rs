//! Is it in the zone? Polygons in shares of the picture; y points down.

use kerbside_domain::frame::BBox;

/// Even-odd rule; a point exactly on an edge may fall on either side. Fewer than three corners contain nothing.
fn contains(polygon: &[(f32, f32)], (x, y): (f32, f32)) -> bool {
    let mut inside = false;
    for (a, b) in edges(polygon) {
        if (a.1 > y) != (b.1 > y) && x < (b.0 - a.0) * (y - a.1) / (b.1 - a.1) + a.0 {
            inside = !inside;
        }
    }
    inside
}

/// The share of the box's area that lies in the polygon, 0..1 (Sutherland-Hodgman: the box is the convex window).
pub(crate) fn share_inside(polygon: &[(f32, f32)], bbox: &BBox) -> f32 {
    if bbox.area() <= 0.0 {
        return if contains(polygon, bbox.centre()) { 1.0 } else { 0.0 };
    }
    let (x1, y1) = (bbox.x + bbox.w, bbox.y + bbox.h);
    let mut shape = polygon.to_vec();
    shape = clip(&shape, |p| p.0 - bbox.x);
    shape = clip(&shape, |p| x1 - p.0);
    shape = clip(&shape, |p| p.1 - bbox.y);
    shape = clip(&shape, |p| y1 - p.1);
    (area(&shape) / bbox.area()).clamp(0.0, 1.0)
}

/// Keeps the part of the shape where `depth` (a linear function) is not negative.
fn clip(shape: &[(f32, f32)], depth: impl Fn((f32, f32)) -> f32) -> Vec<(f32, f32)> {
    let mut kept = Vec::with_capacity(shape.len() + 4);
    for (a, b) in edges(shape) {
        let (da, db) = (depth(a), depth(b));
        if da >= 0.0 {
            kept.push(a);
        }
        if (da >= 0.0) != (db >= 0.0) {
            let t = da / (da - db);
            kept.push((a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t));
        }
    }
    kept
}

fn area(shape: &[(f32, f32)]) -> f32 {
    edges(shape).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum::<f32>().abs() / 2.0
}

fn edges(shape: &[(f32, f32)]) -> impl Iterator<Item = ((f32, f32), (f32, f32))> {
    let next = shape.iter().cycle().skip(1);
    shape.iter().copied().zip(next.copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A U that is open at the top: its notch is outside.
    const U: [(f32, f32); 8] =
        [(0.0, 0.0), (0.2, 0.0), (0.2, 0.6), (0.6, 0.6), (0.6, 0.0), (0.8, 0.0), (0.8, 0.8), (0.0, 0.8)];

    #[test]
    fn points_and_boxes_against_a_concave_zone() {
        let points = [((0.1, 0.1), true), ((0.4, 0.3), false), ((0.4, 0.7), true), ((0.9, 0.7), false)];
        for (point, inside) in points {
            assert_eq!(contains(&U, point), inside, "{point:?}");
        }
        let boxes = [
            (BBox { x: 0.0, y: 0.0, w: 0.2, h: 0.2 }, 1.0),
            (BBox { x: 0.3, y: 0.1, w: 0.2, h: 0.2 }, 0.0),
            (BBox { x: 0.3, y: 0.5, w: 0.2, h: 0.2 }, 0.5),
            (BBox { x: 0.1, y: 0.0, w: 0.6, h: 0.1 }, 1.0 / 3.0),
        ];
        for (bbox, share) in boxes {
            assert!((share_inside(&U, &bbox) - share).abs() < 1e-4, "{bbox:?}: {}", share_inside(&U, &bbox));
        }
    }

    #[test]
    fn no_polygon_holds_nothing() {
        assert!(!contains(&[], (0.5, 0.5)));
        assert_eq!(share_inside(&[(0.1, 0.1)], &BBox { x: 0.0, y: 0.0, w: 1.0, h: 1.0 }), 0.0);
    }
}
