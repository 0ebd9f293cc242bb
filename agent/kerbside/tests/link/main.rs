//! The whole delivery against real brokers: mosquitto, killed and started again, and the embedded one.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use kerbside::centre as watch;
use kerbside_domain::time::SystemClock;
use kerbside_link::Settings;
use kerbside_link::testing::certificates;
use kerbside_site::config::{Centre, Protocol, Tls};
use kerbside_trace::delivery::{Delivery, DownInput, Opened};
use kerbside_wire as wire;
use kerbside_wire::testing::{report, who};

/// Nothing here takes longer unless it hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Debian's mosquitto with a configuration of our own; killed with the test.
struct Mosquitto {
    child: Child,
    dir: tempfile::TempDir,
    port: u16,
}

impl Mosquitto {
    fn start(port: u16, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("mosquitto.conf");
        let text = format!(
            "user root\npersistence false\nlistener {port} 127.0.0.1\nallow_anonymous true\n{more}\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut this = Mosquitto { child: Self::spawn(&config), dir, port };
        this.wait();
        this
    }

    fn spawn(config: &Path) -> Child {
        let path = format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default());
        let child = Command::new("mosquitto")
            .env("PATH", path)
            .arg("-c")
            .arg(config)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        child.expect("mosquitto is needed (Debian: mosquitto)")
    }

    /// Until it says that it runs.
    fn wait(&mut self) {
        let mut lines = BufReader::new(self.child.stderr.take().unwrap()).lines();
        let said: Vec<String> =
            lines.by_ref().map_while(Result::ok).take_while(|l| !l.ends_with("running")).collect();
        let running = self.child.try_wait().unwrap().is_none();
        assert!(running, "mosquitto: {said:?}");
        // Drained for as long as it lives, or it blocks.
        std::thread::spawn(move || lines.for_each(drop));
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = Self::spawn(&self.dir.path().join("mosquitto.conf"));
        self.wait();
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn centre(port: u16, protocol: Protocol, receipts: bool) -> Centre {
    Centre {
        host: "127.0.0.1".into(),
        port,
        protocol,
        receipts,
        keep_alive_s: 5,
        username: None,
        password_file: None,
        tls: None,
        keys: Vec::new(),
    }
}

fn open(dir: &Path, receipts: bool) -> (Delivery, Opened) {
    let mut settings = kerbside_trace::delivery::Settings::new(dir, receipts);
    settings.outbox.retry_s = 1.0;
    settings.outbox.retry_max_s = 1.0;
    Delivery::open(settings, who(), Arc::new(SystemClock::new())).unwrap()
}

fn link(
    centre: &Centre,
    opened: Opened,
) -> (kerbside_link::LinkHandle, crossbeam_channel::Receiver<kerbside_trace::delivery::Inbound>) {
    let mut settings = Settings::new(centre, "mh-xz-017");
    (settings.backoff_min_s, settings.backoff_max_s) = (0.05, 0.2);
    (kerbside_link::spawn(settings, opened.link, Arc::new(SystemClock::new())), opened.inbound)
}

/// Lines as they are written.
struct Lines(mpsc::Sender<Value>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        unreachable!("{bytes:?} goes through write_all")
    }
    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if let Ok(event) = serde_json::from_slice(bytes) {
            let _ = self.0.send(event);
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

struct Watch {
    events: mpsc::Receiver<Value>,
    task: tokio::task::JoinHandle<anyhow::Result<watch::Tally>>,
}

impl Watch {
    fn start(broker: String, tls: Option<Tls>, receipts: bool, max: Option<u64>) -> Self {
        let (lines, events) = mpsc::channel();
        let args = watch::Args {
            broker: watch::Broker { broker, tls },
            division: None,
            edge: None,
            receipts,
            json: true,
            max,
            until_idle_s: None,
            evidence_dir: None,
        };
        let task =
            tokio::spawn(
                async move { watch::run_until(&args, &mut Lines(lines), std::future::pending()).await },
            );
        Watch { events, task }
    }

    /// The next event that `wanted` says yes to.
    fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        tokio::task::block_in_place(|| {
            loop {
                let event = self.events.recv_timeout(LIMIT).expect("an event in time");
                if wanted(&event) {
                    return event;
                }
            }
        })
    }

    fn state(&self, state: &str) -> Value {
        self.until(|e| e["data"]["state"] == state)
    }

    async fn tally(self) -> watch::Tally {
        tokio::time::timeout(LIMIT, self.task).await.expect("in time").unwrap().unwrap()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn round_trip(port: u16, protocol: Protocol) {
    let url = format!("mqtt://127.0.0.1:{port}");
    let dir = tempfile::tempdir().unwrap();
    let (delivery, opened) = open(dir.path(), true);
    let watch = Watch::start(url.clone(), None, true, Some(20));
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
    let mut receipts = std::collections::BTreeSet::new();
    let later = Watch::start(url.clone(), None, true, None);
    while receipts.len() < 20 {
        let next = tokio::task::block_in_place(|| inbound.recv_timeout(LIMIT)).expect("a receipt in time");
        let DownInput::Receipt(receipt) = &next.input else { panic!("{next:?}") };
        assert!(receipt.case_no.as_deref().is_some_and(|c| c.starts_with("W-")), "{receipt:?}");
        receipts.insert(receipt.id.clone());
        delivery.consumed(next.n).unwrap();
    }
    let lane = delivery.stats().unwrap().lanes[0];
    assert_eq!((lane.queued, lane.waiting), (0, 0));
    // A farewell is retained: who comes later reads it.
    handle.stop(10.0).await;
    later.state("offline");
    later.task.abort();
    let late = Watch::start(url, None, false, None);
    assert_eq!(late.state("offline")["data"]["session"], birth["data"]["session"]);
    delivery.close().unwrap();
}

#[test]
fn reports_and_receipts_go_round_over_mqtt_5_and_3_1_1() {
    let broker = Mosquitto::start(free_port(), "");
    runtime().block_on(round_trip(broker.port, Protocol::V5));
    let broker = Mosquitto::start(free_port(), "");
    runtime().block_on(round_trip(broker.port, Protocol::V311));
}

#[test]
fn a_broker_killed_in_mid_run_costs_nothing() {
    const ALL: usize = 120;
    let mut broker = Mosquitto::start(free_port(), "");
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let (delivery, opened) = open(dir.path(), true);
        let watch = Watch::start(format!("mqtt://127.0.0.1:{}", broker.port), None, true, Some(ALL as u64));
        let (handle, inbound) = link(&centre(broker.port, Protocol::V5, true), opened);
        watch.state("online");
        let send = |range: std::ops::Range<usize>| {
            for i in range {
                delivery.send(wire::matter(&who(), &report(&format!("INC{i:03}"), 1), None, None)).unwrap();
            }
        };
        send(0..40);
        watch.until(|e| e["id"] == "INC005.0001");
        broker.kill();
        send(40..80);
        broker.restart();
        watch.until(|e| e["type"] == "kerbside.matter.opened.v1");
        broker.kill();
        broker.restart();
        send(80..ALL);
        let tally = watch.tally().await;
        assert_eq!((tally.incidents, tally.malformed), (ALL, 0), "{tally:?}");
        let late = Watch::start(format!("mqtt://127.0.0.1:{}", broker.port), None, true, None);
        let mut receipts = std::collections::BTreeSet::new();
        while receipts.len() < ALL {
            let next =
                tokio::task::block_in_place(|| inbound.recv_timeout(LIMIT)).expect("a receipt in time");
            if let DownInput::Receipt(receipt) = next.input {
                receipts.insert(receipt.id);
            }
        }
        late.task.abort();
        let lane = delivery.stats().unwrap().lanes[0];
        assert_eq!((lane.queued, lane.waiting), (0, 0));
        handle.stop(10.0).await;
    });
}

#[test]
fn an_agent_that_dies_is_missed_and_what_it_promised_comes_after_its_restart() {
    let broker = Mosquitto::start(free_port(), "");
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let url = format!("mqtt://127.0.0.1:{}", broker.port);
        let watch = Watch::start(url, None, true, Some(30));
        let (delivery, opened) = open(dir.path(), true);
        let (handle, _inbound) = link(&centre(broker.port, Protocol::V5, true), opened);
        let first = watch.state("online");
        let send = |range: std::ops::Range<u32>| {
            for i in range {
                delivery.send(wire::matter(&who(), &report(&format!("INC{i:02}"), 1), None, None)).unwrap();
            }
        };
        send(0..15);
        watch.until(|e| e["type"] == "kerbside.matter.opened.v1");
        // No goodbye: the broker tells the will, and it names the session that died.
        handle.abort();
        let lost = watch.state("lost");
        assert_eq!(lost["data"]["session"], first["data"]["session"]);
        send(15..30);
        delivery.close().unwrap();
        drop(delivery);
        let (_delivery, opened) = open(dir.path(), true);
        let (_handle, _inbound) = link(&centre(broker.port, Protocol::V5, true), opened);
        let second = watch.state("online");
        assert!(second["data"]["session"].as_u64() > first["data"]["session"].as_u64());
        assert_eq!(watch.tally().await.incidents, 30);
    });
}

#[test]
fn tls_with_a_private_ca_and_a_client_certificate() {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let file = |name: &str| dir.path().join(name);
    let more = format!(
        "cafile {0}/ca.pem\ncertfile {0}/server.pem\nkeyfile {0}/server.key\nrequire_certificate true\nuse_identity_as_username true",
        dir.path().display()
    );
    let broker = Mosquitto::start(free_port(), &more);
    let tls = Tls {
        ca_file: file("ca.pem"),
        cert_file: Some(file("mh-xz-017.pem")),
        key_file: Some(file("mh-xz-017.key")),
    };
    runtime().block_on(async {
        let (delivery, opened) = open(&dir.path().join("box"), false);
        let watch =
            Watch::start(format!("mqtts://127.0.0.1:{}", broker.port), Some(tls.clone()), false, Some(1));
        let centre = Centre { tls: Some(tls), ..centre(broker.port, Protocol::V5, false) };
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
    certificates(dir.path());
    let file = |name: &str| dir.path().join(name);
    let more = format!(
        "cafile {0}/ca.pem\ncertfile {0}/server.pem\nkeyfile {0}/server.key\nrequire_certificate true",
        dir.path().display()
    );
    let broker = Mosquitto::start(free_port(), &more);
    let name = |who: &str| Tls {
        ca_file: file("ca.pem"),
        cert_file: Some(file(&format!("{who}.pem"))),
        key_file: Some(file(&format!("{who}.key"))),
    };
    let url = format!("mqtts://127.0.0.1:{}", broker.port);
    runtime().block_on(async {
        let (delivery, opened) = open(&dir.path().join("box"), false);
        let watch = Watch::start(url, Some(name("server")), false, Some(2));
        let centre = Centre { tls: Some(name("mh-xz-017")), ..centre(broker.port, Protocol::V5, false) };
        let mut settings = Settings::new(&centre, "mh-xz-017");
        settings.renewal_s = 0.1;
        let handle = kerbside_link::spawn(settings, opened.link, Arc::new(SystemClock::new()));
        let first = watch.state("online")["data"]["session"].as_u64().unwrap();
        std::fs::write(file("mh-xz-017.pem"), "half").unwrap();
        delivery.send(wire::matter(&who(), &report("INC", 1), None, None)).unwrap();
        watch.until(|e| e["type"] == "kerbside.matter.opened.v1");
        let again =
            "openssl x509 -req -in mh-xz-017.csr -CA ca.pem -CAkey ca.key -days 2 -extfile ext -out new.pem";
        let signed = Command::new("sh").arg("-c").arg(again).current_dir(dir.path()).output().unwrap();
        assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
        std::fs::rename(file("new.pem"), file("mh-xz-017.pem")).unwrap();
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
    let (v5, v4) = (free_port(), free_port());
    kerbside_link::embedded::start(address(v5), Some(address(v4))).unwrap();
    runtime().block_on(async {
        for (protocol, port) in [(Protocol::V5, v5), (Protocol::V311, v4)] {
            let dir = tempfile::tempdir().unwrap();
            let (delivery, opened) = open(dir.path(), false);
            let watch = Watch::start(format!("mqtt://127.0.0.1:{v5}"), None, false, Some(5));
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
