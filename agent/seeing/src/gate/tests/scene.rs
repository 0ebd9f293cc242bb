//! What becomes of the picture as a whole: light, darkness, covers, moves, frozen pictures.

use kerbside_domain::frame::LUMA_WIDTH as W;

use super::street::*;
use crate::gate::*;

#[test]
fn a_switched_lamp_is_a_change_of_light_and_no_region_and_regions_survive_it() {
    let mut street = Street::learnt();
    let before = street.run(5.0, &[bag()]).regions[0].clone();
    street.light = (0.55, -4.0);
    assert_eq!(street.frame(&[bag()]).scene, Scene::LightChanged);
    let report = street.run(5.0, &[bag()]);
    assert_eq!(report.scene, Scene::Clear);
    let [region] = report.regions.as_slice() else { panic!("{report:?}") };
    assert_eq!((region.id, region.still_since), (before.id, before.still_since));
    street.light = (1.0, 0.0);
    let report = street.run(5.0, &[]);
    assert_eq!(report.scene, Scene::Clear);
    assert!(report.regions.is_empty(), "taken away in the dark: {report:?}");
}

#[test]
fn dusk_over_twenty_minutes_changes_nothing() {
    let mut street = Street::learnt();
    let before = street.run(5.0, &[bag()]).regions[0].clone();
    street.period_s = 1.0;
    for k in 0..1200 {
        street.light = (1.0 - 0.6 * k as f32 / 1200.0, 0.0);
        let report = street.frame(&[bag()]);
        assert_eq!(report.scene, Scene::Clear, "at {k} s");
        assert_eq!(report.regions.iter().map(|r| r.id).collect::<Vec<_>>(), [before.id], "at {k} s");
    }
    assert!(street.run(3.0, &[]).regions.is_empty());
}

#[test]
fn black_covered_moved_and_back() {
    let mut street = Street::learnt();
    street.run(5.0, &[bag()]);
    assert_eq!(street.feed(&vec![3; 160 * 90]).scene, Scene::Black);
    assert_eq!(street.run(2.0, &[bag()]).scene, Scene::Clear);

    let cover = || -> Vec<Object> { vec![Box::new(|x, _| Some(60.0 + x as f32 * 0.1))] };
    assert_eq!(street.run(9.0, &cover()).scene, Scene::Covered);
    let report = street.run(9.0, &[bag()]);
    assert_eq!((report.scene, report.regions.len()), (Scene::Clear, 1), "{report:?}");

    let elsewhere = || -> Vec<Object> {
        vec![Box::new(|x, y| Some(60.0 + f32::from((x / 9 + y / 14) % 2 == 0) * 90.0 + (x * y % 5) as f32))]
    };
    assert_eq!(street.run(9.0, &elsewhere()).scene, Scene::Moved);
    let report = street.run(9.0, &[bag()]);
    assert_eq!((report.scene, report.regions.len()), (Scene::Clear, 1), "{report:?}");
    assert_eq!(street.gate.counters().views_lost, 2);
}

#[test]
fn a_nudged_camera_is_followed() {
    let mut street = Street::learnt();
    let before = street.run(5.0, &[bag()]).regions[0].clone();
    street.shift = (2, -1);
    let report = street.run(6.0, &[bag()]);
    assert_eq!(report.scene, Scene::Clear);
    let [region] = report.regions.as_slice() else { panic!("{report:?}") };
    assert_eq!((region.id, region.still_since), (before.id, before.still_since));
    assert!((region.bbox.x - (before.bbox.x - 2.0 / 160.0)).abs() < 1e-3, "follows the picture: {region:?}");
}

#[test]
fn the_same_picture_noise_and_all_is_frozen_whatever_the_codec_rounds() {
    let mut street = Street::learnt();
    let still = street.draw(&[]);
    let mut scenes = Vec::new();
    for k in 0..60 {
        let mut luma = still.clone();
        // A key frame every two seconds comes out a hair differently.
        for pixel in luma.iter_mut().skip(k / 10 % 2 * 7).step_by(90) {
            *pixel ^= 1;
        }
        scenes.push(street.feed(&luma).scene);
    }
    assert_eq!((scenes[28], scenes[59]), (Scene::Clear, Scene::Frozen));
    assert_eq!(street.frame(&[]).scene, Scene::Clear, "new noise is life");
    // A counter that runs in the corner is life enough.
    for k in 0..150u8 {
        let mut luma = still.clone();
        luma[W + 3] = k;
        assert_eq!(street.feed(&luma).scene, Scene::Clear);
    }
}

#[test]
fn shine_of_a_lamp_is_no_thing_but_what_is_set_down_afterwards_is() {
    let mut street = Street::learnt();
    let shine = || vec![block(30, 8, 8, 10, 190.0), block(110, 35, 5, 14, 180.0)];
    street.light = (0.6, 0.0);
    for _ in 0..40 {
        let report = street.frame(&shine());
        assert!(report.regions.is_empty(), "{report:?}");
    }
    let mut objects = shine();
    objects.push(bag());
    assert_eq!(street.run(2.0, &objects).regions.len(), 1);
}

#[test]
fn a_cloth_drawn_over_the_lens_under_a_burnt_in_clock_is_a_cover_and_no_light() {
    let mut street = Street::new(GateConfig::default());
    let clock = || -> Object {
        Box::new(|x, y| (y < 4 && x < 44).then(|| if (x / 3 + y / 2) % 2 == 0 { 250.0 } else { 5.0 }))
    };
    street.run(6.0, &[clock()]);
    for k in 0..6 {
        let edge = k * 18;
        street.frame(&[Box::new(move |x, y| (y < edge).then_some(45.0 + x as f32 * 0.05)), clock()]);
    }
    let cloth = || -> Object { Box::new(|x, _| Some(45.0 + x as f32 * 0.05)) };
    let report = street.run(9.0, &[cloth(), clock()]);
    assert_eq!((report.scene, report.regions.len()), (Scene::Covered, 0), "{report:?}");
    let report = street.run(9.0, &[clock()]);
    assert_eq!((report.scene, report.regions.len()), (Scene::Clear, 0), "{report:?}");
}
