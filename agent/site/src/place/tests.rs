//! Placing boxes: by homography, by the camera, by the box.

use super::*;
use crate::geo::homography::tests::{ORIGIN, control_points, mast};
use crate::geo::{LocalPlane, distance_m};

fn view(homography: bool) -> CameraView {
    CameraView {
        point: Some(ORIGIN),
        accuracy_m: 15.0,
        homography: homography.then(|| Homography::fit(ORIGIN, &control_points(0.0)).unwrap()),
    }
}

fn placer(views: Vec<CameraView>) -> Placer {
    let grid = GridTable::parse(include_str!("../../../../edge-config/grids/example.geojson")).unwrap();
    Placer {
        views,
        sensors: vec![("bin-1".into(), (121.3762, 31.1126))],
        grid,
        box_point: None,
        surveyed: false,
        track: None,
        address: Some("Kerb street 1".into()),
    }
}

fn foot_at(x: f32, y: f32) -> BBox {
    BBox { x: x - 0.05, y: y - 0.1, w: 0.1, h: 0.1 }
}

#[test]
fn a_box_on_the_ground_is_placed_by_its_foot() {
    let place = placer(vec![view(true)]).place(CameraIx(0), foot_at(0.4, 0.6)).unwrap();
    let truth = LocalPlane::new(ORIGIN).degrees(mast((0.4, 0.6)).unwrap());
    assert_eq!(place.method, Method::Homography);
    assert!(distance_m(truth, (place.lon_deg, place.lat_deg)) < 0.05, "{place:?}");
    assert!((0.5..3.0).contains(&place.accuracy_m), "{place:?}");
    assert_eq!(place.camera_point, ORIGIN);
    assert!(place.gcj02.is_some() && place.unit_grid.is_some());
}

#[test]
fn far_away_and_above_the_horizon_the_camera_stands_for_it() {
    let placer = placer(vec![view(true)]);
    // 0.15 is about 130 m away, 0.02 in the sky.
    for (y, at_least) in [(0.15, 60.0), (0.02, 60.0)] {
        let place = placer.place(CameraIx(0), foot_at(0.5, y)).unwrap();
        assert_eq!((place.method, place.lon_deg, place.lat_deg), (Method::Camera, ORIGIN.0, ORIGIN.1), "{y}");
        assert!(place.accuracy_m >= at_least, "{place:?}");
    }
}

#[test]
fn without_a_homography_the_camera_s_accuracy_is_said() {
    let place = placer(vec![view(false)]).place(CameraIx(0), foot_at(0.5, 0.9)).unwrap();
    assert_eq!((place.method, place.accuracy_m), (Method::Camera, 15.0));
    // The origin lies on the corner of four grids.
    assert_eq!(place.candidates.len(), 4);
}

#[test]
fn a_camera_without_a_point_takes_that_of_the_box() {
    let mut placer = placer(vec![CameraView { point: None, accuracy_m: 15.0, homography: None }]);
    let bbox = foot_at(0.5, 0.9);
    assert_eq!(placer.place(CameraIx(0), bbox), None);
    assert_eq!(placer.place(CameraIx(7), bbox), None);
    placer.set_box_point((121.3755, 31.1115), 4.0);
    let place = placer.place(CameraIx(0), bbox).unwrap();
    assert_eq!((place.lon_deg, place.accuracy_m), (121.3755, 19.0));
}

#[test]
fn ground_area_does_not_take_height_for_depth() {
    let placer = placer(vec![view(true), view(false)]);
    // A metre wide and as tall as a man, 20 m away.
    let width_norm = 0.9 / 20.0;
    let y = (0..1000)
        .map(|i| 0.1 + i as f32 * 8e-4)
        .find(|&y| mast((0.5, f64::from(y))).unwrap().1 < 20.0)
        .unwrap();
    let man = BBox { x: 0.5, y: y - 0.14, w: width_norm, h: 0.14 };
    let area = placer.ground_area_m2(CameraIx(0), man).unwrap();
    assert!((0.7..1.5).contains(&area), "{area}");
    assert_eq!(placer.ground_area_m2(CameraIx(1), man), None);
}

#[test]
fn what_a_moving_box_saw_is_placed_by_the_fix_of_its_time() {
    let mut placer = placer(vec![view(true)]);
    placer.moved(Mono::from_s(1.0), ORIGIN, 4.0);
    assert!(
        !placer.is_mobile() && placer.place_at(CameraIx(0), foot_at(0.4, 0.6), Mono::from_s(500.0)).is_some()
    );
    placer.track = Some(Track::default());
    let there = LocalPlane::new(ORIGIN).degrees((0.0, 200.0));
    placer.moved(Mono::from_s(10.0), ORIGIN, 4.0);
    placer.moved(Mono::from_s(30.0), there, 4.0);
    let at = |s: f64| placer.place_at(CameraIx(0), foot_at(0.4, 0.6), Mono::from_s(s));
    let (early, late) = (at(10.0).unwrap(), at(31.0).unwrap());
    assert!(distance_m(ORIGIN, (early.lon_deg, early.lat_deg)) < 0.1, "{early:?}");
    assert!(distance_m(there, (late.lon_deg, late.lat_deg)) < 0.1, "{late:?}");
    // Its own accuracy, that of the fix, and a second at 15 m/s.
    assert_eq!((late.method, late.accuracy_m), (Method::Camera, 15.0 + 4.0 + 15.0));
    assert_eq!(at(200.0), None);
}

#[test]
fn a_sensor_is_where_the_site_says_or_where_its_camera_shows_it_or_near_its_camera_or_box() {
    let mut placer = placer(vec![view(true)]);
    placer.box_point = Some(((121.3755, 31.1115), 4.0));
    let whole = BBox { x: 0.0, y: 0.0, w: 1.0, h: 1.0 };
    let place = |sensor: &str, camera: CameraIx, bbox: BBox| {
        placer.place_sensor(sensor, camera, bbox, Mono::ZERO).unwrap()
    };
    let own = place("bin-1", CameraIx(0), whole);
    assert_eq!(
        (own.method, own.lon_deg, own.lat_deg, own.accuracy_m),
        (Method::Sensor, 121.3762, 31.1126, 5.0)
    );
    assert_eq!(own.camera_point, ORIGIN);
    assert_eq!(place("bin-2", CameraIx(0), foot_at(0.4, 0.6)).method, Method::Homography);
    let near_camera = place("bin-2", CameraIx(0), whole);
    assert_eq!(
        (near_camera.method, near_camera.lon_deg, near_camera.accuracy_m),
        (Method::Camera, ORIGIN.0, 15.0)
    );
    let near_box = place("help-1", CameraIx::NONE, whole);
    assert_eq!((near_box.lon_deg, near_box.accuracy_m), (121.3755, 54.0));
}

#[test]
fn what_a_sensor_of_a_box_that_moves_reports_is_where_the_box_was_then() {
    let mut placer = placer(vec![view(false)]);
    placer.track = Some(Track::default());
    let there = LocalPlane::new(ORIGIN).degrees((0.0, 500.0));
    for (s, point) in [(10.0, ORIGIN), (300.0, there)] {
        placer.moved(Mono::from_s(s), point, 4.0);
        placer.set_box_point(point, 4.0);
    }
    let whole = BBox { x: 0.0, y: 0.0, w: 1.0, h: 1.0 };
    for (camera, accuracy_m) in [(CameraIx::NONE, 54.0), (CameraIx(0), 19.0)] {
        let place = placer.place_sensor("help-1", camera, whole, Mono::from_s(10.0)).unwrap();
        assert!(distance_m(ORIGIN, (place.lon_deg, place.lat_deg)) < 0.1, "not where it is now: {place:?}");
        assert_eq!(place.accuracy_m, accuracy_m);
    }
    assert_eq!(placer.place_sensor("help-1", CameraIx::NONE, whole, Mono::from_s(900.0)), None);
}
