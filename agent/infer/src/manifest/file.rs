//! The manifest as it is written, and its check: every problem is named with its field.

use std::path::Path;

use kerbside_domain::detection::Group;
use kerbside_site::text;
use serde::Deserialize;

use super::error::ManifestError;
use super::types::{Colour, DType, Family, Fit, Input, Label, Layout, Manifest, Output};
use crate::tuning::MAX_MANIFEST_BYTES;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    name: String,
    version: String,
    file: String,
    sha256: String,
    licence: String,
    provenance: String,
    #[serde(default)]
    card: Option<String>,
    input: RawInput,
    output: RawOutput,
    label: Vec<RawLabel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInput {
    width: u32,
    height: u32,
    layout: Layout,
    dtype: DType,
    color: Colour,
    fit: Fit,
    mean: Option<[f32; 3]>,
    scale: Option<[f32; 3]>,
    pad: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOutput {
    family: Family,
    nms_iou: f32,
    max_detections: usize,
    classes: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLabel {
    index: usize,
    name: String,
    group: Group,
    min_score: f32,
}

impl Manifest {
    /// Reads and checks the manifest at `path`.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let read = |cause| ManifestError::Read { path: path.to_owned(), cause };
        if std::fs::metadata(path).map_err(read)?.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge { path: path.to_owned(), limit: MAX_MANIFEST_BYTES });
        }
        let text = text::decode(std::fs::read(path).map_err(read)?);
        let text = text.map_err(|cause| ManifestError::Encoding { path: path.to_owned(), cause })?;
        Self::parse(path, &text)
    }

    /// `path` names the file in errors and is where the model lies.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ManifestError> {
        let raw: RawManifest = toml::from_str(text).map_err(|e| ManifestError::Toml {
            path: path.to_owned(),
            why: e.to_string().trim_end().to_owned(),
        })?;
        let problems = problems(&raw);
        if !problems.is_empty() {
            return Err(ManifestError::Invalid { path: path.to_owned(), problems });
        }
        let mut labels: Vec<Label> = raw
            .label
            .into_iter()
            .map(|l| Label { index: l.index, name: l.name.into(), group: l.group, min_score: l.min_score })
            .collect();
        labels.sort_by_key(|l| l.index);
        let input = raw.input;
        Ok(Manifest {
            path: path.to_owned(),
            name: raw.name,
            version: raw.version,
            model: path.with_file_name(raw.file),
            sha256: raw.sha256.to_ascii_lowercase(),
            licence: raw.licence,
            provenance: raw.provenance,
            input: Input {
                width: input.width,
                height: input.height,
                layout: input.layout,
                dtype: input.dtype,
                colour: input.color,
                fit: input.fit,
                mean: input.mean.unwrap_or([0.0; 3]),
                scale: input.scale.unwrap_or([1.0; 3]),
                pad: input.pad.unwrap_or(114),
            },
            output: Output {
                family: raw.output.family,
                nms_iou: raw.output.nms_iou,
                max_detections: raw.output.max_detections,
                classes: raw.output.classes,
            },
            labels,
        })
    }
}

/// Every problem of a manifest, with its field.
fn problems(raw: &RawManifest) -> Vec<String> {
    let mut problems = Problems::default();
    problems.of_head(raw);
    problems.of_input(&raw.input);
    problems.of_output(raw);
    problems.of_labels(&raw.label);
    problems.0
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn check(&mut self, good: bool, problem: impl FnOnce() -> String) {
        if !good {
            self.0.push(problem());
        }
    }

    fn of_head(&mut self, raw: &RawManifest) {
        let plain = |s: &str| {
            !s.is_empty() && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        self.check(plain(&raw.name), || format!("name: {:?} is not [a-z0-9-]+", raw.name));
        self.check(!raw.version.is_empty(), || "version: empty".to_owned());
        self.check(!raw.licence.is_empty(), || {
            "licence: empty; a model without a licence is not used".to_owned()
        });
        for (field, file) in [("file", Some(&raw.file)), ("card", raw.card.as_ref())] {
            let Some(file) = file else { continue };
            let beside = !file.is_empty() && file != "." && file != ".." && !file.contains(['/', '\\', '\0']);
            self.check(beside, || format!("{field}: {file:?} must lie beside the manifest, without a path"));
        }
        let hash = raw.sha256.len() == 64 && raw.sha256.bytes().all(|b| b.is_ascii_hexdigit());
        self.check(hash, || "sha256: not 64 hexadecimal digits".to_owned());
    }

    fn of_input(&mut self, input: &RawInput) {
        for (field, px) in [("width", input.width), ("height", input.height)] {
            self.check((16..=2048).contains(&px), || {
                format!("input.{field}: {px} is not within 16..=2048 px")
            });
        }
        let normalised = input.mean.is_some() || input.scale.is_some();
        self.check(!(normalised && input.dtype == DType::UInt8), || {
            "input.mean, input.scale: a uint8 input takes the bytes as they are".to_owned()
        });
        let finite = input.mean.iter().chain(input.scale.iter()).flatten().all(|v| v.is_finite());
        self.check(finite, || "input.mean, input.scale: not a number".to_owned());
        self.check(input.pad.is_none() || input.fit == Fit::Letterbox, || {
            "input.pad: only with fit = \"letterbox\"".to_owned()
        });
    }

    fn of_output(&mut self, raw: &RawManifest) {
        let on_grids = matches!(raw.output.family, Family::Yolox | Family::Yolov5 | Family::Yolov8);
        let fits = raw.input.width.is_multiple_of(32) && raw.input.height.is_multiple_of(32);
        self.check(!on_grids || fits, || {
            "input.width, input.height: the grids of this family need multiples of 32".to_owned()
        });
        let needed = raw.label.iter().map(|label| label.index + 1).max().unwrap_or(0);
        self.check(raw.output.classes.is_none_or(|classes| (needed..=10_000).contains(&classes)), || {
            format!("output.classes: the labels need {needed} at least, and 10000 is the most")
        });
        let iou = raw.output.nms_iou;
        self.check(iou > 0.0 && iou <= 1.0, || format!("output.nms_iou: {iou} is not within 0..1"));
        let most = raw.output.max_detections;
        self.check((1..=1000).contains(&most), || {
            format!("output.max_detections: {most} is not within 1..=1000")
        });
    }

    fn of_labels(&mut self, labels: &[RawLabel]) {
        self.check(!labels.is_empty(), || "label: none".to_owned());
        for (k, label) in labels.iter().enumerate() {
            self.check(!label.name.is_empty(), || format!("label[{k}].name: empty"));
            let index = label.index;
            self.check(index < 10_000, || format!("label[{k}].index: {index} is not within 0..10000"));
            let again = labels[..k].iter().any(|l| l.index == index);
            self.check(!again, || format!("label[{k}].index: {index} is taken twice"));
            let score = label.min_score;
            self.check((0.0..=1.0).contains(&score), || {
                format!("label[{k}].min_score: {score} is not within 0..1")
            });
        }
    }
}
