//! Decode: a model's output tensors become detections. Pure; one decoder a family, then thresholds and suppression.
//!
//! Scores and boxes are rounded to 1e-4 before they are compared with anything, so that the last bits in which
//! processors differ decide nothing.

use std::cmp::Ordering;

use super::manifest::{Family, Manifest};
use super::preprocess::{Placement, Preprocessor};
use super::{Detection, DetectorError};
use kerbside_domain::frame::{BBox, Frame};

/// One output as the runtime gave it.
pub(super) struct Tensor<'a> {
    pub(super) name: &'a str,
    pub(super) data: &'a [f32],
}

/// A declared output: name and shape.
pub(super) type Port = (String, Vec<i64>);

/// Which output is what, found once when the model is loaded; positions in the list of outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    boxes: usize,
    scores: usize,
    classes: usize,
    /// Boxes, and columns of scores.
    n: usize,
    columns: usize,
}

/// More numbers than this in one output is no detector of ours.
const NUMBERS_AT_MOST: i64 = 1 << 22;
const STRIDES: [u32; 3] = [8, 16, 32];

/// One box before thresholds.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    bbox: BBox,
    score: f32,
    /// Position in the manifest's labels.
    label: usize,
}

impl Ports {
    /// Checks declared shapes against the manifest. The error: which output, and what is wrong with it.
    pub(super) fn find(manifest: &Manifest, outputs: &[Port]) -> Result<Self, (String, String)> {
        for (name, shape) in outputs {
            bounded(shape).map_err(|why| (format!("output {name}"), why))?;
        }
        let columns = manifest.labels.last().map_or(0, |l| l.index + 1);
        match manifest.output.family {
            Family::BoxesScores => {
                let boxes = named(outputs, "boxes", 0)?;
                let scores = named(outputs, "scores", 1)?;
                let n = expect(&outputs[boxes], 1, [Some(1), None, Some(4)])?;
                let c = expect(&outputs[scores], 2, [Some(1), Some(n), None])?;
                enough(&outputs[scores].0, c, columns)?;
                Ok(Ports { boxes, scores, classes: scores, n, columns: c })
            }
            Family::Yolox => {
                let cells =
                    STRIDES.map(|s| (manifest.input.width / s * (manifest.input.height / s)) as usize);
                let n = cells.iter().sum();
                let only = single(outputs)?;
                let c = expect(&outputs[only], 2, [Some(1), Some(n), None])?;
                enough(&outputs[only].0, c, columns + 5)?;
                Ok(Ports { boxes: only, scores: only, classes: only, n, columns: c })
            }
            Family::Yolov8 => {
                let only = single(outputs)?;
                let n = expect(&outputs[only], 2, [Some(1), None, None])?;
                let c = outputs[only].1[1] as usize;
                enough(&outputs[only].0, c, columns + 4)?;
                Ok(Ports { boxes: only, scores: only, classes: only, n, columns: c })
            }
            Family::Ssd => {
                let boxes = named(outputs, "boxes", 0)?;
                let classes = named(outputs, "classes", 1)?;
                let scores = named(outputs, "scores", 2)?;
                let n = expect(&outputs[boxes], 1, [Some(1), None, Some(4)])?;
                for port in [classes, scores] {
                    if outputs[port].1 != [1, n as i64] {
                        return Err(wrong(&outputs[port], format!("[1, {n}]")));
                    }
                }
                Ok(Ports { boxes, scores, classes, n, columns: 1 })
            }
        }
    }
}

/// Fixed and not huge: the runtime would allocate what a model declares.
pub(super) fn bounded(shape: &[i64]) -> Result<(), String> {
    if shape.iter().any(|&d| d < 1) {
        return Err(format!("shape {shape:?} is not fixed; export the model with fixed shapes"));
    }
    let numbers = shape.iter().try_fold(1i64, |n, &d| n.checked_mul(d));
    match numbers {
        Some(n) if n <= NUMBERS_AT_MOST => Ok(()),
        _ => Err(format!("shape {shape:?} holds more than {NUMBERS_AT_MOST} numbers")),
    }
}

fn wrong((name, shape): &Port, want: String) -> (String, String) {
    (format!("output {name}"), format!("shape {shape:?} does not fit the manifest, which means {want}"))
}

/// The size of axis `free` of a three-axis shape whose other axes are as wanted.
fn expect(port: &Port, free: usize, want: [Option<usize>; 3]) -> Result<usize, (String, String)> {
    let fits = port.1.len() == 3 && port.1.iter().zip(want).all(|(&d, w)| w.is_none_or(|w| d == w as i64));
    if fits { Ok(port.1[free] as usize) } else { Err(wrong(port, format!("{want:?}"))) }
}

fn enough(name: &str, have: usize, want: usize) -> Result<(), (String, String)> {
    if have >= want {
        return Ok(());
    }
    Err((format!("output {name}"), format!("{have} columns, but the manifest's labels need {want}")))
}

/// By name, else by place.
fn named(outputs: &[Port], word: &str, place: usize) -> Result<usize, (String, String)> {
    let by_name = outputs.iter().position(|(name, _)| name.contains(word));
    by_name
        .or_else(|| (place < outputs.len()).then_some(place))
        .ok_or_else(|| (format!("output {word}"), "the model has none".to_owned()))
}

fn single(outputs: &[Port]) -> Result<usize, (String, String)> {
    if outputs.len() == 1 {
        return Ok(0);
    }
    Err(("outputs".to_owned(), format!("{} where the family has one", outputs.len())))
}

/// Detections of one run, best first, at most the manifest's number.
pub(super) fn decode(
    manifest: &Manifest,
    ports: &Ports,
    outputs: &[Tensor<'_>],
    placed: Placement,
) -> Result<Vec<Detection>, DetectorError> {
    let bad = |output: &str, why: String| DetectorError::Output {
        model: manifest.name.clone(),
        output: output.to_owned(),
        why,
    };
    for output in outputs {
        if let Some(at) = output.data.iter().position(|v| !v.is_finite()) {
            return Err(bad(output.name, format!("number {at} is {}", output.data[at])));
        }
    }
    let part = |port: usize, want: usize| match outputs.get(port) {
        Some(t) if t.data.len() == want => Ok(t.data),
        Some(t) => Err(bad(t.name, format!("{} numbers came, {want} were declared", t.data.len()))),
        None => Err(bad("?", format!("output {port} did not come"))),
    };
    let n = ports.n;
    let candidates = match manifest.output.family {
        Family::BoxesScores => boxes_scores(
            manifest,
            ports,
            part(ports.boxes, n * 4)?,
            part(ports.scores, n * ports.columns)?,
            placed,
        ),
        Family::Yolox => yolox(manifest, ports, part(ports.boxes, n * ports.columns)?, placed),
        Family::Yolov8 => yolov8(manifest, ports, part(ports.boxes, n * ports.columns)?, placed),
        Family::Ssd => {
            let (boxes, scores) = (part(ports.boxes, n * 4)?, part(ports.scores, n)?);
            ssd(manifest, boxes, part(ports.classes, n)?, scores, placed)
        }
    };
    Ok(suppress(manifest, candidates))
}

/// The same of outputs that come from anywhere: name, declared shape, numbers; nothing of them is trusted. For those who look at
/// decoding without a runtime.
pub fn decode_outputs(
    manifest: &Manifest,
    frame: &Frame,
    outputs: &[(String, Vec<i64>, Vec<f32>)],
) -> Result<Vec<Detection>, String> {
    let shapes: Vec<Port> = outputs.iter().map(|(name, shape, _)| (name.clone(), shape.clone())).collect();
    let ports = Ports::find(manifest, &shapes).map_err(|(port, why)| format!("{port}: {why}"))?;
    let placed = Preprocessor::new(&manifest.input, manifest.output.family).take(frame);
    let tensors: Vec<Tensor> = outputs.iter().map(|(name, _, data)| Tensor { name, data }).collect();
    let decoded = placed.and_then(|placed| decode(manifest, &ports, &tensors, placed));
    decoded.map_err(|error| error.to_string())
}

fn boxes_scores(
    m: &Manifest,
    ports: &Ports,
    boxes: &[f32],
    scores: &[f32],
    placed: Placement,
) -> Vec<Candidate> {
    let (w, h) = (m.input.width as f32, m.input.height as f32);
    let rows = boxes.chunks_exact(4).zip(scores.chunks_exact(ports.columns));
    rows.filter_map(|(b, s)| {
        best_label(m, |index| s[index])
            .map(|best| candidate(best, placed.norm_from_model(b[0] * w, b[1] * h, b[2] * w, b[3] * h)))
    })
    .collect()
}

/// Grid decoding as in YOLOX: centre = (cell + offset) * stride, size = exp(value) * stride.
fn yolox(m: &Manifest, ports: &Ports, data: &[f32], placed: Placement) -> Vec<Candidate> {
    let cells = STRIDES.into_iter().flat_map(|stride| {
        let (gw, gh) = (m.input.width / stride, m.input.height / stride);
        (0..gh).flat_map(move |y| (0..gw).map(move |x| (x as f32, y as f32, stride as f32)))
    });
    data.chunks_exact(ports.columns)
        .zip(cells)
        .filter_map(|(row, (x, y, stride))| {
            let best = best_label(m, |index| row[4] * row[5 + index])?;
            let (cx, cy) = ((x + row[0]) * stride, (y + row[1]) * stride);
            // A wild size would overflow; nothing is larger than some pictures.
            let (w, h) = (row[2].min(10.0).exp() * stride, row[3].min(10.0).exp() * stride);
            Some(candidate(best, around(placed, cx, cy, w, h)))
        })
        .collect()
}

fn yolov8(m: &Manifest, ports: &Ports, data: &[f32], placed: Placement) -> Vec<Candidate> {
    let n = ports.n;
    (0..n)
        .filter_map(|k| {
            let at = |row: usize| data[row * n + k];
            let best = best_label(m, |index| at(4 + index))?;
            Some(candidate(best, around(placed, at(0), at(1), at(2), at(3))))
        })
        .collect()
}

fn ssd(m: &Manifest, boxes: &[f32], classes: &[f32], scores: &[f32], placed: Placement) -> Vec<Candidate> {
    let (w, h) = (m.input.width as f32, m.input.height as f32);
    let rows = boxes.chunks_exact(4).zip(classes).zip(scores);
    rows.filter_map(|((b, class), score)| {
        let label = m.labels.iter().position(|l| (l.index + 1) as f32 == class.round())?;
        let score = rounded(score.clamp(0.0, 1.0));
        (score >= m.labels[label].min_score && score > 0.0).then(|| {
            candidate((label, score), placed.norm_from_model(b[1] * w, b[0] * h, b[3] * w, b[2] * h))
        })
    })
    .collect()
}

fn around(placed: Placement, cx: f32, cy: f32, w: f32, h: f32) -> BBox {
    placed.norm_from_model(cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0)
}

/// The best of the manifest's labels that reaches its own threshold; of equals the first.
fn best_label(m: &Manifest, score: impl Fn(usize) -> f32) -> Option<(usize, f32)> {
    let mut best: Option<(usize, f32)> = None;
    for (k, label) in m.labels.iter().enumerate() {
        let raw = score(label.index);
        // Most boxes of most models hold nothing: spare them the rounding.
        if raw + 1e-4 < label.min_score || best.is_some_and(|(_, b)| raw + 1e-4 < b) {
            continue;
        }
        let score = rounded(raw.clamp(0.0, 1.0));
        if score >= label.min_score && score > 0.0 && best.is_none_or(|(_, b)| score > b) {
            best = Some((k, score));
        }
    }
    best
}

fn candidate((label, score): (usize, f32), bbox: BBox) -> Candidate {
    let BBox { x, y, w, h } = bbox;
    Candidate { bbox: BBox { x: rounded(x), y: rounded(y), w: rounded(w), h: rounded(h) }, score, label }
}

fn rounded(v: f32) -> f32 {
    (v * 1e4).round() / 1e4
}

/// Greedy non-maximum suppression within each group: two labels of one group on one place are one thing.
fn suppress(m: &Manifest, mut candidates: Vec<Candidate>) -> Vec<Detection> {
    candidates.retain(|c| c.bbox.w > 0.0 && c.bbox.h > 0.0);
    candidates.sort_by(best_first);
    let mut kept: Vec<Candidate> = Vec::new();
    for c in candidates {
        if kept.len() >= m.output.max_detections {
            break;
        }
        let group = m.labels[c.label].group;
        let doubled =
            |k: &Candidate| m.labels[k.label].group == group && k.bbox.iou(&c.bbox) > m.output.nms_iou;
        if !kept.iter().any(doubled) {
            kept.push(c);
        }
    }
    let detection = |c: Candidate| {
        let label = &m.labels[c.label];
        Detection { label: label.name.clone(), group: label.group, confidence: c.score, bbox: c.bbox }
    };
    kept.into_iter().map(detection).collect()
}

/// A total order, so that equal scores come out the same everywhere.
fn best_first(a: &Candidate, b: &Candidate) -> Ordering {
    let place = |c: &Candidate| [c.bbox.x, c.bbox.y, c.bbox.w, c.bbox.h];
    b.score.total_cmp(&a.score).then(a.label.cmp(&b.label)).then_with(|| {
        let pairs = place(a).into_iter().zip(place(b));
        pairs.map(|(p, q)| p.total_cmp(&q)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::fake::frame_of;
    use super::*;

    fn manifest(family: &str) -> Manifest {
        let text = format!(
            "name = 't'\nversion = '1'\nfile = 't.onnx'\nsha256 = '{}'\nlicence = 'x'\nprovenance = 'x'\n\
             [input]\nwidth = 32\nheight = 32\nlayout = 'nhwc'\ndtype = 'uint8'\ncolor = 'rgb'\nfit = 'stretch'\n\
             [output]\nfamily = '{family}'\nnms_iou = 0.5\nmax_detections = 3\n\
             [[label]]\nindex = 0\nname = 'person'\ngroup = 'person'\nmin_score = 0.4\n\
             [[label]]\nindex = 2\nname = 'bag'\ngroup = 'waste'\nmin_score = 0.2\n\
             [[label]]\nindex = 1\nname = 'bin'\ngroup = 'waste'\nmin_score = 0.2\n",
            "0".repeat(64)
        );
        Manifest::parse(Path::new("t.toml"), &text).unwrap()
    }

    fn run(boxes: &[[f32; 4]], scores: &[[f32; 3]]) -> Result<String, DetectorError> {
        let m = manifest("boxes-scores");
        let n = boxes.len() as i64;
        let shapes = [("scores".to_owned(), vec![1, n, 3]), ("boxes".to_owned(), vec![1, n, 4])];
        let ports = Ports::find(&m, &shapes).unwrap();
        let placed =
            Preprocessor::new(&m.input, m.output.family).take(&frame_of(64, 48, |_, _| [0; 3])).unwrap();
        let (boxes, scores) = (boxes.concat(), scores.concat());
        let outputs = [Tensor { name: "scores", data: &scores }, Tensor { name: "boxes", data: &boxes }];
        let line = |d: Detection| format!("{} {} {:?}", d.label, d.confidence, d.bbox.foot());
        Ok(decode(&m, &ports, &outputs, placed)?.into_iter().map(line).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn each_label_has_its_threshold_and_each_group_its_suppression() {
        let place = [0.0, 0.0, 0.5, 0.5];
        let elsewhere = [0.5, 0.5, 1.0, 1.0];
        let table = [
            (vec![place], vec![[0.39, 0.0, 0.0]], ""),
            (vec![place], vec![[0.39999, 0.0, 0.0]], "person 0.4 (0.25, 0.5)"),
            (vec![place], vec![[0.9, 0.95, 0.3]], "bin 0.95 (0.25, 0.5)"),
            // Bag and bin are one thing, person and bag are two.
            (vec![place; 2], vec![[0.0, 0.5, 0.0], [0.0, 0.0, 0.6]], "bag 0.6 (0.25, 0.5)"),
            (
                vec![place; 2],
                vec![[0.5, 0.0, 0.0], [0.0, 0.0, 0.6]],
                "bag 0.6 (0.25, 0.5)\nperson 0.5 (0.25, 0.5)",
            ),
            (
                vec![elsewhere, place],
                vec![[0.5, 0.0, 0.0], [0.5, 0.0, 0.0]],
                "person 0.5 (0.25, 0.5)\nperson 0.5 (0.75, 1.0)",
            ),
            // A box without area is none.
            (vec![[0.5, 0.5, 0.5, 0.9]], vec![[0.9, 0.0, 0.0]], ""),
        ];
        for (boxes, scores, want) in table {
            assert_eq!(run(&boxes, &scores).unwrap(), want, "{boxes:?} {scores:?}");
        }
    }

    #[test]
    fn a_number_that_is_none_is_an_error() {
        let error = run(&[[0.0, f32::NAN, 1.0, 1.0]], &[[0.0; 3]]).expect_err("must fail");
        assert_eq!(error.to_string(), "model t: output boxes: number 1 is NaN");
    }

    #[test]
    fn shapes_are_checked_before_anything_runs() {
        let port = |name: &str, shape: &[i64]| (name.to_owned(), shape.to_vec());
        let table = [
            (
                "boxes-scores",
                vec![port("boxes", &[1, -1, 4])],
                "shape [1, -1, 4] is not fixed; export the model with fixed shapes",
            ),
            (
                "boxes-scores",
                vec![port("boxes", &[1, 1 << 37, 4])],
                "shape [1, 137438953472, 4] holds more than 4194304 numbers",
            ),
            ("boxes-scores", vec![port("boxes", &[1, 7, 4])], "the model has none"),
            (
                "boxes-scores",
                vec![port("boxes", &[1, 7, 4]), port("scores", &[1, 7, 2])],
                "2 columns, but the manifest's labels need 3",
            ),
            (
                "yolox",
                vec![port("out", &[1, 20, 8])],
                "shape [1, 20, 8] does not fit the manifest, which means [Some(1), Some(21), None]",
            ),
            ("yolov8", vec![port("a", &[1, 7, 9]), port("b", &[1])], "2 where the family has one"),
            (
                "ssd",
                vec![port("boxes", &[1, 7, 4]), port("classes", &[1, 7]), port("scores", &[1, 6])],
                "shape [1, 6] does not fit the manifest, which means [1, 7]",
            ),
        ];
        for (family, ports, want) in table {
            let (_, why) = Ports::find(&manifest(family), &ports).expect_err(want);
            assert_eq!(why, want);
        }
    }
}
