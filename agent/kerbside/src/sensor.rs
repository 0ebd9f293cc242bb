//! Sensors: where the box is (GNSS), and what stands around it (bin levels, smoke, noise, doors, call buttons).
//!
//! Pure parsers and checks, each with a thin tokio shell. It knows nothing of incidents.
//!
//! | file | owns |
//! |---|---|
//! | `gnss` | the GNSS shell: one receiver, its events, reconnects |
//! | `receiver` | opening a receiver: serial, TCP, file, gpsd |
//! | `lines`, `nmea`, `gpsd` | from bytes to fixes |
//! | `fix`, `doubt` | a fix, and why one is not believed |
//! | `jump` | whether a box that does not move is suddenly elsewhere |
//! | `mean`, `settled` | the settled position of a box that does not move, and its file |
//! | `intake` | where the readings of all ways in go, and the presses of call buttons |
//! | `monitor` | sensors on the box's own broker |
//! | `modbus` | registers of Modbus devices, over TCP and RTU |
//! | `serial_lines`, `serial` | lines of JSON over a serial port; opening one |
//! | `gpio` | lines of a GPIO chip |
//! | `readings` | from a payload or a value to a reading |
//! | `seen_ids`, `pace` | presses that were brought before; waits between attempts |

mod doubt;
mod fix;
mod gnss;
mod gpio;
mod gpsd;
mod intake;
mod jump;
mod lines;
mod log_limit;
mod mean;
mod median;
mod modbus;
mod monitor;
mod nmea;
mod pace;
mod readings;
mod receiver;
mod seen_ids;
mod serial;
mod serial_lines;
mod settled;

use std::future::Future;
use std::pin::Pin;

use kerbside_site::config::Sensors;

pub use fix::{Fix, FixDoubt, FixQuality};
pub(crate) use gnss::{Gnss, GnssEvent};
pub use gpsd::GpsdParser;
pub(crate) use intake::{Intake, Press};
pub use lines::LineBuffer;
pub use nmea::{Assembler, LineCounts};

/// One way in, running until nobody receives readings.
pub(crate) type Way = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Every way in that the site has: a task a broker connection, a Modbus line, a serial port, a GPIO line.
pub(crate) fn ways(sensors: &Sensors, edge_id: &str, intake: &Intake) -> Vec<(&'static str, Way)> {
    let mut ways: Vec<(&'static str, Way)> = Vec::new();
    for share in [monitor::Share::Readings, monitor::Share::Calls] {
        if let Some(monitor) = monitor::SensorMonitor::of(sensors, share, edge_id, intake) {
            ways.push(("sensors", Box::pin(monitor.run())));
        }
    }
    for bus in modbus::ModbusBus::of(&sensors.sensors, intake) {
        ways.push(("modbus", Box::pin(bus.run())));
    }
    for port in serial_lines::SerialLines::of(&sensors.sensors, intake) {
        ways.push(("serial", Box::pin(port.run())));
    }
    for line in gpio::GpioInput::of(&sensors.sensors, intake) {
        ways.push(("gpio", Box::pin(line.run())));
    }
    ways
}
