use super::*;
use crate::journal::RecordLocation;
use kerbside_domain::time::{Moment, Mono};
use kerbside_wire::Priority;

fn row(seq: u64, priority: usize) -> Row {
    let location = RecordLocation { segment: 1, offset: seq * 100, len: 100 };
    let (id, qos) = (format!("m{seq}"), u8::from(priority < 3));
    let (priority, conflation_key) = (Priority::ALL[priority], None);
    Row {
        seq,
        n: seq,
        location,
        id,
        priority,
        qos,
        conflation_key,
        expires_ms: None,
        expires_at: None,
        puback: false,
        receipted: false,
        tries: 0,
    }
}

fn outbox(receipts: bool, rows: impl IntoIterator<Item = Row>) -> Outbox {
    let budgets = [1000, 1000, 1000, 300];
    let mut outbox = Outbox::new(OutboxSettings { receipts, budgets, retry_s: 10.0, ..Default::default() });
    rows.into_iter().for_each(|r| assert!(outbox.push(r).is_empty()));
    outbox.connected(true, 8);
    outbox
}

fn order(outbox: &mut Outbox) -> Vec<u64> {
    std::iter::from_fn(|| outbox.next(Mono::ZERO)).map(|r| r.seq).collect()
}

#[test]
fn lower_priorities_yield_and_the_window_holds() {
    let mut o = outbox(true, [row(1, 3), row(2, 2), row(3, 1), row(4, 0), row(5, 0)]);
    assert_eq!(order(&mut o), [4, 5, 3, 2, 1]);
    let mut o = outbox(true, (1..=12).map(|i| row(i, 0)));
    assert_eq!(order(&mut o), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(o.puback(3, Mono::ZERO), Acknowledged::AwaitsReceipt);
    assert_eq!(order(&mut o), [9]);
}

#[test]
fn a_live_report_overtakes_a_backlog_that_still_moves() {
    let mut o = outbox(false, (1..=100).map(|i| row(i, 0)));
    assert_eq!(order(&mut o), [100, 1, 99, 2, 98, 3, 97, 4]);
    o.push(row(101, 0));
    o.puback(100, Mono::ZERO);
    o.puback(1, Mono::ZERO);
    assert_eq!(order(&mut o), [101, 5]);
}

/// One PUBACK at a time: sixteen that wait would be sixteen round trips.
#[test]
fn with_a_small_window_few_are_a_backlog_already() {
    let mut o = outbox(false, (1..=5).map(|i| row(i, 0)));
    o.connected(true, 1);
    let sent: Vec<_> = (6..=8)
        .flat_map(|live| {
            o.push(row(live, 0));
            [0, 1].map(|_| {
                let sent = order(&mut o);
                o.puback(sent[0], Mono::ZERO);
                sent[0]
            })
        })
        .collect();
    assert_eq!(sent, [6, 1, 7, 2, 8, 3], "each live report goes within two, and the backlog moves");
}

#[test]
fn part_of_a_small_window_is_kept_for_what_is_live() {
    let state = |seq| Row { conflation_key: Some("state".into()), ..row(seq, 0) };
    let mut o = outbox(false, (1..=100).map(|i| row(i, 0)).chain([row(101, 3)]));
    o.set_window(8, 4);
    assert_eq!(order(&mut o), [100, 1, 99, 2]);
    (102..=104).for_each(|seq| assert!(o.push(row(seq, 0)).is_empty()));
    o.push(state(105));
    assert_eq!(order(&mut o), [105, 102, 103, 104], "the state, then live reports, oldest first");
    o.puback(105, Mono::ZERO);
    assert_eq!(order(&mut o), [] as [u64; 0], "the backlog waits until as much is free again");
    (102..=104).for_each(|seq| drop(o.puback(seq, Mono::ZERO)));
    o.puback(100, Mono::ZERO);
    assert_eq!(order(&mut o), [98]);
    // Nothing is kept where there is but one place, and what was live is backlog on the next connection.
    o.push(row(106, 0));
    o.connected(true, 1);
    o.set_window(1, 4);
    assert_eq!(order(&mut o).len(), 1);
}

#[test]
fn birth_goes_before_everything_and_replaces_the_older_one() {
    let state = |seq| Row { conflation_key: Some("state".into()), ..row(seq, 0) };
    let mut o = outbox(true, [row(1, 0), state(2), row(3, 0)]);
    let out = o.push(state(4));
    assert_eq!(
        out.iter().map(|(r, why)| (r.seq, why.to_string())).collect::<Vec<_>>(),
        [(2, "superseded".into())]
    );
    assert_eq!(order(&mut o), [4, 1, 3]);
    // State needs no receipt: PUBACK ends it.
    assert!(matches!(o.puback(4, Mono::ZERO), Acknowledged::Done(_)));
}

#[test]
fn an_unsigned_receipt_ends_nothing_that_the_broker_does_not_have() {
    let mut o = outbox(true, [row(1, 0), row(2, 0), row(3, 0)]);
    // Before it was sent at all: whoever says so cannot have it.
    assert!(o.awaits_receipt("m1", false));
    assert_eq!(o.receipt("m1", false), None);
    assert!(!o.awaits_receipt("m1", false) && o.awaits_receipt("m1", true), "the centre's own word is news");
    assert_eq!(order(&mut o), [1, 2, 3], "it goes out all the same");
    // The receipt overtook the acknowledgement: both together end it.
    assert!(matches!(o.puback(1, Mono::ZERO), Acknowledged::Done(_)));
    assert_eq!(o.receipt("m2", false), None);
    o.connected(false, 8);
    assert_eq!(order(&mut o).len(), 2, "a new connection sends both again");
    assert!(matches!(o.puback(2, Mono::ZERO), Acknowledged::Done(_)));
    assert_eq!(o.receipt("m3", true).map(|r| r.seq), Some(3), "signed, it needs nobody else's word");
    assert!(o.is_empty());
}

#[test]
fn a_row_ends_with_its_receipt_or_with_puback_where_there_are_none() {
    let mut o = outbox(true, [row(1, 0), row(2, 2)]);
    order(&mut o);
    assert_eq!(o.puback(1, Mono::ZERO), Acknowledged::AwaitsReceipt);
    assert!(matches!(o.puback(2, Mono::ZERO), Acknowledged::Done(_)), "evidence needs no receipt of its own");
    assert_eq!(o.receipt("m1", false).map(|r| r.seq), Some(1));
    assert_eq!((o.receipt("m1", false), o.puback(1, Mono::ZERO)), (None, Acknowledged::Unknown));
    assert!(o.is_empty());
    let mut o = outbox(false, [row(1, 0)]);
    order(&mut o);
    assert!(matches!(o.puback(1, Mono::ZERO), Acknowledged::Done(_)));
}

#[test]
fn without_a_receipt_a_row_goes_again_later_and_later() {
    let mut o = outbox(true, [row(1, 0)]);
    order(&mut o);
    o.puback(1, Mono::ZERO);
    assert_eq!(o.next(Mono::from_s(9.0)), None);
    assert_eq!(o.next_due(), Some(Mono::from_s(10.0)));
    assert_eq!(o.next(Mono::from_s(10.0)).map(|r| r.tries), Some(2));
    o.puback(1, Mono::from_s(10.0));
    assert_eq!(o.next_due(), Some(Mono::from_s(30.0)));
}

#[test]
fn a_new_connection_sends_again_what_may_be_lost() {
    let mut o = outbox(true, (1..=4).map(|i| row(i, 0)));
    order(&mut o);
    o.puback(1, Mono::ZERO);
    o.disconnected();
    assert_eq!(o.in_flight(), 0);
    // The broker kept its session: 1 is safe there.
    o.connected(true, 8);
    assert_eq!(order(&mut o), [2, 3, 4]);
    // It lost it: 1 goes again too.
    o.connected(false, 8);
    assert_eq!(order(&mut o), [1, 2, 3, 4]);
    // A smaller window of the broker is kept to.
    o.connected(false, 2);
    assert_eq!(order(&mut o), [1, 2]);
}

#[test]
fn telemetry_is_evicted_over_budget_and_reports_never() {
    let mut o = outbox(true, (1..=3).map(|i| row(i, 3)));
    let out = o.push(row(4, 3));
    assert_eq!(out[0].0.seq, 1);
    for i in 10..40 {
        assert!(o.push(row(i, 0)).is_empty());
    }
    assert!(o.stats()[0].over_budget);
    assert_eq!(o.stats()[3], PriorityStats { queued: 3, bytes: 300, ..Default::default() });
}

#[test]
fn what_expired_is_taken_out_and_said() {
    let of_version_0_1 = Row { expires_ms: Some(50), ..row(1, 3) };
    let mut o = outbox(true, [of_version_0_1, row(2, 0), Row { expires_at: Some(Mono(50)), ..row(3, 3) }]);
    let mut expired = |mono: u64, wall_ms: i64| {
        let now = Moment { mono: Mono(mono), wall_ms, ..Moment::default() };
        o.expire(now).iter().map(|r| r.seq).collect::<Vec<_>>()
    };
    assert!(expired(49, 49).is_empty());
    assert_eq!(expired(49, i64::MAX), [1], "a wall clock ends only what version 0.1 dated by it");
    assert_eq!(expired(50, i64::MIN), [3]);
    assert_eq!(o.len(), 1);
}

#[test]
fn a_resend_of_a_row_that_never_left_counts_once() {
    let mut o = outbox(true, [row(1, 0)]);
    order(&mut o);
    o.puback(1, Mono::ZERO);
    assert!(o.resend(1));
    o.push(row(1, 0));
    assert_eq!((o.len(), o.stats()[0].bytes), (1, 100));
    assert_eq!(order(&mut o), [1]);
    assert_eq!(o.take_changed().len(), 1);
}

#[test]
fn a_refused_row_stays_and_is_offered_again_later_and_later() {
    let mut o = outbox(false, [row(1, 0), row(2, 0), row(3, 3)]);
    assert_eq!(order(&mut o), [1, 2, 3]);
    assert_eq!(o.refused(1, Mono::ZERO), 1);
    assert!(matches!(o.puback(2, Mono::ZERO), Acknowledged::Done(_)), "the others go on");
    assert_eq!((o.in_flight(), o.stats()[0].refused), (1, 1));
    assert_eq!(o.next_due(), Some(Mono::from_s(60.0)));
    assert_eq!(o.next(Mono::from_s(60.0)).map(|r| r.seq), Some(1));
    assert_eq!(o.refused(1, Mono::from_s(60.0)), 2);
    assert_eq!(o.next_due(), Some(Mono::from_s(180.0)));
    assert_eq!(o.refused(99, Mono::ZERO), 0, "no such row");
    // A new connection may be another broker, or have other rights.
    o.connected(true, 8);
    assert_eq!(order(&mut o), [1, 3]);
}

#[test]
fn one_refused_row_that_is_taken_lets_the_others_try_at_once() {
    let mut o = outbox(false, (1..=3).map(|i| row(i, 0)));
    assert_eq!(order(&mut o), [1, 2, 3]);
    (1..=3).for_each(|seq| assert_eq!(o.refused(seq, Mono::ZERO), 1));
    assert_eq!(order(&mut o), [] as [u64; 0]);
    assert_eq!(o.next(Mono::from_s(60.0)).map(|r| r.seq), Some(1));
    // 2 and 3 came due with it.
    o.refused(2, Mono::from_s(60.0));
    o.refused(3, Mono::from_s(60.0));
    o.puback(1, Mono::from_s(61.0));
    assert_eq!(o.stats()[0].refused, 2);
    assert_eq!(order(&mut o), [2, 3]);
}
