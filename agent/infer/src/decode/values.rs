//! Whether the numbers of a model are what its family says: a layout that fits by its shape can still be read wrongly.

use super::layout::OutputLayout;
use super::tensor::Tensor;
use crate::manifest::{Family, Manifest};

/// Rounding of the last layer.
const SLACK: f32 = 1e-3;
/// Boxes of things at the edge reach out of the picture, by no more than this share of it.
const OUTSIDE: f32 = 2.0;

/// Checks the outputs of one run. The error: which output, and what is wrong with its numbers.
pub(super) fn check(
    manifest: &Manifest,
    layout: &OutputLayout,
    outputs: &[Tensor<'_>],
) -> Result<(), (String, String)> {
    let data = |index: usize| outputs.get(index).map_or(&[][..], |tensor| tensor.data);
    let named = |index: usize| move |why| (outputs.get(index).map_or("?", |t| t.name).to_owned(), why);
    let (boxes, columns, n) = (data(layout.boxes), layout.columns, layout.n);
    // One number of every box, whichever way they lie.
    let column = |c: usize| {
        let (first, step) = if layout.by_box { (c, columns) } else { (c * n, 1) };
        boxes.iter().skip(first).step_by(step).take(n).copied()
    };
    match manifest.output.family {
        Family::BoxesScores => {
            in_picture(boxes.iter().copied()).map_err(named(layout.boxes))?;
            probabilities(data(layout.scores).iter().copied()).map_err(named(layout.scores))
        }
        Family::Ssd => {
            in_picture(boxes.iter().copied()).map_err(named(layout.boxes))?;
            probabilities(data(layout.scores).iter().copied()).map_err(named(layout.scores))?;
            class_numbers(data(layout.classes).iter().copied()).map_err(named(layout.classes))
        }
        Family::Yolox => (4..columns).try_for_each(|c| probabilities(column(c))).map_err(named(layout.boxes)),
        Family::Yolov5 | Family::Yolov8 => (4..columns)
            .try_for_each(|c| probabilities(column(c)))
            .and_then(|()| in_model_px(manifest, (0..4).flat_map(column)))
            .map_err(named(layout.boxes)),
        Family::Words => probabilities(boxes.iter().copied()).map_err(named(layout.boxes)),
        Family::Nms => probabilities(column(4))
            .and_then(|()| class_numbers(column(5)))
            .and_then(|()| in_model_px(manifest, (0..4).flat_map(column)))
            .map_err(named(layout.boxes)),
    }
}

fn probabilities(scores: impl Iterator<Item = f32>) -> Result<(), String> {
    let bad = scores.into_iter().find(|score| !(-SLACK..=1.0 + SLACK).contains(score));
    bad.map_or(Ok(()), |score| {
        Err(format!(
            "a score is {score}, not within 0..1: another layout, or an export without its last sigmoid"
        ))
    })
}

fn class_numbers(classes: impl Iterator<Item = f32>) -> Result<(), String> {
    let bad =
        classes.into_iter().find(|class| (class - class.round()).abs() > SLACK || *class < -1.0 - SLACK);
    bad.map_or(Ok(()), |class| {
        Err(format!("a class is {class}, no whole number: the columns stand in another order"))
    })
}

/// Coordinates as shares of the picture.
fn in_picture(coordinates: impl Iterator<Item = f32>) -> Result<(), String> {
    let bad = coordinates.into_iter().find(|v| v.abs() > 1.0 + OUTSIDE);
    bad.map_or(Ok(()), |v| {
        Err(format!("a coordinate is {v}, but the family has shares of the picture, 0..1"))
    })
}

/// Coordinates in px of the model's input: neither shares of the picture, nor offsets in a cell, nor px of a larger picture.
fn in_model_px(manifest: &Manifest, coordinates: impl Iterator<Item = f32>) -> Result<(), String> {
    /// Larger than any share or offset, smaller than the first centre of the coarsest grid, px.
    const NO_SHARE: f32 = 4.0;
    let side = manifest.input.width.max(manifest.input.height) as f32;
    let most = coordinates.into_iter().fold(0.0f32, |most, v| most.max(v.abs()));
    if most > side * (1.0 + OUTSIDE) {
        return Err(format!("a coordinate is {most}, but the input has {side} px"));
    }
    if most > 0.0 && most < NO_SHARE {
        return Err(format!(
            "no coordinate is larger than {most}, but the family has px of the input: they are shares of the picture, or \
             not decoded"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn manifest(family: &str) -> Manifest {
        let text = format!(
            "name = 't'\nversion = '1'\nfile = 't.onnx'\nsha256 = '{}'\nlicence = 'x'\nprovenance = 'x'\n\
             [input]\nwidth = 32\nheight = 32\nlayout = 'nhwc'\ndtype = 'uint8'\ncolor = 'rgb'\nfit = 'stretch'\n\
             [output]\nfamily = '{family}'\nnms_iou = 0.5\nmax_detections = 3\n\
             [[label]]\nindex = 0\nname = 'person'\ngroup = 'person'\nmin_score = 0.4\n",
            "0".repeat(64)
        );
        Manifest::parse(Path::new("t.toml"), &text).unwrap()
    }

    fn said(family: &str, shape: [i64; 3], row: &[f32]) -> String {
        let m = manifest(family);
        let layout = OutputLayout::find(&m, &[("out".to_owned(), shape.to_vec())]).unwrap();
        let turned = shape[2] as usize == row.len();
        let n = shape.iter().product::<i64>() as usize / row.len();
        let data: Vec<f32> = if turned {
            row.iter().copied().cycle().take(n * row.len()).collect()
        } else {
            row.iter().flat_map(|&v| std::iter::repeat_n(v, n)).collect()
        };
        match check(&m, &layout, &[Tensor { name: "out", data: &data }]) {
            Ok(()) => "fits".to_owned(),
            Err((port, why)) => format!("{port}: {why}"),
        }
    }

    /// One box, repeated, in the shape of each family; what is right, and what people bring instead.
    #[test]
    fn numbers_that_no_such_network_gives_are_named() {
        let logits =
            "out: a score is -3, not within 0..1: another layout, or an export without its last sigmoid";
        let table: [(&str, [i64; 3], &[f32], &str); 12] = [
            ("yolov8", [1, 5, 21], &[16.0, 16.0, 8.0, 8.0, 0.9], "fits"),
            ("yolov8", [1, 21, 5], &[16.0, 16.0, 8.0, 8.0, 0.9], "fits"),
            ("yolov8", [1, 5, 21], &[16.0, 16.0, 8.0, 8.0, -3.0], logits),
            (
                "yolov8",
                [1, 5, 21],
                &[0.5, 0.5, 0.2, 0.2, 0.9],
                "out: no coordinate is larger than 0.5, but the family has px of the input: they are shares of the \
                 picture, or not decoded",
            ),
            (
                "yolov8",
                [1, 5, 21],
                &[300.0, 16.0, 8.0, 8.0, 0.9],
                "out: a coordinate is 300, but the input has 32 px",
            ),
            ("yolov5", [1, 63, 6], &[16.0, 16.0, 8.0, 8.0, 0.9, 1.0], "fits"),
            ("yolov5", [1, 63, 6], &[16.0, 16.0, 8.0, 8.0, -3.0, 1.0], logits),
            ("yolox", [1, 21, 6], &[0.5, 0.5, 0.1, 0.1, 1.0, 1.0005], "fits"),
            ("yolox", [1, 21, 6], &[0.5, 0.5, 0.1, 0.1, -3.0, 1.0], logits),
            ("nms", [1, 10, 6], &[8.0, 8.0, 16.0, 24.0, 0.9, 2.0], "fits"),
            (
                "nms",
                [1, 10, 6],
                &[8.0, 8.0, 16.0, 24.0, 2.0, 0.9],
                "out: a score is 2, not within 0..1: another layout, or an export without its last sigmoid",
            ),
            (
                "nms",
                [1, 10, 6],
                &[8.0, 8.0, 16.0, 24.0, 1.0, 0.9],
                "out: a class is 0.9, no whole number: the columns stand in another order",
            ),
        ];
        for (family, shape, row, want) in table {
            assert_eq!(said(family, shape, row), want, "{family} {row:?}");
        }
    }

    #[test]
    fn boxes_in_px_are_no_shares_of_the_picture() {
        for family in ["boxes-scores", "ssd"] {
            let m = manifest(family);
            let layout = OutputLayout { boxes: 0, scores: 1, classes: 2, n: 1, columns: 1, by_box: true };
            let run = |boxes: &[f32], score: f32| {
                let scores = [score];
                let outputs = [
                    Tensor { name: "boxes", data: boxes },
                    Tensor { name: "scores", data: &scores },
                    Tensor { name: "classes", data: &[1.0] },
                ];
                check(&m, &layout, &outputs)
            };
            assert_eq!(run(&[0.0, 0.1, 0.5, 1.02], 0.5), Ok(()), "{family}");
            assert!(run(&[0.0, 0.1, 160.0, 200.0], 0.5).is_err(), "{family}");
            assert!(run(&[0.0, 0.1, 0.5, 1.0], 12.0).is_err(), "{family}");
        }
    }
}
