//! What becomes of an incident: occlusion, blindness, repeats, restarts, growth, answers of the centre.

use expect_test::{Expect, expect};

use super::street::*;
use crate::gate::Scene;
use crate::incident::*;
use kerbside_domain::camera_state::{CameraState, Off};
use kerbside_domain::case::{CaseState, CaseUpdate, Receipt, ReceiptResult};
use kerbside_domain::detection::Group;
use kerbside_domain::evidence::EvidenceOutcome;
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::Kind;

/// What is said of it, why, and in which order.
fn check(play: impl FnOnce(&mut Street), story: Expect) -> Street {
    let mut street = street(rule(&[Kind::WasteExposed]));
    play(&mut street);
    story.assert_eq(&street.story());
    street
}

/// And when, for how long, how sure: where the figures are the point.
fn check_figures(play: impl FnOnce(&mut Street), figures: Expect) -> Street {
    let mut street = street(rule(&[Kind::WasteExposed]));
    play(&mut street);
    figures.assert_eq(&street.figures());
    street
}

fn with_bag(street: &mut Street) {
    street.put_bag(0.4);
    street.run(25.0);
    street.answer();
    street.story();
}

#[test]
fn occlusion_does_not_reset_the_dwell() {
    check_figures(
        |street| {
            street.put_bag(0.4);
            street.run(12.0);
            street.occlude("bag", true);
            street.run(6.0);
            street.occlude("bag", false);
            street.run(5.0);
        },
        expect![[r#"
            12.0 pin 20..160 (tenths)
            12.0 cam1 watch required
            13.0 review 40..130 (tenths)
            30.0 opened r1: waste.exposed found_after 0.68, dwell 20, count 1, at x 0.40, evidence 0+4
            30.0 save r1 before@80 clip 20..160 (tenths)
        "#]],
    );
}

#[test]
fn hidden_behind_a_parked_van_is_not_cleared() {
    check(
        |street| {
            with_bag(street);
            street.car("van", 0.3);
            street.take("bag");
            street.run(60.0);
            street.walk("van", 0.3);
            street.run(2.0);
            street.put_bag(0.4);
            street.run(20.0);
        },
        expect![[r#"
            pin
            unpin
        "#]],
    );
}

#[test]
fn blind_time_counts_for_nothing() {
    check_figures(
        |street| {
            street.put_bag(0.4);
            street.run(10.0);
            street.scene = Scene::Covered;
            street.run(60.0);
            street.scene = Scene::Clear;
            street.run(15.0);
        },
        expect![[r#"
            12.0 pin 20..160 (tenths)
            12.0 cam1 watch required
            13.0 review 40..130 (tenths)
            23.5 cam1 Blind(Covered)
            81.5 cam1 Watching
            91.5 opened r1: waste.exposed found_after 0.68, dwell 20, count 1, at x 0.40, evidence 0+4
            91.5 save r1 before@80 clip 20..160 (tenths)
        "#]],
    );
}

#[test]
fn not_cleared_while_blind_or_off() {
    check_figures(
        |street| {
            with_bag(street);
            street.scene = Scene::Black;
            street.take("bag");
            street.run(60.0);
            street.scene = Scene::Clear;
            street.run(8.0);
            let at = street.moment();
            street.step(Input::Camera { camera: street.camera, at, state: CameraState::Off(Off::Silent) });
            street.idle(60.0);
            street.run(12.0);
        },
        expect![[r#"
            38.5 cam1 Blind(Black)
            96.5 cam1 Watching
            103.0 cam1 Off(Silent)
            163.5 cam1 Watching
            167.0 cleared r3: waste.exposed found_after 0.68, dwell 25, count 1, at x 0.40, evidence 0+1
            167.0 save r3 (tenths)
            167.0 cam1 watch optional
        "#]],
    );
}

#[test]
fn the_same_thing_again_is_a_revision_and_much_later_another_incident() {
    let street = check_figures(
        |street| {
            with_bag(street);
            street.take("bag");
            street.run(30.0);
            street.put_bag(0.41);
            street.run(30.0);
            street.take("bag");
            street.run(200.0);
            street.put_bag(0.41);
            street.run(30.0);
        },
        expect![[r#"
            45.0 cleared r3: waste.exposed found_after 0.68, dwell 25, count 1, at x 0.40, evidence 0+1
            45.0 save r3 (tenths)
            45.0 cam1 watch optional
            67.0 pin 570..710 (tenths)
            67.0 cam1 watch required
            68.0 review 590..680 (tenths)
            85.0 reappeared r4: waste.exposed found_after 0.68, dwell 20, count 1, at x 0.40, evidence 0+3
            85.0 save r4 clip 570..710 (tenths)
            105.0 cleared r5: waste.exposed found_after 0.68, dwell 30, count 1, at x 0.40, evidence 0+1
            105.0 save r5 (tenths)
            105.0 cam1 watch optional
            297.0 pin 2870..3010 (tenths)
            297.0 cam1 watch required
            298.0 review 2890..2980 (tenths)
            315.0 pin 2870..3010 (tenths)
            315.0 unpin
            315.0 opened r1: waste.exposed found_after 0.68, dwell 20, count 1, at x 0.41, evidence 0+4
            315.0 save r1 before@2930 clip 2870..3010 (tenths)
        "#]],
    );
    assert_eq!(street.core.counters().opened, 2);
}

#[test]
fn after_a_restart_the_same_thing_is_not_opened_again() {
    let mut street = check_figures(
        |street| {
            with_bag(street);
            street.restart(20.0);
            street.scene = Scene::Learning;
            street.run(5.0);
            street.scene = Scene::Clear;
            street.run(60.0);
            street.take("bag");
            street.run(20.0);
        },
        expect![[r#"
            0.5 cam1 Blind(Learning)
            0.5 cam1 watch required
            5.5 cam1 Watching
            75.0 cleared r3: waste.exposed found_after 0.68, dwell 59.5, count 1, at x 0.40, evidence 0+1
            75.0 save r3 (tenths)
            75.0 cam1 watch optional
        "#]],
    );
    assert_eq!(street.core.counters().opened, 0);
    street.answer();
    assert_eq!(street.report().revision, 4);
}

/// The new background may have swallowed the thing: nothing may be said of it.
#[test]
fn after_a_restart_what_is_not_seen_is_not_called_gone() {
    check(
        |street| {
            with_bag(street);
            street.take("bag");
            street.restart(5.0);
            street.scene = Scene::Learning;
            street.run(5.0);
            street.scene = Scene::Clear;
            street.run(300.0);
        },
        expect![[r#"
            cam1 Blind(Learning)
            cam1 watch required
            cam1 Watching
        "#]],
    );
}

/// It was in the new background, and then the gate sees bare ground where it lay.
#[test]
fn after_a_restart_what_leaves_the_background_is_gone() {
    check(
        |street| {
            with_bag(street);
            street.take("bag");
            street.restart(5.0);
            street.scene = Scene::Learning;
            street.run(5.0);
            street.scene = Scene::Clear;
            street.run(60.0);
            street.bare_ground(0.4, 0.66, 0.04, 0.04);
            street.run(40.0);
        },
        expect![[r#"
            cam1 Blind(Learning)
            cam1 watch required
            cam1 Watching
            cleared r3: waste.exposed found_after
            save r3
            cam1 watch optional
        "#]],
    );
}

#[test]
fn the_repeat_interval_survives_a_restart() {
    check(
        |street| {
            with_bag(street);
            street.take("bag");
            street.run(15.0);
            street.restart(20.0);
            street.run(10.0);
            street.put_bag(0.4);
            street.run(30.0);
        },
        expect![[r#"
            cleared r3: waste.exposed found_after
            save r3
            cam1 watch optional
            cam1 Watching
            pin
            cam1 watch required
            review
            reappeared r4: waste.exposed found_after
            save r4
        "#]],
    );
}

#[test]
fn it_grows() {
    check_figures(
        |street| {
            with_bag(street);
            street.put("second", 0.45, 0.66, 0.04, 0.04);
            street.run(70.0);
            street.take("second");
            street.run(20.0);
        },
        expect![[r#"
            37.0 pin 270..410 (tenths)
            38.0 unpin
            90.0 grew r3: waste.exposed found_after 0.68, dwell 80, count 2, at x 0.40, evidence 0+0
        "#]],
    );
}

#[test]
fn a_vehicle_that_was_recognised_late_is_withdrawn() {
    check(
        |street| {
            street.put("thing", 0.3, 0.5, 0.25, 0.2);
            street.run(25.0);
            street.put_known("car", Group::Vehicle, BBox { x: 0.3, y: 0.5, w: 0.25, h: 0.2 }, false);
            street.run(60.0);
        },
        expect![[r#"
            pin
            cam1 watch required
            review
            opened r1: waste.exposed found_after
            save r1
            vehicle_or_person r2: waste.exposed found_after
            cam1 watch optional
        "#]],
    );
}

#[test]
fn gone_before_its_dwell_leaves_nothing() {
    let street = check(
        |street| {
            street.put_bag(0.4);
            street.run(15.0);
            street.take("bag");
            street.run(30.0);
        },
        expect![[r#"
            pin
            cam1 watch required
            review
            unpin
            cam1 watch optional
        "#]],
    );
    assert_eq!((street.core.counters().candidates, street.core.counters().candidates_gone), (1, 1));
}

#[test]
fn regions_may_change_their_numbers() {
    check_figures(
        |street| {
            street.put_bag(0.4);
            street.run(12.0);
            street.swap_regions_anew();
            street.run(40.0);
        },
        expect![[r#"
            12.0 pin 20..160 (tenths)
            12.0 cam1 watch required
            13.0 review 40..130 (tenths)
            31.5 opened r1: waste.exposed found_after 0.68, dwell 20, count 1, at x 0.40, evidence 0+4
            31.5 save r1 before@80 clip 20..160 (tenths)
        "#]],
    );
}

#[test]
fn evidence_that_fails_is_reported_and_the_same_outcome_again_is_not() {
    let mut street = street(rule(&[Kind::WasteExposed]));
    street.put_bag(0.4);
    street.run(25.0);
    street.story();
    let request = street.requests.remove(0);
    let outcome = EvidenceOutcome {
        subject: request.subject,
        revision: 1,
        answers: request.roles,
        items: Vec::new(),
        shortfall: Some("ring is empty".into()),
    };
    street.step(Input::Evidence(outcome.clone()));
    street.step(Input::Evidence(outcome));
    expect![[r#"
        evidence r2: waste.exposed found_after
    "#]]
    .assert_eq(&street.story());
    assert!(street.report().reasons.iter().any(|r| r.0 == "evidence_shortfall"));
}

#[test]
fn receipts_and_case_states_are_kept_as_they_come() {
    let mut street = street(rule(&[Kind::WasteExposed]));
    with_bag(&mut street);
    let id = street.report().incident_id.clone();
    street.step(Input::Receipt(Receipt {
        id: format!("{id}.0001"),
        result: ReceiptResult::Accepted,
        case_no: Some("C-7".into()),
        due_at: None,
        reason: None,
        signed_by: None,
    }));
    for state in ["filed", "handed_to_the_moon"] {
        let said = CaseUpdate {
            incident_id: id.clone(),
            case_no: None,
            state: CaseState::from(state.to_owned()),
            reason: None,
            signed_by: None,
        };
        street.step(Input::Case(said));
    }
    let case = &street.core.snapshot()[0].case;
    assert_eq!(case.case_no.as_deref(), Some("C-7"));
    assert_eq!(
        (case.state.as_ref().map(CaseState::as_str), case.receipted_revision),
        (Some("handed_to_the_moon"), 1)
    );
    let text = serde_json::to_string(&street.core.snapshot()).expect("records are plain data");
    let back: Vec<IncidentRecord> = serde_json::from_str(&text).expect("and come back");
    assert_eq!(back, street.core.snapshot());
}

/// The journal holds reports only; folded in order they are the same records.
#[test]
fn records_can_be_folded_from_reports() {
    let mut street = street(rule(&[Kind::WasteExposed]));
    with_bag(&mut street);
    street.take("bag");
    street.run(15.0);
    street.answer();
    let mut record: Option<IncidentRecord> = None;
    for effect in &street.effects {
        if let Effect::Report(report) = effect {
            match &mut record {
                Some(record) => record.fold((**report).clone()),
                None => record = Some(IncidentRecord::new((**report).clone())),
            }
        }
    }
    let kept = &street.core.snapshot()[0];
    let folded = record.expect("reports were made");
    assert_eq!((folded.state, folded.closed, &folded.report), (kept.state, kept.closed, &kept.report));
}

fn disposed(street: &mut Street) {
    let incident_id = street.report().incident_id.clone();
    let (case_no, reason) = (Some("W-1".to_owned()), None);
    street.step(Input::Case(CaseUpdate {
        incident_id,
        case_no,
        state: CaseState::Disposed,
        reason,
        signed_by: None,
    }));
}

fn ordered(street: &mut Street, command: &str) {
    let incident_id = street.report().incident_id.clone();
    street.step(Input::Recheck { incident_id, command_id: command.into() });
}

#[test]
fn disposed_is_looked_at_again_and_what_stands_there_persists() {
    check(
        |street| {
            with_bag(street);
            disposed(street);
            ordered(street, "c1");
            street.run(5.0);
        },
        expect![[r#"
            recheck r3: Persisting, seen_there, ["c1"]
            save r3
        "#]],
    );
}

#[test]
fn a_place_seen_free_for_a_while_is_cleared() {
    check_figures(
        |street| {
            with_bag(street);
            street.take("bag");
            ordered(street, "c1");
            street.run(15.0);
            // Long closed, and commanded again.
            street.run(60.0);
            ordered(street, "c2");
            street.run(15.0);
        },
        expect![[r#"
            45.0 cleared r3: waste.exposed found_after 0.68, dwell 25, count 1, at x 0.40, evidence 0+1
            45.0 save r3 (tenths)
            45.5 recheck r4: Cleared, place_seen_free, ["c1"], 21 frames
            45.5 save r4 (tenths)
            45.5 cam1 watch optional
            110.5 cam1 watch required
            120.5 recheck r5: Cleared, place_seen_free, ["c2"], 21 frames
            120.5 save r5 (tenths)
            120.5 cam1 watch optional
        "#]],
    );
}

#[test]
fn what_cannot_be_seen_is_unobservable_never_cleared() {
    let check = |play: fn(&mut Street), story: Expect| {
        check(
            |street| {
                with_bag(street);
                play(street);
            },
            story,
        );
    };
    // Behind a van that stays.
    check(
        |street| {
            street.car("van", 0.3);
            street.take("bag");
            ordered(street, "c1");
            street.run(50.0);
        },
        expect![[r#"
            pin
            recheck r3: Unobservable, hidden, ["c1"]
            save r3
        "#]],
    );
    // The camera is covered, or away.
    check(
        |street| {
            street.scene = Scene::Covered;
            street.take("bag");
            ordered(street, "c1");
            street.run(50.0);
        },
        expect![[r#"
            cam1 Blind(Covered)
            recheck r3: Unobservable, camera_blind:covered, ["c1"]
        "#]],
    );
    check(
        |street| {
            let at = street.moment();
            street.step(Input::Camera { camera: street.camera, at, state: CameraState::Off(Off::Silent) });
            ordered(street, "c1");
            street.idle(50.0);
        },
        expect![[r#"
            cam1 Off(Silent)
            recheck r3: Unobservable, camera_off:silent, ["c1"]
        "#]],
    );
    // Looks before and after a gap make no run.
    check(
        |street| {
            street.take("bag");
            ordered(street, "c1");
            street.run(8.0);
            street.scene = Scene::Black;
            street.run(30.0);
            street.scene = Scene::Clear;
            street.run(8.0);
        },
        expect![[r#"
            cam1 Blind(Black)
            cam1 Watching
            cleared r3: waste.exposed found_after
            save r3
            recheck r4: Unobservable, too_few_looks, ["c1"]
            save r4
            cam1 watch optional
        "#]],
    );
    // Started anew: the background was learnt with whatever stands there.
    check(
        |street| {
            disposed(street);
            street.take("bag");
            street.restart(5.0);
            street.scene = Scene::Learning;
            street.run(2.0);
            street.scene = Scene::Clear;
            street.run(50.0);
        },
        expect![[r#"
            cam1 Blind(Learning)
            cam1 watch required
            cam1 Watching
            recheck r3: Unobservable, place_not_seen_since_learning, []
            save r3
        "#]],
    );
}

#[test]
fn a_recheck_of_nothing_known_is_answered() {
    check(
        |street| {
            let (incident_id, command_id) = ("01JUNKNOWN".into(), "c1".into());
            street.step(Input::Recheck { incident_id, command_id });
        },
        expect![[r#"
            c1: not known
        "#]],
    );
}
