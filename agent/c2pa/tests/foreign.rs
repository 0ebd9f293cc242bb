//! Signed files before verifiers that are not ours, and certificates before openssl.

#![allow(clippy::unwrap_used)] // What fails here fails the test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use kerbside_c2pa::{Chain, Edit, Signer, Statement, sign_jpeg, sign_mp4};
use kerbside_crypto::testing::key;
use kerbside_testkit::c2pa::{Verdict, Verifiers};
use kerbside_testkit::{claim_certificate, clip};

fn statement(name: &str) -> Statement {
    Statement {
        id: format!("mh-xz-017/01JD7Z6T6V8Q0M5N3K2H1G9F8E/{name}"),
        title: name.to_owned(),
        captured_at: Some("2026-11-21T08:31:05.120+08:00".into()),
        edit: None,
        facts: serde_json::json!({
            "incident_id": "01JD7Z6T6V8Q0M5N3K2H1G9F8E",
            "place": {"lon": 121.3761234, "lat": 31.1124567},
        }),
    }
}

fn picture(pattern: usize) -> Vec<u8> {
    let (width, height) = (320, 180);
    let rgb: Vec<u8> = (0..width * height * 3).map(|n| (n / pattern % 251) as u8).collect();
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 85);
    encoder.encode(&rgb, width as u16, height as u16, jpeg_encoder::ColorType::Rgb).unwrap();
    jpeg
}

/// What the box's key signs with, and the root that vouches for it, made by openssl from our request.
fn vouched(dir: &Path) -> Result<(Signer, PathBuf)> {
    let request = dir.join("box.csr");
    std::fs::write(&request, kerbside_c2pa::request(&key(), Some("Minhang District"), "mh-xz-017")?)?;
    claim_certificate(dir, &request, "")?;
    let chain = Chain::read(&dir.join("chain.pem"))?.context("no chain")?;
    assert_eq!(chain.problems(&key().public()), []);
    assert_eq!(chain.certificates().len(), 2, "the root is left to the verifiers");
    Ok((Signer::new(Arc::new(key()), &chain), dir.join("root.pem")))
}

fn signed_picture(signer: &Signer, path: &Path, pattern: usize, edit: Option<Edit>) -> Result<Vec<u8>> {
    let name = path.file_name().context("no name")?.to_string_lossy().into_owned();
    let signed = sign_jpeg(signer, &picture(pattern), &Statement { edit, ..statement(&name) })?;
    std::fs::write(path, &signed)?;
    Ok(signed)
}

fn signed_clip(signer: &Signer, from: &Path, path: &Path) -> Result<Vec<u8>> {
    sign_mp4(signer, &mut File::open(from)?, &mut File::create(path)?, &statement("r1-clip.mp4"))?;
    Ok(std::fs::read(path)?)
}

fn all(verdicts: &[Verdict], intact: bool, trusted: bool) {
    assert_eq!(verdicts.len(), 2);
    for verdict in verdicts {
        let said = format!("{}: {:#}", verdict.tool, verdict.report);
        assert_eq!((verdict.intact, verdict.trusted), (intact, trusted), "{said}");
    }
}

/// Each says that it is not as it was signed. The signer may be trusted all the same.
fn found(name: &str, verdicts: &[Verdict]) {
    for verdict in verdicts {
        assert!(!verdict.intact, "{name}: {}: {:#}", verdict.tool, verdict.report);
    }
}

#[test]
fn pictures_and_clips_are_verified_and_every_change_is_found() -> Result<()> {
    let Some(verifiers) = Verifiers::find("C2PA, verified by others")? else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let (signer, root) = vouched(dir.path())?;
    let at = |name: &str| dir.path().join(name);
    let judge = |path: &Path| verifiers.judge(path, Some(&root));

    let jpeg = signed_picture(&signer, &at("r1-trigger.jpg"), 7, None)?;
    let other = signed_picture(&signer, &at("r1-annotated.jpg"), 9, Some(Edit::DrawnIn))?;
    let mp4 = signed_clip(&signer, &clip("bag-left.mp4"), &at("r1-clip.mp4"))?;
    for name in ["r1-trigger.jpg", "r1-annotated.jpg", "r1-clip.mp4"] {
        all(&judge(&at(name))?, true, true);
    }
    // What they show of what we say.
    let said = judge(&at("r1-clip.mp4"))?;
    let said = said.iter().map(|v| v.report.to_string()).find(|r| r.contains("active_manifest")).unwrap();
    for shown in ["01JD7Z6T6V8Q0M5N3K2H1G9F8E", "\"lat\":31.1124567", "digitalCapture", "mh-xz-017"] {
        assert!(said.contains(shown), "{shown} in {said}");
    }

    // A changed byte: of the picture, of a sample, of the statement, of the signature.
    for (name, bytes, at_byte) in [
        ("picture.jpg", &jpeg, jpeg.len() - 100),
        ("head.jpg", &jpeg, 10),
        ("statement.jpg", &jpeg, find(&jpeg, b"01JD7Z6T")),
        ("sample.mp4", &mp4, mp4.len() - 100),
        ("moov.mp4", &mp4, find(&mp4, b"stsz") + 20),
        ("statement.mp4", &mp4, find(&mp4, b"01JD7Z6T")),
    ] {
        let mut changed = bytes.clone();
        changed[at_byte] ^= 1;
        std::fs::write(at(name), changed)?;
        found(name, &judge(&at(name))?);
    }
    // Cut off, filled up, stripped of its manifest, with the manifest of another picture.
    let length = |bytes: &[u8]| usize::from(u16::from_be_bytes([bytes[22], bytes[23]])) + 2;
    let (own, others) = (20..20 + length(&jpeg), 20..20 + length(&other));
    assert_eq!(jpeg[20..22], [0xff, 0xeb]);
    for (name, bytes) in [
        ("longer.jpg", [&jpeg[..], b"more"].concat()),
        ("stripped.jpg", [&jpeg[..own.start], &jpeg[own.end..]].concat()),
        ("swapped.jpg", [&jpeg[..own.start], &other[others], &jpeg[own.end..]].concat()),
        ("shorter.mp4", mp4[..mp4.len() - 9].to_vec()),
        ("filled.mp4", [&mp4[..], b"\0\0\0\x0cfreemore"].concat()),
        ("stripped.mp4", std::fs::read(clip("bag-left.mp4"))?),
    ] {
        std::fs::write(at(name), bytes)?;
        found(name, &judge(&at(name))?);
    }
    Ok(())
}

#[test]
fn a_box_without_a_chain_is_intact_and_unknown() -> Result<()> {
    let Some(verifiers) = Verifiers::find("C2PA without a chain, verified by others")? else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let signer = Signer::unvouched(Arc::new(key()), "mh-xz-017")?;
    let (_, root) = vouched(dir.path())?;
    let jpeg = dir.path().join("r1-trigger.jpg");
    signed_picture(&signer, &jpeg, 7, None)?;
    all(&verifiers.judge(&jpeg, None)?, true, false);
    // Asked whom they trust, they say that it is nobody they know.
    for verdict in verifiers.judge(&jpeg, Some(&root))? {
        assert!(!verdict.trusted && verdict.report.to_string().contains("signingCredential.untrusted"));
    }
    Ok(())
}

#[test]
fn a_manifest_of_several_segments_is_read() -> Result<()> {
    let Some(verifiers) = Verifiers::find("C2PA over several segments, verified by others")? else {
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let (signer, root) = vouched(dir.path())?;
    let facts = serde_json::json!({"incident_id": "I1", "long": "x".repeat(150_000)});
    let signed = sign_jpeg(&signer, &picture(7), &Statement { facts, ..statement("long.jpg") })?;
    let path = dir.path().join("long.jpg");
    std::fs::write(&path, &signed)?;
    all(&verifiers.judge(&path, Some(&root))?, true, true);
    Ok(())
}

/// The packets that a player finds are those of the unsigned clip, wherever `moov` stands and however long its offsets are.
#[test]
fn a_signed_clip_plays_as_before() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let signer = Signer::unvouched(Arc::new(key()), "mh-xz-017")?;
    for (name, flags) in [("front.mp4", "+faststart"), ("back.mp4", "+disable_chpl")] {
        let plain = dir.path().join(name);
        let source = clip("bag-left.mp4");
        ffmpeg(&[
            "-i",
            &source.to_string_lossy(),
            "-c",
            "copy",
            "-movflags",
            flags,
            &plain.to_string_lossy(),
        ])?;
        let signed = dir.path().join("signed.mp4");
        signed_clip(&signer, &plain, &signed)?;
        let packets =
            |path: &Path| ffmpeg(&["-i", &path.to_string_lossy(), "-c", "copy", "-f", "framemd5", "-"]);
        assert!(packets(&plain)? == packets(&signed)?, "{name}");
    }
    // A fragmented clip stays as it is.
    let fragments = dir.path().join("fragments.mp4");
    let source = clip("bag-left.mp4");
    let flags = "+frag_keyframe+empty_moov";
    ffmpeg(&[
        "-i",
        &source.to_string_lossy(),
        "-c",
        "copy",
        "-movflags",
        flags,
        &fragments.to_string_lossy(),
    ])?;
    let error = signed_clip(&signer, &fragments, &dir.path().join("out.mp4")).unwrap_err().to_string();
    assert!(error.starts_with("MP4 of a kind that is not signed"), "{error}");
    Ok(())
}

#[test]
fn openssl_reads_the_request_and_the_chain() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let openssl = |args: &[&str]| -> Result<String> {
        let output = Command::new("openssl").args(args).current_dir(dir.path()).output()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        ensure!(output.status.success(), "openssl {args:?}: {text}");
        Ok(text)
    };
    vouched(dir.path())?;
    let request = openssl(&["req", "-in", "box.csr", "-verify", "-noout", "-text"])?;
    for said in [
        "verify OK",
        "CN = mh-xz-017",
        "O = Minhang District",
        "critical",
        "Digital Signature",
        "1.3.6.1.4.1.62558.2.1",
    ] {
        assert!(request.contains(said), "{said} in {request}");
    }
    openssl(&["verify", "-CAfile", "root.pem", "-untrusted", "middle.pem", "-purpose", "any", "leaf.pem"])?;
    let pem = key().public().to_pem();
    std::fs::write(dir.path().join("box.pem"), &pem)?;
    assert_eq!(openssl(&["req", "-in", "box.csr", "-pubkey", "-noout"])?, pem);
    assert_eq!(openssl(&["pkey", "-pubin", "-in", "box.pem"])?, pem);
    Ok(())
}

fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|w| w == wanted).unwrap()
}

fn ffmpeg(args: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new("ffmpeg").args(["-v", "error", "-y"]).args(args).output().context("ffmpeg")?;
    ensure!(output.status.success(), "ffmpeg {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}
