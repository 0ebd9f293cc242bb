//! Which output of a model is what. Declared shapes are checked against the manifest before anything runs.

use super::exports;
use super::grids;
use crate::manifest::{Family, Manifest};
use crate::tuning::MAX_OUTPUT_NUMBERS;

/// A declared output: name and shape.
pub(crate) type OutputSpec = (String, Vec<i64>);

/// Which output, and what is wrong with it.
type Misfit = (String, String);

/// Which output is what, found once when the model is loaded; positions in the list of outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutputLayout {
    pub(super) boxes: usize,
    pub(super) scores: usize,
    pub(super) classes: usize,
    /// Boxes, and numbers of each that are no coordinates of a separate output.
    pub(super) n: usize,
    pub(super) columns: usize,
    /// All numbers of one box lie together, not all boxes of one number.
    pub(super) by_box: bool,
}

impl OutputLayout {
    /// Checks declared shapes against the manifest. The error: which output, and what is wrong with it; where the shapes are
    /// those of a well-known export, with its name and the cure.
    pub(crate) fn find(manifest: &Manifest, outputs: &[OutputSpec]) -> Result<Self, Misfit> {
        for (name, shape) in outputs {
            bounded(shape).map_err(|why| (format!("output {name}"), why))?;
        }
        Self::of_family(manifest, outputs).map_err(|(port, why)| {
            match exports::recognise(manifest, outputs) {
                Some(export) => (port, format!("{why}; {export}")),
                None => (port, why),
            }
        })
    }

    /// Where number `number` of box `k` stands in an output of grids.
    pub(super) fn at(&self, k: usize, number: usize) -> usize {
        if self.by_box { k * self.columns + number } else { number * self.n + k }
    }

    fn of_family(manifest: &Manifest, outputs: &[OutputSpec]) -> Result<Self, Misfit> {
        match manifest.output.family {
            Family::BoxesScores => boxes_scores(manifest, outputs),
            Family::Yolox => on_grids(manifest, outputs, OnGrids { head: 5, boxes_a_cell: 1, turned: false }),
            Family::Yolov5 => on_grids(manifest, outputs, OnGrids { head: 5, boxes_a_cell: 3, turned: true }),
            Family::Yolov8 => on_grids(manifest, outputs, OnGrids { head: 4, boxes_a_cell: 1, turned: true }),
            Family::Nms => {
                let only = single(outputs)?;
                let n = expect(&outputs[only], 1, [Some(1), None, Some(6)])?;
                Ok(OutputLayout { boxes: only, scores: only, classes: only, n, columns: 6, by_box: true })
            }
            Family::Ssd => ssd(outputs),
            Family::Words => words(manifest, outputs),
        }
    }
}

fn boxes_scores(manifest: &Manifest, outputs: &[OutputSpec]) -> Result<OutputLayout, Misfit> {
    let boxes = named(outputs, "boxes", 0)?;
    let scores = named(outputs, "scores", 1)?;
    let n = expect(&outputs[boxes], 1, [Some(1), None, Some(4)])?;
    let columns = expect(&outputs[scores], 2, [Some(1), Some(n), None])?;
    enough(manifest, &outputs[scores].0, columns, 0)?;
    Ok(OutputLayout { boxes, scores, classes: scores, n, columns, by_box: true })
}

fn ssd(outputs: &[OutputSpec]) -> Result<OutputLayout, Misfit> {
    let boxes = named(outputs, "boxes", 0)?;
    let classes = named(outputs, "classes", 1)?;
    let scores = named(outputs, "scores", 2)?;
    let n = expect(&outputs[boxes], 1, [Some(1), None, Some(4)])?;
    for port in [classes, scores] {
        if outputs[port].1 != [1, n as i64] {
            return Err(wrong(&outputs[port], format!("[1, {n}]")));
        }
    }
    Ok(OutputLayout { boxes, scores, classes, n, columns: 1, by_box: true })
}

/// One probability a class.
fn words(manifest: &Manifest, outputs: &[OutputSpec]) -> Result<OutputLayout, Misfit> {
    let only = single(outputs)?;
    let columns = manifest.words.as_ref().map_or(0, |words| words.classes);
    if outputs[only].1 != [1, columns as i64] {
        return Err(wrong(
            &outputs[only],
            format!("[1, {columns}]: one number for each line of its file of classes"),
        ));
    }
    Ok(OutputLayout { boxes: only, scores: only, classes: only, n: 1, columns, by_box: true })
}

/// What a family with one output on grids has in it.
struct OnGrids {
    /// Numbers of a box before its scores.
    head: usize,
    boxes_a_cell: usize,
    /// Exported either way: by box, or by number.
    turned: bool,
}

fn on_grids(manifest: &Manifest, outputs: &[OutputSpec], family: OnGrids) -> Result<OutputLayout, Misfit> {
    let only = single(outputs)?;
    let (name, shape) = &outputs[only];
    let &[1, rows, columns] = shape.as_slice() else {
        return Err(wrong(&outputs[only], "three axes, the first of them 1".to_owned()));
    };
    let (rows, columns) = (rows as usize, columns as usize);
    let counts = grids::counts(manifest.input.width, manifest.input.height, family.boxes_a_cell);
    // YOLOX is decoded here, cell by cell: only its own three grids will do.
    let is_count = |n: usize| if family.turned { counts.contains(&n) } else { counts[0] == n };
    let (n, columns, by_box) = match (is_count(rows), is_count(columns)) {
        (true, _) => (rows, columns, true),
        (false, true) if family.turned => (columns, rows, false),
        _ => {
            let (px, n) = (format!("{}x{}", manifest.input.width, manifest.input.height), counts[0]);
            let why = format!("shape {shape:?} does not fit the manifest: {px} px make {n} boxes");
            return Err((format!("output {name}"), why));
        }
    };
    enough(manifest, name, columns, family.head)?;
    if by_box && manifest.output.family == Family::Yolov8 {
        surely_yolov8(manifest, name, columns)?;
    }
    Ok(OutputLayout { boxes: only, scores: only, classes: only, n, columns, by_box })
}

/// `[1,N,C]` is YOLOv8 turned, or YOLOX with one number more: the count of classes decides.
fn surely_yolov8(manifest: &Manifest, name: &str, columns: usize) -> Result<(), Misfit> {
    /// The classes of COCO, which most published networks have.
    const COCO: usize = 80;
    let classes = columns - 4;
    if manifest.output.classes.is_some() || classes == labels_need(manifest) || classes == COCO {
        return Ok(());
    }
    let why = format!(
        "{columns} numbers a box are yolov8 with {classes} classes or yolox with {}: set classes in [output] to the \
         number of classes the network has",
        classes - 1
    );
    Err((format!("output {name}"), why))
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

fn wrong((name, shape): &OutputSpec, want: String) -> Misfit {
    (format!("output {name}"), format!("shape {shape:?} does not fit the manifest, which means {want}"))
}

/// The size of axis `free` of a three-axis shape whose other axes are as wanted.
fn expect(port: &OutputSpec, free: usize, want: [Option<usize>; 3]) -> Result<usize, Misfit> {
    let fits = port.1.len() == 3 && port.1.iter().zip(want).all(|(&d, w)| w.is_none_or(|w| d == w as i64));
    let axis = |w: Option<usize>| w.map_or("any".to_owned(), |w| w.to_string());
    if fits {
        Ok(port.1[free] as usize)
    } else {
        Err(wrong(port, format!("[{}]", want.map(axis).join(", "))))
    }
}

/// Columns that the labels of the manifest need.
fn labels_need(manifest: &Manifest) -> usize {
    manifest.labels.last().map_or(0, |label| label.index + 1)
}

/// `columns`: of one box, `head` of them before its scores.
fn enough(manifest: &Manifest, name: &str, columns: usize, head: usize) -> Result<(), Misfit> {
    let misfit = |why: String| Err((format!("output {name}"), why));
    let need = head + labels_need(manifest);
    match manifest.output.classes {
        Some(classes) if columns != head + classes => {
            misfit(format!("{columns} columns, but {classes} classes need {}", head + classes))
        }
        _ if columns < need => misfit(format!("{columns} columns, but the manifest's labels need {need}")),
        _ => Ok(()),
    }
}

/// By name, else by place.
fn named(outputs: &[OutputSpec], word: &str, place: usize) -> Result<usize, Misfit> {
    let by_name = outputs.iter().position(|(name, _)| name.contains(word));
    by_name
        .or_else(|| (place < outputs.len()).then_some(place))
        .ok_or_else(|| (format!("output {word}"), "the model has none".to_owned()))
}

fn single(outputs: &[OutputSpec]) -> Result<usize, Misfit> {
    if outputs.len() == 1 {
        return Ok(0);
    }
    Err(("outputs".to_owned(), format!("{} where the family has one", outputs.len())))
}
