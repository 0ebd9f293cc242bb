//! The stage with a clip maker that writes text: names, spans, durability order, bounds.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kerbside_domain::evidence::{
    EvidenceOutcome, EvidenceRequest, EvidenceRole, EvidenceSubject, IncidentFacts,
};
use kerbside_domain::frame::{CameraIx, Packet, StreamInfo, Turn};
use kerbside_domain::kind::Kind;
use kerbside_domain::time::{Moment, Mono};
use kerbside_media::clip::{ClipForm, ClipMaker, ClipOutput};
use kerbside_media::ring::PacketRing;
use parking_lot::Mutex;

use super::files::Place;
use super::tuning::MAX_WAITING_CLIPS;
use super::*;

const TICKS: i64 = 90_000;

fn packet(s: f64, key: bool) -> Packet {
    let at = Moment { mono: Mono::from_s(s), wall_ms: (s * 1000.0) as i64, ..Moment::default() };
    let pts = (s * TICKS as f64) as i64;
    let data = Bytes::from(vec![7; 100]);
    Packet { epoch: 1, pts, dts: pts, duration: 9000, key, refresh: 0, damaged: false, at, data }
}

/// A ring with 10 packets a second and a key packet each second.
pub(crate) fn ring(seconds: f64, until_s: u32) -> Arc<Mutex<PacketRing>> {
    let mut ring = PacketRing::new(seconds, 1 << 20);
    ring.set_stream(StreamInfo {
        epoch: 1,
        codec: "h264".into(),
        width: 640,
        height: 360,
        turn: Turn::NONE,
        time_base: (1, TICKS as i32),
        fps: 10.0,
        extradata: Bytes::new(),
    });
    let ring = Arc::new(Mutex::new(ring));
    feed(&ring, 0, until_s);
    ring
}

pub(crate) fn feed(ring: &Mutex<PacketRing>, from_s: u32, until_s: u32) {
    for i in from_s * 10..until_s * 10 {
        ring.lock().push(packet(f64::from(i) / 10.0, i % 10 == 0));
    }
}

pub(crate) fn stage(dir: &std::path::Path, ring: Arc<Mutex<PacketRing>>) -> Evidence {
    let make_clip: ClipMaker = Box::new(|job| {
        let first = job.packets.first().map(|p| p.pts / TICKS).unwrap_or_default();
        let last = job.packets.last().map(|p| p.pts as f64 / TICKS as f64).unwrap_or_default();
        if let Some(clip) = &job.clip {
            std::fs::write(clip, format!("clip {first}..{last:.1}")).unwrap();
        }
        for picture in &job.stills {
            std::fs::write(&picture.path, format!("picture {:.1}", picture.pts as f64 / TICKS as f64))
                .unwrap();
        }
        Ok(ClipOutput {
            clip: job.clip.is_some().then_some(ClipForm::AsSent),
            stills: job.stills.iter().map(|still| Ok(still.pts)).collect(),
        })
    });
    let (zones, point) = (BTreeMap::new(), Some((121.4, 31.1)));
    let camera = EvidenceCamera { id: "cam1".into(), ring, main: None, zones, point };
    Evidence::new(dir.to_owned(), "box".into(), 8 * 3600, vec![camera], make_clip)
}

fn at(s: f64) -> Moment {
    Moment { mono: Mono::from_s(s), wall_ms: (s * 1000.0) as i64, ..Moment::default() }
}

pub(crate) fn request(id: &str, clip: (f64, f64)) -> EvidenceRequest {
    EvidenceRequest {
        subject: EvidenceSubject::Incident(id.into()),
        revision: 1,
        kind: Some(Kind::WasteExposed),
        camera: CameraIx(0),
        before_at: Some(at(11.0)),
        trigger_at: at(19.5),
        clip: Some((at(clip.0), at(clip.1))),
        zone: "z".into(),
        bbox: kerbside_domain::frame::BBox { x: 0.1, y: 0.1, w: 0.1, h: 0.1 },
        objects: Vec::new(),
        roles: vec![EvidenceRole::Before, EvidenceRole::Trigger],
        facts: IncidentFacts::default(),
    }
}

fn read(dir: &std::path::Path, outcome: &EvidenceOutcome, role: EvidenceRole) -> String {
    let item = outcome.items.iter().find(|i| i.role == role).unwrap();
    let text = std::fs::read_to_string(dir.join(&item.path)).unwrap();
    assert_eq!(item.bytes as usize, text.len());
    text
}

#[test]
fn pictures_come_at_once_and_the_clip_when_its_post_roll_has_passed() {
    let dir = tempfile::tempdir().unwrap();
    let ring = ring(30.0, 20);
    let mut stage = stage(dir.path(), ring.clone());
    let made = stage.request(request("A", (10.0, 21.0)));
    assert_eq!(read(dir.path(), &made[0], EvidenceRole::Before), "picture 11.0");
    assert_eq!(read(dir.path(), &made[0], EvidenceRole::Trigger), "picture 19.5");
    assert!(stage.poll(Mono::from_s(20.0)).is_empty());
    feed(&ring, 20, 22);
    let made = stage.poll(Mono::from_s(22.0));
    assert_eq!(read(dir.path(), &made[0], EvidenceRole::Clip), "clip 10..21.0");
    let manifest: Manifest =
        serde_json::from_str(&read(dir.path(), &made[0], EvidenceRole::Manifest)).unwrap();
    let ids: Vec<_> = manifest.items.iter().map(|i| i.id.as_str()).collect();
    assert_eq!(ids, ["r1-before", "r1-trigger", "r1-clip"]);
    assert_eq!(manifest.clip.unwrap().packets, 111);
    let ids: Vec<_> = made[0].items.iter().map(|i| i.id.as_str()).collect();
    assert_eq!(ids, ["r1-clip", "r1-clip-manifest"], "a manifest that was named is never rewritten");
    assert_eq!(made[0].answers, [EvidenceRole::Clip]);
}

/// The same ring with a signature in each key packet.
fn signed_ring(until_s: u32) -> Arc<Mutex<PacketRing>> {
    let signed = ring(60.0, 0);
    feed_signed(&signed, 0, until_s);
    signed
}

fn feed_signed(ring: &Mutex<PacketRing>, from_s: u32, until_s: u32) {
    let uuid = b"\x00\x5b\xc9\x3f\x2d\x71\x5e\x95\xad\xa4\x79\x6f\x90\x87\x7a\x6f";
    for i in from_s * 10..until_s * 10 {
        let mut packet = packet(f64::from(i) / 10.0, i % 10 == 0);
        if packet.key {
            packet.data = Bytes::from([&b"\x00\x00\x01\x06\x05\x18"[..], uuid, &[7; 70]].concat());
        }
        ring.lock().push(packet);
    }
}

#[test]
fn a_clip_of_signed_video_ends_with_the_signature_over_its_last_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let ring = signed_ring(20);
    let mut stage = stage(dir.path(), ring.clone());
    // Pinned for a candidate: what lies in the ring then goes on likewise.
    stage.pin("A".into(), CameraIx(0), Mono::from_s(10.0), Mono::from_s(13.5));
    assert_eq!(stage.pins.packets("A").unwrap().span.end().unwrap().mono, Mono::from_s(14.0));
    stage.unpin("A");
    stage.request(request("A", (10.0, 19.5)));
    // The ring has reached the end of the span, but not the next key frame.
    assert!(stage.poll(Mono::from_s(20.0)).is_empty());
    feed_signed(&ring, 20, 21);
    let made = stage.poll(Mono::from_s(20.5));
    assert_eq!(read(dir.path(), &made[0], EvidenceRole::Clip), "clip 10..20.0");
}

#[test]
fn a_signature_that_does_not_come_is_waited_for_5_s() {
    let dir = tempfile::tempdir().unwrap();
    let ring = signed_ring(20);
    let mut stage = stage(dir.path(), ring.clone());
    stage.request(request("A", (10.0, 19.5)));
    // From now on the camera no longer signs.
    feed(&ring, 20, 24);
    assert!(stage.poll(Mono::from_s(24.0)).is_empty());
    feed(&ring, 24, 25);
    let made = stage.poll(Mono::from_s(24.9));
    assert_eq!(read(dir.path(), &made[0], EvidenceRole::Clip), "clip 10..19.5");
}

#[test]
fn what_was_kept_survives_the_ring() {
    let dir = tempfile::tempdir().unwrap();
    let ring = ring(5.0, 14);
    let mut stage = stage(dir.path(), ring.clone());
    stage.pin("A".into(), CameraIx(0), Mono::from_s(10.0), Mono::from_s(13.0));
    feed(&ring, 14, 60);
    let made = stage.request(EvidenceRequest { trigger_at: at(59.0), ..request("A", (10.0, 13.0)) });
    assert_eq!(read(dir.path(), &made[0], EvidenceRole::Before), "picture 11.0");
    assert_eq!(read(dir.path(), &made[0], EvidenceRole::Trigger), "picture 59.0");
    let made = stage.poll(Mono::from_s(60.0));
    assert_eq!(read(dir.path(), &made[0], EvidenceRole::Clip), "clip 10..13.0");
}

#[test]
fn a_candidate_under_a_new_name_keeps_its_packets() {
    let dir = tempfile::tempdir().unwrap();
    let ring = ring(5.0, 14);
    let mut stage = stage(dir.path(), ring.clone());
    let span = (Mono::from_s(10.0), Mono::from_s(13.0));
    stage.pin("OLD".into(), CameraIx(0), span.0, span.1);
    feed(&ring, 14, 60);
    stage.pin("A".into(), CameraIx(0), span.0, span.1);
    stage.unpin("OLD");
    stage.request(EvidenceRequest { trigger_at: at(59.0), ..request("A", (10.0, 13.0)) });
    let made = stage.poll(Mono::from_s(60.0));
    assert_eq!(read(dir.path(), &made[0], EvidenceRole::Clip), "clip 10..13.0");
}

#[test]
fn a_clip_is_about_its_own_span_and_not_about_what_was_kept_before() {
    let dir = tempfile::tempdir().unwrap();
    let ring = ring(5.0, 14);
    let mut stage = stage(dir.path(), ring.clone());
    stage.pin("A".into(), CameraIx(0), Mono::from_s(10.0), Mono::from_s(13.0));
    feed(&ring, 14, 60);
    stage.request(EvidenceRequest { trigger_at: at(59.0), ..request("A", (56.0, 59.0)) });
    let made = stage.poll(Mono::from_s(60.0));
    assert_eq!(read(dir.path(), &made[0], EvidenceRole::Clip), "clip 56..59.0");
}

#[test]
fn what_the_ring_lost_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = stage(dir.path(), Arc::new(Mutex::new(PacketRing::new(5.0, 1 << 20))));
    let made = stage.request(request("A", (10.0, 13.0)));
    assert!(made[0].items.is_empty());
    assert!(made[0].shortfall.as_ref().unwrap().contains("no longer holds"));
    assert_eq!(stage.finish()[0].shortfall.as_deref(), Some("clip: the ring no longer holds that span"));
}

#[test]
fn too_many_waiting_clips_degrade_the_oldest_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = stage(dir.path(), ring(30.0, 20));
    let degraded: Vec<_> = (0..MAX_WAITING_CLIPS + 1)
        .flat_map(|i| stage.request(request(&format!("A{i:02}"), (10.0, 40.0))))
        .filter(|outcome| outcome.shortfall.is_some())
        .collect();
    assert_eq!(degraded.len(), 1);
    assert_eq!(degraded[0].subject.set_id(), "A00");
    assert_eq!(read(dir.path(), &degraded[0], EvidenceRole::Clip), "clip 10..19.9");
}

#[test]
fn what_a_child_leaves_as_a_link_is_neither_read_nor_written_through() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let (secret, root) = (dir.path().join("box.key"), dir.path().join("evidence"));
    std::fs::write(&secret, "the key").unwrap();
    let asked = request("I1", (8.0, 14.0));
    let place = Place::new(&root, &asked, EvidenceRole::Trigger, 0);
    place.prepare().unwrap();
    symlink(&secret, place.temporary()).unwrap();
    let error = place.adopt(Moment::default()).unwrap_err().to_string();
    assert!(error.contains("a link is not followed"), "{error}");
    let item = place.write(b"a picture", Moment::default()).unwrap();
    assert_eq!((std::fs::read(&secret).unwrap(), item.bytes), (b"the key".to_vec(), 9));
    // A folder that leads away is nobody's evidence.
    symlink(dir.path(), root.join("1970-01-02")).unwrap();
    std::fs::create_dir(dir.path().join("I1")).unwrap();
    set_retention_hold(&root, "I1", HoldChange::Hold).unwrap();
    assert!(!dir.path().join("I1/.hold").exists());
}

#[test]
fn a_full_disk_gets_neither_clip_nor_pictures_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let full = Watermark::new(dir.path(), Some(u64::MAX));
    let mut evidence = stage(dir.path(), ring(20.0, 20)).with_watermark(full);
    let outcomes = evidence.request(request("I1", (8.0, 14.0)));
    assert_eq!(outcomes[0].shortfall.as_deref(), Some("pictures: the disk is nearly full"));
    assert_eq!(evidence.finish()[0].shortfall.as_deref(), Some("clip: the disk is nearly full"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
