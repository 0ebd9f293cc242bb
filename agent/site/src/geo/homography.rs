//! Picture to ground: a homography from control points, with its error in metres.
//!
//! Direct linear transformation with normalised coordinates (Hartley 1997), solved by SVD.

use nalgebra::{DMatrix, Matrix2, Matrix3, Vector3};

use super::datum::LocalPlane;

/// Greatest distance from the camera at which a pixel still tells the place, m. From a 6 m mast the error of the foot is
/// about 3 m there, and it grows with the square of the distance. Beyond, the camera's own point is sent.
pub const MAX_DISTANCE_M: f64 = 60.0;

/// A place in the picture (shares) and on the ground (lon_deg, lat_deg).
pub type ControlPoint = ((f64, f64), (f64, f64));

/// Why no homography fits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HomographyError {
    /// With four points any error in them would stay hidden.
    #[error("{0} points are given, a homography with a residual needs at least 6")]
    TooFew(usize),
    /// The points lie on a line or in one place.
    #[error("no plane fits them")]
    NoPlane,
    /// A point has a negative depth.
    #[error("one of them would lie behind the camera; are two points swapped?")]
    Behind,
}

/// The ground as the camera sees it: a plane, east and north metres around the camera point.
#[derive(Clone, Debug)]
pub struct Homography {
    plane: LocalPlane,
    ground_from_norm: Matrix3<f64>,
    residual_m: f64,
    worst: (usize, f64),
}

/// A point on the ground with the error that comes from one in the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ground {
    /// East of the camera point.
    pub east_m: f64,
    /// North of the camera point.
    pub north_m: f64,
    /// Metres on the ground for one unit (a whole picture) in the picture, in the worst direction.
    pub m_per_norm: f64,
}

impl Homography {
    /// Fits all points, with metres counted from `origin` (lon_deg, lat_deg).
    pub fn fit(origin: (f64, f64), points: &[ControlPoint]) -> Result<Self, HomographyError> {
        if points.len() < 6 {
            return Err(HomographyError::TooFew(points.len()));
        }
        let plane = LocalPlane::new(origin);
        let pixels: Vec<(f64, f64)> = points.iter().map(|p| p.0).collect();
        let grounds: Vec<(f64, f64)> = points.iter().map(|p| plane.metres(p.1)).collect();
        let (from_px, px) = normalised(&pixels).ok_or(HomographyError::NoPlane)?;
        let (from_ground, ground) = normalised(&grounds).ok_or(HomographyError::NoPlane)?;
        let h = solve(&px, &ground).ok_or(HomographyError::NoPlane)?;
        let ground_inverse = from_ground.try_inverse().ok_or(HomographyError::NoPlane)?;
        let h = facing(ground_inverse * h * from_px, &pixels)?;
        let mut fit = Homography { plane, ground_from_norm: h, residual_m: 0.0, worst: (0, 0.0) };
        fit.measure(&pixels, &grounds)?;
        Ok(fit)
    }

    fn measure(&mut self, pixels: &[(f64, f64)], grounds: &[(f64, f64)]) -> Result<(), HomographyError> {
        let mut sum = 0.0;
        for (ix, (pixel, ground)) in pixels.iter().zip(grounds).enumerate() {
            let at = self.ground(*pixel).ok_or(HomographyError::NoPlane)?;
            let off = (at.east_m - ground.0).hypot(at.north_m - ground.1);
            sum += off * off;
            if off > self.worst.1 {
                self.worst = (ix, off);
            }
        }
        // 2n observations, 8 parameters; two coordinates make one distance.
        self.residual_m = (sum / (pixels.len() as f64 - 4.0)).sqrt();
        if self.residual_m.is_finite() { Ok(()) } else { Err(HomographyError::NoPlane) }
    }

    /// Standard error of a control point on the ground, m.
    pub fn residual_m(&self) -> f64 {
        self.residual_m
    }

    /// Index of the control point that fits worst, and by how much, m.
    pub fn worst(&self) -> (usize, f64) {
        self.worst
    }

    /// Where a point of the picture lies on the ground; `None` on or above the horizon.
    pub fn ground(&self, (x, y): (f64, f64)) -> Option<Ground> {
        let h = &self.ground_from_norm;
        let p = h * Vector3::new(x, y, 1.0);
        if p.z.is_nan() || p.z <= 1e-9 {
            return None;
        }
        let (east_m, north_m) = (p.x / p.z, p.y / p.z);
        // Derivative of (p.x/p.z, p.y/p.z) by x and y; its larger singular value is the worst direction.
        let d = |row: usize, col: usize, value: f64| (h[(row, col)] - value * h[(2, col)]) / p.z;
        let jacobian = Matrix2::new(d(0, 0, east_m), d(0, 1, east_m), d(1, 0, north_m), d(1, 1, north_m));
        let m_per_norm = jacobian.singular_values().max();
        let finite = east_m.is_finite() && north_m.is_finite() && m_per_norm.is_finite();
        finite.then_some(Ground { east_m, north_m, m_per_norm })
    }

    /// lon_deg, lat_deg of a point on the ground.
    pub fn lon_lat(&self, ground: &Ground) -> (f64, f64) {
        self.plane.degrees((ground.east_m, ground.north_m))
    }
}

/// A point of either plane.
type Planar = (f64, f64);

/// Moves the points to their centre and scales them to a mean distance of sqrt 2. Gives the transformation too.
fn normalised(points: &[Planar]) -> Option<(Matrix3<f64>, Vec<Planar>)> {
    let n = points.len() as f64;
    let (cx, cy) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
    let mean = points.iter().map(|p| (p.0 - cx).hypot(p.1 - cy)).sum::<f64>() / n;
    if mean.is_nan() || mean <= 1e-9 {
        return None;
    }
    let s = std::f64::consts::SQRT_2 / mean;
    let to = Matrix3::new(s, 0.0, -s * cx, 0.0, s, -s * cy, 0.0, 0.0, 1.0);
    Some((to, points.iter().map(|p| ((p.0 - cx) * s, (p.1 - cy) * s)).collect()))
}

/// The 3x3 matrix that takes `from` to `to` with the least algebraic error.
fn solve(from: &[(f64, f64)], to: &[(f64, f64)]) -> Option<Matrix3<f64>> {
    let mut a = DMatrix::<f64>::zeros(2 * from.len(), 9);
    for (ix, (&(x, y), &(u, v))) in from.iter().zip(to).enumerate() {
        let rows =
            [[-x, -y, -1.0, 0.0, 0.0, 0.0, u * x, u * y, u], [0.0, 0.0, 0.0, -x, -y, -1.0, v * x, v * y, v]];
        for (r, row) in rows.iter().enumerate() {
            for (c, value) in row.iter().enumerate() {
                a[(2 * ix + r, c)] = *value;
            }
        }
    }
    let svd = a.try_svd(false, true, f64::EPSILON, 1000)?;
    let v_t = svd.v_t?;
    let order = |i: &usize, j: &usize| svd.singular_values[*i].total_cmp(&svd.singular_values[*j]);
    let mut by_size: Vec<usize> = (0..svd.singular_values.len()).collect();
    by_size.sort_by(order);
    // Two vanishing singular values: the points do not settle the plane.
    if by_size.len() < 9 || svd.singular_values[by_size[1]] < 1e-7 {
        return None;
    }
    let h = v_t.row(by_size[0]);
    Some(Matrix3::new(h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], h[8]))
}

/// Scales so that what the camera sees in front of it has a positive third coordinate.
fn facing(h: Matrix3<f64>, pixels: &[(f64, f64)]) -> Result<Matrix3<f64>, HomographyError> {
    let depths = pixels.iter().map(|p| h[(2, 0)] * p.0 + h[(2, 1)] * p.1 + h[(2, 2)]);
    let (low, high) = depths.fold((f64::MAX, f64::MIN), |(low, high), z| (low.min(z), high.max(z)));
    let scale = if low > 0.0 {
        high
    } else if high < 0.0 {
        low
    } else {
        return Err(HomographyError::Behind);
    };
    Ok(h / scale)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const ORIGIN: (f64, f64) = (121.376, 31.112);

    /// A pinhole camera on a 6 m mast that looks north, 15 degrees down; focal length 0.9 of the picture's width, 16:9.
    pub(crate) fn mast(pixel: (f64, f64)) -> Option<(f64, f64)> {
        let (f, aspect) = (0.9, 16.0 / 9.0);
        let (x, y) = ((pixel.0 - 0.5) / f, (pixel.1 - 0.5) / aspect / f);
        let (sin, cos) = 15f64.to_radians().sin_cos();
        let (forward, down) = (cos - y * sin, sin + y * cos);
        (down > 1e-6).then(|| (x * 6.0 / down, forward * 6.0 / down))
    }

    pub(crate) fn control_points(noise_m: f64) -> Vec<ControlPoint> {
        let plane = LocalPlane::new(ORIGIN);
        let pixels = [(0.2, 0.9), (0.8, 0.9), (0.5, 0.75), (0.3, 0.6), (0.75, 0.62), (0.5, 0.5), (0.15, 0.7)];
        let mut sign = noise_m;
        pixels
            .iter()
            .map(|&px| {
                let (east, north) = mast(px).unwrap();
                sign = -sign;
                (px, plane.degrees((east + sign, north - sign)))
            })
            .collect()
    }

    #[test]
    fn a_perfect_survey_is_met_exactly() {
        let fit = Homography::fit(ORIGIN, &control_points(0.0)).unwrap();
        assert!(fit.residual_m() < 1e-6, "{}", fit.residual_m());
        let (east, north) = mast((0.4, 0.55)).unwrap();
        let got = fit.ground((0.4, 0.55)).unwrap();
        assert!((got.east_m - east).abs() < 1e-6 && (got.north_m - north).abs() < 1e-6);
        // The horizon of this camera lies at 0.5 - tan(15 deg) * 0.9 * 16 / 9 = 0.071.
        assert!(fit.ground((0.5, 0.08)).is_some());
        assert_eq!(fit.ground((0.5, 0.06)), None);
    }

    #[test]
    fn an_error_in_the_survey_shows_as_residual() {
        let fit = Homography::fit(ORIGIN, &control_points(0.3)).unwrap();
        assert!((0.1..1.0).contains(&fit.residual_m()), "{}", fit.residual_m());
        let mut swapped = control_points(0.0);
        let first = swapped[0].1;
        swapped[0].1 = swapped[3].1;
        swapped[3].1 = first;
        match Homography::fit(ORIGIN, &swapped) {
            Ok(fit) => assert!(fit.residual_m() > 3.0, "{}", fit.residual_m()),
            Err(e) => assert_eq!(e, HomographyError::Behind),
        }
    }

    #[test]
    fn the_error_on_the_ground_grows_with_distance() {
        let fit = Homography::fit(ORIGIN, &control_points(0.0)).unwrap();
        let at = |y| fit.ground((0.5, y)).unwrap();
        // facts: from a 6 m mast at 30 m, 5 px of 1080 rows are 0.4 m.
        let pixel = (0..1000).map(|i| 0.1 + f64::from(i) * 8e-4).find(|&y| at(y).north_m < 30.0).unwrap();
        let five_px = at(pixel).m_per_norm * 5.0 / 1080.0;
        assert!((0.2..0.8).contains(&five_px), "{five_px}");
        assert!(at(0.3).m_per_norm > at(0.6).m_per_norm);
    }

    #[test]
    fn points_on_a_line_settle_nothing() {
        let line: Vec<ControlPoint> = (0..8)
            .map(|i| {
                let t = f64::from(i) / 10.0;
                ((0.1 + t, 0.2 + t), (121.376 + t * 1e-4, 31.112 + t * 1e-4))
            })
            .collect();
        assert!(Homography::fit(ORIGIN, &line).is_err());
        assert_eq!(Homography::fit(ORIGIN, &line[..5]).unwrap_err(), HomographyError::TooFew(5));
    }
}
