//! From a parsed TOML tree to raw structs, one table at a time, so that one mistake hides no other.
//!
//! Unknown keys are named and struck out, then values of a wrong type, until what is left reads without error.
//! It knows nothing of what the keys mean.

use std::ops::Range;

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::problem::{Sink, nearest, suggestions};

/// A table of the file, with the place of its header and its name in messages.
#[derive(Clone, Debug)]
pub(super) struct Table<'i> {
    /// `[device]`, `[[camera]] "cam1"`, ...
    pub(super) name: String,
    pub(super) span: Range<usize>,
    entries: DeTable<'i>,
}

impl<'i> Table<'i> {
    pub(super) fn root(tree: Spanned<DeTable<'i>>) -> Self {
        Table { name: "the file".into(), span: 0..0, entries: tree.into_inner() }
    }

    /// The text under `key`, for names of tables in messages.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.entries.get(key)?.get_ref().as_str()
    }

    /// Whether there is such a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Takes a nested table out. `None`: absent, or not a table (then reported).
    pub(super) fn take_table(&mut self, key: &str, name: &str, sink: &mut Sink) -> Option<Table<'i>> {
        let value = self.take(key)?;
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(entries) => Some(Table { name: name.into(), span, entries }),
            other => {
                let what = format!("`{key}` is {}, but must be a table", kind_of(&other));
                sink.at(span, what).help(format!("write it as {name}, its keys below"));
                sink.spoil(&self.span, key);
                None
            }
        }
    }

    /// Takes an array of tables out; elements that are no tables are reported.
    pub(super) fn take_tables(&mut self, key: &str, name: &str, sink: &mut Sink) -> Vec<Table<'i>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let span = value.span();
        let items: Vec<Spanned<DeValue<'i>>> = match value.into_inner() {
            DeValue::Array(items) => items.into_iter().collect(),
            other => {
                let what = format!("`{key}` is {}, but must be a list of tables", kind_of(&other));
                sink.at(span, what).help(format!("write each as {name}"));
                sink.spoil(&self.span, key);
                return Vec::new();
            }
        };
        let mut tables = Vec::new();
        for item in items {
            let span = item.span();
            match item.into_inner() {
                DeValue::Table(entries) => tables.push(Table { name: name.into(), span, entries }),
                other => {
                    let what = format!("an entry of `{key}` is {}, but must be a table", kind_of(&other));
                    sink.at(span, what).help(format!("write each as {name}"));
                }
            }
        }
        tables
    }

    /// How messages call the table: its header and its id.
    pub(super) fn named(&self, header: &str) -> String {
        match self.text("id") {
            Some(id) => format!("{header} \"{id}\""),
            None => header.to_owned(),
        }
    }

    /// Reads the key `old` as `new`, of which it is an earlier name, and warns.
    pub(super) fn rename_key(&mut self, old: &str, new: &'i str, sink: &mut Sink) {
        let Some((key, value)) = self.entries.remove_entry(old) else { return };
        if self.entries.contains_key(new) {
            let what = format!("`{old}` is an earlier name of `{new}`, which is there too");
            sink.at(key.span(), what).help(format!("remove `{old}`"));
            return;
        }
        sink.warn(key.span(), format!("`{old}` is now called `{new}`"));
        self.entries.insert(Spanned::new(key.span(), new.into()), value);
    }

    fn take(&mut self, key: &str) -> Option<Spanned<DeValue<'i>>> {
        self.entries.remove(key)
    }

    /// Reads what is left as `T`, reporting each key that is unknown or of a wrong type. `also`: keys of nested
    /// tables that were taken out before, so that a misspelt one is recognised.
    pub(super) fn read<T: DeserializeOwned + Default>(mut self, also: &[&str], sink: &mut Sink) -> T {
        let known: Vec<&str> = fields_of::<T>().iter().chain(also).copied().collect();
        self.strike_unknown(&known, sink);
        // Each turn removes one key, so this ends.
        loop {
            let value = Spanned::new(self.span.clone(), DeValue::Table(self.entries.clone()));
            let error = match T::deserialize(ValueDeserializer::from(value)) {
                Ok(read) => return read,
                Err(error) => error,
            };
            let Some(key) = error.span().and_then(|span| self.key_around(&span)) else {
                sink.at(error.span().unwrap_or(self.span.clone()), plain(error.message()));
                return T::default();
            };
            let span = error.span().unwrap_or(self.span.clone());
            sink.at(span, format!("`{key}`: {}", plain(error.message())));
            sink.spoil(&self.span, &key);
            self.entries.remove(key.as_str());
        }
    }

    /// Reports keys that are none of `known` and takes them out.
    pub(super) fn strike_unknown(&mut self, known: &[&str], sink: &mut Sink) {
        let mut unknown = Vec::new();
        let mut near_misses = Vec::new();
        for (key, _) in self.entries.iter() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let problem = sink.at(key.span(), format!("unknown key `{name}` in {}", self.name));
            problem.advise(suggestions(name, "known here", known.iter().copied()));
            near_misses.extend(nearest(name, known.iter().copied()));
            unknown.push(name.to_owned());
        }
        for key in unknown {
            self.entries.remove(key.as_str());
        }
        for key in near_misses {
            sink.spoil(&self.span, key);
        }
    }

    /// The key whose name or value lies around the span.
    fn key_around(&self, span: &Range<usize>) -> Option<String> {
        let inside = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
        self.entries
            .iter()
            .find(|(key, value)| inside(key.span()) || inside(value.span()))
            .map(|(key, _)| key.get_ref().to_string())
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// serde's message in the words of a person who edits the file.
fn plain(message: &str) -> String {
    let pairs = [
        ("invalid type: ", "this is "),
        ("invalid value: ", "this is "),
        ("invalid length ", "this has length "),
        (", expected ", ", but must be "),
        ("floating point", "the number"),
        ("integer", "the number"),
        ("string", "the text"),
        ("boolean", "the value"),
        ("sequence", "a list"),
        ("map", "a table"),
    ];
    let Some((found, wanted)) = message.split_once(", expected ") else { return message.trim().to_owned() };
    if found.ends_with("as i128") || found.ends_with("as u128") {
        return "this number is too large".into();
    }
    let mut found = found.to_owned();
    for (from, to) in pairs {
        found = found.replacen(from, to, 1);
    }
    let wanted = match wanted.trim() {
        "a string" => "text in quotes",
        "a boolean" => "true or false",
        "f64" | "f32" => "a number",
        "i64" | "u64" | "u32" | "u16" => "a whole number",
        "a sequence" => "a list in [ ]",
        "a tuple of size 2" | "an array of length 2" => "two numbers in [ ]",
        other => other,
    };
    format!("{found}, but must be {wanted}")
}

/// The keys a raw struct knows, as serde's derive names them.
fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    let _ = T::deserialize(Probe { fields: &mut fields });
    fields
}

/// A deserializer that gives nothing and keeps the list of fields it is asked for.
struct Probe<'a> {
    fields: &'a mut &'static [&'static str],
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom("only fields are asked for"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.fields = fields;
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
