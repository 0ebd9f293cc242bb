//! Brokers as they are: a table of quirks, one line each, and a broker that has one of them.
//!
//! Each line says what the box must name, so that a test can go through all of them; the first is a broker without any.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::mqtt::{self, Connack, Packet};
use crate::served::Served;
use crate::wait::Watched;

/// What a broker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// All that it should.
    Everything,
    /// PUBACK with this reason code on topics that end so (MQTT 5).
    Refuses { end: &'static str, code: u8 },
    /// Closes the connection on such a topic.
    ClosesOn { end: &'static str },
    /// The same with DISCONNECT and this reason code first (MQTT 5).
    DisconnectsOn { end: &'static str, code: u8 },
    /// Says that it takes no retained messages: CONNACK 0x9A on a retained will.
    SaysNoRetain,
    /// Lets the will pass, names it in CONNACK, and says DISCONNECT 0x9A on a retained message.
    SaysNoRetainLate,
    /// Just closes on a retained will.
    ClosesOnRetainedWill,
    /// Just closes on a retained message.
    ClosesOnRetained,
    /// Takes QoS 0 alone: CONNACK 0x9B on another will, and names it.
    SaysQos0,
    /// SUBACK refuses what ends so; an empty end is everything.
    RefusesSubscription { end: &'static str },
    /// Another client of the same name comes when this one has been silent for so long: DISCONNECT 0x8E, or in 3.1.1 the end.
    GivesSessionAway { after_ms: u64 },
    /// Answers MQTT 5 with CONNACK 1 of 3.1.1, as nats and old brokers do.
    Speaks311Only,
    /// Just closes on MQTT 5.
    Closes5,
    /// CONNACK with this code.
    LetsNobodyIn { v5: u8, v311: u8 },
    /// Wants a sign of life each so many seconds, and says so in CONNACK.
    HasKeepAlive { s: u16 },
    /// Sends a message of so many bytes on `case`, though the client says what is too long.
    SendsLong { bytes: usize },
}

/// A quirk, where it shows, and what the box must say of it.
#[derive(Clone, Copy, Debug)]
pub struct BrokerQuirk {
    pub name: &'static str,
    pub does: Does,
    /// `None`: with both versions.
    pub v5: Option<bool>,
    /// The problem, as the metrics name it; `None`: nothing, it just works.
    pub named: Option<&'static str>,
    /// Reports come all the same.
    pub reports_come: bool,
}

const fn quirk(name: &'static str, does: Does, v5: Option<bool>, named: &'static str) -> BrokerQuirk {
    BrokerQuirk { name, does, v5, named: Some(named), reports_come: true }
}

const fn stands(name: &'static str, does: Does, v5: Option<bool>) -> BrokerQuirk {
    BrokerQuirk { name, does, v5, named: None, reports_come: true }
}

const fn stops(name: &'static str, does: Does, v5: Option<bool>, named: &'static str) -> BrokerQuirk {
    BrokerQuirk { name, does, v5, named: Some(named), reports_come: false }
}

/// MQTT 5 alone, and 3.1.1 alone.
const V5: Option<bool> = Some(true);
const V311: Option<bool> = Some(false);

pub const BROKER_QUIRKS: &[BrokerQuirk] = &[
    stands("none", Does::Everything, None),
    quirk("position is not authorized", Does::Refuses { end: "/position", code: 0x87 }, V5, "topics_refused"),
    quirk("the birth is not authorized", Does::Refuses { end: "/state", code: 0x87 }, V5, "topics_refused"),
    quirk("an unknown reason code", Does::Refuses { end: "/position", code: 0xEE }, V5, "topics_refused"),
    quirk(
        "the topic is called invalid",
        Does::Refuses { end: "/position", code: 0x90 },
        V5,
        "topics_refused",
    ),
    stops("reports are not authorized", Does::Refuses { end: "/opened", code: 0x87 }, V5, "reports_refused"),
    stops("reports are called invalid", Does::Refuses { end: "/opened", code: 0x90 }, V5, "reports_refused"),
    quirk("closes on position", Does::ClosesOn { end: "/position" }, None, "topics_refused"),
    quirk(
        "closes on position, and says why",
        Does::DisconnectsOn { end: "/position", code: 0x87 },
        V5,
        "topics_refused",
    ),
    quirk("closes on the birth", Does::ClosesOn { end: "/state" }, V311, "topics_refused"),
    stops("closes on reports", Does::ClosesOn { end: "/opened" }, None, "reports_refused"),
    quirk("no retain, said", Does::SaysNoRetain, V5, "no_retain"),
    quirk("no retain, said late", Does::SaysNoRetainLate, V5, "no_retain"),
    quirk("no retain, not said", Does::ClosesOnRetainedWill, V311, "no_retain"),
    quirk("no retained messages, not said", Does::ClosesOnRetained, None, "no_retain"),
    quirk("QoS 0 only", Does::SaysQos0, V5, "low_qos"),
    quirk("no subscription", Does::RefusesSubscription { end: "" }, None, "subscriptions_refused"),
    quirk("no receipts", Does::RefusesSubscription { end: "/receipt" }, None, "subscriptions_refused"),
    quirk("two boxes of one name", Does::GivesSessionAway { after_ms: 150 }, None, "session_taken"),
    quirk("3.1.1 only", Does::Speaks311Only, V5, "old_protocol"),
    quirk("3.1.1 only, not said", Does::Closes5, V5, "old_protocol"),
    stops("wrong password", Does::LetsNobodyIn { v5: 0x86, v311: 4 }, None, "not_let_in"),
    stops("banned", Does::LetsNobodyIn { v5: 0x8A, v311: 5 }, None, "not_let_in"),
    stands("a short keep-alive of its own", Does::HasKeepAlive { s: 1 }, V5),
    stands("a message that is too long", Does::SendsLong { bytes: 500_000 }, None),
];

/// What one broker has seen.
#[derive(Debug, Default)]
pub struct SeenByBroker {
    /// How each connection introduced itself: MQTT 5?, retained will?, QoS of the will.
    pub connects: Vec<(bool, bool, u8)>,
    /// Taken messages by topic: how often.
    pub taken: BTreeMap<String, u32>,
    /// Publishes on all connections.
    pub published: u32,
    /// PUBACKs of the client.
    pub acknowledged: u32,
    /// Retained messages that were taken.
    pub retained: u32,
    /// PINGREQs.
    pub pings: u32,
    /// Connections closed because the client was silent for too long.
    pub silent: u32,
}

impl std::fmt::Display for SeenByBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

/// A broker with one of the quirks.
pub type QuirkyBroker = Served<SeenByBroker>;

impl QuirkyBroker {
    pub fn start(does: Does) -> Result<QuirkyBroker> {
        Served::by(move |stream, seen| serve(stream, does, seen))
    }
}

fn serve(mut stream: &TcpStream, does: Does, seen: &Watched<SeenByBroker>) -> Result<()> {
    stream.set_nodelay(true)?;
    let first = mqtt::read(&mut stream, false)?.context("gone before CONNECT")?;
    let Packet::Connect { v5, will_retain, will_qos, .. } = first else { bail!("no CONNECT") };
    let is_first = seen.change(|s| {
        s.connects.push((v5, will_retain, will_qos));
        s.connects.len() == 1
    });
    let mut says = Connack { session_present: !is_first, ..Connack::default() };
    match does {
        Does::SaysNoRetain if will_retain => says.code = Some(0x9A),
        Does::SaysNoRetain | Does::SaysNoRetainLate => says.no_retain = true,
        Does::ClosesOnRetainedWill if will_retain => return Ok(()),
        Does::SaysQos0 if will_qos > 0 => says.code = Some(0x9B),
        Does::SaysQos0 => says.qos0_only = true,
        Does::Speaks311Only if v5 => {
            return mqtt::connack(&mut stream, false, Connack { code: Some(1), ..says });
        }
        Does::Closes5 if v5 => return Ok(()),
        Does::LetsNobodyIn { v5: new, v311: old } => says.code = Some(if v5 { new } else { old }),
        Does::HasKeepAlive { s } => {
            says.keep_alive_s = Some(s);
            stream.set_read_timeout(Some(Duration::from_secs_f64(1.5 * f64::from(s))))?;
        }
        Does::GivesSessionAway { after_ms } => {
            stream.set_read_timeout(Some(Duration::from_millis(after_ms)))?;
        }
        _ => {}
    }
    mqtt::connack(&mut stream, v5, says)?;
    if says.code.is_some() {
        return Ok(());
    }
    Connection { stream, v5, does, seen }.attend()
}

/// One that was let in.
struct Connection<'a> {
    stream: &'a TcpStream,
    v5: bool,
    does: Does,
    seen: &'a Watched<SeenByBroker>,
}

impl Connection<'_> {
    fn attend(mut self) -> Result<()> {
        loop {
            let packet = match mqtt::read(&mut self.stream, self.v5)? {
                Some(packet) => packet,
                None => {
                    match self.does {
                        Does::HasKeepAlive { .. } => self.seen.change(|s| s.silent += 1),
                        Does::GivesSessionAway { .. } if self.v5 => {
                            mqtt::disconnect(&mut self.stream, 0x8E)?;
                        }
                        _ => {}
                    }
                    return Ok(());
                }
            };
            match packet {
                Packet::Publish { topic, pkid, retain, .. } => {
                    if !self.publish(topic, pkid, retain)? {
                        return Ok(());
                    }
                }
                Packet::Subscribe { pkid, filters } => self.subscribe(pkid, &filters)?,
                Packet::Ping => {
                    self.seen.change(|s| s.pings += 1);
                    mqtt::pong(&mut self.stream)?;
                }
                Packet::Disconnect => return Ok(()),
                Packet::PubAck { .. } => self.seen.change(|s| s.acknowledged += 1),
                Packet::Other => {}
                Packet::Connect { .. } => bail!("CONNECT twice"),
            }
        }
    }

    /// False: the connection is over.
    fn publish(&mut self, topic: String, pkid: u16, retain: bool) -> Result<bool> {
        self.seen.change(|s| s.published += 1);
        let refused = match self.does {
            Does::ClosesOn { end } if topic.ends_with(end) => return Ok(false),
            Does::ClosesOnRetained if retain => return Ok(false),
            Does::DisconnectsOn { end, code } if topic.ends_with(end) => {
                mqtt::disconnect(&mut self.stream, code)?;
                return Ok(false);
            }
            Does::SaysNoRetainLate if retain => {
                mqtt::disconnect(&mut self.stream, 0x9A)?;
                return Ok(false);
            }
            Does::Refuses { end, code } if topic.ends_with(end) => Some(code),
            _ => None,
        };
        match refused {
            Some(code) => {
                mqtt::puback_code(&mut self.stream, pkid, code)?;
                return Ok(true);
            }
            None if pkid > 0 => mqtt::puback(&mut self.stream, pkid)?,
            None => {}
        }
        self.seen.change(|s| {
            *s.taken.entry(topic).or_default() += 1;
            s.retained += u32::from(retain);
        });
        Ok(true)
    }

    fn subscribe(&mut self, pkid: u16, filters: &[String]) -> Result<()> {
        let code = |filter: &String| match self.does {
            Does::RefusesSubscription { end } if filter.ends_with(end) => {
                if self.v5 {
                    0x87
                } else {
                    0x80
                }
            }
            _ => 1,
        };
        mqtt::suback_codes(&mut self.stream, self.v5, pkid, &filters.iter().map(code).collect::<Vec<_>>())?;
        if let Does::SendsLong { bytes } = self.does {
            let topic = filters.iter().find(|f| f.ends_with("/case")).context("no filter for cases")?;
            mqtt::publish_down(&mut self.stream, self.v5, topic, 7, &vec![b' '; bytes])?;
        }
        Ok(())
    }
}
