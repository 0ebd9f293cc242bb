//! A broker that sends faster than the disk syncs, and whatever it likes: a real connection, a real store thread, syncs as an SD
//! card has them. In full, with 10,000 messages: `make faults FAULT=flood`.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kerbside_domain::time::SystemClock;
use kerbside_site::config::{Centre, Protocol};
use kerbside_testkit::wait::{self, Watched};
use kerbside_testkit::{Flood, FloodBroker, LIMIT};
use kerbside_trace::delivery::{Delivery, DeliverySettings, Item, StageInput};
use kerbside_trace::journal::{RecordKind, Syncs, audit};
use kerbside_wire::testing::who;
use tokio::runtime::Runtime;

use super::testing::{matter, runtime};
use super::*;

/// Brings a file of the journal onto the disk.
type Sync = fn(&File) -> std::io::Result<()>;

/// Twice what may be held unacknowledged, and more than one sync takes in.
const MESSAGES: u16 = 2600;
/// Journal of one message of the centre, bytes, with all that is written beside it.
const BYTES_A_MESSAGE: u64 = 1024;

/// As long as an SD card takes.
fn slow_sync(file: &File) -> std::io::Result<()> {
    wait::sleep(Duration::from_millis(30));
    file.sync_data()
}

/// A box whose link is up, or soon will be, with that backlog of reports.
struct Bench {
    dir: tempfile::TempDir,
    delivery: Delivery,
    /// Ids of what came down and reached a stage.
    taken: Arc<Watched<Vec<String>>>,
    status: LinkWatch,
    link: LinkHandle,
    runtime: Runtime,
}

impl Bench {
    /// `ready`: called before the link is made.
    fn start(broker: &FloodBroker, protocol: Protocol, sync: Sync, backlog: usize, ready: fn()) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let syncs = Syncs { file: sync, ..Syncs::default() };
        let settings = DeliverySettings { syncs, ..DeliverySettings::new(dir.path(), false) };
        let clock = Arc::new(SystemClock::default());
        let (delivery, opened) = Delivery::open(settings, who(), clock.clone()).unwrap();
        delivery.commit((0..backlog).map(|i| item(&format!("OLD{i}"))).collect()).unwrap();
        ready();
        let taken = Arc::new(Watched::new(Vec::new()));
        let stage = taken.clone();
        std::thread::spawn(move || {
            for stored in opened.inputs {
                let id = match stored.input {
                    StageInput::Receipt(receipt) => receipt.id,
                    StageInput::Case(case) => case.case_no.unwrap(),
                    other => panic!("somebody forged {other:?}"),
                };
                stage.change(|ids| ids.push(id));
            }
        });
        let centre = Centre { protocol, receipts: false, ..Centre::at("127.0.0.1", broker.port()) };
        let settings = LinkSettings::new(&centre, "mh-xz-017");
        let (status, runtime) = (settings.status.clone(), runtime());
        let link = runtime.block_on(async { spawn(settings, opened.link, clock) });
        Bench { dir, delivery, taken, status, link, runtime }
    }

    /// The folder, with all that was journalled.
    fn stop(self) -> tempfile::TempDir {
        self.runtime.block_on(self.link.stop(5.0));
        self.delivery.close().unwrap();
        self.dir
    }
}

fn item(incident_id: &str) -> Item {
    Item::Message(Box::new(matter(incident_id)))
}

fn stands_a_flood(protocol: Protocol, breaks_after: Option<usize>) {
    let flood = Flood { messages: MESSAGES, breaks_after, receive_max: None };
    let broker = FloodBroker::start(flood).unwrap();
    let bench = Bench::start(&broker, protocol, slow_sync, 0, || {});

    broker.until("the first acknowledgement", LIMIT, |s| (!s.acknowledged.is_empty()).then_some(())).unwrap();
    for live in 1..=5 {
        bench.delivery.send(matter(&format!("LIVE{live}"))).unwrap();
    }
    broker.until("live reports", LIMIT, |s| (s.reports.len() == 5).then_some(())).unwrap();
    broker.until("all acknowledgements", LIMIT, |s| s.drained).unwrap();
    assert_eq!(broker.read(|s| s.connections), 1 + usize::from(breaks_after.is_some()));
    assert_eq!(bench.status.now().health, LinkHealth::Up);

    let true_ones = flood.receipts() + flood.cases();
    let all = |ids: &Vec<String>| (ids.len() >= true_ones).then_some(());
    bench.taken.until("every true one at a stage", LIMIT, all, |ids| ids.len().to_string()).unwrap();
    bench
        .taken
        .read(|ids| assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "each came once"));

    let dir = bench.stop();
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

/// The broker lets so many publishes go without PUBACK, its PUBACKs stand behind the flood, and reports of a long outage wait:
/// part of the window is kept for the live ones.
fn live_reports_do_not_wait_for_the_flood(receive_max: u16) {
    static HELD: AtomicBool = AtomicBool::new(false);
    fn sync(file: &File) -> std::io::Result<()> {
        while HELD.load(Ordering::Relaxed) {
            wait::sleep(Duration::from_millis(1));
        }
        slow_sync(file)
    }
    let flood = Flood { messages: 12_000, receive_max: Some(receive_max), ..Flood::default() };
    let broker = FloodBroker::start(flood).unwrap();
    let bench = Bench::start(&broker, Protocol::V5, sync, 300, || {});
    broker.until("the first acknowledgement", LIMIT, |s| (!s.acknowledged.is_empty()).then_some(())).unwrap();
    // The disk waits until the live reports are on their way to it.
    HELD.store(true, Ordering::Relaxed);
    std::thread::scope(|scope| {
        let (begins, begun) = std::sync::mpsc::channel();
        let delivery = &bench.delivery;
        scope.spawn(move || {
            begins.send(()).unwrap();
            delivery.commit(vec![item("LIVE1"), item("LIVE2")]).unwrap();
        });
        begun.recv().unwrap();
        HELD.store(false, Ordering::Relaxed);
    });
    broker.until("all acknowledgements", LIMIT, |s| s.drained).unwrap();
    broker.until("all reports", LIMIT, |s| (s.reports.len() == 302).then_some(())).unwrap();
    broker.read(|s| {
        for live in ["LIVE1.0001", "LIVE2.0001"] {
            let (before, came) = (s.acknowledged_before[live], s.reports[live]);
            assert!(before < 6000, "{live} came when {before} were acknowledged");
            let backlog = s.reports.iter().filter(|(id, at)| id.starts_with("OLD") && **at < came).count();
            assert!(
                (1..=usize::from(receive_max)).contains(&backlog),
                "{backlog} of the backlog came before {live}"
            );
        }
        assert!(
            s.most_unanswered <= usize::from(receive_max),
            "{} publishes without PUBACK",
            s.most_unanswered
        );
    });
    bench.stop();
}

#[test]
fn live_reports_do_not_wait_for_the_flood_with_a_receive_maximum_of_4() {
    live_reports_do_not_wait_for_the_flood(4);
}

/// As mosquitto has it.
#[test]
fn live_reports_do_not_wait_for_the_flood_with_a_receive_maximum_of_20() {
    live_reports_do_not_wait_for_the_flood(20);
}

/// A disk that refuses for a while: what came down is journalled and acknowledged when it takes something again, on the same
/// connection.
#[test]
fn what_the_disk_refused_is_acknowledged_on_the_same_connection() {
    static REFUSES: AtomicBool = AtomicBool::new(false);
    fn sync(file: &File) -> std::io::Result<()> {
        match REFUSES.load(Ordering::Relaxed) {
            true => Err(std::io::Error::from_raw_os_error(28)),
            false => file.sync_data(),
        }
    }
    let broker = FloodBroker::start(Flood { messages: 40, ..Flood::default() }).unwrap();
    let bench = Bench::start(&broker, Protocol::V5, sync, 0, || REFUSES.store(true, Ordering::Relaxed));
    let errors = || bench.delivery.stats().map(|stats| stats.append_errors).unwrap_or_default();
    wait::poll("the disk's refusal", LIMIT, Duration::from_millis(20), || {
        let errors = errors();
        Ok(if errors > 3 { Ok(()) } else { Err(errors.to_string()) })
    })
    .unwrap();
    assert!(broker.read(|s| s.acknowledged.is_empty()), "not journalled, not acknowledged");
    REFUSES.store(false, Ordering::Relaxed);
    broker.until("all acknowledgements", LIMIT, |s| s.drained).unwrap();
    assert_eq!(broker.read(|s| s.connections), 1);
    bench.stop();
}
