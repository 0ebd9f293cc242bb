//! The link's state machine: events in, actions out, no I/O and no clock of its own.
//!
//! What it guards against, each seen with rumqttc 0.25: a poll that hangs for ever (watchdog), a broker that withholds a
//! PUBACK (time limit), messages dropped on reconnect (each connection starts from nothing and the store thread hands over
//! again), PUBACKs that name only a packet id (paired in the order of writing), a message on which the broker closes every
//! connection (sent alone, then given up with a reason).

mod core;
mod event;
mod isolation;
mod settings;

pub use self::core::Machine;
pub use event::{LinkAction, LinkChange, LinkEvent, Verdict};
pub use settings::MachineSettings;
