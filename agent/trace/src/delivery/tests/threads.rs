//! The handle, the store thread and the link's port together.

use super::*;

#[test]
fn the_handle_serves_many_threads_and_closes() {
    let dir = tempfile::tempdir().unwrap();
    let (delivery, opened) = Delivery::open(DeliverySettings::new(dir.path(), true), who(), clock()).unwrap();
    assert!(opened.incidents.is_empty());
    let mut seqs: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|t| {
                let delivery = delivery.clone();
                scope.spawn(move || -> Vec<u64> {
                    let send = |i: u64| {
                        delivery
                            .send(wire::matter(&who(), &report(&format!("T{t}I{i}"), 1), None, None))
                            .unwrap()
                    };
                    (0..25).map(send).collect()
                })
            })
            .collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=100).collect::<Vec<_>>());
    assert_eq!(delivery.stats().unwrap().outbox[0].queued, 100);
    delivery.close().unwrap();
    assert!(matches!(delivery.note(RecordKind::Note, Value::Null), Err(DeliveryError::Closed)));
}

/// Syncs that wait until the test lets them: a test is a process of its own.
mod gated {
    use std::fs::File;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Condvar, Mutex};

    static CLOSED: Mutex<bool> = Mutex::new(false);
    static CHANGED: Condvar = Condvar::new();

    pub(super) fn close(closed: bool) {
        *CLOSED.lock().unwrap() = closed;
        CHANGED.notify_all();
    }

    pub(super) static SYNCS: AtomicU64 = AtomicU64::new(0);

    pub(super) fn sync(file: &File) -> std::io::Result<()> {
        SYNCS.fetch_add(1, Ordering::Relaxed);
        drop(CHANGED.wait_while(CLOSED.lock().unwrap(), |closed| *closed).unwrap());
        file.sync_data()
    }

    pub(super) fn syncs() -> crate::journal::Syncs {
        crate::journal::Syncs { file: sync, ..Default::default() }
    }
}

#[test]
fn the_link_waits_for_room_and_nothing_it_reports_is_lost() {
    use std::task::{Context, Poll, Waker};
    let dir = tempfile::tempdir().unwrap();
    let settings = DeliverySettings { syncs: gated::syncs(), ..DeliverySettings::new(dir.path(), true) };
    let (delivery, opened) = Delivery::open(settings, who(), clock()).unwrap();
    let mut port = opened.link;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let up =
        LinkReport::Connected { epoch: 1, session: 1, session_present: true, window: 8, max_packet: 1 << 20 };
    assert!(runtime.block_on(port.reporter.report(up)));
    assert!(matches!(port.requests.blocking_recv(), Some(LinkRequest::Publish { .. })), "the birth");

    gated::close(true);
    let received = |token: u64| LinkReport::Received {
        epoch: 1,
        token,
        topic: RECEIPT.to_owned(),
        payload: receipt(&format!("I{token}.0001")),
        retain: false,
    };
    let mut cx = Context::from_waker(Waker::noop());
    let mut taken = 0;
    let mut waiting = loop {
        let mut report = Box::pin(port.reporter.report(received(taken)));
        match report.as_mut().poll(&mut cx) {
            Poll::Ready(is_taken) => assert!(is_taken),
            Poll::Pending => break report,
        }
        taken += 1;
        assert!(taken < 100_000, "no end of room");
    };
    gated::close(false);
    assert!(runtime.block_on(&mut waiting));
    drop(waiting);
    let mut acknowledged = Vec::new();
    while acknowledged.len() as u64 <= taken {
        match port.requests.blocking_recv().expect("the store thread") {
            LinkRequest::Acknowledge { token, .. } => acknowledged.push(token),
            // A checkpoint.
            LinkRequest::Publish { .. } => {}
        }
    }
    assert_eq!(acknowledged, (0..=taken).collect::<Vec<_>>());
    assert_eq!(delivery.stats().unwrap().receipts, taken + 1);
    delivery.close().unwrap();
    assert!(!runtime.block_on(port.reporter.report(received(0))), "nobody there");
}

/// 100 commands, 100 grants, junk and receipts come while the disk syncs.
#[test]
fn all_that_waits_shares_one_sync() {
    use kerbside_wire::testing::{command, grant};
    use std::sync::atomic::Ordering::Relaxed;
    let dir = tempfile::tempdir().unwrap();
    let keys = kerbside_wire::testing::keys();
    let settings =
        DeliverySettings { syncs: gated::syncs(), keys, ..DeliverySettings::new(dir.path(), false) };
    let (delivery, opened) = Delivery::open(settings, who(), clock()).unwrap();
    let mut port = opened.link;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (epoch, session, session_present, window, max_packet) = (1, 1, true, 8, 1 << 20);
    let up = LinkReport::Connected { epoch, session, session_present, window, max_packet };
    assert!(runtime.block_on(port.reporter.report(up)));
    assert!(matches!(port.requests.blocking_recv(), Some(LinkRequest::Publish { .. })), "the birth");

    let recheck = |id: &str| {
        let data = command::data(id, "recheck", serde_json::json!({"incident_id": "I1"}));
        ("cmd/recheck", command::sealed(&data).into_bytes())
    };
    let wanted = |id: &str| ("grant", grant::sealed(&grant::data(id)).into_bytes());
    let mut messages = vec![("receipt", receipt("I0.0001"))];
    for i in 0..100 {
        messages.push(recheck(&format!("c{i}")));
        messages.push(wanted(&format!("g{i}")));
        messages.push(("cmd/restart", format!("junk {i}").into_bytes()));
        messages.push(("receipt", receipt(&format!("I{i}.0002"))));
    }
    // The same again is the same.
    messages.push(recheck("c7"));
    messages.push(wanted("g7"));

    gated::close(true);
    let before = gated::SYNCS.load(Relaxed);
    let count = messages.len();
    for (token, (topic, payload)) in messages.into_iter().enumerate() {
        let (topic, token) = (format!("cg/v1/310112/mh-xz-017/{topic}"), token as u64);
        let received = LinkReport::Received { epoch, token, topic, payload, retain: false };
        assert!(runtime.block_on(port.reporter.report(received)));
    }
    gated::close(false);
    let mut acknowledged = Vec::new();
    while acknowledged.len() < count {
        match port.requests.blocking_recv().expect("the store thread") {
            LinkRequest::Acknowledge { token, .. } => acknowledged.push(token),
            LinkRequest::Publish { .. } => {}
        }
    }
    // What was taken before the gate closed, the rest, what must know of the rest (twice), the upkeep.
    let syncs = gated::SYNCS.load(Relaxed) - before;
    assert!(syncs <= 8, "{syncs} syncs");
    assert_eq!(acknowledged, (0..count as u64).collect::<Vec<_>>(), "in order");
    let stats = delivery.stats().unwrap();
    assert_eq!((stats.commands, stats.receipts, stats.refused), (100, 101, 100));
    delivery.close().unwrap();
    drop(delivery);
    let (ledger, _) = open(dir.path(), false);
    let grants = ledger.inputs().iter().filter(|i| matches!(i.input, StageInput::Grant(_))).count();
    assert_eq!(grants, 100);
}

/// Not a channel's worth each time that the thread looks around.
#[test]
fn what_waits_for_the_stages_goes_as_fast_as_they_take_it() {
    const WAITING: usize = 3000;
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = open(dir.path(), false);
    let inbound = |i| match ledger.parse(RECEIPT, &receipt(&format!("OLD{i}.0001")), false) {
        Ok(wire::Inbound::Receipt(receipt)) => {
            Item::Inbound { input: StageInput::Receipt(receipt.said), received: None }
        }
        other => panic!("{other:?}"),
    };
    let items = (0..WAITING).map(inbound).collect();
    ledger.commit(items).unwrap();
    ledger.close().unwrap();
    drop(ledger);
    let settings = DeliverySettings::new(dir.path(), false);
    let (delivery, opened) = Delivery::open(settings, who(), clock()).unwrap();
    let (mut taken, mut pauses) = (0, 0);
    while taken < WAITING && pauses < WAITING / 100 {
        match opened.inputs.recv_timeout(std::time::Duration::from_millis(200)) {
            Ok(_) => taken += 1,
            Err(_) => pauses += 1,
        }
    }
    // A loaded machine pauses now and then.
    assert!(taken == WAITING && pauses <= 3, "{taken} taken, {pauses} pauses");
    delivery.close().unwrap();
}
