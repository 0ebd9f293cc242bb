//! The pictures of one client: access units in RTP packets, inside the RTSP connection or over UDP.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::Result;

use super::codec::Codec;
use super::film::{FPS, Film};
use super::quirks::Quirk;
use super::state::{CameraFault, Shared};
use super::wire::Wire;
use crate::wait::now;

/// Payload of one RTP packet, bytes.
const MTU: usize = 1200;

/// Where the pictures of one client go.
pub(super) enum Out {
    /// Into its RTSP connection, on channel 0.
    Interleaved(Wire),
    Udp(UdpSocket),
}

/// Sends to one client what the camera sees, picture by picture at its pace.
pub(super) struct Player<'a> {
    shared: &'a Shared,
    out: Out,
    rng: fastrand::Rng,
    sequence: u16,
}

impl<'a> Player<'a> {
    pub(super) fn new(shared: &'a Shared, out: Out) -> Self {
        Player { shared, out, rng: fastrand::Rng::with_seed(u64::from(shared.port)), sequence: 0 }
    }

    /// Until the client is gone, or the camera is no longer there.
    pub(super) fn play(&mut self, hung_up: &Receiver<()>) -> Result<()> {
        let (begun, generation) = (now(), self.shared.state.read(|state| state.generation));
        let (mut shown, mut at) = (self.shared.film.clone(), 0);
        let mut picture = 0;
        loop {
            let due = begun + Duration::from_millis(picture * 1000 / FPS);
            if hung_up.recv_timeout(due.saturating_duration_since(now())) != Err(RecvTimeoutError::Timeout) {
                return Ok(());
            }
            self.shared.wait_for_voice();
            let (fault, current) = self.shared.state.read(|state| (state.fault.clone(), state.generation));
            if current != generation {
                return Ok(());
            }
            let wanted = if let CameraFault::Shows(other) = &fault { other } else { &self.shared.film };
            if !Arc::ptr_eq(wanted, &shown) {
                (shown, at) = (wanted.clone(), 0);
            }
            let film = shown.clone();
            if !self.happens(self.shared.quirks.skipped()) {
                self.unit(&film, at, self.shared.quirks.rtp_time(picture), &fault)?;
            }
            at = (at + 1) % film.units.len();
            // After a silence it goes on with what is now.
            picture = begun.elapsed().as_millis() as u64 * FPS / 1000 + 1;
        }
    }

    /// By chance, in this share of cases.
    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.f64() < share
    }

    fn unit(&mut self, film: &Film, at: usize, time: u32, fault: &CameraFault) -> Result<()> {
        let quirks = &self.shared.quirks;
        let (marks, bare) = (!quirks.has(&Quirk::NoMarker), quirks.has(&Quirk::SetsOnlyInSdp));
        let nals = film.units[at].nals.iter().filter(|nal| !(bare && film.codec.is_parameter_set(nal)));
        let nals: Vec<_> = nals.collect();
        for (n, nal) in nals.iter().enumerate() {
            let last = n + 1 == nals.len();
            for (payload, end) in fragments(film.codec, nal) {
                self.packet(payload, marks && last && end, time, fault)?;
            }
        }
        Ok(())
    }

    /// One RTP packet.
    fn packet(&mut self, mut payload: Vec<u8>, marker: bool, time: u32, fault: &CameraFault) -> Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let loss = if let CameraFault::Loses(share) = fault { *share } else { self.shared.quirks.loss() };
        if self.happens(loss) {
            self.shared.state.change(|state| state.lost += 1);
            return Ok(());
        }
        if matches!(fault, CameraFault::Garbled) {
            payload.iter_mut().for_each(|byte| *byte = self.rng.u8(..));
        }
        let mut packet = vec![0x80, 96 | u8::from(marker) << 7];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(time.to_be_bytes());
        packet.extend(7u32.to_be_bytes());
        packet.extend(payload);
        match &self.out {
            Out::Interleaved(wire) => {
                let len = (packet.len() as u16).to_be_bytes();
                wire.send(&[&[b'$', 0, len[0], len[1]], packet.as_slice()].concat())?;
            }
            // What nobody takes is lost, as everything over UDP may be.
            Out::Udp(socket) => _ = socket.send(&packet),
        }
        Ok(())
    }
}

/// A NAL unit whole, or in parts (FU-A of RFC 6184, FU of RFC 7798); the last one says so.
fn fragments(codec: Codec, nal: &[u8]) -> Vec<(Vec<u8>, bool)> {
    if nal.len() <= MTU {
        return vec![(nal.to_vec(), true)];
    }
    let (head, kind, body) = match (codec, nal) {
        (Codec::H264, [head, body @ ..]) => (vec![head & 0xE0 | 28], head & 31, body),
        (Codec::H265, [head, layer, body @ ..]) => {
            (vec![head & 0x81 | 49 << 1, *layer], head >> 1 & 63, body)
        }
        _ => return Vec::new(),
    };
    let count = body.len().div_ceil(MTU);
    let part = |(n, part): (usize, &[u8])| {
        let flags = u8::from(n == 0) << 7 | u8::from(n + 1 == count) << 6;
        let mut payload = head.clone();
        payload.push(flags | kind);
        payload.extend(part);
        (payload, n + 1 == count)
    };
    body.chunks(MTU).enumerate().map(part).collect()
}
