//! What comes back after the centre has ended its case is a new incident that names the one before.

use super::street::*;
use crate::incident::*;
use kerbside_domain::case::CaseState;
use kerbside_domain::kind::Kind;
use kerbside_domain::report::{Cause, IncidentState, Phase, RecheckResult, Report};

const ENDS: [CaseState; 4] =
    [CaseState::Closed, CaseState::Voided, CaseState::NotFiled, CaseState::FollowedUp];

/// A street with a reported bag, and the incident's id.
fn with_bag() -> (Street, String) {
    let mut street = street(rule(&[Kind::WasteExposed]));
    street.put_bag(0.4);
    street.run(25.0);
    street.answer();
    let id = street.report().incident_id.clone();
    (street, id)
}

/// The bag is fetched, and the incident cleared.
fn fetched(street: &mut Street) {
    street.take("bag");
    street.run(15.0);
    street.answer();
}

/// Another bag at the same place. Returns the reports about it.
fn comes_back(street: &mut Street) -> Vec<Report> {
    let before = street.reports().len();
    street.put_bag(0.41);
    street.run(30.0);
    street.reports().split_off(before)
}

/// One new incident after the one that ended.
fn assert_new(reports: &[Report], ended: &str, why: &str) {
    let [opened] = reports else { panic!("{why}: {reports:?}") };
    assert_ne!(opened.incident_id, ended, "{why}");
    assert_eq!((opened.phase, opened.revision), (Phase::Opened, 1), "{why}");
    assert_eq!(opened.previous.as_deref(), Some(ended), "{why}");
    assert_eq!(opened.started, opened.first_seen, "{why}");
}

#[test]
fn what_comes_back_after_the_end_of_the_case_is_new() {
    for end in ENDS {
        let (mut street, id) = with_bag();
        fetched(&mut street);
        street.case(&id, end.clone());
        assert_new(&comes_back(&mut street), &id, end.as_str());
    }
}

#[test]
fn what_comes_back_before_the_end_is_the_same() {
    for state in [CaseState::Filed, CaseState::Disposed, CaseState::Other("shelved".into())] {
        let (mut street, id) = with_bag();
        fetched(&mut street);
        street.case(&id, state);
        let reports = comes_back(&mut street);
        let again = reports.iter().find(|r| r.cause == Cause::Reappeared).expect("the same again");
        assert_eq!((again.incident_id.as_str(), again.previous.as_deref()), (id.as_str(), None));
    }
}

#[test]
fn a_case_that_was_reopened_goes_on() {
    let (mut street, id) = with_bag();
    fetched(&mut street);
    street.case(&id, CaseState::Closed);
    street.case(&id, CaseState::Reopened);
    let reports = comes_back(&mut street);
    assert_eq!(reports.last().map(|r| (r.cause, &r.incident_id)), Some((Cause::Reappeared, &id)));
}

#[test]
fn a_case_that_ends_while_the_next_thing_waits_for_its_dwell_is_not_continued() {
    let (mut street, id) = with_bag();
    fetched(&mut street);
    street.put_bag(0.41);
    street.run(10.0);
    street.case(&id, CaseState::Closed);
    let before = street.reports().len();
    street.run(20.0);
    assert_new(&street.reports().split_off(before), &id, "under its dwell");
}

#[test]
fn the_end_of_a_case_survives_a_restart() {
    for ends_before in [true, false] {
        let (mut street, id) = with_bag();
        fetched(&mut street);
        if ends_before {
            street.case(&id, CaseState::Voided);
        }
        street.restart(20.0);
        if !ends_before {
            street.case(&id, CaseState::Voided);
        }
        street.run(10.0);
        assert_new(&comes_back(&mut street), &id, "restarted");
    }
}

/// It stands there, whatever the centre says: the box says so while it does, and begins anew with what comes after it.
#[test]
fn a_case_that_ends_while_the_thing_stands_there_stays_open_until_it_is_gone() {
    for end in ENDS {
        let (mut street, id) = with_bag();
        let before = street.reports().len();
        street.case(&id, end.clone());
        street.run(100.0);
        assert_eq!(street.reports().len(), before, "{}: nothing new", end.as_str());
        assert_eq!(street.core.open_incidents().count(), 1);
        fetched(&mut street);
        let cleared = street.reports().split_off(before).remove(0);
        assert_eq!((cleared.incident_id.as_str(), cleared.state), (id.as_str(), IncidentState::Cleared));
        assert_new(&comes_back(&mut street), &id, end.as_str());
    }
}

#[test]
fn what_stands_there_still_when_it_is_looked_at_after_it_was_handled_is_new() {
    let (mut street, id) = with_bag();
    street.case(&id, CaseState::Closed);
    let before = street.reports().len();
    street.step(Input::Recheck { incident_id: id.clone(), command_id: "c1".into() });
    street.run(5.0);
    let reports = street.reports().split_off(before);
    let [answer, opened] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!(answer.incident_id, id, "the question is answered");
    assert_eq!(answer.recheck.as_ref().map(|r| r.result), Some(RecheckResult::Persisting));
    assert_new(std::slice::from_ref(opened), &id, "persists");
    assert_eq!(opened.cause, Cause::Recheck);
    // Asked again: answered, and no further incident.
    street.step(Input::Recheck { incident_id: id.clone(), command_id: "c2".into() });
    street.run(5.0);
    assert_eq!(street.core.counters().opened, 2);
    // Both end when it is gone.
    let before = street.reports().len();
    fetched(&mut street);
    let cleared: Vec<_> = street.reports().split_off(before);
    let mut cleared: Vec<_> =
        cleared.iter().filter(|r| r.cause == Cause::Gone).map(|r| r.incident_id.clone()).collect();
    cleared.sort();
    let mut both = vec![id, opened.incident_id.clone()];
    both.sort();
    assert_eq!(cleared, both);
    assert_eq!(street.core.open_incidents().count(), 0);
}

/// The centre said that it is none: the same thing at the same place is not reported again.
#[test]
fn what_was_none_is_not_reported_again_while_it_stands_there() {
    for end in [CaseState::Voided, CaseState::NotFiled] {
        let (mut street, id) = with_bag();
        street.case(&id, end);
        street.step(Input::Recheck { incident_id: id, command_id: "c1".into() });
        street.run(60.0);
        assert_eq!(street.core.counters().opened, 1);
    }
}

#[test]
fn what_is_added_after_the_end_of_the_case_is_new() {
    let (mut street, id) = with_bag();
    street.case(&id, CaseState::Closed);
    let before = street.reports().len();
    street.put("second", 0.45, 0.66, 0.04, 0.04);
    street.run(80.0);
    let reports = street.reports().split_off(before);
    assert_new(&reports, &id, "grew");
    assert_eq!((reports[0].cause, reports[0].count), (Cause::Grew, 2));
}

/// After a restart nobody knows whether it still stands there: it is followed no longer, and what comes names it.
#[test]
fn a_case_that_ended_and_cannot_be_seen_any_more_is_remembered() {
    let (mut street, id) = with_bag();
    street.case(&id, CaseState::Closed);
    street.take("bag");
    street.restart(5.0);
    street.run(10.0);
    assert_eq!(street.core.open_incidents().count(), 0);
    street.restart(5.0);
    street.run(10.0);
    assert_new(&comes_back(&mut street), &id, "twice restarted");
}

#[test]
fn much_later_it_is_another_thing() {
    let (mut street, id) = with_bag();
    fetched(&mut street);
    street.case(&id, CaseState::Closed);
    street.run(200.0);
    let reports = comes_back(&mut street);
    assert_eq!(reports.last().map(|r| (r.phase, r.previous.clone())), Some((Phase::Opened, None)));
}

/// The second thing is followed in the frame in which two others end together.
#[test]
fn who_ends_takes_no_time_from_the_next_one() {
    let (mut street, id) = with_bag();
    street.case(&id, CaseState::Closed);
    street.step(Input::Recheck { incident_id: id, command_id: "c1".into() });
    street.run(5.0);
    street.put("other", 0.8, 0.66, 0.04, 0.04);
    street.run(30.0);
    assert_eq!(street.core.open_incidents().count(), 3);
    let before = street.reports().len();
    street.take("bag");
    street.take("other");
    street.run(30.0);
    let cleared: Vec<_> = street.reports().split_off(before).iter().map(|r| (r.state, r.at.mono)).collect();
    assert_eq!(cleared.len(), 3);
    assert!(cleared.iter().all(|c| *c == cleared[0]), "{cleared:?}");
}
