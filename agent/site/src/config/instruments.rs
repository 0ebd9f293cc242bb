//! The box's own instruments as a site has them: the GNSS receiver and the sensors of the street. Plain data, and what is
//! physically possible for each kind of sensor.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::kind::Kind;

/// `[gnss]`: the receiver, and whether the box moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gnss {
    /// Where its positions come from.
    pub source: GnssSource,
    /// The box moves: no mean is taken, and every report is placed by the fix of its frame's time.
    pub mobile: bool,
}

/// Where the positions of the receiver come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GnssSource {
    /// NMEA over a serial port.
    Serial {
        /// The device.
        path: PathBuf,
        /// Its speed.
        baud: u32,
    },
    /// NMEA over TCP, `host:port`.
    Tcp(String),
    /// NMEA from a file, once.
    File(PathBuf),
    /// gpsd at `host:port`.
    Gpsd(String),
}

/// `[sensors]` and `[[sensor]]`: sensors of the street.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sensors {
    /// Host and port of the box's own broker.
    pub broker: Option<(String, u16)>,
    /// All sensors, each with an id of its own.
    pub sensors: Vec<Sensor>,
}

/// What a sensor measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SensorKind {
    /// Fill level of a bin.
    BinLevel,
    /// Smoke.
    Smoke,
    /// Sound level.
    Noise,
    /// A door or lid: 1 is open.
    Door,
    /// How far a pole or cover leans, degrees.
    Tilt,
    /// Somebody moves (passive infrared): 1 is somebody.
    Pir,
    /// A button by which somebody calls for help: 1 is pressed.
    CallButton,
}

impl SensorKind {
    /// Every kind.
    pub const ALL: [SensorKind; 7] = [
        SensorKind::BinLevel,
        SensorKind::Smoke,
        SensorKind::Noise,
        SensorKind::Door,
        SensorKind::Tilt,
        SensorKind::Pir,
        SensorKind::CallButton,
    ];

    /// As the site file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            SensorKind::BinLevel => "bin_level",
            SensorKind::Smoke => "smoke",
            SensorKind::Noise => "noise",
            SensorKind::Door => "door",
            SensorKind::Tilt => "tilt",
            SensorKind::Pir => "pir",
            SensorKind::CallButton => "call_button",
        }
    }

    /// Its value is a state: 0 or 1, without a unit.
    pub fn is_state(self) -> bool {
        matches!(self, SensorKind::Door | SensorKind::Pir | SensorKind::CallButton)
    }

    /// What a sensor of this kind can measure, in its unit.
    pub fn range(self, unit: &str) -> RangeInclusive<f64> {
        match (self, unit) {
            (SensorKind::BinLevel | SensorKind::Smoke, "%") => 0.0..=100.0,
            (SensorKind::BinLevel, _) => 0.0..=10_000.0,
            (SensorKind::Smoke, _) => 0.0..=1_000_000.0,
            (SensorKind::Noise, _) => 0.0..=194.0,
            (SensorKind::Tilt, _) => -180.0..=180.0,
            (SensorKind::Door | SensorKind::Pir | SensorKind::CallButton, _) => 0.0..=1.0,
        }
    }

    /// The largest rise within this many seconds that can be real, in the sensor's unit; `None`: it may jump.
    /// Nothing fills half a bin in ten seconds; smoke, noise and a falling pole jump.
    pub fn fastest_rise(self) -> Option<(f64, f64)> {
        match self {
            SensorKind::BinLevel => Some((50.0, 10.0)),
            _ => None,
        }
    }

    /// Without the least change for this long a sensor of this kind is stuck, s; `None`: constant is normal. A microphone
    /// hears the last digit change within seconds; a bin in use changes within a week.
    pub fn stuck_after_s(self) -> Option<f64> {
        match self {
            SensorKind::Noise => Some(1800.0),
            SensorKind::BinLevel => Some(604_800.0),
            _ => None,
        }
    }

    /// What its alarm is reported as, where the site does not say.
    pub fn matter(self) -> Kind {
        match self {
            SensorKind::BinLevel => Kind::BinOverflow,
            SensorKind::Smoke => Kind::FireSmoke,
            SensorKind::Noise => Kind::NoiseExcessive,
            SensorKind::Door => Kind::DoorOpen,
            SensorKind::Tilt => Kind::FacilityTilted,
            SensorKind::Pir => Kind::PresenceDetected,
            SensorKind::CallButton => Kind::CallHelp,
        }
    }
}

/// `[[sensor]]`: one sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensor {
    /// Unique on this box.
    pub id: String,
    /// What it measures.
    pub kind: SensorKind,
    /// How its readings come.
    pub source: SensorSource,
    /// The unit of its readings; `1` for a state.
    pub unit: String,
    /// Without a reading for this long it is silent, s; infinite where silence is normal.
    pub max_age_s: f64,
    /// Without the least change for this long it is stuck, s; infinite where constant is normal.
    pub stuck_after_s: f64,
    /// A larger value for longer than `alarm_for_s` is an alarm.
    pub alarm_above: Option<f64>,
    /// At this value or below for `alarm_for_s` the alarm ends; in between it stays as it is.
    pub clear_below: Option<f64>,
    /// See `alarm_above`, s.
    pub alarm_for_s: f64,
    /// What an alarm is reported as.
    pub matter: Kind,
    /// The alarm again within this time is a revision, not a new incident, s.
    pub repeat_s: f64,
    /// lon_deg, lat_deg, WGS-84.
    pub point: Option<(f64, f64)>,
    /// The camera that sees it.
    pub view: Option<SensorView>,
}

impl Sensor {
    /// A sensor on a topic of the box's own broker, and everything else as it is if the site file does not say.
    pub fn on_topic(id: &str, kind: SensorKind, unit: &str, topic: &str) -> Self {
        let silence_is_normal = kind == SensorKind::CallButton;
        Sensor {
            id: id.to_owned(),
            kind,
            source: SensorSource::Mqtt { topic: topic.to_owned() },
            unit: unit.to_owned(),
            max_age_s: if silence_is_normal { f64::INFINITY } else { 600.0 },
            stuck_after_s: kind.stuck_after_s().unwrap_or(f64::INFINITY),
            alarm_above: None,
            clear_below: None,
            alarm_for_s: 60.0,
            matter: kind.matter(),
            repeat_s: 1800.0,
            point: None,
            view: None,
        }
    }
}

/// Which camera sees a sensor, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SensorView {
    /// The camera.
    pub camera: CameraIx,
    /// The sensor in its picture, in shares of it; `None`: somewhere.
    pub bbox: Option<BBox>,
}

/// How the readings of a sensor come.
#[derive(Clone, Debug, PartialEq)]
pub enum SensorSource {
    /// Over the box's own broker.
    Mqtt {
        /// The topic of its readings, its own.
        topic: String,
    },
    /// From registers of a Modbus device.
    Modbus(ModbusPoint),
    /// As lines of JSON over a serial port.
    Lines {
        /// The port; several sensors may share it.
        port: SerialPort,
        /// The name by which the lines call the sensor; `None`: the port is its own.
        name: Option<String>,
    },
    /// As the level of a GPIO line.
    Gpio(GpioLine),
}

/// A serial port and its settings; eight data bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialPort {
    /// The device.
    pub path: PathBuf,
    /// Bits a second.
    pub baud: u32,
    /// Its parity bit.
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
}

/// The parity bit of a serial port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parity {
    /// There is none.
    #[default]
    None,
    /// Even.
    Even,
    /// Odd.
    Odd,
}

/// A Modbus line: a server, or a bus with its devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModbusLine {
    /// Modbus TCP.
    Tcp {
        /// Name or address.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// Modbus RTU.
    Rtu(SerialPort),
}

/// A value in the registers of a Modbus device.
#[derive(Clone, Debug, PartialEq)]
pub struct ModbusPoint {
    /// The line that its device is on.
    pub line: ModbusLine,
    /// The device on the line.
    pub unit_id: u8,
    /// Which of its four tables.
    pub register: Register,
    /// The first register, from 0.
    pub address: u16,
    /// How the registers are read.
    pub data: RegisterData,
    /// The value is `raw * scale + offset`, in the sensor's unit.
    pub scale: f64,
    /// See `scale`.
    pub offset: f64,
    /// Between two readings, s.
    pub poll_s: f64,
    /// An answer that takes longer does not come, s.
    pub timeout_s: f64,
    /// Once a press is durable, 0 is written to the register, so that the next press shows.
    pub reset: bool,
}

/// The tables of a Modbus device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// Holding registers, function 3.
    Holding,
    /// Input registers, function 4.
    Input,
    /// Coils, function 1.
    Coil,
    /// Discrete inputs, function 2.
    Discrete,
}

impl Register {
    /// It holds one bit.
    pub fn is_bit(self) -> bool {
        matches!(self, Register::Coil | Register::Discrete)
    }
}

/// How registers are made into a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterData {
    /// The number.
    pub form: NumberForm,
    /// The register with the low half comes first.
    pub low_word_first: bool,
    /// The two bytes of each register are exchanged.
    pub low_byte_first: bool,
}

/// The number in one or two registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberForm {
    /// 16 bits without sign.
    U16,
    /// 16 bits with sign.
    I16,
    /// 32 bits without sign.
    U32,
    /// 32 bits with sign.
    I32,
    /// IEEE 754, 32 bits.
    F32,
}

impl NumberForm {
    /// How many registers it takes.
    pub fn registers(self) -> u16 {
        match self {
            NumberForm::U16 | NumberForm::I16 => 1,
            NumberForm::U32 | NumberForm::I32 | NumberForm::F32 => 2,
        }
    }
}

/// A line of a GPIO chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpioLine {
    /// The chip's device.
    pub chip: PathBuf,
    /// The line's number on the chip.
    pub line: u32,
    /// A low level is 1.
    pub active_low: bool,
    /// What holds the level while nothing drives it.
    pub bias: Bias,
    /// A level that lasts shorter is none, ms.
    pub debounce_ms: u32,
}

/// What holds the level of a GPIO line while nothing drives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bias {
    /// As the board has it.
    #[default]
    AsIs,
    /// High.
    PullUp,
    /// Low.
    PullDown,
    /// Nothing.
    Off,
}

/// `[[output]]`: something at the place that speaks or shines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Unique in the site.
    pub id: String,
    /// How it is made to.
    pub way: OutputWay,
}

/// How an output is driven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputWay {
    /// A program of the box plays a sound file.
    Player {
        /// The program and its arguments; the file comes last.
        program: Vec<String>,
        /// The sound file.
        file: PathBuf,
    },
    /// An IP speaker is asked by HTTP.
    Http {
        /// `GET`, `POST` or `PUT`.
        method: &'static str,
        /// Name or address.
        host: String,
        /// TCP port.
        port: u16,
        /// Path and query.
        path: String,
        /// What is sent, as it is.
        body: String,
        /// User and the file with the password, for Basic and Digest.
        login: Option<(String, PathBuf)>,
    },
    /// A message on the broker of the box's sensors.
    Mqtt {
        /// The topic.
        topic: String,
        /// What is sent, as it is.
        payload: String,
    },
    /// A line of a GPIO chip is switched on for a while.
    Gpio {
        /// `/dev/gpiochip0`.
        chip: PathBuf,
        /// Offset of the line.
        line: u32,
        /// How long, s.
        on_s: u16,
        /// On is low.
        active_low: bool,
    },
}
