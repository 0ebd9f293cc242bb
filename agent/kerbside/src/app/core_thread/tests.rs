//! The core's thread over a real journal: a disk that refuses, incidents that the core has retired, commands that end elsewhere.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use crossbeam_channel::{bounded, never};
use kerbside_domain::reading::Reading;
use kerbside_domain::time::{Clock as _, Mono, VirtualClock};
use kerbside_seeing::incident::{Core, Input};
use kerbside_site::config::{Sensor, SensorKind};
use kerbside_trace::delivery::{
    Delivery, DeliverySettings, Item, SavedIncident, StageCommand, StageInput, StoredInput,
};
use kerbside_trace::journal::RecordKind;
use kerbside_wire as wire;
use kerbside_wire::testing::who;
use tokio::sync::{Notify, mpsc};

use super::events::Event;
use super::write_queue::{MAX_ITEMS, MAX_ITEMS_FOR_OBSERVATIONS};
use super::{CoreThread, Inbox, Parts};
use crate::app::meters::Meters;
use crate::app::paths::evidence_dir;
use crate::app::tests::site;
use crate::evidence::{self, Evidence};

/// What stands around the thread in a test.
struct Bench {
    dir: tempfile::TempDir,
    clock: Arc<VirtualClock>,
    thread: CoreThread,
    delivery: Delivery,
    restart: Arc<Notify>,
    uploads: mpsc::Receiver<wire::Grant>,
}

impl Bench {
    fn new() -> Self {
        Bench::with_min_free(None)
    }

    /// `min_free`: bytes of the disk below which it counts as full.
    fn with_min_free(min_free: Option<u64>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = VirtualClock::new(1_795_221_065_120);
        let mut site = site(dir.path());
        site.evidence.min_free = min_free;
        site.sensors.sensors.push(Sensor::on_topic("help-1", SensorKind::CallButton, "1", "sensors/help-1"));
        let site = Arc::new(site);
        let (delivery, _) =
            Delivery::open(DeliverySettings::new(dir.path(), true), who(), clock.clone()).unwrap();
        let (outcomes, _) = bounded(1);
        let evidence =
            Evidence::new(evidence_dir(&site), "a".into(), 0, Vec::new(), Box::new(|_| Err("no cut".into())));
        let (uploads, granted) = mpsc::channel(1);
        let restart = Arc::new(Notify::new());
        let parts = Parts {
            core: Core::new(&site),
            site: site.clone(),
            clock: clock.clone(),
            delivery: delivery.clone(),
            evidence: evidence::spawn(evidence, clock.clone(), outcomes, |_| {}, None).unwrap(),
            review: None,
            cameras: Vec::new(),
            uploads,
            warnings: mpsc::channel(1).0,
            restart: restart.clone(),
            meter: Meters::new(&site, clock.clone()).core(),
        };
        Bench { dir, clock, thread: CoreThread::new(parts), delivery, restart, uploads: granted }
    }

    fn tick_at(&mut self, s: f64) {
        self.clock.advance_to(Mono::from_s(s));
        self.thread.tick(0);
    }

    fn reading(&self, value: u32) -> Event {
        let (phenomenon, arrived) = (self.clock.now(), self.clock.now());
        let (sensor, unit) = ("pm10".into(), "ug/m3".into());
        let value = f64::from(value);
        Event::Input(Input::Reading(Reading { sensor, phenomenon, arrived, value, unit, suspicious: None }))
    }

    /// Takes the notification, if there is one.
    fn restart_was_ordered(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(self.restart.notified()).poll(&mut context).is_ready()
    }

    fn journal(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("journal/00000000000000000001.journal")).unwrap()
    }
}

#[test]
fn a_refusing_disk_is_tried_at_ticks_and_the_queue_stays_bounded() {
    let mut bench = Bench::new();
    // The journal takes no entry of that kind, and with it nothing of the same commit.
    bench.thread.writes.item(Item::Note { kind: RecordKind::from("No Kind"), body: serde_json::Value::Null });
    for i in 0..2 * MAX_ITEMS as u32 {
        bench.thread.handle(bench.reading(i));
    }
    assert_eq!(bench.delivery.stats().unwrap().append_errors, 1, "once, and not at each input");
    assert_eq!(bench.thread.writes.items(), MAX_ITEMS_FOR_OBSERVATIONS);
    bench.tick_at(1.0);
    assert_eq!(bench.delivery.stats().unwrap().append_errors, 2);
    // The disk recovers while the program stops, when no more inputs come.
    bench.thread.writes.remove_first();
    let (_, inputs) = bounded(1);
    let (evidence, reviews, centre, gnss) = (never(), never(), never(), never());
    let (presses, sites) = (never(), never());
    bench.thread.run(Inbox { inputs, evidence, reviews, centre, gnss, presses, sites });
    assert!(bench.delivery.stats().unwrap().last_seq >= MAX_ITEMS_FOR_OBSERVATIONS as u64 - 1);
}

#[test]
fn incidents_that_the_core_has_retired_are_removed() {
    let mut bench = Bench::new();
    let old = SavedIncident { id: "I1".into(), place: None, record: Some("cleared".into()) };
    bench.delivery.commit(vec![Item::Incident(old)]).unwrap();
    let mut saved_at = |s: f64| {
        bench.tick_at(s);
        bench.delivery.stats().unwrap().incidents
    };
    assert_eq!(saved_at(1.0), 1);
    assert_eq!(saved_at(61.0), 0);
}

#[test]
fn a_full_disk_costs_acknowledged_evidence_first_and_the_rest_is_reported() {
    let mut bench = Bench::with_min_free(Some(1 << 60));
    let mut report = wire::testing::report("I2", 1);
    report.evidence.clear();
    let message = wire::matter(bench.delivery.identity(), &report, None, None).into();
    bench.delivery.commit(vec![Item::Message(Box::new(message))]).unwrap();
    let dir = evidence_dir(&bench.thread.site);
    let folders = ["I1", "I2", "I3"].map(|id| dir.join("2026-11-20").join(id));
    for folder in &folders {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("r1-clip.mp4"), [0; 100]).unwrap();
    }
    evidence::set_retention_hold(&dir, "I3", evidence::HoldChange::Hold).unwrap();
    bench.thread.tick(0);
    bench.tick_at(1.0);
    assert_eq!(folders.each_ref().map(|f| f.is_dir()), [false, false, true], "I3 is held");
    let journal = bench.journal();
    let failed: Vec<&str> = journal.lines().filter(|l| l.contains("evidence.failed.v1")).collect();
    assert!(failed.len() == 1 && failed[0].contains("\"incident_id\":\"I2\""), "{failed:?}");
}

#[test]
fn an_ordered_restart_is_answered_durably_and_then_happens() {
    let mut bench = Bench::new();
    let command = StageCommand {
        id: "C1".into(),
        verb: "restart".into(),
        expires_at_ms: bench.clock.now().wall_ms + 60_000,
        action: wire::StageAction::Restart,
        until: None,
    };
    bench.thread.writes.item(Item::Note { kind: RecordKind::from("No Kind"), body: serde_json::Value::Null });
    bench.thread.handle(Event::Centre(vec![StoredInput { n: 1, input: StageInput::Command(command) }]));
    assert!(!bench.restart_was_ordered(), "the reply is not on the disk yet");
    bench.thread.writes.remove_first();
    bench.tick_at(1.0);
    assert!(bench.restart_was_ordered());
    let journal = bench.journal();
    assert!(journal.contains("command.reply.v1") && journal.contains("restart"), "{journal}");
}

#[test]
fn a_grant_reaches_the_uploads() {
    let mut bench = Bench::new();
    let grant = wire::Grant {
        until: None,
        id: "G1".into(),
        path: "2026-11-20/I1/r1-clip.mp4".into(),
        sha256: "0".repeat(64),
        expires_at_ms: 0,
        issued_at_ms: 0,
        url: String::new(),
        offset: 0,
        headers: Default::default(),
        resumable: false,
        unmasked: false,
        own: false,
    };
    bench.thread.handle(Event::Centre(vec![StoredInput { n: 1, input: StageInput::Grant(grant.clone()) }]));
    assert_eq!(bench.uploads.try_recv(), Ok(grant));
}

#[test]
fn a_press_is_told_durable_only_when_it_is_and_is_one_call_with_a_count() {
    let mut bench = Bench::new();
    let press = |bench: &mut Bench| {
        let at = bench.clock.now();
        let (sensor, unit) = ("help-1".into(), "1".into());
        let reading = Reading { sensor, phenomenon: at, arrived: at, value: 1.0, unit, suspicious: None };
        let (durable, told) = tokio::sync::oneshot::channel();
        bench.thread.handle(Event::Press(crate::sensor::Press { reading, durable }));
        told
    };
    // The journal takes no entry of that kind, and with it nothing of the same commit.
    bench.thread.writes.item(Item::Note { kind: RecordKind::from("No Kind"), body: serde_json::Value::Null });
    let mut first = press(&mut bench);
    assert!(first.try_recv().is_err(), "the disk refuses");
    bench.thread.writes.remove_first();
    bench.tick_at(1.0);
    assert_eq!(first.try_recv(), Ok(()));
    let mut second = press(&mut bench);
    assert_eq!(second.try_recv(), Ok(()));
    let journal = bench.journal();
    let reports: Vec<&str> =
        journal.lines().filter(|l| l.contains("call.help") && l.contains("matter.")).collect();
    assert!(reports.iter().any(|l| l.contains(r#""count":2"#)), "{reports:?}");
}

#[test]
fn a_patrol_command_is_answered_at_once_and_a_camera_is_told_when_it_changes() {
    use kerbside_domain::camera_state::{CameraState, Off};
    use kerbside_domain::frame::CameraIx;
    let mut bench = Bench::new();
    bench.tick_at(1.0);
    let command = StageCommand {
        id: "C7".into(),
        verb: "patrol".into(),
        expires_at_ms: bench.clock.now().wall_ms + 60_000,
        action: wire::StageAction::Patrol,
        until: None,
    };
    bench.thread.handle(Event::Centre(vec![StoredInput { n: 1, input: StageInput::Command(command) }]));
    let journal = bench.journal();
    let line = |what: &str| journal.lines().filter(|l| l.contains(what)).collect::<Vec<_>>().concat();
    let (report, reply) = (line("patrol.report.v1"), line("command.reply.v1"));
    assert!(report.contains("\"verdict\":\"degraded\"") && report.contains("camera_off"), "{report}");
    assert!(report.contains("\"commands\":[\"C7\"]"), "{report}");
    assert!(reply.contains("\"command_id\":\"C7\"") && reply.contains("\"result\":\"done\""), "{reply}");
    let state = CameraState::Off(Off::Unreachable);
    let (camera, at) = (CameraIx(0), bench.clock.now());
    bench.thread.handle(Event::Input(Input::Camera { camera, at, state }));
    let told: Vec<String> =
        bench.journal().lines().filter(|l| l.contains("camera.state.v1")).map(str::to_owned).collect();
    assert!(told.len() == 1 && told[0].contains("unreachable") && told[0].contains("/camera/"), "{told:?}");
}

/// `device.position` messages so far: accuracy, and why it is doubted.
fn positions(bench: &Bench) -> Vec<(f64, Option<String>)> {
    let records = bench.journal();
    let told = records.lines().filter(|line| line.contains("kerbside.device.position.v1"));
    let data = told.map(|line| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["body"]["envelope"]["data"].clone()
    });
    data.map(|data| (data["accuracy_m"].as_f64().unwrap(), data["suspicious"].as_str().map(str::to_owned)))
        .collect()
}

#[test]
fn a_position_is_doubted_until_the_fixes_are_back_whatever_is_told_meanwhile() {
    use crate::sensor::GnssEvent;
    use kerbside_domain::position::{Position, PositionSource};
    let mut bench = Bench::new();
    let position = |bench: &Bench, accuracy_m: f64| {
        let (source, at) = (PositionSource::GnssMean, bench.clock.now());
        let (lon_deg, lat_deg) = (121.376, 31.112);
        let told = Position { lon_deg, lat_deg, accuracy_m, source, frozen: false, at, suspicious: None };
        Event::Gnss(GnssEvent::Position(told))
    };
    let moved = GnssEvent::Moved { away_m: 80.0, limit_m: 25.0, at: bench.clock.now() };
    let events = [position(&bench, 9.0), Event::Gnss(moved), position(&bench, 8.0)];
    events.into_iter().for_each(|event| bench.thread.handle(event));
    bench.thread.handle(Event::Gnss(GnssEvent::Returned { at: bench.clock.now() }));
    bench.thread.handle(position(&bench, 7.0));
    let moved = || Some("moved".to_owned());
    assert_eq!(positions(&bench), [(9.0, None), (9.0, moved()), (8.0, moved()), (8.0, None), (7.0, None)]);
}
