//! What comes out of a sound clip: frames, packets, clips and pictures.

use std::time::Duration;

use kerbside_domain::camera_state::{CameraState, Off};
use kerbside_domain::frame::{BBox, Level, Packet, StreamInfo};
use kerbside_domain::time::Mono;
use kerbside_media::clip::{ClipForm, ClipJob, ClipOutput, StillJob, make};
use kerbside_media::picture::Drawing;
use kerbside_media::{Pace, RingSpan, SourceEnd};
use kerbside_testkit::clips::{Picture, picture};

use super::support::{bag_left, kerbside, packets_of, run, run_judged, setup};

const LIMIT: Duration = Duration::from_secs(60);

fn url() -> String {
    bag_left().to_str().unwrap().to_string()
}

#[test]
fn a_replay_drops_nothing_and_repeats_itself_byte_for_byte() {
    let mut setup = setup(url(), Pace::Lockstep);
    setup.analysis_fps = 1.0;
    let (done, first, ring) = run(setup.clone());
    assert_eq!(done, SourceEnd::Ended);
    let off = CameraState::Off;
    assert_eq!(first.states, [off(Off::Connecting), CameraState::Watching, off(Off::Ended)]);
    assert_eq!(first.frames.len(), 46);
    for (i, frame) in first.frames.iter().enumerate() {
        assert_eq!(frame.at.mono, Mono(i as u64 * 1_000_000), "frame {i}");
        assert_eq!((frame.width, frame.height, frame.rgb.len()), (320, 180, 320 * 180 * 3));
    }
    assert_eq!(ring.len(), 460);

    let (_, second, _) = run(setup);
    assert!(first.frames.iter().zip(&second.frames).all(|(a, b)| a.rgb == b.rgb && a.luma == b.luma));
}

#[test]
fn opencv_sees_in_a_clip_what_libav_sees_and_keeps_no_packets() {
    let mut setup = setup(url(), Pace::Lockstep);
    setup.analysis_fps = 1.0;
    let (_, ours, _) = run(setup.clone());
    setup.opencv = true;
    let (done, theirs, ring) = run(setup);
    assert_eq!((done, ring.len()), (SourceEnd::Ended, 0), "{:?}", theirs.why);
    assert_eq!(theirs.frames.len(), ours.frames.len());
    for (a, b) in ours.frames.iter().zip(&theirs.frames) {
        let off: f64 = a.rgb.iter().zip(&b.rgb[..]).map(|(&a, &b)| f64::from(a.abs_diff(b))).sum();
        assert!(off / (a.rgb.len() as f64) < 4.0, "frame {}: {}", a.seq, off / a.rgb.len() as f64);
    }
}

#[test]
fn a_pipeline_is_a_camera() {
    let pattern = "gst:videotestsrc is-live=true num-buffers=20 ! video/x-raw,width=640,height=360,framerate=10/1 \
                   ! videoconvert ! video/x-raw,format=BGR ! appsink";
    let mut setup = setup(pattern, Pace::Live);
    // The first pipeline on a machine looks through all plug-ins.
    setup.restart_after_s = 60.0;
    let (done, seen, _) = run(setup);
    // The pattern's end is a camera lost, to be opened again; the test stops there.
    assert_eq!(done, SourceEnd::Stopped, "{:?}", seen.why);
    let sizes: Vec<(u32, u32)> = seen.frames.iter().map(|l| (l.width, l.height)).collect();
    assert!(!sizes.is_empty() && sizes.iter().all(|size| *size == (320, 180)), "{sizes:?}");
    // The first bar of the pattern is white, the last of the seven blue.
    let row = &seen.frames[0].rgb[..320 * 3];
    assert!(row[..3].iter().all(|&v| v > 170), "{:?}", &row[..3]);
    assert!(row[319 * 3 + 2] > 150 && row[319 * 3] < 80, "{:?}", &row[319 * 3..]);
}

#[test]
fn key_frames_alone_are_seen_at_once_and_a_climb_does_not_wait_for_the_next() {
    let mut setup = setup(url(), Pace::Lockstep);
    setup.level = Level::L1;
    // Climb after the fourth key picture, down again after thirty frames.
    let judge = |seq| if (3..30).contains(&seq) { Level::L2 } else { Level::L1 };
    let (_, seen, ring) = run_judged(setup, Box::new(judge));
    let RingSpan { packets, .. } = ring.span(Mono::ZERO, Mono::from_s(1e6)).unwrap();
    let key_pts: Vec<i64> = packets.iter().filter(|p| p.key).map(|p| p.pts).collect();
    let at = |level| seen.frames.iter().filter(move |l| l.level == level);
    assert!(at(Level::L1).count() >= 10);
    assert!(at(Level::L1).all(|l| key_pts.contains(&l.pts)));
    // Between the climb's first frame and the last key picture before it lies less than one group of pictures.
    let climb: Vec<f64> = at(Level::L2).map(|l| l.at.mono.0 as f64 / 1e6).collect();
    assert!(climb.windows(2).all(|w| w[1] - w[0] < 0.25), "{climb:?}");
}

#[test]
fn the_clip_holds_the_cameras_own_packets() {
    let (stream, packets) = packets_of(&bag_left());
    let (from, to) = (packets[40].at.mono, packets[160].at.mono);
    let part: Vec<Packet> =
        packets.iter().filter(|p| p.at.mono >= from && p.at.mono <= to).cloned().collect();
    let dir = tempfile::tempdir().unwrap();
    let clip = dir.path().join("clip.mp4.part");
    let job = ClipJob { stream, packets: part.clone(), clip: Some(clip.clone()), stills: Vec::new() };
    assert_eq!(make(&kerbside(), LIMIT, &job).unwrap().clip, Some(ClipForm::AsSent));

    let (_, back) = packets_of(&clip);
    let first_key = part.iter().position(|p| p.key).unwrap();
    assert!(same_payload(&back, &part[first_key..]));
    assert_eq!(back[0].dts, 0);

    let once = std::fs::read(&clip).unwrap();
    make(&kerbside(), LIMIT, &job).unwrap();
    assert!(once == std::fs::read(&clip).unwrap(), "the same packets give the same bytes");
}

/// As cameras send it: start codes, parameter sets inside the stream, nothing else announced.
#[test]
fn annex_b_without_extradata_makes_the_same_clip() {
    let (stream, packets) = packets_of(&bag_left());
    let sets = avcc_sets(&stream.extradata);
    let bare = StreamInfo { extradata: Default::default(), ..stream };
    let annex_b: Vec<Packet> = packets[..60]
        .iter()
        .map(|p| {
            let mut data = if p.key { sets.clone() } else { Vec::new() };
            data.extend(annex_b(&p.data));
            Packet { data: data.into(), ..p.clone() }
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let clip = dir.path().join("clip.part");
    let asked = annex_b[30].pts;
    let still = StillJob {
        pts: asked,
        path: dir.path().join("still"),
        max_bytes: 200_000,
        drawings: Vec::new(),
        crop: None,
    };
    let job = ClipJob { stream: bare, packets: annex_b, clip: Some(clip.clone()), stills: vec![still] };
    let done = make(&kerbside(), LIMIT, &job).unwrap();
    assert!(done.clip == Some(ClipForm::AsSent) && done.stills == [Ok(asked)], "{done:?}");
    let (info, back) = packets_of(&clip);
    assert_eq!(info.extradata.first(), Some(&1), "avcC");
    let tail = |p: &Packet| p.data[p.data.len() - 64.min(p.data.len())..].to_vec();
    assert!(back.iter().map(tail).eq(packets[..60].iter().map(tail)));
}

#[test]
fn a_still_shows_the_frame_asked_for_and_keeps_to_its_limit() {
    let mut setup = setup(url(), Pace::Lockstep);
    setup.analysis_fps = 1.0;
    let (_, seen, ring) = run(setup);
    let RingSpan { stream, packets } = ring.span(Mono::from_s(18.0), Mono::from_s(24.0)).unwrap();
    let frames: Vec<_> =
        seen.frames.iter().filter(|l| (18.5..23.5).contains(&(l.at.mono.0 as f64 / 1e6))).collect();
    let wanted = frames[frames.len() / 2];
    let dir = tempfile::tempdir().unwrap();
    let still = |name: &str, max_bytes, marks| StillJob {
        pts: wanted.pts,
        path: dir.path().join(name),
        max_bytes,
        drawings: marks,
        crop: None,
    };
    let bbox = BBox { x: 0.4, y: 0.4, w: 0.2, h: 0.3 };
    let marks = vec![
        Drawing::Zone { polygon_norm: vec![(0.1, 0.5), (0.9, 0.5), (0.9, 0.9)] },
        Drawing::Box { bbox, label: "waste 0.81".into(), emphasis: true },
        Drawing::Caption("cam1 10:00:00 \u{5783}".into()),
    ];
    let stills = vec![
        still("plain", 200_000, Vec::new()),
        still("marked", 200_000, marks),
        still("small", 9_000, Vec::new()),
    ];
    let done = make(&kerbside(), LIMIT, &ClipJob { stream, packets, clip: None, stills }).unwrap();
    let ClipOutput { clip, stills } = done;
    assert_eq!((clip, stills), (None, vec![Ok(wanted.pts); 3]));

    let size = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().len();
    assert!(size("plain") <= 200_000 && size("marked") <= 200_000 && size("small") <= 9_000);
    let shown = |name: &str, size| picture(&dir.path().join(name), size).unwrap();
    let (plain, marked) = (shown("plain", None), shown("marked", None));
    assert_eq!((plain.width, plain.height), (640, 360));
    // Red on the box's left side, half way down; nothing drawn on the plain one.
    let red = |picture: &Picture| {
        let [red, green, blue] = picture.pixel(256, 198).unwrap();
        i32::from(red) - i32::from(green.max(blue))
    };
    assert!(red(&marked) > 100 && red(&plain) < 60, "{} {}", red(&marked), red(&plain));
    let small = shown("plain", Some((320, 180)));
    // Of all frames around, the picture is nearest to the one it was asked for.
    let nearest =
        frames.iter().min_by(|a, b| distance(&small, &a.rgb).total_cmp(&distance(&small, &b.rgb))).unwrap();
    assert_eq!(nearest.pts, wanted.pts);
}

fn same_payload(a: &[Packet], b: &[Packet]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.data == b.data && a.key == b.key)
}

/// Length-prefixed NAL units (four bytes) to start codes.
fn annex_b(mut data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while data.len() > 4 {
        let len = u32::from_be_bytes([data[0], data[1], data[2], data[3]]) as usize;
        out.extend([0, 0, 0, 1]);
        out.extend_from_slice(&data[4..4 + len]);
        data = &data[4 + len..];
    }
    out
}

/// The parameter sets of an avcC box (ISO/IEC 14496-15, 5.3.3.1) with start codes.
fn avcc_sets(avcc: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 5;
    for mask in [0x1f, 0xff] {
        let count = avcc[at] & mask;
        at += 1;
        for _ in 0..count {
            let len = usize::from(u16::from_be_bytes([avcc[at], avcc[at + 1]]));
            out.extend([0, 0, 0, 1]);
            out.extend_from_slice(&avcc[at + 2..at + 2 + len]);
            at += 2 + len;
        }
    }
    out
}

/// Mean absolute difference of a picture of 320x180 to a frame of that size.
fn distance(picture: &Picture, frame: &[u8]) -> f64 {
    let sum: f64 = picture.rgb.iter().zip(frame).map(|(&a, &b)| f64::from(a.abs_diff(b))).sum();
    sum / picture.rgb.len() as f64
}
