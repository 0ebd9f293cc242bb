//! The tables, in Markdown: for a terminal and for a page alike.

use std::fmt::Write as _;

use super::cause::Cause;
use super::tally::{Results, Total};

pub(super) fn text(results: &Results) -> String {
    let mut out = String::new();
    totals(results, &mut out);
    videos(results, &mut out);
    out
}

fn totals(results: &Results, out: &mut String) {
    let causes = Cause::ALL.map(Cause::words).join(" | ");
    line(
        out,
        &format!("| dwell, s | videos | hours | false reports | an hour | at most (95 %) | {causes} |"),
    );
    line(out, &format!("|--:|--:|--:|--:|--:|--:|{}", "--:|".repeat(Cause::ALL.len())));
    for total in &results.totals {
        let Total { videos, hours, false_reports, per_hour, per_hour_at_most, causes, .. } = total;
        let by_cause =
            Cause::ALL.map(|c| causes.get(&c).copied().unwrap_or_default().to_string()).join(" | ");
        line(
            out,
            &format!(
                "| {} | {videos} | {hours:.3} | {false_reports} | {per_hour:.1} | {per_hour_at_most:.1} | {by_cause} |",
                dwell(total.dwell_s)
            ),
        );
    }
}

fn videos(results: &Results, out: &mut String) {
    let dwells: Vec<String> =
        results.totals.iter().map(|t| format!("false at {}", dwell(t.dwell_s))).collect();
    line(out, &format!("\n| video | seconds | frames inferred | {} | reported |", dwells.join(" | ")));
    line(out, &format!("|---|--:|--:|{}---|", "--:|".repeat(dwells.len())));
    for video in &results.videos {
        let counts: Vec<String> = video.runs.iter().map(|run| run.reports.len().to_string()).collect();
        let reports = video.runs.first().map(|run| run.reports.as_slice()).unwrap_or_default();
        let told = reports.iter().map(|r| {
            format!("{} at {:.0} s ({:.2}; {})", r.kind.as_str(), r.at_s, r.confidence, r.cause.words())
        });
        let told = told.collect::<Vec<_>>().join("; ");
        line(
            out,
            &format!(
                "| {} | {:.0} | {} | {} | {told} |",
                video.name,
                video.seconds,
                video.inferred,
                counts.join(" | ")
            ),
        );
    }
}

fn dwell(dwell_s: Option<f64>) -> String {
    dwell_s.map_or("of the rules".to_owned(), |s| format!("{s}"))
}

fn line(out: &mut String, text: &str) {
    _ = writeln!(out, "{text}");
}
