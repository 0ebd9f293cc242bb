//! The store thread's turns, one by one.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::bounded;
use kerbside_domain::time::{Mono, VirtualClock};
use kerbside_wire::testing::who;
use tokio::sync::Semaphore;

use super::*;
use crate::delivery::room::Room;
use crate::delivery::settings::DeliverySettings;
use crate::journal::Syncs;

static REFUSES: AtomicBool = AtomicBool::new(false);

fn sync(file: &File) -> std::io::Result<()> {
    match REFUSES.load(Ordering::Relaxed) {
        true => Err(std::io::Error::from_raw_os_error(28)),
        false => file.sync_data(),
    }
}

#[test]
fn only_a_record_on_the_disk_shows_that_it_takes_something_again() {
    let dir = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(1_795_221_065_120);
    let syncs = Syncs { file: sync, ..Syncs::default() };
    let settings = DeliverySettings { syncs, ..DeliverySettings::new(dir.path(), true) };
    let (ledger, _) = Ledger::open(settings, who(), clock.clone()).unwrap();
    let (_requests, inbox) = bounded(1);
    let (to_stages, _inputs) = bounded(1);
    let (to_link, mut link) = mpsc::channel(8);
    let mut thread = StoreThread::new(ledger, inbox, to_stages, to_link, Default::default());
    let (epoch, session, session_present, window, max_packet) = (1, 1, true, 8, 1 << 20);
    thread.link(LinkReport::Connected { epoch, session, session_present, window, max_packet });

    REFUSES.store(true, Ordering::Relaxed);
    let payload =
        br#"{"specversion":"1.0","type":"kerbside.receipt.v1","data":{"id":"A.0001","result":"accepted"}}"#;
    let room = Room::new(Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap());
    let (topic, payload) = ("cg/v1/310112/mh-xz-017/receipt".to_owned(), payload.to_vec());
    let mut group = Vec::new();
    thread
        .join_received(ReceivedMessage { epoch, token: 7, topic, payload, retain: false, room }, &mut group);
    thread.commit(group);
    assert_eq!((thread.refused_at.is_some(), thread.unwritten.len()), (true, 1));
    // What goes well and writes nothing: a word about a message that is not there, upkeep with nothing to keep up.
    thread.link(LinkReport::Rejected { epoch, seq: 999, reason: String::new() });
    assert!(thread.refused_at.is_some(), "nothing was written");
    thread.after_turn();
    assert!(thread.refused_at.is_some(), "nothing was written");

    REFUSES.store(false, Ordering::Relaxed);
    clock.advance_to(Mono::from_s(2.0 * UNWRITTEN_RETRY_S));
    thread.after_turn();
    assert_eq!((thread.refused_at, thread.unwritten.len()), (None, 0));
    let requests: Vec<_> = std::iter::from_fn(|| link.try_recv().ok()).collect();
    assert!(requests.contains(&LinkRequest::Acknowledge { epoch, token: 7 }), "{requests:?}");
}
