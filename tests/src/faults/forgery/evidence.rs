//! Evidence that was changed, on the box and in a bundle.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use kerbside::cli::{EvidenceCommand, EvidenceVerifyArgs};
use kerbside::evidence::{Evidence, EvidenceCamera, Sealer};
use kerbside_crypto::sign::SigningKey;
use kerbside_domain::evidence::{EvidenceRequest, EvidenceRole, EvidenceSubject, IncidentFacts};
use kerbside_domain::frame::{BBox, CameraIx, Packet, StreamInfo, Turn};
use kerbside_domain::kind::Kind;
use kerbside_domain::time::{Clock, Mono};
use kerbside_media::clip::{ClipForm, ClipJob, ClipOutput};
use kerbside_media::ring::PacketRing;
use kerbside_trace::delivery::KEY_FILE;
use parking_lot::Mutex;

use crate::faults::damage::copy;
use crate::faults::row::{Row, Scale};
use crate::faults::writer;

/// Done to the folder of incident `A`; that of `B` lies beside it.
type Change = fn(&Path, &mut fastrand::Rng) -> Result<()>;

const CHANGES: &[(&str, Change)] = &[
    ("one bit", |a, rng| flip(&pick(a, rng, |name| !name.ends_with("manifest.json"))?, rng)),
    ("a manifest edited", |a, rng| {
        let file = pick(a, rng, |name| name.ends_with("manifest.json"))?;
        let text = std::fs::read_to_string(&file)?.replace("waste.exposed", "stall.occupying");
        Ok(std::fs::write(&file, text)?)
    }),
    ("a file of another incident", |a, rng| {
        let file = pick(a, rng, |name| !name.ends_with(".jsonl"))?;
        let other = a.with_file_name("B").join(file.file_name().unwrap_or_default());
        Ok(std::fs::copy(other, file).map(drop)?)
    }),
    ("all files of another incident", |a, _| copy(&a.with_file_name("B"), a)),
    ("a file removed", |a, rng| Ok(std::fs::remove_file(pick(a, rng, |name| !name.contains("manifest"))?)?)),
    ("a file added", |a, _| Ok(std::fs::write(a.join("r1-after.jpg"), "picture")?)),
    ("signed by a key of the forger's", |a, rng| {
        let file = pick(a, rng, |name| name.ends_with("manifest.json"))?;
        let key = SigningKey::create(&a.join("forger.key"))?;
        std::fs::remove_file(a.join("forger.key"))?;
        let mut signature = file.clone().into_os_string();
        signature.push(".sig");
        Ok(std::fs::write(signature, key.sign_bytes(&std::fs::read(&file)?))?)
    }),
];

pub(super) fn row(scale: Scale) -> Result<Row> {
    let mut row = Row::new("forged evidence", "changed, exchanged, added, removed, signed by another key");
    let dir = tempfile::tempdir()?;
    let key = make(dir.path())?;
    let folder = dir.path().join("evidence");
    let bundle = exported(dir.path())?;
    for untouched in [&folder, &bundle] {
        let code = judged(untouched, &key)?;
        row.must(code == 0, || format!("untouched: exit code {code} of {}", untouched.display()));
    }
    for (i, (name, change)) in CHANGES.iter().enumerate() {
        for trial in 0..scale.pick(2, 20) {
            let mut rng = fastrand::Rng::with_seed(0xE71D + 100 * i as u64 + trial);
            let forged = tempfile::tempdir()?;
            let root = forged.path().join("copy");
            let in_bundle = trial % 2 == 1;
            copy(if in_bundle { &bundle } else { &folder }, &root)?;
            let set = day(&root)?.join("A");
            let beside = set.with_file_name("B");
            if in_bundle {
                copy(&day(&folder)?.join("B"), &beside)?;
            }
            change(&set, &mut rng)?;
            if in_bundle {
                std::fs::remove_dir_all(&beside)?;
            }
            let code = judged(&root, &key)?;
            row.trials += 1;
            row.lost += u64::from(code == 0);
            row.must(code == 70, || {
                format!("{name}, trial {trial}, in a bundle {in_bundle}: exit code {code}")
            });
        }
    }
    row.figures = "half of them in bundles; the untouched evidence and its bundle are genuine".to_owned();
    row.judge(None);
    Ok(row)
}

/// Two incidents as the evidence stage makes them, with files of random bytes; the key that signed them.
fn make(data: &Path) -> Result<String> {
    let key = Arc::new(SigningKey::create(&data.join(KEY_FILE))?);
    let public = key.public().to_string();
    let clock = writer::clock();
    let rng = Mutex::new(fastrand::Rng::with_seed(11));
    let make_clip = Box::new(move |job: &ClipJob| {
        let write = |path: &Path| {
            let bytes: Vec<u8> = std::iter::repeat_with(|| rng.lock().u8(..)).take(20_000).collect();
            std::fs::write(path, bytes).map_err(|e| e.to_string())
        };
        job.clip.as_deref().map(write).transpose()?;
        let stills = job.stills.iter().map(|still| write(&still.path).map(|()| still.pts)).collect();
        Ok(ClipOutput { clip: job.clip.is_some().then_some(ClipForm::AsSent), stills })
    });
    let now = clock.now();
    let (ring, zones) = (ring(&*clock), BTreeMap::new());
    let camera = EvidenceCamera { id: "cam1".into(), ring, main: None, zones, point: None };
    let sealer = Sealer::new(key, writer::identity().source(), clock, Box::new(|| None));
    let evidence = Evidence::new(data.join("evidence"), "fault-box".into(), 0, vec![camera], make_clip);
    let mut stage = evidence.with_sealer(Some(sealer));
    for incident in ["A", "B"] {
        let request = EvidenceRequest {
            subject: EvidenceSubject::Incident(incident.into()),
            revision: 1,
            kind: Some(Kind::WasteExposed),
            camera: CameraIx(0),
            before_at: Some(now),
            trigger_at: now,
            clip: Some((now, now)),
            zone: "z".into(),
            bbox: BBox { x: 0.1, y: 0.1, w: 0.1, h: 0.1 },
            objects: Vec::new(),
            roles: vec![EvidenceRole::Before, EvidenceRole::Trigger],
            facts: IncidentFacts::default(),
        };
        let pictures = stage.request(request);
        let made = pictures.into_iter().chain(stage.poll(now.mono.plus_s(60.0)));
        let shortfalls: Vec<String> = made.filter_map(|outcome| outcome.shortfall).collect();
        ensure!(shortfalls.is_empty(), "{shortfalls:?}");
    }
    Ok(public)
}

/// Two seconds of packets around now.
fn ring(clock: &dyn Clock) -> Arc<Mutex<PacketRing>> {
    let mut ring = PacketRing::new(60.0, 1 << 20);
    ring.set_stream(StreamInfo {
        epoch: 1,
        codec: "h264".into(),
        width: 640,
        height: 360,
        turn: Turn::NONE,
        time_base: (1, 1000),
        fps: 10.0,
        extradata: Bytes::new(),
    });
    let now = clock.now();
    for i in 0..20_u64 {
        let at = now.at(Mono((now.mono.0 + i * 100_000).saturating_sub(1_000_000)));
        let pts = i as i64 * 100;
        let data = Bytes::from_static(&[7; 99]);
        ring.push(Packet {
            epoch: 1,
            pts,
            dts: pts,
            duration: 100,
            key: true,
            refresh: 0,
            damaged: false,
            at,
            data,
        });
    }
    Arc::new(Mutex::new(ring))
}

fn exported(data: &Path) -> Result<PathBuf> {
    let out = data.join("bundle");
    let command = EvidenceCommand::Export { incident: "A".into(), data: data.to_owned(), out: out.clone() };
    kerbside::proof::run(&command, &mut std::io::sink())?;
    Ok(out)
}

fn judged(path: &Path, key: &str) -> Result<u8> {
    let args = EvidenceVerifyArgs { paths: vec![path.to_owned()], key: Some(key.to_owned()), json: false };
    kerbside::proof::run(&EvidenceCommand::Verify(args), &mut std::io::sink())
}

/// The one folder of a day.
fn day(root: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(root)?.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
    entries.into_iter().find(|path| path.is_dir()).context("no day in the evidence folder")
}

fn pick(set: &Path, rng: &mut fastrand::Rng, which: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let entries = std::fs::read_dir(set)?.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut files: Vec<PathBuf> = entries.into_iter().filter(|path| which(&name(path))).collect();
    files.sort();
    files.get(rng.usize(..files.len().max(1))).cloned().context("no such file")
}

fn flip(file: &Path, rng: &mut fastrand::Rng) -> Result<()> {
    let mut bytes = std::fs::read(file)?;
    let at = rng.usize(..bytes.len().max(1));
    *bytes.get_mut(at).context("an empty file")? ^= 1 << rng.u8(..8);
    Ok(std::fs::write(file, bytes)?)
}
