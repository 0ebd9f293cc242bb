//! An RTSP camera that fails on demand: H.264 access units from memory over RTP inside the RTSP connection, as cameras behind a
//! NAT send them. What it shows, whether it answers, and what is lost or garbled on the way changes while clients watch.
//!
//! Written from RFC 2326, 6184 and 4566: the box's own demuxer is not tested against itself.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use parking_lot::{Condvar, Mutex};

use crate::process::now;

/// Pictures a second of every film.
pub const FPS: u64 = 10;
/// Payload of one RTP packet, bytes.
const MTU: usize = 1200;

/// One access unit: its NAL units without start codes.
#[derive(Debug)]
struct Unit {
    nals: Vec<Vec<u8>>,
    key: bool,
}

/// What a camera shows, again and again.
#[derive(Debug)]
pub struct Film {
    units: Vec<Unit>,
}

impl Film {
    /// Encodes what `input` (FFmpeg's options and a file) gives, a key frame every `keys` pictures, parameter sets before each.
    pub fn encode(dir: &Path, name: &str, input: &[&str], keys: u32) -> Result<Arc<Film>> {
        let out = dir.join(name).with_extension("h264");
        let x264 = "repeat-headers=1:aud=1:scenecut=0:bframes=0";
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-y", "-nostdin"]).args(input);
        command.args([
            "-an",
            "-r",
            &FPS.to_string(),
            "-pix_fmt",
            "yuv420p",
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
        ]);
        command.args(["-g", &keys.to_string(), "-x264-params", x264, "-f", "h264"]).arg(&out);
        let done = command.output().context("ffmpeg is missing: run `make setup`")?;
        ensure!(done.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&done.stderr));
        let film = Film { units: units(&std::fs::read(&out)?) };
        ensure!(film.units.first().is_some_and(|u| u.key), "{}: no key frame first", out.display());
        Ok(Arc::new(film))
    }
}

/// Splits a byte stream at its access unit delimiters (NAL type 9).
fn units(stream: &[u8]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for nal in crate::clip::split(stream) {
        match nal.first().map(|head| head & 31) {
            None => {}
            Some(9) => units.push(Unit { nals: Vec::new(), key: false }),
            Some(kind) => {
                if let Some(unit) = units.last_mut() {
                    unit.key |= kind == 5;
                    unit.nals.push(nal.to_vec());
                }
            }
        }
    }
    units.retain(|u| !u.nals.is_empty());
    units
}

/// How the camera and the way to it are.
#[derive(Clone, Debug, Default)]
pub enum Weather {
    #[default]
    Fine,
    /// Nobody listens; who was connected is cut off.
    Refused,
    /// Connections stay, nothing is sent, nothing is answered.
    Silent,
    /// It shows something else, in the same stream.
    Shows(Arc<Film>),
    /// It started anew and announces this encoding instead of H264.
    Speaks(&'static str),
    /// This share of all RTP packets is lost.
    Loses(f64),
    /// The bytes of every picture are noise.
    Garbled,
}

/// A camera on a port of its own.
#[derive(Debug)]
pub struct Camera {
    port: u16,
    scene: Arc<Scene>,
}

#[derive(Debug)]
struct Scene {
    film: Arc<Film>,
    now: Mutex<Now>,
    changed: Condvar,
    port: u16,
}

#[derive(Debug, Default)]
struct Now {
    weather: Weather,
    /// Connections of an earlier one are cut.
    generation: u64,
}

impl Camera {
    pub fn start(film: Arc<Film>) -> Result<Camera> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let scene = Arc::new(Scene { film, now: Mutex::default(), changed: Condvar::new(), port });
        let serving = scene.clone();
        std::thread::spawn(move || serve(listener, &serving));
        Ok(Camera { port, scene })
    }

    pub fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/live", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn set(&self, weather: Weather) {
        let cuts = matches!(weather, Weather::Refused | Weather::Speaks(_));
        let mut now = self.scene.now.lock();
        // What it announced at a start holds until the next.
        now.generation += u64::from(cuts || matches!(now.weather, Weather::Speaks(_)));
        now.weather = weather;
        drop(now);
        self.scene.changed.notify_all();
        // Wakes the listener, which then finds that it must not listen.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Scene {
    fn refuses(&self) -> bool {
        matches!(self.now.lock().weather, Weather::Refused)
    }

    /// Waits while it is silent.
    fn speaks(&self) {
        let mut now = self.now.lock();
        while matches!(now.weather, Weather::Silent) {
            self.changed.wait(&mut now);
        }
    }
}

/// Takes clients for ever, on the same port after each time of refusal.
fn serve(mut listener: TcpListener, scene: &Arc<Scene>) {
    loop {
        while let Ok((client, _)) = listener.accept() {
            if scene.refuses() {
                break;
            }
            let scene = scene.clone();
            std::thread::spawn(move || {
                let _ = attend(&client, &scene);
                let _ = client.shutdown(Shutdown::Both);
            });
        }
        drop(listener);
        let mut now = scene.now.lock();
        while matches!(now.weather, Weather::Refused) {
            scene.changed.wait(&mut now);
        }
        drop(now);
        listener = match TcpListener::bind(("127.0.0.1", scene.port)) {
            Ok(listener) => listener,
            Err(_) => return,
        };
    }
}

/// One client: its requests until it hangs up. Frames that it sends (RTCP) are skipped.
fn attend(client: &TcpStream, scene: &Arc<Scene>) -> Result<()> {
    client.set_nodelay(true)?;
    let out = Arc::new(Mutex::new(client.try_clone()?));
    let mut from = BufReader::new(client.try_clone()?);
    let mut playing: Option<Sender<()>> = None;
    loop {
        let first = match from.fill_buf()?.first() {
            None => return Ok(()),
            Some(first) => *first,
        };
        if first == b'$' {
            let mut head = [0; 4];
            from.read_exact(&mut head)?;
            let len = u64::from(u16::from_be_bytes([head[2], head[3]]));
            std::io::copy(&mut (&mut from).take(len), &mut std::io::sink())?;
            continue;
        }
        let Some((method, url, cseq)) = request(&mut from)? else { return Ok(()) };
        scene.speaks();
        let answer = answer(&method, &url, &cseq, scene);
        out.lock().write_all(answer.as_bytes())?;
        if method == "PLAY" && playing.is_none() {
            let (hold, stop) = channel();
            playing = Some(hold);
            let (scene, out) = (scene.clone(), out.clone());
            std::thread::spawn(move || {
                let _ = Player::new(&scene, out.clone()).play(&stop);
                let _ = out.lock().shutdown(Shutdown::Both);
            });
        }
        if method == "TEARDOWN" {
            return Ok(());
        }
    }
}

/// Method, URL and sequence number of the next request.
fn request(from: &mut impl std::io::BufRead) -> Result<Option<(String, String, String)>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, url) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut cseq = String::new();
    loop {
        let mut header = String::new();
        if from.read_line(&mut header)? == 0 || header.trim().is_empty() {
            return Ok(Some((method, url, cseq)));
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("cseq")
        {
            cseq = value.trim().to_owned();
        }
    }
}

fn answer(method: &str, url: &str, cseq: &str, scene: &Scene) -> String {
    let ok = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n");
    match method {
        "OPTIONS" => format!("{ok}Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN\r\n\r\n"),
        "DESCRIBE" => {
            let encoding = match scene.now.lock().weather {
                Weather::Speaks(other) => other,
                _ => "H264",
            };
            let sdp = format!(
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=live\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n\
                 m=video 0 RTP/AVP 96\r\na=rtpmap:96 {encoding}/90000\r\na=fmtp:96 packetization-mode=1\r\n\
                 a=control:track1\r\n"
            );
            let len = sdp.len();
            format!(
                "{ok}Content-Base: {url}/\r\nContent-Type: application/sdp\r\nContent-Length: {len}\r\n\r\n{sdp}"
            )
        }
        "SETUP" => {
            format!("{ok}Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1;timeout=60\r\n\r\n")
        }
        _ => format!("{ok}Session: 1\r\n\r\n"),
    }
}

/// Sends to one client what the camera sees, picture by picture at its pace.
struct Player<'a> {
    scene: &'a Scene,
    out: Arc<Mutex<TcpStream>>,
    rng: fastrand::Rng,
    sequence: u16,
}

impl<'a> Player<'a> {
    fn new(scene: &'a Scene, out: Arc<Mutex<TcpStream>>) -> Self {
        Player { scene, out, rng: fastrand::Rng::with_seed(u64::from(scene.port)), sequence: 0 }
    }

    /// Until the client is gone, `stop` says so, or the camera is no longer there.
    fn play(&mut self, stop: &Receiver<()>) -> Result<()> {
        let (begun, generation) = (now(), self.scene.now.lock().generation);
        let (mut shown, mut at) = (self.scene.film.clone(), 0);
        let mut picture = 0;
        loop {
            let due = begun + Duration::from_millis(picture * 1000 / FPS);
            if stop.recv_timeout(due.saturating_duration_since(now()))
                != Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                return Ok(());
            }
            self.scene.speaks();
            let (weather, current) = {
                let now = self.scene.now.lock();
                (now.weather.clone(), now.generation)
            };
            if current != generation {
                return Ok(());
            }
            let wanted = if let Weather::Shows(other) = &weather { other } else { &self.scene.film };
            if !Arc::ptr_eq(wanted, &shown) {
                (shown, at) = (wanted.clone(), 0);
            }
            let film = shown.clone();
            self.unit(&film.units[at], picture * 90_000 / FPS, &weather)?;
            at = (at + 1) % film.units.len();
            // After a silence it goes on with what is now.
            picture = begun.elapsed().as_millis() as u64 * FPS / 1000 + 1;
        }
    }

    fn unit(&mut self, unit: &Unit, time: u64, weather: &Weather) -> Result<()> {
        for (n, nal) in unit.nals.iter().enumerate() {
            let last = n + 1 == unit.nals.len();
            for (payload, end) in fragments(nal) {
                self.packet(payload, last && end, time as u32, weather)?;
            }
        }
        Ok(())
    }

    /// One RTP packet as an interleaved frame on channel 0.
    fn packet(&mut self, mut payload: Vec<u8>, marker: bool, time: u32, weather: &Weather) -> Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        match weather {
            Weather::Loses(share) if self.rng.f64() < *share => return Ok(()),
            Weather::Garbled => payload.iter_mut().for_each(|byte| *byte = self.rng.u8(..)),
            _ => {}
        }
        let mut frame = vec![b'$', 0];
        frame.extend(((payload.len() + 12) as u16).to_be_bytes());
        frame.extend([0x80, 96 | u8::from(marker) << 7]);
        frame.extend(self.sequence.to_be_bytes());
        frame.extend(time.to_be_bytes());
        frame.extend(7u32.to_be_bytes());
        frame.extend(payload);
        Ok(self.out.lock().write_all(&frame)?)
    }
}

/// A NAL unit whole, or in parts (FU-A of RFC 6184); the last one says so.
fn fragments(nal: &[u8]) -> Vec<(Vec<u8>, bool)> {
    let [head, body @ ..] = nal else { return Vec::new() };
    if nal.len() <= MTU {
        return vec![(nal.to_vec(), true)];
    }
    let count = body.len().div_ceil(MTU);
    let part = |(n, part): (usize, &[u8])| {
        let flags = u8::from(n == 0) << 7 | u8::from(n + 1 == count) << 6;
        let mut payload = vec![head & 0xE0 | 28, flags | head & 31];
        payload.extend(part);
        (payload, n + 1 == count)
    };
    body.chunks(MTU).enumerate().map(part).collect()
}
