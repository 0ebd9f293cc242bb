//! Dates of a wrong wall clock: put right, and said, once somebody vouches for it.

use super::street::*;
use kerbside_domain::kind::Kind;
use kerbside_domain::report::{Cause, IncidentState, Phase, Report};
use kerbside_domain::time::{ClockQuality, Moment};

/// 2026-11-21T10:00:00+08:00, where the wall clock should have stood at the beginning.
const RIGHT_MS: i64 = 1_795_226_400_000;
const DAY_MS: i64 = 86_400_000;

fn reports(street: &Street) -> Vec<Report> {
    street.reports()
}

fn corrections(street: &Street) -> Vec<Report> {
    reports(street).into_iter().filter(|r| r.cause == Cause::Clock).collect()
}

/// A street whose clock stands wrong, with a bag that is reported.
fn wrong_street(wall_at_zero_ms: i64, quality: ClockQuality) -> Street {
    let mut street = street(rule(&[Kind::WasteExposed]));
    street.set_clock(wall_at_zero_ms, quality);
    street.run(1.0);
    street.put_bag(0.4);
    street.run(25.0);
    street.answer();
    assert_eq!(reports(&street).first().map(|r| r.cause), Some(Cause::Dwell));
    street
}

/// What the first report should have said: the same moment by a clock that is right.
fn right(at: Moment) -> i64 {
    RIGHT_MS + (at.mono.0 / 1000) as i64
}

#[test]
fn what_was_reported_in_1970_gets_its_true_dates_also_when_it_is_over() {
    for cleared in [false, true] {
        let mut street = wrong_street(20_000, ClockQuality::None);
        let opened = reports(&street).remove(0);
        assert!(opened.first_seen.wall_ms < DAY_MS, "1970");
        if cleared {
            street.take("bag");
            street.run(60.0);
            street.answer();
            street.idle(2000.0);
        }
        assert_eq!(corrections(&street), []);
        street.set_clock(RIGHT_MS, ClockQuality::Ntp);
        street.idle(2.0);
        let corrected = corrections(&street);
        let [report] = corrected.as_slice() else { panic!("{corrected:?}") };
        assert_eq!((report.phase, &report.incident_id), (Phase::Updated, &opened.incident_id));
        assert_eq!(report.first_seen.wall_ms, right(opened.first_seen));
        assert!(report.at.is_vouched() && report.last_seen.is_vouched());
        assert!(
            report.evidence.iter().all(|item| item.captured.wall_ms == right(item.captured)),
            "{report:?}"
        );
        assert!(!report.evidence.is_empty(), "the files whose dates were wrong are named once more");
        let expected = if cleared { IncidentState::Cleared } else { IncidentState::Open };
        assert_eq!(report.state, expected, "the newest message tells the state");
        assert_eq!(report.started.wall_ms, right(opened.started));
        street.idle(60.0);
        assert_eq!(corrections(&street).len(), 1, "once");
    }
}

#[test]
fn a_clock_that_was_vouched_for_and_40_days_ahead_is_put_right_too() {
    let mut street = wrong_street(RIGHT_MS + 40 * DAY_MS, ClockQuality::Ntp);
    let opened = reports(&street).remove(0);
    street.set_clock(RIGHT_MS, ClockQuality::Ntp);
    street.idle(2.0);
    let corrected = corrections(&street);
    assert_eq!(
        corrected.iter().map(|r| r.first_seen.wall_ms).collect::<Vec<_>>(),
        [right(opened.first_seen)]
    );
    // Disciplined by a little it is not.
    street.set_clock(RIGHT_MS + 900, ClockQuality::Ntp);
    street.idle(5.0);
    assert_eq!(corrections(&street).len(), 1);
}

#[test]
fn what_an_earlier_run_dated_well_stays_and_what_it_did_not_counts_from_this_run() {
    for (quality, wall_ms) in [(ClockQuality::Ntp, RIGHT_MS), (ClockQuality::None, 20_000)] {
        let mut street = wrong_street(wall_ms, quality);
        let opened = reports(&street).remove(0);
        // It wakes up in 1970, and is right a minute later.
        street.restart(30.0);
        street.set_clock(20_000, ClockQuality::None);
        street.effects.clear();
        street.idle(60.0);
        street.set_clock(RIGHT_MS + DAY_MS, ClockQuality::Ntp);
        street.idle(2.0);
        let corrected = corrections(&street);
        if quality == ClockQuality::Ntp {
            assert_eq!(corrected, [], "its dates were good");
            continue;
        }
        let [report] = corrected.as_slice() else { panic!("{corrected:?}") };
        assert_eq!(report.incident_id, opened.incident_id);
        let first_seen_ms = report.first_seen.wall_ms - (RIGHT_MS + DAY_MS);
        assert!((0..=1000).contains(&first_seen_ms), "as if seen first when this run began: {first_seen_ms}");
    }
}

#[test]
fn boxes_that_wake_up_in_1970_each_morning_give_no_id_twice() {
    let ids: Vec<String> = ["run1", "run2"]
        .into_iter()
        .map(|run| {
            let mut settings = settings(vec![camera(0, vec![rule(&[Kind::WasteExposed])])]);
            settings.run = run.to_owned();
            let mut street = Street::new(settings);
            street.set_clock(20_000, ClockQuality::None);
            street.put_bag(0.4);
            street.run(25.0);
            reports(&street).remove(0).incident_id
        })
        .collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[0][..10], ids[1][..10], "though they are dated alike");
}
