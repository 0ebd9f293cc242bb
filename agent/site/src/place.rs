//! Where something in a camera's picture is on the ground: the cameras and grids of a checked site. Pure.

mod track;

use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::time::Mono;
use serde::{Deserialize, Serialize};

use self::track::Track;
use crate::config::Site;
use crate::geo::{GridNames, GridTable, Ground, Homography, MAX_DISTANCE_M, gcj02};

/// Error of the foot of a detector's box, in shares of the picture: about 5 px of 640.
const FOOT_ERROR_NORM: f64 = 0.008;
/// How far off a sensor's point in the site file may be, m: somebody read it from a map.
const SENSOR_ACCURACY_M: f64 = 5.0;
/// How far from the box a sensor without a point may hang, m.
const NEAR_BOX_M: f64 = 50.0;
/// From this share of the picture on a box says nothing of the place.
const WHOLE_PICTURE: f32 = 0.99;
/// Best accuracy that is claimed, m, whatever the residual of the survey.
const MIN_ACCURACY_M: f64 = 0.5;

/// How a place was found. On the wire `homography`, `camera` or `sensor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The foot of the box, projected to the ground.
    Homography,
    /// The camera's point (or that of the box), with an accuracy that covers what it sees.
    Camera,
    /// The point of the sensor that reports it, as the site has it.
    Sensor,
}

/// Where something is. Degrees are WGS-84, rounded to 1e-7; accuracy is a radius in metres, rounded up to 0.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Longitude.
    pub lon_deg: f64,
    /// Latitude.
    pub lat_deg: f64,
    /// Radius around the point that holds the thing: the error of the point, and half the thing's width.
    pub accuracy_m: f64,
    /// How it was found.
    pub method: Method,
    /// lon_deg, lat_deg of the camera, or of its box.
    pub camera_point: (f64, f64),
    /// lon_deg, lat_deg in GCJ-02; only where maps use it.
    pub gcj02: Option<(f64, f64)>,
    /// Code of the unit grid that holds it.
    pub unit_grid: Option<String>,
    /// Grids in question when the accuracy circle crosses a border.
    pub candidates: Vec<String>,
    /// Names of the levels of the grid.
    #[serde(default)]
    pub grid_names: GridNames,
    /// The address of the box, for people.
    pub address: Option<String>,
}

#[derive(Clone, Debug)]
struct CameraView {
    point: Option<(f64, f64)>,
    accuracy_m: f64,
    homography: Option<Homography>,
}

/// Places what cameras see.
#[derive(Clone, Debug)]
pub struct Placer {
    views: Vec<CameraView>,
    /// Id, and lon_deg, lat_deg of those that the site places.
    sensors: Vec<(String, (f64, f64))>,
    grid: GridTable,
    /// The box: surveyed, or the newest position of GNSS, with its accuracy in metres.
    box_point: Option<((f64, f64), f64)>,
    surveyed: bool,
    /// Of a box that moves.
    track: Option<Track>,
    address: Option<String>,
}

impl Placer {
    /// With the points and grids of the site.
    pub fn new(site: &Site) -> Self {
        let views = site
            .cameras
            .iter()
            .map(|camera| CameraView {
                point: camera.point,
                accuracy_m: camera.accuracy_m,
                homography: camera.ground(),
            })
            .collect();
        let sensors = site.sensors.sensors.iter().filter_map(|s| Some((s.id.clone(), s.point?))).collect();
        Placer {
            views,
            sensors,
            grid: site.grid.clone(),
            box_point: site.device.point.map(|p| (p, 0.0)),
            surveyed: site.device.point.is_some(),
            track: site.gnss.as_ref().filter(|g| g.mobile).map(|_| Track::default()),
            address: site.device.address.clone(),
        }
    }

    /// Sets the position of the box that GNSS gave; ignored where a surveyed point is configured.
    pub fn set_box_point(&mut self, point: (f64, f64), accuracy_m: f64) {
        if !self.surveyed {
            self.box_point = Some((point, accuracy_m));
        }
    }

    /// A box that moves was here at this time: lon_deg, lat_deg, accuracy in metres. Ignored where it does not move.
    pub fn moved(&mut self, at: Mono, point: (f64, f64), accuracy_m: f64) {
        if let Some(track) = &mut self.track {
            track.push(at, point, accuracy_m);
        }
    }

    /// Whether the box moves.
    pub fn is_mobile(&self) -> bool {
        self.track.is_some()
    }

    /// Place of what a camera saw at a time: of a box that moves, by its fixes at that time. `None`: none is near enough, or it has
    /// no point yet.
    pub fn place_at(&self, camera: CameraIx, bbox: BBox, when: Mono) -> Option<Place> {
        let Some(track) = &self.track else { return self.place(camera, bbox) };
        let view = self.views.get(usize::from(camera.0))?;
        let (point, own_m) = track.at(when)?;
        Some(self.describe(point, point, view.accuracy_m + own_m, Method::Camera))
    }

    /// Place of what a sensor reports: its own point; else where the camera shows it, if `bbox` is not the whole picture; else that
    /// of the camera or the box. Of a box that moves: where the box was at that time.
    pub fn place_sensor(&self, sensor: &str, camera: CameraIx, bbox: BBox, when: Mono) -> Option<Place> {
        let camera_point = self.views.get(usize::from(camera.0)).and_then(|view| view.point);
        let of_box = self.box_point.map(|(point, accuracy_m)| (point, accuracy_m + NEAR_BOX_M));
        if let Some((_, point)) = self.sensors.iter().find(|(id, _)| id == sensor) {
            let seen_from = camera_point.or(self.box_point.map(|(point, _)| point)).unwrap_or(*point);
            return Some(self.describe(seen_from, *point, SENSOR_ACCURACY_M, Method::Sensor));
        }
        if let Some(track) = &self.track {
            let (point, own_m) = track.at(when)?;
            let view = self.views.get(usize::from(camera.0));
            let away_m = view.map_or(NEAR_BOX_M, |view| view.accuracy_m);
            return Some(self.describe(point, point, away_m + own_m, Method::Camera));
        }
        if bbox.area() < WHOLE_PICTURE {
            return self.place(camera, bbox);
        }
        let view = self.views.get(usize::from(camera.0));
        let of_camera = view.and_then(|view| Some((view.point?, view.accuracy_m)));
        let (point, accuracy_m) = of_camera.or(of_box)?;
        Some(self.describe(point, point, accuracy_m, Method::Camera))
    }

    /// Place of a box in a camera's picture, by its foot. `None`: neither camera nor box has a point yet.
    pub fn place(&self, camera: CameraIx, bbox: BBox) -> Option<Place> {
        let view = self.views.get(usize::from(camera.0))?;
        let (point, own_m) = match (view.point, self.box_point) {
            (Some(point), _) => (point, 0.0),
            (None, Some(of_box)) => of_box,
            (None, None) => return None,
        };
        let at_camera = |accuracy_m: f64| (point, accuracy_m.max(view.accuracy_m) + own_m, Method::Camera);
        let (lon_lat, accuracy_m, method) = match &view.homography {
            None => at_camera(0.0),
            Some(homography) => match on_ground(homography, bbox) {
                Ok((lon_lat, accuracy_m)) => (lon_lat, accuracy_m, Method::Homography),
                Err(away_m) => at_camera(away_m),
            },
        };
        Some(self.describe(point, lon_lat, accuracy_m, method))
    }

    fn describe(&self, camera: (f64, f64), at: (f64, f64), accuracy_m: f64, method: Method) -> Place {
        let accuracy_m = (accuracy_m * 10.0).ceil() / 10.0;
        let at = rounded(at);
        let located = self.grid.locate(at, accuracy_m);
        Place {
            lon_deg: at.0,
            lat_deg: at.1,
            accuracy_m,
            method,
            camera_point: rounded(camera),
            gcj02: gcj02(at).map(rounded),
            unit_grid: located.unit_grid,
            candidates: located.candidates,
            grid_names: located.names,
            address: self.address.clone(),
        }
    }

    /// Ground covered by a box, m2: its width at the foot, times its depth, which is never taken for more than the width
    /// (a picture shows height as depth). `None` without a homography, or beyond its reach.
    pub fn ground_area_m2(&self, camera: CameraIx, bbox: BBox) -> Option<f64> {
        let homography = self.views.get(usize::from(camera.0))?.homography.as_ref()?;
        let (left, right) = (f64::from(bbox.x), f64::from(bbox.x + bbox.w));
        let foot = f64::from(bbox.y + bbox.h);
        let (a, b) = (homography.ground((left, foot))?, homography.ground((right, foot))?);
        if distance(&a) > MAX_DISTANCE_M || distance(&b) > MAX_DISTANCE_M {
            return None;
        }
        let width_m = (a.east_m - b.east_m).hypot(a.north_m - b.north_m);
        let middle = f64::midpoint(left, right);
        let depth_m =
            match (homography.ground((middle, foot)), homography.ground((middle, f64::from(bbox.y)))) {
                (Some(near), Some(far)) => (near.east_m - far.east_m).hypot(near.north_m - far.north_m),
                _ => width_m,
            };
        Some(width_m * depth_m.min(width_m))
    }
}

/// lon_deg, lat_deg and accuracy of the foot; or, beyond reach, how far away it is at least, m.
fn on_ground(homography: &Homography, bbox: BBox) -> Result<((f64, f64), f64), f64> {
    let (x, y) = bbox.foot();
    let Some(ground) = homography.ground((f64::from(x), f64::from(y))) else { return Err(MAX_DISTANCE_M) };
    let away_m = distance(&ground);
    if away_m > MAX_DISTANCE_M {
        return Err(away_m.min(10.0 * MAX_DISTANCE_M));
    }
    // The point is that of the middle; the thing reaches half its width from there to each side.
    let half_m = width_m(homography, bbox).unwrap_or_default() / 2.0;
    let of_point_m = homography.residual_m().hypot(ground.m_per_norm * FOOT_ERROR_NORM).max(MIN_ACCURACY_M);
    let accuracy_m = of_point_m.hypot(half_m);
    Ok((homography.lon_lat(&ground), accuracy_m))
}

/// Width of a box on the ground, at its foot, m; `None` beyond reach.
fn width_m(homography: &Homography, bbox: BBox) -> Option<f64> {
    let foot = f64::from(bbox.y + bbox.h);
    let at = |x: f32| homography.ground((f64::from(x), foot));
    let (left, right) = (at(bbox.x)?, at(bbox.x + bbox.w)?);
    let within_reach = distance(&left).max(distance(&right)) <= 2.0 * MAX_DISTANCE_M;
    within_reach.then(|| (left.east_m - right.east_m).hypot(left.north_m - right.north_m))
}

fn distance(ground: &Ground) -> f64 {
    ground.east_m.hypot(ground.north_m)
}

/// To 1e-7 degrees (a centimetre): the last bits of sine and cosine differ between machines.
fn rounded((lon, lat): (f64, f64)) -> (f64, f64) {
    let round = |v: f64| (v * 1e7).round() / 1e7;
    (round(lon), round(lat))
}

#[cfg(test)]
mod tests;
