//! Precision over recall, one point a sensitivity.

use std::fmt::Write as _;

use super::tally::Results;

const SIDE: f64 = 360.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 50.0;

pub(super) fn svg(results: &Results) -> String {
    let x = |recall: f64| LEFT + SIDE * recall;
    let y = |precision: f64| TOP + SIDE * (1.0 - precision);
    let mut body = String::new();
    for tenth in (0..=10).step_by(2) {
        let at = f64::from(tenth) / 10.0;
        let _ = writeln!(
            body,
            "<path d=\"M{:.1} {TOP}v{SIDE}M{LEFT} {:.1}h{SIDE}\" stroke=\"#00000018\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{at:.1}</text>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{at:.1}</text>",
            x(at),
            y(at),
            x(at),
            TOP + SIDE + 16.0,
            LEFT - 6.0,
            y(at) + 4.0
        );
    }
    let mut path = String::new();
    // Sensitivities that fall on the same point share a label.
    let mut labels: Vec<((f64, f64), String)> = Vec::new();
    for (sensitivity, f) in &results.sensitivities {
        let Some(at) = f.recall.zip(f.precision) else { continue };
        let _ = write!(path, "{}{:.1} {:.1}", if path.is_empty() { "M" } else { "L" }, x(at.0), y(at.1));
        match labels.iter_mut().find(|l| l.0 == at) {
            Some(label) => {
                let _ = write!(label.1, ", {sensitivity}");
            }
            None => labels.push((at, sensitivity.to_string())),
        }
    }
    let _ = writeln!(body, "<path d=\"{path}\" fill=\"none\" stroke=\"#1f6f8b\"/>");
    for ((recall, precision), text) in labels {
        let (x, y) = (x(recall), y(precision));
        let _ = writeln!(
            body,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"#1f6f8b\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            x - 8.0,
            y + 16.0
        );
    }
    let (width, height) = (LEFT + SIDE + 30.0, TOP + SIDE + 50.0);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">precision over recall, by sensitivity (1 to 10)</text>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">recall</text>\n\
         <text x=\"16\" y=\"{:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {:.1})\">precision</text>\n{body}</svg>\n",
        LEFT + SIDE / 2.0,
        TOP + SIDE + 38.0,
        TOP + SIDE / 2.0,
        TOP + SIDE / 2.0
    )
}
