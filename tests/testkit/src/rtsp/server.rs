//! The camera's side of RTSP: requests, answers, one player a client.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use anyhow::Result;
use parking_lot::Mutex;

use super::player::Player;
use super::sdp;
use super::state::{CameraFault, Shared};

/// Takes clients for ever, on the same port after each time of refusal.
pub(super) fn serve(mut listener: TcpListener, shared: &Arc<Shared>) {
    loop {
        while let Ok((client, _)) = listener.accept() {
            if shared.is_refusing() {
                break;
            }
            let shared = shared.clone();
            std::thread::spawn(move || {
                let _ = attend(&client, &shared);
                let _ = client.shutdown(Shutdown::Both);
            });
        }
        drop(listener);
        shared.state.while_(|state| matches!(state.fault, CameraFault::Refused), |_| ());
        listener = match TcpListener::bind(("127.0.0.1", shared.port)) {
            Ok(listener) => listener,
            Err(_) => return,
        };
    }
}

/// One client: its requests until it hangs up. Frames that it sends (RTCP) are skipped.
fn attend(client: &TcpStream, shared: &Arc<Shared>) -> Result<()> {
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
        shared.wait_for_voice();
        let answer = answer(&method, &url, &cseq, shared);
        out.lock().write_all(answer.as_bytes())?;
        if method == "PLAY" && playing.is_none() {
            let (hang_up, hung_up) = channel();
            playing = Some(hang_up);
            let (shared, out) = (shared.clone(), out.clone());
            std::thread::spawn(move || {
                let _ = Player::new(&shared, out.clone()).play(&hung_up);
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

fn answer(method: &str, url: &str, cseq: &str, shared: &Shared) -> String {
    let ok = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n");
    match method {
        "OPTIONS" => format!("{ok}Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN\r\n\r\n"),
        "DESCRIBE" => {
            let announced = shared.state.read(|state| match state.fault {
                CameraFault::Announces(other) => Some(other),
                _ => None,
            });
            let sdp = sdp::describe(&shared.film, &shared.quirks, announced);
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
