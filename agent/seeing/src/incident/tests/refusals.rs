//! What is said of things that are no incident: each with thing, time, place, rule, and value against threshold.

use expect_test::{Expect, expect};

use super::street::*;
use crate::gate::Scene;
use crate::incident::refusal::{Fate, text};
use crate::incident::*;
use kerbside_domain::detection::Group;
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::kind::Kind;
use kerbside_domain::lang::Lang;
use kerbside_site::config::{Hours, Rule};

fn waste() -> Rule {
    rule(&[Kind::WasteExposed])
}

/// What was said last of each thing and rule, and that what is said of the end is said once.
fn check(rule: Rule, play: impl FnOnce(&mut Street), told: Expect) {
    let mut street = street(rule);
    play(&mut street);
    told.assert_eq(&told_of(&street));
}

fn told_of(street: &Street) -> String {
    let line = |r: &&Refusal| {
        let (from_s, to_s) = (r.from.mono.0 as f64 / 1e6, r.to.mono.0 as f64 / 1e6);
        let why = text::why(Lang::En, &r.why);
        let (thing, fate) = (text::thing(Lang::En, &r.thing), text::fate(Lang::En, &r.fate));
        let at = (r.thing.bbox.x, r.thing.bbox.y);
        format!(
            "cam{} {}/{} {thing} at {:.2},{:.2} {from_s:.1}-{to_s:.1} s, {fate}: {why}\n",
            r.camera.0 + 1,
            r.zone,
            r.rule,
            at.0,
            at.1
        )
    };
    street.refusals().iter().map(line).collect()
}

#[test]
fn what_leaves_before_its_dwell_says_how_far_it_came() {
    check(
        Rule { dwell_s: 50.0, ..waste() },
        |street| {
            street.put_bag(0.4);
            street.run(48.0);
            street.take("bag");
            street.run(30.0);
        },
        expect![[r#"
            cam1 walk/r thing at 0.40,0.66 10.0-58.0 s, gone: gone or changed before its dwell: stood 48 of 50 s
        "#]],
    );
}

/// One who stops for a moment, a speck that the rule calls too small, and what leaves at once are not told of.
#[test]
fn what_nobody_asks_about_is_not_told() {
    check(
        Rule { dwell_s: 60.0, ..waste() },
        |street| {
            street.stander("somebody", 0.2);
            street.put_bag(0.5);
            street.put("speck", 0.7, 0.7, 0.01, 0.01);
            street.run(5.5);
            street.take("bag");
            street.run(18.0);
            street.take("somebody");
            street.take("speck");
            street.run(130.0);
        },
        expect![""],
    );
}

#[test]
fn a_parked_car_has_one_entry_that_ends_when_it_leaves() {
    let mut street = street(rule(&[Kind::WasteExposed, Kind::StallMobileVendor]));
    street.car("car", 0.4);
    street.run(60.0);
    assert!(street.refusals().iter().all(|r| r.fate == Fate::Standing));
    street.take("car");
    // Its track is believed to be hidden for a while.
    street.run(130.0);
    expect![[r#"
        cam1 walk/r vehicle at 0.40,0.50 10.0-70.0 s, gone: a vehicle that nobody sells from: a vehicle's own box for 58 s, at most 10 s; for a mobile vendor: somebody with it 0.00 of 0.50 of the time
    "#]]
    .assert_eq(&told_of(&street));
    let of_car = street.effects.iter().filter(|e| matches!(e, Effect::Refused(_))).count();
    assert_eq!(of_car, 2, "when it is refused, and when it leaves");
}

#[test]
fn hours_and_permits_are_named() {
    check(
        Rule { schedule: vec![hours(12, 14)], ..waste() },
        |street| {
            street.put_bag(0.4);
            street.run(30.0);
        },
        expect![[r#"
            cam1 walk/r thing at 0.40,0.66 10.0-30.0 s, still there: outside schedule 12:00-14:00
        "#]],
    );
    check(
        Rule { permits: vec![permit(9, 12)], ..waste() },
        |street| {
            street.put_bag(0.4);
            street.run(30.0);
        },
        expect![[r#"
            cam1 walk/r thing at 0.40,0.66 10.0-30.0 s, still there: permitted by permit market (09:00-12:00)
        "#]],
    );
}

#[test]
fn each_kind_of_the_rule_says_what_is_missing() {
    check(
        rule(&[Kind::StallOccupying, Kind::PileGoods, Kind::BinOverflow]),
        |street| {
            street.put("table", 0.4, 0.6, 0.12, 0.1);
            street.run(30.0);
        },
        expect![[r#"
            cam1 walk/r thing at 0.40,0.60 10.0-30.0 s, still there: no kind of the rule fits: for a stall: somebody with it 0.00 of 0.50 of the time; for a full bin: full-bin score 0.00 of 0.50; for piled goods: stood 20 of 60 s
        "#]],
    );
    check(
        rule(&[Kind::WasteExposed]),
        |street| {
            street.put_known("bin", Group::Bin, BBox { x: 0.4, y: 0.6, w: 0.05, h: 0.1 }, true);
            street.run(30.0);
        },
        expect![[r#"
            cam1 walk/r bin at 0.40,0.60 10.0-30.0 s, still there: a bin in order: bin score 0.80, at most 0.50
        "#]],
    );
    check(
        Rule { min_area_norm: 0.01, ..waste() },
        |street| {
            street.put_bag(0.4);
            street.run(30.0);
        },
        expect![[r#"
            cam1 walk/r thing at 0.40,0.66 10.0-30.0 s, still there: smaller than the rule asks: 0.0013 of 0.0100 of the picture
        "#]],
    );
}

/// Refused before the rule's hours, and an incident when they begin: the entry says which.
#[test]
fn what_is_reported_after_all_says_so() {
    let from_min = 10 * 60 + 1;
    let mut street = street(Rule { schedule: vec![Hours { from_min, ..hours(10, 12) }], ..waste() });
    street.put_bag(0.4);
    street.run(40.0);
    assert!(street.refusals().iter().all(|r| r.fate == Fate::Standing));
    street.run(40.0);
    let opened = street.core.open_incidents().map(|r| r.incident_id.clone()).next();
    let bag = street.refusals().into_iter().find(|r| matches!(r.fate, Fate::Reported { .. }));
    let told = bag.map(|r| r.fate.clone());
    assert_eq!(told, opened.map(|incident_id| Fate::Reported { incident_id }), "{}", told_of(&street));
    assert!(told.is_some());
}

#[test]
fn a_camera_that_loses_sight_and_a_detector_that_does_not_look_are_named() {
    check(
        waste(),
        |street| {
            street.put_bag(0.4);
            street.run(15.0);
            street.scene = Scene::Moved;
            street.run(10.0);
        },
        expect![[r#"
            cam1 walk/r thing at 0.40,0.66 10.0-25.0 s, lost sight of: the camera lost sight of the street before its dwell: stood 15 of 20 s
        "#]],
    );
    check(
        waste(),
        |street| {
            street.detects = false;
            street.put_bag(0.4);
            street.run(60.0);
            street.take("bag");
            street.run(10.0);
        },
        expect![[r#"
            cam1 walk/r thing at 0.40,0.66 10.0-70.0 s, gone: the detector was hardly shown it: 0 of 3 frames analysed
        "#]],
    );
}

#[test]
fn what_stands_now_says_how_far_each_rule_is() {
    let mut street = street(waste());
    street.put_bag(0.4);
    street.car("car", 0.6);
    street.run(15.0);
    let lines = |street: &Street| -> String {
        let line = |s: Standing| {
            let rule = &s.rules[0];
            let why = rule.why.as_ref().map(|why| format!(" {}", text::short(why))).unwrap_or_default();
            let dwell = text::check(Lang::En, &rule.dwell);
            let reported = if s.incident_id.is_some() { " reported" } else { "" };
            format!("{:.2} {}/{} {dwell}{reported}{why}\n", s.bbox.x, rule.zone, rule.rule)
        };
        street.core.standing(CameraIx(0)).into_iter().map(line).collect()
    };
    expect![[r#"
        0.40 walk/r stood 15 of 20 s
        0.60 walk/r stood 15 of 20 s
    "#]]
    .assert_eq(&lines(&street));
    street.run(15.0);
    expect![[r#"
        0.40 walk/r stood 30 of 20 s reported
        0.60 walk/r stood 30 of 20 s vehicle 28 > 10
    "#]]
    .assert_eq(&lines(&street));
}
