//! Decode: a model's output tensors become detections. Pure; one decoder a family, then thresholds and suppression.

mod exports;
mod families;
mod grids;
mod layout;
mod scored_box;
mod suppression;
mod tensor;
mod values;
mod words;

use kerbside_domain::detection::Detection;
use kerbside_domain::frame::Frame;

#[cfg(feature = "inference")]
pub(crate) use self::layout::{OutputLayout, OutputSpec};
#[cfg(not(feature = "inference"))]
use self::layout::{OutputLayout, OutputSpec};
use self::suppression::suppress;
pub(crate) use self::tensor::Tensor;
use crate::error::DetectorError;
use crate::manifest::{Family, Manifest};
use crate::preprocess::{Placement, Preprocessor};

/// Detections of one run, best first, at most the manifest's number.
pub(crate) fn decode(
    manifest: &Manifest,
    layout: &OutputLayout,
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
    let numbers = |index: usize, want: usize| match outputs.get(index) {
        Some(t) if t.data.len() == want => Ok(t.data),
        Some(t) => Err(bad(t.name, format!("{} numbers came, {want} were declared", t.data.len()))),
        None => Err(bad("?", format!("output {index} did not come"))),
    };
    let n = layout.n;
    if manifest.output.family == Family::Words {
        return Ok(words::sums(manifest, numbers(layout.scores, layout.columns)?));
    }
    let scored = match manifest.output.family {
        Family::BoxesScores => families::boxes_scores(
            manifest,
            layout,
            numbers(layout.boxes, n * 4)?,
            numbers(layout.scores, n * layout.columns)?,
            placed,
        ),
        Family::Yolox => {
            families::yolox(manifest, layout, numbers(layout.boxes, n * layout.columns)?, placed)
        }
        Family::Yolov5 => {
            families::yolov5(manifest, layout, numbers(layout.boxes, n * layout.columns)?, placed)
        }
        Family::Nms => families::nms(manifest, numbers(layout.boxes, n * layout.columns)?, placed),
        Family::Yolov8 => {
            families::yolov8(manifest, layout, numbers(layout.boxes, n * layout.columns)?, placed)
        }
        Family::Ssd => {
            let (boxes, scores) = (numbers(layout.boxes, n * 4)?, numbers(layout.scores, n)?);
            families::ssd(manifest, boxes, numbers(layout.classes, n)?, scores, placed)
        }
        Family::Words => Vec::new(),
    };
    Ok(suppress(manifest, scored))
}

/// Whether the numbers of one run are such as the family gives. For the trial of a model when it is loaded.
#[cfg(feature = "inference")]
pub(crate) fn check_values(
    manifest: &Manifest,
    layout: &OutputLayout,
    outputs: &[Tensor<'_>],
) -> Result<(), DetectorError> {
    values::check(manifest, layout, outputs).map_err(|(output, why)| DetectorError::Output {
        model: manifest.name.clone(),
        output,
        why,
    })
}

/// The same for outputs that come from anywhere: name, declared shape, numbers. Nothing of them is trusted. For tests of decoding
/// without a runtime.
pub fn decode_outputs(
    manifest: &Manifest,
    frame: &Frame,
    outputs: &[(String, Vec<i64>, Vec<f32>)],
) -> Result<Vec<Detection>, String> {
    let shapes: Vec<OutputSpec> =
        outputs.iter().map(|(name, shape, _)| (name.clone(), shape.clone())).collect();
    let layout = OutputLayout::find(manifest, &shapes).map_err(|(output, why)| format!("{output}: {why}"))?;
    let placed = Preprocessor::new(&manifest.input, manifest.output.family).take(frame);
    let tensors: Vec<Tensor> = outputs.iter().map(|(name, _, data)| Tensor { name, data }).collect();
    let decoded = placed.and_then(|placed| decode(manifest, &layout, &tensors, placed));
    decoded.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::fake::frame_of;

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
        let layout = OutputLayout::find(&m, &shapes).unwrap();
        let placed =
            Preprocessor::new(&m.input, m.output.family).take(&frame_of(64, 48, |_, _| [0; 3])).unwrap();
        let (boxes, scores) = (boxes.concat(), scores.concat());
        let outputs = [Tensor { name: "scores", data: &scores }, Tensor { name: "boxes", data: &boxes }];
        let line = |d: Detection| format!("{} {} {:?}", d.label, d.confidence, d.bbox.foot());
        Ok(decode(&m, &layout, &outputs, placed)?.into_iter().map(line).collect::<Vec<_>>().join("\n"))
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
    fn not_a_number_is_an_error() {
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
                "shape [1, 20, 8] does not fit the manifest: 32x32 px make 21 boxes",
            ),
            ("yolov8", vec![port("a", &[1, 7, 9]), port("b", &[1])], "2 where the family has one"),
            (
                "ssd",
                vec![port("boxes", &[1, 7, 4]), port("classes", &[1, 7]), port("scores", &[1, 6])],
                "shape [1, 6] does not fit the manifest, which means [1, 7]",
            ),
        ];
        for (family, outputs, want) in table {
            let (_, why) = OutputLayout::find(&manifest(family), &outputs).expect_err(want);
            assert_eq!(why, want);
        }
    }
}
