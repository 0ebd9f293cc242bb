//! The findings as text for a person, and as an exit code.

use std::fmt::Write as _;

use super::finding::{Finding, Level};

/// Lines for a person, the worst last where the eye is, and a summary in both languages.
pub fn render(findings: &[Finding]) -> String {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|f| f.level);
    let mut text = String::new();
    for f in &sorted {
        let mark = match f.level {
            Level::Good => '✓',
            Level::Advice => '!',
            Level::Wrong => '✗',
        };
        // Writing to a String does not fail.
        let (english, chinese) = f.area.names();
        let _ = writeln!(text, "{mark} {english} ({chinese}): {}", f.what);
        if let Some(remedy) = &f.remedy {
            let _ = writeln!(text, "    → {remedy}");
        }
    }
    let count = |level| findings.iter().filter(|f| f.level == level).count();
    let (wrong, advice) = (count(Level::Wrong), count(Level::Advice));
    let _ = match (wrong, advice) {
        (0, 0) => writeln!(text, "\nAll is well.  一切正常。"),
        (0, n) => writeln!(text, "\nNothing is wrong; {n} to look at.  没有错误；{n} 项请留意。"),
        (w, n) => writeln!(text, "\n{w} wrong, {n} to look at.  {w} 项错误，{n} 项请留意。"),
    };
    text
}

/// 0, or 70 when something is wrong.
pub fn exit_code(findings: &[Finding]) -> u8 {
    if findings.iter().any(|f| f.level == Level::Wrong) {
        crate::cli::exit::FAILED
    } else {
        crate::cli::exit::OK
    }
}
