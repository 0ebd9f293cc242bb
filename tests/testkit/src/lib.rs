//! What the tests stand on: the real program, a real broker, a real RTSP server, and counterparts that fail on demand.
//!
//! It knows the agent from outside alone (its command line, its log, its pages, its messages), so that every crate's tests may use
//! it. Each handle stops what it started when it goes.
//!
//! * [`wait`]: every wait has a limit and says what was awaited and what came; the only clock and the only sleep of the tests.
//! * [`Process`], [`program`]: programs whose output is read as it comes; the one under test; replays; skipped tests.
//! * [`Agent`], [`Centre`], [`Site`]: `kerbside run`, the centre's side of it, a site file for one test.
//! * [`Broker`] (mosquitto), [`ScriptedBroker`] (one that fails by a script), [`QuirkyBroker`] (one of a table of
//!   quirks), [`FloodBroker`] (one that drowns), [`mqtt`] (their packets).
//! * [`Proxy`] (a slow network), [`ConnectProxy`] (HTTP CONNECT), [`WebSocketFront`] (MQTT over WebSocket).
//! * [`Cameras`] (clips over GStreamer's RTSP server), [`rtsp`] (a camera that fails on demand and has quirks),
//!   [`MjpegCamera`] (one that speaks HTTP), [`clips`] (what a file holds),
//!   [`flv`] (a stream that changes on its way).
//! * [`Pty`]: a serial port with somebody at its other end.
//! * [`Intruder`]: makes a running process call the kernel as if somebody had taken it over.
//! * [`http`], [`PutServer`], [`sensors`], [`Contract`], [`certificates()`]: pages, a store for uploads, readings and fixes, the
//!   schemas of messages, a private certification authority.
//! * [`c2pa`]: what other people's verifiers say of signed pictures and clips.

mod agent;
mod broker;
pub mod c2pa;
mod cameras;
mod centre;
mod certificates;
pub mod clips;
mod connect_proxy;
mod contract;
mod flood_broker;
pub mod flv;
pub mod http;
#[cfg(target_arch = "x86_64")]
mod intruder;
mod mjpeg;
pub mod mqtt;
mod process;
pub mod program;
mod proxy;
mod pty;
mod put_server;
mod quirky_broker;
pub mod rtsp;
mod scripted_broker;
pub mod sensors;
mod served;
mod site;
pub mod wait;
mod websocket_front;

pub use agent::Agent;
pub use broker::{Broker, free_port};
pub use cameras::Cameras;
pub use centre::{Centre, messages};
pub use certificates::{certificates, certificates_of, claim_certificate, renew_certificate};
pub use connect_proxy::ConnectProxy;
pub use contract::Contract;
pub use flood_broker::{Flood, FloodBroker, SeenInFlood};
#[cfg(target_arch = "x86_64")]
pub use intruder::{Called, Intruder};
pub use mjpeg::MjpegCamera;
pub use process::Process;
pub use program::{clip, command, repo};
pub use proxy::Proxy;
pub use pty::Pty;
pub use put_server::PutServer;
pub use quirky_broker::{BROKER_QUIRKS, BrokerQuirk, Does, QuirkyBroker, SeenByBroker};
pub use scripted_broker::{BrokerFault, Received, ReceivedMatter, ScriptedBroker};
pub use served::Served;
pub use site::Site;
pub use wait::LIMIT;
pub use websocket_front::WebSocketFront;
