//! A thing that comes back a thousand times, where the site's texts are as long as the check allows: no report is longer than the
//! contract says, the newest of them tells the state, and none is given up by the outbox.

use std::path::Path;
use std::sync::Arc;

use kerbside_domain::evidence::{EvidenceItem, EvidenceOutcome, EvidenceRequest, EvidenceRole};
use kerbside_domain::frame::{BBox, CameraIx, Level};
use kerbside_domain::model::{ModelName, ModelNames};
use kerbside_domain::report::{Cause, Report};
use kerbside_domain::time::{ClockQuality, Moment, Mono, VirtualClock};
use kerbside_seeing::gate::{GateReport, RegionKind, Scene, StaticRegion};
use kerbside_seeing::incident::{Core, Effect, Input, Observation};
use kerbside_site::config::{Site, parse};
use kerbside_site::place::Placer;
use kerbside_trace::delivery::{DeliverySettings, Item, Ledger};
use kerbside_wire::{self as wire, Identity, ManifestSubject, Message, limits};

const RETURNS: u32 = 1000;
const START_MS: i64 = 1_795_221_065_120;
const BAG: BBox = BBox { x: 0.45, y: 0.6, w: 0.05, h: 0.06 };
const FRAME_S: f64 = 0.5;
/// Frames with the bag, and without it.
const PRESENT: u32 = 10;
const ABSENT: u32 = 8;

/// A site whose every text is as long as may be.
fn site() -> Site {
    let id = "z".repeat(32);
    let name = "长".repeat(20);
    let address = "\"".repeat(120);
    let text = format!(
        "schema = 1\n[device]\nedge_id = \"{id}\"\ndivision = \"310112\"\ndata_dir = \"data\"\npoint = [121.37608, 31.1124]\n\
         address = '{address}'\n[centre]\nurl = \"mqtt://127.0.0.1:1\"\n[grid]\ndivision_name = \"{name}\"\n\
         street_name = \"{name}\"\ncommunity_name = \"{name}\"\n[[camera]]\nid = \"{id}\"\nname = \"{name}\"\n\
         url = \"clip.mp4\"\ngb28181_id = \"31011200001320000017\"\n[[camera.zone]]\nid = \"{id}\"\nname = \"{name}\"\n\
         polygon_norm = [[0.0, 0.3], [1.0, 0.3], [1.0, 1.0], [0.0, 1.0]]\n[[camera.zone.rule]]\nid = \"{id}\"\n\
         name = \"{name}\"\nkinds = [\"waste.exposed\"]\ndwell_s = 1.0\nclear_after_s = 1.0\nrepeat_s = 604800\n"
    );
    parse(&text, Path::new("site.toml")).unwrap_or_else(|problems| panic!("{problems}"))
}

fn at(frame: u32) -> Moment {
    let s = f64::from(frame) * FRAME_S;
    Moment { mono: Mono::from_s(s), wall_ms: START_MS + (s * 1000.0) as i64, quality: ClockQuality::Ntp }
}

/// A frame; `bag`: the region's number and since when it lies there.
fn frame(n: u32, bag: Option<(u32, Mono)>) -> Observation {
    let region = bag.map(|(id, since)| StaticRegion {
        id,
        bbox: BAG,
        area_norm: BAG.area() * 0.8,
        appeared: since,
        still_since: since,
        occluded: false,
        similarity: 0.95,
        kind: RegionKind::Appeared,
    });
    Observation {
        camera: CameraIx(0),
        seq: u64::from(n),
        at: at(n),
        level: Level::L2,
        gate: GateReport {
            scene: if n < 4 { Scene::Learning } else { Scene::Clear },
            motion: 0.0,
            due_for_detection: true,
            active: true,
            regions: region.into_iter().collect(),
        },
        detections: Some(Vec::new()),
        close_up: None,
        witness: None,
        sweep: Vec::new(),
        due_per_s: 1.0,
    }
}

/// What the evidence stage answers: the pictures, then the clip, each with a manifest.
fn answers(request: &EvidenceRequest) -> Vec<EvidenceOutcome> {
    let (clip, pictures): (Vec<_>, Vec<_>) =
        request.roles.iter().copied().partition(|role| *role == EvidenceRole::Clip);
    let outcome = |roles: Vec<EvidenceRole>| {
        let set = request.subject.set_id();
        let items = roles.iter().chain([&EvidenceRole::Manifest]).map(|role| {
            let word = serde_json::to_value(role).unwrap();
            let id = format!("r{}-{}{}", request.revision, word.as_str().unwrap(), roles.len());
            EvidenceItem {
                path: format!("2026-11-21/{set}/{id}.json"),
                id,
                role: *role,
                media: "application/json".into(),
                bytes: 186_233,
                sha256: "ab".repeat(32),
                captured: request.trigger_at,
                masked: false,
                enlarged: None,
                from_sub_stream: false,
                signature: None,
            }
        });
        EvidenceOutcome {
            subject: request.subject.clone(),
            revision: request.revision,
            items: items.collect(),
            answers: roles.clone(),
            shortfall: None,
        }
    };
    [pictures, clip].into_iter().filter(|roles| !roles.is_empty()).map(outcome).collect()
}

/// The box without its threads: core, wire and outbox.
struct Line {
    core: Core,
    site: Site,
    placer: Placer,
    who: Identity,
    ledger: Ledger,
    pending: Vec<Item>,
    newest: Option<Report>,
    reappeared: u32,
    largest: usize,
    sent: u32,
}

impl Line {
    fn new(dir: &Path) -> Self {
        let site = site();
        let model = |name: &str| {
            Some(ModelName { name: name.repeat(8), version: name.repeat(8), sha256: "cd".repeat(32) })
        };
        let models = ModelNames { street: model("street-net"), close_up: model("waste-net"), witness: None };
        let who = Identity::from_site(&site).with_models(models);
        let clock: Arc<VirtualClock> = VirtualClock::new(START_MS);
        let settings = DeliverySettings::new(dir, false);
        let (mut ledger, _) = Ledger::open(settings, who.clone(), clock).unwrap();
        ledger.connected(1, true, 8).unwrap();
        Line {
            core: Core::new(&site),
            placer: Placer::new(&site),
            site,
            who,
            ledger,
            pending: Vec::new(),
            newest: None,
            reappeared: 0,
            largest: 0,
            sent: 0,
        }
    }

    fn step(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut effects = Vec::new();
            self.core.step(input, &mut effects);
            for effect in effects {
                match effect {
                    Effect::Report(report) => self.report(&report),
                    Effect::Save(request) => {
                        for outcome in answers(&request) {
                            self.manifest(&outcome, request.trigger_at);
                            inputs.insert(0, Input::Evidence(outcome));
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn report(&mut self, report: &Report) {
        let place = self.placer.place(report.camera, report.bbox);
        let matter = self.site.codes.matter(report.kind, &self.site.device.division);
        let message = wire::matter(&self.who, report, place.as_ref(), matter.as_ref());
        assert_eq!(self.core.record(&report.incident_id).map(|r| r.state), Some(report.state));
        self.reappeared += u32::from(report.cause == Cause::Reappeared);
        self.newest = Some(report.clone());
        self.pending.push(Item::Message(Box::new(message.into())));
    }

    fn manifest(&mut self, outcome: &EvidenceOutcome, at: Moment) {
        let set = outcome.subject.set_id();
        let id = format!("{set}-r{}", outcome.revision).to_lowercase();
        let about = ManifestSubject::Incident(&set);
        let message: Message =
            wire::evidence_manifest(&self.who, &id, about, outcome.revision, &outcome.items, at);
        self.pending.push(Item::Message(Box::new(message)));
    }

    /// Journals what was said and hands it to a broker that takes 4 KiB and the topic.
    fn send(&mut self) {
        self.ledger.commit(std::mem::take(&mut self.pending)).unwrap();
        let topic = format!("cg/v1/310112/{}/matter/06010/updated", self.who.edge_id);
        while let Some(outgoing) = self.ledger.next(limits::MATTER + topic.len()) {
            if outgoing.topic.contains("/matter/") {
                self.largest = self.largest.max(outgoing.packet_len() - outgoing.topic.len());
                self.sent += 1;
            }
            self.ledger.puback(outgoing.seq);
        }
    }
}

#[test]
fn a_thousand_returns_of_one_thing_reach_a_broker_that_takes_4_kib() {
    let dir = tempfile::tempdir().unwrap();
    let mut line = Line::new(dir.path());
    let mut n = 0;
    for _ in 0..20 {
        n += 1;
        line.step(Input::Observation(frame(n, None)));
    }
    for turn in 0..=RETURNS {
        let since = at(n).mono;
        for _ in 0..PRESENT {
            n += 1;
            line.step(Input::Observation(frame(n, Some((turn + 1, since)))));
        }
        for _ in 0..ABSENT {
            n += 1;
            line.step(Input::Observation(frame(n, None)));
        }
        line.step(Input::Tick(at(n)));
        if turn % 50 == 0 || turn == RETURNS {
            line.send();
        }
    }
    let counters = line.core.counters();
    assert_eq!((counters.opened, line.reappeared), (1, RETURNS));
    let newest = line.newest.expect("reports");
    println!(
        "{} reports of one incident, the largest {} of {} bytes",
        line.sent,
        line.largest,
        limits::MATTER
    );
    assert_eq!(line.ledger.stats().dead_lettered, 0);
    assert_eq!(line.sent, newest.revision, "every revision was sent");
    assert!(line.largest <= limits::MATTER);
}
