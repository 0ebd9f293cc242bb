//! Sensors: their conditions, incidents on their word, their say in rules.

use std::sync::Arc;

use expect_test::expect;

use super::street::*;
use crate::incident::*;
use kerbside_domain::case::CaseState;
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::kind::Kind;
use kerbside_domain::reading::Reading;
use kerbside_domain::report::{Cause, IncidentState};
use kerbside_site::config::{Comparison, Rule, Sensor, SensorKind, SensorView, With, WithMode};

fn sensor(id: &str, kind: SensorKind, unit: &str) -> Sensor {
    Sensor { alarm_for_s: 4.0, repeat_s: 100.0, ..Sensor::on_topic(id, kind, unit, "t") }
}

fn bin() -> Sensor {
    let bbox = Some(BBox { x: 0.4, y: 0.6, w: 0.1, h: 0.1 });
    Sensor {
        alarm_above: Some(85.0),
        clear_below: Some(75.0),
        view: Some(SensorView { camera: CameraIx(0), bbox }),
        ..sensor("bin-1", SensorKind::BinLevel, "%")
    }
}

fn button() -> Sensor {
    sensor("help-1", SensorKind::CallButton, "1")
}

fn with(mode: WithMode) -> Rule {
    let (sensor, comparison, value, for_s) = ("bin-1".to_owned(), Comparison::Above, 85.0, 20.0);
    Rule { with: Some(With { sensor, comparison, value, mode, for_s }), ..rule(&[Kind::WasteExposed]) }
}

fn street_with(rule: Rule, sensors: Vec<Sensor>) -> Street {
    let mut settings = settings(vec![camera(0, vec![rule])]);
    settings.sensors = sensors;
    Street::new(settings)
}

fn reading(street: &Street, sensor: &str, value: f64, suspicious: Option<&str>) -> Reading {
    let at = street.moment();
    let (sensor, unit) = (Arc::from(sensor), "%".into());
    Reading { sensor, phenomenon: at, arrived: at, value, unit, suspicious: suspicious.map(str::to_owned) }
}

/// It reads this, and some seconds pass.
fn say(street: &mut Street, sensor: &str, value: f64, seconds: f64) {
    let reading = reading(street, sensor, value, None);
    street.step(Input::Reading(reading));
    street.run(seconds);
}

fn press(street: &mut Street, seconds: f64) {
    let reading = reading(street, "help-1", 1.0, None);
    street.step(Input::Press(reading));
    street.run(seconds);
}

#[test]
fn an_alarm_is_one_incident_however_often_the_level_swings_and_ends_below_the_lower_limit() {
    let mut street = street_with(rule(&[Kind::WasteExposed]), vec![bin()]);
    for value in [90.0, 86.0, 84.0, 88.0, 80.0, 90.0, 76.0, 99.0, 75.0, 86.0] {
        say(&mut street, "bin-1", value, 3.0);
    }
    say(&mut street, "bin-1", 60.0, 6.0);
    // Full again within the repeat interval: the same incident.
    say(&mut street, "bin-1", 95.0, 6.0);
    say(&mut street, "bin-1", 10.0, 6.0);
    expect![[r#"
        14.0 alarm bin-1 true at 86
        14.0 opened r1: bin.overflow 0.90, dwell 4, count 1, at x 0.40, evidence 0+3
        14.0 save r1 clip 20..160 (tenths)
        44.0 alarm bin-1 false at 60
        44.0 cleared r2: bin.overflow 0.90, dwell 34, count 1, at x 0.40, evidence 0+1
        44.0 save r2 (tenths)
        50.0 alarm bin-1 true at 95
        50.0 reappeared r3: bin.overflow 0.90, dwell 4, count 1, at x 0.40, evidence 0+3
        50.0 save r3 clip 380..520 (tenths)
        56.0 alarm bin-1 false at 10
        56.0 cleared r4: bin.overflow 0.90, dwell 10, count 1, at x 0.40, evidence 0+1
        56.0 save r4 (tenths)
    "#]]
    .assert_eq(&street.figures());
    let report = street.report();
    let witness = report.sensor.as_ref().expect("a sensor");
    assert_eq!((witness.id.as_str(), witness.value, report.state), ("bin-1", 10.0, IncidentState::Cleared));
}

#[test]
fn a_call_pressed_many_times_is_one_with_a_count_and_never_continues_an_ended_case() {
    let mut street = street_with(rule(&[Kind::WasteExposed]), vec![button()]);
    press(&mut street, 5.0);
    press(&mut street, 5.0);
    press(&mut street, 5.0);
    let call = street.report().clone();
    assert_eq!((call.count, call.revision, call.kind, call.cause), (3, 3, Kind::CallHelp, Cause::Pressed));
    assert_eq!((call.camera, call.zone.as_str()), (CameraIx::NONE, ""));
    street.case(&call.incident_id, CaseState::Closed);
    press(&mut street, 5.0);
    let next = street.report().clone();
    assert_ne!(next.incident_id, call.incident_id);
    assert_eq!((next.count, next.previous.as_deref()), (1, Some(call.incident_id.as_str())));
    // Nobody presses for the repeat interval: that call is over, and what comes then is another.
    street.run(101.0);
    assert_eq!((street.report().state, street.report().cause), (IncidentState::Cleared, Cause::SensorQuiet));
    press(&mut street, 1.0);
    assert_ne!(street.report().incident_id, next.incident_id);
    assert!(street.requests.is_empty(), "no camera sees the button");
    expect![[r#"
        opened r1: call.help
        pressed r2: call.help
        pressed r3: call.help
        cleared r4: call.help
        opened r1: call.help
        cleared r2: call.help
        opened r1: call.help
    "#]]
    .assert_eq(&street.story());
}

#[test]
fn silent_stuck_and_implausible_sensors_are_told_once_and_that_they_are_well_again() {
    let noise =
        Sensor { max_age_s: 40.0, stuck_after_s: 100.0, ..sensor("noise-1", SensorKind::Noise, "dB") };
    let mut street = street_with(rule(&[Kind::WasteExposed]), vec![noise, button()]);
    // Never heard of: silent only after as long as one that was.
    street.idle(60.0);
    for value in [50.0, 51.0, 50.0] {
        say(&mut street, "noise-1", value, 20.0);
    }
    street.idle(60.0);
    for _ in 0..9 {
        say(&mut street, "noise-1", 50.0, 20.0);
    }
    say(&mut street, "noise-1", 50.1, 35.0);
    let doubted = reading(&street, "noise-1", 500.0, Some("out_of_range"));
    street.step(Input::Reading(doubted));
    street.idle(5.0);
    say(&mut street, "noise-1", 52.0, 35.0);
    expect![[r#"
        42.0 sensor noise-1 silent
        72.0 sensor noise-1 fresh at 50
        151.0 sensor noise-1 silent at 50
        190.0 sensor noise-1 fresh at 50
        220.0 sensor noise-1 stuck at 50
        370.0 sensor noise-1 fresh at 50.1
        405.0 sensor noise-1 implausible at 50.1
        435.0 sensor noise-1 fresh at 52
    "#]]
    .assert_eq(&street.figures());
}

#[test]
fn both_reports_only_while_picture_and_sensor_agree_and_says_why_not() {
    let mut street = street_with(with(WithMode::Both), vec![bin()]);
    street.put_bag(0.2);
    street.run(40.0);
    assert_eq!(refusals(&street), [(RefusalKind::SensorUnknown, 1)], "it never read");
    say(&mut street, "bin-1", 40.0, 10.0);
    assert_eq!(refusals(&street), [(RefusalKind::SensorDisagrees, 1), (RefusalKind::SensorUnknown, 1)]);
    assert!(street.reports().is_empty());
    say(&mut street, "bin-1", 90.0, 2.0);
    assert_eq!((street.report().kind, street.report().sensor.as_ref()), (Kind::WasteExposed, None));
}

fn refusals(street: &Street) -> Vec<(RefusalKind, u64)> {
    street.core.counters().refusals.iter().map(|((_, refusal), n)| (*refusal, *n)).collect()
}

#[test]
fn either_reports_what_one_of_them_says_and_once() {
    let quiet = Sensor { alarm_above: None, clear_below: None, ..bin() };
    let mut street = street_with(with(WithMode::Either), vec![quiet.clone()]);
    // The sensor alone, for the dwell of the rule.
    for _ in 0..5 {
        say(&mut street, "bin-1", 90.0, 5.0);
    }
    let of_sensor = street.report().clone();
    assert_eq!(
        (of_sensor.zone.as_str(), of_sensor.rule.as_str(), of_sensor.cause),
        ("walk", "r", Cause::Sensor)
    );
    // Then the picture too.
    street.put_bag(0.2);
    say(&mut street, "bin-1", 91.0, 40.0);
    assert_eq!(refusals(&street), [(RefusalKind::AlreadyReported, 1)]);
    // The sensor says that it is over; the bag is there still.
    say(&mut street, "bin-1", 20.0, 14.0);
    let after: Vec<_> =
        street.reports().iter().map(|r| (r.cause, r.incident_id == of_sensor.incident_id)).collect();
    assert_eq!(after, [(Cause::Sensor, true), (Cause::SensorQuiet, true), (Cause::Dwell, false)]);

    // The picture alone; then the sensor says the same, and it stays one.
    let mut street = street_with(with(WithMode::Either), vec![quiet]);
    street.put_bag(0.2);
    street.run(40.0);
    for _ in 0..6 {
        say(&mut street, "bin-1", 90.0, 5.0);
    }
    assert_eq!(street.reports().len(), 1);
}

#[test]
fn faster_watches_more_closely_while_the_sensor_says_so_and_a_while_after() {
    let mut street = street_with(with(WithMode::Faster), vec![bin()]);
    let quiet = |street: &mut Street, value| say(street, "bin-1", value, 5.0);
    quiet(&mut street, 50.0);
    quiet(&mut street, 86.0);
    quiet(&mut street, 50.0);
    street.run(30.0);
    let told: Vec<bool> = street
        .effects
        .iter()
        .filter_map(|e| match e {
            Effect::WatchFaster { required, .. } => Some(*required),
            _ => None,
        })
        .collect();
    assert_eq!(told, [true, false]);
}

#[test]
fn an_alarm_outlives_a_restart_and_ends_after_it() {
    let mut street = street_with(rule(&[Kind::WasteExposed]), vec![bin(), button()]);
    say(&mut street, "bin-1", 90.0, 6.0);
    press(&mut street, 1.0);
    let opened: Vec<_> = street.reports().iter().map(|r| r.incident_id.clone()).collect();
    street.restart(10.0);
    press(&mut street, 1.0);
    assert_eq!((street.report().count, &street.report().incident_id), (2, &opened[1]));
    say(&mut street, "bin-1", 91.0, 6.0);
    assert_eq!(street.reports().len(), 3, "the alarm goes on and is no news");
    say(&mut street, "bin-1", 20.0, 6.0);
    assert_eq!((street.report().state, &street.report().incident_id), (IncidentState::Cleared, &opened[0]));
}

#[test]
fn looking_again_asks_the_sensor_and_a_silent_one_knows_nothing() {
    let mut street = street_with(rule(&[Kind::WasteExposed]), vec![Sensor { max_age_s: 60.0, ..bin() }]);
    say(&mut street, "bin-1", 90.0, 6.0);
    let id = street.report().incident_id.clone();
    let recheck = |street: &mut Street, n: u32| {
        let (incident_id, command_id) = (id.clone(), format!("c{n}"));
        street.step(Input::Recheck { incident_id, command_id });
    };
    recheck(&mut street, 1);
    street.case(&id, CaseState::Disposed);
    street.idle(70.0);
    recheck(&mut street, 2);
    say(&mut street, "bin-1", 20.0, 6.0);
    recheck(&mut street, 3);
    let answers: Vec<String> =
        street.story().lines().filter(|l| l.starts_with("recheck")).map(str::to_owned).collect();
    expect![[r#"
        recheck r2: Persisting, sensor_says_so, ["c1"]
        recheck r3: Persisting, sensor_says_so, []
        recheck r4: Unobservable, sensor_silent, ["c2"]
        recheck r6: Cleared, sensor_says_so, ["c3"]"#]]
    .assert_eq(&answers.join("\n"));
}

#[test]
fn a_rule_that_changes_while_the_box_runs_asks_from_then_on() {
    let mut street = street_with(rule(&[Kind::WasteExposed]), vec![bin()]);
    let mut zones = street.settings.cameras[0].zones.clone();
    zones[0].rules = vec![with(WithMode::Both)];
    street.core.set_zones(CameraIx(0), zones);
    say(&mut street, "bin-1", 40.0, 0.0);
    street.put_bag(0.2);
    street.run(40.0);
    assert!(street.reports().is_empty());
    assert_eq!(refusals(&street), [(RefusalKind::SensorDisagrees, 1)]);
}

/// Seen: each end of its case made another incident of the same word at once.
#[test]
fn what_a_sensor_says_is_one_incident_also_after_its_case_has_ended() {
    let quiet = Sensor { alarm_above: None, clear_below: None, ..bin() };
    for (rule, sensor) in [(with(WithMode::Either), quiet), (rule(&[Kind::WasteExposed]), bin())] {
        let mut street = street_with(rule, vec![sensor]);
        for _ in 0..6 {
            say(&mut street, "bin-1", 90.0, 5.0);
        }
        let id = street.report().incident_id.clone();
        street.case(&id, CaseState::Closed);
        for _ in 0..6 {
            say(&mut street, "bin-1", 91.0, 10.0);
        }
        assert_eq!(street.reports().len(), 1, "{:?}", street.reports());
        assert_eq!(street.core.open_incidents().count(), 1, "the sensor says so");
        for _ in 0..6 {
            say(&mut street, "bin-1", 20.0, 5.0);
        }
        assert_eq!((street.report().state, &street.report().incident_id), (IncidentState::Cleared, &id));
        // What comes then is another one.
        for _ in 0..6 {
            say(&mut street, "bin-1", 92.0, 5.0);
        }
        assert_eq!(street.report().previous.as_ref(), Some(&id));
        assert_eq!(street.core.open_incidents().count(), 1);
    }
}

#[test]
fn two_rules_that_take_the_same_word_keep_their_incidents_apart() {
    let quiet = Sensor { alarm_above: None, clear_below: None, ..bin() };
    let either = |id: &str| Rule { id: id.into(), ..with(WithMode::Either) };
    let mut settings = settings(vec![camera(0, vec![either("a"), either("b")])]);
    settings.sensors = vec![quiet];
    let mut street = Street::new(settings);
    let steps = [90.0, 20.0, 91.0, 20.0, 92.0];
    for value in steps {
        for _ in 0..6 {
            say(&mut street, "bin-1", value, 5.0);
        }
    }
    let mut open: Vec<&str> = street.core.open_incidents().map(|r| r.rule.as_str()).collect();
    open.sort_unstable();
    assert_eq!(open, ["a", "b"]);
    assert_eq!(street.core.counters().opened, 2, "the same two again and again");
}

#[test]
fn what_a_sensor_said_in_a_rule_that_the_site_has_no_longer_is_withdrawn() {
    let quiet = Sensor { alarm_above: None, clear_below: None, ..bin() };
    let mut street = street_with(with(WithMode::Either), vec![quiet]);
    for _ in 0..6 {
        say(&mut street, "bin-1", 90.0, 5.0);
    }
    assert_eq!(street.core.open_incidents().count(), 1);
    let mut zones = street.settings.cameras[0].zones.clone();
    zones[0].rules = vec![rule(&[Kind::WasteExposed])];
    street.core.set_zones(CameraIx(0), zones);
    street.run(2.0);
    assert_eq!(street.core.open_incidents().count(), 0);
    assert_eq!(street.report().state, IncidentState::Withdrawn);
}
