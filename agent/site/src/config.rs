//! Configuration: one TOML file, checked whole before a thread starts (invariant 10).
//!
//! | file | owns |
//! |---|---|
//! | `site`, `instruments`, `with` | the checked [`Site`]; its receiver and sensors; a sensor's say in a rule |
//! | `assemble` | the order in which the tables are checked |
//! | `keys` | the centre's keys, and what must be signed |
//! | `exposure` | secrets and evidence that other users of the machine can read or change |
//! | `tables`, `sensors`, `sensor_source`, `outputs`, `camera`, `zones` | one table each: from raw values to checked ones |
//! | `check` | checks that every table needs |
//! | `raw`, `read` | the file as it is written; from the TOML tree to raw structs |
//! | `values`, `shape` | small languages inside values; polygons |
//! | `problem` | what is wrong, where, and how it is shown |

mod assemble;
mod camera;
mod check;
mod exposure;
mod instruments;
mod keys;
mod outputs;
mod problem;
mod raw;
mod read;
mod sensor_source;
mod sensors;
mod shape;
mod site;
mod tables;
#[cfg(test)]
mod tests;
mod values;
mod with;
mod zones;

use std::path::Path;

use crate::text;

pub use instruments::{
    Bias, Gnss, GnssSource, GpioLine, ModbusLine, ModbusPoint, NumberForm, Output, OutputWay, Parity,
    Register, RegisterData, Sensor, SensorKind, SensorSource, SensorView, Sensors, SerialPort,
};
pub use keys::SCOPES;
pub use problem::{Problem, Problems};
pub use site::{
    Backend, Camera, Centre, Confine, Device, Evidence, Health, Hours, MainStream, Mask, Models, Patrol,
    Permit, Protocol, Proxy, ProxyLogin, Push, Rule, Site, Tls, TlsTrust, Transport, WarnFirst, Zone,
};
pub use with::{Comparison, With, WithMode};

/// A larger file is no configuration, bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads and checks the file. Errors: every problem it has, each at its line and column.
pub fn load(path: &Path) -> Result<Site, Problems> {
    let unreadable = |e: std::io::Error| Problems::unreadable(path, format!("cannot be read: {e}"));
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MAX_FILE_BYTES {
        let what = format!("has {bytes} bytes; a configuration has at most {MAX_FILE_BYTES}");
        return Err(Problems::unreadable(path, what));
    }
    let text = text::decode(std::fs::read(path).map_err(unreadable)?);
    let text = text.map_err(|e| Problems::unreadable(path, format!("cannot be read: {e}")))?;
    let mut site = parse(&text, path)?;
    site.warnings.extend(exposure::warnings(path, &site));
    Ok(site)
}

/// Checks a text as if it stood in the file `path`: relative paths begin at that file's folder.
pub fn parse(text: &str, path: &Path) -> Result<Site, Problems> {
    let mut sink = problem::Sink::default();
    let (tree, errors) = toml::de::DeTable::parse_recoverable(text);
    for error in &errors {
        sink.at(error.span().unwrap_or(0..0), format!("not TOML: {}", error.message().trim()));
    }
    if !errors.is_empty() {
        // The readable rest of a broken file would only give wrong problems.
        return Err(sink.into_problems(path, text));
    }
    let base = path.parent().unwrap_or(Path::new(""));
    let site = assemble::site(read::Table::root(tree), base, &mut sink);
    if !sink.is_empty() {
        return Err(sink.into_problems(path, text));
    }
    Ok(Site { warnings: sink.warnings(path, text), ..site })
}
