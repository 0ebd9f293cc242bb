//! `due_at` of a receipt: the place is looked at again when its case is due.

use super::street::*;
use crate::incident::*;
use kerbside_domain::case::{CaseState, CaseUpdate, Receipt, ReceiptResult};
use kerbside_domain::kind::Kind;
use kerbside_domain::reading::Reading;
use kerbside_domain::report::{Phase, RecheckResult};
use kerbside_domain::time::{ClockQuality, rfc3339};
use kerbside_site::config::{Sensor, SensorKind};

/// A street with a bag that was reported.
fn with_bag() -> Street {
    let mut street = street(rule(&[Kind::WasteExposed]));
    street.put_bag(0.4);
    street.run(40.0);
    street
}

/// The centre says that the case is due so many seconds from now.
fn due_in(street: &mut Street, s: f64) {
    let id = format!("{}.0001", street.report().incident_id);
    let due_at = Some(rfc3339(street.moment().wall_ms + (s * 1000.0) as i64, 8 * 3600));
    receipt(street, id, due_at);
}

fn receipt(street: &mut Street, id: String, due_at: Option<String>) {
    let (result, case_no, reason, signed_by) = (ReceiptResult::Accepted, Some("C-7".into()), None, None);
    street.step(Input::Receipt(Receipt { id, result, case_no, due_at, reason, signed_by }));
}

/// When rechecks were answered, s, and how.
fn answers(street: &Street) -> Vec<(f64, RecheckResult)> {
    let reports = street.effects.iter().filter_map(|effect| match effect {
        Effect::Report(report) if report.phase == Phase::Recheck => Some(report),
        _ => None,
    });
    reports.filter_map(|r| Some((r.at.mono.0 as f64 / 1e6, r.recheck.as_ref()?.result))).collect()
}

#[test]
fn what_stands_there_when_its_case_is_due_persists_and_nobody_looks_before_or_twice() {
    let mut street = with_bag();
    due_in(&mut street, 100.0);
    street.run(99.0);
    assert_eq!(answers(&street), []);
    street.run(10.0);
    let [(at_s, RecheckResult::Persisting)] = answers(&street)[..] else { panic!("{:?}", answers(&street)) };
    assert!((150.0..155.0).contains(&at_s), "{at_s}");
    due_in(&mut street, -5.0);
    let due_again = street.core.snapshot()[0].case.clone();
    assert_ne!(due_again.due_at, due_again.due_looked, "another time is another look");
    street.run(60.0);
    assert_eq!(answers(&street).len(), 2);
    street.run(600.0);
    assert_eq!(answers(&street).len(), 2);
}

#[test]
fn what_went_before_is_cleared_when_its_case_is_due_however_long_ago_it_went() {
    let mut street = with_bag();
    due_in(&mut street, 3000.0);
    street.take("bag");
    street.run(2990.0);
    assert_eq!(answers(&street), []);
    street.run(40.0);
    assert!(matches!(answers(&street)[..], [(_, RecheckResult::Cleared)]), "{:?}", answers(&street));
    street.run(700.0);
    assert!(street.core.snapshot().is_empty(), "and then it is forgotten");
}

#[test]
fn a_camera_that_sees_nothing_then_says_so() {
    let mut street = with_bag();
    due_in(&mut street, 20.0);
    street.scene = crate::gate::Scene::Covered;
    street.run(80.0);
    assert!(matches!(answers(&street)[..], [(_, RecheckResult::Unobservable)]), "{:?}", answers(&street));
}

#[test]
fn a_restart_forgets_no_due_time_and_no_look_that_was_begun() {
    let mut street = with_bag();
    due_in(&mut street, 300.0);
    street.restart(100.0);
    street.run(60.0);
    assert_eq!(answers(&street), []);
    street.run(200.0);
    let after = answers(&street);
    assert_eq!(after.len(), 1, "{after:?}");
    // Due while the box was off: it looks as soon as it is back.
    due_in(&mut street, 30.0);
    street.restart(1000.0);
    street.run(60.0);
    assert_eq!(answers(&street).len(), 2);
    // Begun, and not answered before the box was killed.
    due_in(&mut street, 2.0);
    street.scene = crate::gate::Scene::Covered;
    street.run(5.0);
    street.restart(1.0);
    street.scene = crate::gate::Scene::Clear;
    street.run(60.0);
    assert_eq!(answers(&street).len(), 3);
}

#[test]
fn a_clock_that_nobody_vouches_for_is_never_due_and_neither_is_an_ended_case_or_a_word() {
    let mut street = with_bag();
    due_in(&mut street, 10.0);
    street.set_clock(TEN_MS, ClockQuality::None);
    street.run(60.0);
    assert_eq!(answers(&street), []);
    let (incident_id, state) = (street.report().incident_id.clone(), CaseState::Closed);
    let closed = CaseUpdate { incident_id, case_no: None, state, reason: None, signed_by: None };
    street.step(Input::Case(closed));
    street.set_clock(TEN_MS, ClockQuality::Ntp);
    street.run(60.0);
    assert_eq!(answers(&street), []);

    let mut street = with_bag();
    let id = format!("{}.0001", street.report().incident_id);
    receipt(&mut street, id, Some("tomorrow".into()));
    street.run(600.0);
    assert_eq!(answers(&street), []);
}

#[test]
fn more_cases_than_can_be_looked_at_at_once_take_turns_and_each_gets_its_answer() {
    let mut street = street(rule(&[Kind::WasteExposed]));
    for n in 0..20 {
        street.put("bag", 0.02 + 0.048 * n as f32, 0.66, 0.014, 0.06);
    }
    street.run(40.0);
    let ids: Vec<String> = street.core.open_incidents().map(|r| r.incident_id.clone()).collect();
    assert_eq!(ids.len(), 20);
    let due_at = Some(rfc3339(street.moment().wall_ms + 5000, 8 * 3600));
    for id in &ids {
        receipt(&mut street, format!("{id}.0001"), due_at.clone());
    }
    street.run(60.0);
    let all = answers(&street);
    assert!(all.len() == 20 && all.iter().all(|a| a.1 == RecheckResult::Persisting), "{all:?}");
}

/// Of a sensor's incident the sensor is asked, once.
#[test]
fn what_stands_on_a_sensors_word_is_asked_about_when_its_case_is_due() {
    let mut settings = settings(vec![camera(0, vec![rule(&[Kind::WasteExposed])])]);
    let alarm_above = Some(85.0);
    settings.sensors = vec![Sensor {
        alarm_above,
        alarm_for_s: 4.0,
        ..Sensor::on_topic("bin-1", SensorKind::BinLevel, "%", "t")
    }];
    let mut street = Street::new(settings);
    let says = |street: &mut Street, value: f64| {
        let (at, sensor, unit) = (street.moment(), "bin-1".into(), "%".into());
        let reading = Reading { sensor, phenomenon: at, arrived: at, value, unit, suspicious: None };
        street.step(Input::Reading(reading));
        street.run(30.0);
    };
    says(&mut street, 90.0);
    assert_eq!(street.reports().len(), 1);
    due_in(&mut street, 100.0);
    street.run(95.0);
    assert_eq!(answers(&street), []);
    street.run(100.0);
    assert!(matches!(answers(&street)[..], [(_, RecheckResult::Persisting)]), "{:?}", answers(&street));
    due_in(&mut street, 20.0);
    says(&mut street, 10.0);
    street.run(100.0);
    let all: Vec<RecheckResult> = answers(&street).into_iter().map(|a| a.1).collect();
    assert_eq!(all, [RecheckResult::Persisting, RecheckResult::Cleared]);
}
