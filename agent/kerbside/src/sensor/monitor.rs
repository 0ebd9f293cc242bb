//! The sensors' MQTT shell: it connects to the box's own broker, subscribes, and hands payloads to the checks of `readings`.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use tokio::sync::mpsc;

use super::log_limit::LogLimit;
use super::readings::Checker;
use crate::health::{Pulse, SensorMetrics};
use kerbside_domain::reading::Reading;
use kerbside_domain::time::Clock;
use kerbside_site::config::Sensors;

/// Largest packet that is accepted, bytes. A longer one costs the connection, and if it is retained also each one after it, so
/// this is far above the size of a reading.
const INCOMING_LIMIT: usize = 4 << 20;
/// Largest packet that is sent, bytes: subscriptions only.
const OUTGOING_LIMIT: usize = 4096;
/// The broker is on the same box, so a dead connection shows early.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Room for requests beside two for each topic.
const REQUESTS: usize = 8;
/// Shortest and longest wait before the next connection, s.
const BACKOFF_S: std::ops::RangeInclusive<f64> = 1.0..=60.0;

/// Subscribes to the topic of every sensor at the box's own broker, and sends readings on.
#[derive(Debug)]
pub(crate) struct SensorMonitor {
    pub(crate) sensors: Sensors,
    pub(crate) edge_id: String,
    pub(crate) clock: Arc<dyn Clock>,
    /// Full: the newest reading is dropped and counted.
    pub(crate) readings: mpsc::Sender<Reading>,
    pub(crate) metrics: SensorMetrics,
    pub(crate) pulse: Option<Pulse>,
}

impl SensorMonitor {
    /// Runs until nobody receives readings. Without a broker or sensors it returns at once.
    pub(crate) async fn run(self) {
        let Some((host, port)) = self.sensors.broker.clone().filter(|_| !self.sensors.sensors.is_empty())
        else {
            return;
        };
        let mut options = MqttOptions::new(format!("{}-sensors", self.edge_id), host, port);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_max_packet_size(INCOMING_LIMIT, OUTGOING_LIMIT)
            .set_inflight(8);
        let (client, events) = AsyncClient::new(options, 2 * self.sensors.sensors.len() + REQUESTS);
        let checkers = self.sensors.sensors.iter().map(|s| (s.topic.clone(), Checker::new(s))).collect();
        let mut session =
            Session { monitor: &self, client, checkers, faults: LogLimit::default(), connected: false };
        session.poll(events).await;
        if let Some(pulse) = &self.pulse {
            pulse.end();
        }
    }
}

struct Session<'a> {
    monitor: &'a SensorMonitor,
    client: AsyncClient,
    checkers: Vec<(String, Checker)>,
    faults: LogLimit,
    connected: bool,
}

impl Session<'_> {
    async fn poll(&mut self, mut events: EventLoop) {
        let mut wait_s = *BACKOFF_S.start();
        let mut beats = tokio::time::interval(Duration::from_secs(1));
        while !self.monitor.readings.is_closed() {
            // A poll must not be cancelled: it would lose what it has read.
            let polled = {
                let poll = events.poll();
                tokio::pin!(poll);
                loop {
                    tokio::select! {
                        polled = &mut poll => break Some(polled),
                        _ = beats.tick() => self.beat(),
                        () = self.monitor.readings.closed() => break None,
                    }
                }
            };
            match polled {
                None => return,
                Some(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                    (self.connected, wait_s) = (true, *BACKOFF_S.start());
                    tracing::info!("sensor broker connected");
                    self.subscribe();
                }
                Some(Ok(Event::Incoming(Packet::Publish(publish)))) => {
                    self.take(&publish.topic, &publish.payload)
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    tracing::warn!(%error, wait_s, "sensor broker lost");
                    self.connected = false;
                    events.clean();
                    events.pending.clear();
                    self.idle(wait_s * (0.75 + 0.5 * fastrand::f64())).await;
                    wait_s = (wait_s * 2.0).min(*BACKOFF_S.end());
                }
            }
        }
    }

    /// Does not wait: the queue of requests has room for every topic.
    fn subscribe(&self) {
        for (topic, _) in &self.checkers {
            if let Err(error) = self.client.try_subscribe(topic, QoS::AtLeastOnce) {
                tracing::error!(%topic, %error, "the topic of a sensor could not be subscribed");
            }
        }
    }

    fn take(&mut self, topic: &str, payload: &[u8]) {
        let now = self.monitor.clock.now();
        let metrics = &self.monitor.metrics;
        let Some((_, checker)) = self.checkers.iter_mut().find(|(t, _)| t == topic) else {
            metrics.unknown_topic.inc();
            return;
        };
        match checker.check(payload, now) {
            Ok(reading) => {
                let counter =
                    if reading.suspicious.is_some() { &metrics.suspicious } else { &metrics.accepted };
                counter.inc();
                if let Err(mpsc::error::TrySendError::Full(_)) = self.monitor.readings.try_send(reading) {
                    metrics.readings_dropped.inc();
                }
            }
            Err(error) => {
                metrics.malformed.inc();
                if let Some(left_out) = self.faults.admit(now.mono) {
                    tracing::warn!(%topic, %error, left_out, "not a reading");
                }
            }
        }
    }

    async fn idle(&self, s: f64) {
        let mut left = Duration::from_secs_f64(s);
        while !left.is_zero() && !self.monitor.readings.is_closed() {
            self.beat();
            let step = left.min(Duration::from_secs(1));
            tokio::time::sleep(step).await;
            left -= step;
        }
    }

    fn beat(&self) {
        if let Some(pulse) = &self.monitor.pulse {
            pulse.beat();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensor::readings::tests::sensor;
    use kerbside_site::config::SensorKind;

    /// Speaks just enough MQTT 3.1.1: accepts, grants the subscription, publishes.
    async fn scripted_broker(listener: tokio::net::TcpListener, payloads: &[&str]) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut packet = [0u8; 256];
        assert!(stream.read(&mut packet).await.unwrap() > 0 && packet[0] == 0x10, "CONNECT");
        stream.write_all(&[0x20, 2, 0, 0]).await.unwrap();
        assert!(stream.read(&mut packet).await.unwrap() > 0 && packet[0] == 0x82, "SUBSCRIBE");
        stream.write_all(&[0x90, 3, packet[2], packet[3], 1]).await.unwrap();
        for payload in payloads {
            let topic = "sensors/bin-1";
            let mut publish = vec![0x30, (2 + topic.len() + payload.len()) as u8, 0, topic.len() as u8];
            publish.extend_from_slice(topic.as_bytes());
            publish.extend_from_slice(payload.as_bytes());
            stream.write_all(&publish).await.unwrap();
        }
        // Until the other side hangs up.
        while stream.read(&mut packet).await.is_ok_and(|n| n > 0) {}
    }

    #[tokio::test]
    async fn readings_come_over_mqtt_and_what_is_none_is_counted() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let payloads = [r#"{"value": 83.5}"#, "rubbish", r#"{"value": 150, "unit": "%"}"#];
        let server = tokio::spawn(async move { scripted_broker(listener, &payloads).await });
        let sensors = Sensors {
            broker: Some(("127.0.0.1".into(), port)),
            sensors: vec![sensor(SensorKind::BinLevel, "%")],
        };
        let (readings, mut received) = mpsc::channel(8);
        let metrics = crate::health::Metrics::new().sensors();
        let clock = kerbside_domain::time::VirtualClock::new(0);
        let monitor = SensorMonitor {
            sensors,
            edge_id: "a".into(),
            clock,
            readings,
            metrics: metrics.clone(),
            pulse: None,
        };
        let running = tokio::spawn(monitor.run());
        let first = received.recv().await.unwrap();
        let second = received.recv().await.unwrap();
        assert_eq!((first.value, first.suspicious.as_deref()), (83.5, None));
        assert_eq!(second.suspicious.as_deref(), Some("out_of_range,jump"));
        assert_eq!((metrics.accepted.get(), metrics.suspicious.get(), metrics.malformed.get()), (1, 1, 1));
        drop(received);
        running.await.unwrap();
        server.await.unwrap();
    }
}
