//! The sessions in a document.

use std::ops::Range;

use anyhow::{Result, bail, ensure};

/// One command and what must come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it stands, from 1.
    pub line: usize,
    pub command: String,
    /// `None`: nothing stands below it, so it is not looked at.
    pub expected: Option<String>,
    pub code: i32,
    /// Lines of the expected output, from 0.
    pub output_lines: Range<usize>,
    /// Of the block: one inside a list is indented as its fence is.
    pub indent: usize,
}

/// All steps of a document in order.
pub fn steps(text: &str) -> Result<Vec<Step>> {
    let mut found = Vec::new();
    let mut fence: Option<(&str, bool)> = None;
    let mut session = Vec::new();
    for (at, line) in text.lines().enumerate() {
        match fence {
            None if line.trim_start().starts_with("```") => {
                let info = line.trim_start().trim_start_matches('`');
                fence = Some((&line[..line.len() - info.len()], info.trim() == "console"));
            }
            Some((mark, is_session)) if line.trim() == mark.trim() => {
                if is_session {
                    found.extend(of_session(&session, indent(mark))?);
                }
                session.clear();
                fence = None;
            }
            Some((mark, true)) => {
                session.push((at, line.get(indent(mark)..).unwrap_or_default()));
            }
            _ => {}
        }
    }
    ensure!(fence.is_none(), "a block is not closed");
    Ok(found)
}

fn indent(fence: &str) -> usize {
    fence.len() - fence.trim_start().len()
}

fn of_session(lines: &[(usize, &str)], indent: usize) -> Result<Vec<Step>> {
    let mut found: Vec<Step> = Vec::new();
    for &(at, line) in lines {
        if let Some(command) = line.strip_prefix("$ ") {
            let command = command.to_owned();
            let output_lines = at + 1..at + 1;
            found.push(Step { line: at + 1, command, expected: None, code: 0, output_lines, indent });
            continue;
        }
        let Some(step) = found.last_mut() else { bail!("line {}: output before any command", at + 1) };
        match (line.strip_prefix("> "), line.strip_prefix("? ").and_then(|code| code.parse().ok())) {
            (Some(more), _) if step.expected.is_none() && step.command.ends_with('\\') => {
                step.command = format!("{}\n{more}", step.command);
                step.output_lines = at + 1..at + 1;
            }
            (_, Some(code)) => step.code = code,
            _ => {
                let expected = step.expected.get_or_insert_default();
                expected.push_str(line);
                expected.push('\n');
                step.output_lines.end = at + 1;
            }
        }
    }
    Ok(found)
}
