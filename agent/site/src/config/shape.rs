//! Shapes in the picture: is a polygon one that encloses something once? Pure.

/// What is wrong with a polygon and at which corner (from 0).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) corner: Option<usize>,
    pub(super) what: String,
}

/// Smallest share of the picture a zone may cover: about 10 x 10 px of 640 x 360.
const MIN_AREA_NORM: f64 = 0.0004;
const MAX_CORNERS: usize = 64;

/// Checks corners in shares of the picture, in order; the last joins the first.
pub(super) fn polygon_fault(points: &[(f64, f64)]) -> Option<Fault> {
    let fault = |corner, what: String| Some(Fault { corner, what });
    if points.len() < 3 {
        return fault(None, format!("a zone needs at least 3 corners, this one has {}", points.len()));
    }
    if points.len() > MAX_CORNERS {
        return fault(None, format!("a zone may have {MAX_CORNERS} corners, this one has {}", points.len()));
    }
    for (i, &(x, y)) in points.iter().enumerate() {
        if !(0.0..=1.0).contains(&x) || !(0.0..=1.0).contains(&y) {
            return fault(Some(i), format!("corner {} [{x}, {y}] lies outside the picture", i + 1));
        }
    }
    if let Some((i, j)) = repeated(points) {
        return fault(Some(j), format!("corner {} repeats corner {}", j + 1, i + 1));
    }
    if let Some((i, j)) = crossing(points) {
        let n = points.len();
        let edge = |k: usize| format!("{}-{}", k + 1, (k + 1) % n + 1);
        return fault(Some(j), format!("the edges {} and {} cross each other", edge(i), edge(j)));
    }
    let area = area(points);
    if area < MIN_AREA_NORM {
        return fault(None, format!("the zone covers {area:.6} of the picture, less than {MIN_AREA_NORM}"));
    }
    None
}

fn repeated(points: &[(f64, f64)]) -> Option<(usize, usize)> {
    let same = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 1e-6 && (a.1 - b.1).abs() < 1e-6;
    (1..points.len()).find_map(|j| (0..j).find(|&i| same(points[i], points[j])).map(|i| (i, j)))
}

/// Two edges that are not neighbours and meet.
fn crossing(points: &[(f64, f64)]) -> Option<(usize, usize)> {
    let n = points.len();
    let edge = |i: usize| (points[i], points[(i + 1) % n]);
    for j in 0..n {
        for i in 0..j {
            let neighbours = j == i + 1 || (i == 0 && j == n - 1);
            if !neighbours && meet(edge(i), edge(j)) {
                return Some((i, j));
            }
        }
    }
    None
}

type Edge = ((f64, f64), (f64, f64));

/// Segments share a point (orientation test; collinear overlap counts).
fn meet((a, b): Edge, (c, d): Edge) -> bool {
    let (o1, o2, o3, o4) = (turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b));
    if o1 * o2 < 0.0 && o3 * o4 < 0.0 {
        return true;
    }
    (o1 == 0.0 && within(a, b, c))
        || (o2 == 0.0 && within(a, b, d))
        || (o3 == 0.0 && within(c, d, a))
        || (o4 == 0.0 && within(c, d, b))
}

fn turn(a: (f64, f64), b: (f64, f64), c: (f64, f64)) -> f64 {
    (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0)
}

fn within(a: (f64, f64), b: (f64, f64), p: (f64, f64)) -> bool {
    p.0 >= a.0.min(b.0) && p.0 <= a.0.max(b.0) && p.1 >= a.1.min(b.1) && p.1 <= a.1.max(b.1)
}

/// Shoelace.
fn area(points: &[(f64, f64)]) -> f64 {
    let n = points.len();
    let twice: f64 = (0..n)
        .map(|i| {
            let ((x0, y0), (x1, y1)) = (points[i], points[(i + 1) % n]);
            x0 * y1 - x1 * y0
        })
        .sum();
    twice.abs() / 2.0
}

/// All points lie on one line (or in one place): no plane can be fitted through them.
/// Compares the smaller with the larger principal spread.
pub(super) fn collinear(points: &[(f64, f64)]) -> bool {
    let n = points.len().max(1) as f64;
    let (mx, my) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for p in points {
        let (dx, dy) = (p.0 - mx, p.1 - my);
        xx += dx * dx;
        xy += dx * dy;
        yy += dy * dy;
    }
    let half = (xx + yy) / 2.0;
    let root = ((xx - yy) * (xx - yy) / 4.0 + xy * xy).sqrt();
    let (large, small) = (half + root, half - root);
    // A spread across of less than a hundredth of the spread along.
    large <= f64::MIN_POSITIVE || small / large < 1e-4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polygons() {
        let square = vec![(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)];
        assert_eq!(polygon_fault(&square), None);
        let cases = [
            (vec![(0.1, 0.1), (0.9, 0.1)], "at least 3 corners"),
            (vec![(0.1, 0.1), (1.9, 0.1), (0.5, 0.5)], "corner 2 [1.9, 0.1] lies outside"),
            (vec![(0.1, 0.1), (f64::NAN, 0.1), (0.5, 0.5)], "corner 2"),
            (vec![(0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)], "the edges 1-2 and 3-4 cross"),
            (vec![(0.1, 0.1), (0.9, 0.1), (0.9, 0.1), (0.1, 0.9)], "corner 3 repeats corner 2"),
            (vec![(0.1, 0.1), (0.5, 0.1), (0.9, 0.1)], "the zone covers 0.000000"),
        ];
        for (points, what) in cases {
            let fault = polygon_fault(&points).unwrap();
            assert!(fault.what.contains(what), "{points:?}: {fault:?}");
        }
    }

    #[test]
    fn lines_are_no_planes() {
        assert!(collinear(&[(0.1, 0.1), (0.2, 0.2), (0.5, 0.5), (0.9, 0.9)]));
        assert!(collinear(&[(0.1, 0.1); 6]));
        assert!(!collinear(&[(0.1, 0.1), (0.2, 0.25), (0.5, 0.4), (0.9, 0.9)]));
    }
}
