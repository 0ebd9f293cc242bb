//! A thing that goes and comes back: what goes piece by piece keeps its place, and is the same incident when it returns.

use super::street::*;
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::Kind;
use kerbside_domain::report::{Cause, IncidentState};
use kerbside_site::config::Rule;

/// The pieces of a stall, from left to right: the last is the smallest.
const PIECES: [(&str, f32, f32); 4] =
    [("table", 0.30, 0.12), ("rack", 0.43, 0.10), ("crates", 0.54, 0.08), ("box", 0.63, 0.03)];

fn stall_rule() -> Rule {
    let mut rule = rule(&[Kind::StallOccupying]);
    rule.repeat_s = 600.0;
    rule
}

fn put(street: &mut Street, piece: usize) {
    let (name, x, w) = PIECES[piece];
    street.put(name, x, 0.62, w, 0.1);
}

/// Set up and packed up in these orders, five times, each time gone for 28 s.
fn five_times(setup: [usize; 4], packing: [usize; 4]) -> Street {
    let mut street = street(stall_rule());
    for _ in 0..5 {
        street.stander("vendor", 0.42);
        for piece in setup {
            put(&mut street, piece);
            street.run(4.0);
        }
        street.run(50.0);
        for piece in packing {
            street.take(PIECES[piece].0);
            street.run(12.0);
        }
        street.take("vendor");
        street.run(28.0);
        street.answer();
    }
    street
}

#[test]
fn a_stall_that_packs_up_piece_by_piece_and_returns_is_one_incident() {
    for (setup, packing) in
        [([0, 1, 2, 3], [0, 1, 2, 3]), ([3, 2, 1, 0], [0, 1, 2, 3]), ([3, 0, 2, 1], [2, 0, 3, 1])]
    {
        let street = five_times(setup, packing);
        let counters = street.core.counters();
        assert_eq!(
            (counters.opened, counters.reappeared, counters.cleared),
            (1, 4, 5),
            "{setup:?} {packing:?}"
        );
    }
}

#[test]
fn what_shrinks_keeps_its_place_until_all_of_it_is_gone() {
    let street = five_times([0, 1, 2, 3], [0, 1, 2, 3]);
    let reports = street.reports();
    let cleared: Vec<BBox> = reports.iter().filter(|r| r.cause == Cause::Gone).map(|r| r.bbox).collect();
    assert_eq!(cleared.len(), 5);
    for place in cleared {
        assert!((place.x - 0.30).abs() < 1e-3 && (place.x + place.w - 0.66).abs() < 1e-3, "{place:?}");
    }
}

#[test]
fn each_appearance_has_its_own_beginning_and_the_first_stays_known() {
    let mut street = street(rule(&[Kind::WasteExposed]));
    for _ in 0..5 {
        street.put_bag(0.4);
        street.run(30.0);
        street.answer();
        street.take("bag");
        street.run(30.0);
        street.answer();
    }
    let reports = street.reports();
    let began: Vec<_> =
        reports.iter().filter(|r| matches!(r.cause, Cause::Dwell | Cause::Reappeared)).collect();
    assert_eq!(began.len(), 5);
    assert!(began.iter().all(|r| r.first_seen == began[0].first_seen && !r.objects.is_empty()));
    assert!(began.windows(2).all(|two| two[1].started.mono.since_s(two[0].started.mono) >= 55.0));
    assert_eq!(began[0].started, began[0].first_seen);
    // A picture that comes after it was cleared leaves it cleared.
    let last = reports.last().expect("reports");
    assert_eq!((last.cause, last.state), (Cause::Evidence, IncidentState::Cleared));
    // Each revision names only what is new with it.
    assert!(reports.iter().all(|r| r.evidence.len() + r.evidence_pending.len() <= 4), "{reports:?}");
}

#[test]
fn another_thing_at_another_place_is_another_incident() {
    let mut street = street(stall_rule());
    for x in [0.1, 0.6] {
        street.stander("vendor", x + 0.05);
        street.put("table", x, 0.62, 0.25, 0.1);
        street.run(40.0);
        street.take("table");
        street.take("vendor");
        street.run(28.0);
    }
    assert_eq!((street.core.counters().opened, street.core.counters().reappeared), (2, 0));
}
