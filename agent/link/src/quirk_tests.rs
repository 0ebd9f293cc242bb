//! Every line of the testkit's table of broker quirks, over a real connection and a real store: what must be named is named, and
//! reports come whenever they can.

use std::sync::Arc;
use std::time::Duration;

use kerbside_domain::time::{Clock as _, SystemClock};
use kerbside_site::config::{Centre, Protocol};
use kerbside_testkit::wait::poll;
use kerbside_testkit::{BROKER_QUIRKS, BrokerQuirk, Does, LIMIT, QuirkyBroker};
use kerbside_trace::delivery::{Delivery, DeliverySettings};
use kerbside_wire::Priority;
use kerbside_wire::testing::who;

use super::testing::{matter, runtime};
use super::*;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

fn stands(quirk: &BrokerQuirk, v5: bool) {
    let name = format!("{}, MQTT {}", quirk.name, if v5 { "5" } else { "3.1.1" });
    let broker = QuirkyBroker::start(quirk.does).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::default());
    let (delivery, opened) =
        Delivery::open(DeliverySettings::new(dir.path(), false), who(), clock.clone()).unwrap();
    let protocol = if v5 { Protocol::V5 } else { Protocol::V311 };
    let centre =
        Centre { protocol, receipts: false, keep_alive_s: 5, ..Centre::at("127.0.0.1", broker.port()) };
    let mut settings = LinkSettings::new(&centre, "mh-xz-017");
    (settings.backoff_min_s, settings.backoff_max_s) = (0.02, 0.05);
    let status = settings.status.clone();
    let send = |incident: &str| {
        delivery.send(matter(incident)).unwrap();
        // Some telemetry of every kind beside it.
        let mut position = kerbside_wire::health(&serde_json::Map::new(), SystemClock::new().now());
        (position.topic, position.qos, position.retain) = ("position".to_owned(), 1, false);
        delivery.send(position).unwrap();
    };
    send("FIRST");
    let runtime = runtime();
    let link = runtime.block_on(async { spawn(settings, opened.link, clock) });
    send("SECOND");

    let named = |problem: &str| {
        poll(&format!("{name}: {problem} named"), LIMIT, PAUSE, || {
            let status = status.now();
            let words: Vec<_> = status.problems.keys().map(|p| p.as_str()).collect();
            Ok(if words.contains(&problem) { Ok(()) } else { Err(format!("{status:?}")) })
        })
        .unwrap();
    };
    if let Some(problem) = quirk.named {
        named(problem);
    }
    if quirk.reports_come {
        let reports = |s: &kerbside_testkit::SeenByBroker| {
            let reports = s.taken.iter().filter(|(topic, _)| topic.contains("/matter/"));
            (reports.map(|(_, times)| times).sum::<u32>() >= 2).then_some(())
        };
        broker.until(&format!("{name}: both reports"), LIMIT, reports).unwrap();
        send("THIRD");
        let third = |s: &kerbside_testkit::SeenByBroker| {
            let reports = s.taken.iter().filter(|(topic, _)| topic.contains("/matter/"));
            (reports.map(|(_, times)| times).sum::<u32>() >= 3).then_some(())
        };
        broker.until(&format!("{name}: a later report"), LIMIT, third).unwrap();
    } else {
        let reports = delivery.stats().unwrap().outbox[Priority::Incident.index()];
        assert!(reports.queued + reports.waiting >= 2, "{name}: reports are kept: {reports:?}");
    }
    special(quirk, &name, &broker, &status);
    runtime.block_on(link.stop(1.0));
    delivery.close().unwrap();
}

/// What only this quirk shows.
fn special(quirk: &BrokerQuirk, name: &str, broker: &QuirkyBroker, status: &LinkWatch) {
    let connects = broker.read(|s| s.connects.len());
    match quirk.does {
        // The connection stays.
        Does::Everything | Does::Refuses { .. } | Does::RefusesSubscription { .. } => {
            assert_eq!(connects, 1, "{name}");
        }
        Does::SaysNoRetain | Does::SaysNoRetainLate | Does::ClosesOnRetainedWill | Does::ClosesOnRetained => {
            assert_eq!(broker.read(|s| s.retained), 0, "{name}");
        }
        Does::SaysQos0 => assert_eq!(broker.read(|s| s.connects.last().map(|c| c.2)), Some(0), "{name}"),
        Does::Speaks311Only => assert_eq!(connects, 2, "{name}"),
        Does::HasKeepAlive { .. } => {
            broker
                .until("pings by the broker's own keep-alive", LIMIT, |s| (s.pings >= 3).then_some(()))
                .unwrap();
            assert_eq!(broker.read(|s| (s.connects.len(), s.silent)), (1, 0), "{name}");
        }
        Does::SendsLong { .. } => {
            broker.until("its acknowledgement", LIMIT, |s| (s.acknowledged > 0).then_some(())).unwrap();
            assert_eq!(connects, 1, "{name}");
        }
        _ => {}
    }
    if quirk.named.is_none() {
        let status = status.now();
        assert!(status.problems.is_empty() && status.health == LinkHealth::Up, "{name}: {status:?}");
    }
}

#[test]
fn every_quirk_of_the_table_is_stood_and_named() {
    assert_eq!(BROKER_QUIRKS[0].does, Does::Everything, "the negative control");
    std::thread::scope(|scope| {
        for quirk in BROKER_QUIRKS {
            for v5 in [true, false] {
                if quirk.v5.is_none_or(|only| only == v5) {
                    scope.spawn(move || stands(quirk, v5));
                }
            }
        }
    });
}
