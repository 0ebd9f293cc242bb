//! The manifest as it is written, and its check: every problem is named with its field.

use std::path::Path;

use kerbside_domain::detection::Group;
use serde::Deserialize;

use super::error::ManifestError;
use super::types::{Colour, DType, Family, Fit, Input, Label, Layout, Manifest, Output};
use super::words::{self, Words};

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
    #[serde(default)]
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
    nms_iou: Option<f32>,
    max_detections: Option<usize>,
    classes: Option<usize>,
    words: Option<String>,
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
        let (mut manifest, words) = Self::parse_with_words(path, &words::read(path)?)?;
        if let Some(words) = words {
            let words = Words::read(&path.with_file_name(words))?;
            let labels = words.sums.iter().enumerate();
            manifest.labels = labels
                .map(|(index, sum)| Label { index, name: sum.name.clone(), group: sum.group, min_score: 0.0 })
                .collect();
            manifest.words = Some(words);
        }
        Ok(manifest)
    }

    /// `path` names the file in errors and is where the model lies. A list of words is not read.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ManifestError> {
        Self::parse_with_words(path, text).map(|(manifest, _)| manifest)
    }

    /// And the name of the list of words beside it.
    fn parse_with_words(path: &Path, text: &str) -> Result<(Self, Option<String>), ManifestError> {
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
        let manifest = Manifest {
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
                nms_iou: raw.output.nms_iou.unwrap_or(1.0),
                max_detections: raw.output.max_detections.unwrap_or(1),
                classes: raw.output.classes,
            },
            labels,
            words: None,
        };
        Ok((manifest, raw.output.words))
    }
}

/// Every problem of a manifest, with its field.
fn problems(raw: &RawManifest) -> Vec<String> {
    let mut problems = Problems::default();
    problems.of_head(raw);
    problems.of_input(&raw.input);
    problems.of_output(raw);
    if raw.output.family != Family::Words {
        problems.of_labels(&raw.label);
    }
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
            self.check(words::is_beside(file), || {
                format!("{field}: {file:?} must lie beside the manifest, without a path")
            });
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

    fn of_words(&mut self, raw: &RawManifest) {
        let RawOutput { nms_iou, max_detections, classes, words, .. } = &raw.output;
        let beside = words.as_deref().is_some_and(words::is_beside);
        self.check(beside, || {
            "output.words: the list of words beside the manifest, without a path".to_owned()
        });
        let boxes =
            nms_iou.is_some() || max_detections.is_some() || classes.is_some() || !raw.label.is_empty();
        self.check(!boxes, || {
            "output.nms_iou, output.max_detections, output.classes, label: the family words has none; its list says all"
                .to_owned()
        });
    }

    fn of_output(&mut self, raw: &RawManifest) {
        if raw.output.family == Family::Words {
            return self.of_words(raw);
        }
        self.check(raw.output.words.is_none(), || "output.words: only with family = \"words\"".to_owned());
        let on_grids = matches!(raw.output.family, Family::Yolox | Family::Yolov5 | Family::Yolov8);
        let fits = raw.input.width.is_multiple_of(32) && raw.input.height.is_multiple_of(32);
        self.check(!on_grids || fits, || {
            "input.width, input.height: the grids of this family need multiples of 32".to_owned()
        });
        let needed = raw.label.iter().map(|label| label.index + 1).max().unwrap_or(0);
        self.check(raw.output.classes.is_none_or(|classes| (needed..=10_000).contains(&classes)), || {
            format!("output.classes: the labels need {needed} at least, and 10000 is the most")
        });
        match raw.output.nms_iou {
            Some(iou) => {
                self.check(iou > 0.0 && iou <= 1.0, || format!("output.nms_iou: {iou} is not within 0..1"));
            }
            None => self.check(false, || "output.nms_iou: missing".to_owned()),
        }
        match raw.output.max_detections {
            Some(most) => self.check((1..=1000).contains(&most), || {
                format!("output.max_detections: {most} is not within 1..=1000")
            }),
            None => self.check(false, || "output.max_detections: missing".to_owned()),
        }
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
