//! What is odd about a camera: the table of quirks, one line each.

use std::path::PathBuf;

use super::film::FPS;
use super::login::Login;
use super::request::Request;

/// RTP ticks a second, as the session description says.
const TICKS_PER_S: u64 = 90_000;

/// What is odd about a camera from its start to its end. What comes and goes is a [`CameraFault`](super::CameraFault).
#[derive(Clone, Debug, PartialEq)]
pub enum Quirk {
    /// All pictures have one timestamp.
    ClockStands,
    /// All timestamps are 0.
    ClockIsZero,
    /// Timestamps count milliseconds, although 90 kHz are announced.
    ClockInMilliseconds,
    /// Timestamps rise half as fast as time.
    ClockHalf,
    /// Timestamps rise twice as fast as time.
    ClockDouble,
    /// Timestamps fall as fast as time rises.
    ClockBackwards,
    /// Timestamps fall by the second number once, after the first; s.
    ClockFallsBack(f64, f64),
    /// Two pictures in a row have one timestamp.
    ClockInPairs,
    /// This share of all RTP packets is lost.
    Loses(f64),
    /// This share of all pictures is never sent, and no number of a packet is left out for them.
    SkipsPictures(f64),
    /// No RTP packet says that it is the last of its picture.
    NoMarker,
    /// The parameter sets stand in the session description too.
    SetsInSdp,
    /// The parameter sets stand in the session description alone.
    SetsOnlyInSdp,
    /// RTP over UDP alone: 461 to who wants it inside the connection.
    UdpOnly,
    /// RTP inside the connection alone: 461 to who wants UDP.
    TcpOnly,
    /// User and password are asked for.
    Asks(Login),
    /// 404: there is no such stream.
    NotFound,
    /// 403: this user may not watch.
    Forbidden,
    /// 302: another address has the stream.
    RedirectsTo(String),
    /// All of it inside TLS, with the certificate chain and the key of these PEM files.
    Tls(PathBuf, PathBuf),
}

impl Quirk {
    /// The RTP time of picture number `picture`, where this quirk says it.
    fn rtp_time(&self, picture: u64) -> Option<u64> {
        let exact = picture * TICKS_PER_S / FPS;
        let ticks = |s: f64| (s * TICKS_PER_S as f64) as u64;
        // Far from 0 and from the turn of 32 bits.
        const ORIGIN: u64 = 400_000_000;
        match self {
            Quirk::ClockStands => Some(ORIGIN),
            Quirk::ClockIsZero => Some(0),
            Quirk::ClockInMilliseconds => Some(ORIGIN + picture * 1000 / FPS),
            Quirk::ClockHalf => Some(ORIGIN + exact / 2),
            Quirk::ClockDouble => Some(ORIGIN + exact * 2),
            Quirk::ClockBackwards => Some(ORIGIN.saturating_sub(exact)),
            Quirk::ClockFallsBack(after_s, by_s) if exact > ticks(*after_s) => {
                Some(ORIGIN + exact - ticks(*by_s).min(ORIGIN))
            }
            Quirk::ClockFallsBack(..) => Some(ORIGIN + exact),
            Quirk::ClockInPairs => Some((picture / 2 * 2) * TICKS_PER_S / FPS),
            _ => None,
        }
    }
}

/// All quirks of one camera.
#[derive(Debug, Default)]
pub(crate) struct Quirks(pub(crate) Vec<Quirk>);

impl Quirks {
    pub(super) fn has(&self, quirk: &Quirk) -> bool {
        self.0.contains(quirk)
    }

    /// The RTP time of picture number `picture`.
    pub(super) fn rtp_time(&self, picture: u64) -> u32 {
        let odd = self.0.iter().find_map(|quirk| quirk.rtp_time(picture));
        odd.unwrap_or(picture * TICKS_PER_S / FPS) as u32
    }

    /// Status and headers for a request that is not granted.
    pub(crate) fn refusal(&self, request: &Request) -> Option<(&'static str, String)> {
        self.0.iter().find_map(|quirk| match quirk {
            Quirk::Asks(login) if !login.admits(&request.method, request.header("authorization")) => {
                Some(("401 Unauthorized", login.challenge()))
            }
            Quirk::NotFound => Some(("404 Not Found", String::new())),
            Quirk::Forbidden => Some(("403 Forbidden", String::new())),
            Quirk::RedirectsTo(url) => Some(("302 Moved", format!("Location: {url}\r\n"))),
            _ => None,
        })
    }

    /// The PEM files of its certificate chain and key.
    pub(crate) fn certificate(&self) -> Option<(&PathBuf, &PathBuf)> {
        self.0.iter().find_map(|quirk| match quirk {
            Quirk::Tls(chain, key) => Some((chain, key)),
            _ => None,
        })
    }

    /// Share of RTP packets that are lost.
    pub(super) fn loss(&self) -> f64 {
        self.share(|quirk| if let Quirk::Loses(share) = quirk { Some(*share) } else { None })
    }

    /// Share of pictures that are never sent.
    pub(super) fn skipped(&self) -> f64 {
        self.share(|quirk| if let Quirk::SkipsPictures(share) = quirk { Some(*share) } else { None })
    }

    fn share(&self, of: impl Fn(&Quirk) -> Option<f64>) -> f64 {
        self.0.iter().find_map(of).unwrap_or(0.0)
    }
}
