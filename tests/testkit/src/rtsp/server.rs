//! The camera's side of RTSP: requests, answers, one player a client.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use anyhow::Result;

use super::player::{Out, Player};
use super::quirks::Quirk;
use super::request::Request;
use super::sdp;
use super::state::{CameraFault, Shared};
use super::wire::Wire;

/// Takes clients for ever, on the same port after each time of refusal.
pub(super) fn serve(mut listener: TcpListener, shared: &Arc<Shared>) {
    loop {
        while let Ok((client, _)) = listener.accept() {
            if shared.is_refusing() {
                break;
            }
            let shared = shared.clone();
            std::thread::spawn(move || attend(client, &shared));
        }
        drop(listener);
        shared.state.while_(|state| matches!(state.fault, CameraFault::Refused), |_| ());
        listener = match TcpListener::bind(("127.0.0.1", shared.port)) {
            Ok(listener) => listener,
            Err(_) => return,
        };
    }
}

fn attend(client: TcpStream, shared: &Arc<Shared>) {
    let Ok(wire) = Wire::new(client, shared.tls.clone()) else { return };
    let _ = (Client { wire: wire.clone(), shared, udp: None }).converse();
    wire.hang_up();
}

/// One client.
struct Client<'a> {
    wire: Wire,
    shared: &'a Arc<Shared>,
    /// Where its pictures go, if not into the connection.
    udp: Option<UdpSocket>,
}

impl Client<'_> {
    /// Its requests until it hangs up. Frames that it sends (RTCP) are skipped.
    fn converse(&mut self) -> Result<()> {
        let mut from = BufReader::new(self.wire.clone());
        let mut playing: Option<Sender<()>> = None;
        loop {
            match from.fill_buf()?.first() {
                None => return Ok(()),
                Some(b'$') => {
                    let mut head = [0; 4];
                    from.read_exact(&mut head)?;
                    let len = u64::from(u16::from_be_bytes([head[2], head[3]]));
                    std::io::copy(&mut (&mut from).take(len), &mut std::io::sink())?;
                    continue;
                }
                Some(_) => {}
            }
            let Some(request) = Request::read(&mut from)? else { return Ok(()) };
            self.shared.heard(&request);
            self.shared.wait_for_voice();
            let answer = self.answer(&request)?;
            self.wire.send(answer.as_bytes())?;
            if request.method == "PLAY" && answer.starts_with("RTSP/1.0 200") && playing.is_none() {
                playing = Some(self.play());
            }
            if request.method == "TEARDOWN" {
                return Ok(());
            }
        }
    }

    /// Starts to send pictures; they end when what it returns is dropped.
    fn play(&mut self) -> Sender<()> {
        let (hang_up, hung_up) = channel();
        let (shared, wire) = (self.shared.clone(), self.wire.clone());
        let out = self.udp.take().map_or(Out::Interleaved(wire.clone()), Out::Udp);
        std::thread::spawn(move || {
            let _ = Player::new(&shared, out).play(&hung_up);
            wire.hang_up();
        });
        hang_up
    }

    fn answer(&mut self, request: &Request) -> Result<String> {
        let cseq = request.header("cseq").unwrap_or("0");
        let answer = |status: &str, rest: &str| format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{rest}\r\n");
        if request.method == "OPTIONS" {
            let all = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN\r\n";
            return Ok(answer("200 OK", all));
        }
        if let Some((status, headers)) = self.shared.quirks.refusal(request) {
            return Ok(answer(status, &headers));
        }
        Ok(match request.method.as_str() {
            "DESCRIBE" => {
                let announced = self.shared.state.read(|state| match state.fault {
                    CameraFault::Announces(other) => Some(other),
                    _ => None,
                });
                let sdp = sdp::describe(&self.shared.film, &self.shared.quirks, announced);
                let (url, len) = (&request.url, sdp.len());
                answer(
                    "200 OK",
                    &format!(
                        "Content-Base: {url}/\r\nContent-Type: application/sdp\r\nContent-Length: {len}\r\n"
                    ),
                ) + &sdp
            }
            "SETUP" => match self.transport(request.header("transport").unwrap_or_default())? {
                Some(transport) => {
                    answer("200 OK", &format!("Transport: {transport}\r\nSession: 1;timeout=60\r\n"))
                }
                None => answer("461 Unsupported Transport", ""),
            },
            _ => answer("200 OK", "Session: 1\r\n"),
        })
    }

    /// How pictures will come, if they can come as the client `wants`.
    fn transport(&mut self, wants: &str) -> Result<Option<String>> {
        let quirks = &self.shared.quirks;
        if wants.starts_with("RTP/AVP/TCP") {
            let inside = "RTP/AVP/TCP;unicast;interleaved=0-1".to_owned();
            return Ok((!quirks.has(&Quirk::UdpOnly)).then_some(inside));
        }
        let ports = wants.split(';').find_map(|part| part.strip_prefix("client_port="));
        let port = ports.and_then(|ports| ports.split('-').next()?.parse::<u16>().ok());
        let Some(port) = port.filter(|_| !quirks.has(&Quirk::TcpOnly)) else { return Ok(None) };
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.connect((self.wire.peer()?.ip(), port))?;
        let own = socket.local_addr()?.port();
        self.udp = Some(socket);
        Ok(Some(format!("RTP/AVP;unicast;client_port={port}-{};server_port={own}-{}", port + 1, own + 1)))
    }
}
