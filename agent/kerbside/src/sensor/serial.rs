//! Opening a serial port with the settings of the site, eight data bits.

use serial2_tokio::{CharSize, FlowControl, SerialPort, Settings, StopBits};

use kerbside_site::config::{self, Parity};

/// Opens the port for this process alone.
pub(super) fn open(port: &config::SerialPort) -> std::io::Result<SerialPort> {
    let parity = match port.parity {
        Parity::None => serial2_tokio::Parity::None,
        Parity::Even => serial2_tokio::Parity::Even,
        Parity::Odd => serial2_tokio::Parity::Odd,
    };
    let stop_bits = if port.stop_bits == 2 { StopBits::Two } else { StopBits::One };
    let baud = port.baud;
    SerialPort::open(&port.path, move |mut settings: Settings| {
        settings.set_raw();
        settings.set_char_size(CharSize::Bits8);
        settings.set_parity(parity);
        settings.set_stop_bits(stop_bits);
        settings.set_flow_control(FlowControl::None);
        settings.set_baud_rate(baud)?;
        Ok(settings)
    })
}
