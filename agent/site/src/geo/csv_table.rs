//! What the tables of codes and categories have in common: where a line of CSV is wrong, and why.

/// Why a code table cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CodesError {
    /// A line is wrong.
    #[error("line {line}: {why}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// For people.
        why: String,
    },
    /// Only a header, or nothing.
    #[error("it holds no codes")]
    Empty,
    /// The same of a table of categories.
    #[error("it holds no categories")]
    NoCategories,
}

/// The line of a fault, or of the `ix`-th row after the head.
pub(super) fn line_of(e: &csv::Error, ix: usize) -> u64 {
    e.position().map_or(ix as u64 + 2, csv::Position::line)
}

/// For people.
pub(super) fn reason(e: &csv::Error) -> String {
    match e.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} columns instead of {expected_len}")
        }
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".into(),
        _ => "not readable as comma-separated values".into(),
    }
}
