//! The link's state machine: events in, actions out, no I/O and no clock of its own.
//!
//! What it guards against: a connection that hangs for ever (watchdog), a broker that withholds a PUBACK (time limit), PUBACKs
//! that name only a packet id (paired in the order of writing), a message on which the broker closes every connection (sent
//! alone, then given up with a reason), topics that it refuses (set aside, the others go on), a broker that cannot do what
//! is asked (the terms of the next connection are smaller, and that is said), another client of the same name, and connections
//! that come up and bring nothing forward.
//!
//! | file | owns |
//! |---|---|
//! | `core` | the states of a connection, and what leads from one to the next |
//! | `terms` | how the next connection is made, by what the broker has shown |
//! | `topics` | topics that the broker refuses |
//! | `isolation` | messages on which it closes connections |
//! | `rivals` | another client of the same name |
//! | `progress` | whether connections bring anything forward |
//! | `life` | signs of life: what is due when |
//! | `event`, `settings` | what goes in and out, and how it behaves |

mod core;
mod event;
mod isolation;
mod life;
mod progress;
mod rivals;
mod settings;
mod terms;
mod topics;

pub use self::core::Machine;
pub use event::{Accepted, Dismissal, LinkAction, LinkChange, LinkEvent, Verdict};
pub use settings::{MachineSettings, Terms};
