//! The desk over a real journal: a disk that refuses, incidents that the core no longer knows.

use std::sync::Arc;

use crossbeam_channel::bounded;

use super::*;
use kerbside_domain::time::VirtualClock;
use kerbside_trace::delivery::{SavedIncident, Settings};
use kerbside_wire::testing::who;

fn site(dir: &std::path::Path) -> Arc<Site> {
    let text = r#"
schema = 1
[device]
edge_id = "mh-xz-017"
division = "310112"
data_dir = "data"
point = [121.37608, 31.11240]
[centre]
url = "mqtt://127.0.0.1:1"
[[camera]]
id = "clip"
url = "no-such-clip.mp4"
"#;
    let path = dir.join("site.toml");
    std::fs::write(&path, text).unwrap();
    Arc::new(kerbside_site::config::load(&path).unwrap())
}

/// As [`desk`], on a disk that always lacks room.
fn desk_on_a_full_disk(dir: &std::path::Path, clock: &Arc<VirtualClock>) -> Desk {
    let desk = desk(dir, clock);
    let mut site = (*desk.site).clone();
    site.evidence.min_free = Some(1 << 60);
    Desk { site: Arc::new(site), ..desk }
}

fn desk(dir: &std::path::Path, clock: &Arc<VirtualClock>) -> Desk {
    let site = site(dir);
    let (delivery, _) = Delivery::open(Settings::new(dir, true), who(), clock.clone()).unwrap();
    let meter = super::super::meter::Meters::new(&site, clock.clone()).desk();
    Desk::new(Core::new(&site), site, clock.clone(), delivery, None, Vec::new(), meter)
}

fn reading(value: u32, clock: &VirtualClock) -> Heard {
    let (phenomenon, arrived) = (clock.now(), clock.now());
    let (sensor, unit) = ("pm10".into(), "ug/m3".into());
    let value = f64::from(value);
    Heard::Input(Input::Reading(Reading { sensor, phenomenon, arrived, value, unit, suspicious: None }))
}

#[test]
fn a_refusing_disk_is_asked_at_ticks_and_what_waits_is_kept_within_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(1_795_221_065_120);
    let mut desk = desk(dir.path(), &clock);
    let delivery = desk.delivery.clone();
    // The journal takes no entry of that kind, and with it nothing of the same commit.
    desk.unwritten.push(Item::Note { kind: "No Kind", body: serde_json::Value::Null });
    for i in 0..2 * MAX_UNWRITTEN as u32 {
        desk.hear(reading(i, &clock));
    }
    assert_eq!(delivery.stats().unwrap().append_errors, 1, "once, and not at each input");
    assert_eq!(desk.unwritten.len(), MAX_UNWRITTEN_OBSERVATIONS);
    clock.advance_to(Mono::from_s(1.0));
    desk.tick(0);
    assert_eq!(delivery.stats().unwrap().append_errors, 2);
    // It recovers while the program stops: nobody sends any more.
    desk.unwritten.remove(0);
    let (_, inputs) = bounded(1);
    let (_, outcomes) = bounded(1);
    let (_, looked_back) = bounded(1);
    let (_, inbound) = bounded(1);
    let (_, fixes) = bounded(1);
    desk.run(Inbox { inputs, outcomes, looked_back, inbound, fixes });
    assert!(delivery.stats().unwrap().last_seq >= MAX_UNWRITTEN_OBSERVATIONS as u64 - 1);
}

#[test]
fn what_the_core_has_retired_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(1_795_221_065_120);
    let mut desk = desk(dir.path(), &clock);
    let old = SavedIncident { id: "I1".into(), place: None, record: Some("cleared".into()) };
    desk.delivery.commit(vec![Item::Incident(old)]).unwrap();
    let kept_after = |desk: &mut Desk, s: f64| {
        clock.advance_to(Mono::from_s(s));
        desk.tick(0);
        desk.delivery.stats().unwrap().incidents
    };
    assert_eq!(kept_after(&mut desk, 1.0), 1);
    assert_eq!(kept_after(&mut desk, 61.0), 0);
}

#[test]
fn a_full_disk_costs_acknowledged_evidence_first_and_what_goes_unheard_of_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(1_795_221_065_120);
    let mut desk = desk_on_a_full_disk(dir.path(), &clock);
    let site = desk.site.clone();
    let mut report = kerbside_wire::testing::report("I2", 1);
    report.evidence.clear();
    let draft = wire::matter(desk.delivery.identity(), &report, None, None);
    desk.delivery.commit(vec![Item::Message(Box::new(draft))]).unwrap();
    let folders = ["I1", "I2", "I3"].map(|id| super::super::evidence_dir(&site).join("2026-11-20").join(id));
    for folder in &folders {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("r1-clip.mp4"), [0; 100]).unwrap();
    }
    crate::evidence::hold(&super::super::evidence_dir(&site), "I3", true).unwrap();
    desk.tick(0);
    clock.advance_to(Mono::from_s(1.0));
    desk.tick(0);
    assert_eq!(folders.each_ref().map(|f| f.is_dir()), [false, false, true], "I3 is held");
    let segment = std::fs::read_to_string(dir.path().join("journal/00000000000000000001.journal")).unwrap();
    let failed: Vec<&str> = segment.lines().filter(|l| l.contains("evidence.failed.v1")).collect();
    assert!(failed.len() == 1 && failed[0].contains("\"incident_id\":\"I2\""), "{failed:?}");
}

#[test]
fn a_closed_channel_is_not_listened_to_again() {
    let (fixes, mut heard_from) = crossbeam_channel::bounded::<u32>(1);
    fixes.send(7).unwrap();
    drop(fixes);
    let first = heard_from.recv();
    assert_eq!(hear_of(&mut heard_from, first), Some(7));
    let closed = heard_from.recv();
    assert_eq!(hear_of(&mut heard_from, closed), None);
    // A closed channel would say `Disconnected`, at once and for ever.
    assert_eq!(heard_from.try_recv(), Err(crossbeam_channel::TryRecvError::Empty));
}
