//! What is an incident, and what is none.

use expect_test::{Expect, expect};

use super::street::*;
use kerbside_domain::detection::Group;
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::Kind;
use kerbside_site::config::Rule;

/// What is said of it, why, and in which order.
fn check(rule: Rule, play: impl FnOnce(&mut Street), story: Expect) {
    let mut street = street(rule);
    play(&mut street);
    story.assert_eq(&street.story());
}

/// And when, for how long, how sure: where the figures are the point.
fn check_figures(rule: Rule, play: impl FnOnce(&mut Street), figures: Expect) {
    let mut street = street(rule);
    play(&mut street);
    figures.assert_eq(&street.figures());
}

fn waste() -> Rule {
    rule(&[Kind::WasteExposed])
}

fn all_kinds() -> Rule {
    rule(&Kind::SEEN)
}

#[test]
fn a_bag_left_by_a_walker() {
    check_figures(
        waste(),
        |street| {
            street.walker("ann", 0.1, 0.08);
            street.run(4.0);
            street.walk("ann", 0.0);
            street.put_bag(0.46);
            street.run(3.0);
            street.walk("ann", 0.08);
            street.run(40.0);
            street.answer();
            street.take("bag");
            street.run(20.0);
            street.answer();
            street.run(5.0);
        },
        expect![[r#"
            16.0 pin 60..200 (tenths)
            16.0 cam1 watch required
            36.5 opened r1: waste.exposed in_progress 0.83, dwell 22.5, count 1, at x 0.46, evidence 0+4
            36.5 save r1 before@120 clip 60..200 (tenths)
            57.0 evidence r2: waste.exposed in_progress 0.83, dwell 43, count 1, at x 0.46, evidence 4+0
            67.0 cleared r3: waste.exposed in_progress 0.83, dwell 43, count 1, at x 0.46, evidence 0+1
            67.0 save r3 (tenths)
            67.0 cam1 watch optional
            77.0 evidence r4: waste.exposed in_progress 0.83, dwell 43, count 1, at x 0.46, evidence 1+0
        "#]],
    );
}

#[test]
fn a_bag_that_nobody_was_seen_to_leave() {
    check(
        waste(),
        |street| {
            street.put_bag(0.4);
            street.run(30.0);
        },
        expect![[r#"
            pin
            cam1 watch required
            review
            opened r1: waste.exposed found_after
            save r1
        "#]],
    );
}

#[test]
fn a_bag_whose_owner_waits_beside_it_and_then_leaves() {
    check_figures(
        waste(),
        |street| {
            street.walker("ann", 0.38, 0.0);
            street.put_bag(0.4);
            street.run(30.0);
            street.walk("ann", 0.1);
            street.run(40.0);
        },
        expect![[r#"
            12.0 pin 20..160 (tenths)
            12.0 cam1 watch required
            13.0 cam1 watch optional
            49.0 cam1 watch required
            61.5 opened r1: waste.exposed in_progress 0.83, dwell 51.5, count 1, at x 0.40, evidence 0+4
            61.5 save r1 before@80 clip 20..160 (tenths)
        "#]],
    );
}

#[test]
fn a_car_parks_and_leaves() {
    check(
        all_kinds(),
        |street| {
            street.car("car", 0.3);
            street.run(120.0);
            street.walk("car", 0.2);
            street.run(30.0);
        },
        expect![[r#"
            pin
            cam1 watch required
            cam1 watch optional
            unpin
        "#]],
    );
}

/// The gate sees the ground that a car uncovered, which stood there before the camera began.
#[test]
fn a_parked_car_drives_off_and_bare_ground_is_no_waste() {
    check(
        all_kinds(),
        |street| {
            street.put_known("car", Group::Vehicle, BBox { x: 0.3, y: 0.5, w: 0.25, h: 0.2 }, false);
            street.run(20.0);
            street.walk("car", 0.2);
            street.put("ground", 0.3, 0.5, 0.25, 0.2);
            street.run(120.0);
        },
        expect![[r#"
            pin
            cam1 watch required
            cam1 watch optional
            unpin
        "#]],
    );
}

#[test]
fn bare_ground_that_the_gate_recognises_is_nothing() {
    check(
        all_kinds(),
        |street| {
            street.bare_ground(0.3, 0.5, 0.05, 0.05);
            street.run(120.0);
        },
        expect![[r#"
            pin
            cam1 watch required
            cam1 watch optional
            unpin
        "#]],
    );
}

#[test]
fn people_wait_for_a_bus() {
    check(
        all_kinds(),
        |street| {
            street.stander("ann", 0.3);
            street.stander("bob", 0.4);
            street.stander("eve", 0.47);
            street.run(180.0);
            street.walk("ann", 0.1);
            street.walk("bob", 0.1);
            street.walk("eve", 0.1);
            street.run(30.0);
        },
        expect![[r#"
            pin
            pin
            pin
            cam1 watch required
            cam1 watch optional
            unpin
            unpin
            unpin
        "#]],
    );
}

#[test]
fn a_stall_with_a_vendor_and_customers() {
    check_figures(
        all_kinds(),
        |street| {
            street.put("table", 0.4, 0.6, 0.15, 0.12);
            street.put("crates", 0.58, 0.64, 0.06, 0.08);
            street.walker("vendor", 0.44, 0.0);
            street.run(15.0);
            street.walker("customer", 0.36, 0.0);
            street.run(6.0);
            street.take("customer");
            street.run(20.0);
        },
        expect![[r#"
            12.0 pin 20..160 (tenths)
            12.0 pin 20..160 (tenths)
            12.0 cam1 watch required
            13.0 unpin
            30.0 opened r1: stall.occupying in_progress 0.79, dwell 20, count 2, at x 0.40, evidence 0+4
            30.0 save r1 before@80 clip 20..160 (tenths)
        "#]],
    );
}

#[test]
fn one_who_waits_with_his_long_shade_is_no_vendor_until_a_customer_comes() {
    check(
        rule(&[Kind::StallOccupying]),
        |street| {
            street.put_long_shade(0.4);
            street.walker("somebody", 0.4, 0.0);
            street.run(50.0);
            street.walker("customer", 0.36, 0.0);
            street.run(5.0);
        },
        expect![[r#"
            pin
            cam1 watch required
            opened r1: stall.occupying in_progress
            save r1
        "#]],
    );
}

#[test]
fn goods_that_nobody_attends_are_reported_as_such_when_the_rule_does_not_name_waste() {
    check_figures(
        rule(&[Kind::StallOccupying, Kind::PileGoods]),
        |street| {
            street.put("crates", 0.4, 0.6, 0.1, 0.1);
            street.run(70.0);
        },
        expect![[r#"
            12.0 pin 20..160 (tenths)
            12.0 cam1 watch required
            13.0 review 40..130 (tenths)
            70.0 opened r1: pile.goods found_after 0.50, dwell 60, count 1, at x 0.40, evidence 0+4
            70.0 save r1 before@80 clip 20..160 (tenths)
        "#]],
    );
}

#[test]
fn goods_before_a_shop() {
    let mut settings = settings(vec![camera(0, vec![rule(&[Kind::ShopfrontOverflow])])]);
    settings.cameras[0].zones[0].frontage = true;
    let mut street = Street::new(settings);
    street.put("rack", 0.4, 0.5, 0.1, 0.2);
    street.run(30.0);
    expect![[r#"
        12.0 pin 20..160 (tenths)
        12.0 cam1 watch required
        13.0 review 40..130 (tenths)
        30.0 opened r1: shopfront.overflow 0.55, dwell 20, count 1, at x 0.40, evidence 0+4
        30.0 save r1 before@80 clip 20..160 (tenths)
    "#]]
    .assert_eq(&street.figures());
}

#[test]
fn a_tricycle_with_a_vendor_sells_and_without_visitors_it_parks() {
    let tricycle = BBox { x: 0.4, y: 0.5, w: 0.12, h: 0.2 };
    check_figures(
        all_kinds(),
        |street| {
            street.put_known("tricycle", Group::Vehicle, tricycle, true);
            street.walker("vendor", 0.53, 0.0);
            street.run(30.0);
            for customer in ["ann", "bob", "eve"] {
                street.walker(customer, 0.33, 0.0);
                street.run(5.0);
                street.take(customer);
                street.run(12.0);
            }
        },
        expect![[r#"
            12.0 pin 20..160 (tenths)
            12.0 cam1 watch required
            13.0 cam1 watch optional
            61.0 opened r1: stall.mobile_vendor in_progress 0.60, dwell 51, count 1, at x 0.40, evidence 0+4
            61.0 save r1 before@80 clip 20..160 (tenths)
            61.0 cam1 watch required
        "#]],
    );
}

/// After a restart the background holds the bag already: only the waste detector can tell.
#[test]
fn waste_that_the_detector_names_needs_no_region() {
    check_figures(
        waste(),
        |street| {
            street.put_known("garbage", Group::Waste, BBox { x: 0.4, y: 0.6, w: 0.08, h: 0.08 }, false);
            street.run(30.0);
            street.take("garbage");
            street.run(20.0);
        },
        expect![[r#"
            12.5 pin 25..165 (tenths)
            12.5 cam1 watch required
            13.5 review 45..135 (tenths)
            30.5 opened r1: waste.exposed found_after 0.80, dwell 20, count 1, at x 0.40, evidence 0+4
            30.5 save r1 before@85 clip 25..165 (tenths)
            50.0 cleared r2: waste.exposed found_after 0.80, dwell 29.5, count 1, at x 0.40, evidence 0+1
            50.0 save r2 (tenths)
            50.0 cam1 watch optional
        "#]],
    );
}

#[test]
fn outside_its_hours_nothing_and_with_a_permit_nothing_until_it_ends() {
    let closed = Rule { schedule: vec![hours(12, 14)], ..waste() };
    check_figures(
        closed,
        |street| {
            street.put_bag(0.4);
            street.run(60.0);
        },
        expect![[r#"
            12.0 pin 20..160 (tenths)
            12.0 cam1 watch required
            13.0 review 40..130 (tenths)
        "#]],
    );
    // The street begins at 10:00; the permit ends at 11:00.
    let permitted = Rule { permits: vec![permit(6, 11)], ..waste() };
    check_figures(
        permitted,
        |street| {
            street.put_bag(0.4);
            street.run(3600.0);
        },
        expect![[r#"
            12.0 pin 20..160 (tenths)
            12.0 cam1 watch required
            13.0 review 40..130 (tenths)
            3600.0 opened r1: waste.exposed found_after 0.68, dwell 3590, count 1, at x 0.40, evidence 0+4
            3600.0 save r1 before@80 clip 20..160 (tenths)
        "#]],
    );
}

#[test]
fn too_small_outside_the_zone_or_never_the_same_is_nothing() {
    check(
        waste(),
        |street| {
            street.put("butt", 0.4, 0.6, 0.01, 0.01);
            street.put("bird", 0.4, 0.1, 0.05, 0.05);
            street.run(60.0);
        },
        expect![[r#"
            pin
        "#]],
    );
}

/// The old speck makes the bag beside it no older.
#[test]
fn a_bag_beside_an_old_speck_has_its_own_dwell() {
    check_figures(
        waste(),
        |street| {
            street.put("speck", 0.43, 0.66, 0.015, 0.015);
            street.run(100.0);
            street.put_bag(0.4);
            street.run(25.0);
        },
        expect![[r#"
            12.0 pin 20..160 (tenths)
            112.0 pin 1020..1160 (tenths)
            112.0 cam1 watch required
            113.0 unpin
            113.0 review 1040..1130 (tenths)
            130.0 opened r1: waste.exposed found_after 0.68, dwell 20, count 2, at x 0.40, evidence 0+4
            130.0 save r1 before@1080 clip 1020..1160 (tenths)
        "#]],
    );
}

/// The ground that something uncovered lends its time to nobody who sets something down there.
#[test]
fn a_bag_on_uncovered_ground_has_its_own_dwell() {
    let mut street = street(waste());
    street.bare_ground(0.4, 0.66, 0.04, 0.04);
    street.run(60.0);
    street.take("ground");
    street.put_bag(0.4);
    street.run(15.0);
    assert_eq!(street.core.open_incidents().count(), 0);
    street.run(10.0);
    assert_eq!(street.core.open_incidents().count(), 1);
}

#[test]
fn without_the_detector_a_region_is_no_incident() {
    check(
        waste(),
        |street| {
            street.detects = false;
            street.put_bag(0.4);
            street.run(60.0);
        },
        expect![[r#"
            pin
            cam1 watch required
        "#]],
    );
}

#[test]
fn why_nothing_was_said_is_counted_once_a_thing() {
    let mut street = street(Rule { schedule: vec![hours(12, 14)], ..waste() });
    street.put_bag(0.4);
    street.car("car", 0.6);
    street.run(60.0);
    let refused: Vec<String> = street
        .core
        .counters()
        .refusals
        .iter()
        .map(|((rule, why), n)| format!("{rule} {} {n}", why.as_str()))
        .collect();
    expect!["r outside_schedule 2"].assert_eq(&refused.join(", "));
}

#[test]
fn a_close_up_tells_a_full_bin_from_one_in_order_and_from_a_bag() {
    let close_up = |label: &'static str, group: Group, story: Expect| {
        check(
            rule(&[Kind::BinOverflow, Kind::WasteExposed]),
            |street| {
                street.put("thing", 0.4, 0.6, 0.06, 0.1);
                street.close_up("thing", (label, group, 0.8));
                street.run(30.0);
            },
            story,
        );
    };
    close_up(
        "overflow",
        Group::Waste,
        expect![[r#"
            pin
            cam1 watch required
            review
            opened r1: bin.overflow
            save r1
        "#]],
    );
    close_up(
        "bin",
        Group::Bin,
        expect![[r#"
            pin
            cam1 watch required
            review
        "#]],
    );
    close_up(
        "garbage",
        Group::Waste,
        expect![[r#"
            pin
            cam1 watch required
            review
            opened r1: waste.exposed found_after
            save r1
        "#]],
    );
}

#[test]
fn a_review_shows_who_left_it_before_the_report_and_after() {
    check_figures(
        waste(),
        |street| {
            street.put_bag(0.4);
            street.run(10.0);
            street.answer_review(Some(("person", Group::Person)), None);
            street.run(20.0);
        },
        expect![[r#"
            12.0 pin 20..160 (tenths)
            12.0 cam1 watch required
            13.0 review 40..130 (tenths)
            30.0 opened r1: waste.exposed in_progress 0.83, dwell 20, count 1, at x 0.40, evidence 0+4
            30.0 save r1 before@80 clip 20..160 (tenths)
        "#]],
    );
    check_figures(
        waste(),
        |street| {
            street.put_bag(0.4);
            street.run(30.0);
            street.answer_review(Some(("car", Group::Vehicle)), None);
        },
        expect![[r#"
            12.0 pin 20..160 (tenths)
            12.0 cam1 watch required
            13.0 review 40..130 (tenths)
            30.0 opened r1: waste.exposed found_after 0.68, dwell 20, count 1, at x 0.40, evidence 0+4
            30.0 save r1 before@80 clip 20..160 (tenths)
            40.0 review r2: waste.exposed in_progress 0.68, dwell 30, count 1, at x 0.40, evidence 0+0
        "#]],
    );
}

#[test]
fn a_review_that_fails_changes_nothing_and_is_reported() {
    let mut street = street(waste());
    street.put_bag(0.4);
    street.run(10.0);
    street.answer_review(None, Some("the ring holds nothing of it"));
    street.run(20.0);
    let report = street.report();
    assert_eq!(report.act, Some(kerbside_domain::kind::Act::FoundAfter));
    let answer = report.reasons.iter().find(|r| r.0 == "looked_back").map(|r| r.1.clone());
    assert_eq!(answer, Some("not possible: the ring holds nothing of it".into()));
}

/// The site file is read again while a bag stands there: it is judged by the rule in force, and a zone that is gone reports nothing.
#[test]
fn zones_and_rules_that_change_count_from_then_on() {
    let opened = |street: &mut Street| street.story().matches("opened r1").count();
    let mut street = street(Rule { dwell_s: 10_000.0, ..waste() });
    street.run(5.0);
    street.put_bag(0.46);
    street.run(60.0);
    assert_eq!(opened(&mut street), 0, "not long enough by the old rule");
    let camera = street.core.settings.cameras[0].clone();
    let ruled = |dwell_s: f64| {
        let mut zones = camera.zones.clone();
        zones[0].rules[0].dwell_s = dwell_s;
        zones
    };
    street.core.set_zones(camera.ix, ruled(20.0));
    street.run(10.0);
    assert_eq!(opened(&mut street), 1, "long enough by the new one");
    street.core.set_zones(camera.ix, Vec::new());
    street.put("bag2", 0.2, 0.8, 0.04, 0.04);
    street.run(60.0);
    assert_eq!(opened(&mut street), 0, "nobody asks for anything any more");
}
