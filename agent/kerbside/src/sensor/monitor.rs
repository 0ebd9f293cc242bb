//! The sensors' MQTT shell: it connects to the box's own broker, subscribes, and hands payloads to the checks of `readings`.
//!
//! Call buttons have a connection of their own, whose session the broker keeps while the box is away; a press is acknowledged to
//! the broker only once it is durable on the box.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish, QoS};
use tokio::sync::Semaphore;

use super::intake::Intake;
use super::log_limit::LogLimit;
use super::pace::{self, Backoff};
use super::readings::Checker;
use super::seen_ids::SeenIds;
use kerbside_site::config::{Sensor, SensorKind, SensorSource, Sensors};

/// Largest packet that is accepted, bytes. A longer one costs the connection, and if it is retained also each one after it, so
/// this is far above the size of a reading.
const INCOMING_LIMIT: usize = 4 << 20;
/// Largest packet that is sent, bytes: subscriptions only.
const OUTGOING_LIMIT: usize = 4096;
/// The broker is on the same box, so a dead connection shows early.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Room for requests beside two for each topic.
const REQUESTS: usize = 8;
/// Presses that wait for the disk; beyond, nothing more is read from the broker.
const PRESSES: usize = 32;

/// Which sensors a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// All but call buttons; the newest reading is all that counts.
    Readings,
    /// Call buttons: no press may be lost.
    Calls,
}

/// Subscribes to the topics of its share of the sensors at the box's own broker, and sends on what comes.
#[derive(Debug)]
pub(super) struct SensorMonitor {
    broker: (String, u16),
    edge_id: String,
    share: Share,
    checkers: Vec<(String, Checker)>,
    intake: Intake,
}

impl SensorMonitor {
    /// `None`: the site has no broker, or no sensor of this share on a topic.
    pub(super) fn of(sensors: &Sensors, share: Share, edge_id: &str, intake: &Intake) -> Option<Self> {
        let is_mine = |s: &&Sensor| (s.kind == SensorKind::CallButton) == (share == Share::Calls);
        let on_topic = |s: &Sensor| match &s.source {
            SensorSource::Mqtt { topic } => Some((topic.clone(), Checker::new(s))),
            _ => None,
        };
        let checkers: Vec<_> = sensors.sensors.iter().filter(is_mine).filter_map(on_topic).collect();
        let broker = sensors.broker.clone().filter(|_| !checkers.is_empty())?;
        Some(SensorMonitor { broker, edge_id: edge_id.to_owned(), share, checkers, intake: intake.clone() })
    }

    /// Runs until nobody receives readings.
    pub(super) async fn run(self) {
        let is_calls = self.share == Share::Calls;
        let name = if is_calls { "calls" } else { "sensors" };
        let mut options =
            MqttOptions::new(format!("{}-{name}", self.edge_id), self.broker.0.clone(), self.broker.1);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_max_packet_size(INCOMING_LIMIT, OUTGOING_LIMIT)
            .set_clean_session(!is_calls)
            .set_manual_acks(is_calls)
            .set_inflight(8);
        let room = 2 * self.checkers.len() + REQUESTS + PRESSES;
        let (client, events) = AsyncClient::new(options, room);
        let mut session = Session {
            monitor: self,
            client,
            seen: SeenIds::default(),
            faults: LogLimit::default(),
            connection: Arc::default(),
            waiting: Arc::new(Semaphore::new(PRESSES)),
        };
        session.poll(events).await;
    }
}

struct Session {
    monitor: SensorMonitor,
    client: AsyncClient,
    /// Of presses that are on their way or durable.
    seen: SeenIds,
    faults: LogLimit,
    /// Counts connections: an acknowledgement is good on its own only.
    connection: Arc<AtomicU64>,
    waiting: Arc<Semaphore>,
}

impl Session {
    async fn poll(&mut self, mut events: EventLoop) {
        let mut backoff = Backoff::default();
        let intake = self.monitor.intake.clone();
        let mut beats = tokio::time::interval(Duration::from_secs(1));
        while !intake.is_closed() {
            // A poll must not be cancelled: it would lose what it has read.
            let polled = {
                let poll = events.poll();
                tokio::pin!(poll);
                loop {
                    tokio::select! {
                        polled = &mut poll => break Some(polled),
                        _ = beats.tick() => intake.beat(),
                        () = intake.readings.closed() => break None,
                    }
                }
            };
            match polled {
                None => return,
                Some(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                    backoff.reset();
                    self.connection.fetch_add(1, Ordering::AcqRel);
                    tracing::info!(share = ?self.monitor.share, "sensor broker connected");
                    self.subscribe();
                }
                Some(Ok(Event::Incoming(Packet::Publish(publish)))) => self.take(publish).await,
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    let wait_s = backoff.next_s();
                    tracing::warn!(%error, wait_s, "sensor broker lost");
                    intake.metrics.line_lost.inc();
                    self.connection.fetch_add(1, Ordering::AcqRel);
                    events.clean();
                    events.pending.clear();
                    pace::scattered(&intake, wait_s).await;
                }
            }
        }
    }

    /// Does not wait: the queue of requests has room for every topic.
    fn subscribe(&self) {
        for (topic, _) in &self.monitor.checkers {
            if let Err(error) = self.client.try_subscribe(topic, QoS::AtLeastOnce) {
                tracing::error!(%topic, %error, "the topic of a sensor could not be subscribed");
            }
        }
    }

    async fn take(&mut self, publish: Publish) {
        let intake = self.monitor.intake.clone();
        let now = intake.now();
        let found = self.monitor.checkers.iter_mut().find(|(topic, _)| *topic == publish.topic);
        let Some((topic, checker)) = found else {
            intake.metrics.unknown_topic.inc();
            return self.acknowledge(&publish);
        };
        match checker.check(&publish.payload, now) {
            Ok((reading, id)) if self.monitor.share == Share::Calls && reading.value >= 0.5 => {
                // Ids are each button's own. A sensor's id holds no space.
                let id = id.map(|id| format!("{} {id}", reading.sensor));
                if id.as_ref().is_some_and(|id| self.seen.contains(id)) {
                    // While a press waits for the disk this may be that one: unacknowledged, the broker brings it again.
                    if self.waiting.available_permits() == PRESSES {
                        self.acknowledge(&publish);
                    }
                    return;
                }
                self.press(reading, id, publish).await;
            }
            Ok((reading, _)) => {
                intake.reading(reading);
                self.acknowledge(&publish);
            }
            Err(error) => {
                intake.malformed(topic, &error, &mut self.faults);
                self.acknowledge(&publish);
            }
        }
    }

    /// Sends a press on and acknowledges it when it is durable, if the connection that brought it still stands then. Otherwise the
    /// broker brings it again.
    async fn press(
        &mut self,
        reading: kerbside_domain::reading::Reading,
        id: Option<String>,
        publish: Publish,
    ) {
        let Ok(place) = self.waiting.clone().acquire_owned().await else { return };
        if let Some(id) = id {
            self.seen.insert(id);
        }
        let (intake, client) = (self.monitor.intake.clone(), self.client.clone());
        let (connection, brought_on) = (self.connection.clone(), self.connection.load(Ordering::Acquire));
        tokio::spawn(async move {
            let _place = place;
            if intake.press(reading).await
                && connection.load(Ordering::Acquire) == brought_on
                && let Err(error) = client.try_ack(&publish)
            {
                tracing::warn!(%error, "a press is durable and not acknowledged: the broker brings it again");
            }
        });
    }

    /// Of a connection that acknowledges by hand.
    fn acknowledge(&self, publish: &Publish) {
        if self.monitor.share == Share::Calls
            && let Err(error) = self.client.try_ack(publish)
        {
            tracing::warn!(%error, "a message of a call button is not acknowledged");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::intake::testing::intake;
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    fn sensors(kind: SensorKind, unit: &str, listener: &TcpListener) -> Sensors {
        let port = listener.local_addr().unwrap().port();
        let sensor = Sensor::on_topic("bin-1", kind, unit, "sensors/bin-1");
        Sensors { broker: Some(("127.0.0.1".into(), port)), sensors: vec![sensor] }
    }

    /// Speaks just enough MQTT 3.1.1: accepts and grants the subscription.
    async fn accept(listener: &TcpListener) -> TcpStream {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut packet = [0u8; 256];
        assert!(stream.read(&mut packet).await.unwrap() > 0 && packet[0] == 0x10, "CONNECT");
        stream.write_all(&[0x20, 2, 0, 0]).await.unwrap();
        assert!(stream.read(&mut packet).await.unwrap() > 0 && packet[0] == 0x82, "SUBSCRIBE");
        stream.write_all(&[0x90, 3, packet[2], packet[3], 1]).await.unwrap();
        stream
    }

    /// Quality of service 1 with this packet id; `None`: 0.
    fn publish(packet_id: Option<u8>, payload: &str) -> Vec<u8> {
        publish_on("sensors/bin-1", packet_id, payload)
    }

    fn publish_on(topic: &str, packet_id: Option<u8>, payload: &str) -> Vec<u8> {
        let id: Vec<u8> = packet_id.map(|id| vec![0, id]).unwrap_or_default();
        let first = if packet_id.is_some() { 0x32 } else { 0x30 };
        let length = (2 + topic.len() + id.len() + payload.len()) as u8;
        let mut publish = vec![first, length, 0, topic.len() as u8];
        publish.extend_from_slice(topic.as_bytes());
        publish.extend(id);
        publish.extend_from_slice(payload.as_bytes());
        publish
    }

    #[tokio::test]
    async fn readings_come_over_mqtt_and_what_is_none_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (intake, mut received, _presses) = intake();
        let sensors = sensors(SensorKind::BinLevel, "%", &listener);
        let monitor = SensorMonitor::of(&sensors, Share::Readings, "a", &intake).unwrap();
        assert!(SensorMonitor::of(&sensors, Share::Calls, "a", &intake).is_none());
        let metrics = intake.metrics.clone();
        let running = tokio::spawn(monitor.run());
        let mut stream = accept(&listener).await;
        for payload in [r#"{"value": 83.5}"#, "rubbish", r#"{"value": 150, "unit": "%"}"#] {
            stream.write_all(&publish(None, payload)).await.unwrap();
        }
        let first = received.recv().await.unwrap();
        let second = received.recv().await.unwrap();
        assert_eq!((first.value, first.suspicious.as_deref()), (83.5, None));
        assert_eq!(second.suspicious.as_deref(), Some("out_of_range,jump"));
        assert_eq!((metrics.accepted.get(), metrics.suspicious.get(), metrics.malformed.get()), (1, 1, 1));
        drop(received);
        running.await.unwrap();
    }

    #[tokio::test]
    async fn a_press_is_acknowledged_once_it_is_durable_and_brought_again_it_is_the_same() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (intake, received, mut presses) = intake();
        let sensors = sensors(SensorKind::CallButton, "1", &listener);
        let monitor = SensorMonitor::of(&sensors, Share::Calls, "a", &intake).unwrap();
        let running = tokio::spawn(monitor.run());
        let mut stream = accept(&listener).await;
        stream.write_all(&publish(Some(7), r#"{"value": 1, "id": "p1"}"#)).await.unwrap();
        let press = presses.recv().await.unwrap();
        // What is no press is acknowledged at once; the press before it is not.
        stream.write_all(&publish(Some(8), r#"{"value": 0}"#)).await.unwrap();
        let mut ack = [0u8; 4];
        stream.read_exact(&mut ack).await.unwrap();
        assert_eq!(ack, [0x40, 2, 0, 8]);
        press.durable.send(()).unwrap();
        stream.read_exact(&mut ack).await.unwrap();
        assert_eq!(ack, [0x40, 2, 0, 7]);
        // The acknowledgement was lost: the same id is acknowledged and no further press.
        stream.write_all(&publish(Some(9), r#"{"value": 1, "id": "p1"}"#)).await.unwrap();
        stream.read_exact(&mut ack).await.unwrap();
        assert_eq!((ack, presses.try_recv().is_err()), ([0x40, 2, 0, 9], true));
        drop(received);
        running.await.unwrap();
    }

    /// Two buttons count their presses alike; and what is brought again while a press waits for the disk may be that press.
    #[tokio::test]
    async fn the_presses_of_two_buttons_are_told_apart_and_none_is_acknowledged_early() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (intake, received, mut presses) = intake();
        let mut sensors = sensors(SensorKind::CallButton, "1", &listener);
        sensors.sensors.push(Sensor::on_topic("bin-2", SensorKind::CallButton, "1", "sensors/bin-2"));
        let monitor = SensorMonitor::of(&sensors, Share::Calls, "a", &intake).unwrap();
        let running = tokio::spawn(monitor.run());
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut packet = [0u8; 256];
        assert!(stream.read(&mut packet).await.unwrap() > 0 && packet[0] == 0x10, "CONNECT");
        stream.write_all(&[0x20, 2, 0, 0]).await.unwrap();
        for (topic, id) in [("sensors/bin-1", 5), ("sensors/bin-2", 6)] {
            stream.write_all(&publish_on(topic, Some(id), r#"{"value": 1, "id": "1"}"#)).await.unwrap();
        }
        let (first, second) = (presses.recv().await.unwrap(), presses.recv().await.unwrap());
        assert_eq!((&*first.reading.sensor, &*second.reading.sensor), ("bin-1", "bin-2"));
        // Again, while both wait: it is no third press, and no acknowledgement comes before that of a durable one.
        stream.write_all(&publish(Some(7), r#"{"value": 1, "id": "1"}"#)).await.unwrap();
        stream.write_all(&publish(Some(8), r#"{"value": 0}"#)).await.unwrap();
        let acknowledged = async |stream: &mut TcpStream| loop {
            let mut head = [0u8; 2];
            stream.read_exact(&mut head).await.unwrap();
            let mut rest = vec![0; head[1].into()];
            stream.read_exact(&mut rest).await.unwrap();
            if head[0] == 0x40 {
                return rest[1];
            }
        };
        assert_eq!(acknowledged(&mut stream).await, 8, "what is no press, and neither 5, 6 nor 7");
        assert!(presses.try_recv().is_err());
        second.durable.send(()).unwrap();
        assert_eq!(acknowledged(&mut stream).await, 6);
        drop(received);
        running.await.unwrap();
    }

    #[tokio::test]
    async fn a_press_that_is_not_durable_is_not_acknowledged() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (intake, received, mut presses) = intake();
        let sensors = sensors(SensorKind::CallButton, "1", &listener);
        let running = tokio::spawn(SensorMonitor::of(&sensors, Share::Calls, "a", &intake).unwrap().run());
        let mut stream = accept(&listener).await;
        stream.write_all(&publish(Some(7), r#"{"value": 1}"#)).await.unwrap();
        drop(presses.recv().await.unwrap());
        stream.write_all(&publish(Some(8), r#"{"value": 0}"#)).await.unwrap();
        let mut ack = [0u8; 4];
        stream.read_exact(&mut ack).await.unwrap();
        assert_eq!(ack, [0x40, 2, 0, 8], "that of the press does not come");
        drop(received);
        running.await.unwrap();
    }
}
