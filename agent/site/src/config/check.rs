//! The checks that every table needs: required keys, numbers in range, words, ids, places, files.

use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::instruments::{Output, Sensor};
use super::problem::{Problem, Sink, suggestions};
use super::raw::At;
use super::read::Table;
use super::site::Evidence;
use super::values;
use crate::geo::CodeTable;
use crate::{limits, text};

/// What every check needs: where problems go and what paths are relative to.
#[derive(Debug)]
pub(super) struct Check<'a> {
    pub(super) sink: &'a mut Sink,
    pub(super) base: &'a Path,
}

/// Facts of other tables that cameras are checked against.
#[derive(Debug)]
pub(super) struct SiteFacts<'a> {
    pub(super) codes: &'a CodeTable,
    pub(super) evidence: &'a Evidence,
    pub(super) outputs: &'a [Output],
    /// The box has a place of its own, surveyed or by GNSS, or was meant to.
    pub(super) box_has_place: bool,
    /// The sensors that rules may name.
    pub(super) sensors: &'a [Sensor],
}

impl Check<'_> {
    /// The value of a key that must be there.
    pub(super) fn required<T: Clone>(
        &mut self,
        key: &str,
        value: &At<T>,
        table: (&str, &Range<usize>),
        example: &str,
    ) -> At<T> {
        if value.is_none() && !self.sink.is_spoilt(table.1, key) {
            let what = format!("missing key `{key}` in {}", table.0);
            self.sink.at(table.1.clone(), what).help(format!("for example: {key} = {example}"));
        }
        value.clone()
    }

    /// A number within a range, or the default.
    pub(super) fn number(
        &mut self,
        key: &str,
        value: &At<f64>,
        range: RangeInclusive<f64>,
        default: f64,
    ) -> f64 {
        let Some(value) = value else { return default };
        let number = *value.get_ref();
        if range.contains(&number) {
            return number;
        }
        let shown = if number.abs() < 1e12 { number.to_string() } else { format!("{number:e}") };
        let what = format!("`{key}` is {shown}, out of range");
        let allowed = format!("allowed: {} to {} (default {default})", range.start(), range.end());
        self.sink.at(value.span(), what).help(allowed);
        default
    }

    /// A whole number within a range, or the default.
    pub(super) fn whole(
        &mut self,
        key: &str,
        value: &At<f64>,
        range: RangeInclusive<u32>,
        default: u32,
    ) -> u32 {
        let wide = f64::from(*range.start())..=f64::from(*range.end());
        let number = self.number(key, value, wide, f64::from(default));
        if number.fract() != 0.0 {
            if let Some(value) = value {
                self.sink.at(value.span(), format!("`{key}` is {number}, but must be a whole number"));
            }
            return default;
        }
        number as u32
    }

    /// WGS-84 `[longitude, latitude]`.
    pub(super) fn lon_lat(&mut self, key: &str, value: &At<[f64; 2]>) -> Option<(f64, f64)> {
        let value = value.as_ref()?;
        let [lon, lat] = *value.get_ref();
        if (-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat) && (lon, lat) != (0.0, 0.0) {
            return Some((lon, lat));
        }
        let problem =
            self.sink.at(value.span(), format!("`{key}` [{lon}, {lat}] is no place on earth's map"));
        if (-90.0..=90.0).contains(&lon) && (-180.0..=180.0).contains(&lat) {
            problem.help(format!("longitude comes first: did you mean [{lat}, {lon}]?"));
        }
        problem.help("allowed: [longitude -180..180, latitude -90..90], degrees, WGS-84");
        None
    }

    /// A word out of a list.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &str,
        value: &Spanned<String>,
        known: &[(&str, T)],
    ) -> Option<T> {
        let text = value.get_ref();
        if let Some((_, found)) = known.iter().find(|(word, _)| word == text) {
            return Some(*found);
        }
        let advice = suggestions(text, "allowed", known.iter().map(|(word, _)| *word));
        self.sink.at(value.span(), format!("`{key}` does not know `{text}`")).advise(advice);
        None
    }

    /// A text for people that travels in messages, `most` bytes at most as JSON has it. Empty is absent.
    pub(super) fn text(&mut self, key: &str, value: &At<String>, most: usize) -> Option<String> {
        let value = value.as_ref()?;
        let text = value.get_ref().trim();
        if let Err(why) = limits::check(text, most) {
            self.sink.at(value.span(), format!("`{key}` {why}")).help("write it shorter, on one line");
        }
        Some(text.to_owned()).filter(|t| !t.is_empty())
    }

    /// `[a-z0-9-]{1,32}`; a problem suggests a valid id.
    pub(super) fn id(&mut self, key: &str, value: &Spanned<String>) -> String {
        let text = value.get_ref();
        if !values::is_id(text) {
            let problem = self.sink.at(value.span(), format!("`{key}` \"{text}\" is no id"));
            if let Some(near) = values::id_like(text) {
                problem.help(format!("did you mean \"{near}\"?"));
            }
            problem.help("allowed: 1 to 32 of a-z, 0-9 and -");
        }
        text.clone()
    }

    /// A path, relative to the folder of the file.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }

    /// A file that must be there and be readable.
    pub(super) fn existing(&mut self, key: &str, value: &Spanned<String>) -> Option<PathBuf> {
        let path = self.path(value.get_ref());
        match std::fs::File::open(&path).and_then(|f| f.metadata()) {
            Ok(meta) if meta.is_file() => Some(path),
            Ok(_) => {
                self.not_usable(key, value, "is not a file");
                None
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                self.not_usable(key, value, "does not exist");
                None
            }
            Err(e) => {
                self.not_usable(key, value, &format!("cannot be read: {e}"));
                None
            }
        }
    }

    fn not_usable(&mut self, key: &str, value: &Spanned<String>, why: &str) {
        let what = format!("`{key}`: the file {} {why}", value.get_ref());
        let problem = self.sink.at(value.span(), what);
        if !Path::new(value.get_ref()).is_absolute() {
            problem.help("relative paths begin at the folder of this configuration");
        }
    }

    /// The text of a file that must be there.
    pub(super) fn text_of(&mut self, key: &str, value: &Spanned<String>) -> Option<String> {
        let path = self.existing(key, value)?;
        let text = std::fs::read(&path).map_err(|e| e.to_string());
        let text = text.and_then(|bytes| text::decode(bytes).map_err(|e| e.to_string()));
        text.inspect_err(|why| self.not_usable(key, value, &format!("cannot be read: {why}"))).ok()
    }

    /// An id was used before.
    pub(super) fn repeated(&mut self, span: Range<usize>, what: String) -> &mut Problem {
        self.sink.at(span, what)
    }
}

/// A table that may be absent: then all its keys are.
pub(super) fn optional<T>(cx: &mut Check<'_>, root: &mut Table<'_>, key: &str, name: &str) -> T
where
    T: serde::de::DeserializeOwned + Default,
{
    root.take_table(key, name, cx.sink).map(|t| t.read(&[], cx.sink)).unwrap_or_default()
}
