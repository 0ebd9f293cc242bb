//! A broker that sends faster than the disk syncs: a real connection, a real store thread, syncs of 20 ms.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use kerbside_domain::time::SystemClock;
use kerbside_site::config::{Centre, Protocol};
use kerbside_testkit::LIMIT;
use kerbside_testkit::mqtt::{self, Connack, Packet};
use kerbside_testkit::wait::{self, Watched};
use kerbside_trace::delivery::{Delivery, DeliverySettings, StageInput};
use kerbside_trace::journal::{RecordKind, Syncs, audit};
use kerbside_wire::testing::{report, who};

use super::*;

const SYNC: Duration = Duration::from_millis(20);
const WAITING: u16 = 600;

/// As long as an SD card takes.
fn slow_sync(file: &File) -> std::io::Result<()> {
    wait::sleep(SYNC);
    file.sync_data()
}

#[derive(Debug, Default)]
struct Flood {
    /// The first connection breaks after so many acknowledgements.
    breaks_after: Option<u16>,
    connections: usize,
    acknowledged: u16,
    /// How much was acknowledged when the report came.
    report_after: Option<u16>,
}

fn receipt(i: u16) -> Vec<u8> {
    let data = serde_json::json!({"id": format!("OLD{i}.0001"), "result": "accepted"});
    serde_json::json!({"specversion": "1.0", "type": "kerbside.receipt.v1", "data": data})
        .to_string()
        .into_bytes()
}

/// Sends all that waits at once, whatever the client said of Receive Maximum; again on each connection that lost some.
fn serve(mut stream: &TcpStream, flood: &Watched<Flood>) -> Option<()> {
    let Packet::Connect { v5, .. } = mqtt::read(&mut stream, false).ok()?? else { return None };
    flood.change(|f| {
        f.connections += 1;
        f.acknowledged = 0;
    });
    mqtt::connack(&mut stream, v5, Connack { session_present: true, ..Connack::default() }).ok()?;
    loop {
        match mqtt::read(&mut stream, v5).ok()?? {
            Packet::Subscribe { pkid, filters } => {
                mqtt::suback(&mut stream, v5, pkid, filters.len()).ok()?;
                for i in 1..=WAITING {
                    let topic = "cg/v1/310112/mh-xz-017/receipt";
                    mqtt::publish_down(&mut stream, v5, topic, i, &receipt(i)).ok()?;
                }
            }
            Packet::Publish { topic, pkid, .. } => {
                if topic.contains("/matter/") {
                    flood.change(|f| f.report_after = f.report_after.or(Some(f.acknowledged)));
                }
                mqtt::puback(&mut stream, pkid).ok()?;
            }
            Packet::Ping => mqtt::pong(&mut stream).ok()?,
            Packet::Disconnect => return Some(()),
            Packet::Other => {
                let breaks = flood.change(|f| {
                    f.acknowledged += 1;
                    f.connections == 1 && f.breaks_after == Some(f.acknowledged)
                });
                if breaks {
                    return None;
                }
            }
            Packet::Connect { .. } => return None,
        }
    }
}

fn stands_a_flood(protocol: Protocol, breaks_after: Option<u16>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let flood = Arc::new(Watched::new(Flood { breaks_after, ..Flood::default() }));
    let served = flood.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // However it ends: the next connection may come.
            let _ = serve(&stream, &served);
        }
    });

    let dir = tempfile::tempdir().unwrap();
    let syncs = Syncs { file: slow_sync, ..Syncs::default() };
    let settings = DeliverySettings { syncs, ..DeliverySettings::new(dir.path(), false) };
    let clock = Arc::new(SystemClock::default());
    let (delivery, opened) = Delivery::open(settings, who(), clock.clone()).unwrap();
    let inputs = opened.inputs;
    let receipts = Arc::new(Watched::new(BTreeSet::new()));
    let taken = receipts.clone();
    std::thread::spawn(move || {
        for stored in inputs {
            let StageInput::Receipt(receipt) = stored.input else { panic!("{stored:?}") };
            taken.change(|ids| ids.insert(receipt.id));
        }
    });
    let centre = Centre { protocol, receipts: false, ..Centre::at("127.0.0.1", port) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let link = runtime.block_on(async { spawn(LinkSettings::new(&centre, "mh-xz-017"), opened.link, clock) });

    let seen = |f: &Flood| format!("{f:?}");
    flood.until("the first acknowledgement", LIMIT, |f| (f.acknowledged > 0).then_some(()), seen).unwrap();
    delivery.send(kerbside_wire::matter(&who(), &report("LIVE", 1), None, None)).unwrap();
    flood.until("the report", LIMIT, |f| f.report_after, seen).unwrap();
    let all = |f: &Flood| (f.acknowledged == WAITING).then_some(());
    flood.until("all acknowledgements", LIMIT, all, seen).unwrap();
    assert_eq!(flood.read(|f| f.connections), 1 + usize::from(breaks_after.is_some()));

    let stage_has_all = |ids: &BTreeSet<String>| (ids.len() == usize::from(WAITING)).then_some(());
    receipts.until("every receipt at a stage", LIMIT, stage_has_all, |ids| ids.len().to_string()).unwrap();

    runtime.block_on(link.stop(5.0));
    delivery.close().unwrap();
    let mut journalled = 0;
    audit::read(&dir.path().join("journal"), &mut |record, _| {
        journalled += u16::from(record.kind == RecordKind::Receipt);
    })
    .unwrap();
    assert_eq!(journalled, WAITING, "each was journalled once");
}

#[test]
fn six_hundred_receipts_at_once_cost_no_connection_v5() {
    stands_a_flood(Protocol::V5, None);
}

#[test]
fn six_hundred_receipts_at_once_cost_no_connection_v311() {
    stands_a_flood(Protocol::V311, None);
}

/// The broker sends all of them again, also those that were journalled.
#[test]
fn a_connection_that_breaks_among_them_costs_no_second_record() {
    stands_a_flood(Protocol::V5, Some(50));
}
