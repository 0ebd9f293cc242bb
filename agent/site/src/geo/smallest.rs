//! The smallest thing that a zone can report: what the gate sees, carried to the ground. Pure.

use super::homography::{Homography, MAX_DISTANCE_M};

/// A dark thing (60 % darker than the street) is reported from this share of the picture's width on. Measured by the example
/// `range` of `kerbside-seeing`, whose table is docs/en/results/range.md.
pub const STRONG_WIDTH_NORM: f64 = 0.016;
/// The same for a faint one (25 % darker), by day and at dusk.
pub const FAINT_WIDTH_NORM: f64 = 0.019;
/// Height of a picture in units of its width, 9 to 16.
const ASPECT: f64 = 9.0 / 16.0;
/// Points of a zone's border that are looked at, each side.
const STEPS: u32 = 16;

/// The smallest thing at one place of a zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smallest {
    /// From the camera, on the ground, m.
    pub distance_m: f64,
    /// Width of a dark thing that is just reported, m.
    pub strong_m: f64,
}

impl Smallest {
    /// Width of a faint thing that is just reported, m.
    pub fn faint_m(&self) -> f64 {
        self.strong_m * FAINT_WIDTH_NORM / STRONG_WIDTH_NORM
    }
}

/// The smallest things of a zone, at its border's nearest and farthest point that can be placed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reach {
    /// The nearest.
    pub near: Smallest,
    /// The farthest, at most [`MAX_DISTANCE_M`] away.
    pub far: Smallest,
}

/// Share of the picture's area from which a dark square is reported.
pub fn area_norm() -> f64 {
    STRONG_WIDTH_NORM * STRONG_WIDTH_NORM / ASPECT
}

/// Of a zone whose border is `polygon_norm` (shares of the picture). None where nothing of it lies on the ground within
/// [`MAX_DISTANCE_M`].
pub fn of_zone(ground: &Homography, polygon_norm: &[(f32, f32)]) -> Option<Reach> {
    let ends = polygon_norm.iter().zip(polygon_norm.iter().cycle().skip(1));
    let border = ends.flat_map(|(a, b)| {
        (0..STEPS).map(move |n| {
            let t = f64::from(n) / f64::from(STEPS);
            let between = |a: f32, b: f32| f64::from(a) + (f64::from(b) - f64::from(a)) * t;
            (between(a.0, b.0), between(a.1, b.1))
        })
    });
    let mut reach: Option<Reach> = None;
    for smallest in border.filter_map(|foot| at(ground, foot)) {
        let known = reach.get_or_insert(Reach { near: smallest, far: smallest });
        if smallest.distance_m < known.near.distance_m {
            known.near = smallest;
        }
        if smallest.distance_m > known.far.distance_m {
            known.far = smallest;
        }
    }
    reach
}

/// The smallest thing that stands at this point of the picture.
fn at(ground: &Homography, (x, y): (f64, f64)) -> Option<Smallest> {
    let here = ground.ground((x, y))?;
    let distance_m = here.east_m.hypot(here.north_m);
    if distance_m > MAX_DISTANCE_M {
        return None;
    }
    let half = STRONG_WIDTH_NORM / 2.0;
    let (left, right) = (ground.ground((x - half, y))?, ground.ground((x + half, y))?);
    let strong_m = (right.east_m - left.east_m).hypot(right.north_m - left.north_m);
    Some(Smallest { distance_m, strong_m })
}

impl std::fmt::Display for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Reach { near, far } = self;
        let at = |s: &Smallest| {
            format!("{:.2} m ({:.2} m if faint) at {:.0} m", s.strong_m, s.faint_m(), s.distance_m)
        };
        write!(f, "things from {} to {}", at(near), at(far))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::homography::tests::{ORIGIN, control_points};

    #[test]
    fn the_far_edge_of_a_zone_shows_only_larger_things() {
        let ground = Homography::fit(ORIGIN, &control_points(0.0)).unwrap();
        let zone = [(0.3, 0.3), (0.7, 0.3), (0.7, 0.95), (0.3, 0.95)];
        let reach = of_zone(&ground, &zone).unwrap();
        // A pinhole of focal length 0.9 widths on a 6 m mast: what fills 0.016 of the width is 0.016 / 0.9 of its distance
        // from the lens.
        for edge in [reach.near, reach.far] {
            let expected = STRONG_WIDTH_NORM / 0.9 * edge.distance_m.hypot(6.0);
            assert!((edge.strong_m / expected - 1.0).abs() < 0.15, "{edge:?}, {expected} m expected");
            assert!(edge.faint_m() > edge.strong_m);
        }
        assert!(reach.near.distance_m < 12.0 && reach.far.distance_m > 20.0, "{reach:?}");
        let sky = [(0.3, 0.0), (0.7, 0.0), (0.5, 0.05)];
        assert_eq!(of_zone(&ground, &sky), None);
    }
}
