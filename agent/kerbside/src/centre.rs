//! The centre's side in a terminal: watches boxes, answers receipts, sends signed commands, makes keys.
//!
//! For demonstrations, commissioning and tests; it stores nothing. De-duplication is by (source, id), as the contract
//! says. It stands on the wire alone and uses nothing of the box.
//!
//! | file | owns |
//! |---|---|
//! | `broker` | how to reach a broker |
//! | `watch` | `kerbside watch`: incidents as they come, and their receipts |
//! | `received` | which messages came already, and the counts |
//! | `print` | a message in the terminal, in Chinese and English |
//! | `command` | `kerbside command`: a signed command, and the box's answer |
//! | `key` | `kerbside key`: a key of the centre |

mod broker;
mod command;
mod key;
mod print;
mod received;
mod watch;

pub use broker::{BrokerAddress, parse_broker};
pub use command::{PreparedCommand, prepare, send_command};
pub use key::{new_key, show_key};
pub use received::{ReceivedEvents, Tally};
pub use watch::{WatchOptions, watch, watch_until};
