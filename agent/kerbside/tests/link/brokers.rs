//! mosquitto as people set it up: an access list that forgets a topic, no retained messages, two boxes of one name.

use kerbside_link::{LinkHealth, LinkProblem, LinkSettings, LinkStatus, LinkWatch};
use kerbside_testkit::wait::poll;

use super::*;

const BOTH: [Protocol; 2] = [Protocol::V5, Protocol::V311];

fn broker(settings: &str, files: &[(&str, &str)]) -> (tempfile::TempDir, Broker) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let settings = settings.replace("DIR", &dir.path().to_string_lossy());
    let broker =
        Broker::with_settings(dir.path(), &format!("allow_anonymous true\npersistence false\n{settings}"));
    (dir, broker.unwrap())
}

/// A link whose status can be watched.
fn watched(centre: &Centre, opened: OpenedDelivery) -> (kerbside_link::LinkHandle, LinkWatch) {
    let mut settings = LinkSettings::new(centre, "mh-xz-017");
    (settings.backoff_min_s, settings.backoff_max_s) = (0.05, 0.2);
    let status = settings.status.clone();
    // Whoever takes what comes down ends with the delivery.
    let inputs = opened.inputs;
    std::thread::spawn(move || inputs.into_iter().for_each(drop));
    (kerbside_link::spawn(settings, opened.link, Arc::new(SystemClock::new())), status)
}

fn until(status: &LinkWatch, awaited: &str, holds: impl Fn(&LinkStatus) -> bool) -> LinkStatus {
    tokio::task::block_in_place(|| {
        poll(awaited, LIMIT, Duration::from_millis(10), || {
            let now = status.now();
            Ok(if holds(&now) { Ok(now) } else { Err(format!("{now:?}")) })
        })
    })
    .unwrap()
}

fn position() -> wire::Message {
    let mut position = wire::health(&serde_json::Map::new(), wire::testing::at(0.0));
    (position.topic, position.qos) = ("position".to_owned(), 1);
    position
}

fn probed(centre: &Centre) -> LinkStatus {
    let settings = LinkSettings::new(centre, "mh-xz-017");
    runtime().block_on(kerbside_link::probe(settings, &who(), &SystemClock::new()))
}

/// MQTT 5: PUBACK NotAuthorized on position; reports and everything else go on over the one connection.
#[test]
fn an_access_list_that_forgets_a_topic_costs_that_topic() {
    let acl = "topic readwrite cg/v1/310112/mh-xz-017/matter/#\ntopic readwrite cg/v1/310112/mh-xz-017/state\n\
        topic readwrite cg/v1/310112/mh-xz-017/receipt\ntopic read #\n";
    let (_files, broker) = broker("acl_file DIR/acl", &[("acl", acl)]);
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let watch = Client::start(broker.url(), None, true, Some(20));
        let (delivery, opened) = open(dir.path(), true);
        let (handle, status) = watched(&centre(broker.port(), Protocol::V5, true), opened);
        for i in 0..20 {
            delivery.send(wire::matter(&who(), &report(&format!("INC{i:02}"), 1), None, None)).unwrap();
            delivery.send(position()).unwrap();
        }
        assert_eq!(watch.tally().await.incidents, 20);
        let status =
            until(&status, "the topic named", |s| s.problems.contains_key(&LinkProblem::TopicsRefused));
        let what = &status.problems[&LinkProblem::TopicsRefused];
        assert!(what.contains("/position") && what.contains("not authorized"), "{what}");
        assert_eq!((status.health, status.connections), (LinkHealth::Up, 1));
        let stats = delivery.stats().unwrap();
        assert_eq!((stats.outbox[3].refused, stats.dead_lettered), (1, 0), "the newest of them is kept");
        handle.stop(2.0).await;
        delivery.close().unwrap();
    });
}

/// MQTT 5 says RetainNotSupported, 3.1.1 just closes.
#[test]
fn reports_flow_where_nothing_is_retained() {
    for protocol in BOTH {
        let (_files, broker) = broker("retain_available false", &[]);
        let dir = tempfile::tempdir().unwrap();
        let centre = centre(broker.port(), protocol, true);
        runtime().block_on(async {
            let watch = Client::start(broker.url(), None, true, Some(5));
            let (delivery, opened) = open(dir.path(), true);
            let (handle, status) = watched(&centre, opened);
            for i in 0..5 {
                delivery.send(wire::matter(&who(), &report(&format!("INC{i:02}"), 1), None, None)).unwrap();
            }
            assert_eq!(watch.tally().await.incidents, 5);
            until(&status, "no retain, named", |s| s.problems.contains_key(&LinkProblem::NoRetain));
            handle.stop(2.0).await;
            delivery.close().unwrap();
        });
        let probed = probed(&centre);
        assert!(probed.problems.contains_key(&LinkProblem::NoRetain), "{probed:?}");
        // By setting: at once, and nothing to name.
        let probed = self::probed(&Centre { retain: false, ..centre });
        assert!(probed.problems.is_empty() && probed.health == LinkHealth::Up, "{probed:?}");
    }
}

/// A copied card. Neither gives up a message because of the other.
#[test]
fn two_boxes_of_one_name_are_named() {
    for protocol in BOTH {
        let (_files, broker) = broker("", &[]);
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        runtime().block_on(async {
            let watch = Client::start(broker.url(), None, true, Some(20));
            let boxes: Vec<_> = dirs
                .iter()
                .map(|dir| {
                    let (delivery, opened) = open(dir.path(), true);
                    let (handle, status) = watched(&centre(broker.port(), protocol, true), opened);
                    (delivery, handle, status)
                })
                .collect();
            for i in 0..10 {
                for (n, (delivery, ..)) in boxes.iter().enumerate() {
                    delivery
                        .send(wire::matter(&who(), &report(&format!("BOX{n}{i:02}"), 1), None, None))
                        .unwrap();
                }
            }
            for (_, _, status) in &boxes {
                let named = |s: &LinkStatus| s.problems.contains_key(&LinkProblem::SessionTaken);
                let status = until(status, "the other box, named", named);
                assert!(status.problems[&LinkProblem::SessionTaken].contains("edge_id used twice"));
            }
            assert_eq!(watch.tally().await.incidents, 20, "both bring their reports");
            for (delivery, handle, _) in boxes {
                assert_eq!(delivery.stats().unwrap().dead_lettered, 0);
                handle.abort();
                delivery.close().unwrap();
            }
        });
    }
}

/// The negative control: a broker as it should be has nothing to be named.
#[test]
fn a_broker_as_it_should_be_has_no_problem() {
    let (_files, broker) = broker("", &[]);
    for protocol in BOTH {
        let probed = probed(&centre(broker.port(), protocol, true));
        assert!(probed.problems.is_empty() && probed.health == LinkHealth::Up, "{probed:?}");
    }
}
