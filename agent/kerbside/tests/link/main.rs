//! The whole delivery against real brokers: mosquitto, killed and started again, and the embedded one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What fails here fails the test.

mod brokers;
mod commands;
mod ways;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use serde_json::Value;

use kerbside::centre::{self, BrokerAddress, Tally, WatchOptions};
use kerbside_domain::time::SystemClock;
use kerbside_link::LinkSettings;
use kerbside_site::config::{Centre, Protocol, Tls};
#[cfg(feature = "embedded-broker")]
use kerbside_testkit::free_port;
use kerbside_testkit::wait::Watched;
use kerbside_testkit::{Broker, certificates, renew_certificate};
use kerbside_trace::delivery::{Delivery, DeliverySettings, OpenedDelivery, StageInput, StoredInput};
use kerbside_wire as wire;
use kerbside_wire::testing::{report, who};

/// Nothing here takes longer unless it hangs, and whoever waits for it must end before the test is ended.
const LIMIT: Duration = Duration::from_secs(60);

/// mosquitto that remembers nothing over its death.
fn forgetful_broker() -> (tempfile::TempDir, Broker) {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with_settings(dir.path(), "allow_anonymous true\npersistence false").unwrap();
    (dir, broker)
}

fn centre(port: u16, protocol: Protocol, receipts: bool) -> Centre {
    Centre { protocol, receipts, keep_alive_s: 5, ..Centre::at("127.0.0.1", port) }
}

fn open(dir: &Path, receipts: bool) -> (Delivery, OpenedDelivery) {
    let mut settings = DeliverySettings::new(dir, receipts);
    settings.outbox.retry_s = 1.0;
    settings.outbox.retry_max_s = 1.0;
    Delivery::open(settings, who(), Arc::new(SystemClock::new())).unwrap()
}

fn link(centre: &Centre, opened: OpenedDelivery) -> (kerbside_link::LinkHandle, Receiver<StoredInput>) {
    let mut settings = LinkSettings::new(centre, "mh-xz-017");
    (settings.backoff_min_s, settings.backoff_max_s) = (0.05, 0.2);
    (kerbside_link::spawn(settings, opened.link, Arc::new(SystemClock::new())), opened.inputs)
}

/// Lines as they are written.
struct Lines(Arc<Watched<Vec<Value>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        unreachable!("{bytes:?} goes through write_all")
    }
    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if let Ok(event) = serde_json::from_slice(bytes) {
            self.0.change(|events| events.push(event));
        }
        Ok(())
    }
    fn write_fmt(&mut self, text: std::fmt::Arguments<'_>) -> std::io::Result<()> {
        self.write_all(text.to_string().as_bytes())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The centre's client, as a task.
struct Client {
    events: Arc<Watched<Vec<Value>>>,
    /// So many of them have been looked at.
    read: Cell<usize>,
    task: tokio::task::JoinHandle<anyhow::Result<Tally>>,
}

impl Client {
    fn start(broker: String, tls: Option<Tls>, receipts: bool, max: Option<u64>) -> Self {
        let events: Arc<Watched<Vec<Value>>> = Arc::default();
        let lines = Lines(events.clone());
        let args = WatchOptions {
            broker: BrokerAddress { broker, tls },
            division: None,
            edge: None,
            receipts,
            key: None,
            json: true,
            max,
            until_idle_s: None,
            evidence_dir: None,
        };
        let task = tokio::spawn(async move {
            let mut lines = lines;
            centre::watch_until(&args, &mut lines, std::future::pending()).await
        });
        Client { events, read: Cell::new(0), task }
    }

    /// The next event that `wanted` says yes to.
    fn until(&self, awaited: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let first = self.read.get();
        let next = |events: &Vec<Value>| {
            let unread = events.iter().enumerate().skip(first);
            unread.into_iter().find(|(_, event)| wanted(event)).map(|(at, event)| (at, event.clone()))
        };
        let came = |events: &Vec<Value>| format!("{:?}", events.get(first..));
        let (at, event) =
            tokio::task::block_in_place(|| self.events.until(awaited, LIMIT, next, came)).unwrap();
        self.read.set(at + 1);
        event
    }

    fn state(&self, state: &str) -> Value {
        self.until(&format!("state {state}"), |e| e["data"]["state"] == state)
    }

    async fn tally(self) -> Tally {
        match tokio::time::timeout(LIMIT, self.task).await {
            Ok(ended) => ended.unwrap().unwrap(),
            Err(_) => panic!(
                "awaited: the end of the client; it did not come within {LIMIT:?}\nwhat came: {:?}",
                self.events.read(Clone::clone)
            ),
        }
    }
}

/// What comes down next, beyond the receipts that came.
fn next(inbound: &Receiver<StoredInput>, receipts: &BTreeSet<String>) -> StoredInput {
    match tokio::task::block_in_place(|| inbound.recv_timeout(LIMIT)) {
        Ok(next) => next,
        Err(_) => panic!(
            "awaited: another receipt; it did not come within {LIMIT:?}\nwhat came: {} receipts, {receipts:?}",
            receipts.len()
        ),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn round_trip(port: u16, protocol: Protocol) {
    let url = format!("mqtt://127.0.0.1:{port}");
    let dir = tempfile::tempdir().unwrap();
    let (delivery, opened) = open(dir.path(), true);
    let watch = Client::start(url.clone(), None, true, Some(20));
    for i in 0..10 {
        delivery.send(wire::matter(&who(), &report(&format!("INC{i:02}"), 1), None, None)).unwrap();
    }
    let (handle, inbound) = link(&centre(port, protocol, true), opened);
    let birth = watch.state("online");
    assert!(birth["data"]["session"].as_u64().unwrap() > 1_000_000);
    for i in 10..20 {
        delivery.send(wire::matter(&who(), &report(&format!("INC{i:02}"), 1), None, None)).unwrap();
    }
    let tally = watch.tally().await;
    assert_eq!(tally.incidents, 20);
    // Each report gets its receipt, with the case number, and leaves the outbox.
    let mut receipts = BTreeSet::new();
    let later = Client::start(url.clone(), None, true, None);
    while receipts.len() < 20 {
        let next = next(&inbound, &receipts);
        let StageInput::Receipt(receipt) = &next.input else { panic!("{next:?}") };
        assert!(receipt.case_no.as_deref().is_some_and(|c| c.starts_with("W-")), "{receipt:?}");
        receipts.insert(receipt.id.clone());
        delivery.consumed(next.n).unwrap();
    }
    let lane = delivery.stats().unwrap().outbox[0];
    assert_eq!((lane.queued, lane.waiting), (0, 0));
    // A farewell is retained: who comes later reads it.
    handle.stop(10.0).await;
    later.state("offline");
    later.task.abort();
    let late = Client::start(url, None, false, None);
    assert_eq!(late.state("offline")["data"]["session"], birth["data"]["session"]);
    delivery.close().unwrap();
}

#[test]
fn reports_and_receipts_go_round_over_mqtt_5_and_3_1_1() {
    let (_files, broker) = forgetful_broker();
    runtime().block_on(round_trip(broker.port(), Protocol::V5));
    let (_files, broker) = forgetful_broker();
    runtime().block_on(round_trip(broker.port(), Protocol::V311));
}

#[test]
fn a_broker_killed_in_mid_run_costs_nothing() {
    const ALL: usize = 120;
    let (_files, mut broker) = forgetful_broker();
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let (delivery, opened) = open(dir.path(), true);
        let watch =
            Client::start(format!("mqtt://127.0.0.1:{}", broker.port()), None, true, Some(ALL as u64));
        let (handle, inbound) = link(&centre(broker.port(), Protocol::V5, true), opened);
        watch.state("online");
        let send = |range: std::ops::Range<usize>| {
            for i in range {
                delivery.send(wire::matter(&who(), &report(&format!("INC{i:03}"), 1), None, None)).unwrap();
            }
        };
        send(0..40);
        watch.until("the sixth report", |e| e["id"] == "INC005.0001");
        broker.kill().unwrap();
        send(40..80);
        broker.resume().unwrap();
        watch.until("a report", |e| e["type"] == "kerbside.matter.opened.v1");
        broker.kill().unwrap();
        broker.resume().unwrap();
        send(80..ALL);
        let tally = watch.tally().await;
        assert_eq!((tally.incidents, tally.malformed), (ALL, 0), "{tally:?}");
        let late = Client::start(format!("mqtt://127.0.0.1:{}", broker.port()), None, true, None);
        let mut receipts = BTreeSet::new();
        while receipts.len() < ALL {
            let next = next(&inbound, &receipts);
            if let StageInput::Receipt(receipt) = next.input {
                receipts.insert(receipt.id);
            }
        }
        late.task.abort();
        let lane = delivery.stats().unwrap().outbox[0];
        assert_eq!((lane.queued, lane.waiting), (0, 0));
        handle.stop(10.0).await;
    });
}

#[test]
fn an_agent_that_dies_is_missed_and_what_it_promised_comes_after_its_restart() {
    let (_files, broker) = forgetful_broker();
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let url = format!("mqtt://127.0.0.1:{}", broker.port());
        let watch = Client::start(url, None, true, Some(30));
        let (delivery, opened) = open(dir.path(), true);
        let (handle, _inbound) = link(&centre(broker.port(), Protocol::V5, true), opened);
        let first = watch.state("online");
        let send = |range: std::ops::Range<u32>| {
            for i in range {
                delivery.send(wire::matter(&who(), &report(&format!("INC{i:02}"), 1), None, None)).unwrap();
            }
        };
        send(0..15);
        watch.until("a report", |e| e["type"] == "kerbside.matter.opened.v1");
        // No goodbye: the broker tells the will, and it names the session that died.
        handle.abort();
        let lost = watch.state("lost");
        assert_eq!(lost["data"]["session"], first["data"]["session"]);
        send(15..30);
        delivery.close().unwrap();
        drop(delivery);
        let (_delivery, opened) = open(dir.path(), true);
        let (_handle, _inbound) = link(&centre(broker.port(), Protocol::V5, true), opened);
        let second = watch.state("online");
        assert!(second["data"]["session"].as_u64() > first["data"]["session"].as_u64());
        assert_eq!(watch.tally().await.incidents, 30);
    });
}

#[test]
fn tls_with_a_private_ca_and_a_client_certificate() {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path(), &["server", "mh-xz-017"]).unwrap();
    let file = |name: &str| dir.path().join(name);
    let more = format!(
        "cafile {0}/ca.pem\ncertfile {0}/server.pem\nkeyfile {0}/server.key\nrequire_certificate true\nuse_identity_as_username true",
        dir.path().display()
    );
    let broker = Broker::with_settings(dir.path(), &more).unwrap();
    let tls = Tls {
        ca_file: file("ca.pem"),
        cert_file: Some(file("mh-xz-017.pem")),
        key_file: Some(file("mh-xz-017.key")),
    };
    runtime().block_on(async {
        let (delivery, opened) = open(&dir.path().join("box"), false);
        let watch =
            Client::start(format!("mqtts://127.0.0.1:{}", broker.port()), Some(tls.clone()), false, Some(1));
        let centre = Centre { tls: Some(tls), ..centre(broker.port(), Protocol::V5, false) };
        let (handle, _inbound) = link(&centre, opened);
        watch.state("online");
        delivery.send(wire::matter(&who(), &report("INC", 1), None, None)).unwrap();
        assert_eq!(watch.tally().await.incidents, 1);
        handle.stop(10.0).await;
    });
}

/// The old certificate stays in use while the new one is half written, and the box need not be told.
#[test]
fn a_replaced_certificate_is_used_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path(), &["server", "mh-xz-017"]).unwrap();
    let file = |name: &str| dir.path().join(name);
    let more = format!(
        "cafile {0}/ca.pem\ncertfile {0}/server.pem\nkeyfile {0}/server.key\nrequire_certificate true\nallow_anonymous true",
        dir.path().display()
    );
    let broker = Broker::with_settings(dir.path(), &more).unwrap();
    let name = |who: &str| Tls {
        ca_file: file("ca.pem"),
        cert_file: Some(file(&format!("{who}.pem"))),
        key_file: Some(file(&format!("{who}.key"))),
    };
    let url = format!("mqtts://127.0.0.1:{}", broker.port());
    runtime().block_on(async {
        let (delivery, opened) = open(&dir.path().join("box"), false);
        let watch = Client::start(url, Some(name("server")), false, Some(2));
        let centre = Centre { tls: Some(name("mh-xz-017")), ..centre(broker.port(), Protocol::V5, false) };
        let mut settings = LinkSettings::new(&centre, "mh-xz-017");
        settings.renewal_s = 0.1;
        let handle = kerbside_link::spawn(settings, opened.link, Arc::new(SystemClock::new()));
        let first = watch.state("online")["data"]["session"].as_u64().unwrap();
        std::fs::write(file("mh-xz-017.pem"), "half").unwrap();
        delivery.send(wire::matter(&who(), &report("INC", 1), None, None)).unwrap();
        watch.until("a report", |e| e["type"] == "kerbside.matter.opened.v1");
        renew_certificate(dir.path(), "mh-xz-017").unwrap();
        assert!(watch.state("online")["data"]["session"].as_u64().unwrap() > first);
        delivery.send(wire::matter(&who(), &report("INC2", 1), None, None)).unwrap();
        assert_eq!(watch.tally().await.incidents, 2);
        handle.stop(10.0).await;
    });
}

#[cfg(feature = "embedded-broker")]
#[test]
fn the_embedded_broker_serves_both_versions() {
    let address = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let (v5, v4) = (free_port().unwrap(), free_port().unwrap());
    kerbside_link::embedded::start(address(v5), Some(address(v4))).unwrap();
    runtime().block_on(async {
        for (protocol, port) in [(Protocol::V5, v5), (Protocol::V311, v4)] {
            let dir = tempfile::tempdir().unwrap();
            let (delivery, opened) = open(dir.path(), false);
            let watch = Client::start(format!("mqtt://127.0.0.1:{v5}"), None, false, Some(5));
            for i in 0..5 {
                delivery
                    .send(wire::matter(&who(), &report(&format!("INC{port}{i}"), 1), None, None))
                    .unwrap();
            }
            let (handle, _inbound) = link(&centre(port, protocol, false), opened);
            assert_eq!(watch.tally().await.incidents, 5, "{protocol:?}");
            handle.stop(5.0).await;
        }
    });
}
