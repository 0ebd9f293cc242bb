//! Parked vehicles leave the street as it was.

use super::street::*;
use crate::gate::*;

/// A car whose roof is nearly of the street's colour.
fn car() -> Object {
    Box::new(|x, y| {
        let inside = (40..90).contains(&x) && (40..62).contains(&y);
        let body = (50..80).contains(&x) && (44..58).contains(&y);
        inside.then(|| if body { ground(x, y) + 6.0 } else { 30.0 + ((x + y) % 7) as f32 })
    })
}

#[test]
fn a_car_that_was_parked_for_minutes_leaves_no_ghost() {
    let mut street = Street::learnt();
    let parked = street.run(90.0, &[car()]);
    assert!(!parked.regions.is_empty());
    for _ in 0..100 {
        street.frame(&[]);
    }
    let report = street.run(10.0, &[]);
    assert!(report.regions.is_empty(), "{report:?}");
    // What the car hid is found.
    let mut street = Street::learnt();
    street.run(90.0, &[car()]);
    let report = street.run(6.0, &[block(60, 48, 10, 8, 40.0)]);
    assert_eq!(report.regions.len(), 1, "{report:?}");
    assert_eq!(report.regions[0].kind, RegionKind::Appeared);
}

#[test]
fn a_car_of_the_streets_grey_on_a_restless_day_leaves_the_street_as_it_was() {
    let paint: Object = Box::new(|x, y| {
        let inside = (50..90).contains(&x) && (40..62).contains(&y);
        inside.then_some(84.0 + y as f32 * 0.3)
    });
    let mut street = Street::learnt();
    // Wind: the threshold rises above what the car changes.
    (street.noise, street.period_s) = (16.0, 0.5);
    street.run(90.0, &[]);
    let parked = street.run(1.0, std::slice::from_ref(&paint));
    assert!(parked.regions.is_empty(), "it is seen at once, or this proves nothing: {parked:?}");
    street.noise = 1.0;
    street.run(240.0, std::slice::from_ref(&paint));
    for _ in 0..100 {
        let report = street.frame(&[]);
        assert!(report.regions.is_empty(), "{report:?}");
    }
    // What stands on the uncovered street is found.
    let report = street.run(12.0, &[block(60, 45, 10, 8, 40.0)]);
    assert_eq!(report.regions.len(), 1, "{report:?}");
}
