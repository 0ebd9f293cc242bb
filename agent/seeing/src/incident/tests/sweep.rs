//! The sweep: what lay there before anybody watched is found, once, and nothing else is.

use super::street::*;
use crate::gate::Scene;
use crate::incident::*;
use kerbside_domain::camera_state::{CameraState, Off};
use kerbside_domain::case::{CaseState, CaseUpdate};
use kerbside_domain::detection::Group;
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::kind::{Act, Kind};
use kerbside_domain::patrol::{DoubtReason, PatrolReport};
use kerbside_domain::report::{Phase, RecheckResult};

const BAG: BBox = BBox { x: 0.4, y: 0.6, w: 0.05, h: 0.05 };
const GARBAGE: (&str, Group, f32) = ("garbage", Group::Waste, 0.4);

/// A street whose camera has just learnt its background, with nothing swept yet.
fn waking() -> Street {
    let mut settings = settings(vec![camera(0, vec![rule(&[Kind::WasteExposed, Kind::StallOccupying])])]);
    settings.patrol.period_s = 30.0;
    let mut street = Street::new(settings);
    street.sweeps = true;
    learns_anew(&mut street);
    street
}

fn learns_anew(street: &mut Street) {
    street.scene = Scene::Learning;
    street.run(3.0);
    street.scene = Scene::Clear;
    street.run(1.0);
    street.story();
}

/// What was opened since the last call.
fn opened(street: &mut Street) -> Vec<String> {
    street
        .story()
        .lines()
        .filter(|l| l.contains("found_after") && l.contains(" r1:"))
        .map(str::to_owned)
        .collect()
}

fn patrol(street: &mut Street) -> PatrolReport {
    street.step(Input::Patrol { command_id: "c".into() });
    let last = street.effects.iter().rev().find_map(|effect| match effect {
        Effect::Patrol(report) => Some(report.clone()),
        _ => None,
    });
    last.expect("a patrol report")
}

fn is_swept(street: &mut Street) -> bool {
    !patrol(street).why.iter().any(|doubt| doubt.reason == DoubtReason::NotSwept)
}

#[test]
fn what_lay_there_is_found_after_a_minute_and_until_then_nobody_says_that_all_is_well() {
    let mut street = waking();
    street.lies_there("bag", BAG, GARBAGE);
    street.run(55.0);
    assert!(opened(&mut street).is_empty() && !is_swept(&mut street));
    street.run(65.0);
    assert_eq!(opened(&mut street), ["opened r1: waste.exposed found_after"]);
    assert!(is_swept(&mut street));
    let report = street.report();
    assert_eq!((report.act, report.confidence, report.bbox), (Some(Act::FoundAfter), 0.4, BAG));
    assert_eq!(report.objects[0].label.as_ref(), "garbage");
    assert!((55.0..120.0).contains(&report.dwell_s), "{}", report.dwell_s);
}

#[test]
fn an_empty_street_gives_nothing_and_is_swept_within_two_minutes() {
    let mut street = waking();
    street.run(120.0);
    assert!(opened(&mut street).is_empty() && is_swept(&mut street));
    // Where only key frames come, each carries more parts.
    learns_anew(&mut street);
    for _ in 0..60 {
        street.idle(1.0);
        street.run(1.0);
    }
    assert!(is_swept(&mut street));
}

#[test]
fn nobody_is_swept_away_who_passes_and_a_weak_word_is_none() {
    let mut street = waking();
    for n in 0..12 {
        // Something that looks like rubbish is carried past.
        street.lies_there("carried", BBox { x: 0.07 * n as f32, ..BAG }, GARBAGE);
        street.run(10.0);
        street.take("carried");
    }
    assert!(opened(&mut street).is_empty());
    let mut street = waking();
    street.lies_there("shade", BAG, ("garbage", Group::Waste, 0.2));
    street.run(120.0);
    assert!(opened(&mut street).is_empty() && is_swept(&mut street));
}

#[test]
fn the_next_sweeps_find_the_same_thing_no_second_time_also_when_its_case_is_ended() {
    let mut street = waking();
    street.lies_there("bag", BAG, GARBAGE);
    street.run(2.2 * 3600.0);
    assert_eq!(opened(&mut street).len(), 1);
    let (incident_id, state) = (street.report().incident_id.clone(), CaseState::NotFiled);
    let update = CaseUpdate { incident_id, case_no: None, state, reason: None, signed_by: None };
    street.step(Input::Case(update));
    street.run(1.1 * 3600.0);
    assert!(opened(&mut street).is_empty(), "the place is known");
    // It is taken away; an hour later something else lies there.
    street.take("bag");
    street.run(1.1 * 3600.0);
    street.lies_there("another", BAG, GARBAGE);
    street.run(1.1 * 3600.0);
    assert_eq!(opened(&mut street).len(), 1);
}

#[test]
fn what_has_an_incident_or_is_watched_already_is_not_found_again() {
    let mut street = waking();
    street.put_bag(0.4);
    let at = BBox { x: 0.4, y: 0.66, w: 0.04, h: 0.04 };
    street.lies_there("the same", at, GARBAGE);
    street.run(200.0);
    assert_eq!(opened(&mut street).len(), 1);
    // After a restart the background holds it; its incident is known.
    street.restart(10.0);
    street.take("bag");
    learns_anew(&mut street);
    street.run(200.0);
    assert!(opened(&mut street).is_empty());
    assert!(is_swept(&mut street));
}

#[test]
fn a_stall_is_found_when_somebody_is_with_it_and_a_bin_in_order_never() {
    let stall = BBox { x: 0.3, y: 0.5, w: 0.15, h: 0.2 };
    let mut street = waking();
    street.lies_there("stall", stall, ("stall", Group::Stall, 0.8));
    street.lies_there("bin", BBox { x: 0.7, ..BAG }, ("bin", Group::Bin, 0.9));
    street.run(200.0);
    assert!(opened(&mut street).is_empty());
    street.walker("vendor", 0.46, 0.0);
    learns_anew(&mut street);
    street.run(200.0);
    assert_eq!(opened(&mut street), ["opened r1: stall.occupying found_after"]);
}

#[test]
fn what_was_found_is_cleared_when_its_place_is_seen_uncovered() {
    let mut street = waking();
    street.lies_there("bag", BAG, GARBAGE);
    street.run(120.0);
    assert_eq!(opened(&mut street).len(), 1);
    street.take("bag");
    street.run(60.0);
    assert_eq!(street.core.open_incidents().count(), 1, "that the network is silent proves nothing");
    street.bare_ground(BAG.x, BAG.y, BAG.w, BAG.h);
    street.run(60.0);
    assert_eq!(street.report().phase, Phase::Cleared);
}

#[test]
fn a_recheck_of_what_was_found_is_answered_by_a_look() {
    let mut street = waking();
    street.lies_there("bag", BAG, GARBAGE);
    street.run(120.0);
    let incident_id = street.report().incident_id.clone();
    street.step(Input::Recheck { incident_id, command_id: "c1".into() });
    street.run(50.0);
    let recheck = street.report().recheck.clone().expect("an answer");
    assert_eq!((recheck.result, recheck.why.as_str()), (RecheckResult::Persisting, "seen_there"));
}

#[test]
fn looks_that_do_not_come_are_wanted_again_and_a_camera_that_nobody_shows_is_not_swept() {
    let mut street = waking();
    street.sweeps = false;
    street.run(300.0);
    assert!(!is_swept(&mut street));
    street.sweeps = true;
    street.run(150.0);
    assert!(is_swept(&mut street));
    for state in [CameraState::Off(Off::Paused), CameraState::Watching] {
        let at = street.moment();
        street.step(Input::Camera { camera: CameraIx(0), at, state });
        street.run(1.0);
    }
    assert!(!is_swept(&mut street), "somebody may have put something there meanwhile");
    street.run(150.0);
    assert!(is_swept(&mut street));
    assert!(opened(&mut street).is_empty());
}
