//! The GNSS shell: opens the receiver (serial, TCP, file, gpsd), reads, starts over with backoff when it fails.
//!
//! What is read is judged by the pure parsers beside it. Results leave through a bounded channel; a full one drops the
//! newest and counts it: positions are states, the next one says the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::{Assembler, Fix, FixedMean, GpsdParser, LineBuffer, LogLimit, MeanChange, gpsd};
use crate::health::{Pulse, SensorMetrics};
use kerbside_domain::position::Position;
use kerbside_domain::time::Clock;
use kerbside_site::config::GnssSource;

/// A receiver speaks every second; this long without a byte is a dead line.
const SILENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
const BACKOFF_S: std::ops::RangeInclusive<f64> = 1.0..=60.0;
/// NMEA allows 82 characters; receivers with proprietary sentences send more, the parser takes 102.
const MAX_LINE: usize = 128;

/// What the adapter tells the box.
#[derive(Clone, Debug, PartialEq)]
pub enum GnssEvent {
    Fix(Fix),
    /// The best position known changed.
    Position(Position),
    /// The box left its settled place, m.
    Moved {
        away_m: f64,
        limit_m: f64,
        at: kerbside_domain::time::Moment,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum GnssError {
    #[error("{receiver}: cannot be opened: {source}")]
    Open { receiver: String, source: std::io::Error },
    #[error("{receiver}: {source}")]
    Read { receiver: String, source: std::io::Error },
    #[error("{receiver}: no byte for {s} s")]
    Silent { receiver: String, s: u64 },
    #[error("{receiver}: closed the connection")]
    Closed { receiver: String },
}

/// All that the shell needs.
#[derive(Debug)]
pub struct Gnss {
    pub source: GnssSource,
    pub clock: Arc<dyn Clock>,
    /// The settled mean is kept here over restarts, e.g. `data_dir/position.json`.
    pub state_file: Option<PathBuf>,
    pub events: mpsc::Sender<GnssEvent>,
    pub metrics: SensorMetrics,
    pub pulse: Option<Pulse>,
}

impl Gnss {
    /// Runs until nobody listens; a file ends it too.
    pub async fn run(self) {
        let mut session = Session::new(&self);
        if let Some(position) = session.mean.settled(self.clock.now()) {
            session.send(GnssEvent::Position(position));
        }
        let mut wait_s = *BACKOFF_S.start();
        while !self.events.is_closed() {
            let fixes_before = session.fixes;
            match session.run_once().await {
                Ok(()) => break,
                Err(error) => {
                    if session.fixes > fixes_before {
                        wait_s = *BACKOFF_S.start();
                    }
                    tracing::warn!(%error, wait_s, "GNSS receiver lost");
                }
            }
            let pause = Duration::from_secs_f64(wait_s * (0.75 + 0.5 * fastrand::f64()));
            session.idle(pause).await;
            wait_s = (wait_s * 2.0).min(*BACKOFF_S.end());
        }
        if let Some(pulse) = &self.pulse {
            pulse.end();
        }
    }
}

/// State that outlives connections: mean, doubt, limits of the log.
struct Session<'a> {
    gnss: &'a Gnss,
    mean: FixedMean,
    assembler: Assembler,
    gpsd: GpsdParser,
    fixes: u64,
    drops: LogLimit,
}

impl<'a> Session<'a> {
    fn new(gnss: &'a Gnss) -> Self {
        let mean = gnss.state_file.as_deref().and_then(load).unwrap_or_default();
        let (assembler, gpsd) = (Assembler::default(), GpsdParser::default());
        Session { gnss, mean, assembler, gpsd, fixes: 0, drops: LogLimit::default() }
    }

    /// One connection. `Ok`: nobody listens, or the file has ended.
    async fn run_once(&mut self) -> Result<(), GnssError> {
        let source = &self.gnss.source;
        let receiver = name(source);
        let failed = |source| GnssError::Open { receiver: name(&self.gnss.source), source };
        match source {
            GnssSource::Serial { path, baud } => {
                let port = serial2_tokio::SerialPort::open(path, *baud).map_err(failed)?;
                self.read(port, &receiver).await
            }
            GnssSource::Tcp(addr) => {
                let stream = connect(addr).await.map_err(failed)?;
                self.read(stream, &receiver).await
            }
            GnssSource::Gpsd(addr) => {
                let mut stream = connect(addr).await.map_err(failed)?;
                stream.write_all(gpsd::WATCH).await.map_err(failed)?;
                self.read(stream, &receiver).await
            }
            GnssSource::File(path) => {
                let file = tokio::fs::File::open(path).await.map_err(failed)?;
                match self.read(file, &receiver).await {
                    Err(GnssError::Closed { .. }) => {
                        if let Some(fix) = self.assembler.finish() {
                            self.take(fix);
                        }
                        Ok(())
                    }
                    other => other,
                }
            }
        }
    }

    async fn read(&mut self, mut from: impl AsyncRead + Unpin, receiver: &str) -> Result<(), GnssError> {
        let is_gpsd = matches!(self.gnss.source, GnssSource::Gpsd(_));
        let mut lines = LineBuffer::new(if is_gpsd { gpsd::MAX_LINE } else { MAX_LINE });
        let mut buffer = [0u8; 1024];
        let receiver = || receiver.to_owned();
        let mut quiet = Duration::ZERO;
        loop {
            // In short waits, so that liveness and the end are noticed while a receiver is silent.
            let wait = Duration::from_secs(1);
            let n = match tokio::time::timeout(wait, from.read(&mut buffer)).await {
                Ok(Ok(0)) => return Err(GnssError::Closed { receiver: receiver() }),
                Ok(Ok(n)) => n,
                Ok(Err(source)) => return Err(GnssError::Read { receiver: receiver(), source }),
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
        let metrics = &self.gnss.metrics;
        if is_gpsd {
            let before = self.gpsd.malformed();
            let fix = self.gpsd.push(line, at);
            let bad = self.gpsd.malformed() > before;
            if bad {
                metrics.gnss_bad.inc()
            } else {
                metrics.gnss_good.inc()
            };
            return fix;
        }
        let before = self.assembler.counts();
        let fix = self.assembler.push(line, at);
        let after = self.assembler.counts();
        let bad = after.wrong_checksum + after.malformed > before.wrong_checksum + before.malformed;
        if bad {
            metrics.gnss_bad.inc()
        } else {
            metrics.gnss_good.inc()
        };
        fix
    }

    fn take(&mut self, fix: Fix) {
        self.fixes += 1;
        let was_frozen = self.mean.is_frozen();
        let change = self.mean.push(&fix);
        self.send(GnssEvent::Fix(fix));
        match change {
            Some(MeanChange::Position(position)) => self.send(GnssEvent::Position(position)),
            Some(MeanChange::Moved { away_m, limit_m, at }) => {
                tracing::error!(away_m, limit_m, "the box left its settled place, or the signal is forged");
                self.send(GnssEvent::Moved { away_m, limit_m, at });
            }
            None => {}
        }
        if let (false, true, Some(path)) = (was_frozen, self.mean.is_frozen(), &self.gnss.state_file)
            && let Err(error) = save(path, &self.mean)
        {
            tracing::warn!(path = %path.display(), %error, "the settled position could not be kept");
        }
    }

    fn send(&mut self, event: GnssEvent) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.gnss.events.try_send(event) {
            self.gnss.metrics.gnss_dropped.inc();
            if let Some(swallowed) = self.drops.admit(self.gnss.clock.now().mono) {
                tracing::warn!(swallowed, "GNSS queue full: the newest is dropped");
            }
        }
    }

    /// Waits, but not without a sign of life, and not for nobody.
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

async fn connect(addr: &str) -> std::io::Result<tokio::net::TcpStream> {
    match tokio::time::timeout(CONNECT, tokio::net::TcpStream::connect(addr)).await {
        Ok(stream) => stream,
        Err(_) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer within 10 s")),
    }
}

fn name(source: &GnssSource) -> String {
    match source {
        GnssSource::Serial { path, baud } => format!("serial {} at {baud} baud", path.display()),
        GnssSource::Tcp(addr) => format!("tcp {addr}"),
        GnssSource::Gpsd(addr) => format!("gpsd {addr}"),
        GnssSource::File(path) => format!("file {}", path.display()),
    }
}

/// A mean that was kept and is settled. Anything else is not worth an error: the box measures again.
fn load(path: &Path) -> Option<FixedMean> {
    let text = std::fs::read_to_string(path).ok()?;
    serde_json::from_str::<FixedMean>(&text).ok().filter(FixedMean::is_frozen)
}

/// Temporary name, sync, rename: a power cut leaves the old file or the new one.
fn save(path: &Path, mean: &FixedMean) -> std::io::Result<()> {
    use std::io::Write as _;
    let temporary = path.with_extension("tmp");
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(serde_json::to_string(mean)?.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
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
            Gnss { source, clock: VirtualClock::new(0), state_file: None, events, metrics, pulse: None },
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
