//! Opening a GNSS receiver: a serial port, a TCP stream, gpsd or a file.

use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt as _};

use super::gpsd;
use kerbside_site::config::GnssSource;

/// Longest time to connect to a receiver in the network.
const CONNECT: Duration = Duration::from_secs(10);

pub(super) type Bytes = Pin<Box<dyn AsyncRead + Send>>;

/// Opens the receiver; its bytes.
pub(super) async fn open(source: &GnssSource) -> std::io::Result<Bytes> {
    Ok(match source {
        GnssSource::Serial { path, baud } => Box::pin(serial2_tokio::SerialPort::open(path, *baud)?),
        GnssSource::Tcp(addr) => Box::pin(connect(addr).await?),
        GnssSource::Gpsd(addr) => {
            let mut stream = connect(addr).await?;
            stream.write_all(gpsd::WATCH).await?;
            Box::pin(stream)
        }
        GnssSource::File(path) => Box::pin(tokio::fs::File::open(path).await?),
    })
}

async fn connect(addr: &str) -> std::io::Result<tokio::net::TcpStream> {
    match tokio::time::timeout(CONNECT, tokio::net::TcpStream::connect(addr)).await {
        Ok(stream) => stream,
        Err(_) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer within 10 s")),
    }
}

/// How logs call the receiver.
pub(super) fn name(source: &GnssSource) -> String {
    match source {
        GnssSource::Serial { path, baud } => format!("serial {} at {baud} baud", path.display()),
        GnssSource::Tcp(addr) => format!("tcp {addr}"),
        GnssSource::Gpsd(addr) => format!("gpsd {addr}"),
        GnssSource::File(path) => format!("file {}", path.display()),
    }
}
