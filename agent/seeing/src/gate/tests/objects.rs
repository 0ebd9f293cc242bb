//! What changed and stayed, and what only moves.

use kerbside_domain::frame::{BBox, LUMA_WIDTH as W};
use kerbside_site::geo::smallest::{FAINT_WIDTH_NORM, STRONG_WIDTH_NORM};

use super::street::*;
use crate::gate::*;

#[test]
fn an_empty_noisy_street_is_quiet() {
    let mut street = Street::learnt();
    for _ in 0..150 {
        let report = street.frame(&[]);
        assert_eq!((report.scene, report.motion, report.regions.len()), (Scene::Clear, 0.0, 0));
    }
}

#[test]
fn a_bag_set_down_is_a_region_within_two_seconds_and_stays_one_for_an_hour() {
    let mut street = Street::learnt();
    let left_s = street.at_s;
    let report = street.run(2.0, &[bag()]);
    let [region] = report.regions.as_slice() else { panic!("{report:?}") };
    assert_eq!(region.kind, RegionKind::Appeared);
    let truth = BBox { x: 70.0 / 160.0, y: 50.0 / 90.0, w: 12.0 / 160.0, h: 10.0 / 90.0 };
    assert!(region.bbox.iou(&truth) > 0.8, "{region:?}");
    assert!((region.still_since.0 as f64 / 1e6 - left_s).abs() < 0.5, "{region:?}");
    let (id, still_since) = (region.id, region.still_since);
    street.period_s = 4.0;
    let report = street.run(3600.0, &[bag()]);
    let [region] = report.regions.as_slice() else { panic!("{report:?}") };
    assert_eq!((region.id, region.still_since, region.occluded), (id, still_since, false));
    assert!(region.similarity > 0.9);
}

#[test]
fn what_is_taken_away_is_gone_at_once() {
    let mut street = Street::learnt();
    street.run(30.0, &[bag()]);
    let report = street.run(0.6, &[]);
    assert!(report.regions.is_empty(), "{report:?}");
    assert!(street.run(10.0, &[]).regions.is_empty());
}

#[test]
fn a_walker_in_front_hides_the_bag_and_resets_nothing() {
    let mut street = Street::learnt();
    let before = street.run(5.0, &[bag()]).regions[0].clone();
    let mut hidden = 0;
    for x in 30..120 {
        let report = street.frame(&[bag(), walker(x)]);
        let region = report.regions.iter().find(|r| r.id == before.id).expect("the bag lives on");
        hidden += u32::from(region.occluded);
        assert_eq!(region.still_since, before.still_since);
        assert!(report.motion > 0.0 && report.due_for_detection);
    }
    assert!(hidden >= 3);
    let after = street.run(2.0, &[bag()]).regions;
    assert_eq!(after.len(), 1, "{after:?}");
    assert!(after[0].id == before.id && !after[0].occluded && after[0].similarity > 0.9);
}

#[test]
fn somebody_who_stops_in_front_for_ten_seconds_hides_it_too() {
    let mut street = Street::learnt();
    let before = street.run(5.0, &[bag()]).regions[0].clone();
    street.run(10.0, &[bag(), block(62, 28, 26, 50, 190.0)]);
    let after = street.run(2.0, &[bag()]).regions;
    assert_eq!(after.len(), 1, "{after:?}");
    assert_eq!((after[0].id, after[0].still_since), (before.id, before.still_since));
}

#[test]
fn walkers_alone_leave_nothing() {
    let mut street = Street::learnt();
    for x in 0..150 {
        let report = street.frame(&[walker(x)]);
        assert!(report.regions.is_empty(), "at {x}: {report:?}");
    }
}

#[test]
fn what_stood_there_from_the_start_and_leaves_is_a_removal_and_is_soon_forgotten() {
    let mut street = Street::new(GateConfig::default());
    street.run(6.0, &[bag()]);
    let report = street.run(3.0, &[]);
    assert_eq!(report.regions.iter().map(|r| r.kind).collect::<Vec<_>>(), [RegionKind::Removed]);
    assert!(street.run(35.0, &[]).regions.is_empty());
}

#[test]
fn a_forgotten_removal_is_not_found_again_as_a_thing() {
    let mut street = Street::new(GateConfig::default());
    street.run(6.0, &[bag()]);
    for _ in 0..200 {
        let report = street.frame(&[]);
        assert!(report.regions.iter().all(|r| r.kind == RegionKind::Removed), "{report:?}");
    }
}

#[test]
fn who_steps_away_from_what_they_set_down_leaves_it_although_they_were_one_region() {
    // A light coat above a bag that is little darker than the paving: most of the region's outline leaves with the coat.
    let (coat, faint_bag) = (|| block(72, 34, 8, 16, 230.0), || block(70, 50, 12, 10, 75.0));
    let mut street = Street::learnt();
    let both = street.run(4.0, &[coat(), faint_bag()]).regions;
    assert_eq!(both.len(), 1, "{both:?}");
    let truth = BBox { x: 70.0 / 160.0, y: 50.0 / 90.0, w: 12.0 / 160.0, h: 10.0 / 90.0 };
    let left = street.run(20.0, &[faint_bag()]).regions;
    let [region] = left.as_slice() else { panic!("{left:?}") };
    assert!(region.bbox.iou(&truth) > 0.8 && !region.occluded, "{region:?}");
    assert_eq!((region.id, region.kind), (both[0].id, RegionKind::Appeared));
}

#[test]
fn a_second_bag_is_found_where_the_first_lay_so_long_that_it_was_background() {
    let mut street = Street::new(GateConfig { absorb_after_s: 60.0, ..GateConfig::default() });
    street.period_s = 0.5;
    street.run(70.0, &[]);
    assert_eq!(street.run(30.0, &[bag()]).regions.len(), 1);
    assert_eq!(street.run(200.0, &[bag()]).regions.len(), 0, "it is background, or this proves nothing");
    street.run(130.0, &[]);
    let report = street.run(6.0, &[bag()]);
    assert_eq!(report.regions.len(), 1, "{report:?}");
}

#[test]
fn swaying_leaves_become_quiet_and_never_a_region() {
    let mut street = Street::learnt();
    street.sway = true;
    for _ in 0..600 {
        let report = street.frame(&[]);
        assert!(report.regions.is_empty(), "{report:?}");
    }
    let moving = (0..50).filter(|_| street.frame(&[]).motion > 0.01).count();
    assert!(moving < 10, "{moving} of 50 looks");
}

#[test]
fn motion_outside_the_zones_costs_nothing() {
    let zone = vec![(0.0, 0.8), (1.0, 0.8), (1.0, 1.0), (0.0, 1.0)];
    let mut street = Street::new(GateConfig { zones: vec![zone], ..GateConfig::default() });
    street.run(5.0, &[]);
    let mut worth = 0;
    for x in 0..100 {
        let report = street.frame(&[walker(x)]);
        assert_eq!(report.motion, 0.0);
        worth += u32::from(report.due_for_detection);
    }
    assert!(worth <= 2, "{worth}");
}

#[test]
fn forgetting_makes_a_region_background() {
    let mut street = Street::learnt();
    let id = street.run(3.0, &[bag()]).regions[0].id;
    assert!(street.gate.forget(id) && !street.gate.forget(id));
    assert!(street.run(5.0, &[bag()]).regions.is_empty());
}

#[test]
fn regions_are_bounded_and_refusals_counted() {
    let mut street = Street::new(GateConfig { max_regions: 3, ..GateConfig::default() });
    street.run(4.0, &[]);
    let many = (0..6).map(|k| block(10 + k * 22, 40, 10, 10, 30.0)).collect::<Vec<_>>();
    let report = street.run(4.0, &many);
    assert_eq!(report.regions.len(), 3);
    assert!(street.gate.counters().regions_refused > 0);
}

#[test]
fn key_frames_every_four_seconds_are_enough() {
    let mut street = Street::new(GateConfig::default());
    street.period_s = 4.0;
    street.run(40.0, &[]);
    let report = street.run(16.0, &[bag()]);
    assert_eq!(report.regions.len(), 1, "{report:?}");
    assert!(street.run(8.0, &[]).regions.is_empty());
}

#[test]
fn a_wrong_size_is_counted_and_harmless() {
    let mut street = Street::learnt();
    street.feed(&[0; 10]);
    assert_eq!(street.gate.counters().malformed, 1);
    assert_eq!(street.frame(&[]).scene, Scene::Clear);
}

/// A square that is darker than the street by `contrast`, with a side of `size_norm` of the picture's width; pixels at its border
/// are covered in part.
fn square(x: f32, y: f32, size_norm: f64, contrast: f32) -> Object {
    let size = size_norm as f32 * W as f32;
    let overlap = move |at: i32, from: f32| {
        ((at as f32 + 1.0).min(from + size) - (at as f32).max(from)).clamp(0.0, 1.0)
    };
    Box::new(move |px, py| {
        let covered = overlap(px, x) * overlap(py, y);
        (covered > 0.0).then(|| ground(px, py) * (1.0 - covered * contrast))
    })
}

/// What the site's check and the doctor promise is what the gate sees.
#[test]
fn the_smallest_thing_is_as_small_as_the_doctor_says() {
    for (size, contrast) in [(STRONG_WIDTH_NORM, 0.6), (FAINT_WIDTH_NORM, 0.25)] {
        for (dx, dy) in [(0.0, 0.0), (0.5, 0.5), (0.25, 0.75)] {
            let thing = || vec![square(70.0 + dx, 50.0 + dy, size, contrast)];
            let seen = Street::learnt().run(8.0, &thing());
            assert_eq!(
                seen.regions.len(),
                1,
                "{size} of the width, {contrast} darker, at {dx} {dy}: {seen:?}"
            );
            let unseen = Street::learnt().run(8.0, &[square(70.0 + dx, 50.0 + dy, size * 0.6, contrast)]);
            assert!(unseen.regions.is_empty(), "smaller than is said, and seen: {unseen:?}");
        }
    }
}
