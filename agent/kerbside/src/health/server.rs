//! The loopback server: `/metrics` for a scraper, `/healthz` for a person or a monitor.
//!
//! Whoever has an account on the box can connect. So a visitor has little time, there are few at once, and none of them can take
//! the file handles that journal, link and cameras need. One request a connection.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{DropPolicy, Liveness, Metrics};
use kerbside_domain::time::Clock;
use kerbside_link::{LinkHealth, LinkStatus};

#[derive(Debug, thiserror::Error)]
pub(crate) enum HealthError {
    #[error("health listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    #[error("health cannot listen on {addr}: {cause}")]
    Bind { addr: SocketAddr, cause: std::io::Error },
}

/// What one visitor may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Until the whole head of the request is there.
    head: Duration,
    /// From the connection to the end of the answer.
    whole: Duration,
    /// At once; whoever comes beyond is hung up on, and counted.
    visitors: usize,
    /// After a visitor whom the system could not let in.
    breath: Duration,
}

/// A scraper and a person need one connection each, for milliseconds.
const LIMITS: Limits = Limits {
    head: Duration::from_secs(5),
    whole: Duration::from_secs(10),
    visitors: 16,
    breath: Duration::from_millis(250),
};
/// Longest head of a request, bytes; hyper's least.
const HEAD_BYTES: usize = 8192;

/// Bound, not yet serving.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    limits: Limits,
}

/// Opens the port. Port 0: any free one.
pub(crate) async fn bind(listen: SocketAddr) -> Result<Server, HealthError> {
    if !listen.ip().is_loopback() {
        return Err(HealthError::NotLoopback(listen));
    }
    let failed = |cause| HealthError::Bind { addr: listen, cause };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    Ok(Server { listener, addr, limits: LIMITS })
}

/// What the pages show.
#[derive(Debug)]
struct Shown {
    metrics: Metrics,
    liveness: Arc<Liveness>,
    clock: Arc<dyn Clock>,
}

impl Server {
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `shutdown` is ready; whoever is still served then is hung up on.
    pub(crate) async fn run(
        self,
        metrics: Metrics,
        liveness: Arc<Liveness>,
        clock: Arc<dyn Clock>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) {
        let turned_away = metrics.dropped(DropPolicy::HealthConnection);
        let not_let_in = metrics.dropped(DropPolicy::HealthAccept);
        let shown = Arc::new(Shown { metrics, liveness, clock });
        let mut visitors = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let came = tokio::select! {
                came = self.listener.accept() => came,
                () = &mut shutdown => return,
            };
            while visitors.try_join_next().is_some() {}
            match came {
                Ok((stream, _)) if visitors.len() < self.limits.visitors => {
                    visitors.spawn(serve(stream, shown.clone(), self.limits));
                }
                Ok(_) => drop(turned_away.inc()),
                Err(error) => {
                    not_let_in.inc();
                    tracing::debug!(%error, "a visitor of the health pages could not be let in");
                    tokio::time::sleep(self.limits.breath).await;
                }
            }
        }
    }
}

/// One request of one visitor.
async fn serve(stream: TcpStream, shown: Arc<Shown>, limits: Limits) {
    let answer = service_fn(move |request| {
        let answer = page(&request, &shown);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), answer);
    // How a visitor leaves is his own business.
    let _ = tokio::time::timeout(limits.whole, connection).await;
}

fn page<B>(request: &Request<B>, shown: &Shown) -> Response<String> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, ALLOW, "GET, HEAD", String::new());
    }
    match request.uri().path() {
        "/metrics" => show_metrics(shown),
        "/healthz" => show_health(shown),
        _ => text(StatusCode::NOT_FOUND, CONTENT_TYPE, "text/plain", "/metrics, /healthz\n".to_owned()),
    }
}

fn show_metrics(shown: &Shown) -> Response<String> {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    text(StatusCode::OK, CONTENT_TYPE, kind, shown.metrics.render())
}

/// The link's state, and what a person should put right about it.
fn link_page(link: &LinkStatus) -> serde_json::Value {
    let problems = link.problems.iter();
    let problems =
        problems.map(|(p, what)| serde_json::json!({ "problem": p, "what": what, "cure": p.cure() }));
    serde_json::json!({ "state": link.health, "why": link.why, "problems": problems.collect::<Vec<_>>() })
}

/// 200 while every stage moves and the link makes progress, or waits for its broker; else 503. The body names each stage and
/// its age, and how the link is.
fn show_health(shown: &Shown) -> Response<String> {
    let stages = shown.liveness.ages(shown.clock.now().mono);
    let link = shown.liveness.link();
    let makes_progress = link.as_ref().is_none_or(|link| link.health != LinkHealth::NoProgress);
    let healthy = makes_progress && stages.iter().all(|s| s.alive);
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = serde_json::json!({ "healthy": healthy, "stages": stages });
    if let Some(link) = link {
        body["link"] = link_page(&link);
    }
    let cameras = shown.liveness.cameras().page();
    if !cameras.is_empty() {
        body["camera_warnings"] = cameras.into();
    }
    text(status, CONTENT_TYPE, "application/json", body.to_string())
}

fn text(status: StatusCode, header: HeaderName, value: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header, hyper::header::HeaderValue::from_static(value));
    response
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
        task.await.unwrap();
    }

    /// Half a request, and never more.
    async fn half_request(addr: SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        stream
    }

    #[tokio::test]
    async fn few_visitors_are_served_at_once_and_none_for_long() {
        let mut server = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        server.limits = Limits { head: Duration::from_millis(300), ..LIMITS };
        let (addr, metrics) = (server.addr(), Metrics::new());
        let run = server.run(metrics.clone(), Liveness::new(), VirtualClock::new(0), std::future::pending());
        let task = tokio::spawn(run);
        let mut halves = Vec::new();
        for _ in 0..64 {
            halves.push(half_request(addr).await);
        }
        // Every one of them is hung up on, those beyond the sixteen at once.
        for mut half in halves {
            let mut rest = Vec::new();
            let _ = tokio::time::timeout(Duration::from_secs(60), half.read_to_end(&mut rest))
                .await
                .expect("the end");
        }
        let page = get_page(addr, "/metrics").await;
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert!(page.contains("kerbside_dropped_total{policy=\"health_connection\"} 48"), "{page}");
        task.abort();
    }

    #[tokio::test]
    async fn a_visitor_who_takes_his_time_is_hung_up_on_too() {
        let mut server = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let (head, whole) = (Duration::from_secs(3600), Duration::from_millis(300));
        server.limits = Limits { head, whole, ..LIMITS };
        let addr = server.addr();
        let run = server.run(Metrics::new(), Liveness::new(), VirtualClock::new(0), std::future::pending());
        let task = tokio::spawn(run);
        let mut slow = half_request(addr).await;
        let mut rest = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(60), slow.read_to_end(&mut rest));
        assert!(end.await.is_ok() && rest.is_empty(), "{rest:?}");
        task.abort();
    }

    #[tokio::test]
    async fn only_loopback_is_served() {
        let error = bind(SocketAddr::from(([0, 0, 0, 0], 0))).await.unwrap_err();
        assert_eq!(error.to_string(), "health listens on loopback only, not on 0.0.0.0:0");
    }
}
