//! What holds for any sequence of inputs.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::street::*;
use crate::gate::{GateReport, RegionKind, Scene, StaticRegion};
use crate::incident::*;
use kerbside_domain::camera_state::{Blind, CameraState, Off};
use kerbside_domain::case::{CaseState, CaseUpdate};
use kerbside_domain::detection::{CloseUp, Detection, Group};
use kerbside_domain::evidence::{EvidenceItem, EvidenceOutcome, EvidenceRequest};
use kerbside_domain::frame::{BBox, CameraIx, Level};
use kerbside_domain::kind::Kind;
use kerbside_domain::report::{Cause, IncidentState, Phase, RecheckResult, Report};
use kerbside_domain::time::{Moment, Mono};

const SCENES: [Scene; 7] = [
    Scene::Learning,
    Scene::Clear,
    Scene::LightChanged,
    Scene::Black,
    Scene::Covered,
    Scene::Moved,
    Scene::Frozen,
];
const GROUPS: [Group; 5] = [Group::Person, Group::Vehicle, Group::Waste, Group::Stall, Group::Goods];

fn scenes() -> impl Strategy<Value = Scene> {
    prop_oneof![12 => Just(Scene::Clear), 1 => prop::sample::select(&SCENES[..])]
}

/// Few places, so that things meet again.
fn boxes() -> impl Strategy<Value = BBox> {
    (0u8..6, 0u8..3, 1u8..3).prop_map(|(x, y, size)| BBox {
        x: f32::from(x) * 0.15,
        y: 0.35 + f32::from(y) * 0.2,
        w: 0.06 * f32::from(size),
        h: 0.08 * f32::from(size),
    })
}

/// What happens next, after this many half seconds, to which camera.
#[derive(Clone, Debug)]
enum Next {
    /// A scene, regions and detections that stay for some frames.
    Frames {
        scene: Scene,
        regions: Vec<(u8, BBox, bool)>,
        detections: Option<Vec<(u8, BBox)>>,
        frames: u8,
    },
    Source(u8),
    Answer {
        fails: bool,
    },
    Idle(u16),
    OldFrame,
    Restart,
    /// What the centre says of one of the incidents so far.
    Case {
        which: u8,
        state: u8,
    },
    /// The centre commands a recheck of one of them.
    Recheck(u8),
}

/// Of the centre's case.
const CASES: [CaseState; 7] = [
    CaseState::Filed,
    CaseState::Disposed,
    CaseState::Closed,
    CaseState::Voided,
    CaseState::NotFiled,
    CaseState::FollowedUp,
    CaseState::Reopened,
];

fn nexts() -> impl Strategy<Value = (u16, Next)> {
    let regions = prop::collection::vec((0u8..6, boxes(), prop::bool::weighted(0.1)), 0..4);
    let detections = prop::option::weighted(0.9, prop::collection::vec((0u8..5, boxes()), 0..3));
    let frames = (scenes(), regions, detections, 1u8..80)
        .prop_map(|(scene, regions, detections, frames)| Next::Frames { scene, regions, detections, frames });
    let next = prop_oneof![
        16 => frames,
        1 => (0u8..4).prop_map(Next::Source),
        3 => any::<bool>().prop_map(|fails| Next::Answer { fails }),
        1 => (0u16..300).prop_map(Next::Idle),
        1 => Just(Next::OldFrame),
        1 => Just(Next::Restart),
        3 => (any::<u8>(), any::<u8>()).prop_map(|(which, state)| Next::Case { which, state }),
        2 => any::<u8>().prop_map(Next::Recheck),
    ];
    (0u16..2, next)
}

fn two_cameras() -> Settings {
    let mut all = rule(&Kind::SEEN);
    all.dwell_s = 5.0;
    all.clear_after_s = 4.0;
    let mut settings = settings(vec![camera(0, vec![all.clone()]), camera(1, vec![all])]);
    settings.patrol.period_s = 60.0;
    settings
}

/// What the evidence stage knows.
#[derive(Default)]
struct Outside {
    requests: Vec<EvidenceRequest>,
    kept: BTreeSet<String>,
}

/// A centre that keeps nothing but the newest revision of each incident, and its own cases.
#[derive(Default)]
struct Consumer {
    newest: BTreeMap<String, Report>,
    cases: BTreeMap<String, CaseState>,
    /// Files of each incident that were named.
    named: BTreeSet<(String, String)>,
}

impl Consumer {
    fn takes(&mut self, report: &Report) {
        let id = &report.incident_id;
        let before = self.newest.insert(id.clone(), report.clone());
        assert!(report.started.wall_ms >= report.first_seen.wall_ms, "{report:?}");
        for item in &report.evidence {
            let is_new = self.named.insert((id.clone(), item.id.clone()));
            assert!(is_new || report.cause == Cause::Clock, "named twice: {report:?}");
        }
        let ended = self.cases.get(id).is_some_and(CaseState::is_end);
        let continues = matches!(report.cause, Cause::Reappeared | Cause::Grew) && report.revision > 1;
        assert!(!(ended && continues), "an ended case is never continued: {report:?}");
        if let Some(previous) = &report.previous {
            assert!(self.newest.contains_key(previous), "{report:?}");
            let was_ended = self.cases.get(previous).is_some_and(CaseState::is_end);
            assert!(was_ended || report.revision > 1, "{report:?}");
        }
        if let Some(before) = before {
            let is_new = report.cause == Cause::Reappeared;
            assert!(is_new || before.started.wall_ms == report.started.wall_ms, "{report:?}");
        }
    }

    /// Invariant 16.
    fn agrees(&self, core: &Core) {
        let mut open: Vec<&str> = core.open_incidents().map(|r| r.incident_id.as_str()).collect();
        open.sort_unstable();
        for (id, newest) in &self.newest {
            if let Some(record) = core.record(id) {
                assert_eq!(record.state, newest.state, "the newest revision of {id} tells the state");
            }
        }
        for id in open {
            assert_eq!(self.newest[id].state, IncidentState::Open, "{id}");
        }
    }

    fn incident(&self, which: u8) -> Option<String> {
        let ids: Vec<&String> = self.newest.keys().collect();
        (!ids.is_empty()).then(|| ids[usize::from(which) % ids.len()].clone())
    }
}

/// Plays a script and checks every effect as it comes; returns all of them.
fn play(script: &[(u16, Next)]) -> Vec<Effect> {
    let settings = two_cameras();
    let mut core = Core::with_settings(settings.clone());
    let mut all = Vec::new();
    let mut revisions: BTreeMap<String, u32> = BTreeMap::new();
    let mut outside = Outside::default();
    let mut consumer = Consumer::default();
    let (mut half_s, mut wall_ms, mut seq) = (0u64, TEN_MS, 0);
    let mut step = |core: &mut Core, input: Input, outside: &mut Outside, consumer: &mut Consumer| {
        let mut effects = Vec::new();
        if let Input::Case(update) = &input {
            consumer.cases.insert(update.incident_id.clone(), update.state.clone());
        }
        core.step(input, &mut effects);
        for effect in &effects {
            match effect {
                Effect::Report(report) => {
                    consumer.takes(report);
                    let last = revisions.entry(report.incident_id.clone()).or_default();
                    assert_eq!(report.revision, *last + 1, "revisions have no gap: {report:?}");
                    assert_eq!(report.revision == 1, report.phase == Phase::Opened);
                    *last = report.revision;
                    let seeing = core.camera_state(report.camera) == Some(CameraState::Watching);
                    let looked = report.recheck.as_ref().map(|r| r.result);
                    let claims_nothing =
                        report.phase == Phase::Updated || looked == Some(RecheckResult::Unobservable);
                    assert!(seeing || claims_nothing, "said while not watching: {report:?}");
                }
                Effect::Save(request) => {
                    if request.clip.is_some() {
                        outside.kept.remove(&request.subject.set_id());
                    }
                    outside.requests.push(request.clone());
                }
                Effect::Pin { incident_id, .. } => {
                    assert!(outside.kept.insert(incident_id.clone()), "kept twice: {incident_id}");
                }
                Effect::Unpin { incident_id } => {
                    assert!(outside.kept.remove(incident_id), "released, but was not kept: {incident_id}");
                }
                _ => {}
            }
        }
        all.extend(effects);
        consumer.agrees(core);
    };
    for (camera, next) in script {
        let camera = CameraIx(*camera);
        let moment = |half_s: u64, wall_ms: i64| Moment {
            mono: Mono(half_s * 500_000),
            wall_ms: wall_ms + half_s as i64 * 500,
            quality: Default::default(),
        };
        match next {
            Next::Frames { scene, regions, detections, frames } => {
                let began = Mono(half_s * 500_000);
                for _ in 0..*frames {
                    half_s += 1;
                    seq += 1;
                    let frame =
                        frame(camera, seq, moment(half_s, wall_ms), *scene, regions, detections, began);
                    step(&mut core, Input::Observation(frame), &mut outside, &mut consumer);
                }
            }
            Next::Source(which) => {
                let states = [
                    CameraState::Watching,
                    CameraState::Off(Off::Silent),
                    CameraState::Off(Off::Paused),
                    CameraState::Blind(Blind::Undecodable),
                ];
                let state = states[usize::from(*which)];
                step(
                    &mut core,
                    Input::Camera { camera, at: moment(half_s, wall_ms), state },
                    &mut outside,
                    &mut consumer,
                );
            }
            Next::Answer { fails } => {
                for request in std::mem::take(&mut outside.requests) {
                    step(&mut core, Input::Evidence(answer(request, *fails)), &mut outside, &mut consumer);
                }
            }
            Next::Idle(seconds) => {
                for _ in 0..*seconds {
                    half_s += 2;
                    step(&mut core, Input::Tick(moment(half_s, wall_ms)), &mut outside, &mut consumer);
                }
            }
            Next::OldFrame => {
                let at = moment(half_s.saturating_sub(5), wall_ms);
                let frame = frame(camera, seq, at, Scene::Clear, &[], &None, Mono::ZERO);
                step(&mut core, Input::Observation(frame), &mut outside, &mut consumer);
            }
            Next::Case { which, state } => {
                let state = CASES[usize::from(*state) % CASES.len()].clone();
                let Some(incident_id) = consumer.incident(*which) else { continue };
                let update = CaseUpdate { incident_id, case_no: None, state, reason: None, signed_by: None };
                step(&mut core, Input::Case(update), &mut outside, &mut consumer);
            }
            Next::Recheck(which) => {
                let Some(incident_id) = consumer.incident(*which) else { continue };
                let command_id = format!("c{half_s}");
                step(&mut core, Input::Recheck { incident_id, command_id }, &mut outside, &mut consumer);
            }
            Next::Restart => {
                let records = core.snapshot();
                outside.kept.clear();
                core = Core::with_settings(settings.clone());
                wall_ms += half_s as i64 * 500 + 7000;
                half_s = 0;
                core.restore(records, moment(0, wall_ms));
            }
        }
    }
    for camera in [CameraIx(0), CameraIx(1)] {
        assert!(core.candidates(camera) <= MAX_CANDIDATES);
    }
    all
}

fn frame(
    camera: CameraIx,
    seq: u64,
    at: Moment,
    scene: Scene,
    regions: &[(u8, BBox, bool)],
    detections: &Option<Vec<(u8, BBox)>>,
    began: Mono,
) -> Observation {
    let regions = regions.iter().map(|(id, bbox, occluded)| StaticRegion {
        id: u32::from(*id),
        bbox: *bbox,
        area_norm: bbox.area() * 0.7,
        appeared: began,
        still_since: began,
        occluded: *occluded,
        similarity: 0.9,
        kind: RegionKind::Appeared,
    });
    let detections = detections.as_ref().map(|seen| {
        let detection = |(group, bbox): &(u8, BBox)| Detection {
            label: "x".into(),
            group: GROUPS[usize::from(*group)],
            confidence: 0.7,
            bbox: *bbox,
        };
        seen.iter().map(detection).collect()
    });
    let part = BBox { x: 0.0, y: 0.0, w: 1.0, h: 1.0 };
    let close_up = detections.as_ref().filter(|_| seq.is_multiple_of(3));
    let close_up = close_up.map(|seen: &Vec<Detection>| CloseUp { part, detections: seen.clone() });
    let gate =
        GateReport { scene, motion: 0.0, due_for_detection: true, active: true, regions: regions.collect() };
    Observation {
        camera,
        seq,
        at,
        level: Level::L2,
        gate,
        detections,
        close_up,
        witness: None,
        sweep: vec![],
        due_per_s: 2.0,
    }
}

fn answer(request: EvidenceRequest, fails: bool) -> EvidenceOutcome {
    let items = request.roles.iter().map(|role| EvidenceItem {
        id: format!("{}{role:?}", request.revision),
        role: *role,
        media: "image/jpeg".into(),
        path: "x".into(),
        bytes: 1,
        sha256: "0".into(),
        captured: request.trigger_at,
        masked: false,
        enlarged: None,
        from_sub_stream: false,
        signature: None,
    });
    EvidenceOutcome {
        items: if fails { Vec::new() } else { items.collect() },
        subject: request.subject,
        revision: request.revision,
        answers: request.roles,
        shortfall: fails.then(|| "full".to_owned()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariant 16: see [`Consumer::agrees`]. Longer scripts than below, in which the centre has more to say.
    #[test]
    fn whoever_keeps_only_the_newest_revision_knows_the_state(script in prop::collection::vec(nexts(), 30..80)) {
        play(&script);
    }

    #[test]
    fn any_sequence_keeps_the_invariants_and_repeats_itself(script in prop::collection::vec(nexts(), 1..40)) {
        let first = play(&script);
        prop_assert_eq!(first, play(&script));
    }
}
