//! A camera that speaks HTTP: one JPEG after the other (`multipart/x-mixed-replace`), no time anywhere, until the client leaves.
//!
//! Its quirks are those of [`crate::rtsp`] that HTTP knows too: login, redirect, 403, 404, TLS.

use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustls::ServerConfig;

use crate::rtsp::{Quirk, Quirks, Request, Wire, tls};
use crate::wait::{Watched, now, sleep_until};

const BOUNDARY: &str = "picture";

/// A camera on a port of its own.
#[derive(Debug)]
pub struct MjpegCamera {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pictures: Vec<Vec<u8>>,
    per_s: u64,
    quirks: Quirks,
    tls: Option<Arc<ServerConfig>>,
    heard: Watched<Vec<String>>,
}

impl MjpegCamera {
    /// Shows what `input` (FFmpeg's options and a file) gives again and again, `per_s` pictures a second.
    pub fn start(input: &[&str], per_s: u64, quirks: Vec<Quirk>) -> Result<MjpegCamera> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let quirks = Quirks(quirks);
        let tls = quirks.certificate().map(|(chain, key)| tls(chain, key)).transpose()?;
        let pictures = pictures(input, per_s)?;
        let shared = Arc::new(Shared { pictures, per_s, quirks, tls, heard: Watched::default() });
        let serving = shared.clone();
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let shared = serving.clone();
                std::thread::spawn(move || shared.attend(client));
            }
        });
        Ok(MjpegCamera { port, shared })
    }

    pub fn url(&self) -> String {
        self.url_with("")
    }

    /// With `user:password@` or nothing in front of its host.
    pub fn url_with(&self, userinfo: &str) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{userinfo}127.0.0.1:{}/video", self.port)
    }

    /// Method and address of every request so far.
    pub fn requests(&self) -> Vec<String> {
        self.shared.heard.read(Clone::clone)
    }
}

impl Shared {
    fn attend(&self, client: TcpStream) {
        let Ok(wire) = Wire::new(client, self.tls.clone()) else { return };
        let _ = self.converse(&wire);
        wire.hang_up();
    }

    /// Requests until one is granted; then pictures.
    fn converse(&self, wire: &Wire) -> Result<()> {
        let mut from = BufReader::new(wire.clone());
        loop {
            let Some(request) = Request::read(&mut from)? else { return Ok(()) };
            self.heard.change(|heard| heard.push(format!("{} {}", request.method, request.url)));
            let Some((status, headers)) = self.quirks.refusal(&request) else { break };
            wire.send(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n{headers}\r\n").as_bytes())?;
        }
        let kind = format!("multipart/x-mixed-replace;boundary={BOUNDARY}");
        wire.send(
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n").as_bytes(),
        )?;
        let begun = now();
        for (n, picture) in self.pictures.iter().cycle().enumerate() {
            sleep_until(begun + Duration::from_millis(n as u64 * 1000 / self.per_s));
            let len = picture.len();
            let head = format!("--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len}\r\n\r\n");
            wire.send(&[head.as_bytes(), picture, b"\r\n"].concat())?;
        }
        Ok(())
    }
}

/// JPEG files in a row, taken apart at their first marker, which nothing inside a picture repeats.
fn pictures(input: &[&str], per_s: u64) -> Result<Vec<Vec<u8>>> {
    const START: [u8; 3] = [0xFF, 0xD8, 0xFF];
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin"]).args(input).args(["-an", "-r", &per_s.to_string()]);
    command.args(["-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-q:v", "4", "-f", "image2pipe", "-"]);
    let done = command.output().context("ffmpeg is missing: run `make setup`")?;
    ensure!(done.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&done.stderr));
    let bytes = done.stdout;
    let starts: Vec<usize> =
        bytes.windows(3).enumerate().filter(|(_, w)| *w == START).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    let pictures: Vec<Vec<u8>> =
        starts.iter().zip(ends).map(|(from, to)| bytes[*from..to].to_vec()).collect();
    ensure!(!pictures.is_empty(), "no picture");
    Ok(pictures)
}
