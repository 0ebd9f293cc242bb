//! The patrol report: when all is well, and every reason for which nobody may say so.

use std::sync::Arc;

use expect_test::expect;

use super::street::*;
use crate::gate::Scene;
use crate::incident::*;
use kerbside_domain::camera_state::{CameraState, Off};
use kerbside_domain::case::{CaseState, CaseUpdate};
use kerbside_domain::frame::CameraIx;
use kerbside_domain::kind::Kind;
use kerbside_domain::patrol::{PatrolReport, PatrolVerdict};
use kerbside_domain::reading::{Reading, SensorCondition};
use kerbside_domain::time::ClockQuality;
use kerbside_site::config::{Sensor, SensorKind};

fn patrolled(sensors: Vec<Sensor>) -> Street {
    let mut settings = settings(vec![camera(0, vec![rule(&[Kind::WasteExposed])])]);
    settings.patrol.period_s = 60.0;
    settings.sensors = sensors;
    Street::new(settings)
}

fn smoke() -> Sensor {
    Sensor {
        max_age_s: 40.0,
        alarm_above: Some(50.0),
        alarm_for_s: 0.0,
        ..Sensor::on_topic("smoke-1", SensorKind::Smoke, "ppm", "t")
    }
}

fn read(street: &mut Street, value: f64, suspicious: Option<&str>) {
    let at = street.moment();
    street.step(Input::Reading(Reading {
        sensor: Arc::from("smoke-1"),
        phenomenon: at,
        arrived: at,
        value,
        unit: "ppm".into(),
        suspicious: suspicious.map(str::to_owned),
    }));
}

/// The reports since the last call: time, verdict, reasons.
fn reports(street: &mut Street) -> String {
    let all = street.figures();
    let lines = all.lines().filter(|l| l.contains("patrol"));
    let short = lines.map(|l| l.split_once("[[").map_or(l, |(head, _)| head.trim_end()).to_owned() + "\n");
    short.collect()
}

fn last(street: &Street) -> PatrolReport {
    let last = street.effects.iter().rev().find_map(|effect| match effect {
        Effect::Patrol(report) => Some(report.clone()),
        _ => None,
    });
    last.expect("a patrol report")
}

/// A quarter of a minute before a report until a quarter after it, then on to the next one: what is set before it holds at it.
fn over_a_report(street: &mut Street, value: Option<f64>) -> String {
    for _ in 0..2 {
        if let Some(value) = value {
            read(street, value, None);
        }
        street.run(10.0);
    }
    reports(street)
}

#[test]
fn every_doubt_is_named_at_the_end_of_its_period() {
    let mut street = patrolled(vec![smoke()]);
    let calm = |street: &mut Street| {
        for _ in 0..4 {
            read(street, 10.0, None);
            street.run(10.0);
        }
    };
    calm(&mut street);
    expect!["60.5 patrol all_well open 0 cleared 0:\n"].assert_eq(&over_a_report(&mut street, Some(10.0)));
    calm(&mut street);
    let alarm = "120.5 patrol degraded open 1 cleared 0: sensor_alarm smoke-1;\n";
    assert_eq!(over_a_report(&mut street, Some(82.0)), alarm);
    calm(&mut street);
    read(&mut street, 10.0, None);
    read(&mut street, 999.0, Some("out_of_range"));
    let implausible = "180.5 patrol degraded open 0 cleared 0: sensor_implausible smoke-1 10.5;\n";
    assert_eq!(over_a_report(&mut street, None), implausible);
    street.run(40.0);
    let silent = "240.5 patrol degraded open 0 cleared 0: sensor_silent smoke-1 70.5;\n";
    assert_eq!(over_a_report(&mut street, None), silent);
    assert_eq!(last(&street).sensors[0].condition, SensorCondition::Silent);
    calm(&mut street);
    street.set_clock(TEN_MS, ClockQuality::None);
    let unvouched = "300.5 patrol degraded open 0 cleared 0: clock_unvouched;\n";
    assert_eq!(over_a_report(&mut street, Some(10.0)), unvouched);
    street.set_clock(TEN_MS, ClockQuality::Ntp);
    calm(&mut street);
    let well = "360.5 patrol all_well open 0 cleared 0:\n";
    assert_eq!(over_a_report(&mut street, Some(10.0)), well);
    assert_eq!(last(&street).sensors[0].condition, SensorCondition::Fresh);
}

#[test]
fn frames_that_nobody_analysed_are_a_doubt_and_few_frames_of_a_slow_camera_are_none() {
    let mut street = patrolled(vec![]);
    street.run(51.0);
    let well = |at: &str| format!("{at} patrol all_well open 0 cleared 0:\n");
    let lost = |at: &str| format!("{at} patrol degraded open 0 cleared 0: frames_not_analysed cam1;\n");
    assert_eq!(reports(&mut street), well("60.5"));
    // The detector's slot loses every second frame: the numbers of the frames tell.
    for _ in 0..120 {
        street.lose_frame();
        street.run(0.5);
    }
    assert_eq!(reports(&mut street), lost("120.5"));
    // The detector gives nothing for the frames that it is shown.
    street.detects = false;
    street.run(60.0);
    assert_eq!(reports(&mut street), lost("180.5"));
    street.detects = true;
    // Every second second without a frame: too few for a camera of two a second, more than enough where key frames are due.
    for (due_per_s, expected) in [(2.0, lost("240.5")), (0.25, well("300.5"))] {
        street.due_per_s = due_per_s;
        for _ in 0..30 {
            street.idle(1.0);
            street.run(1.0);
        }
        assert_eq!(reports(&mut street), expected);
    }
}

#[test]
fn a_camera_that_is_blind_or_off_at_the_end_is_a_doubt_however_well_it_saw_before() {
    let mut street = patrolled(vec![]);
    street.run(45.0);
    street.scene = Scene::Covered;
    street.run(7.0);
    let first = last(&street);
    assert_eq!(first.verdict, PatrolVerdict::Degraded);
    assert!(first.cameras[0].watched_s >= 0.9 * 60.0, "{first:?}");
    street.scene = Scene::Clear;
    street.run(57.0);
    let at = street.moment();
    street.step(Input::Camera { camera: CameraIx(0), at, state: CameraState::Off(Off::Paused) });
    street.idle(5.0);
    expect![[r#"
        60.5 patrol degraded open 0 cleared 0: camera_blind cam1 covered 2;
        121.0 patrol degraded open 0 cleared 0: camera_paused cam1 paused 2; not_swept cam1;
    "#]]
    .assert_eq(&reports(&mut street));
}

#[test]
fn a_command_gives_the_running_period_at_once_and_it_goes_on() {
    let mut street = patrolled(vec![]);
    street.run(20.0);
    street.step(Input::Patrol { command_id: "c-1".into() });
    let ordered = last(&street);
    assert_eq!(
        (ordered.commands.as_slice(), ordered.verdict),
        (&["c-1".to_owned()][..], PatrolVerdict::AllWell)
    );
    street.scene = Scene::Covered;
    street.run(5.0);
    street.step(Input::Patrol { command_id: "c-2".into() });
    assert_eq!(last(&street).verdict, PatrolVerdict::Degraded);
    street.scene = Scene::Clear;
    street.run(30.0);
    let regular = last(&street);
    assert!(regular.commands.is_empty() && regular.to.mono.since_s(regular.from.mono) >= 60.0);
    assert!(regular.cameras[0].blind_s > 0.0, "what a command reported still counts");
}

#[test]
fn what_somebody_was_sent_to_did_not_clear_by_itself() {
    let mut street = patrolled(vec![]);
    let mut cleared = Vec::new();
    for state in [None, Some(CaseState::Filed), Some(CaseState::Dispatched)] {
        street.put_bag(0.4);
        street.run(60.0);
        let incident_id = street.report().incident_id.clone();
        if let Some(state) = state.clone() {
            let update = CaseUpdate { incident_id, case_no: None, state, reason: None, signed_by: None };
            street.step(Input::Case(update));
        }
        street.take("bag");
        street.run(15.0);
        street.step(Input::Patrol { command_id: "c".into() });
        cleared.push(last(&street).cleared.len());
        // The next one is another incident.
        street.run(200.0);
    }
    assert_eq!(cleared, [1, 1, 0]);
}

#[test]
fn what_came_back_is_not_cleared() {
    let mut street = patrolled(vec![]);
    street.put_bag(0.4);
    street.run(40.0);
    street.take("bag");
    street.run(15.0);
    street.put_bag(0.4);
    street.run(30.0);
    street.step(Input::Patrol { command_id: "c".into() });
    let report = last(&street);
    assert_eq!((report.open.len(), report.cleared.len()), (1, 0));
}
