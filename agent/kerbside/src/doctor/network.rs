//! Whether a host answers: TCP, and enough RTSP to know that it is a camera.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use kerbside_site::camera_url::{CameraUrl, Scheme};

use super::finding::Fault;
use super::machine;

/// Longest wait for a host: a camera in the same street answers within milliseconds.
const LIMIT: Duration = Duration::from_secs(3);
/// Addresses of a name that are tried, so that a name with many costs few limits.
const MAX_ADDRESSES: usize = 2;

/// Connects within the limit. The error tells a wrong name from a silent host.
pub(super) fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses =
        (host, port).to_socket_addrs().map_err(|e| format!("the name cannot be resolved: {e}"))?;
    let mut last = "the name has no address".to_owned();
    for address in addresses.take(MAX_ADDRESSES) {
        match TcpStream::connect_timeout(&address, LIMIT) {
            Ok(stream) => return Ok(stream),
            Err(e) if e.kind() == std::io::ErrorKind::TimedOut => last = "no answer within 3 s".into(),
            Err(e) => last = e.to_string(),
        }
    }
    Err(last)
}

/// `host:port`, `[v6]:port`.
pub(super) fn connect_to(address: &str) -> Result<TcpStream, String> {
    let (host, port) = address.rsplit_once(':').ok_or("no port")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    connect(host, port.parse().map_err(|_| "no port")?).map_err(|why| format!("{address}: {why}"))
}

/// What can be said of a camera without decoding: that it answers, or what is wrong.
pub(super) fn camera(url: &str) -> Result<String, Fault> {
    let network = match CameraUrl::parse(url) {
        Ok(CameraUrl::Device(device)) => {
            let remedy =
                "plug it in; add the user of the service to the group video: usermod -aG video kerbside";
            return device_or_file(&device, remedy);
        }
        Ok(CameraUrl::Pipeline(_)) => return Ok("a GStreamer pipeline; try it with gst-launch-1.0".into()),
        Ok(CameraUrl::File(path)) => {
            return device_or_file(&path.to_string_lossy(), "name a file that is there");
        }
        Ok(CameraUrl::Network(network)) => network,
        Err(fault) => return Err(Fault { what: fault.what, remedy: fault.help }),
    };
    let address = network.address();
    let remedy = "check power, cable and address of the camera; ping it from this box";
    let stream = connect(&network.host, network.port)
        .map_err(|why| Fault { what: format!("{address}: {why}"), remedy: remedy.to_owned() })?;
    if network.scheme != Scheme::Rtsp {
        return Ok(format!("{address} answers"));
    }
    options(stream, &network.without_login()).map_err(|why| {
        let remedy = "is RTSP turned on in the camera, at this port?";
        Fault { what: format!("{address}: {why}"), remedy: remedy.to_owned() }
    })
}

fn device_or_file(path: &str, remedy: &str) -> Result<String, Fault> {
    match machine::readable(Path::new(path)) {
        Ok(()) => Ok(format!("{path} can be opened")),
        Err(why) => Err(Fault { what: format!("{path}: {why}"), remedy: remedy.to_owned() }),
    }
}

/// One RTSP OPTIONS (RFC 2326, 10.1). Any RTSP status is an answer, also 401: some cameras want a password even here.
fn options(mut stream: TcpStream, url: &str) -> Result<String, String> {
    let failed = |e: std::io::Error| format!("it does not speak RTSP: {e}");
    stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
    stream.set_write_timeout(Some(LIMIT)).map_err(failed)?;
    let request = format!("OPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: kerbside-doctor\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = [0u8; 256];
    let n = stream.read(&mut answer).map_err(failed)?;
    let text = String::from_utf8_lossy(&answer[..n]);
    let first = text.lines().next().unwrap_or("").trim();
    if first.starts_with("RTSP/1.0 ") || first.starts_with("RTSP/2.0 ") {
        Ok(format!("answers RTSP ({})", &first[9..]))
    } else {
        Err("it answers, but not as RTSP".into())
    }
}
