//! The stage with a cutter that writes what it was asked for as text: names, spans, durability order, bounds.

use bytes::Bytes;

use super::*;
use crate::incident::Kind;

const TICKS: i64 = 90_000;

fn packet(s: f64, key: bool) -> Packet {
    let at = Moment { mono: Mono::from_s(s), wall_ms: (s * 1000.0) as i64, ..Moment::default() };
    let pts = (s * TICKS as f64) as i64;
    Packet { epoch: 1, pts, dts: pts, duration: 9000, key, at, data: Bytes::from(vec![7; 100]) }
}

/// A ring with 10 packets a second and a key packet each second.
fn ring(seconds: f64, until_s: u32) -> Arc<Mutex<PacketRing>> {
    let mut ring = PacketRing::new(seconds, 1 << 20);
    ring.set_stream(StreamInfo {
        epoch: 1,
        codec: "h264".into(),
        width: 640,
        height: 360,
        time_base: (1, TICKS as i32),
        fps: 10.0,
        extradata: Bytes::new(),
    });
    let ring = Arc::new(Mutex::new(ring));
    feed(&ring, 0, until_s);
    ring
}

fn feed(ring: &Mutex<PacketRing>, from_s: u32, until_s: u32) {
    for i in from_s * 10..until_s * 10 {
        ring.lock().push(packet(f64::from(i) / 10.0, i % 10 == 0));
    }
}

fn stage(dir: &std::path::Path, ring: Arc<Mutex<PacketRing>>) -> Evidence {
    let cut: Cut = Box::new(|job| {
        let first = job.packets.first().map(|p| p.pts / TICKS).unwrap_or_default();
        let last = job.packets.last().map(|p| p.pts as f64 / TICKS as f64).unwrap_or_default();
        if let Some(clip) = &job.clip {
            std::fs::write(clip, format!("clip {first}..{last:.1}")).unwrap();
        }
        for picture in &job.pictures {
            std::fs::write(&picture.path, format!("picture {:.1}", picture.pts as f64 / TICKS as f64))
                .unwrap();
        }
        Ok(CutDone {
            clip_written: job.clip.is_some(),
            pictures: job.pictures.iter().map(|_| Ok(())).collect(),
        })
    });
    let camera = CameraSource { id: "cam1".into(), ring, zones: BTreeMap::new() };
    Evidence::new(dir.to_owned(), "box".into(), 8 * 3600, vec![camera], cut)
}

fn at(s: f64) -> Moment {
    Moment { mono: Mono::from_s(s), wall_ms: (s * 1000.0) as i64, ..Moment::default() }
}

fn request(id: &str, clip: (f64, f64)) -> EvidenceRequest {
    EvidenceRequest {
        incident_id: id.into(),
        revision: 1,
        kind: Some(Kind::WasteExposed),
        camera: CameraIx(0),
        before_at: Some(at(11.0)),
        trigger_at: at(19.5),
        clip: Some((at(clip.0), at(clip.1))),
        zone: "z".into(),
        bbox: BBox { x: 0.1, y: 0.1, w: 0.1, h: 0.1 },
        objects: Vec::new(),
        roles: vec![EvidenceRole::Before, EvidenceRole::Trigger],
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

#[test]
fn what_was_kept_survives_the_ring() {
    let dir = tempfile::tempdir().unwrap();
    let ring = ring(5.0, 14);
    let mut stage = stage(dir.path(), ring.clone());
    stage.keep("A".into(), CameraIx(0), Mono::from_s(10.0), Mono::from_s(13.0));
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
    stage.keep("OLD".into(), CameraIx(0), span.0, span.1);
    feed(&ring, 14, 60);
    stage.keep("A".into(), CameraIx(0), span.0, span.1);
    stage.release("OLD");
    stage.request(EvidenceRequest { trigger_at: at(59.0), ..request("A", (10.0, 13.0)) });
    let made = stage.poll(Mono::from_s(60.0));
    assert_eq!(read(dir.path(), &made[0], EvidenceRole::Clip), "clip 10..13.0");
}

#[test]
fn a_clip_is_about_its_own_span_and_not_about_what_was_kept_before() {
    let dir = tempfile::tempdir().unwrap();
    let ring = ring(5.0, 14);
    let mut stage = stage(dir.path(), ring.clone());
    stage.keep("A".into(), CameraIx(0), Mono::from_s(10.0), Mono::from_s(13.0));
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
    let degraded: Vec<_> = (0..MAX_WAITING + 1)
        .flat_map(|i| stage.request(request(&format!("A{i:02}"), (10.0, 40.0))))
        .filter(|outcome| outcome.shortfall.is_some())
        .collect();
    assert_eq!(degraded.len(), 1);
    assert_eq!(degraded[0].incident_id, "A00");
    assert_eq!(read(dir.path(), &degraded[0], EvidenceRole::Clip), "clip 10..19.9");
}

#[test]
fn retention_takes_the_oldest_first_and_never_what_is_held() {
    let dir = tempfile::tempdir().unwrap();
    for (day, id) in [("2026-01-01", "A"), ("2026-06-01", "B"), ("2026-06-02", "C"), ("2026-06-03", "D")] {
        std::fs::create_dir_all(dir.path().join(day).join(id)).unwrap();
        std::fs::write(dir.path().join(day).join(id).join("f"), vec![0; 1000]).unwrap();
    }
    let now = chrono::DateTime::parse_from_rfc3339("2026-06-04T00:00:00Z").unwrap().timestamp_millis();
    let keep_two = Retention { max_bytes: 2000, short_of: 0, max_age_days: 30 };
    let pruned = keep_two.prune(dir.path(), now, &["B".into()]).unwrap();
    assert_eq!(pruned, Pruned { incidents: 2, bytes: 2000 });
    assert!(!dir.path().join("2026-01-01").exists());
    assert!(dir.path().join("2026-06-01/B/f").exists());
    assert!(!dir.path().join("2026-06-02/C").exists());
    assert!(dir.path().join("2026-06-03/D/f").exists());
}

#[test]
fn a_held_case_is_never_pruned_and_a_full_disk_takes_the_oldest_first() {
    let dir = tempfile::tempdir().unwrap();
    let incident = |day: &str, id: &str| {
        let folder = dir.path().join(day).join(id);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("r1-clip.mp4"), vec![0; 1000]).unwrap();
        folder
    };
    let (appealed, old, new) =
        (incident("2026-01-01", "A"), incident("2026-01-02", "B"), incident("2026-11-21", "C"));
    hold(dir.path(), "A", true).unwrap();
    hold(dir.path(), "../B", true).unwrap();
    let now_ms = 1_795_221_065_120;
    let retention = |short_of| Retention { max_bytes: 1 << 30, max_age_days: 3650, short_of };
    let pruned = retention(500).prune(dir.path(), now_ms, &[]).unwrap();
    assert_eq!((pruned.incidents, appealed.is_dir(), old.is_dir(), new.is_dir()), (1, true, false, true));
    let by_age = Retention { max_age_days: 30, ..retention(0) };
    assert_eq!(by_age.prune(dir.path(), now_ms, &[]).unwrap().incidents, 0, "held, however old");
    hold(dir.path(), "A", false).unwrap();
    assert_eq!(by_age.prune(dir.path(), now_ms, &[]).unwrap().incidents, 1);
    assert!(new.is_dir() && free_bytes(&dir.path().join("not/there/yet")).unwrap() > 0);
}
