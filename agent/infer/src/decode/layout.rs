//! Which output of a model is what. Declared shapes are checked against the manifest before anything runs.

use crate::manifest::{Family, Manifest};
use crate::tuning::MAX_OUTPUT_NUMBERS;

/// Strides of the grids of YOLOX, model px.
pub(super) const STRIDES: [u32; 3] = [8, 16, 32];

/// A declared output: name and shape.
pub(crate) type OutputSpec = (String, Vec<i64>);

/// Which output is what, found once when the model is loaded; positions in the list of outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutputLayout {
    pub(super) boxes: usize,
    pub(super) scores: usize,
    pub(super) classes: usize,
    /// Boxes, and columns of scores.
    pub(super) n: usize,
    pub(super) columns: usize,
}

impl OutputLayout {
    /// Checks declared shapes against the manifest. The error: which output, and what is wrong with it.
    pub(crate) fn find(manifest: &Manifest, outputs: &[OutputSpec]) -> Result<Self, (String, String)> {
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
                Ok(OutputLayout { boxes, scores, classes: scores, n, columns: c })
            }
            Family::Yolox => {
                let cells =
                    STRIDES.map(|s| (manifest.input.width / s * (manifest.input.height / s)) as usize);
                let n = cells.iter().sum();
                let only = single(outputs)?;
                let c = expect(&outputs[only], 2, [Some(1), Some(n), None])?;
                enough(&outputs[only].0, c, columns + 5)?;
                Ok(OutputLayout { boxes: only, scores: only, classes: only, n, columns: c })
            }
            Family::Yolov8 => {
                let only = single(outputs)?;
                let n = expect(&outputs[only], 2, [Some(1), None, None])?;
                let c = outputs[only].1[1] as usize;
                enough(&outputs[only].0, c, columns + 4)?;
                Ok(OutputLayout { boxes: only, scores: only, classes: only, n, columns: c })
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
                Ok(OutputLayout { boxes, scores, classes, n, columns: 1 })
            }
        }
    }
}

/// Fixed and not huge: the runtime would allocate what a model declares.
pub(crate) fn bounded(shape: &[i64]) -> Result<(), String> {
    if shape.iter().any(|&d| d < 1) {
        return Err(format!("shape {shape:?} is not fixed; export the model with fixed shapes"));
    }
    let numbers = shape.iter().try_fold(1i64, |n, &d| n.checked_mul(d));
    match numbers {
        Some(n) if n <= MAX_OUTPUT_NUMBERS => Ok(()),
        _ => Err(format!("shape {shape:?} holds more than {MAX_OUTPUT_NUMBERS} numbers")),
    }
}

fn wrong((name, shape): &OutputSpec, want: String) -> (String, String) {
    (format!("output {name}"), format!("shape {shape:?} does not fit the manifest, which means {want}"))
}

/// The size of axis `free` of a three-axis shape whose other axes are as wanted.
fn expect(port: &OutputSpec, free: usize, want: [Option<usize>; 3]) -> Result<usize, (String, String)> {
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
fn named(outputs: &[OutputSpec], word: &str, place: usize) -> Result<usize, (String, String)> {
    let by_name = outputs.iter().position(|(name, _)| name.contains(word));
    by_name
        .or_else(|| (place < outputs.len()).then_some(place))
        .ok_or_else(|| (format!("output {word}"), "the model has none".to_owned()))
}

fn single(outputs: &[OutputSpec]) -> Result<usize, (String, String)> {
    if outputs.len() == 1 {
        return Ok(0);
    }
    Err(("outputs".to_owned(), format!("{} where the family has one", outputs.len())))
}
