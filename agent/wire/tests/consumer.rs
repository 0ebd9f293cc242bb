//! The consumer of the documents runs as it stands there: a real broker, Python, and what a box really sends.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use kerbside_domain::report::{Cause, IncidentState, Phase, Report};
use kerbside_testkit::{Broker, LIMIT, Process};
use kerbside_wire::testing::{at, report, who};
use kerbside_wire::{Inbound, Message, Presence, inbound, matter, state};
use serde_json::Value;

fn page(lang: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/{lang}/start/consumer.md"))
}

/// The program in a page.
fn program(lang: &str) -> Result<String> {
    let text = std::fs::read_to_string(page(lang))?;
    let (_, rest) = text.split_once("```python\n").context("no program in the page")?;
    let (code, _) = rest.split_once("```\n").context("the program does not end")?;
    Ok(code.to_owned())
}

fn publish(broker: &Broker, message: &Message) -> Result<()> {
    let topic = format!("cg/v1/310112/mh-xz-017/{}", message.topic);
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "127.0.0.1", "-p", &broker.port().to_string(), "-q", "1", "-t", &topic]);
    let status = command.args(["-m", &message.envelope(&who(), Some((1, at(0.0))))]).status()?;
    ensure!(status.success(), "mosquitto_pub: {status}");
    Ok(())
}

/// Waits for so many lines that begin so.
fn lines(process: &Process, begin: &str, count: usize) -> Result<Vec<String>> {
    process.until(&format!("{count} lines {begin}"), LIMIT, |lines| {
        let found: Vec<String> = lines.iter().filter(|line| line.starts_with(begin)).cloned().collect();
        (found.len() >= count).then_some(found)
    })
}

fn said(process: &Process, count: usize) -> Result<Vec<Value>> {
    let lines = lines(process, "{", count)?;
    lines.iter().map(|line| serde_json::from_str(line).with_context(|| line.clone())).collect()
}

#[test]
fn both_pages_have_the_same_program() {
    assert_eq!(program("en").unwrap(), program("zh-CN").unwrap());
}

#[test]
fn the_consumer_of_the_page_follows_an_incident_and_answers_what_a_box_understands() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path()).unwrap();
    let port = broker.port().to_string();
    let code = dir.path().join("consumer.py");
    std::fs::write(&code, program("en").unwrap()).unwrap();
    // It says when it has subscribed, a line at a time.
    let mut listen = Command::new("stdbuf");
    listen.args([
        "-oL",
        "mosquitto_sub",
        "-d",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-q",
        "1",
        "-t",
        "cg/v1/+/+/receipt",
        "-v",
    ]);
    let receipts = Process::start("mosquitto_sub", listen).unwrap();
    receipts
        .until("SUBACK", LIMIT, |lines| lines.iter().any(|l| l.contains("SUBACK")).then_some(()))
        .unwrap();
    // Debian's Python has Debian's paho.
    let mut command = Command::new("/usr/bin/python3");
    command.arg(&code).args(["127.0.0.1", &port]);
    let consumer = Process::start("consumer.py", command).unwrap();
    assert_eq!(said(&consumer, 1).unwrap()[0]["ready"], true);

    let id = "01JD7Z6T6V8Q0M5N3K2H1G9F8E";
    let (phase, cause, state_now) = (Phase::Cleared, Cause::Gone, IncidentState::Cleared);
    let cleared = Report { phase, cause, state: state_now, ..report(id, 2) };
    let (opened, cleared) =
        (matter(&who(), &report(id, 1), None, None), matter(&who(), &cleared, None, None));
    // The older one comes last, and again: the consumer still knows the state.
    publish(&broker, &state(&who(), Presence::Online, 1, None, None, at(0.0))).unwrap();
    publish(&broker, &cleared).unwrap();
    publish(&broker, &opened).unwrap();
    publish(&broker, &cleared).unwrap();
    let shown = said(&consumer, 3).unwrap();
    assert_eq!(shown[1]["online"], true);
    assert_eq!((&shown[2]["incident"], &shown[2]["state"]), (&id.into(), &"cleared".into()));

    let answers = lines(&receipts, "cg/", 4).unwrap();
    for (answer, awaited) in answers.iter().zip(["state.1.online", "0002", "0001", "0002"]) {
        let (topic, payload) = answer.split_once(' ').unwrap();
        match inbound::parse(&who(), topic, payload.as_bytes(), false).unwrap() {
            Inbound::Receipt(receipt) => assert!(receipt.said.id.ends_with(awaited), "{receipt:?}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(consumer.lines().len(), 3, "nothing new was said of what had come before");
}
