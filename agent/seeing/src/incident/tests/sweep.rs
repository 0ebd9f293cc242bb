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
use kerbside_domain::reading::Reading;
use kerbside_domain::report::{Cause, IncidentState, Phase, RecheckResult};
use kerbside_site::config::{Comparison, Rule, Sensor, SensorKind, WarnFirst, With, WithMode};

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

/// A street that wakes with a rule, and a bag that lies there.
fn waking_by(rule: Rule) -> Street {
    let mut street = Street::new(settings(vec![camera(0, vec![rule])]));
    street.sweeps = true;
    learns_anew(&mut street);
    street.lies_there("bag", BAG, GARBAGE);
    street
}

/// The looks are over long before the dwell is.
#[test]
fn what_lies_there_for_a_dwell_of_minutes_is_found_when_it_has_lain_so_long() {
    for dwell_s in [150.0, 600.0, 5000.0] {
        let mut street = waking_by(Rule { dwell_s, ..rule(&[Kind::WasteExposed]) });
        street.run(dwell_s - 5.0);
        assert!(opened(&mut street).is_empty(), "{dwell_s}");
        street.run(60.0);
        assert_eq!(opened(&mut street), ["opened r1: waste.exposed found_after"], "{dwell_s}");
        assert!(street.report().dwell_s >= dwell_s);
        street.run(7300.0);
        assert!(opened(&mut street).is_empty(), "{dwell_s}: once");
    }
}

#[test]
fn what_was_taken_away_before_its_dwell_is_not_found() {
    let mut street = waking_by(Rule { dwell_s: 600.0, ..rule(&[Kind::WasteExposed]) });
    street.run(580.0);
    street.take("bag");
    street.run(4000.0);
    assert!(opened(&mut street).is_empty());
    // What is put there later has its own dwell.
    street.lies_there("another", BAG, GARBAGE);
    street.run(4000.0);
    assert_eq!(opened(&mut street).len(), 1);
    assert!(street.report().dwell_s < 700.0, "{}", street.report().dwell_s);
}

#[test]
fn what_lies_there_outside_the_hours_of_its_rule_is_found_when_they_begin() {
    let mut street = waking_by(Rule { schedule: vec![hours(11, 12)], ..rule(&[Kind::WasteExposed]) });
    street.run(3500.0);
    assert!(opened(&mut street).is_empty());
    street.run(200.0);
    assert_eq!(opened(&mut street).len(), 1);
}

#[test]
fn what_is_looked_at_again_later_is_not_counted_while_somebody_stands_before_it() {
    let mut street = waking_by(Rule { dwell_s: 600.0, ..rule(&[Kind::WasteExposed]) });
    street.run(500.0);
    street.add_mover("van", BBox { x: 0.35, y: 0.5, w: 0.25, h: 0.25 });
    street.run(900.0);
    assert!(opened(&mut street).is_empty(), "nobody sees whether it lies there");
    street.take("van");
    // A parked vehicle is believed to stand there for a while.
    street.run(150.0);
    assert_eq!(opened(&mut street).len(), 1);
}

#[test]
fn a_place_that_stays_hidden_holds_up_no_sweep() {
    let mut street = waking_by(rule(&[Kind::WasteExposed]));
    street.run(20.0);
    street.add_mover("van", BBox { x: 0.35, y: 0.5, w: 0.25, h: 0.25 });
    street.run(400.0);
    assert!(is_swept(&mut street) && opened(&mut street).is_empty());
    street.take("van");
    street.run(3700.0);
    assert_eq!(opened(&mut street).len(), 1, "the next sweep sees it");
}

#[test]
fn no_part_is_wanted_twice_at_once() {
    let mut street = waking_by(rule(&[Kind::WasteExposed, Kind::StallOccupying]));
    // So large that it has one and the same tile at every scale; and in a corner.
    let stall = BBox { x: 0.82, y: 0.7, w: 0.18, h: 0.3 };
    street.lies_there("stall", stall, ("stall", Group::Stall, 0.8));
    street.run(150.0);
    let incident_id = street.report().incident_id.clone();
    street.step(Input::Recheck { incident_id, command_id: "c1".into() });
    street.run(60.0);
    let mut asked = 0;
    for effect in &street.effects {
        let Effect::Sweep { parts, .. } = effect else { continue };
        asked += 1;
        for (n, part) in parts.iter().enumerate() {
            assert!(!parts[..n].contains(part), "{parts:?}");
        }
    }
    assert!(asked > 100, "{asked}");
}

#[test]
fn a_sensor_has_its_say_about_what_was_found_too() {
    let with = With {
        sensor: "bin-1".into(),
        comparison: Comparison::Above,
        value: 85.0,
        mode: WithMode::Both,
        for_s: 20.0,
    };
    let mut settings =
        settings(vec![camera(0, vec![Rule { with: Some(with), ..rule(&[Kind::WasteExposed]) }])]);
    settings.sensors = vec![Sensor::on_topic("bin-1", SensorKind::BinLevel, "%", "t")];
    let mut street = Street::new(settings);
    street.sweeps = true;
    learns_anew(&mut street);
    street.lies_there("bag", BAG, GARBAGE);
    street.run(200.0);
    assert!(opened(&mut street).is_empty());
    let at = street.moment();
    let (sensor, unit) = ("bin-1".into(), "%".into());
    street.step(Input::Reading(Reading {
        sensor,
        phenomenon: at,
        arrived: at,
        value: 90.0,
        unit,
        suspicious: None,
    }));
    street.run(60.0);
    assert_eq!(opened(&mut street).len(), 1);
}

/// Serve first, then manage: also what lay there before.
#[test]
fn who_is_found_is_warned_before_a_case_is_made_and_who_goes_then_has_settled_it() {
    let warn = WarnFirst { after_s: 20.0, wait_s: 120.0, by: vec!["speaker".into()], quiet: Vec::new() };
    let warning = Rule { warn: Some(warn), ..rule(&[Kind::WasteExposed]) };
    let mut street = waking_by(warning.clone());
    street.run(120.0);
    assert_eq!(street.story(), "warn by speaker\n");
    street.answer_warning(true);
    street.run(160.0);
    let report = street.report();
    assert_eq!((report.phase, report.act), (Phase::Opened, Some(Act::FoundAfter)));
    assert!(report.reasons.contains(&("warning".to_owned(), "spoken".into())), "{:?}", report.reasons);
    // The case is open: what goes then is cleared, and never settled by the warning as well.
    street.take("bag");
    street.run(4000.0);
    let phases: Vec<_> = street.reports().iter().map(|report| report.phase).collect();
    assert!(!phases.contains(&Phase::Settled), "{phases:?}");

    // A loudspeaker that answers late answers for the incident.
    let mut street = waking_by(warning.clone());
    street.run(280.0);
    street.answer_warning(true);
    street.run(10.0);
    let of_incident = street.core.open_incidents().map(|report| report.reasons.clone()).collect::<Vec<_>>();
    assert!(
        of_incident.iter().flatten().any(|r| *r == ("warning".to_owned(), "spoken".into())),
        "{of_incident:?}"
    );

    let mut street = waking_by(warning);
    street.run(120.0);
    street.take("bag");
    street.run(200.0);
    let reports = street.reports();
    let [settled] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!((settled.phase, settled.state), (Phase::Settled, IncidentState::Settled));
    assert!(settled.last_seen.mono < settled.at.mono);
}

#[test]
fn what_was_cleared_before_a_restart_and_lies_there_after_it_is_the_same_again() {
    let mut street =
        Street::new(settings(vec![camera(0, vec![Rule { repeat_s: 600.0, ..rule(&[Kind::WasteExposed]) }])]));
    street.sweeps = true;
    street.put("bag", BAG.x, BAG.y, BAG.w, BAG.h);
    street.run(40.0);
    let id = street.report().incident_id.clone();
    street.take("bag");
    street.run(30.0);
    street.restart(10.0);
    street.lies_there("bag", BAG, GARBAGE);
    learns_anew(&mut street);
    street.run(200.0);
    let report = street.report();
    assert_eq!((report.cause, report.state), (Cause::Reappeared, IncidentState::Open));
    assert_eq!(report.incident_id, id);
    assert_eq!(street.core.open_incidents().count(), 1);
}

#[test]
fn what_was_nothing_gives_way_to_what_is_something() {
    let mut street = waking();
    // More specks than can be in question at once: each is suspected, and dismissed.
    for n in 0..60 {
        let at =
            BBox { x: 0.03 + 0.045 * (n % 20) as f32, y: 0.35 + 0.06 * (n / 20) as f32, w: 0.025, h: 0.03 };
        street.lies_there("speck", at, ("garbage", Group::Waste, 0.16));
    }
    street.run(1500.0);
    assert!(opened(&mut street).is_empty() && is_swept(&mut street));
    street.lies_there("bag", BBox { y: 0.8, ..BAG }, GARBAGE);
    street.run(4000.0);
    assert_eq!(opened(&mut street).len(), 1);
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
