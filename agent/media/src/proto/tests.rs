//! Messages come back as they were sent, and whatever else arrives is an error.

use proptest::prelude::*;

use bytes::Bytes;
use kerbside_domain::frame::{LUMA_HEIGHT, LUMA_WIDTH, Level, StreamInfo, Turn};

use super::capture::Header;
use super::framing::MAGIC;
use super::*;

fn samples() -> Vec<FromChild> {
    let extradata = Bytes::from_static(&[1, 0x42, 0xc0]);
    let info = StreamInfo {
        epoch: 3,
        codec: "h264".into(),
        width: 1920,
        height: 1080,
        turn: Turn { mirrored: true, quarters: 1 },
        time_base: (1, 90_000),
        fps: 25.0,
        extradata,
    };
    let data = Bytes::from_static(b"\0\0\0\x01\x65abc");
    let rgb = Bytes::from(vec![7u8; 4 * 2 * 3]);
    let luma = Bytes::from(vec![9u8; LUMA_WIDTH * LUMA_HEIGHT]);
    vec![
        FromChild::Hello(Greeting { version: VERSION, unfiltered: None }),
        FromChild::Stream(info),
        FromChild::Packet(RawPacket {
            epoch: 3,
            pts: -5,
            dts: i64::MIN,
            duration: 3600,
            key: true,
            refresh: 20,
            damaged: true,
            data,
        }),
        FromChild::Frame(RawFrame { epoch: 3, pts: 9, level: Level::L2, width: 4, height: 2, rgb, luma }),
        FromChild::Event(CaptureEvent::Failed { fault: SourceFault::Refused, text: "no".into() }),
        FromChild::Stats(CaptureStats { packets: 1, ..CaptureStats::default() }),
    ]
}

fn wire() -> Vec<u8> {
    let mut wire = Vec::new();
    for message in samples() {
        write_from_child(&mut wire, &message).unwrap();
    }
    wire
}

#[test]
fn messages_come_back_as_they_went() {
    let wire = wire();
    let mut from = wire.as_slice();
    let mut back = Vec::new();
    while let Some(message) = read_from_child(&mut from).unwrap() {
        back.push(message);
    }
    assert_eq!(back, samples());
}

#[test]
fn a_message_that_is_too_long_is_refused_before_it_is_read() {
    let mut wire = MAGIC.to_vec();
    wire.extend_from_slice(&10u32.to_le_bytes());
    wire.extend_from_slice(&u32::MAX.to_le_bytes());
    let error = read_from_child(&mut wire.as_slice()).unwrap_err();
    assert_eq!(error.to_string(), "blob of 4294967295 bytes, limit 16777216");
}

#[test]
fn a_frame_must_be_as_large_as_it_says() {
    let mut wire = Vec::new();
    let head = Header::Frame { epoch: 0, pts: 0, level: Level::L1, width: u32::MAX, height: u32::MAX };
    write_message(&mut wire, &head, &[&[0; 14_400]]).unwrap();
    let error = read_from_child(&mut wire.as_slice()).unwrap_err();
    assert!(error.to_string().starts_with("frame should have"), "{error}");
}

proptest! {
    /// Flipped, cut and spliced bytes end in an error or a message, never in a panic or in memory beyond what came.
    #[test]
    fn mutated_input_is_survived(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut wire = wire();
        for (at, byte) in edits {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        wire.truncate(cut.index(wire.len()) + 1);
        let mut from = wire.as_slice();
        while let Ok(Some(message)) = read_from_child(&mut from) {
            if let FromChild::Frame(frame) = message {
                prop_assert_eq!(frame.rgb.len() as u64, u64::from(frame.width) * u64::from(frame.height) * 3);
            }
        }
    }

    #[test]
    fn noise_is_survived(noise in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut framed = MAGIC.to_vec();
        framed.extend_from_slice(&noise);
        let _ = read_from_child(&mut framed.as_slice());
        let _ = read_to_child(&mut framed.as_slice());
        let _ = read_from_child(&mut noise.as_slice());
    }
}
