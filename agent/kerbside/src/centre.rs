//! Watch: the centre's side in a terminal. Subscribes to all boxes, prints incidents as they come, answers receipts.
//!
//! For demonstrations, commissioning and tests; it keeps nothing. De-duplication is by (source, id), as the contract
//! says. It knows the wire, not the box.

pub mod order;
mod print;
pub mod seen;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use serde_json::{Value, json};

use kerbside_domain::time::{Clock, SystemClock, rfc3339};
use kerbside_site::config::Tls;

pub use seen::{Seen, Tally};

/// How to reach a broker.
#[derive(Clone, Debug, Default)]
pub struct Broker {
    /// `mqtt://host[:port]` or `mqtts://host[:port]`.
    pub broker: String,
    pub tls: Option<Tls>,
}

impl From<crate::cli::BrokerArgs> for Broker {
    fn from(args: crate::cli::BrokerArgs) -> Self {
        let crate::cli::BrokerArgs { broker, ca_file, cert_file, key_file } = args;
        Broker { broker, tls: ca_file.map(|ca_file| Tls { ca_file, cert_file, key_file }) }
    }
}

/// What to watch and when to end.
#[derive(Clone, Debug)]
pub struct Args {
    pub broker: Broker,
    /// Only this division, only this box.
    pub division: Option<String>,
    pub edge: Option<String>,
    /// Answer every report with `accepted` and a case number.
    pub receipts: bool,
    /// One line of JSON per message instead of text.
    pub json: bool,
    /// End after so many distinct incidents.
    pub max: Option<u64>,
    /// End when nothing came for so long, s.
    pub until_idle_s: Option<f64>,
    /// The box's evidence folder, to print whole paths where it lies on this machine.
    pub evidence_dir: Option<std::path::PathBuf>,
}

impl From<crate::cli::WatchArgs> for Args {
    fn from(args: crate::cli::WatchArgs) -> Self {
        Args {
            broker: args.broker.into(),
            division: args.division,
            edge: args.edge,
            receipts: args.receipts,
            json: args.json,
            max: args.max,
            until_idle_s: args.until_idle,
            evidence_dir: args.evidence_dir,
        }
    }
}

/// Longest message taken, bytes.
const INCOMING_LIMIT: u32 = 1 << 20;
/// Wait between attempts to reach the broker.
const RETRY: Duration = Duration::from_secs(1);

/// Host and port of a broker's address, and whether it is TLS.
pub fn parse_broker(url: &str) -> anyhow::Result<(String, u16, bool)> {
    let (rest, tls) = match (url.strip_prefix("mqtt://"), url.strip_prefix("mqtts://")) {
        (Some(rest), _) => (rest, false),
        (_, Some(rest)) => (rest, true),
        _ => bail!("broker {url:?}: mqtt://HOST[:PORT] or mqtts://HOST[:PORT] is expected"),
    };
    let rest = rest.trim_end_matches('/');
    let default = if tls { 8883 } else { 1883 };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            (host, port.parse().with_context(|| format!("broker {url:?}: port {port:?}"))?)
        }
        _ => (rest, default),
    };
    if host.is_empty() {
        bail!("broker {url:?}: the host is missing");
    }
    Ok((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port, tls))
}

/// A client that is not connected before its first poll. `name` begins its id.
fn connect(broker: &Broker, name: &str) -> anyhow::Result<(AsyncClient, EventLoop)> {
    let (host, port, tls) = parse_broker(&broker.broker)?;
    let id = format!("{name}-{}", ulid::Ulid::generate().to_string().to_lowercase());
    let mut options = MqttOptions::new(id, host, port);
    options.set_clean_start(true);
    options.set_keep_alive(Duration::from_secs(30));
    options.set_max_packet_size(Some(INCOMING_LIMIT));
    options.set_outgoing_inflight_upper_limit(100);
    if tls {
        let tls = broker.tls.as_ref().context("mqtts:// needs the centre's CA file: --ca-file")?;
        let config = kerbside_link::tls::client_config(tls)?;
        options.set_transport(rumqttc::Transport::tls_with_config(config.into()));
    }
    Ok(AsyncClient::new(options, 256))
}

/// Watches until `max`, idleness, SIGTERM or Ctrl-C, printing to standard output. Ends with `incidents received: N`, N the
/// distinct incidents that were opened.
pub async fn run(args: Args) -> anyhow::Result<Tally> {
    let mut out = std::io::stdout();
    let tally = run_until(&args, &mut out, crate::signal::stop()).await?;
    writeln!(out, "incidents received: {}", tally.incidents).context("standard output")?;
    Ok(tally)
}

/// [`run`] without the last line, writing to `out`, until `stop` is ready.
pub async fn run_until(
    args: &Args,
    out: &mut (impl Write + Send),
    stop: impl Future<Output = ()> + Send,
) -> anyhow::Result<Tally> {
    let (client, mut poller) = connect(&args.broker, "kerbside-watch")?;
    let division = args.division.as_deref().unwrap_or("+");
    let filter = match (&args.division, &args.edge) {
        (None, None) => "cg/v1/#".to_owned(),
        (_, edge) => format!("cg/v1/{division}/{}/#", edge.as_deref().unwrap_or("+")),
    };
    let mut view =
        View { args, seen: Seen::default(), tally: Tally::default(), clock: Arc::new(SystemClock::new()) };
    let mut stop = std::pin::pin!(stop);
    let idle = args.until_idle_s.map_or(Duration::from_secs(365 * 86_400), Duration::from_secs_f64);
    let mut quiet = std::pin::pin!(tokio::time::sleep(idle));
    loop {
        let mut poll = std::pin::pin!(poller.poll());
        let polled = tokio::select! {
            polled = &mut poll => polled,
            () = &mut stop => break,
            () = &mut quiet => break,
        };
        match polled {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                client.try_subscribe(filter.clone(), QoS::AtLeastOnce).context("subscribe")?;
            }
            Ok(Event::Incoming(Packet::SubAck(_))) => {
                tracing::info!(broker = args.broker.broker, filter, "subscribed");
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                if let Some(answer) = view.message(&topic, &publish.payload, publish.retain, out)? {
                    let (topic, body) = answer;
                    client.try_publish(topic, QoS::AtLeastOnce, false, body).context("receipt")?;
                }
                if !publish.retain {
                    quiet.set(tokio::time::sleep(idle));
                }
                if args.max.is_some_and(|max| view.tally.incidents as u64 >= max) {
                    break;
                }
            }
            Ok(_) => {}
            Err(e) => {
                tracing::warn!(broker = args.broker.broker, error = %e, "broker not reached; trying on");
                // The poller connects again at its next poll.
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => {}
                    () = &mut stop => break,
                    () = &mut quiet => break,
                }
            }
        }
    }
    // Receipts that are queued go out before the end.
    let _ = client.try_disconnect();
    let flush = async { while poller.poll().await.is_ok() {} };
    let _ = tokio::time::timeout(Duration::from_secs(2), flush).await;
    Ok(view.tally)
}

struct View<'a> {
    args: &'a Args,
    seen: Seen,
    tally: Tally,
    clock: Arc<dyn Clock>,
}

impl View<'_> {
    /// Prints one message; the receipt for it, if one is due: topic and body.
    fn message(
        &mut self,
        topic: &str,
        payload: &[u8],
        retain: bool,
        out: &mut impl Write,
    ) -> anyhow::Result<Option<(String, Vec<u8>)>> {
        let down = ["receipt", "case"].iter().any(|d| topic.ends_with(d)) || topic.contains("/cmd/");
        if down || topic.contains("/chunk/") {
            return Ok(None);
        }
        let Ok(event) = serde_json::from_slice::<Value>(payload) else {
            self.tally.malformed += 1;
            tracing::warn!(topic, bytes = payload.len(), "not JSON");
            return Ok(None);
        };
        let new = self.seen.take(&event, &mut self.tally);
        if new {
            if self.args.json {
                writeln!(out, "{event}")?;
            } else if let Some(text) = print::lines(&event, retain, self.args.evidence_dir.as_deref()) {
                writeln!(out, "{text}")?;
            }
            out.flush()?;
        }
        Ok(self.receipt(topic, &event, new))
    }

    /// `accepted` for a message seen first, `duplicate` for the same again; only for what awaits a receipt.
    fn receipt(&self, topic: &str, event: &Value, new: bool) -> Option<(String, Vec<u8>)> {
        let kind = event.get("type")?.as_str()?;
        let awaits =
            ["kerbside.matter.", "kerbside.patrol.", "kerbside.command.reply.", "kerbside.sensor.alarm."];
        if !self.args.receipts || !awaits.iter().any(|k| kind.starts_with(k)) {
            return None;
        }
        let id = event.get("id")?.as_str()?;
        let root: Vec<&str> = topic.splitn(5, '/').take(4).collect();
        let incident = event.pointer("/data/incident_id").and_then(Value::as_str);
        let at = rfc3339(self.clock.now().wall_ms, 0);
        let mut data = json!({"id": id, "result": if new { "accepted" } else { "duplicate" }});
        if let (Some(map), Some(incident)) = (data.as_object_mut(), incident) {
            map.insert("case_no".to_owned(), json!(self.seen.case_no(incident)));
        }
        let body = json!({"specversion": "1.0", "id": format!("receipt.{id}"), "source": "urn:kerbside:watch",
            "type": "kerbside.receipt.v1", "time": at, "datacontenttype": "application/json", "data": data});
        Some((format!("{}/receipt", root.join("/")), body.to_string().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_addresses() {
        let parse = |u| parse_broker(u).ok();
        assert_eq!(parse("mqtt://127.0.0.1:1884"), Some(("127.0.0.1".into(), 1884, false)));
        assert_eq!(parse("mqtts://broker.example/"), Some(("broker.example".into(), 8883, true)));
        assert_eq!(parse("mqtt://[::1]:1883"), Some(("::1".into(), 1883, false)));
        assert_eq!((parse("http://x"), parse("mqtt://"), parse("mqtt://h:x")), (None, None, None));
    }
}
