//! The loopback server: `/metrics` for a scraper, `/healthz` for a person or a monitor.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::{Liveness, Metrics};
use kerbside_domain::time::Clock;

#[derive(Debug, thiserror::Error)]
pub(crate) enum HealthError {
    #[error("health listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    #[error("health cannot listen on {addr}: {cause}")]
    Bind { addr: SocketAddr, cause: std::io::Error },
    #[error("the health server ended: {0}")]
    Serve(std::io::Error),
}

/// Bound, not yet serving.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    addr: SocketAddr,
}

/// Opens the port. Port 0: any free one.
pub(crate) async fn bind(listen: SocketAddr) -> Result<Server, HealthError> {
    if !listen.ip().is_loopback() {
        return Err(HealthError::NotLoopback(listen));
    }
    let failed = |cause| HealthError::Bind { addr: listen, cause };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    Ok(Server { listener, addr })
}

/// What the pages show.
#[derive(Clone)]
struct Shown {
    metrics: Metrics,
    liveness: Arc<Liveness>,
    clock: Arc<dyn Clock>,
}

impl Server {
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `shutdown` is ready.
    pub(crate) async fn run(
        self,
        metrics: Metrics,
        liveness: Arc<Liveness>,
        clock: Arc<dyn Clock>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), HealthError> {
        let shown = Shown { metrics, liveness, clock };
        let routes = Router::new()
            .route("/metrics", get(show_metrics))
            .route("/healthz", get(show_health))
            .with_state(shown);
        axum::serve(self.listener, routes).with_graceful_shutdown(shutdown).await.map_err(HealthError::Serve)
    }
}

async fn show_metrics(State(shown): State<Shown>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], shown.metrics.render()).into_response()
}

/// 200 while every stage moves, else 503; the body names each stage and its age.
async fn show_health(State(shown): State<Shown>) -> Response {
    let stages = shown.liveness.ages(shown.clock.now().mono);
    let healthy = stages.iter().all(|s| s.alive);
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({ "healthy": healthy, "stages": stages }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use kerbside_domain::time::{Mono, VirtualClock};

    async fn get_page(addr: SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_server_shows_metrics_and_which_stage_hangs() {
        let server = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let addr = server.addr();
        let (clock, liveness) = (VirtualClock::new(0), Liveness::new());
        let pulse = liveness.stage("core", 5.0, Mono::ZERO);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let run = server.run(Metrics::new(), liveness, clock.clone(), async { drop(stopped.await) });
        let task = tokio::spawn(run);
        let healthy = get_page(addr, "/healthz").await;
        assert!(healthy.starts_with("HTTP/1.1 200"), "{healthy}");
        clock.advance_to(Mono::from_s(6.0));
        let hanging = get_page(addr, "/healthz").await;
        assert!(hanging.starts_with("HTTP/1.1 503"), "{hanging}");
        let body = r#"{"healthy":false,"stages":[{"age_s":6.0,"alive":false,"limit_s":5.0,"stage":"core"}]}"#;
        assert!(hanging.ends_with(body), "{hanging}");
        pulse.beat();
        assert!(get_page(addr, "/healthz").await.starts_with("HTTP/1.1 200"));
        assert!(get_page(addr, "/metrics").await.contains("openmetrics-text"));
        assert!(get_page(addr, "/other").await.starts_with("HTTP/1.1 404"));
        stop.send(()).unwrap();
        task.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn only_loopback_is_served() {
        let error = bind(SocketAddr::from(([0, 0, 0, 0], 0))).await.unwrap_err();
        assert_eq!(error.to_string(), "health listens on loopback only, not on 0.0.0.0:0");
    }
}
