//! `kerbside watch`: incidents as they come, and a receipt for each message that expects one.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kerbside_crypto::sign::SigningKey;
use kerbside_domain::time::{Clock, SystemClock, rfc3339};
use kerbside_wire::{receipt, signed};
use rumqttc::v5::Event;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use serde_json::{Value, json};

use super::broker::{self, BrokerAddress, connect};
use super::print;
use super::received::{ReceivedEvents, Tally};

/// Wait between attempts to reach the broker.
const RETRY: Duration = Duration::from_secs(1);

/// What to watch and when to end.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    pub broker: BrokerAddress,
    /// Only this division, only this box.
    pub division: Option<String>,
    pub edge: Option<String>,
    /// Answer every report with `accepted` and a case number.
    pub receipts: bool,
    /// The key that signs them, and its id in the site files.
    pub key: Option<(std::path::PathBuf, String)>,
    /// One line of JSON per message instead of text.
    pub json: bool,
    /// End after so many distinct incidents.
    pub max: Option<u64>,
    /// End when nothing came for so long, s.
    pub until_idle_s: Option<f64>,
    /// The box's evidence folder, to print whole paths where it lies on this machine.
    pub evidence_dir: Option<std::path::PathBuf>,
}

impl From<crate::cli::WatchArgs> for WatchOptions {
    fn from(args: crate::cli::WatchArgs) -> Self {
        WatchOptions {
            broker: args.broker.into(),
            division: args.division,
            edge: args.edge,
            receipts: args.receipts,
            key: args.key.zip(args.key_id),
            json: args.json,
            max: args.max,
            until_idle_s: args.until_idle,
            evidence_dir: args.evidence_dir,
        }
    }
}

/// Watches until `max`, idleness, SIGTERM or Ctrl-C, printing to standard output. Ends with `incidents received: N`, N the
/// distinct incidents that were opened.
pub async fn watch(options: WatchOptions) -> anyhow::Result<Tally> {
    let mut out = std::io::stdout();
    let tally = watch_until(&options, &mut out, crate::signal::stop()).await?;
    writeln!(out, "incidents received: {}", tally.incidents).context("standard output")?;
    Ok(tally)
}

/// [`watch`] without the last line, writing to `out`, until `stop` is ready.
pub async fn watch_until(
    options: &WatchOptions,
    out: &mut (impl Write + Send),
    stop: impl Future<Output = ()> + Send,
) -> anyhow::Result<Tally> {
    let (client, mut poller) = connect(&options.broker, "kerbside-watch")?;
    let division = options.division.as_deref().unwrap_or("+");
    let filter = match (&options.division, &options.edge) {
        (None, None) => "cg/v1/#".to_owned(),
        (_, edge) => format!("cg/v1/{division}/{}/#", edge.as_deref().unwrap_or("+")),
    };
    let key =
        options.key.as_ref().map(|(file, id)| Ok::<_, anyhow::Error>((SigningKey::read(file)?, id.clone())));
    let mut view = View {
        options,
        key: key.transpose()?,
        received: ReceivedEvents::default(),
        tally: Tally::default(),
        clock: Arc::new(SystemClock::new()),
    };
    let mut stop = std::pin::pin!(stop);
    let idle = options.until_idle_s.map_or(Duration::from_secs(365 * 86_400), Duration::from_secs_f64);
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
            Ok(Event::Incoming(Packet::SubAck(ack))) => {
                broker::subscribed(&ack).with_context(|| filter.clone())?;
                tracing::info!(broker = options.broker.broker, filter, "subscribed");
            }
            Ok(Event::Incoming(Packet::PubAck(ack))) => {
                if let Err(error) = broker::taken(&ack) {
                    tracing::error!(%error, "a receipt did not go out: the box sends its message again");
                }
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                if let Some((topic, body)) = view.message(&topic, &publish.payload, publish.retain, out)? {
                    client.try_publish(topic, QoS::AtLeastOnce, false, body).context("receipt")?;
                }
                if !publish.retain {
                    quiet.set(tokio::time::sleep(idle));
                }
                if options.max.is_some_and(|max| view.tally.incidents as u64 >= max) {
                    break;
                }
            }
            Ok(_) => {}
            Err(e) => {
                tracing::warn!(broker = options.broker.broker, error = %e, "broker not reached; trying on");
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
    options: &'a WatchOptions,
    key: Option<(SigningKey, String)>,
    received: ReceivedEvents,
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
        let from_centre = ["receipt", "case"].iter().any(|d| topic.ends_with(d)) || topic.contains("/cmd/");
        if from_centre || topic.contains("/chunk/") {
            return Ok(None);
        }
        let Ok(event) = serde_json::from_slice::<Value>(payload) else {
            self.tally.malformed += 1;
            tracing::warn!(topic, bytes = payload.len(), "not JSON");
            return Ok(None);
        };
        let new = self.received.take(&event, &mut self.tally);
        if new {
            if self.options.json {
                writeln!(out, "{event}")?;
            } else if let Some(text) = print::lines(&event, retain, self.options.evidence_dir.as_deref()) {
                writeln!(out, "{text}")?;
            }
            out.flush()?;
        }
        Ok(self.receipt(topic, &event, new))
    }

    /// `accepted` for a message that came first, `duplicate` for the same again; only for what awaits a receipt.
    fn receipt(&self, topic: &str, event: &Value, new: bool) -> Option<(String, Vec<u8>)> {
        let kind = event.get("type")?.as_str()?;
        let awaits =
            ["kerbside.matter.", "kerbside.patrol.", "kerbside.command.reply.", "kerbside.sensor.alarm."];
        if !self.options.receipts || !awaits.iter().any(|k| kind.starts_with(k)) {
            return None;
        }
        let id = event.get("id")?.as_str()?;
        let root: Vec<&str> = topic.splitn(5, '/').take(4).collect();
        let incident = event.pointer("/data/incident_id").and_then(Value::as_str);
        let at = rfc3339(self.clock.now().wall_ms, 0);
        let mut data = json!({"id": id, "result": if new { "accepted" } else { "duplicate" }});
        if let (Some(map), Some(incident)) = (data.as_object_mut(), incident) {
            map.insert("case_no".to_owned(), json!(self.received.case_no(incident)));
        }
        let topic = format!("{}/receipt", root.join("/"));
        let id = format!("receipt.{id}");
        if let (Some((key, key_id)), Some(map)) = (&self.key, data.as_object_mut()) {
            map.insert("target".to_owned(), event.get("source")?.clone());
            map.insert("issued_at".to_owned(), json!(at));
            let body = signed::envelope(receipt::RECEIPT, &id, &at, key_id, key, &data.to_string());
            return Some((topic, body.into_bytes()));
        }
        let body = json!({"specversion": "1.0", "id": id, "source": "urn:kerbside:watch",
            "type": receipt::RECEIPT, "time": at, "datacontenttype": "application/json", "data": data});
        Some((topic, body.to_string().into_bytes()))
    }
}
