//! Exports that people are known to bring, by their shapes: a model that does not fit its manifest is told what it looks like.

use super::grids;
use super::layout::OutputSpec;
use crate::manifest::{Family, Manifest};

/// Square inputs, and 16:9 ones, for which networks are usually exported, px.
const USUAL_INPUTS: [(u32, u32); 9] = [
    (320, 320),
    (416, 416),
    (480, 480),
    (512, 512),
    (640, 640),
    (640, 384),
    (960, 960),
    (1280, 1280),
    (1280, 736),
];
/// Queries of the DETR family.
const DETR_QUERIES: [i64; 3] = [100, 300, 900];

/// What the outputs look like, and what to do. `None`: like nothing that is known.
pub(super) fn recognise(manifest: &Manifest, outputs: &[OutputSpec]) -> Option<String> {
    let family = |name: &str| format!("the manifest would have to say family = \"{name}\"");
    match outputs {
        [(_, shape)] => {
            let &[1, rows, columns] = shape.as_slice() else {
                return (shape.len() >= 4).then(raw_heads);
            };
            if (manifest.output.family != Family::Nms) && columns == 6 && rows <= 1000 {
                let what = "this looks like an export with suppression inside (YOLOv10, `nms=True`)";
                return Some(format!("{what}: {}", family("nms")));
            }
            if let Some(what) = of_grids(manifest, rows as usize, columns as usize) {
                return Some(what);
            }
            DETR_QUERIES.contains(&rows).then(|| {
                "this looks like an export of the DETR family, which is not read: export boxes and scores as two \
                 outputs (family \"boxes-scores\")"
                    .to_owned()
            })
        }
        _ if outputs.iter().any(|(name, _)| name.contains("num_det")) => {
            let what = "this looks like an export for TensorRT (EfficientNMS), which is not read";
            Some(format!("{what}: export without that plug-in"))
        }
        _ if outputs.iter().all(|(_, shape)| shape.len() >= 4) => Some(raw_heads()),
        _ => None,
    }
}

fn raw_heads() -> String {
    "these look like the raw heads of a YOLO network: export it with its decoding (one output)".to_owned()
}

/// A YOLO network, made for this input or for another.
fn of_grids(manifest: &Manifest, rows: usize, columns: usize) -> Option<String> {
    let input = (manifest.input.width, manifest.input.height);
    let looks = |(width, height): (u32, u32)| {
        let (one, three) = (grids::counts(width, height, 1), grids::counts(width, height, 3));
        match (rows, columns) {
            (r, _) if three.contains(&r) => Some((Family::Yolov5, "YOLOv5 or v7 (family = \"yolov5\")")),
            (_, c) if one.contains(&c) => {
                Some((Family::Yolov8, "YOLOv8 or a successor (family = \"yolov8\")"))
            }
            (r, _) if one.contains(&r) => Some((
                Family::Yolox,
                "YOLOX (family = \"yolox\") or YOLOv8 turned (family = \"yolov8\", with classes in [output])",
            )),
            _ => None,
        }
    };
    if let Some((family, name)) = looks(input) {
        return (family != manifest.output.family).then(|| format!("this looks like an export of {name}"));
    }
    let mut turned = USUAL_INPUTS.into_iter().flat_map(|(w, h)| [(w, h), (h, w)]);
    let ((width, height), (_, name)) = turned.find_map(|size| Some((size, looks(size)?)))?;
    Some(format!("this looks like an export of {name} for an input of {width}x{height} px"))
}
