//! What a child writes to its standard error, in our log: some lines of each child, cut short. A child may lie and babble.

use std::io::{BufRead as _, BufReader, Read};
use std::process::ChildStderr;

use crate::tuning::{SAID_BYTES, SAID_LINE_BYTES, SAID_LINES};

/// Logs what the child says on a thread of its own, which ends with the child, or when it has said too much: then the child
/// finds its standard error closed.
pub(super) fn log(of: String, stderr: Option<ChildStderr>) {
    let Some(stderr) = stderr else { return };
    let body = move || relay(stderr, |line| tracing::warn!(child = of, line, "a child says"));
    // Without a thread the child's words are lost, its work is not.
    let _ = std::thread::Builder::new().name("capture-said".into()).spawn(body);
}

/// Hands on the first lines, and counts the others.
fn relay(from: impl Read, mut line: impl FnMut(&str)) {
    let mut from = BufReader::new(from.take(SAID_BYTES));
    let (mut lines, mut text) = (0_u64, Vec::new());
    while let Ok(1..) = from.read_until(b'\n', &mut text) {
        lines += 1;
        if lines <= SAID_LINES {
            let shown = text.get(..SAID_LINE_BYTES).unwrap_or(&text);
            line(String::from_utf8_lossy(shown).trim_end());
        }
        text.clear();
    }
    if lines > SAID_LINES {
        line(&format!("{} more lines, which are not shown", lines - SAID_LINES));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_babbling_child_gets_some_lines_and_no_more() {
        let mut shown = Vec::new();
        relay("short\n".repeat(1000).as_bytes(), |line| shown.push(line.to_owned()));
        assert_eq!(shown.len() as u64, SAID_LINES + 1);
        assert_eq!(shown.last().map(String::as_str), Some("980 more lines, which are not shown"));

        let mut shown = Vec::new();
        relay(&[b'x'; 10_000_000][..], |line| shown.push(line.len()));
        assert_eq!(shown, [SAID_LINE_BYTES], "one line without an end");
    }
}
