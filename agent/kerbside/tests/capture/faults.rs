//! What goes wrong has a name: each fault ends in its own state, and the child is replaced.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use kerbside_domain::camera_state::{Blind, CameraState, Off};
use kerbside_media::proto::{self, FromChild, Greeting, RawFrame};
use kerbside_media::{Notice, Pace, SourceEnd};

use super::support::{Seen, bag_left, run, setup, sh};

fn last(seen: &Seen) -> (CameraState, &str) {
    (*seen.states.last().unwrap(), seen.why.last().unwrap())
}

#[test]
fn a_source_that_cannot_be_opened_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("notes.mp4");
    std::fs::write(&text, "this is no video\n".repeat(500)).unwrap();
    let wave = dir.path().join("sound.wav");
    std::fs::write(&wave, wav()).unwrap();
    let missing = dir.path().join("missing.mp4");
    let cases = [
        (missing.to_str().unwrap(), CameraState::Off(Off::NotFound), "No such file"),
        (text.to_str().unwrap(), CameraState::Blind(Blind::Undecodable), "Invalid data"),
        (wave.to_str().unwrap(), CameraState::Off(Off::WrongCodec), "no video stream"),
        ("rtsp://user:secret@127.0.0.1:1/cam", CameraState::Off(Off::Unreachable), "refused"),
    ];
    for (url, state, why) in cases {
        let (done, seen, _) = run(setup(url, Pace::Lockstep));
        assert_eq!(done, SourceEnd::Failed, "{url}");
        let (got, text) = last(&seen);
        assert_eq!(got, state, "{url}: {text}");
        assert!(text.contains(why) && !text.contains("secret"), "{url}: {text}");
    }
}

#[test]
fn an_unauthorised_camera_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 512];
        let _ = std::io::Read::read(&mut stream, &mut request);
        let _ = stream.write_all(b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n");
    });
    let mut setup = setup(format!("rtsp://127.0.0.1:{port}/cam"), Pace::Live);
    setup.restart_after_s = 60.0;
    let (_, seen, _) = run(setup);
    // If no child came, the server still waits.
    drop(TcpStream::connect(("127.0.0.1", port)));
    server.join().unwrap();
    let (state, why) = last(&seen);
    assert_eq!(state, CameraState::Off(Off::Unauthorised));
    assert!(why.contains("401"), "{why}");
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (done, seen, _) = run(setup(format!("rtsp://127.0.0.1:{port}/cam"), Pace::Live));
    assert_eq!(done, SourceEnd::Stopped);
    assert_eq!(seen.states, [CameraState::Off(Off::Connecting), CameraState::Off(Off::Silent)]);
    assert!(matches!(seen.notices.last(), Some(Notice::Restarting { .. })));
}

#[test]
fn packets_that_cannot_be_decoded_are_not_nothing_there() {
    // The clip with its pictures' bytes overwritten; the index stays.
    let mut bytes = std::fs::read(bag_left()).unwrap();
    let at = bytes.windows(4).position(|w| w == b"mdat").unwrap();
    let (from, to) = (at + 4, bytes.len());
    let moov_first = bytes.windows(4).position(|w| w == b"moov").unwrap() < at;
    assert!(moov_first, "the clip has its index in front");
    for (i, byte) in bytes[from..to].iter_mut().enumerate() {
        *byte = (i * 37 % 251) as u8;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("garbled.mp4");
    std::fs::write(&path, bytes).unwrap();
    let (_, seen, _) = run(setup(path.to_str().unwrap(), Pace::Lockstep));
    assert!(seen.frames.is_empty());
    assert!(seen.states.contains(&CameraState::Blind(Blind::Undecodable)), "{:?}", seen.states);
}

/// One frame, on the wire.
fn one_frame() -> Vec<u8> {
    let (rgb, luma) = (vec![1; 2 * 2 * 3].into(), vec![1; 160 * 90].into());
    let level = kerbside_domain::frame::Level::L2;
    let frame = RawFrame { epoch: 1, pts: 0, level, width: 2, height: 2, rgb, luma };
    let mut wire = Vec::new();
    proto::write_from_child(
        &mut wire,
        &FromChild::Hello(Greeting { version: proto::VERSION, unfiltered: None }),
    )
    .unwrap();
    proto::write_from_child(&mut wire, &FromChild::Frame(frame)).unwrap();
    wire
}

#[test]
fn a_child_that_dies_hangs_or_babbles_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("frame");
    std::fs::write(&path, one_frame()).unwrap();
    let cat = format!("cat {}", path.display());
    let cases = [
        (format!("{cat}; kill -9 $$"), Off::Crashed, "ended without a word"),
        (format!("{cat}; exec sleep 1000"), Off::Silent, "no packet for"),
        (format!("{cat}; echo what; exec sleep 1000"), Off::Crashed, "not a message"),
    ];
    for (script, state, why) in cases {
        let mut setup = setup("rtsp://127.0.0.1:1/", Pace::Live);
        setup.program = sh(&script);
        setup.program.reads.push(dir.path().to_owned());
        let (done, seen, _) = run(setup);
        assert_eq!(done, SourceEnd::Stopped, "{script}");
        assert_eq!(seen.frames.len(), 1, "{script}");
        let off = CameraState::Off;
        assert_eq!(seen.states, [off(Off::Connecting), CameraState::Watching, off(state)], "{script}");
        assert!(seen.why[2].contains(why), "{script}: {}", seen.why[2]);
    }
}

/// A quarter second of silence, 8 kHz, 8 bits.
fn wav() -> Vec<u8> {
    let mut wav =
        b"RIFF\xf4\x07\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\xd0\x07\0\0"
            .to_vec();
    wav.resize(wav.len() + 2000, 128);
    wav
}
