//! Scenes made in code: a textured street with camera noise, and what happens on it.

use super::*;
use kerbside_domain::frame::{LUMA_HEIGHT as H, LUMA_WIDTH as W};

/// Grey level of a surface at `(x, y)`, or none where it is not.
type Thing = Box<dyn Fn(i32, i32) -> Option<f32>>;

struct Street {
    gate: Gate,
    at_s: f64,
    period_s: f64,
    seed: u32,
    noise: f32,
    /// Picture level = gain * level + offset.
    light: (f32, f32),
    shift: (i32, i32),
    sway: bool,
}

impl Street {
    /// A gate that has learnt the empty street.
    fn learnt() -> Self {
        let mut street = Street::new(GateConfig::default());
        let report = street.run(4.0, &[]);
        assert_eq!(report.scene, Scene::Clear);
        street
    }

    fn new(config: GateConfig) -> Self {
        let gate = Gate::new(config);
        let (light, shift) = ((1.0, 0.0), (0, 0));
        Street { gate, at_s: 0.0, period_s: 0.2, seed: 7, noise: 2.0, light, shift, sway: false }
    }

    fn random(&mut self) -> f32 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 17;
        self.seed ^= self.seed << 5;
        (self.seed % 2001) as f32 / 1000.0 - 1.0
    }

    fn draw(&mut self, things: &[Thing]) -> Vec<u8> {
        let mut out = Vec::with_capacity(W * H);
        // Leaves swing over the upper right corner.
        let swing = if self.sway { (self.at_s * 3.5).sin() * 2.5 } else { 0.0 };
        for y in 0..H as i32 {
            for x in 0..W as i32 {
                let (gx, gy) = (x + self.shift.0, y + self.shift.1);
                let mut level = ground(gx, gy);
                if gx > 120 && gy < 30 {
                    level = 90.0 + 50.0 * f32::from(((gx as f64 + swing) / 2.0).sin() > 0.0);
                }
                for thing in things {
                    level = thing(gx, gy).unwrap_or(level);
                }
                let noise = self.random() * self.noise;
                out.push((self.light.0 * level + self.light.1 + noise).round().clamp(0.0, 255.0) as u8);
            }
        }
        out
    }

    fn look(&mut self, things: &[Thing]) -> GateReport {
        let luma = self.draw(things);
        self.feed(&luma)
    }

    fn feed(&mut self, luma: &[u8]) -> GateReport {
        self.at_s += self.period_s;
        self.gate.step_luma(luma, Mono::from_s(self.at_s), 0)
    }

    /// The last report of some seconds of the same things.
    fn run(&mut self, s: f64, things: &[Thing]) -> GateReport {
        let mut report = GateReport::default();
        for _ in 0..(s / self.period_s).round() as usize {
            report = self.look(things);
        }
        report
    }
}

/// Slabs with joints and stains: what asphalt and paving look like from a mast.
fn ground(x: i32, y: i32) -> f32 {
    let joint = if x.rem_euclid(16) == 0 || y.rem_euclid(11) == 0 { -18.0 } else { 0.0 };
    let stain = ((x * 7 + y * 13).rem_euclid(23) as f32 - 11.0) * 0.7;
    95.0 + joint + stain + y as f32 * 0.3
}

fn block(x0: i32, y0: i32, w: i32, h: i32, level: f32) -> Thing {
    Box::new(move |x, y| {
        let inside = (x0..x0 + w).contains(&x) && (y0..y0 + h).contains(&y);
        inside.then(|| level + ((x * 5 + y * 3).rem_euclid(7) as f32 - 3.0) * 2.0)
    })
}

fn bag() -> Thing {
    block(70, 50, 12, 10, 35.0)
}

fn walker(x: i32) -> Thing {
    block(x, 30, 9, 34, 200.0)
}

fn shadow(x0: i32, y0: i32, w: i32, h: i32, factor: f32) -> Thing {
    Box::new(move |x, y| {
        let inside = (x0..x0 + w).contains(&x) && (y0..y0 + h).contains(&y);
        inside.then(|| ground(x, y) * factor)
    })
}

#[test]
fn an_empty_noisy_street_is_quiet() {
    let mut street = Street::learnt();
    for _ in 0..150 {
        let report = street.look(&[]);
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
        let report = street.look(&[bag(), walker(x)]);
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
        let report = street.look(&[walker(x)]);
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
        let report = street.look(&[]);
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
fn a_switched_lamp_is_a_change_of_light_and_no_region_and_regions_survive_it() {
    let mut street = Street::learnt();
    let before = street.run(5.0, &[bag()]).regions[0].clone();
    street.light = (0.55, -4.0);
    assert_eq!(street.look(&[bag()]).scene, Scene::LightChanged);
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
        let report = street.look(&[bag()]);
        assert_eq!(report.scene, Scene::Clear, "at {k} s");
        assert_eq!(report.regions.iter().map(|r| r.id).collect::<Vec<_>>(), [before.id], "at {k} s");
    }
    assert!(street.run(3.0, &[]).regions.is_empty());
}

#[test]
fn a_shadow_that_stays_is_no_thing() {
    let mut street = Street::learnt();
    for factor in [0.6, 0.75] {
        for _ in 0..50 {
            let report = street.look(&[shadow(40, 30, 40, 25, factor)]);
            assert!(report.regions.is_empty(), "{factor}: {report:?}");
        }
    }
}

/// Dappled: what falls here has a texture of its own, so that only its coming tells it from a thing.
fn dapples(depth: f32) -> Thing {
    Box::new(move |x, y| {
        let inside = (50..80).contains(&x) && (40..60).contains(&y);
        let leaf = if (x / 3 + y / 4) % 2 == 0 { 1.0 } else { 0.35 };
        inside.then(|| ground(x, y) * (1.0 - depth * leaf))
    })
}

#[test]
fn the_shade_of_a_tree_that_comes_with_the_sun_is_no_thing_though_dappled() {
    // At five looks a second, and at two, where each step is a jump by itself.
    for (period_s, comes_s) in [(0.2, 3.0), (0.2, 8.0), (0.5, 4.0)] {
        let mut street = Street::learnt();
        street.period_s = period_s;
        street.run(4.0, &[]);
        let looks = (comes_s / period_s) as i32;
        for k in 1..=looks {
            street.look(&[dapples(0.6 * k as f32 / looks as f32)]);
        }
        // It may be taken for a thing for the two seconds that telling takes.
        street.run(5.0, &[dapples(0.6)]);
        for _ in 0..60 {
            let report = street.look(&[dapples(0.6)]);
            assert!(report.regions.is_empty(), "in {comes_s} s at {period_s}: {report:?}");
        }
        // The same, put there at a stroke, is a thing: a cloth.
        let mut street = Street::learnt();
        street.period_s = period_s;
        assert_eq!(street.run(6.0, &[dapples(0.6)]).regions.len(), 1, "at {period_s}");
    }
}

/// A car whose roof is nearly of the street's colour.
fn car() -> Thing {
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
        street.look(&[]);
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
    let paint: Thing = Box::new(|x, y| {
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
        let report = street.look(&[]);
        assert!(report.regions.is_empty(), "{report:?}");
    }
    // What stands on the uncovered street is found.
    let report = street.run(12.0, &[block(60, 45, 10, 8, 40.0)]);
    assert_eq!(report.regions.len(), 1, "{report:?}");
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
fn a_wet_patch_that_spreads_from_a_spot_too_small_to_tell_is_no_thing_for_long() {
    let mut street = Street::learnt();
    // Five by five at first: too little inside to compare textures.
    let (mut regions, mut most) = (0, 0);
    for size in [5, 5, 8, 14, 14] {
        for _ in 0..20 {
            regions = street.look(&[shadow(60, 50, size, size, 0.6)]).regions.len();
            most = most.max(regions);
        }
    }
    assert!(most > 0, "the spot is seen, or this proves nothing");
    assert_eq!(regions, 0);
    // A thing on wet ground is one all the same.
    let both = [shadow(60, 50, 14, 14, 0.6), block(63, 53, 6, 5, 30.0)];
    assert_eq!(street.run(6.0, &both).regions.len(), 1);
}

#[test]
fn swaying_leaves_become_quiet_and_never_a_region() {
    let mut street = Street::learnt();
    street.sway = true;
    for _ in 0..600 {
        let report = street.look(&[]);
        assert!(report.regions.is_empty(), "{report:?}");
    }
    let moving = (0..50).filter(|_| street.look(&[]).motion > 0.01).count();
    assert!(moving < 10, "{moving} of 50 looks");
}

#[test]
fn motion_outside_the_zones_costs_nothing() {
    let zone = vec![(0.0, 0.8), (1.0, 0.8), (1.0, 1.0), (0.0, 1.0)];
    let mut street = Street::new(GateConfig { zones: vec![zone], ..GateConfig::default() });
    street.run(5.0, &[]);
    let mut worth = 0;
    for x in 0..100 {
        let report = street.look(&[walker(x)]);
        assert_eq!(report.motion, 0.0);
        worth += u32::from(report.due_for_detection);
    }
    assert!(worth <= 2, "{worth}");
}

#[test]
fn black_covered_moved_and_back() {
    let mut street = Street::learnt();
    street.run(5.0, &[bag()]);
    assert_eq!(street.feed(&vec![3; PIXELS]).scene, Scene::Black);
    assert_eq!(street.run(2.0, &[bag()]).scene, Scene::Clear);

    let cover = || -> Vec<Thing> { vec![Box::new(|x, _| Some(60.0 + x as f32 * 0.1))] };
    assert_eq!(street.run(9.0, &cover()).scene, Scene::Covered);
    let report = street.run(9.0, &[bag()]);
    assert_eq!((report.scene, report.regions.len()), (Scene::Clear, 1), "{report:?}");

    let elsewhere = || -> Vec<Thing> {
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
    assert_eq!(street.look(&[]).scene, Scene::Clear, "new noise is life");
    // A counter that runs in the corner is life enough.
    for k in 0..150u8 {
        let mut luma = still.clone();
        luma[W + 3] = k;
        assert_eq!(street.feed(&luma).scene, Scene::Clear);
    }
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
    assert_eq!(street.look(&[]).scene, Scene::Clear);
}

#[test]
fn shine_of_a_lamp_is_no_thing_but_what_is_set_down_afterwards_is() {
    let mut street = Street::learnt();
    let shine = || vec![block(30, 8, 8, 10, 190.0), block(110, 35, 5, 14, 180.0)];
    street.light = (0.6, 0.0);
    for _ in 0..40 {
        let report = street.look(&shine());
        assert!(report.regions.is_empty(), "{report:?}");
    }
    let mut things = shine();
    things.push(bag());
    assert_eq!(street.run(2.0, &things).regions.len(), 1);
}

#[test]
fn a_cloth_drawn_over_the_lens_under_a_burnt_in_clock_is_a_cover_and_no_light() {
    let mut street = Street::new(GateConfig::default());
    let clock = || -> Thing {
        Box::new(|x, y| (y < 4 && x < 44).then(|| if (x / 3 + y / 2) % 2 == 0 { 250.0 } else { 5.0 }))
    };
    street.run(6.0, &[clock()]);
    for k in 0..6 {
        let edge = k * 18;
        street.look(&[Box::new(move |x, y| (y < edge).then_some(45.0 + x as f32 * 0.05)), clock()]);
    }
    let cloth = || -> Thing { Box::new(|x, _| Some(45.0 + x as f32 * 0.05)) };
    let report = street.run(9.0, &[cloth(), clock()]);
    assert_eq!((report.scene, report.regions.len()), (Scene::Covered, 0), "{report:?}");
    let report = street.run(9.0, &[clock()]);
    assert_eq!((report.scene, report.regions.len()), (Scene::Clear, 0), "{report:?}");
}
