//! The tables, in Markdown: for a terminal and for a README alike.

use std::fmt::Write as _;

use super::tally::{ALL_SPLITS, Figures, Results};
use crate::replay::truth::Footage;

pub(super) fn text(results: &Results) -> String {
    let mut out = String::new();
    kinds(results, &mut out);
    conditions(results, &mut out);
    sensitivities(results, &mut out);
    out
}

fn kinds(results: &Results, out: &mut String) {
    line(
        out,
        "| kind | footage | split | clips | hours | events | precision | recall | F1 | beyond dwell, s (worst) | false per camera-day |",
    );
    line(out, "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for (kind, by_footage) in &results.kinds {
        for (footage, by_split) in by_footage {
            let several = by_split.len() > 2;
            for (split, f) in by_split.iter().filter(|(split, _)| several || *split != ALL_SPLITS) {
                let footage = word(*footage);
                line(out, &format!("| {kind} | {footage} | {split} | {} |", figures(f)));
            }
        }
    }
}

fn figures(f: &Figures) -> String {
    let late = f.beyond_dwell_s.zip(f.beyond_dwell_max_s);
    let late = late.map_or("–".to_owned(), |(mean, worst)| format!("{mean:.1} ({worst:.1})"));
    format!(
        "{} | {:.3} | {} | {} | {} | {} | {late} | {} ({})",
        f.clips,
        f.hours,
        f.events,
        share(f.precision),
        share(f.recall),
        share(f.f1),
        tenth(f.false_per_camera_day),
        f.false_reports
    )
}

fn conditions(results: &Results, out: &mut String) {
    line(
        out,
        "\n| condition | footage | clips | hours | false reports | per camera-day | with 95 % confidence at most |",
    );
    line(out, "|---|---|--:|--:|--:|--:|--:|");
    for (footage, by_condition) in &results.conditions {
        for (condition, q) in by_condition {
            let (rate, bound) = (tenth(q.false_per_camera_day), tenth(q.false_per_camera_day_at_most));
            let counts = format!("{} | {:.3} | {} | {rate} | {bound}", q.clips, q.hours, q.false_reports);
            line(out, &format!("| {condition} | {} | {counts} |", word(*footage)));
        }
    }
    let c = &results.cameras;
    line(
        out,
        &format!(
            "\nCamera faults (covered, moved, frozen, black): {} of {} reported in time, {} false.",
            c.reported, c.faults, c.false_faults
        ),
    );
}

fn sensitivities(results: &Results, out: &mut String) {
    line(out, "\n| sensitivity of every rule | events | precision | recall | F1 | false reports |");
    line(out, "|--:|--:|--:|--:|--:|--:|");
    for (sensitivity, f) in &results.sensitivities {
        let shares = format!("{} | {} | {}", share(f.precision), share(f.recall), share(f.f1));
        line(out, &format!("| {sensitivity} | {} | {shares} | {} |", f.events, f.false_reports));
    }
}

fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{text}");
}

fn share(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |v| format!("{v:.2}"))
}

fn tenth(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |v| format!("{v:.1}"))
}

pub(super) fn word(footage: Footage) -> &'static str {
    match footage {
        Footage::Synthetic => "synthetic",
        Footage::Composite => "composite",
        Footage::Real => "real",
    }
}
