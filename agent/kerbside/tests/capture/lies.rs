//! A child decodes what strangers send, so it may be theirs: whatever it says, the parent takes no more memory than was asked
//! for, says no more in its log than a camera may, and goes on.

use bytes::Bytes;
use kerbside_domain::camera_state::{CameraState, Off};
use kerbside_domain::frame::{LUMA_HEIGHT, LUMA_WIDTH, Level, StreamInfo, Turn};
use kerbside_media::proto::{
    self, CaptureEvent, CaptureStats, FromChild, Greeting, RawFrame, RawPacket, SourceFault,
};
use kerbside_media::{Pace, SourceEnd};

use super::support::{Seen, run, setup, sh};

/// What a lie must come to.
enum Fate {
    /// The child is replaced, with this in the reason.
    Refused(&'static str),
    /// It changes nothing; the child is replaced only when it falls silent.
    Harmless,
    /// The child says of itself that it failed; its words are cut short.
    Cut,
}
use Fate::{Cut, Harmless, Refused};

struct Lie {
    name: &'static str,
    wire: Vec<u8>,
    fate: Fate,
}

fn greeting() -> FromChild {
    FromChild::Hello(Greeting { version: proto::VERSION, unfiltered: None })
}

fn stream() -> StreamInfo {
    StreamInfo {
        epoch: 1,
        codec: "h264".into(),
        width: 640,
        height: 360,
        turn: Turn::NONE,
        time_base: (1, 1000),
        fps: 25.0,
        extradata: Bytes::from_static(&[1, 2, 3]),
    }
}

fn packet(epoch: u32, pts: i64, bytes: usize) -> FromChild {
    let data = Bytes::from(vec![0; bytes]);
    FromChild::Packet(RawPacket::spare(epoch, pts, data))
}

fn frame(width: u32, height: u32, pts: i64) -> FromChild {
    let rgb = Bytes::from(vec![0; width as usize * height as usize * 3]);
    let luma = Bytes::from(vec![0; LUMA_WIDTH * LUMA_HEIGHT]);
    FromChild::Frame(RawFrame { epoch: 1, pts, level: Level::L2, width, height, rgb, luma })
}

fn wire(messages: impl IntoIterator<Item = FromChild>) -> Vec<u8> {
    let mut wire = Vec::new();
    for message in messages {
        proto::write_from_child(&mut wire, &message).unwrap();
    }
    wire
}

/// After a greeting.
fn lie(name: &'static str, messages: impl IntoIterator<Item = FromChild>, fate: Fate) -> Lie {
    Lie { name, wire: wire(std::iter::once(greeting()).chain(messages)), fate }
}

fn raw(name: &'static str, bytes: &[u8], fate: Fate) -> Lie {
    Lie { name, wire: [wire([greeting()]), bytes.to_vec()].concat(), fate }
}

/// A message by hand: header and lengths as they are said, and so many bytes behind them.
fn framed(header: &str, header_len: u32, blob_len: u32, bytes: usize) -> Vec<u8> {
    let lengths = [header_len.to_le_bytes(), blob_len.to_le_bytes()].concat();
    [b"KBS1".as_slice(), &lengths, header.as_bytes(), &vec![0; bytes]].concat()
}

fn frame_header(width: u32, height: u32) -> String {
    format!(r#"{{"frame":{{"epoch":1,"pts":0,"level":"L2","width":{width},"height":{height}}}}}"#)
}

fn sizes() -> Vec<Lie> {
    let said = |name, width, height, fate| {
        let header = frame_header(width, height);
        raw(name, &framed(&header, header.len() as u32, 100, 100), fate)
    };
    vec![
        lie("a frame as wide as a street", [frame(5_000_000, 1, 0)], Refused("frame of 5000000 x 1 px")),
        lie("a frame a million wide", [frame(1_000_000, 1, 0)], Refused("frame of 1000000 x 1 px")),
        lie("a frame as high as a tower", [frame(1, 5_000_000, 0)], Refused("frame of 1 x 5000000 px")),
        lie("a frame wider than asked", [frame(322, 180, 0)], Refused("frame of 322 x 180 px")),
        said("a frame of no size", 0, 0, Refused("frame should have")),
        said("a frame without end", u32::MAX, u32::MAX, Refused("frame should have")),
        said("a frame of fewer bytes than it says", 320, 180, Refused("frame should have")),
        lie(
            "a stream wider than any",
            [FromChild::Stream(StreamInfo { width: 1_000_000, ..stream() })],
            Refused("stream of 1000000"),
        ),
    ]
}

fn protocol() -> Vec<Lie> {
    let other = Greeting { version: 1, unfiltered: None };
    vec![
        Lie { name: "no greeting", wire: wire([frame(320, 180, 0)]), fate: Refused("greets first") },
        Lie { name: "a packet first", wire: wire([packet(1, 0, 10)]), fate: Refused("greets first") },
        Lie {
            name: "another version",
            wire: wire([FromChild::Hello(other)]),
            fate: Refused("child speaks version 1"),
        },
        lie("two greetings", [greeting()], Refused("greets once")),
        raw("no message", b"what now", Refused("not a message")),
        raw("a header of 4 GB", &framed("", u32::MAX, 0, 0), Refused("head of 4294967295 bytes")),
        raw("a blob of 4 GB", &framed("{}", 2, u32::MAX, 0), Refused("blob of 4294967295 bytes")),
        raw("a header that is no JSON", &framed("hello", 5, 0, 0), Refused("header is not understood")),
        raw(
            "a message that nobody knows",
            &framed(r#"{"obey":1}"#, 10, 0, 0),
            Refused("header is not understood"),
        ),
    ]
}

fn floods() -> Vec<Lie> {
    let events = |event: CaptureEvent| (0..50_000).map(move |_| FromChild::Event(event.clone()));
    let to = |i: u32| FromChild::Stream(StreamInfo { epoch: i, ..stream() });
    let flap = (0..50_000).map(|i| {
        FromChild::Event(match i % 2 {
            0 => CaptureEvent::Undecodable { text: "no".into() },
            _ => CaptureEvent::Decodable,
        })
    });
    let changed = CaptureEvent::ResolutionChanged { from: (1, 1), to: (2, 2) };
    vec![
        lie("50,000 streams", (0..50_000).map(to), Refused("announces too much")),
        lie("50,000 changes of size", events(changed), Refused("announces too much")),
        lie(
            "50,000 sparse keys",
            events(CaptureEvent::SparseKeys { gap_s: f64::MAX }),
            Refused("announces too much"),
        ),
        lie(
            "50,000 counters",
            (0..50_000).map(|_| FromChild::Stats(CaptureStats::default())),
            Refused("announces too much"),
        ),
        lie("undecodable and decodable in turn", flap, Refused("announces too much")),
        lie(
            "a codec with a long name",
            [FromChild::Stream(StreamInfo { codec: "h".repeat(10_000), ..stream() })],
            Refused("codec name of 10000"),
        ),
        lie(
            "a megabyte of parameter sets",
            [FromChild::Stream(StreamInfo { extradata: vec![0; 1 << 20].into(), ..stream() })],
            Refused("description of a codec"),
        ),
        lie(
            "a long last word",
            [FromChild::Event(CaptureEvent::Failed {
                fault: SourceFault::Other,
                text: "no ".repeat(50_000),
            })],
            Cut,
        ),
    ]
}

fn times() -> Vec<Lie> {
    let extremes = [i64::MIN, i64::MAX, 0, i64::MAX, i64::MIN];
    let base = |time_base: (i32, i32)| {
        let info = StreamInfo { time_base, ..stream() };
        std::iter::once(FromChild::Stream(info)).chain(extremes.map(|pts| packet(1, pts, 10)))
    };
    let framed = extremes.map(|pts| frame(320, 180, pts));
    vec![
        lie("timestamps at both ends", base((1, 1000)), Harmless),
        lie("a time base of nothing", base((0, 0)), Harmless),
        lie("a time base below nothing", base((-1, i32::MIN)), Harmless),
        lie("frames at both ends of time", base((i32::MAX, 1)).chain(framed), Harmless),
        lie(
            "the last epoch there is",
            [FromChild::Stream(StreamInfo { epoch: u32::MAX, ..stream() }), packet(u32::MAX, 0, 10)],
            Harmless,
        ),
        lie("packets of no stream", [packet(7, 0, 10), packet(9, 0, 10)], Harmless),
        lie("packets of nothing", (0..20_000).map(|i| packet(1, i, 0)), Harmless),
        lie("packets of 15 MB", (0..12).map(|i| packet(1, i, 15 << 20)), Harmless),
        lie("a rate beyond all", [FromChild::Stream(StreamInfo { fps: f32::MAX, ..stream() })], Harmless),
    ]
}

#[test]
fn a_child_that_lies_costs_itself_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let lies: Vec<Lie> = [sizes(), protocol(), floods(), times()].into_iter().flatten().collect();
    assert!(lies.len() >= 22);
    for lie in lies {
        let (seen, ring_bytes) = told(dir.path(), &lie.wire);
        let (state, why) = (*seen.states.last().unwrap(), seen.why.last().unwrap());
        match lie.fate {
            Refused(text) => {
                assert_eq!(state, CameraState::Off(Off::Crashed), "{}: {why}", lie.name);
                assert!(why.contains(text), "{}: {why}", lie.name);
                assert!(seen.frames.is_empty(), "{}", lie.name);
            }
            Harmless => assert_eq!(state, CameraState::Off(Off::Silent), "{}: {why}", lie.name),
            Cut => assert!(why.len() < 400, "{}: {} bytes", lie.name, why.len()),
        }
        assert!(seen.frames.iter().all(|f| f.width <= 320 && f.height <= 1280), "{}", lie.name);
        assert!(seen.streams.len() + seen.notices.len() <= 450, "{}: {}", lie.name, seen.notices.len());
        // The ring of these tests holds 64 MiB.
        assert!(ring_bytes <= 80 << 20, "{}: {ring_bytes}", lie.name);
    }
}

/// A session with a child that says just this, until the child is to be replaced.
fn told(dir: &std::path::Path, wire: &[u8]) -> (Seen, usize) {
    let path = dir.join("lie");
    std::fs::write(&path, wire).unwrap();
    let mut setup = setup("rtsp://127.0.0.1:1/", Pace::Live);
    setup.program = sh(&format!("cat {}; exec sleep 1000", path.display()));
    setup.program.reads.push(dir.to_owned());
    let (done, seen, ring) = run(setup);
    assert_eq!(done, SourceEnd::Stopped);
    (seen, ring.bytes())
}
