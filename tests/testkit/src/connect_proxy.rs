//! An HTTP proxy that lets TCP through (CONNECT), as companies and mobile networks have them. Every name leads to this machine.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

use anyhow::{Context as _, Result};

use crate::wait::Watched;

/// Runs until the process ends.
#[derive(Debug)]
pub struct ConnectProxy {
    port: u16,
    asked: Arc<Watched<Vec<String>>>,
}

impl ConnectProxy {
    /// `authorization`: what `Proxy-Authorization` must say; without it everybody may.
    pub fn start(authorization: Option<&'static str>) -> Result<ConnectProxy> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let asked: Arc<Watched<Vec<String>>> = Arc::default();
        let noted = asked.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let noted = noted.clone();
                std::thread::spawn(move || {
                    // An end of either side is the end of both.
                    let _ = serve(client, authorization, &noted);
                });
            }
        });
        Ok(ConnectProxy { port, asked })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it was asked to lead to, and what it answered: `broker.test:1883 200`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.read(Clone::clone)
    }
}

fn serve(client: TcpStream, authorization: Option<&str>, asked: &Watched<Vec<String>>) -> Result<()> {
    client.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(1, client.try_clone()?);
    let (mut target, mut login) = (String::new(), None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("CONNECT ") {
            rest.split(' ').next().unwrap_or_default().clone_into(&mut target);
        }
        if let Some(value) = line.strip_prefix("Proxy-Authorization: ") {
            login = Some(value.to_owned());
        }
    }
    let answer = if authorization.is_none_or(|wanted| login.as_deref() == Some(wanted)) { 200 } else { 407 };
    asked.change(|asked| asked.push(format!("{target} {answer}")));
    let mut client = client;
    if answer != 200 {
        client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")?;
        return Ok(());
    }
    let (_, port) = target.rsplit_once(':').context("no port")?;
    let server = TcpStream::connect(("127.0.0.1", port.parse::<u16>()?))?;
    server.set_nodelay(true)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")?;
    let (mut client_reads, mut server_writes) = (client.try_clone()?, server.try_clone()?);
    let up = std::thread::spawn(move || {
        let _ = std::io::copy(&mut client_reads, &mut server_writes);
        let _ = server_writes.shutdown(Shutdown::Both);
    });
    let (mut server_reads, mut client_writes) = (server, client);
    let _ = std::io::copy(&mut server_reads, &mut client_writes);
    let _ = client_writes.shutdown(Shutdown::Both);
    // It ends with its side of the connection.
    let _ = up.join();
    Ok(())
}
