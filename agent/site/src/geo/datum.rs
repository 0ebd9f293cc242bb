//! Datum and local metres: WGS-84 to east/north metres around a point, and to GCJ-02 as Chinese maps draw it.

/// WGS-84 ellipsoid: semi-major axis in metres, first eccentricity squared.
const A_M: f64 = 6_378_137.0;
const E2: f64 = 6.694_379_990_14e-3;

/// A plane that touches the ellipsoid at its origin; good to a centimetre within a kilometre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalPlane {
    origin: (f64, f64),
    m_per_deg_lon: f64,
    m_per_deg_lat: f64,
}

impl LocalPlane {
    /// Around `lon_deg, lat_deg`.
    pub fn new(origin: (f64, f64)) -> Self {
        let lat = origin.1.to_radians();
        let w2 = 1.0 - E2 * lat.sin().powi(2);
        let prime_vertical = A_M / w2.sqrt();
        let meridional = A_M * (1.0 - E2) / w2.powf(1.5);
        // Not zero at the poles, so that going back never divides by it.
        let m_per_deg_lon = (prime_vertical * lat.cos()).max(1e-6).to_radians();
        LocalPlane { origin, m_per_deg_lon, m_per_deg_lat: meridional.to_radians() }
    }

    /// East and north of the origin, m.
    pub fn metres(&self, (lon, lat): (f64, f64)) -> (f64, f64) {
        ((lon - self.origin.0) * self.m_per_deg_lon, (lat - self.origin.1) * self.m_per_deg_lat)
    }

    /// lon_deg, lat_deg of a point in metres.
    pub fn degrees(&self, (east, north): (f64, f64)) -> (f64, f64) {
        (self.origin.0 + east / self.m_per_deg_lon, self.origin.1 + north / self.m_per_deg_lat)
    }
}

/// Distance of two places not far apart, m.
pub fn distance_m(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (east, north) = LocalPlane::new(a).metres(b);
    east.hypot(north)
}

/// GCJ-02 of a WGS-84 place, lon_deg and lat_deg; `None` outside the rectangle in which maps are shifted.
///
/// The published approximation: a Krasovsky ellipsoid and a fixed series of sines. It is off by a few metres at most
/// from what map services do, so it is only ever sent beside WGS-84.
pub fn gcj02((lon, lat): (f64, f64)) -> Option<(f64, f64)> {
    if !(72.004..=137.8347).contains(&lon) || !(0.8293..=55.8271).contains(&lat) {
        return None;
    }
    const KRASOVSKY_A_M: f64 = 6_378_245.0;
    const KRASOVSKY_E2: f64 = 0.006_693_421_622_965_943;
    let (east, north) = shift(lon - 105.0, lat - 35.0);
    let radians = lat.to_radians();
    let w2 = 1.0 - KRASOVSKY_E2 * radians.sin().powi(2);
    let meridional = KRASOVSKY_A_M * (1.0 - KRASOVSKY_E2) / (w2 * w2.sqrt());
    let parallel = KRASOVSKY_A_M / w2.sqrt() * radians.cos();
    Some((lon + (east / parallel).to_degrees(), lat + (north / meridional).to_degrees()))
}

/// The series, in metres east and north; arguments in degrees from 105 E, 35 N.
fn shift(x: f64, y: f64) -> (f64, f64) {
    use std::f64::consts::PI;
    let wave = |at: f64, parts: [(f64, f64); 2]| -> f64 {
        parts.iter().map(|(amplitude, period)| amplitude * (at * PI / period).sin()).sum::<f64>() * 2.0 / 3.0
    };
    let root = x.abs().sqrt();
    let common = wave(x, [(20.0, 1.0 / 6.0), (20.0, 0.5)]);
    let east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root;
    let east = east + common + wave(x, [(20.0, 1.0), (40.0, 3.0)]) + wave(x, [(150.0, 12.0), (300.0, 30.0)]);
    let north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root;
    let north =
        north + common + wave(y, [(20.0, 1.0), (40.0, 3.0)]) + wave(y, [(160.0, 12.0), (320.0, 30.0)]);
    (east, north)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gcj02_gives_the_published_vectors() {
        let vectors = [
            ((121.5272106, 31.1774276), (121.53154186, 31.17530398)),
            ((113.912316, 22.543847), (113.91717648, 22.54079613)),
            ((116.377817, 39.911954), (116.38404722, 39.91334546)),
        ];
        for (wgs, gcj) in vectors {
            let got = gcj02(wgs).unwrap();
            assert!((got.0 - gcj.0).abs() < 1e-7 && (got.1 - gcj.1).abs() < 1e-7, "{wgs:?} -> {got:?}");
        }
        assert_eq!(gcj02((2.35, 48.85)), None);
    }

    #[test]
    fn metres_and_back() {
        let plane = LocalPlane::new((121.376, 31.112));
        let (east, north) = plane.metres((121.377, 31.113));
        // Lengths of a degree at 31.112 N after Vincenty: 95 393 m and 110 867 m.
        assert!((east - 95.39).abs() < 0.02 && (north - 110.87).abs() < 0.02, "{east} {north}");
        let back = plane.degrees((east, north));
        assert!((back.0 - 121.377).abs() < 1e-12 && (back.1 - 31.113).abs() < 1e-12);
    }
}
