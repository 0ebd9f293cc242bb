//! Problems: what is wrong in a file, where, what is allowed, and how to correct it. They are shown as compilers show theirs.
//!
//! It knows text and byte spans, nothing of what the keys mean.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::camera_url::hide_line;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the text it is about; `None`: the file as a whole.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub what: String,
    /// What is allowed, and suggestions; one line each.
    pub help: Vec<String>,
}

impl Problem {
    /// Adds a line of advice.
    pub fn help(&mut self, line: impl Into<String>) -> &mut Self {
        self.help.push(line.into());
        self
    }

    /// Adds several.
    pub(super) fn advise(&mut self, lines: Vec<String>) -> &mut Self {
        self.help.extend(lines);
        self
    }
}

/// Collects problems while a file is checked.
#[derive(Debug, Default)]
pub(super) struct Sink {
    list: Vec<Problem>,
    /// Accepted, but to be changed.
    warnings: Vec<(Range<usize>, String)>,
    /// Keys (start of the table, key) that are there but cannot be used. They are not reported as missing.
    spoilt: Vec<(usize, String)>,
}

impl Sink {
    pub(super) fn at(&mut self, span: Range<usize>, what: impl Into<String>) -> &mut Problem {
        self.push(Problem { span: Some(span), what: what.into(), help: Vec::new() })
    }

    pub(super) fn file(&mut self, what: impl Into<String>) -> &mut Problem {
        self.push(Problem { span: None, what: what.into(), help: Vec::new() })
    }

    pub(super) fn warn(&mut self, span: Range<usize>, what: impl Into<String>) {
        self.warnings.push((span, what.into()));
    }

    fn push(&mut self, problem: Problem) -> &mut Problem {
        let ix = self.list.len();
        self.list.push(problem);
        &mut self.list[ix]
    }

    /// The key was reported in some way that makes "missing" wrong.
    pub(super) fn spoil(&mut self, table: &Range<usize>, key: &str) {
        self.spoilt.push((table.start, key.to_owned()));
    }

    pub(super) fn is_spoilt(&self, table: &Range<usize>, key: &str) -> bool {
        self.spoilt.iter().any(|(start, k)| *start == table.start && k == key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The warnings, a line each.
    pub(super) fn warnings(&self, path: &Path, text: &str) -> Vec<String> {
        let shown = |(span, what): &(Range<usize>, String)| {
            let (line, column) = line_and_column(text, span.start);
            format!("{}:{line}:{column}: warning: {what}", path.display())
        };
        self.warnings.iter().map(shown).collect()
    }

    /// The problems in the order of the text, as one error.
    pub(super) fn into_problems(mut self, path: &Path, text: &str) -> Problems {
        self.list.sort_by_key(|p| p.span.clone().map(|s| (s.start, s.end)));
        self.list.dedup();
        Problems { path: path.to_owned(), text: text.to_owned(), list: self.list }
    }
}

/// Every problem of one file. `Display` is the compiler-like text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    path: PathBuf,
    text: String,
    list: Vec<Problem>,
}

impl Problems {
    /// A file that could not even be read.
    pub fn unreadable(path: &Path, what: impl Into<String>) -> Self {
        let mut sink = Sink::default();
        sink.file(what);
        sink.into_problems(path, "")
    }

    /// How many problems there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// There is no problem.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// In the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Line and column (in characters) of a problem, both from 1.
    pub fn position(&self, problem: &Problem) -> Option<(usize, usize)> {
        let span = problem.span.as_ref()?;
        Some(line_and_column(&self.text, span.start))
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            self.write_one(f, problem)?;
        }
        let n = self.list.len();
        let noun = if n == 1 { "problem" } else { "problems" };
        writeln!(f, "{}: {n} {noun}; nothing was started", self.path.display())
    }
}

impl Problems {
    fn write_one(&self, f: &mut fmt::Formatter<'_>, problem: &Problem) -> fmt::Result {
        let path = self.path.display();
        let Some((line, at)) = self.position(problem) else {
            writeln!(f, "{path}: error: {}", problem.what)?;
            for line in &problem.help {
                writeln!(f, "  = {line}")?;
            }
            return writeln!(f);
        };
        writeln!(f, "{path}:{line}:{at}: error: {}", problem.what)?;
        let written = self.text.lines().nth(line - 1).unwrap_or("").trim_end();
        let source = hide_line(written);
        // What is hidden has another width: the mark stands for all of it.
        let same = written.chars().zip(source.chars()).take_while(|(a, b)| a == b).count();
        let column = if source == written { at } else { at.min(same + 1) };
        let gutter = line.to_string().len();
        if !source.is_empty() {
            let (shown, caret_at) = window(&source, column);
            let room = shown.chars().count().saturating_sub(caret_at);
            let wide = self.width(problem).clamp(1, room.max(1));
            writeln!(f, "{:gutter$} |", "")?;
            writeln!(f, "{line} | {shown}")?;
            writeln!(f, "{:gutter$} | {}{}", "", " ".repeat(caret_at), "^".repeat(wide))?;
        }
        for line in &problem.help {
            writeln!(f, "{:gutter$} = {line}", "")?;
        }
        writeln!(f)
    }

    /// Characters of the span on its first line.
    fn width(&self, problem: &Problem) -> usize {
        let Some(span) = &problem.span else { return 1 };
        let start = floor_char(&self.text, span.start);
        let end = floor_char(&self.text, span.end).max(start);
        self.text[start..end].lines().next().unwrap_or("").trim_end().chars().count()
    }
}

/// Line and column (in characters) of a byte of the text, both from 1.
fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let at = floor_char(text, byte);
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    (line, text[start..at].chars().count() + 1)
}

/// The part of a long line around the column, and the column's place in it (from 0).
fn window(source: &str, column: usize) -> (String, usize) {
    const WIDE: usize = 110;
    let at = column.saturating_sub(1);
    let total = source.chars().count();
    if total <= WIDE {
        return (source.to_owned(), at);
    }
    let start = at.saturating_sub(40).min(total.saturating_sub(WIDE));
    let part: String = source.chars().skip(start).take(WIDE).collect();
    (part, at.saturating_sub(start))
}

/// The nearest start of a character at or before `at`.
fn floor_char(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The known word that is nearest to `word`, if one is near.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1) + 1;
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&word.to_lowercase(), k), k))
        .filter(|(distance, k)| *distance <= limit && *distance < k.chars().count())
        .min_by_key(|(distance, k)| (*distance, *k))
        .map(|(_, k)| k)
}

/// Advice where a word is none of the known ones: the nearest, if one is near, and all of them after `which` (`allowed`, ...).
pub(super) fn suggestions<'a, I>(word: &str, which: &str, known: I) -> Vec<String>
where
    I: IntoIterator<Item = &'a str> + Clone,
{
    let near = nearest(word, known.clone()).map(|near| format!("did you mean `{near}`?"));
    near.into_iter().chain([format!("{which}: {}", one_of(known))]).collect()
}

/// `a`, `b` or `c`.
pub(super) fn one_of<'a>(known: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = known.into_iter().map(|k| format!("`{k}`")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}
