//! A sensor's say in a rule: `with = "bin-1 > 85"`, a sensor's id, a comparison, a number with the sensor's unit or without.
//! Pure: text in; a plain value, or a fault with the place of it in the text, out.

use std::fmt;
use std::ops::Range;

use super::instruments::Sensor;
use super::problem::suggestions;

/// A rule's condition on a sensor, and what it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct With {
    /// Id of the sensor.
    pub sensor: String,
    /// How its value is compared.
    pub comparison: Comparison,
    /// With what, in the sensor's unit.
    pub value: f64,
    /// What the condition is for.
    pub mode: WithMode,
    /// [`WithMode::Faster`]: how long after the condition ended the camera is still watched more closely, s.
    pub for_s: f64,
}

impl With {
    /// Whether the condition holds for a value in the sensor's unit.
    pub fn holds(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Above => value > self.value,
            Comparison::AtLeast => value >= self.value,
            Comparison::Below => value < self.value,
            Comparison::AtMost => value <= self.value,
            Comparison::Equal => (value - self.value).abs() < 1e-9,
            Comparison::Unequal => (value - self.value).abs() >= 1e-9,
        }
    }
}

impl fmt::Display for With {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.sensor, self.comparison.as_str(), self.value)
    }
}

/// What a rule's condition on a sensor is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithMode {
    /// The rule reports only what the picture shows while the sensor agrees.
    #[default]
    Both,
    /// The rule reports what the picture shows, and what the sensor says without the picture.
    Either,
    /// The rule reports what the picture shows; while the condition holds every frame is decoded.
    Faster,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

/// Longer signs first: `>=` begins with `>`.
const SIGNS: [(&str, Comparison); 6] = [
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    ("==", Comparison::Equal),
    ("!=", Comparison::Unequal),
    (">", Comparison::Above),
    ("<", Comparison::Below),
];
/// What input methods write instead of the signs, letters and digits of ASCII.
const WIDE_SIGNS: [(char, &str); 9] = [
    ('＞', ">"),
    ('〉', ">"),
    ('》', ">"),
    ('＜', "<"),
    ('〈', "<"),
    ('《', "<"),
    ('≥', ">="),
    ('≤', "<="),
    ('≠', "!="),
];

impl Comparison {
    /// The sign.
    pub fn as_str(self) -> &'static str {
        SIGNS.iter().find(|(_, c)| *c == self).map_or("?", |(sign, _)| sign)
    }
}

/// What is wrong with a condition, and where in its text (bytes).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) at: Range<usize>,
    pub(super) what: String,
    pub(super) help: Vec<String>,
}

fn fault(at: Range<usize>, what: impl Into<String>, help: impl Into<String>) -> Fault {
    Fault { at, what: what.into(), help: vec![help.into()] }
}

const FORM: &str = "write: SENSOR SIGN NUMBER, for example \"bin-1 > 85\"; signs: > >= < <= == !=";

/// Reads a condition. `sensors`: those of the site. `mode` and `for_s` are left at their defaults.
pub(super) fn parse(text: &str, sensors: &[Sensor]) -> Result<With, Fault> {
    if let Some(wide) = wide(text) {
        return Err(wide);
    }
    let whole = 0..text.len();
    let found = SIGNS.iter().filter_map(|(sign, c)| text.find(sign).map(|at| (at, *sign, *c)));
    let Some((at, sign, comparison)) = found.min_by_key(|(at, sign, _)| (*at, usize::MAX - sign.len()))
    else {
        let what = match text.find('=') {
            Some(at) => {
                return Err(fault(at..at + 1, "`=` does not compare", "write == for equal, >= for at least"));
            }
            None => "no comparison is in it",
        };
        return Err(fault(whole, what, FORM));
    };
    let (left, right) = (&text[..at], &text[at + sign.len()..]);
    let id = left.trim();
    let id_at = left.len() - left.trim_start().len();
    let id_at = id_at..id_at + id.len();
    if id.is_empty() {
        return Err(fault(at..at + sign.len(), format!("no sensor stands before `{sign}`"), FORM));
    }
    let Some(sensor) = sensors.iter().find(|s| s.id == id) else {
        return Err(unknown_sensor(id, id_at, sensors));
    };
    let from = at + sign.len() + (right.len() - right.trim_start().len());
    let value = number(right.trim(), from, sensor)?;
    let range = sensor.kind.range(&sensor.unit);
    if !range.contains(&value) {
        let what =
            format!("{value} is nothing that a sensor of the kind {} can measure", sensor.kind.as_str());
        let help = format!("allowed: {} to {} {}", range.start(), range.end(), sensor.unit);
        return Err(fault(from..text.len(), what, help));
    }
    let (sensor, mode) = (sensor.id.clone(), WithMode::default());
    Ok(With { sensor, comparison, value, mode, for_s: 0.0 })
}

/// The first character of an input method that stands for one of ASCII.
fn wide(text: &str) -> Option<Fault> {
    for (at, c) in text.char_indices() {
        let plain = match WIDE_SIGNS.iter().find(|(wide, _)| *wide == c) {
            Some((_, plain)) => (*plain).to_owned(),
            None if ('！'..='～').contains(&c) => char::from_u32(c as u32 - 0xFEE0)?.to_string(),
            None if c == '\u{3000}' => " ".to_owned(),
            None => continue,
        };
        let what = format!("`{c}` is a sign of an input method (full-width)");
        return Some(fault(
            at..at + c.len_utf8(),
            what,
            format!("write `{plain}`: switch the input method to half-width"),
        ));
    }
    None
}

fn unknown_sensor(id: &str, at: Range<usize>, sensors: &[Sensor]) -> Fault {
    let ids: Vec<&str> = sensors.iter().map(|s| s.id.as_str()).collect();
    let help = match ids.is_empty() {
        true => vec!["there is no [[sensor]] in this file".to_owned()],
        false => suggestions(id, "sensors here", ids),
    };
    Fault { at, what: format!("no sensor is called `{id}`"), help }
}

/// `85`, `85.5 %`, `85%`.
fn number(text: &str, from: usize, sensor: &Sensor) -> Result<f64, Fault> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E')));
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    let Some(value) = digits.parse::<f64>().ok().filter(|v| v.is_finite()) else {
        let at = from..from + text.len();
        return Err(fault(at, format!("`{text}` is no number"), FORM));
    };
    let unit_at = from + digits.len() + (unit.len() - unit.trim_start().len());
    let unit = unit.trim();
    if !unit.is_empty() && unit != sensor.unit {
        let what = format!("`{unit}` is not the unit of sensor \"{}\"", sensor.id);
        let help = format!("it measures in {}: write {value} {}, or no unit", sensor.unit, sensor.unit);
        return Err(fault(unit_at..unit_at + unit.len(), what, help));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::super::instruments::SensorKind;
    use super::*;

    fn sensors() -> Vec<Sensor> {
        vec![
            Sensor::on_topic("bin-1", SensorKind::BinLevel, "%", "a"),
            Sensor::on_topic("door-1", SensorKind::Door, "1", "b"),
            Sensor::on_topic("tilt-1", SensorKind::Tilt, "°", "c"),
        ]
    }

    #[test]
    fn conditions_are_read_and_hold_or_not() {
        let cases = [
            ("bin-1 > 85", 85.0, false),
            ("bin-1 > 85 %", 85.1, true),
            ("bin-1>=85%", 85.0, true),
            ("  bin-1  <  20.5  ", 20.4, true),
            ("bin-1 <= 2e1", 20.0, true),
            ("door-1 == 1", 1.0, true),
            ("door-1 != 0", 0.0, false),
            ("tilt-1 < -10 °", -11.0, true),
        ];
        for (text, value, holds) in cases {
            let with = parse(text, &sensors()).unwrap();
            assert_eq!(with.holds(value), holds, "{text} with {value}");
        }
    }

    #[test]
    fn a_fault_says_where_it_is() {
        let cases = [
            ("", "", "no comparison is in it"),
            ("bin-1", "bin-1", "no comparison is in it"),
            ("bin-1 = 85", "=", "`=` does not compare"),
            ("> 85", ">", "no sensor stands before `>`"),
            ("bin-2 > 85", "bin-2", "no sensor is called `bin-2`"),
            ("bin-1 > many", "many", "`many` is no number"),
            ("bin-1 > ", "", "`` is no number"),
            ("bin-1 > 85 cm", "cm", "`cm` is not the unit of sensor \"bin-1\""),
            ("bin-1 > 850", "850", "850 is nothing that a sensor of the kind bin_level can measure"),
            ("bin-1 ＞ 85", "＞", "`＞` is a sign of an input method (full-width)"),
            ("bin-1 > ８５", "８", "`８` is a sign of an input method (full-width)"),
            ("bin-1 > 85％", "％", "`％` is a sign of an input method (full-width)"),
            ("bin-1 ≥ 85", "≥", "`≥` is a sign of an input method (full-width)"),
            ("bin-1\u{3000}> 85", "\u{3000}", "`\u{3000}` is a sign of an input method (full-width)"),
        ];
        for (text, part, what) in cases {
            let fault = parse(text, &sensors()).unwrap_err();
            assert_eq!((&text[fault.at.clone()], fault.what.as_str()), (part, what), "{text}");
            assert!(!fault.help.is_empty(), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["bin-1 > 85", "bin-1 >= 85.5", "door-1 == 1", "tilt-1 < -10"] {
            assert_eq!(parse(text, &sensors()).unwrap().to_string(), text);
        }
    }
}
