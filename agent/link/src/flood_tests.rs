//! A broker that sends faster than the disk syncs, and whatever it likes: a real connection, a real store thread, syncs as an SD
//! card has them. In full, with 10,000 messages: `make faults FAULT=flood`.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use kerbside_domain::time::SystemClock;
use kerbside_site::config::{Centre, Protocol};
use kerbside_testkit::wait::{self, Watched};
use kerbside_testkit::{Flood, FloodBroker, LIMIT};
use kerbside_trace::delivery::{Delivery, DeliverySettings, StageInput};
use kerbside_trace::journal::{RecordKind, Syncs, audit};
use kerbside_wire::testing::{report, who};

use super::*;

/// Twice what may be held unacknowledged, and more than one sync takes in.
const MESSAGES: u16 = 2600;
/// Journal of one message of the centre, bytes, with all that is written beside it.
const BYTES_A_MESSAGE: u64 = 1024;

/// As long as an SD card takes.
fn slow_sync(file: &File) -> std::io::Result<()> {
    wait::sleep(Duration::from_millis(30));
    file.sync_data()
}

fn stands_a_flood(protocol: Protocol, breaks_after: Option<usize>) {
    let flood = Flood { messages: MESSAGES, breaks_after };
    let broker = FloodBroker::start(flood).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let syncs = Syncs { file: slow_sync, ..Syncs::default() };
    let settings = DeliverySettings { syncs, ..DeliverySettings::new(dir.path(), false) };
    let clock = Arc::new(SystemClock::default());
    let (delivery, opened) = Delivery::open(settings, who(), clock.clone()).unwrap();
    let inputs = opened.inputs;
    let taken = Arc::new(Watched::new(Vec::new()));
    let stage = taken.clone();
    std::thread::spawn(move || {
        for stored in inputs {
            let id = match stored.input {
                StageInput::Receipt(receipt) => receipt.id,
                StageInput::Case(case) => case.case_no.unwrap(),
                other => panic!("somebody forged {other:?}"),
            };
            stage.change(|ids| ids.push(id));
        }
    });
    let centre = Centre { protocol, receipts: false, ..Centre::at("127.0.0.1", broker.port()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let settings = LinkSettings::new(&centre, "mh-xz-017");
    let status = settings.status.clone();
    let link = runtime.block_on(async { spawn(settings, opened.link, clock) });

    broker.until("the first acknowledgement", LIMIT, |s| (!s.acknowledged.is_empty()).then_some(())).unwrap();
    for live in 1..=5 {
        delivery.send(kerbside_wire::matter(&who(), &report(&format!("LIVE{live}"), 1), None, None)).unwrap();
    }
    broker.until("live reports", LIMIT, |s| (s.reports.len() == 5).then_some(())).unwrap();
    broker.until("all acknowledgements", LIMIT, |s| s.drained).unwrap();
    assert_eq!(broker.read(|s| s.connections), 1 + usize::from(breaks_after.is_some()));
    assert_eq!(status.now().health, LinkHealth::Up);

    let true_ones = flood.receipts() + flood.cases();
    let all = |ids: &Vec<String>| (ids.len() >= true_ones).then_some(());
    taken.until("every true one at a stage", LIMIT, all, |ids| ids.len().to_string()).unwrap();
    taken.read(|ids| assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "each came once"));

    runtime.block_on(link.stop(5.0));
    delivery.close().unwrap();
    let (mut receipts, mut cases, mut refused) = (0, 0, 0);
    audit::read(&dir.path().join("journal"), &mut |record, _| {
        receipts += usize::from(record.kind == RecordKind::Receipt);
        cases += usize::from(record.kind == RecordKind::Case);
        refused += u16::from(record.kind == RecordKind::Refused);
    })
    .unwrap();
    assert_eq!((receipts, cases), (flood.receipts(), flood.cases()), "each was journalled once");
    assert!((1..200).contains(&refused), "some junk is journalled, the rest counted: {refused}");
    let journal: u64 = std::fs::read_dir(dir.path().join("journal"))
        .unwrap()
        .map(|f| f.unwrap().metadata().unwrap().len())
        .sum();
    assert!(journal < u64::from(MESSAGES) * BYTES_A_MESSAGE, "{journal} bytes of journal");
}

#[test]
fn thousands_at_once_cost_no_connection_v5() {
    stands_a_flood(Protocol::V5, None);
}

#[test]
fn thousands_at_once_cost_no_connection_v311() {
    stands_a_flood(Protocol::V311, None);
}

/// The broker sends all of them again, also those that were journalled.
#[test]
fn a_connection_that_breaks_among_them_costs_no_second_record() {
    stands_a_flood(Protocol::V5, Some(500));
}

/// A disk that refuses for a while: what came down is journalled and acknowledged when it takes something again, on the same
/// connection.
#[test]
fn what_the_disk_refused_is_acknowledged_on_the_same_connection() {
    static REFUSES: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    fn sync(file: &File) -> std::io::Result<()> {
        if REFUSES.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(std::io::Error::from_raw_os_error(28));
        }
        file.sync_data()
    }
    let broker = FloodBroker::start(Flood { messages: 40, breaks_after: None }).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let settings = DeliverySettings {
        syncs: Syncs { file: sync, ..Syncs::default() },
        ..DeliverySettings::new(dir.path(), false)
    };
    let clock = Arc::new(SystemClock::default());
    let (delivery, opened) = Delivery::open(settings, who(), clock.clone()).unwrap();
    REFUSES.store(true, std::sync::atomic::Ordering::Relaxed);
    let centre = Centre { receipts: false, ..Centre::at("127.0.0.1", broker.port()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let link = runtime.block_on(async { spawn(LinkSettings::new(&centre, "mh-xz-017"), opened.link, clock) });
    let errors = || delivery.stats().map(|stats| stats.append_errors).unwrap_or_default();
    wait::poll("the disk's refusal", LIMIT, Duration::from_millis(20), || {
        let errors = errors();
        Ok(if errors > 3 { Ok(()) } else { Err(errors.to_string()) })
    })
    .unwrap();
    assert!(broker.read(|s| s.acknowledged.is_empty()), "not journalled, not acknowledged");
    REFUSES.store(false, std::sync::atomic::Ordering::Relaxed);
    broker.until("all acknowledgements", LIMIT, |s| s.drained).unwrap();
    assert_eq!(broker.read(|s| s.connections), 1);
    runtime.block_on(link.stop(2.0));
    delivery.close().unwrap();
}
