//! Packets and connections, byte by byte.

use bytes::BytesMut;
use kerbside_site::config::Protocol;
use kerbside_testkit::mqtt;
use kerbside_wire::{Content, Outgoing};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::codec::{Codec, Hello, Incoming, Will};
use super::connection::Connection;
use crate::machine::{Accepted, Dismissal, LinkEvent, Verdict};
use crate::tuning::{HELD_MAX, INBOUND_LIMIT, PACKET_LIMIT};

fn read(protocol: Protocol, bytes: &[u8]) -> Result<Option<Incoming>, String> {
    Codec::new(protocol).read(&mut BytesMut::from(bytes)).map_err(|e| e.to_string())
}

fn down(v5: bool, topic: &str, pkid: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    mqtt::publish_down(&mut bytes, v5, topic, pkid, payload).unwrap();
    bytes
}

#[test]
fn answers_of_brokers_of_every_kind_are_understood() {
    let dismissed = |because, why: &str| Ok(Some(Incoming::Dismissed { because, why: why.into() }));
    let accepted = |accepted| Ok(Some(Incoming::Accepted(accepted)));
    let v5 = Protocol::V5;
    // nats and other old brokers answer a CONNECT of MQTT 5 as 3.1.1 does.
    let old = "the broker refuses: unsupported protocol version";
    assert_eq!(read(v5, &[0x20, 2, 0, 1]), dismissed(Dismissal::Protocol, old));
    assert_eq!(read(v5, &[0x20, 3, 0, 0x84, 0]), dismissed(Dismissal::Protocol, old));
    let retain = "the broker refuses: retain not supported";
    assert_eq!(read(v5, &[0x20, 3, 0, 0x9A, 0]), dismissed(Dismissal::Retain, retain));
    let banned = "the broker refuses: not authorized";
    assert_eq!(read(Protocol::V311, &[0x20, 2, 0, 5]), dismissed(Dismissal::Other, banned));
    assert_eq!(
        read(Protocol::V311, &[0x20, 2, 1, 0]),
        accepted(Accepted { session_present: true, ..Accepted::default() })
    );
    // Retain Available 0, Maximum QoS 0, Server Keep Alive 10.
    assert_eq!(
        read(v5, &[0x20, 10, 0, 0, 7, 0x25, 0, 0x24, 0, 0x13, 0, 10]),
        accepted(Accepted {
            no_retain: true,
            max_qos: Some(0),
            keep_alive_s: Some(10),
            ..Accepted::default()
        })
    );
    let taken = "the broker disconnected: session taken over";
    assert_eq!(read(v5, &[0xE0, 1, 0x8E]), dismissed(Dismissal::SessionTaken, taken));
    assert_eq!(read(v5, &[0xE0, 0]), dismissed(Dismissal::Other, "the broker disconnected"));
    let suback = |codes: &[u8]| Ok(Some(Incoming::SubAck { pkid: 7, codes: codes.to_vec() }));
    assert_eq!(read(v5, &[0x90, 5, 0, 7, 0, 1, 0x87]), suback(&[1, 0x87]));
    assert_eq!(read(Protocol::V311, &[0x90, 4, 0, 7, 1, 0x80]), suback(&[1, 0x80]));
    // A reason code that nobody knows.
    assert_eq!(read(v5, &[0x40, 4, 0, 7, 0xEE, 0]), Ok(Some(Incoming::PubAck { pkid: 7, code: 0xEE })));
    assert_eq!(read(Protocol::V311, &[0x40, 2, 0, 7]), Ok(Some(Incoming::PubAck { pkid: 7, code: 0 })));
}

#[test]
fn packets_come_in_any_pieces_and_a_long_message_is_cut_and_not_the_end() {
    for (protocol, v5) in [(Protocol::V5, true), (Protocol::V311, false)] {
        let mut stream = down(v5, "t/1", 1, b"one");
        stream.extend(down(v5, "t/2", 2, &vec![7; 3 * PACKET_LIMIT]));
        stream.extend(down(v5, "t/3", 3, b"three"));
        for piece in [1000, 4096, 70_000] {
            let (mut codec, mut bytes, mut seen) = (Codec::new(protocol), BytesMut::new(), Vec::new());
            for part in stream.chunks(piece) {
                bytes.extend_from_slice(part);
                while let Some(packet) = codec.read(&mut bytes).unwrap() {
                    let Incoming::Publish { topic, payload, qos: 1, pkid, .. } = packet else { panic!() };
                    seen.push((topic, payload.len(), pkid));
                }
                assert!(bytes.len() <= PACKET_LIMIT + 70_000, "what is thrown away is not kept");
            }
            let lens: Vec<usize> = seen.iter().map(|(_, len, _)| *len).collect();
            assert_eq!(seen.iter().map(|(_, _, pkid)| *pkid).collect::<Vec<_>>(), [1, 2, 3]);
            assert_eq!((lens[0], lens[2]), (3, 5));
            assert!(lens[1] > INBOUND_LIMIT as usize, "long enough to be refused with its reason");
        }
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut rng = fastrand::Rng::with_seed(4);
    for _ in 0..200_000 {
        let len = rng.usize(0..40);
        let mut bytes: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(len).collect();
        if let Some(first) = bytes.first_mut() {
            *first = (rng.u8(1..16) << 4) | (rng.u8(0..4) * 2);
        }
        if let Some(len) = bytes.get_mut(1) {
            *len &= 0x1F;
        }
        for protocol in [Protocol::V5, Protocol::V311] {
            let _ = read(protocol, &bytes);
        }
    }
}

fn hello() -> Hello {
    let will = Will { topic: "w".into(), body: b"lost".to_vec(), retain: true, qos: 1 };
    Hello { client_id: "box".into(), keep_alive_s: 30, will, login: None }
}

fn report(seq: u64, bytes: usize) -> Outgoing {
    let (properties, content) = (Vec::new(), Content::Event);
    let topic = "cg/v1/310112/b/matter/1/opened".to_owned();
    Outgoing {
        seq,
        topic,
        qos: 1,
        retain: false,
        expiry_s: None,
        properties,
        body: vec![b'x'; bytes],
        content,
    }
}

/// A connection that the broker has let in, and the broker's end.
async fn connected(buffer: usize) -> (Connection, DuplexStream) {
    let (ours, mut theirs) = tokio::io::duplex(buffer);
    let mut connection = Connection::new(Box::new(ours), Codec::new(Protocol::V311), &hello()).unwrap();
    assert_eq!(connection.event(true).await, LinkEvent::Sent);
    let mut connect = [0; 4096];
    let n = theirs.read(&mut connect).await.unwrap();
    assert_eq!(connect[0], 0x10, "{n} bytes");
    theirs.write_all(&[0x20, 2, 0, 0]).await.unwrap();
    assert_eq!(connection.event(true).await, LinkEvent::Connected(Accepted::default()));
    (connection, theirs)
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A broker that ignores Receive Maximum, and a store that acknowledges nothing yet.
#[test]
fn reading_stops_at_a_bound_and_writing_goes_on() {
    block_on(async {
        let (mut connection, theirs) = connected(1 << 16).await;
        let (mut their_read, mut their_write) = tokio::io::split(theirs);
        let flood = tokio::spawn(async move {
            for pkid in 1..=5000 {
                if their_write.write_all(&down(false, "receipt", pkid, b"{}")).await.is_err() {
                    break;
                }
            }
            their_write
        });
        let mut tokens = Vec::new();
        while connection.has_room() {
            let LinkEvent::Received { token, .. } = connection.event(true).await else { panic!() };
            tokens.push(token);
        }
        assert_eq!(tokens.len(), HELD_MAX);
        // Full: nothing more comes, and a report goes out.
        connection.publish(report(1, 10));
        assert_eq!(connection.event(true).await, LinkEvent::Written { pkid: 1 });
        let mut head = [0; 1];
        their_read.read_exact(&mut head).await.unwrap();
        assert_eq!(head[0] >> 4, 3);
        let silent = tokio::time::timeout(std::time::Duration::from_millis(50), connection.event(true)).await;
        assert!(silent.is_err(), "{silent:?}");
        // What is acknowledged makes room again.
        tokens.drain(..100).for_each(|token| connection.acknowledge(token));
        let mut more = 0;
        while more < 100 {
            match connection.event(true).await {
                LinkEvent::Received { .. } => more += 1,
                other => assert_eq!(other, LinkEvent::Sent),
            }
        }
        assert!(!connection.has_room());
        drop((connection, their_read));
        drop(flood.await);
    });
}

/// The line is narrow: what waits longest is what matters.
#[test]
fn acknowledgements_stand_behind_one_report_at_most() {
    block_on(async {
        let (mut connection, mut theirs) = connected(64).await;
        for seq in 0..3 {
            connection.publish(report(seq, 500));
        }
        theirs.write_all(&down(false, "receipt", 77, b"{}")).await.unwrap();
        let (mut seen, mut written) = (Vec::new(), Vec::new());
        while written.len() < 3 {
            let mut block = [0; 64];
            tokio::select! {
                biased;
                event = connection.event(true) => match event {
                    LinkEvent::Received { token, .. } => connection.acknowledge(token),
                    LinkEvent::Written { pkid } => written.push(pkid),
                    other => assert_eq!(other, LinkEvent::Sent),
                },
                n = theirs.read(&mut block) => seen.extend_from_slice(&block[..n.unwrap()]),
            }
        }
        let ack = seen.windows(4).position(|w| w == [0x40, 2, 0, 77]).unwrap();
        assert!(ack < 2 * 560, "at byte {ack}");
    });
}

#[test]
fn a_dropped_wait_loses_nothing_and_the_last_word_is_read_before_the_end() {
    block_on(async {
        let (mut connection, mut theirs) = connected(4096).await;
        let packet = down(false, "receipt", 9, b"half and half");
        theirs.write_all(&packet[..7]).await.unwrap();
        let dropped = tokio::time::timeout(std::time::Duration::from_millis(5), connection.event(true)).await;
        assert!(dropped.is_err());
        theirs.write_all(&packet[7..]).await.unwrap();
        let event = connection.event(true).await;
        assert!(matches!(event, LinkEvent::Received { .. }), "{event:?}");
        connection.publish(report(1, 10));
        assert_eq!(connection.event(true).await, LinkEvent::Written { pkid: 1 });
        theirs.write_all(&[0x40, 4, 0, 1, 0x87, 0]).await.unwrap();
        let verdict = Verdict::Refused { reason: "not authorized".into(), never: false };
        assert_eq!(connection.event(true).await, LinkEvent::PubAck { pkid: 1, verdict });
        // DISCONNECT and gone, just as we write.
        theirs.write_all(&[0xE0, 1, 0x8E]).await.unwrap();
        drop(theirs);
        connection.publish(report(2, 10));
        let event = connection.event(true).await;
        assert!(matches!(event, LinkEvent::Dismissed { because: Dismissal::SessionTaken, .. }), "{event:?}");
        assert!(matches!(connection.event(true).await, LinkEvent::Lost { by_peer: true, .. }));
    });
}
