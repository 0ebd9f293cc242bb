//! Delivery: journal, index and outbox in one hand, and the handle that the rest of the program has of it.
//!
//! One thread, the store thread, owns the [`Ledger`]; whoever wants something durable asks and waits
//! ([`Delivery::commit`]). Requests that wait together share one sync. The link talks to the same thread through
//! [`LinkPort`]. Nothing here knows MQTT.
//!
//! | file | owns |
//! |---|---|
//! | `handle` | [`Delivery`]: what every thread has |
//! | `store_thread` | the loop: groups commits, keeps the link's window full |
//! | `ledger` | journal, index and outbox made to agree; what comes down is judged; upkeep |
//! | `state`, `records` | what journal records mean, folded into what must be looked up |
//! | `link_messages`, `link_port` | what link and store thread say to each other |
//! | `clock_story` | what the wall clock did: jumps, and how time was reckoned before |
//! | `forgotten` | commands whose ids are forgotten, by when they were issued |
//! | `chunk_queue` | pieces of files on their way through the link |
//! | `reserve_file` | room that is set aside for reports on a full disk |

mod chunk_queue;
mod clock_story;
#[cfg(test)]
mod clock_tests;
mod error;
mod forgotten;
mod handle;
mod item;
mod ledger;
mod link_messages;
mod link_port;
#[cfg(test)]
mod old_journal;
mod records;
mod request;
mod reserve_file;
mod room;
mod settings;
mod state;
#[cfg(test)]
mod statistics_tests;
mod stats;
mod store_thread;
#[cfg(test)]
mod tests;

pub use chunk_queue::ChunkFate;
pub use error::DeliveryError;
pub use handle::{Delivery, OpenedDelivery};
pub use item::{Committed, Item};
pub use ledger::Ledger;
pub use link_messages::{LinkReport, LinkRequest};
pub use link_port::{LinkPort, Reporter};
pub use records::{SavedIncident, StageCommand, StageInput, StoredInput, without_secrets};
pub use room::Room;
pub use settings::{DeliverySettings, KEY_FILE, NEXT_KEY_FILE};
pub use stats::{DeliveryStats, Recovery, Unfinished};
