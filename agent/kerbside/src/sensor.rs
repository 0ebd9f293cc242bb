//! Sensors: where the box is (GNSS), and what stands around it (bin levels, smoke, noise).
//!
//! Pure parsers and checks, each with a thin tokio shell. It knows nothing of incidents.
//!
//! | file | owns |
//! |---|---|
//! | `gnss` | the GNSS shell: one receiver, its events, reconnects |
//! | `receiver` | opening a receiver: serial, TCP, file, gpsd |
//! | `lines`, `nmea`, `gpsd` | from bytes to fixes |
//! | `fix`, `doubt` | a fix, and why one is not believed |
//! | `mean`, `settled` | the settled position of a box that does not move, and its file |
//! | `monitor` | the sensors' MQTT shell |
//! | `readings` | from a payload to a reading |

mod doubt;
mod fix;
mod gnss;
mod gpsd;
mod lines;
mod log_limit;
mod mean;
mod monitor;
mod nmea;
mod readings;
mod receiver;
mod settled;

pub use fix::{Fix, FixDoubt, FixQuality};
pub(crate) use gnss::{Gnss, GnssEvent};
pub use gpsd::GpsdParser;
pub use lines::LineBuffer;
pub(crate) use monitor::SensorMonitor;
pub use nmea::{Assembler, LineCounts};
