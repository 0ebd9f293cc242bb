//! Odd cameras and files end to end: the incident is found, and its evidence shows it, plays in real time and is whole.

#![allow(clippy::unwrap_used)] // A test may end by a panic in its helpers too.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use kerbside_testkit::clips::picture;
use kerbside_testkit::program::replay;
use kerbside_testkit::rtsp::{Camera, Codec, Film, Quirk};
use kerbside_testkit::{Agent, Broker, Centre, MjpegCamera, Site, clip, flv};
use serde_json::Value;

/// Playing time and the manifest's times may differ by this, s.
const PLAYING_ERROR_S: f64 = 0.5;
/// Mean difference of a sample of two pictures of one scene, encoded twice.
const SAME_SCENE: f64 = 14.0;

fn ffmpeg(args: &[&str]) -> Result<()> {
    let done = Command::new("ffmpeg").args(["-v", "error", "-y", "-nostdin"]).args(args).output()?;
    ensure!(done.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// What FFmpeg says while it decodes a file, as anybody would have it do so.
fn decode_errors(file: &Path) -> Result<String> {
    let decode = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(file)
        .args(["-f", "null", "-"])
        .output()?;
    Ok(String::from_utf8_lossy(&decode.stderr).into_owned())
}

fn playing_s(file: &Path) -> Result<f64> {
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]).arg(file);
    Ok(String::from_utf8_lossy(&probe.output()?.stdout).trim().parse()?)
}

/// Mean difference of the samples of a picture and of the street as it is before anything happens, both 160 by 90.
fn away_from_the_street(file: &Path) -> Result<f64> {
    let size = Some((160, 90));
    let (shown, street) = (picture(file, size)?, picture(&clip("bag-left.mp4"), size)?);
    let sum: u64 = shown.rgb.iter().zip(&street.rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    Ok(sum as f64 / street.rgb.len() as f64)
}

/// One camera of the box, and what is odd about it.
struct Row {
    name: &'static str,
    url: String,
    /// More of its section of the site file.
    site: &'static str,
    /// A browser does not play what the camera sends.
    encoded_as: Option<&'static str>,
    /// The ring holds a few spare pictures and no clip; the pictures of the moment are what counts.
    spare: bool,
    /// Words of a warning about it in the log.
    warned: Option<&'static str>,
}

const LIES: Option<&str> = Some("the camera's timestamps contradict the arrival of its packets");
const SMALL: Option<&str> = Some("ring_mb is smaller than one group of pictures");

#[test]
fn odd_cameras_give_the_incident_with_evidence_that_plays() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let source = clip("bag-left.mp4");
    let input = ["-i", source.to_str().unwrap()];
    let film =
        |codec, name: &str, parameters: &str| Film::encode_as(codec, dir.path(), name, &input, parameters);
    let usual = film(Codec::H264, "usual", "keyint=20:min-keyint=20")?;
    let h265 = film(Codec::H265, "h265", "keyint=20:min-keyint=20")?;
    let refreshed = film(Codec::H264, "refreshed", "keyint=20:intra-refresh=1")?;
    let refreshed_h265 = film(Codec::H265, "refreshed-h265", "keyint=20:intra-refresh=1")?;
    let noisy = [&input[..], &["-vf", "noise=alls=12:allf=t"]].concat();
    let long = Film::encode_as(Codec::H264, dir.path(), "long", &noisy, "keyint=300:min-keyint=300")?;
    let half = Camera::odd(usual, vec![Quirk::ClockHalf])?;
    let stands = Camera::odd(h265, vec![Quirk::ClockStands])?;
    let refreshes = Camera::start(refreshed)?;
    let refreshes_h265 = Camera::start(refreshed_h265)?;
    let long = Camera::start(long)?;
    let jpeg = MjpegCamera::start(&input, 5, Vec::new())?;
    let row = |name, url| Row { name, url, site: "", encoded_as: None, spare: false, warned: None };
    let vp9 = Some("vp9");
    let rows = [
        Row { warned: LIES, ..row("its clock runs at half speed", half.url()) },
        Row { warned: LIES, ..row("its clock stands, H.265", stands.url()) },
        row("it refreshes its picture in parts", refreshes.url()),
        row("it refreshes its picture in parts, H.265", refreshes_h265.url()),
        Row { encoded_as: vp9, ..row("JPEG over HTTP, without times", jpeg.url()) },
        Row {
            site: "ring_mb = 1.5\n",
            spare: true,
            warned: SMALL,
            ..row("a group of pictures larger than the ring", long.url())
        },
    ];

    let broker = Broker::start(dir.path())?;
    let urls: Vec<&str> = rows.iter().map(|row| row.url.as_str()).collect();
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &urls)?;
    for (n, row) in rows.iter().enumerate() {
        let id = format!("id = \"cam{}\"\n", n + 1);
        site.edit(|text| text.replace(&id, &format!("{id}{}", row.site)))?;
    }
    let centre = Centre::start(&broker)?;
    let agent = Agent::start(&site)?;
    for (n, row) in rows.iter().enumerate() {
        let camera = format!("cam{}", n + 1);
        has_its_incident(&site, &centre, &agent, &camera, row).with_context(|| row.name)?;
    }
    agent.stop()
}

fn has_its_incident(site: &Site, centre: &Centre, agent: &Agent, camera: &str, row: &Row) -> Result<()> {
    let of_camera = |m: &Value| m["data"]["device"]["camera_id"] == camera;
    let awaited = if row.spare { "trigger" } else { "clip" };
    let mut full = centre.message_where("matter.updated", &format!("with a {awaited} of {camera}"), |m| {
        let evidence = m["data"]["evidence"].as_array();
        let clip =
            evidence.is_some_and(|e| e.iter().any(|i| i["role"] == awaited && i["state"] == "available"));
        of_camera(m) && clip
    })?;
    if let Some(warning) = row.warned {
        let said = |e: &Value| {
            e["camera"] == camera && e["message"].as_str().is_some_and(|m| m.starts_with(warning))
        };
        agent.logged(warning, kerbside_testkit::LIMIT, said)?;
    }
    full["data"]["evidence"] = centre.evidence_of(&full["data"]["incident_id"]).into();
    let items = full["data"]["evidence"].as_array().context("no evidence")?;
    let file = |role: &str| -> Result<PathBuf> {
        let item =
            items.iter().rev().find(|i| i["role"] == role).with_context(|| format!("no {role} in {full}"))?;
        Ok(site.evidence_dir().join(item["path"].as_str().context("no path")?))
    };
    for role in ["trigger", "annotated"] {
        let shown = file(role)?;
        ensure!(decode_errors(&shown)?.is_empty(), "{role} is broken");
        let away = away_from_the_street(&shown)?;
        ensure!(away < SAME_SCENE, "{role} differs from the street by {away}");
    }
    if row.spare {
        return Ok(());
    }
    let manifest: Value = serde_json::from_slice(&std::fs::read(file("manifest")?)?)?;
    let of_clip = &manifest["clip"];
    ensure!(of_clip["encoded_as"].as_str() == row.encoded_as, "{manifest}");
    let time = |key: &str| chrono_s(of_clip[key].as_str().unwrap_or_default());
    let (took_s, plays_s) = (time("to")? - time("from")?, playing_s(&file("clip")?)?);
    ensure!(
        (took_s - plays_s).abs() <= PLAYING_ERROR_S,
        "the clip plays {plays_s} s of {took_s} s: {manifest}"
    );
    ensure!(took_s > 5.0, "the clip shows {took_s} s only");
    // A stream refreshed in parts begins with parts of a picture.
    let errors = decode_errors(&file("clip")?)?;
    ensure!(row.name.contains("in parts") || errors.is_empty(), "the clip decodes with {errors}");
    Ok(())
}

/// Seconds of the day of a time as `2026-11-28T10:00:00.125+08:00`.
fn chrono_s(text: &str) -> Result<f64> {
    let time = text.get(11..23).with_context(|| format!("no time: {text}"))?;
    let parts: Vec<f64> = time.split(':').map(str::parse).collect::<Result<_, _>>()?;
    let [h, m, s] = parts[..] else { anyhow::bail!("no time: {text}") };
    Ok(h * 3600.0 + m * 60.0 + s)
}

/// The incident of a replay with whole pictures and a clip that decodes, all of the size given.
fn replayed(file: &Path, size: (usize, usize)) -> Result<()> {
    let out = tempfile::tempdir()?;
    let (code, text) = replay(file, &clip("kerb-day.site.toml"), out.path(), &[])?;
    ensure!(code == Some(0), "exit {code:?}\n{text}");
    let reports = std::fs::read_to_string(out.path().join("incidents.ndjson"))?;
    let opened = reports.lines().filter(|line| line.contains("opened")).count();
    ensure!(opened == 1, "{opened} incidents:\n{reports}");
    let mut seen = Vec::new();
    for entry in walk(&out.path().join("evidence"))? {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".jpg") && !name.ends_with(".mp4") {
            continue;
        }
        ensure!(decode_errors(&entry)?.is_empty(), "{name} is broken: {}", decode_errors(&entry)?);
        // A sheet and a close-up are cut and composed: they have sizes of their own.
        if name.contains("-sheet") || name.contains("-close_up") {
            continue;
        }
        // FFmpeg turns a clip as its file says.
        let shown = picture(&entry, None)?;
        ensure!((shown.width, shown.height) == size, "{name} is {} x {}", shown.width, shown.height);
        let away = away_from_the_street(&entry)?;
        ensure!(away < SAME_SCENE, "{name} differs from the street by {away}");
        seen.push(name);
    }
    for wanted in ["r1-trigger.jpg", "r1-before.jpg", "r1-clip.mp4"] {
        ensure!(seen.iter().any(|name| name == wanted), "no {wanted} among {seen:?}");
    }
    Ok(())
}

fn walk(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files.extend(walk(&path)?) } else { files.push(path) }
    }
    Ok(files)
}

#[test]
fn a_stream_that_gets_another_size_on_its_way_is_read_with_its_new_parameters() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let source = clip("bag-left.mp4");
    let source = source.to_str().unwrap();
    let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (small, large, joined) = (at("small.flv"), at("large.flv"), at("joined.flv"));
    let encode = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-g", "20", "-bf", "0"];
    ffmpeg(&[&["-t", "8", "-i", source][..], &encode, &[&small]].concat())?;
    ffmpeg(&[&["-ss", "8", "-i", source, "-vf", "scale=960:540"][..], &encode, &[&large]].concat())?;
    flv::join(Path::new(&small), Path::new(&large), 8000, Path::new(&joined))?;
    replayed(Path::new(&joined), (960, 540))
}

#[test]
fn a_clip_that_lies_on_its_side_is_turned_upright() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let source = clip("bag-left.mp4");
    let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (lying, tagged) = (at("lying.mp4"), at("tagged.mp4"));
    // A quarter to the right, and a file that says how a player turns it back.
    let encode = ["-vf", "transpose=1", "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-g", "20"];
    ffmpeg(&[&["-i", source.to_str().unwrap()][..], &encode, &[&lying]].concat())?;
    ffmpeg(&["-i", &lying, "-c", "copy", "-metadata:s:v:0", "rotate=90", &tagged])?;
    replayed(Path::new(&tagged), (640, 360))
}
