//! Video that its camera signed: every NAL unit of it comes from the wire into the clip bit for bit, and the clip ends with the
//! signature over its last pictures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kerbside::evidence::{Evidence, EvidenceCamera};
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::evidence::{
    EvidenceItem, EvidenceRequest, EvidenceRole, EvidenceSubject, IncidentFacts,
};
use kerbside_domain::frame::{BBox, CameraIx, Frame, Level};
use kerbside_domain::time::{Clock, Moment, SystemClock};
use kerbside_media::ring::PacketRing;
use kerbside_media::{CaptureSession, FrameSink, FrameSource as _, Pace};
use kerbside_testkit::clips::units_of_mp4;
use kerbside_testkit::rtsp::{Camera, Codec, Film, Signatures, Verified};
use kerbside_testkit::{LIMIT, wait};
use parking_lot::Mutex;

use super::support::{bag_left, kerbside, setup};

/// What the clip shows, s.
const CLIP_S: f64 = 5.0;
/// Between two key frames, s.
const GROUP_S: f64 = 2.0;

/// Takes what comes; the ring is what matters.
struct Ignore;

impl FrameSink for Ignore {
    fn frame(&mut self, _frame: Frame) -> Level {
        Level::L1
    }

    fn state(&mut self, _at: Moment, _state: CameraState, _why: &str) {}

    fn tick(&mut self, _at: Moment) -> Level {
        Level::L1
    }
}

fn request(at: Moment) -> EvidenceRequest {
    EvidenceRequest {
        subject: EvidenceSubject::Incident("I1".into()),
        revision: 1,
        kind: None,
        camera: CameraIx(0),
        before_at: None,
        trigger_at: at,
        clip: Some((at.minus_s(CLIP_S), at)),
        zone: String::new(),
        bbox: BBox { x: 0.1, y: 0.1, w: 0.1, h: 0.1 },
        objects: Vec::new(),
        roles: Vec::new(),
        facts: IncidentFacts::default(),
    }
}

/// The clip that ends now: in the middle of a group of pictures.
fn clip_of(evidence: &mut Evidence, ring: &Mutex<PacketRing>, clock: &dyn Clock) -> EvidenceItem {
    let in_a_group = |ring: &PacketRing| {
        let (oldest, latest) = (ring.oldest()?, ring.latest()?);
        let last = ring.span(latest.mono, latest.mono)?;
        let since_key_s = latest.mono.since_s(last.begin()?.mono);
        let enough = latest.mono.since_s(oldest.mono) > CLIP_S + 2.0 * GROUP_S;
        (enough && (0.5..1.5).contains(&since_key_s)).then_some(latest)
    };
    let found = || {
        let ring = ring.lock();
        Ok(in_a_group(&ring).ok_or_else(|| format!("{:?}", ring.latest())))
    };
    let at = wait::poll("packets of some groups", LIMIT, Duration::from_millis(20), found).unwrap();
    let mut made = evidence.request(request(at));
    let mut clip = || {
        made.extend(evidence.poll(clock.now().mono));
        let items = made.iter().flat_map(|outcome| &outcome.items);
        let clip = items.into_iter().find(|item| item.role == EvidenceRole::Clip);
        Ok(clip.cloned().ok_or_else(|| format!("{made:?}")))
    };
    wait::poll("the clip", LIMIT, Duration::from_millis(20), &mut clip).unwrap()
}

fn survives(codec: Codec) {
    let dir = tempfile::tempdir().unwrap();
    let input = bag_left();
    let input = ["-i", input.to_str().unwrap()];
    let film =
        Film::encode_as(codec, dir.path(), "film", &input, "keyint=20:min-keyint=20").unwrap().signed();
    let camera = Camera::start(film.clone()).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ring = Arc::new(Mutex::new(PacketRing::new(60.0, 64 << 20)));
    let (stopper, stop) = crossbeam_channel::bounded(0);
    let mut capture = setup(camera.url(), Pace::Live);
    (capture.stall_after_s, capture.restart_after_s) = (10.0, 20.0);
    let mut session = CaptureSession::new(capture, clock.clone(), ring.clone());
    let watched = EvidenceCamera {
        id: "cam1".into(),
        ring: ring.clone(),
        main: None,
        zones: BTreeMap::new(),
        point: None,
    };
    let in_child = kerbside_media::clip::in_child(kerbside());
    let mut evidence = Evidence::new(dir.path().join("evidence"), "box".into(), 0, vec![watched], in_child);
    let clip = std::thread::scope(|scope| {
        scope.spawn(move || session.run(&mut Ignore, &stop));
        let clip = clip_of(&mut evidence, &ring, &*clock);
        drop(stopper);
        clip
    });

    let sent = film.nal_units();
    let kept = units_of_mp4(&dir.path().join("evidence").join(&clip.path)).unwrap();
    let is_run = sent.windows(kept.len()).any(|run| run == kept);
    let strangers = kept.iter().filter(|unit| !sent.contains(unit)).map(|unit| unit.len());
    assert!(is_run, "the clip is no run of what the camera sent; {:?}", strangers.collect::<Vec<_>>());

    // Each group is verified; behind the last signature stands nothing but the picture that came with it.
    let verified = Signatures::verify(codec, kept.iter().map(Vec::as_slice));
    let groups = (CLIP_S / GROUP_S).ceil() as usize;
    assert_eq!(verified, Verified { right: verified.right, wrong: 0, pending: 1 }, "{codec:?}");
    assert!(verified.right >= groups, "{codec:?}: {verified:?}");
}

#[test]
fn signed_h264_comes_into_the_clip_bit_for_bit_and_whole() {
    survives(Codec::H264);
}

#[test]
fn signed_h265_comes_into_the_clip_bit_for_bit_and_whole() {
    survives(Codec::H265);
}
