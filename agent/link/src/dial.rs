//! TCP to a host, through the site's HTTP proxy if it has one (CONNECT, RFC 9110 9.3.6). The proxy's password stands in no error.

use base64ct::{Base64, Encoding as _};
use kerbside_site::config::Proxy;
use kerbside_site::host::authority;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::error::LinkError;
use crate::tuning::PROXY_ANSWER;

/// Connects; the caller limits the time.
pub(crate) async fn dial(host: &str, port: u16, proxy: Option<&Proxy>) -> Result<TcpStream, LinkError> {
    let (via, at) = proxy.map_or((host, port), |proxy| (proxy.host.as_str(), proxy.port));
    let stream = TcpStream::connect((via, at)).await.map_err(|e| {
        let what = if proxy.is_some() { "the proxy " } else { "" };
        LinkError::Connection(format!("{what}{}: {e}", authority(via, at)))
    })?;
    // Acknowledgements are small, and whoever waits for them shall not wait for more bytes.
    stream.set_nodelay(true).map_err(|e| LinkError::Connection(e.to_string()))?;
    match proxy {
        None => Ok(stream),
        Some(proxy) => tunnel(stream, proxy, host, port).await,
    }
}

async fn tunnel(mut stream: TcpStream, proxy: &Proxy, host: &str, port: u16) -> Result<TcpStream, LinkError> {
    let by = authority(&proxy.host, proxy.port);
    let failed = |why: String| LinkError::Connection(format!("the proxy {by}: {why}"));
    let to = authority(host, port);
    let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n");
    if let Some(login) = &proxy.login {
        let basic = Base64::encode_string(format!("{}:{}", login.user, login.password).as_bytes());
        request.push_str(&format!("Proxy-Authorization: Basic {basic}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|e| failed(e.to_string()))?;
    // Byte by byte: what follows the answer is the broker's.
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= PROXY_ANSWER {
            return Err(failed("its answer is no HTTP".to_owned()));
        }
        answer.push(stream.read_u8().await.map_err(|e| failed(e.to_string()))?);
    }
    let line = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    match status {
        Some(status) if status.starts_with('2') => Ok(stream),
        Some("407") => Err(failed("it asks for another user or password (407)".to_owned())),
        Some("403") => Err(failed(format!("it does not let this box reach {to} (403)"))),
        _ => Err(failed(format!("it answers {line:?}"))),
    }
}
