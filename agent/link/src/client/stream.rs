//! The way to the broker: TCP, perhaps through the site's proxy, perhaps TLS, perhaps WebSocket.

use std::sync::Arc;

use kerbside_site::config::Centre;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};

use super::websocket;
use crate::dial::dial;
use crate::error::LinkError;
use crate::tls;

/// Bytes both ways.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

pub(super) type Stream = Box<dyn Bytes>;

pub(super) async fn open(centre: &Centre) -> Result<Stream, LinkError> {
    let tcp = dial(&centre.host, centre.port, centre.proxy.as_ref()).await?;
    let stream: Stream = match &centre.tls {
        None => Box::new(tcp),
        Some(tls) => {
            let config = Arc::new(tls::client_config(tls)?);
            let name = ServerName::try_from(centre.host.clone())
                .map_err(|e| LinkError::Connection(format!("{}: {e}", centre.host)))?;
            let connector = tokio_rustls::TlsConnector::from(config);
            let stream = connector.connect(name, tcp).await;
            Box::new(stream.map_err(|e| LinkError::Connection(format!("TLS: {e}")))?)
        }
    };
    match &centre.websocket {
        None => Ok(stream),
        Some(path) => Ok(Box::new(websocket::handshake(stream, centre, path).await?)),
    }
}
