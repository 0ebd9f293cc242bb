//! How the readings of a sensor come: its topic, or its `source` with the tables `modbus` and `gpio`.

use std::ops::Range;

use toml::Spanned;

use super::check::Check;
use super::instruments::{
    Bias, GpioLine, ModbusLine, ModbusPoint, NumberForm, Parity, Register, RegisterData, Sensor, SensorKind,
    SensorSource, SerialPort,
};
use super::raw;
use super::read::Table;
use super::values;

const ALLOWED: &str = "allowed: modbus-tcp://host:port, modbus-rtu:/dev/ttyS2?baud=9600&parity=even&stop=1, \
                       serial:/dev/ttyS3?baud=115200, gpio:/dev/gpiochip0/17; or topic = \"sensors/bin-1\"";
const REGISTERS: [(&str, Register); 4] = [
    ("holding", Register::Holding),
    ("input", Register::Input),
    ("coil", Register::Coil),
    ("discrete", Register::Discrete),
];
const FORMS: [(&str, NumberForm); 5] = [
    ("u16", NumberForm::U16),
    ("i16", NumberForm::I16),
    ("u32", NumberForm::U32),
    ("i32", NumberForm::I32),
    ("f32", NumberForm::F32),
];
const ORDERS: [(&str, bool); 2] = [("high_first", false), ("low_first", true)];
const BIASES: [(&str, Bias); 4] =
    [("as_is", Bias::AsIs), ("pull_up", Bias::PullUp), ("pull_down", Bias::PullDown), ("off", Bias::Off)];

/// Between two readings of a register unless the file or the age of a reading says otherwise, s.
const POLL_S: f64 = 10.0;
/// No device is asked more often, s.
const SHORTEST_POLL_S: f64 = 0.1;

/// The tables that belong to a source, taken out of the sensor's before it was read.
pub(super) struct SourceTables<'a> {
    pub(super) modbus: Option<Table<'a>>,
    pub(super) gpio: Option<Table<'a>>,
}

/// The address in `source`, before the tables beside it are read.
enum Address {
    Modbus(ModbusLine),
    Lines(SerialPort),
    Gpio(String, u32),
}

/// What a sensor's source is checked with.
pub(super) struct Around<'a> {
    /// The table's name and place.
    pub(super) here: (&'a str, &'a Range<usize>),
    pub(super) kind: SensorKind,
    pub(super) max_age_s: f64,
    /// The sensors before it in the file.
    pub(super) before: &'a [Sensor],
}

pub(super) fn source(
    cx: &mut Check<'_>,
    raw: &raw::Sensor,
    tables: SourceTables<'_>,
    around: &Around<'_>,
) -> SensorSource {
    let nowhere = SensorSource::Mqtt { topic: String::new() };
    let address = match (&raw.topic, &raw.source) {
        (Some(v), Some(_)) => {
            cx.sink
                .at(v.span(), "both `topic` and `source`: readings come one way")
                .help("remove one of them");
            return nowhere;
        }
        (Some(v), None) => {
            unused(cx, raw.name.as_ref(), [&tables.modbus, &tables.gpio], "a sensor with a `topic`");
            return topic(cx, v, around.before);
        }
        (None, None) => {
            let both = ["topic", "source"].map(|key| cx.sink.is_spoilt(around.here.1, key));
            if both == [false, false] {
                let what = format!("missing key `topic` or `source` in {}", around.here.0);
                cx.sink
                    .at(around.here.1.clone(), what)
                    .help("for example: topic = \"sensors/bin-1\"")
                    .help(ALLOWED);
            }
            return nowhere;
        }
        (None, Some(v)) => match address(v.get_ref()) {
            Ok(address) => (v, address),
            Err(why) => {
                cx.sink.at(v.span(), why).help(ALLOWED);
                return nowhere;
            }
        },
    };
    let (at, address) = address;
    let SourceTables { modbus, gpio } = tables;
    match address {
        Address::Modbus(line) => {
            unused(cx, raw.name.as_ref(), [&None, &gpio], "Modbus");
            if let ModbusLine::Rtu(port) = &line {
                same_port(cx, at, port, true, around.before);
            }
            modbus_point(cx, line, modbus, around)
        }
        Address::Lines(port) => {
            unused(cx, None, [&modbus, &gpio], "a serial line");
            same_port(cx, at, &port, false, around.before);
            let name = raw.name.as_ref().map(|v| v.get_ref().clone());
            let of_port =
                |s: &&Sensor| matches!(&s.source, SensorSource::Lines { port: p, .. } if p.path == port.path);
            for other in around.before.iter().filter(of_port) {
                let SensorSource::Lines { name: theirs, .. } = &other.source else { continue };
                if theirs.is_none() || name.is_none() || *theirs == name {
                    let what =
                        format!("sensor \"{}\" is on this port too: lines would be those of both", other.id);
                    cx.sink
                        .at(at.span(), what)
                        .help("give each a `name` of its own, as the lines call it in `sensor`");
                }
            }
            SensorSource::Lines { port, name }
        }
        Address::Gpio(chip, line) => {
            unused(cx, raw.name.as_ref(), [&modbus, &None], "a GPIO line");
            if !around.kind.is_state() && around.kind != SensorKind::Smoke {
                let what = format!("a GPIO line is 0 or 1, and {} is a measurement", around.kind.as_str());
                cx.sink.at(at.span(), what).help("allowed over GPIO: door, pir, call_button and smoke");
            }
            let of_line = |s: &&Sensor| matches!(&s.source, SensorSource::Gpio(l) if l.chip.as_os_str() == chip.as_str() && l.line == line);
            if let Some(other) = around.before.iter().find(of_line) {
                cx.sink
                    .at(at.span(), format!("the line is that of sensor \"{}\" already", other.id))
                    .help("name another line");
            }
            SensorSource::Gpio(gpio_line(cx, chip, line, gpio))
        }
    }
}

/// Keys and tables of other ways in.
fn unused(cx: &mut Check<'_>, name: Option<&Spanned<String>>, tables: [&Option<Table<'_>>; 2], way: &str) {
    for (key, table) in ["modbus", "gpio"].into_iter().zip(tables) {
        if let Some(table) = table {
            cx.sink.at(table.span.clone(), format!("`{key}` means nothing for {way}")).help("remove it");
        }
    }
    if let Some(v) = name {
        let help = "only lines of a serial port call sensors by name";
        cx.sink.at(v.span(), format!("`name` means nothing for {way}")).help(help);
    }
}

fn topic(cx: &mut Check<'_>, v: &Spanned<String>, before: &[Sensor]) -> SensorSource {
    let topic = v.get_ref().clone();
    let same = |s: &&Sensor| matches!(&s.source, SensorSource::Mqtt { topic: t } if *t == topic);
    if let Some(fault) = values::topic_fault(&topic) {
        cx.sink.at(v.span(), fault).help("for example: topic = \"sensors/bin-1\"");
    } else if let Some(other) = before.iter().find(same) {
        let what = format!("topic \"{topic}\" is already that of sensor \"{}\"", other.id);
        cx.repeated(v.span(), what).help("give each sensor its own topic");
    }
    SensorSource::Mqtt { topic }
}

fn address(text: &str) -> Result<Address, String> {
    if let Some(rest) = text.strip_prefix("modbus-tcp://") {
        let (host, port) = values::host_port(rest.strip_suffix('/').unwrap_or(rest), 502)?;
        Ok(Address::Modbus(ModbusLine::Tcp { host, port }))
    } else if let Some(rest) = text.strip_prefix("modbus-rtu:") {
        serial_port(rest, 9600).map(|port| Address::Modbus(ModbusLine::Rtu(port)))
    } else if let Some(rest) = text.strip_prefix("serial:") {
        serial_port(rest, 115_200).map(Address::Lines)
    } else if let Some(rest) = text.strip_prefix("gpio:") {
        let (chip, line) = rest.rsplit_once('/').ok_or("a GPIO line is a chip and a number")?;
        let line = line.parse().map_err(|_| format!("`{line}` is no number of a line"))?;
        if !chip.starts_with('/') {
            return Err(format!("`{chip}` is no chip: it must be an absolute path such as /dev/gpiochip0"));
        }
        Ok(Address::Gpio(chip.to_owned(), line))
    } else {
        Err(format!("`source` \"{text}\" is no way in"))
    }
}

/// `/dev/ttyS2?baud=9600&parity=even&stop=1`.
fn serial_port(text: &str, usual_baud: u32) -> Result<SerialPort, String> {
    let (path, options) = text.split_once('?').unwrap_or((text, ""));
    if !path.starts_with('/') {
        return Err(format!("`{path}` is no device: it must be an absolute path"));
    }
    let mut port = SerialPort { path: path.into(), baud: usual_baud, parity: Parity::None, stop_bits: 1 };
    for option in options.split('&').filter(|o| !o.is_empty()) {
        match option.split_once('=') {
            Some(("baud", v)) => {
                let baud = v.parse().ok().filter(|b| (1200..=921_600).contains(b));
                port.baud = baud.ok_or("the baud rate must be 1200 to 921600")?;
            }
            Some(("parity", v)) => {
                port.parity = match v {
                    "none" => Parity::None,
                    "even" => Parity::Even,
                    "odd" => Parity::Odd,
                    _ => return Err(format!("`{v}` is no parity: none, even or odd")),
                };
            }
            Some(("stop", v)) => {
                let stop = v.parse().ok().filter(|s| (1..=2).contains(s));
                port.stop_bits = stop.ok_or("stop bits are 1 or 2")?;
            }
            _ => return Err(format!("`{option}` is no option of a serial port: baud, parity, stop")),
        }
    }
    Ok(port)
}

/// One device has one speed and speaks one language.
fn same_port(cx: &mut Check<'_>, at: &Spanned<String>, port: &SerialPort, modbus: bool, before: &[Sensor]) {
    for other in before {
        let (theirs, is_modbus) = match &other.source {
            SensorSource::Modbus(ModbusPoint { line: ModbusLine::Rtu(port), .. }) => (port, true),
            SensorSource::Lines { port, .. } => (port, false),
            _ => continue,
        };
        if theirs.path != port.path {
            continue;
        }
        if is_modbus != modbus {
            let what = format!("the port of sensor \"{}\" speaks another language", other.id);
            cx.sink.at(at.span(), what).help("one port is either modbus-rtu: or serial:");
        } else if theirs != port {
            let what = format!("sensor \"{}\" names other settings for the same port", other.id);
            cx.sink
                .at(at.span(), what)
                .help("write the same baud, parity and stop for all sensors of a port");
        }
    }
}

fn modbus_point(
    cx: &mut Check<'_>,
    line: ModbusLine,
    table: Option<Table<'_>>,
    around: &Around<'_>,
) -> SensorSource {
    let example = "modbus = { unit_id = 1, register = \"input\", address = 30, type = \"i16\", scale = 0.1 }";
    let Some(table) = table else {
        if !cx.sink.is_spoilt(around.here.1, "modbus") {
            let what = format!("missing table `modbus` in {}: which registers hold the value", around.here.0);
            cx.sink.at(around.here.1.clone(), what).help(format!("for example: {example}"));
        }
        return SensorSource::Mqtt { topic: String::new() };
    };
    let span = table.span.clone();
    let raw: raw::Modbus = table.read(&[], cx.sink);
    let here = ("`modbus`", &span);
    let register = cx.required("register", &raw.register, here, "\"input\"");
    let register = register.and_then(|v| cx.word("register", &v, &REGISTERS)).unwrap_or(Register::Input);
    let address_at = cx.required("address", &raw.address, here, "30");
    let address = cx.whole("address", &address_at, 0..=65_535, 0) as u16;
    warn_of_data_model_address(cx, address_at.as_ref(), register, address);
    let form = raw.form.as_ref().and_then(|v| cx.word("type", v, &FORMS)).unwrap_or(NumberForm::U16);
    if let Some(v) = raw.form.as_ref().filter(|_| register.is_bit()) {
        cx.sink
            .at(v.span(), "`type` means nothing for a coil or discrete input: it is 0 or 1")
            .help("remove it");
    }
    if let Some(v) = address_at.as_ref().filter(|_| u32::from(address) + u32::from(form.registers()) > 65_536)
    {
        cx.sink
            .at(v.span(), "the second register of the value would be beyond 65535")
            .help("check `address` and `type`");
    }
    let ranges = if matches!(line, ModbusLine::Rtu(_)) { 1..=247 } else { 0..=255 };
    // A sensor that must be fresh is read often enough, unless the file says otherwise.
    let usual_s = POLL_S.min(around.max_age_s / 2.0).max(SHORTEST_POLL_S);
    let poll_s = cx.number("poll_s", &raw.poll_s, SHORTEST_POLL_S..=3600.0, usual_s);
    if let Some(v) = raw.poll_s.as_ref().filter(|_| poll_s >= around.max_age_s) {
        let what =
            format!("`poll_s` is {poll_s}, and max_age_s is {}: it would always be silent", around.max_age_s);
        cx.sink.at(v.span(), what).help("read it more often, or raise max_age_s");
    }
    let reset = raw.reset.as_ref().is_some_and(|v| *v.get_ref());
    let can_reset =
        around.kind == SensorKind::CallButton && matches!(register, Register::Coil | Register::Holding);
    if let Some(v) = raw.reset.as_ref().filter(|_| reset && !can_reset) {
        let what =
            "`reset` writes 0 to the register of a call_button, which must be a coil or holding register";
        cx.sink.at(v.span(), what).help("remove it, or write register = \"coil\"");
    }
    let order = |cx: &mut Check<'_>, key: &str, v: &raw::At<String>| {
        v.as_ref().and_then(|v| cx.word(key, v, &ORDERS)).unwrap_or(false)
    };
    let data = RegisterData {
        form,
        low_word_first: order(cx, "word_order", &raw.word_order),
        low_byte_first: order(cx, "byte_order", &raw.byte_order),
    };
    let scale = cx.number("scale", &raw.scale, -1e9..=1e9, 1.0);
    if let Some(v) = raw.scale.as_ref().filter(|_| scale == 0.0) {
        cx.sink.at(v.span(), "`scale` 0 would make every value the same").help("leave it out for 1");
    }
    SensorSource::Modbus(ModbusPoint {
        line,
        unit_id: cx.whole("unit_id", &raw.unit_id, ranges, 1) as u8,
        register,
        address,
        data,
        scale,
        offset: cx.number("offset", &raw.offset, -1e9..=1e9, 0.0),
        poll_s,
        timeout_s: cx.number("timeout_s", &raw.timeout_s, 0.05..=30.0, 1.0),
        reset,
    })
}

/// Manuals count from 30001 or 40001; the protocol from 0.
fn warn_of_data_model_address(
    cx: &mut Check<'_>,
    at: Option<&Spanned<f64>>,
    register: Register,
    address: u16,
) {
    let first = match register {
        Register::Input => 30_001,
        Register::Holding => 40_001,
        Register::Discrete => 10_001,
        Register::Coil => return,
    };
    if let Some(v) = at.filter(|_| (first..first + 9999).contains(&address)) {
        let what = format!(
            "`address` {address}: manuals count these registers from {first}, the protocol from 0; did you mean {}?",
            address - first
        );
        cx.sink.warn(v.span(), what);
    }
}

fn gpio_line(cx: &mut Check<'_>, chip: String, line: u32, table: Option<Table<'_>>) -> GpioLine {
    let raw: raw::Gpio = table.map(|t| t.read(&[], cx.sink)).unwrap_or_default();
    GpioLine {
        chip: chip.into(),
        line,
        active_low: raw.active_low.is_some_and(Spanned::into_inner),
        bias: raw.bias.and_then(|v| cx.word("bias", &v, &BIASES)).unwrap_or_default(),
        debounce_ms: cx.whole("debounce_ms", &raw.debounce_ms, 0..=10_000, 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_ports_have_settings() {
        let port = serial_port("/dev/ttyS2?baud=19200&parity=even&stop=2", 9600).unwrap();
        assert_eq!((port.baud, port.parity, port.stop_bits), (19_200, Parity::Even, 2));
        let plain = serial_port("/dev/ttyS2", 9600).unwrap();
        assert_eq!((plain.baud, plain.parity, plain.stop_bits), (9600, Parity::None, 1));
        for bad in
            ["ttyS2", "/dev/ttyS2?baud=1", "/dev/ttyS2?parity=mark", "/dev/ttyS2?stop=3", "/dev/ttyS2?rts"]
        {
            assert!(serial_port(bad, 9600).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_say_what_is_behind_them() {
        assert!(matches!(
            address("modbus-tcp://10.0.0.1"),
            Ok(Address::Modbus(ModbusLine::Tcp { port: 502, .. }))
        ));
        assert!(
            matches!(address("gpio:/dev/gpiochip0/17"), Ok(Address::Gpio(chip, 17)) if chip == "/dev/gpiochip0")
        );
        assert!(matches!(address("serial:/dev/ttyS3"), Ok(Address::Lines(port)) if port.baud == 115_200));
        for bad in [
            "",
            "mqtt://h",
            "modbus-tcp://",
            "gpio:17",
            "gpio:/dev/gpiochip0/x",
            "gpio:chip/1",
            "modbus-rtu:x",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
