//! What the signature of one picture and of one clip costs, in CPU time, against the bare SHA-256 of the same bytes.
//!
//! `cargo run --release -p kerbside-c2pa --example signing_cost [FOLDER]`: a picture of 200 kB and a clip of 4 MB, in turns with
//! their bare hashes; medians. The clip is read from FOLDER and written there, as the box does; a folder in memory leaves the disk out.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use kerbside_c2pa::{Signer, Statement, sign_jpeg, sign_mp4};
use kerbside_crypto::hash;
use kerbside_crypto::sign::SigningKey;

const ROUNDS: usize = 9;
/// Pictures a round: one alone is too short for the kernel's account.
const PICTURES: usize = 100;
const CLIPS: usize = 5;
const PICTURE_BYTES: usize = 200_000;
const CLIP_BYTES: usize = 4_000_000;

fn main() -> anyhow::Result<()> {
    let root = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = root.join(format!("kerbside-signing-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let result = measure(&dir);
    std::fs::remove_dir_all(&dir)?;
    result
}

fn measure(dir: &Path) -> anyhow::Result<()> {
    let key = Arc::new(SigningKey::create(&dir.join("box.key"))?);
    let signer = Signer::unvouched(key, "mh-xz-017")?;
    let statement = Statement {
        id: "mh-xz-017/01JD7Z6T6V8Q0M5N3K2H1G9F8E/r1-trigger.jpg".into(),
        title: "r1-trigger.jpg".into(),
        captured_at: Some("2026-11-21T08:31:05.120+08:00".into()),
        edit: None,
        facts: serde_json::json!({"edge_id": "mh-xz-017", "camera_id": "cam1", "kind": "waste.exposed"}),
    };
    let (picture, clip) = (picture(), clip());
    let (from, to) = (dir.join("clip.mp4"), dir.join("signed.mp4"));
    std::fs::write(&from, &clip)?;
    row(
        "picture",
        picture.len(),
        PICTURES,
        || hashed(&picture),
        || {
            let signed = sign_jpeg(&signer, &picture, &statement)?;
            Ok(signed.len() - picture.len())
        },
    )?;
    row(
        "clip",
        clip.len(),
        CLIPS,
        || hashed(&clip),
        || {
            sign_mp4(&signer, &mut File::open(&from)?, &mut File::create(&to)?, &statement)?;
            Ok(to.metadata()?.len() as usize - clip.len())
        },
    )
}

fn hashed(bytes: &[u8]) -> anyhow::Result<usize> {
    Ok(usize::from(std::hint::black_box(hash::of(bytes))[0]))
}

fn row(
    name: &str,
    bytes: usize,
    times: usize,
    mut bare: impl FnMut() -> anyhow::Result<usize>,
    mut sign: impl FnMut() -> anyhow::Result<usize>,
) -> anyhow::Result<()> {
    let (mut signs, mut bares, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // The first of each warms the caches.
    bare()?;
    let added = sign()?;
    for _ in 0..ROUNDS {
        let hashing = cpu_ms(times, &mut bare)?;
        let signing = cpu_ms(times, &mut sign)?;
        signs.push(signing);
        bares.push(hashing);
        ratios.push(signing / hashing);
    }
    println!(
        "{name} of {bytes} bytes: signed in {:.3} ms CPU, bare SHA-256 {:.3} ms, ratio {:.2}; {added} bytes more",
        median(signs),
        median(bares),
        median(ratios)
    );
    Ok(())
}

/// CPU time of one of these, ms.
fn cpu_ms(times: usize, work: &mut impl FnMut() -> anyhow::Result<usize>) -> anyhow::Result<f64> {
    let before = cpu_ns()?;
    for _ in 0..times {
        work()?;
    }
    Ok((cpu_ns()? - before) as f64 / 1e6 / times as f64)
}

/// CPU time that this thread has had, by the kernel's account.
fn cpu_ns() -> anyhow::Result<u64> {
    let account = std::fs::read_to_string("/proc/self/schedstat").context("the kernel keeps no account")?;
    account.split(' ').next().unwrap_or_default().parse().context("/proc/self/schedstat")
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or_default()
}

/// Bytes that no encoder would make smaller.
fn noise(bytes: usize) -> impl Iterator<Item = u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(bytes)
}

/// A JPEG by its markers: start, application segment, one scan of noise, end.
fn picture() -> Vec<u8> {
    let mut jpeg = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xda\x00\x03s".to_vec();
    // 0xff would begin a marker.
    jpeg.extend(noise(PICTURE_BYTES - jpeg.len() - 2).map(|byte| byte & 0x7f));
    jpeg.extend(b"\xff\xd9");
    jpeg
}

/// An MP4 by its boxes: brand, an empty table of contents, samples of noise.
fn clip() -> Vec<u8> {
    let mut mp4 = b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov".to_vec();
    let samples = CLIP_BYTES - mp4.len();
    mp4.extend(u32::try_from(samples).unwrap_or_default().to_be_bytes());
    mp4.extend(b"mdat");
    mp4.extend(noise(samples - 8));
    mp4
}
