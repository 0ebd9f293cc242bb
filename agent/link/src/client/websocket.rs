//! MQTT's bytes in WebSocket messages, both ways. Where a message begins and ends means nothing to MQTT.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_util::{Sink as _, Stream as _};
use kerbside_site::config::Centre;
use kerbside_site::host::authority;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::error::LinkError;
use crate::tuning::WEBSOCKET_MESSAGE;

/// Bytes over WebSocket messages.
pub(super) struct WebSocket<S> {
    messages: WebSocketStream<S>,
    /// Of the message that is being read.
    rest: Bytes,
}

/// Says HTTP's part, with the subprotocol that the standard asks for.
pub(super) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    centre: &Centre,
    path: &str,
) -> Result<WebSocket<S>, LinkError> {
    let scheme = if centre.tls.is_some() { "wss" } else { "ws" };
    let uri = format!("{scheme}://{}{path}", authority(&centre.host, centre.port));
    let failed = |e: &dyn std::fmt::Display| LinkError::Connection(format!("WebSocket: {e}"));
    let uri = uri.parse().map_err(|e| failed(&e))?;
    let request = ClientRequestBuilder::new(uri).with_sub_protocol("mqtt");
    let config = WebSocketConfig::default()
        .max_message_size(Some(WEBSOCKET_MESSAGE))
        .max_frame_size(Some(WEBSOCKET_MESSAGE));
    let shaken = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
    let (messages, _) = shaken.map_err(|e| failed(&e))?;
    Ok(WebSocket { messages, rest: Bytes::new() })
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.messages).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                // Pings are answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Text(_))) => {
                    return Poll::Ready(Err(io::Error::other("WebSocket: text instead of MQTT's bytes")));
                }
                Some(Ok(Message::Close(_)) | Err(Error::ConnectionClosed | Error::AlreadyClosed)) | None => {
                    return Poll::Ready(Ok(()));
                }
                Some(Err(e)) => return Poll::Ready(Err(broken(e))),
            }
        }
        let n = self.rest.len().min(into.remaining());
        into.put_slice(&self.rest[..n]);
        self.rest.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.messages).poll_ready(cx)).map_err(broken)?;
        let message = Message::Binary(Bytes::copy_from_slice(bytes));
        Pin::new(&mut self.messages).start_send(message).map_err(broken)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.messages).poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.messages).poll_close(cx)) {
            Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => Poll::Ready(Ok(())),
            Err(e) => Poll::Ready(Err(broken(e))),
        }
    }
}

fn broken(e: Error) -> io::Error {
    match e {
        Error::Io(e) => e,
        Error::Protocol(e) => io::Error::new(io::ErrorKind::ConnectionReset, format!("WebSocket: {e}")),
        e => io::Error::other(format!("WebSocket: {e}")),
    }
}
