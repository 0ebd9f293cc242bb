//! What is signed, in whose name, and what happens to files that cannot be.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kerbside_domain::evidence::{EvidenceOutcome, IncidentFacts};
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::kind::Kind;
use kerbside_domain::time::{ClockQuality, Mono};
use kerbside_media::clip::{ClipForm, ClipMaker, ClipOutput};
use kerbside_testkit::claim_certificate;

use super::*;
use kerbside_crypto::sign::SigningKey;

use crate::evidence::tests::ring;
use crate::evidence::{EvidenceCamera, Signing};

/// Start, application segment, the picture.
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xda\x00\x03spicture\xff\xd9";
const MP4: &[u8] = b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov\0\0\0\x0cmdatDATA";
/// It goes on with fragments.
const FRAGMENTED: &[u8] = b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov\0\0\0\x08moof";

fn box_key() -> SigningKey {
    kerbside_crypto::testing::key()
}

/// A stage whose child writes these files.
fn stage(dir: &Path, jpeg: &'static [u8], mp4: &'static [u8]) -> Evidence {
    let make_clip: ClipMaker = Box::new(move |job| {
        if let Some(clip) = &job.clip {
            std::fs::write(clip, mp4).unwrap();
        }
        for still in &job.stills {
            std::fs::write(&still.path, jpeg).unwrap();
        }
        let stills = job.stills.iter().map(|still| Ok(still.pts)).collect();
        Ok(ClipOutput { clip: job.clip.is_some().then_some(ClipForm::AsSent), stills })
    });
    let point = Some((121.4, 31.1));
    let (ring, zones) = (ring(30.0, 20), BTreeMap::new());
    let camera = EvidenceCamera { id: "cam1".into(), ring, main: None, zones, point };
    let signing = Signing::new(box_key().into(), "box-1", dir.join("chain.pem")).unwrap();
    Evidence::new(dir.join("evidence"), "box-1".into(), 0, vec![camera], make_clip).with_signing(signing)
}

fn request(revision: u32, clip: bool) -> EvidenceRequest {
    let at = |s: f64| Moment { mono: Mono::from_s(s), wall_ms: 1000, quality: ClockQuality::None };
    EvidenceRequest {
        subject: EvidenceSubject::Incident("I1".into()),
        revision,
        kind: Some(Kind::WasteExposed),
        camera: CameraIx(0),
        before_at: None,
        trigger_at: at(15.0),
        clip: clip.then(|| (at(12.0), at(16.0))),
        zone: "z".into(),
        bbox: BBox { x: 0.1, y: 0.1, w: 0.1, h: 0.1 },
        objects: Vec::new(),
        roles: vec![EvidenceRole::Trigger, EvidenceRole::Annotated],
        facts: IncidentFacts::default(),
    }
}

fn files(dir: &Path, outcome: &EvidenceOutcome) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = outcome.items.iter().map(|item| dir.join("evidence").join(&item.path));
    paths.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

#[test]
fn pictures_and_clips_are_signed_before_they_are_hashed() {
    let dir = tempfile::tempdir().unwrap();
    let mut evidence = stage(dir.path(), JPEG, MP4);
    let pictures = evidence.request(request(1, true)).remove(0);
    let clip = evidence.finish().remove(0);
    assert_eq!((&pictures.shortfall, &clip.shortfall), (&None, &None));
    let of_outcomes = EvidenceOutcome { items: [pictures.items, clip.items].concat(), ..pictures };
    for ((path, bytes), item) in files(dir.path(), &of_outcomes).iter().zip(&of_outcomes.items) {
        assert_eq!(item.sha256, kerbside_crypto::hash::hex(&kerbside_crypto::hash::of(bytes)));
        let is_media = item.role != EvidenceRole::Manifest;
        assert_eq!(holds(bytes, "c2pa.signature"), is_media, "{}", path.display());
        if is_media {
            for said in [
                "\"incident_id\":\"I1\"",
                "\"camera_id\":\"cam1\"",
                "{\"datum\":\"WGS84\",\"lat\":31.1,\"lon\":121.4}",
                "\"source\":\"none\"",
            ] {
                assert!(holds(bytes, said), "{said} in {}", path.display());
            }
            assert_eq!(holds(bytes, "c2pa.edited"), item.role == EvidenceRole::Annotated);
        }
    }
    assert_eq!((evidence.counters().signed, evidence.counters().unsigned), (3, 0));
    let mut left = std::fs::read_dir(dir.path().join("evidence/1970-01-01/I1")).unwrap().flatten();
    assert!(left.all(|e| !e.file_name().to_string_lossy().starts_with('.')), "a temporary file is left");
}

#[test]
fn what_cannot_be_signed_stays_as_it_is_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut evidence = stage(dir.path(), b"no picture", FRAGMENTED);
    let pictures = evidence.request(request(1, true)).remove(0);
    let clip = evidence.finish().remove(0);
    let why = "not signed: JPEG of a kind that is not signed: it does not begin as one";
    assert_eq!(pictures.shortfall.clone(), Some(format!("trigger {why}; annotated {why}")));
    let why = "clip not signed: MP4 of a kind that is not signed: box \"moof\"";
    assert_eq!(clip.shortfall.as_deref(), Some(why));
    assert_eq!(files(dir.path(), &pictures)[0].1, b"no picture");
    assert_eq!(files(dir.path(), &clip)[0].1, FRAGMENTED);
    let manifest = String::from_utf8(files(dir.path(), &clip)[1].1.clone()).unwrap();
    assert!(manifest.contains("clip not signed"), "{manifest}");
    assert_eq!((evidence.counters().signed, evidence.counters().unsigned), (0, 3));
}

#[test]
fn a_chain_counts_from_the_file_after_it_was_installed() {
    let dir = tempfile::tempdir().unwrap();
    let mut evidence = stage(dir.path(), JPEG, MP4);
    let mut trigger = |revision| {
        let made = evidence.request(request(revision, false)).remove(0);
        files(dir.path(), &made).remove(0).1
    };
    assert!(holds(&trigger(1), "vouched for by nobody"));
    let csr = dir.path().join("box.csr");
    std::fs::write(&csr, kerbside_c2pa::request(&box_key(), None, "box-1").unwrap()).unwrap();
    // Under its name only when it is whole.
    claim_certificate(dir.path(), &csr, "").unwrap();
    let signed = trigger(2);
    assert!(holds(&signed, "middle") && !holds(&signed, "vouched for by nobody"));
    // One for another key is as good as none.
    std::fs::write(dir.path().join("chain.pem"), "nothing").unwrap();
    assert!(holds(&trigger(3), "vouched for by nobody"));
}

#[test]
fn a_clip_that_was_encoded_again_says_so() {
    let dir = tempfile::tempdir().unwrap();
    for (form, said) in [(ClipForm::AsSent, false), (ClipForm::Encoded("h264".into()), true)] {
        let mut evidence = stage(dir.path(), JPEG, MP4);
        evidence.make_clip = Box::new(move |job| {
            if let Some(clip) = &job.clip {
                std::fs::write(clip, MP4).unwrap();
            }
            Ok(ClipOutput { clip: Some(form.clone()), stills: Vec::new() })
        });
        evidence.request(EvidenceRequest { roles: Vec::new(), ..request(1, true) });
        let clip = evidence.finish().remove(0);
        assert_eq!(holds(&files(dir.path(), &clip)[0].1, "c2pa.transcoded"), said);
    }
}

/// A child that was taken over leaves links to what it may not read or write.
#[test]
fn links_that_a_child_left_lead_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("box.key");
    std::fs::write(&secret, JPEG).unwrap();
    let mut evidence = stage(dir.path(), JPEG, MP4);
    let target = secret.clone();
    evidence.make_clip = Box::new(move |job| {
        for still in &job.stills {
            std::os::unix::fs::symlink(&target, &still.path).unwrap();
        }
        Ok(ClipOutput { clip: None, stills: job.stills.iter().map(|still| Ok(still.pts)).collect() })
    });
    let made = evidence.request(request(1, false)).remove(0);
    assert!(made.items.is_empty(), "{made:?}");
    assert!(made.shortfall.unwrap().contains("opening"));

    let target = secret.clone();
    evidence.make_clip = Box::new(move |job| {
        for still in &job.stills {
            std::fs::write(&still.path, JPEG).unwrap();
            std::os::unix::fs::symlink(&target, still.path.with_extension("signed")).unwrap();
        }
        Ok(ClipOutput { clip: None, stills: job.stills.iter().map(|still| Ok(still.pts)).collect() })
    });
    let made = evidence.request(request(2, false)).remove(0);
    assert!(holds(&files(dir.path(), &made)[0].1, "c2pa.signature"));
    assert_eq!(std::fs::read(&secret).unwrap(), JPEG);
}
