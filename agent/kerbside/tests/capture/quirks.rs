//! Cameras with quirks, one line each, and what must be seen of every one: frames at the rate asked for, dated in real time, and a
//! clip that plays as long as its moments took and decodes without an error.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use kerbside_domain::camera_state::{Blind, CameraState};
use kerbside_domain::frame::{Frame, Level};
use kerbside_domain::time::Mono;
use kerbside_media::clip::{ClipForm, ClipJob, StillJob, make};
use kerbside_media::ring::RingSpan;
use kerbside_media::{CaptureSettings, ClockFault, Notice, Pace, PacketRing};
use kerbside_testkit::MjpegCamera;
use kerbside_testkit::clips::picture;
use kerbside_testkit::rtsp::{Camera, CameraFault, Codec, Film, Quirk};

use super::support::{Seen, bag_left, kerbside, run, run_for, run_frames, setup};

/// How long each camera is watched, s.
const WATCHED_S: f64 = 24.0;
/// A clock that lies is found out within this, s.
const JUDGED_S: f64 = 10.0;
const LOOKS_PER_S: f64 = 5.0;

/// How a film is encoded: the codec and its parameters.
type Encoded = (Codec, &'static str);

const USUAL: Encoded = (Codec::H264, "keyint=20:min-keyint=20");
const USUAL_H265: Encoded = (Codec::H265, "keyint=20:min-keyint=20");
const REFRESHED: Encoded = (Codec::H264, "keyint=20:intra-refresh=1");
const REFRESHED_H265: Encoded = (Codec::H265, "keyint=20:intra-refresh=1");

struct Row {
    name: &'static str,
    film: Encoded,
    quirks: fn() -> Vec<Quirk>,
    /// What is said of its clock.
    clock: Option<ClockFault>,
    /// Share of the looks that are due which must be taken at least.
    looks: f64,
}

fn table() -> Vec<Row> {
    let row = |name, film, quirks, clock, looks| Row { name, film, quirks, clock, looks };
    use ClockFault::{Fast, Slow, Stands};
    vec![
        row("a usual camera", USUAL, Vec::new, None, 0.9),
        row("H.265", USUAL_H265, Vec::new, None, 0.9),
        row("its clock stands", USUAL, || vec![Quirk::ClockStands], Some(Stands), 0.8),
        row("its clock stands, H.265", USUAL_H265, || vec![Quirk::ClockStands], Some(Stands), 0.8),
        row("its clock is zero", USUAL, || vec![Quirk::ClockIsZero], Some(Stands), 0.8),
        row("milliseconds for ticks", USUAL, || vec![Quirk::ClockInMilliseconds], Some(Stands), 0.8),
        row("its clock runs at half speed", USUAL, || vec![Quirk::ClockHalf], Some(Slow), 0.7),
        row("its clock runs at double speed", USUAL, || vec![Quirk::ClockDouble], Some(Fast), 0.8),
        row("its clock runs backwards", USUAL, || vec![Quirk::ClockBackwards], Some(Slow), 0.4),
        row("its clock falls back once", USUAL, || vec![Quirk::ClockFallsBack(6.0, 3600.0)], None, 0.7),
        row("two pictures have one time", USUAL, || vec![Quirk::ClockInPairs], None, 0.8),
        row("no picture is marked as ended", USUAL, || vec![Quirk::NoMarker], None, 0.8),
        row("it refreshes its picture in parts", REFRESHED, Vec::new, None, 0.8),
        row("it refreshes its picture in parts, H.265", REFRESHED_H265, Vec::new, None, 0.8),
        row("refreshed, and its clock stands", REFRESHED, || vec![Quirk::ClockStands], Some(Stands), 0.6),
        row("pictures are never sent and lost", USUAL, || vec![Quirk::SkipsPictures(0.02)], None, 0.2),
        row(
            "pictures are never sent and lost, H.265",
            USUAL_H265,
            || vec![Quirk::SkipsPictures(0.02)],
            None,
            0.2,
        ),
        row("packets are lost", USUAL, || vec![Quirk::Loses(0.01)], None, 0.2),
        row("packets are lost, H.265", USUAL_H265, || vec![Quirk::Loses(0.01)], None, 0.2),
        row("packets are lost, refreshed in parts", REFRESHED, || vec![Quirk::Loses(0.003)], None, 0.2),
    ]
}

#[test]
fn every_camera_is_watched_in_real_time_whatever_is_odd_about_it() {
    let dir = tempfile::tempdir().unwrap();
    let films: Vec<(Encoded, Arc<Film>)> = [USUAL, USUAL_H265, REFRESHED, REFRESHED_H265]
        .into_iter()
        .enumerate()
        .map(|(n, film)| (film, film_of(dir.path(), &format!("film{n}"), film)))
        .collect();
    let table = table();
    let watched: Vec<Result<f64, String>> = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for row in &table {
            let film = films.iter().find(|(film, _)| *film == row.film).unwrap().1.clone();
            let dir = dir.path();
            threads.push(scope.spawn(move || watch(row, film, dir)));
        }
        threads.into_iter().map(|row| row.join().unwrap()).collect()
    });
    // On a loaded machine every camera comes late: the first row, which has no quirk, says what is due.
    let due = watched.first().and_then(|looks| looks.as_ref().ok()).copied().unwrap_or(0.0);
    assert!(due > WATCHED_S * LOOKS_PER_S / 3.0, "a usual camera gave {due} looks in {WATCHED_S} s");
    let enough = |(row, looks): (&Row, Result<f64, String>)| match looks {
        Ok(looks) if looks >= row.looks * due => None,
        Ok(looks) => Some(format!("{}: {looks} looks, a usual camera gave {due}", row.name)),
        Err(why) => Some(format!("{}: {why}", row.name)),
    };
    let failures: Vec<String> = table.iter().zip(watched).filter_map(enough).collect();
    assert!(failures.is_empty(), "{} cameras:\n{}", failures.len(), failures.join("\n"));
}

fn film_of(dir: &Path, name: &str, (codec, parameters): Encoded) -> Arc<Film> {
    let input = bag_left();
    Film::encode_as(codec, dir, name, &["-t", "40", "-i", input.to_str().unwrap()], parameters).unwrap()
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// The looks that were taken, if all else is as it should be.
fn watch(row: &Row, film: Arc<Film>, dir: &Path) -> Result<f64, String> {
    let camera = Camera::odd(film, (row.quirks)()).map_err(|e| e.to_string())?;
    let mut setup = setup(camera.url(), Pace::Live);
    (setup.stall_after_s, setup.restart_after_s) = (10.0, 20.0);
    let (seen, ring) = run_for(setup, Duration::from_secs_f64(WATCHED_S), Box::new(|_| Level::L2));
    let clocks: Vec<ClockFault> = clock_faults(&seen);
    check(clocks == Vec::from_iter(row.clock), || {
        format!("of its clock is said {clocks:?}; {}", facts(&seen))
    })?;
    let looks = looks_in_real_time(&seen)?;
    let lossy = row.name.contains("lost");
    let name = row.name.replace([' ', ',', '.'], "-");
    a_clip_plays_in_real_time(&ring, lossy, &dir.join(name))
        .map_err(|why| format!("{why}; {}", facts(&seen)))?;
    Ok(looks)
}

/// What helps to understand a failure.
fn facts(seen: &Seen) -> String {
    let stats =
        seen.notices.iter().rev().find_map(|n| if let Notice::Stats(stats) = n { Some(stats) } else { None });
    let epochs: Vec<u32> = seen.streams.iter().map(|s| s.epoch).collect();
    let looks: Vec<f64> = seen.frames.iter().map(at_s).collect();
    format!(
        "{:?}, streams {epochs:?}, looks from {:?} to {:?}, {stats:?}",
        seen.why,
        looks.first(),
        looks.last()
    )
}

fn clock_faults(seen: &Seen) -> Vec<ClockFault> {
    let fault =
        |notice: &Notice| if let Notice::ClockUnreliable(fault) = notice { Some(*fault) } else { None };
    seen.notices.iter().filter_map(fault).collect()
}

fn at_s(frame: &Frame) -> f64 {
    frame.at.mono.since_s(Mono::ZERO)
}

fn looks_in_real_time(seen: &Seen) -> Result<f64, String> {
    let (Some(first), Some(last)) = (seen.frames.first(), seen.frames.last()) else {
        return Err(format!("no looks; {}", facts(seen)));
    };
    let passed_s = at_s(last) - at_s(first);
    check(passed_s <= WATCHED_S + 0.5, || format!("the looks of {WATCHED_S} s are dated over {passed_s} s"))?;
    check(passed_s > WATCHED_S / 3.0, || format!("looks for {passed_s} s only; {}", facts(seen)))?;
    Ok(seen.frames.len() as f64)
}

/// The last seconds as evidence would take them.
fn a_clip_plays_in_real_time(ring: &PacketRing, lossy: bool, at: &Path) -> Result<(), String> {
    let end = ring.latest().ok_or("an empty ring")?.mono;
    let span = ring.span(end.minus_s(WATCHED_S - JUDGED_S - 6.0), end).ok_or("nothing of the span")?;
    let (span, lost_s) = span.without_damage();
    check(lossy || lost_s == 0.0, || format!("{lost_s} s damaged"))?;
    let (from, to) = (span.begin().ok_or("no packets")?.mono, span.end().ok_or("no packets")?.mono);
    let RingSpan { stream, packets } = span.in_real_time();
    let clip = at.with_extension("mp4");
    let still = StillJob {
        pts: packets[packets.len() / 2].pts,
        path: at.with_extension("jpg"),
        max_bytes: 200_000,
        drawings: Vec::new(),
        crop: None,
    };
    let refreshed = packets.iter().any(|p| p.refresh > 0);
    let job = ClipJob { stream, packets, clip: Some(clip.clone()), stills: vec![still] };
    let made = make(&kerbside(), Duration::from_secs(60), &job).map_err(|e| e.to_string())?;
    check(made.clip == Some(ClipForm::AsSent), || format!("{made:?}"))?;
    check(lossy || made.stills.iter().all(Result::is_ok), || format!("{made:?}"))?;
    let (plays_s, took_s) = (playing_s(&clip)?, to.since_s(from));
    check((plays_s - took_s).abs() <= 0.5, || format!("the clip plays {plays_s} s of {took_s} s"))?;
    // A stream that is refreshed in parts begins with pictures that are not whole, and never ends a hole by a key frame.
    let errors = decode_errors(&clip)?;
    check(refreshed || errors.is_empty(), || format!("the clip decodes with {errors}"))
}

/// Length of a file, s.
fn playing_s(clip: &Path) -> Result<f64, String> {
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]).arg(clip);
    let output = probe.output().map_err(|e| e.to_string())?;
    String::from_utf8_lossy(&output.stdout).trim().parse().map_err(|e| format!("{}: {e}", clip.display()))
}

/// What FFmpeg says while it decodes a file, as anybody would have it do so.
fn decode_errors(clip: &Path) -> Result<String, String> {
    let mut decode = Command::new("ffmpeg");
    decode.args(["-v", "error", "-nostdin", "-i"]).arg(clip).args(["-f", "null", "-"]);
    let output = decode.output().map_err(|e| e.to_string())?;
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Every frame of a lossy stream looks like the film: none shows a smear.
#[test]
fn no_frame_of_a_damaged_stream_is_smeared() {
    let dir = tempfile::tempdir().unwrap();
    // A still picture: whatever differs from it is damage.
    let still = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=640x360:rate=10:duration=20",
        "-vf",
        "select=lt(n\\,1),loop=200:1,noise=alls=6:allf=t",
    ];
    std::thread::scope(|scope| {
        for codec in [Codec::H264, Codec::H265] {
            let (still, dir) = (&still, dir.path());
            scope.spawn(move || {
                let name = format!("still-{codec:?}");
                let film = Film::encode_as(codec, dir, &name, still, "keyint=20:min-keyint=20").unwrap();
                none_is_smeared(codec, &film);
            });
        }
    });
}

fn none_is_smeared(codec: Codec, film: &Arc<Film>) {
    // Packets that are lost are missed by their numbers, pictures that were never sent by the decoder alone.
    let damages = [Quirk::Loses(0.01), Quirk::SkipsPictures(0.03)];
    let watch = |quirks: Vec<Quirk>| {
        let camera = Camera::odd(film.clone(), quirks).unwrap();
        let mut setup = setup(camera.url(), Pace::Live);
        (setup.stall_after_s, setup.restart_after_s) = (10.0, 20.0);
        run_for(setup, Duration::from_secs(16), Box::new(|_| Level::L2)).0
    };
    let (whole, damaged) = std::thread::scope(|scope| {
        let whole = scope.spawn(|| watch(Vec::new()));
        let damaged = damages.clone().map(|damage| scope.spawn(|| watch(vec![damage])));
        (whole.join().unwrap(), damaged.map(|seen| seen.join().unwrap()))
    });
    let model = &whole.frames[whole.frames.len() / 2];
    let usual = whole.frames.iter().map(|f| difference(f, model)).fold(0.0, f64::max);
    for (damage, seen) in damages.iter().zip(&damaged) {
        let what = format!("{codec:?}, {damage:?}");
        let errors = seen.notices.iter().rev().find_map(|n| match n {
            Notice::Stats(stats) => Some(stats.decode_errors),
            _ => None,
        });
        assert!(errors.is_some_and(|n| n > 0), "{what}: nothing was damaged: {errors:?}");
        assert!(seen.frames.len() >= 4, "{what}: {} frames", seen.frames.len());
        for frame in &seen.frames {
            let away = difference(frame, model);
            assert!(away <= usual * 1.5 + 1.0, "{what}: a frame differs by {away}, usual is {usual}");
        }
    }
}

/// The largest mean difference of a block of 16 by 16 samples.
fn difference(a: &Frame, b: &Frame) -> f64 {
    let (width, height) = (a.width as usize, a.height as usize);
    let mut worst = 0.0f64;
    for y in (0..height - 15).step_by(16) {
        for x in (0..width - 15).step_by(16) {
            let rows = (y..y + 16).flat_map(|row| (row * width + x) * 3..(row * width + x + 16) * 3);
            let sum: u32 = rows.map(|i| u32::from(a.rgb[i].abs_diff(b.rgb[i]))).sum();
            worst = worst.max(f64::from(sum) / 768.0);
        }
    }
    worst
}

#[test]
fn a_stream_that_is_damaged_and_never_begins_anew_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    // One key frame at its begin, and nothing that marks where its picture has been refreshed.
    let camera = Arc::new(Camera::start(film_of(dir.path(), "refreshed", REFRESHED_H265)).unwrap());
    let settings = || {
        let (stall_after_s, restart_after_s) = (10.0, 20.0);
        CaptureSettings { stall_after_s, restart_after_s, ..setup(camera.url(), Pace::Live) }
    };
    let hit = camera.clone();
    let judge = move |frame| {
        if frame == 5 {
            hit.set(CameraFault::Loses(0.5));
        }
        Level::L2
    };
    let (seen, _) = run_for(settings(), Duration::from_secs(100), Box::new(judge));
    assert_eq!(seen.states.last(), Some(&CameraState::Blind(Blind::Undecodable)), "{:?}", seen.why);
    assert!(seen.notices.iter().any(|n| matches!(n, Notice::Restarting { .. })), "{:?}", seen.why);
    camera.set(CameraFault::None);
    assert!(run_frames(settings(), 5).0.frames.len() >= 5, "opened again it is seen again");
}

#[test]
fn jpeg_over_http_is_dated_by_arrival_and_its_clip_is_encoded_for_browsers() {
    let input = bag_left();
    let camera = MjpegCamera::start(&["-t", "20", "-i", input.to_str().unwrap()], 5, Vec::new()).unwrap();
    let mut setup = setup(camera.url(), Pace::Live);
    (setup.stall_after_s, setup.restart_after_s) = (10.0, 20.0);
    let (seen, ring) = run_for(setup, Duration::from_secs(10), Box::new(|_| Level::L2));
    assert!((35..=52).contains(&seen.frames.len()), "{} looks of 45 to 50", seen.frames.len());
    let span = ring.span(Mono::ZERO, ring.latest().unwrap().mono).unwrap();
    let took_s = span.end().unwrap().mono.since_s(span.begin().unwrap().mono);
    let RingSpan { stream, packets } = span.in_real_time();
    let dir = tempfile::tempdir().unwrap();
    let clip = dir.path().join("clip.mp4");
    let job = ClipJob { stream, packets, clip: Some(clip.clone()), stills: Vec::new() };
    let made = make(&kerbside(), Duration::from_secs(60), &job).unwrap();
    assert_eq!(made.clip, Some(ClipForm::Encoded("vp9".into())));
    let plays_s = playing_s(&clip).unwrap();
    assert!((plays_s - took_s).abs() <= 0.5, "{plays_s} s of {took_s} s");
    assert_eq!(decode_errors(&clip).unwrap(), "");
    assert_eq!((picture(&clip, None).unwrap().width, picture(&clip, None).unwrap().height), (640, 360));
}

#[test]
fn a_ring_smaller_than_a_group_of_pictures_has_the_moment_as_a_spare_picture() {
    let dir = tempfile::tempdir().unwrap();
    let input = bag_left();
    let noise = ["-t", "30", "-i", input.to_str().unwrap(), "-vf", "noise=alls=20:allf=t"];
    let film = Film::encode_as(Codec::H264, dir.path(), "long", &noise, "keyint=300:min-keyint=300").unwrap();
    let camera = Camera::start(film).unwrap();
    let mut setup = setup(camera.url(), Pace::Live);
    (setup.stall_after_s, setup.restart_after_s) = (10.0, 20.0);
    setup.ring_bytes = 1 << 20;
    let (seen, ring) = run_for(setup, Duration::from_secs(14), Box::new(|_| Level::L2));
    let told: Vec<_> = seen.notices.iter().filter(|n| matches!(n, Notice::GroupTooLarge { .. })).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let now = seen.frames.last().unwrap().at.mono;
    for before_s in [0.0, 3.0] {
        let span = ring.spare_span(now.minus_s(before_s), now.minus_s(before_s)).expect("a spare picture");
        let shown = &span.packets[0];
        assert!(now.minus_s(before_s).since_s(shown.at.mono) <= 1.5);
        let still = StillJob {
            pts: shown.pts,
            path: dir.path().join("spare.jpg"),
            max_bytes: 200_000,
            drawings: Vec::new(),
            crop: None,
        };
        let job = ClipJob {
            stream: span.stream.clone(),
            packets: span.packets.clone(),
            clip: None,
            stills: vec![still],
        };
        let made = make(&kerbside(), Duration::from_secs(60), &job).unwrap();
        assert_eq!(made.stills, [Ok(shown.pts)]);
    }
    assert_eq!(picture(&dir.path().join("spare.jpg"), None).unwrap().width, 640);
}

/// By FFmpeg's decoder, which knows the same message: how its first picture is turned, degrees.
fn rotation_of(film: &Film, at: &Path) -> String {
    let start_code = |nal: Vec<u8>| [&[0, 0, 0, 1][..], &nal].concat();
    std::fs::write(at, film.nal_units().into_iter().flat_map(start_code).collect::<Vec<u8>>()).unwrap();
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "error", "-read_intervals", "%+#1", "-show_frames"]).arg(at);
    let shown = String::from_utf8_lossy(&probe.output().unwrap().stdout).into_owned();
    shown.lines().find_map(|line| line.strip_prefix("rotation=")).unwrap_or_default().to_owned()
}

#[test]
fn a_stream_that_says_it_lies_on_its_side_is_turned_upright_and_so_is_its_clip() {
    let dir = tempfile::tempdir().unwrap();
    let source = bag_left();
    let upright = &picture(&source, Some((160, 90))).unwrap();
    for (codec, filter, anticlockwise, rotation) in [
        (Codec::H264, "transpose=1", 1, "90"),
        (Codec::H265, "transpose=1", 1, "90"),
        (Codec::H264, "hflip,vflip", 2, "-180"),
        (Codec::H265, "transpose=2", 3, "-90"),
    ] {
        let what = format!("{codec:?}, {filter}");
        let input = ["-t", "4", "-i", source.to_str().unwrap(), "-vf", filter];
        let film = Film::encode_as(codec, dir.path(), "lying", &input, "keyint=10:min-keyint=10").unwrap();
        let film = film.lying(anticlockwise);
        assert_eq!(rotation_of(&film, &dir.path().join("lying.bin")), rotation, "{what}");
        let camera = Camera::start(film).unwrap();
        let mut setup = setup(camera.url(), Pace::Live);
        (setup.stall_after_s, setup.restart_after_s) = (10.0, 20.0);
        let (seen, ring) = run_frames(setup, 8);
        let frame = seen.frames.first().unwrap();
        assert_eq!((frame.width, frame.height), (320, 180), "{what}");
        let streams: Vec<u32> = seen.streams.iter().map(|stream| stream.epoch).collect();
        assert!(streams.iter().all(|epoch| *epoch == 1), "{what}: {streams:?}");
        let RingSpan { stream, packets } = ring.span(Mono::ZERO, ring.latest().unwrap().mono).unwrap();
        let (clip, still) = (dir.path().join("clip.mp4"), dir.path().join("still.jpg"));
        let pts = packets[0].pts;
        let stills =
            vec![StillJob { pts, path: still.clone(), max_bytes: 200_000, drawings: Vec::new(), crop: None }];
        let job = ClipJob { stream, packets, clip: Some(clip.clone()), stills };
        let made = make(&kerbside(), Duration::from_secs(60), &job).unwrap();
        assert_eq!((made.clip, made.stills.len()), (Some(ClipForm::AsSent), 1), "{what}");
        // FFmpeg turns a clip as its container says.
        for shown in [&clip, &still] {
            let size = picture(shown, None).unwrap();
            assert_eq!((size.width, size.height), (640, 360), "{what}");
            let shown = picture(shown, Some((160, 90))).unwrap();
            let sum: u64 = shown.rgb.iter().zip(&upright.rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            assert!(sum as f64 / (upright.rgb.len() as f64) < 6.0, "{what}: {sum}");
        }
    }
}

#[test]
fn frames_of_a_turned_file_stand_upright() {
    let dir = tempfile::tempdir().unwrap();
    let source = bag_left();
    let frames_of = |file: &Path| {
        let mut setup = setup(file.to_str().unwrap(), Pace::Lockstep);
        setup.analysis_fps = 1.0;
        run(setup).1.frames
    };
    let upright = frames_of(&source);
    for (filter, rotate) in [("transpose=1", "90"), ("hflip,vflip", "180"), ("transpose=2", "270")] {
        let (lying, tagged) = (dir.path().join("lying.mp4"), dir.path().join("tagged.mp4"));
        let ffmpeg = |args: &[&str]| {
            let done =
                Command::new("ffmpeg").args(["-v", "error", "-y", "-nostdin"]).args(args).status().unwrap();
            assert!(done.success());
        };
        let (from, to) = (lying.to_str().unwrap(), tagged.to_str().unwrap());
        ffmpeg(&[
            "-t",
            "4",
            "-i",
            source.to_str().unwrap(),
            "-vf",
            filter,
            "-c:v",
            "libx264",
            "-crf",
            "16",
            from,
        ]);
        ffmpeg(&["-i", from, "-c", "copy", "-metadata:s:v:0", &format!("rotate={rotate}"), to]);
        let turned = frames_of(&tagged);
        assert!(turned.len() >= 3, "{rotate}");
        for (a, b) in turned.iter().zip(&upright) {
            assert_eq!((a.width, a.height), (b.width, b.height), "{rotate}");
            let luma: u32 = a.luma.iter().zip(&b.luma).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            assert!(f64::from(luma) / (a.luma.len() as f64) < 2.0, "{rotate}: luma differs by {luma}");
            assert!(difference(a, b) < 30.0, "{rotate}: a block differs by {}", difference(a, b));
        }
    }
}
