//! Plain requests to pages on loopback.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::wait;

/// An answer that takes longer is none.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks at a page.
const PAUSE: Duration = Duration::from_millis(200);

/// Status line and body.
pub fn get(port: u16, path: &str) -> Result<(String, String)> {
    let place = || format!("GET http://127.0.0.1:{port}{path}");
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).with_context(place)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).with_context(place)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .with_context(|| format!("{}: no HTTP answer but {answer:?}", place()))?;
    Ok((head.lines().next().unwrap_or_default().to_owned(), body.to_owned()))
}

/// Values of a metric on a page of `/metrics`, with their labels: `NAME{...} VALUE` becomes `({...}, VALUE)`.
pub fn values(page: &str, name: &str) -> Vec<(String, f64)> {
    let lines = page.lines().filter_map(|line| line.strip_prefix(name));
    let parts = lines.filter(|rest| rest.starts_with(['{', ' '])).filter_map(|rest| rest.rsplit_once(' '));
    parts.filter_map(|(labels, value)| Some((labels.trim().to_owned(), value.parse().ok()?))).collect()
}

/// Waits until the metric satisfies `holds`, which gets its values with their labels.
pub fn until_metric(
    port: u16,
    name: &str,
    awaited: &str,
    limit: Duration,
    mut holds: impl FnMut(&[(String, f64)]) -> bool,
) -> Result<()> {
    let awaited = format!("{awaited} ({name} of /metrics)");
    wait::poll(&awaited, limit, PAUSE, || {
        let (_, page) = get(port, "/metrics")?;
        let values = values(&page, name);
        Ok(if holds(&values) { Ok(()) } else { Err(format!("{name} {values:?}")) })
    })
}
