//! Serve first, then manage: warned, settled, opened after all.

use expect_test::{Expect, expect};

use super::street::*;
use crate::incident::Effect;
use kerbside_domain::kind::Kind;
use kerbside_domain::report::{IncidentState, Phase, Report};
use kerbside_site::config::{Hours, Rule, WarnFirst};

/// Warns after 20 s, then waits a minute; opens at night, when it must be quiet, after 40 s.
fn warning(quiet: Vec<Hours>) -> Rule {
    let warn = WarnFirst { after_s: 20.0, wait_s: 60.0, by: vec!["speaker".into()], quiet };
    Rule { warn: Some(warn), dwell_s: 40.0, ..rule(&[Kind::WasteExposed]) }
}

fn check(rule: Rule, play: impl FnOnce(&mut Street), story: Expect) -> Vec<Report> {
    let mut street = street(rule);
    play(&mut street);
    story.assert_eq(&street.story());
    street.reports()
}

fn reason<'a>(report: &'a Report, name: &str) -> Option<&'a serde_json::Value> {
    report.reasons.iter().find(|reason| reason.0 == name).map(|reason| &reason.1)
}

#[test]
fn what_goes_away_after_the_warning_is_settled_and_never_a_case() {
    let reports = check(
        warning(Vec::new()),
        |street| {
            street.put_bag(0.4);
            street.run(40.0);
            street.answer_warning(true);
            street.take("bag");
            street.run(30.0);
            street.answer();
            street.run(60.0);
        },
        expect![[r#"
            pin
            cam1 watch required
            review
            warn by speaker
            warning answered: true
            settled r1: waste.exposed found_after
            save r1
            cam1 watch optional
            evidence r2: waste.exposed found_after
        "#]],
    );
    let settled = &reports[0];
    assert_eq!((settled.phase, settled.state, settled.revision), (Phase::Settled, IncidentState::Settled, 1));
    assert_eq!(reason(settled, "warning"), Some(&"spoken".into()));
    assert!(settled.last_seen.mono < settled.at.mono && settled.dwell_s >= 35.0, "{settled:?}");
    assert!(reports.iter().all(|r| r.state == IncidentState::Settled), "{reports:?}");
}

#[test]
fn what_stays_is_opened_and_says_that_it_was_warned() {
    let reports = check(
        warning(Vec::new()),
        |street| {
            street.put_bag(0.4);
            street.run(45.0);
            street.answer_warning(false);
            street.run(70.0);
        },
        expect![[r#"
            pin
            cam1 watch required
            review
            warn by speaker
            warning answered: false
            opened r1: waste.exposed found_after
            save r1
        "#]],
    );
    assert_eq!(reason(&reports[0], "warning"), Some(&"not_spoken".into()), "a broken speaker loses no case");
    assert!(reports[0].dwell_s >= 80.0, "after_s and wait_s: {}", reports[0].dwell_s);
}

#[test]
fn in_quiet_hours_nothing_is_said_and_the_rule_opens_by_its_dwell() {
    check(
        warning(vec![hours(9, 12)]),
        |street| {
            street.put_bag(0.4);
            street.run(50.0);
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

/// Blind, or hidden behind somebody, is not gone (invariant 13).
#[test]
fn what_cannot_be_seen_is_not_settled() {
    let reports = check(
        warning(Vec::new()),
        |street| {
            street.put_bag(0.4);
            street.run(45.0);
            street.take("bag");
            street.stander("ann", 0.39);
            street.run(45.0);
        },
        expect![[r#"
            pin
            cam1 watch required
            review
            warn by speaker
            pin
            cam1 watch optional
        "#]],
    );
    assert!(reports.is_empty(), "{reports:?}");
}

#[test]
fn it_is_warned_once_and_who_comes_back_is_warned_again() {
    check(
        warning(Vec::new()),
        |street| {
            for _ in 0..2 {
                street.put_bag(0.4);
                street.run(40.0);
                street.take("bag");
                street.run(30.0);
            }
        },
        expect![[r#"
            pin
            cam1 watch required
            review
            warn by speaker
            settled r1: waste.exposed found_after
            save r1
            cam1 watch optional
            pin
            cam1 watch required
            review
            warn by speaker
            settled r1: waste.exposed found_after
            save r1
            cam1 watch optional
        "#]],
    );
}

#[test]
fn the_answer_of_a_slow_speaker_reaches_the_open_case() {
    let mut street = street(warning(Vec::new()));
    street.put_bag(0.4);
    street.run(110.0);
    assert_eq!(reason(&street.reports()[0], "warning"), Some(&"not_known".into()));
    street.answer_warning(true);
    street.answer();
    street.run(2.0);
    let last = street.reports().pop().expect("reports");
    assert_eq!(reason(&last, "warning"), Some(&"spoken".into()), "{last:?}");
}

/// The outputs answer by the id that they were told; the case has another one by then.
#[test]
fn an_answer_that_comes_late_reaches_the_case_that_was_warned_of() {
    let rule = Rule { repeat_s: 100.0, ..warning(Vec::new()) };
    let mut street = street(rule);
    street.put_bag(0.4);
    street.run(110.0);
    street.answer_warning(true);
    let first = street.report().incident_id.clone();
    street.take("bag");
    street.run(15.0);
    // Back within the repeat interval, warned as the same; opened after it, as another one.
    street.run(40.0);
    street.put_bag(0.4);
    street.run(110.0);
    let second = street.report().clone();
    assert_ne!(second.incident_id, first);
    assert_eq!(reason(&second, "warning"), Some(&"not_known".into()));
    street.story();
    street.answer_warning(true);
    street.answer();
    assert_eq!(street.report().incident_id, second.incident_id);
    assert_eq!(reason(street.report(), "warning"), Some(&"spoken".into()));
    let answered: Vec<_> = street
        .effects
        .iter()
        .filter_map(|e| match e {
            Effect::WarningAnswered { incident_id, .. } => Some(incident_id.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(answered, [first, second.incident_id], "the trace names the case that it is about");
}
