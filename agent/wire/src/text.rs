//! Small things of text: JSON that cannot fail, numbers that print short, texts of strangers cut short.

use serde::Serialize;

/// Longest text of a stranger in a log or in the journal, characters.
const CLIPPED: usize = 160;

/// Plain structs and maps with text keys always serialise; an empty object stands for what cannot happen.
pub fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}

/// `value` with `digits` decimals, as a number that prints short.
pub(crate) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

/// At most `bytes` of a text, cut at a character.
pub fn shortened(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// At most 160 characters, for logs and the journal.
pub fn clipped(text: &str) -> String {
    text.chars().take(CLIPPED).collect()
}
