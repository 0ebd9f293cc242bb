//! A wait that fails says what was awaited and what came: for output, logs, exits, messages, pages, stores, brokers.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What fails here fails the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use kerbside_testkit::wait::{self, Watched};
use kerbside_testkit::{
    Agent, BrokerFault, Centre, LIMIT, Process, PutServer, ScriptedBroker, http, messages, mqtt,
};

/// Long enough for what must come, short enough for what must not.
const SHORT: Duration = Duration::from_millis(300);

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

/// The error's text, which must name all of these.
fn says<T: std::fmt::Debug>(outcome: Result<T, impl std::fmt::Display>, all: &[&str]) {
    let text = outcome.map_err(|error| error.to_string()).expect_err("nothing was to be found");
    for part in all {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

#[test]
fn output_that_does_not_come() {
    let process =
        Process::start("talker", shell("echo first; echo second; echo trouble >&2; exec sleep 60")).unwrap();
    process.until("second line", LIMIT, |lines| lines.get(1).cloned()).unwrap();
    process.until_log("the log", LIMIT, |lines| lines.first().cloned()).unwrap();
    let waited = process.until("third line", SHORT, |lines| lines.get(2).cloned());
    says(
        waited,
        &[
            "awaited: third line from talker",
            "within 300ms",
            "output: 2 lines\nfirst\nsecond",
            "log: 1 lines\ntrouble",
        ],
    );
}

#[test]
fn output_of_a_program_that_ends_before() {
    let process = Process::start("talker", shell("echo first; echo why it ends >&2")).unwrap();
    let waited =
        process.until_log("readiness", LIMIT, |lines| lines.iter().any(|l| l == "ready").then_some(()));
    says(
        waited,
        &[
            "awaited: readiness from talker",
            "before the end of what it should come from",
            "first",
            "why it ends",
        ],
    );
}

#[test]
fn an_exit_that_does_not_come() {
    let mut process = Process::start("stayer", shell("echo still here; exec sleep 60")).unwrap();
    process.until("a line", LIMIT, |lines| lines.first().cloned()).unwrap();
    says(process.wait(SHORT), &["awaited: end of stayer", "within 300ms", "it still runs", "still here"]);
}

/// A receipt as the contract has it.
const RECEIPT: &str =
    r#"{"specversion":"1.0","type":"kerbside.receipt.v1","data":{"id":"01","result":"accepted"}}"#;

#[test]
fn a_message_that_does_not_reach_the_centre() {
    let lines = format!("echo '{RECEIPT}'; echo '{RECEIPT}'; echo nothing of ours; exit");
    let centre = Centre::of(Process::start("centre", shell(&lines)).unwrap());
    assert_eq!(centre.message("receipt").unwrap()["data"]["id"], "01");
    let came = "3 lines: 2 kerbside.receipt.v1, 1 no message";
    says(
        centre.message("matter.opened"),
        &["awaited: matter.opened (any) from centre", "before the end of what", came],
    );
    says(
        centre.message_where("receipt", "of 02", |m| m["data"]["id"] == "02"),
        &["awaited: receipt (of 02)", came, "the last receipt: {", "\"01\""],
    );
}

#[test]
#[should_panic(expected = "a message breaks the contract")]
fn a_message_that_breaks_the_contract_fails_whoever_sees_it() {
    drop(messages(&[RECEIPT.replace("accepted", "eaten")], "receipt"));
}

#[test]
fn a_state_that_does_not_come() {
    let watched = Watched::new(3);
    let waited = watched.until("seven", SHORT, |n| (*n == 7).then_some(()), |n| format!("the number {n}"));
    says(waited, &["awaited: seven; it did not come within 300ms", "what came: the number 3"]);
    let polled = wait::poll("a file", SHORT, Duration::from_millis(10), || {
        Ok(Err::<(), _>("no such file".to_owned()))
    });
    says(polled, &["awaited: a file; it did not come within 300ms", "what came: no such file"]);
    let broken = wait::poll("a file", LIMIT, SHORT, || -> anyhow::Result<Result<(), String>> {
        anyhow::bail!("no disk")
    });
    says(broken, &["no disk"]);
}

/// One page for ever.
fn page(body: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {}
            let _ = write!(stream, "HTTP/1.1 200 OK\r\n\r\n{body}");
        }
    });
    port
}

const METRICS: &str =
    "# HELP frames_total x\nframes_total{camera=\"cam1\"} 41\nframes_total{camera=\"cam2\"} 7\nframes 3\n";

#[test]
fn a_figure_that_a_page_does_not_show() {
    let port = page(METRICS);
    let values = http::values(METRICS, "frames_total");
    assert_eq!(values, [("{camera=\"cam1\"}".to_owned(), 41.0), ("{camera=\"cam2\"}".to_owned(), 7.0)]);
    assert_eq!(http::values(METRICS, "frames"), [(String::new(), 3.0)]);
    http::until_metric(port, "frames_total", "frames of both", LIMIT, |values| values.len() == 2).unwrap();
    let waited = http::until_metric(port, "frames_total", "a hundred frames", SHORT, |v| v[0].1 > 100.0);
    says(waited, &["awaited: a hundred frames (frames_total of /metrics)", "within 300ms", "41"]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    says(http::get(closed, "/healthz").map_err(|e| format!("{e:#}")), &["/healthz", "refused"]);
}

#[test]
fn what_an_agent_does_not_log_and_where_it_is_looked_for() {
    let log = format!(
        "echo '{{\"message\":\"metrics and health\",\"address\":\"127.0.0.1:{}\"}}' >&2; echo '{{\"message\":\"source state\",\"camera\":0,\"state\":\"Watching\"}}' >&2; exec sleep 60",
        page(METRICS)
    );
    let agent = Agent::launch(shell(&log)).unwrap();
    agent.camera_state(0, "Watching", 0, LIMIT).unwrap();
    assert_eq!(agent.metric_sum("frames_total", &["cam1"]).unwrap(), 41.0);
    assert_eq!(agent.metric_sum("not_there", &[]).unwrap(), 0.0);
    says(
        agent.camera_state(0, "Watching", 1, SHORT),
        &["awaited: state Watching of camera 0 from kerbside run", "\"state\":\"Watching\""],
    );
    says(
        Agent::launch(shell("echo no site >&2; exit 78")),
        &["awaited: address of the health page", "before the end", "no site"],
    );
}

#[test]
fn bytes_that_a_store_does_not_get() {
    let store = PutServer::start(vec![2]).unwrap();
    let put = || {
        let mut stream =
            TcpStream::connect(store.url("").trim_start_matches("http://").trim_end_matches('/')).unwrap();
        let _ = write!(stream, "PUT /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde");
        let mut answer = String::new();
        let _ = BufReader::new(stream).read_line(&mut answer);
        answer
    };
    assert_eq!(put(), "", "the first is hung up on");
    let waited = store.until("a whole file", SHORT, |s| (s.whole == 1).then_some(()));
    says(waited, &["awaited: a whole file", "0 whole", "PUT /a"]);
    assert_eq!(put(), "HTTP/1.1 200 OK\r\n");
    store.until("a whole file", LIMIT, |s| (s.whole == 1).then_some(())).unwrap();
    assert_eq!(store.bytes(), b"abcde");
}

/// CONNECT of MQTT 3.1.1 as `box`.
const CONNECT: &[u8] = b"\x10\x0f\0\x04MQTT\x04\0\0\x0a\0\x03box";

fn publish(topic: &str, pkid: u16, payload: &str) -> Vec<u8> {
    let mut packet = Vec::new();
    mqtt::publish_down(&mut packet, false, topic, pkid, payload.as_bytes()).unwrap();
    packet
}

#[test]
fn a_report_that_a_scripted_broker_does_not_get() {
    let broker = ScriptedBroker::start(0, vec![BrokerFault::Refuse], BrokerFault::None, true).unwrap();
    let connect = || {
        let mut stream = TcpStream::connect(("127.0.0.1", broker.port())).unwrap();
        stream.write_all(CONNECT).unwrap();
        stream
    };
    let _refused = connect();
    broker.until("a refusal", LIMIT, |r| (r.connects.len() == 1).then_some(())).unwrap();
    let mut stream = connect();
    let matter = r#"{"id":"01.0001","type":"kerbside.matter.opened.v1","sequence":"7"}"#;
    stream.write_all(&publish("t", 1, matter)).unwrap();
    stream.write_all(&publish("t", 2, matter)).unwrap();
    broker.until("it twice", LIMIT, |r| r.matters.get("01.0001").filter(|m| m.times == 2).map(drop)).unwrap();
    assert_eq!(broker.read(|r| (r.forged, r.matters["01.0001"].sequence.clone())), (0, "7".to_owned()));
    let waited = broker.until("another", SHORT, |r| (r.matters.len() == 2).then_some(()));
    says(
        waited,
        &["awaited: another", "1 matters (the last: Some(\"01.0001\"))", "2 connections, 1 of them let in"],
    );
    // A piece of a file: a line of JSON, then the bytes.
    stream.write_all(&publish("t", 3, "{\"grant_id\":\"g\",\"offset\":2}\nxy")).unwrap();
    broker.until("a piece", LIMIT, |r| r.files.get("g").map(drop)).unwrap();
    assert_eq!(broker.read(|r| r.files["g"].clone()), b"\0\0xy");
}
