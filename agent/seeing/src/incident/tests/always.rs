//! What holds for any sequence of inputs.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::street::*;
use crate::gate::{GateReport, RegionKind, Scene, StaticRegion};
use crate::incident::*;
use kerbside_domain::camera_state::{Blind, CameraState, Off};
use kerbside_domain::detection::{CloseUp, Detection, Group};
use kerbside_domain::evidence::{EvidenceItem, EvidenceOutcome, EvidenceRequest};
use kerbside_domain::frame::{BBox, CameraIx, Level};
use kerbside_domain::kind::Kind;
use kerbside_domain::report::Phase;
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
}

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
    ];
    (0u16..2, next)
}

fn two_cameras() -> Settings {
    let mut all = rule(&Kind::ALL);
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

/// Plays a script and checks every effect as it comes; returns all of them.
fn play(script: &[(u16, Next)]) -> Vec<Effect> {
    let settings = two_cameras();
    let mut core = Core::with_settings(settings.clone());
    let mut all = Vec::new();
    let mut revisions: BTreeMap<String, u32> = BTreeMap::new();
    let mut outside = Outside::default();
    let (mut half_s, mut wall_ms, mut seq) = (0u64, TEN_MS, 0);
    let mut step = |core: &mut Core, input: Input, outside: &mut Outside| {
        let mut effects = Vec::new();
        core.step(input, &mut effects);
        for effect in &effects {
            match effect {
                Effect::Report(report) => {
                    let last = revisions.entry(report.incident_id.clone()).or_default();
                    assert_eq!(report.revision, *last + 1, "revisions have no gap: {report:?}");
                    assert_eq!(report.revision == 1, report.phase == Phase::Opened);
                    *last = report.revision;
                    let seeing = core.camera_state(report.camera) == Some(CameraState::Watching);
                    assert!(seeing || report.phase == Phase::Updated, "said while not watching: {report:?}");
                }
                Effect::Save(request) => {
                    outside.kept.remove(&request.subject.set_id());
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
                    step(&mut core, Input::Observation(frame), &mut outside);
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
                step(&mut core, Input::Camera { camera, at: moment(half_s, wall_ms), state }, &mut outside);
            }
            Next::Answer { fails } => {
                for request in std::mem::take(&mut outside.requests) {
                    step(&mut core, Input::Evidence(answer(request, *fails)), &mut outside);
                }
            }
            Next::Idle(seconds) => {
                for _ in 0..*seconds {
                    half_s += 2;
                    step(&mut core, Input::Tick(moment(half_s, wall_ms)), &mut outside);
                }
            }
            Next::OldFrame => {
                let at = moment(half_s.saturating_sub(5), wall_ms);
                let frame = frame(camera, seq, at, Scene::Clear, &[], &None, Mono::ZERO);
                step(&mut core, Input::Observation(frame), &mut outside);
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
    Observation { camera, seq, at, level: Level::L2, gate, detections, close_up }
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

    #[test]
    fn any_sequence_keeps_the_invariants_and_repeats_itself(script in prop::collection::vec(nexts(), 1..40)) {
        let first = play(&script);
        prop_assert_eq!(first, play(&script));
    }
}
