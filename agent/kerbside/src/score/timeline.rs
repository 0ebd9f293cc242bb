//! The picture of one clip: the truth above, the reports below, the camera's states as a band.

use std::fmt::Write as _;

use super::play::Played;
use kerbside_domain::camera_state::CameraState;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 150.0;
const ROW: f64 = 26.0;
const TOP: f64 = 44.0;

/// SVG text; the time axis is the clip's.
pub(super) fn svg(one: &Played) -> String {
    let mut rows = Rows { body: String::new(), y: TOP, clip_s: one.clip_s.max(1.0) };
    for event in &one.events {
        rows.label(&format!("true {}", event.kind.as_str()));
        rows.bar(event.start_s, event.end_s, "#7fb685", "");
        rows.y += ROW;
    }
    for blind in &one.blind {
        rows.label("true blindness");
        rows.bar(blind.start_s, blind.end_s, "#9aa5b1", &format!("{:?}", blind.blind).to_lowercase());
        rows.y += ROW;
    }
    for report in &one.reports {
        let is_false = one.score.false_reports.iter().any(|f| f.incident_id == report.incident_id);
        let (word, colour) = if is_false { ("false", "#c0392b") } else { ("report", "#1f6f8b") };
        rows.label(&format!("{word} {}", report.kind.as_str()));
        rows.mark(report.at_s, report.rule_dwell_s, colour);
        rows.y += ROW;
    }
    rows.label("camera");
    for (index, (at_s, state)) in one.states.iter().enumerate() {
        let until = one.states.get(index + 1).map(|next| next.0);
        let (colour, word) = match state {
            CameraState::Watching => ("#dfe7ea", String::new()),
            CameraState::Blind(why) => ("#9aa5b1", format!("{why:?}").to_lowercase()),
            CameraState::Off(_) => continue,
        };
        rows.bar(*at_s, until, colour, &word);
    }
    rows.y += ROW;
    rows.axis();
    rows.whole(&format!("{} ({}, {})", one.name, super::table::word(one.footage), one.split))
}

struct Rows {
    body: String,
    y: f64,
    clip_s: f64,
}

impl Rows {
    fn x(&self, at_s: f64) -> f64 {
        LEFT + (WIDTH - LEFT - 20.0) * (at_s / self.clip_s).clamp(0.0, 1.0)
    }

    fn label(&mut self, text: &str) {
        let y = self.y + 15.0;
        let _ = writeln!(self.body, "<text x=\"8\" y=\"{y}\">{text}</text>");
    }

    fn bar(&mut self, from_s: f64, to_s: Option<f64>, colour: &str, text: &str) {
        let (x0, x1, y) = (self.x(from_s), self.x(to_s.unwrap_or(self.clip_s)), self.y + 3.0);
        let width = (x1 - x0).max(1.0);
        let _ = writeln!(
            self.body,
            "<rect x=\"{x0:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"16\" fill=\"{colour}\"/>"
        );
        if !text.is_empty() && width > 30.0 {
            let _ = writeln!(self.body, "<text x=\"{:.1}\" y=\"{}\">{text}</text>", x0 + 3.0, y + 12.0);
        }
    }

    /// A report, and the dwell before it.
    fn mark(&mut self, at_s: f64, dwell_s: f64, colour: &str) {
        let (from, to, y) = (self.x(at_s - dwell_s), self.x(at_s), self.y + 11.0);
        let _ = writeln!(
            self.body,
            "<path d=\"M{from:.1} {y}H{to:.1}\" stroke=\"{colour}\" stroke-dasharray=\"3 2\"/>\
             <circle cx=\"{to:.1}\" cy=\"{y}\" r=\"5\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{at_s:.1} s</text>",
            to + 8.0,
            y + 4.0
        );
    }

    fn axis(&mut self) {
        let step_s = if self.clip_s > 600.0 { 300.0 } else { 10.0 };
        let mut at_s = 0.0;
        while at_s <= self.clip_s {
            let (x, y) = (self.x(at_s), self.y);
            let _ = writeln!(
                self.body,
                "<path d=\"M{x:.1} {TOP}V{y}\" stroke=\"#00000018\"/><text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{at_s:.0}</text>",
                y + 14.0
            );
            at_s += step_s;
        }
        self.y += 24.0;
    }

    fn whole(self, title: &str) -> String {
        let height = self.y;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
             <text x=\"8\" y=\"24\" font-size=\"15\">{title}, seconds</text>\n{}</svg>\n",
            self.body
        )
    }
}
