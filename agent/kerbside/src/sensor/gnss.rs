//! The GNSS shell: it opens the receiver, reads it, and starts again with backoff when it fails.
//!
//! The pure parsers beside it judge the bytes. Events leave through a bounded channel. When it is full, the newest event is
//! dropped and counted: a position is a state, so the next one brings the same.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

use super::fix::{Fix, FixDoubt};
use super::gpsd::{self, GpsdParser};
use super::jump::{Jump, JumpWatch};
use super::lines::LineBuffer;
use super::log_limit::LogLimit;
use super::mean::{FixedMean, MeanChange, single};
use super::nmea::Assembler;
use super::pace::Backoff;
use super::{receiver, settled};
use crate::health::{Pulse, SensorMetrics};
use kerbside_domain::position::Position;
use kerbside_domain::time::{Clock, Moment};
use kerbside_site::config::GnssSource;

/// A receiver sends every second; this long without a byte is a dead line.
const SILENCE: Duration = Duration::from_secs(30);
/// Longest NMEA line, bytes. The standard allows 82; receivers with proprietary sentences send more, the parser takes 102.
const MAX_LINE: usize = 128;

/// What the adapter reports.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum GnssEvent {
    Fix(Fix),
    /// The best position changed.
    Position(Position),
    /// The box left its settled position, m.
    Moved {
        away_m: f64,
        limit_m: f64,
        at: Moment,
    },
    /// Within seconds the fixes are elsewhere: the box was moved, or the signal is forged.
    Jumped {
        lon_deg: f64,
        lat_deg: f64,
        away_m: Option<f64>,
        at: Moment,
    },
    /// The fixes are where they were before the jump, or before the box was moved.
    Returned {
        at: Moment,
    },
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum GnssError {
    #[error("{receiver}: cannot be opened: {cause}")]
    Open { receiver: String, cause: std::io::Error },
    #[error("{receiver}: {cause}")]
    Read { receiver: String, cause: std::io::Error },
    #[error("{receiver}: no byte for {s} s")]
    Silent { receiver: String, s: u64 },
    #[error("{receiver}: closed the connection")]
    Closed { receiver: String },
}

/// One receiver.
#[derive(Debug)]
pub(crate) struct Gnss {
    pub(crate) source: GnssSource,
    /// The box moves: each fix is its position, and no mean is taken.
    pub(crate) mobile: bool,
    pub(crate) clock: Arc<dyn Clock>,
    /// The settled mean stays here over restarts, e.g. `data_dir/position.json`.
    pub(crate) state_file: Option<PathBuf>,
    pub(crate) events: mpsc::Sender<GnssEvent>,
    pub(crate) metrics: SensorMetrics,
    pub(crate) pulse: Option<Pulse>,
}

impl Gnss {
    /// Runs until nobody receives events; the end of a file ends it too.
    pub(crate) async fn run(self) {
        let mut session = Session::new(&self);
        if let Some(position) = session.mean.settled(self.clock.now()).filter(|_| !self.mobile) {
            session.send(GnssEvent::Position(position));
        }
        let mut backoff = Backoff::default();
        while !self.events.is_closed() {
            let fixes_before = session.fixes;
            let Err(error) = session.run_once().await else { break };
            if session.fixes > fixes_before {
                backoff.reset();
            }
            let wait_s = backoff.next_s();
            tracing::warn!(%error, wait_s, "GNSS receiver lost");
            session.idle(Duration::from_secs_f64(wait_s * (0.75 + 0.5 * fastrand::f64()))).await;
        }
        if let Some(pulse) = &self.pulse {
            pulse.end();
        }
    }
}

/// State that outlives connections: mean, doubts, limits of the log.
struct Session<'a> {
    gnss: &'a Gnss,
    mean: FixedMean,
    jumps: JumpWatch,
    assembler: Assembler,
    gpsd: GpsdParser,
    fixes: u64,
    drops: LogLimit,
}

impl<'a> Session<'a> {
    fn new(gnss: &'a Gnss) -> Self {
        let mean = gnss.state_file.as_deref().and_then(settled::load).unwrap_or_default();
        let (mut assembler, mut gpsd) = (Assembler::default(), GpsdParser::default());
        if gnss.mobile {
            assembler.follow();
            gpsd.follow();
        }
        let jumps = JumpWatch::default();
        Session { gnss, mean, jumps, assembler, gpsd, fixes: 0, drops: LogLimit::default() }
    }

    /// One connection. `Ok`: nobody receives events any more, or the file has ended.
    async fn run_once(&mut self) -> Result<(), GnssError> {
        let source = &self.gnss.source;
        let receiver = receiver::name(source);
        let failed = |cause| GnssError::Open { receiver: receiver.clone(), cause };
        let bytes = receiver::open(source).await.map_err(failed)?;
        match (self.read(bytes, &receiver).await, source) {
            (Err(GnssError::Closed { .. }), GnssSource::File(_)) => {
                if let Some(fix) = self.assembler.finish() {
                    self.take(fix);
                }
                Ok(())
            }
            (result, _) => result,
        }
    }

    async fn read(&mut self, mut from: receiver::Bytes, receiver: &str) -> Result<(), GnssError> {
        let is_gpsd = matches!(self.gnss.source, GnssSource::Gpsd(_));
        let mut lines = LineBuffer::new(if is_gpsd { gpsd::MAX_LINE } else { MAX_LINE });
        let mut buffer = [0u8; 1024];
        let receiver = || receiver.to_owned();
        let mut quiet = Duration::ZERO;
        loop {
            // Short waits, so that the pulse beats and the end is noticed while a receiver is silent.
            let wait = Duration::from_secs(1);
            let n = match tokio::time::timeout(wait, from.read(&mut buffer)).await {
                Ok(Ok(0)) => return Err(GnssError::Closed { receiver: receiver() }),
                Ok(Ok(n)) => n,
                Ok(Err(cause)) => return Err(GnssError::Read { receiver: receiver(), cause }),
                Err(_) => 0,
            };
            self.beat();
            if self.gnss.events.is_closed() {
                return Ok(());
            }
            quiet = if n > 0 { Duration::ZERO } else { quiet + wait };
            if quiet >= SILENCE {
                return Err(GnssError::Silent { receiver: receiver(), s: SILENCE.as_secs() });
            }
            let mut fixes = Vec::new();
            lines.push(&buffer[..n], |line| fixes.extend(self.line(line, is_gpsd)));
            fixes.into_iter().for_each(|fix| self.take(fix));
        }
    }

    fn line(&mut self, line: &[u8], is_gpsd: bool) -> Option<Fix> {
        let at = self.gnss.clock.now();
        let faults = |session: &Self| {
            let lines = session.assembler.counts();
            session.gpsd.malformed() + lines.wrong_checksum + lines.malformed
        };
        let before = faults(self);
        let fix = if is_gpsd { self.gpsd.push(line, at) } else { self.assembler.push(line, at) };
        let metrics = &self.gnss.metrics;
        let counter = if faults(self) > before { &metrics.gnss_bad } else { &metrics.gnss_good };
        counter.inc();
        fix
    }

    fn take(&mut self, fix: Fix) {
        self.fixes += 1;
        if self.gnss.mobile {
            let position = fix.doubts.is_empty().then(|| GnssEvent::Position(single(&fix)));
            let jump = self.jumps.of_doubt(fix.doubts.contains(&FixDoubt::Jump));
            // The doubt ends before the first position that is believed again.
            self.tell(jump, &fix);
            position.into_iter().for_each(|event| self.send(event));
            return self.send(GnssEvent::Fix(fix));
        }
        let was_frozen = self.mean.is_frozen();
        let jump = self.jumps.push(&fix, self.mean.best());
        self.tell(jump, &fix);
        let change = self.mean.push(&fix);
        self.send(GnssEvent::Fix(fix));
        match change {
            Some(MeanChange::Position(position)) => self.send(GnssEvent::Position(position)),
            Some(MeanChange::Moved { away_m, limit_m, at }) => {
                tracing::error!(
                    away_m,
                    limit_m,
                    "the box left its settled position, or the signal is forged"
                );
                self.send(GnssEvent::Moved { away_m, limit_m, at });
            }
            Some(MeanChange::Returned { at }) => self.send(GnssEvent::Returned { at }),
            None => {}
        }
        if let (false, true, Some(path)) = (was_frozen, self.mean.is_frozen(), &self.gnss.state_file)
            && let Err(error) = settled::save(path, &self.mean)
        {
            tracing::warn!(path = %path.display(), %error, "the settled position could not be saved");
        }
    }

    fn tell(&mut self, jump: Option<Jump>, fix: &Fix) {
        let (lon_deg, lat_deg, at) = (fix.lon_deg, fix.lat_deg, fix.at);
        match jump {
            Some(Jump::Away { away_m }) => self.send(GnssEvent::Jumped { lon_deg, lat_deg, away_m, at }),
            Some(Jump::Back) => self.send(GnssEvent::Returned { at }),
            None => {}
        }
    }

    fn send(&mut self, event: GnssEvent) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.gnss.events.try_send(event) {
            self.gnss.metrics.gnss_dropped.inc();
            if let Some(left_out) = self.drops.admit(self.gnss.clock.now().mono) {
                tracing::warn!(left_out, "GNSS queue full: the newest event is dropped");
            }
        }
    }

    /// Waits. The pulse beats meanwhile, and the wait ends when nobody receives events.
    async fn idle(&self, pause: Duration) {
        let mut left = pause;
        while !left.is_zero() && !self.gnss.events.is_closed() {
            self.beat();
            let step = left.min(Duration::from_secs(1));
            tokio::time::sleep(step).await;
            left -= step;
        }
    }

    fn beat(&self) {
        if let Some(pulse) = &self.gnss.pulse {
            pulse.beat();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::health::Metrics;
    use kerbside_domain::time::VirtualClock;

    fn line(second: u32) -> String {
        let body = format!("GNGGA,0800{second:02}.00,3106.7440,N,12122.5648,E,1,12,0.8,9.4,M,8.0,M,,");
        let sum = body.bytes().fold(0u8, |sum, b| sum ^ b);
        format!("${body}*{sum:02X}\r\n")
    }

    fn gnss(source: GnssSource, room: usize) -> (Gnss, mpsc::Receiver<GnssEvent>) {
        let (events, received) = mpsc::channel(room);
        let metrics = Metrics::new().sensors();
        (
            Gnss {
                source,
                mobile: false,
                clock: VirtualClock::new(0),
                state_file: None,
                events,
                metrics,
                pulse: None,
            },
            received,
        )
    }

    #[tokio::test]
    async fn a_file_is_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.nmea");
        let text: String = (0..4).map(line).collect::<String>() + "$GNGGA,nonsense*00\r\n";
        std::fs::write(&path, text).unwrap();
        let (gnss, mut received) = gnss(GnssSource::File(path), 16);
        let metrics = gnss.metrics.clone();
        gnss.run().await;
        let mut events = Vec::new();
        while let Some(event) = received.recv().await {
            events.push(event);
        }
        let fixes = events.iter().filter(|e| matches!(e, GnssEvent::Fix(_))).count();
        let positions = events.iter().filter(|e| matches!(e, GnssEvent::Position(_))).count();
        assert_eq!((fixes, positions, metrics.gnss_bad.get()), (4, 1, 1));
    }

    #[tokio::test]
    async fn a_full_queue_drops_the_newest_and_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.nmea");
        std::fs::write(&path, (0..10).map(line).collect::<String>()).unwrap();
        let (gnss, received) = gnss(GnssSource::File(path), 2);
        let metrics = gnss.metrics.clone();
        gnss.run().await;
        // Ten fixes and a position, two places.
        assert_eq!((received.len(), metrics.gnss_dropped.get()), (2, 9));
    }

    #[tokio::test]
    async fn a_tcp_receiver_that_hangs_up_is_called_again() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move {
            for second in [0, 2] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let text = line(second) + &line(second + 1);
                stream.write_all(text.as_bytes()).await.unwrap();
            }
        });
        let (gnss, mut received) = gnss(GnssSource::Tcp(addr), 16);
        let running = tokio::spawn(gnss.run());
        let mut fixes = 0;
        while fixes < 3 {
            if let Some(GnssEvent::Fix(_)) = received.recv().await {
                fixes += 1;
            }
        }
        drop(received);
        server.await.unwrap();
        running.await.unwrap();
    }
}
