//! The ways to a broker: WebSocket, plain and TLS, and the tunnel of an HTTP proxy, each before a real mosquitto.

use kerbside_site::config::{Proxy, ProxyLogin};
use kerbside_testkit::{ConnectProxy, WebSocketFront};

use super::*;

/// `box:p@ss`, as a proxy wants it.
const AUTHORIZATION: &str = "Basic Ym94OnBAc3M=";

fn proxy(port: u16, password: &str) -> Proxy {
    let login = Some(ProxyLogin { user: "box".into(), password: password.into() });
    Proxy { host: "127.0.0.1".into(), port, login }
}

/// WebSocket over TLS in front of the broker, and whom to trust for it. The files go with the folder.
fn secured_front(broker: &Broker, path: &'static str) -> (tempfile::TempDir, WebSocketFront, Tls) {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path(), &["server"]).unwrap();
    let file = |name: &str| dir.path().join(name);
    let (certificate, key) = (file("server.pem"), file("server.key"));
    let front = WebSocketFront::start(broker.port(), path, Some((&certificate, &key))).unwrap();
    let tls = Tls { ca_file: file("ca.pem"), cert_file: None, key_file: None };
    (dir, front, tls)
}

/// Ten reports go up and their receipts come down.
async fn there_and_back(centre: &Centre, broker: &Broker) {
    let dir = tempfile::tempdir().unwrap();
    let (delivery, opened) = open(dir.path(), true);
    let watch = Client::start(broker.url(), None, true, Some(10));
    let (handle, inbound) = link(centre, opened);
    for i in 0..10 {
        delivery.send(wire::matter(&who(), &report(&format!("INC{i:02}"), 1), None, None)).unwrap();
    }
    assert_eq!(watch.tally().await.incidents, 10);
    let _receipts = Client::start(broker.url(), None, true, None);
    let mut receipts = BTreeSet::new();
    while receipts.len() < 10 {
        if let StageInput::Receipt(receipt) = next(&inbound, &receipts).input {
            receipts.insert(receipt.id);
        }
    }
    handle.stop(10.0).await;
    delivery.close().unwrap();
}

#[test]
fn mqtt_over_websocket_plain_and_tls() {
    let (_files, broker) = forgetful_broker();
    let front = WebSocketFront::start(broker.port(), "/mqtt", None).unwrap();
    for protocol in [Protocol::V5, Protocol::V311] {
        let mut centre = centre(front.port(), protocol, true);
        centre.websocket = Some("/mqtt".into());
        runtime().block_on(there_and_back(&centre, &broker));
    }
    assert_eq!(front.let_in(), 2);

    let (_files, front, tls) = secured_front(&broker, "/ws");
    let mut centre = centre(front.port(), Protocol::V5, true);
    centre.websocket = Some("/ws".into());
    centre.tls = Some(tls);
    runtime().block_on(there_and_back(&centre, &broker));
    assert_eq!(front.let_in(), 1);
}

#[test]
fn a_wrong_path_of_a_websocket_is_said() {
    let (_files, broker) = forgetful_broker();
    let front = WebSocketFront::start(broker.port(), "/mqtt", None).unwrap();
    let mut centre = centre(front.port(), Protocol::V5, true);
    centre.websocket = Some("/other".into());
    let why = why_not(&centre);
    assert!(why.contains("WebSocket") && why.contains("404"), "{why}");
}

/// The name is known to the proxy alone.
#[test]
fn through_a_proxy_with_and_without_tls() {
    let (_files, broker) = forgetful_broker();
    let through = ConnectProxy::start(Some(AUTHORIZATION)).unwrap();
    let mut centre = centre(broker.port(), Protocol::V5, true);
    centre.host = "broker.test".into();
    centre.proxy = Some(proxy(through.port(), "p@ss"));
    runtime().block_on(there_and_back(&centre, &broker));
    assert_eq!(through.asked(), [format!("broker.test:{} 200", broker.port())]);

    let (_files, front, tls) = secured_front(&broker, "/mqtt");
    centre.port = front.port();
    centre.host = "localhost".into();
    centre.websocket = Some("/mqtt".into());
    centre.tls = Some(tls);
    runtime().block_on(there_and_back(&centre, &broker));
    assert_eq!(through.asked().last(), Some(&format!("localhost:{} 200", front.port())));
}

#[test]
fn a_proxy_that_asks_for_another_password_is_named_and_the_password_is_not() {
    let through = ConnectProxy::start(Some(AUTHORIZATION)).unwrap();
    let mut centre = centre(1883, Protocol::V5, true);
    centre.proxy = Some(proxy(through.port(), "canary"));
    let why = why_not(&centre);
    assert!(why.contains("proxy") && why.contains("407"), "{why}");
    assert!(!why.contains("canary") && !format!("{centre:?}").contains("canary"), "{why}");
}

/// Why the link cannot be made.
fn why_not(centre: &Centre) -> String {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let (_delivery, opened) = open(dir.path(), true);
        let mut settings = LinkSettings::new(centre, "mh-xz-017");
        (settings.backoff_min_s, settings.backoff_max_s) = (0.05, 0.2);
        let status = settings.status.clone();
        let handle = kerbside_link::spawn(settings, opened.link, Arc::new(SystemClock::new()));
        let why = tokio::task::block_in_place(|| {
            kerbside_testkit::wait::poll("a reason", LIMIT, Duration::from_millis(10), || {
                Ok(status.now().why.ok_or_else(|| "none".to_owned()))
            })
        });
        handle.abort();
        why.unwrap()
    })
}
