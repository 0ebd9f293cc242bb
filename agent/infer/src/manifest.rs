//! Manifest: what a model file is, what goes in and what comes out, in TOML beside the `.onnx`.
//!
//! Reads and checks; every problem is named with file and field. Knows nothing of the runtime.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kerbside_domain::model::ModelName;
use serde::Deserialize;

use super::Group;

/// A checked manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Where it was read.
    pub path: PathBuf,
    pub name: String,
    pub version: String,
    /// The model file, beside the manifest.
    pub model: PathBuf,
    /// Lower-case hex.
    pub sha256: String,
    pub licence: String,
    pub provenance: String,
    pub input: Input,
    pub output: Output,
    /// Ascending by index.
    pub labels: Vec<Label>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    Nhwc,
    Nchw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    UInt8,
    Float32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    Rgb,
    Bgr,
}

/// How a picture of another shape comes into the model's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    Stretch,
    /// Aspect kept, the rest filled with `pad`: at the right and below for `yolox` (as it was trained), else all around.
    Letterbox,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// boxes [1,N,4] as x0,y0,x1,y1 and scores [1,N,C], all 0..1.
    BoxesScores,
    /// [1,N,5+C], undecoded on grids of stride 8, 16, 32.
    Yolox,
    /// [1,4+C,N], cx,cy,w,h in model px.
    Yolov8,
    /// TensorFlow's detection outputs: boxes [1,N,4] y0,x0,y1,x1, classes [1,N] from 1, scores [1,N].
    Ssd,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    pub width: u32,
    pub height: u32,
    pub layout: Layout,
    pub dtype: DType,
    pub colour: Colour,
    pub fit: Fit,
    /// Subtracted, in 0..255, then multiplied; in the order of `colour`.
    pub mean: [f32; 3],
    pub scale: [f32; 3],
    pub pad: u8,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Output {
    pub family: Family,
    /// Boxes of one group that overlap more are the same thing.
    pub nms_iou: f32,
    pub max_detections: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Column of the scores; for `ssd` the class less one.
    pub index: usize,
    pub name: Arc<str>,
    pub group: Group,
    pub min_score: f32,
}

#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("{path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: larger than {limit} bytes, no manifest")]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("{path}: {why}")]
    Toml { path: PathBuf, why: String },
    #[error("{path}: {}", problems.join("; "))]
    Invalid { path: PathBuf, problems: Vec<String> },
}

const MANIFEST_AT_MOST: u64 = 1 << 20;

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
    /// How reports name it.
    pub fn model_name(&self) -> ModelName {
        ModelName { name: self.name.clone(), version: self.version.clone(), sha256: self.sha256.clone() }
    }

    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let read = |source| ManifestError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(read)?.len() > MANIFEST_AT_MOST {
            return Err(ManifestError::TooLarge { path: path.to_owned(), limit: MANIFEST_AT_MOST });
        }
        Self::parse(path, &std::fs::read_to_string(path).map_err(read)?)
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
            },
            labels,
        })
    }
}

fn problems(raw: &RawManifest) -> Vec<String> {
    let mut out = Vec::new();
    let mut check = |good: bool, problem: String| {
        if !good {
            out.push(problem);
        }
    };
    let named = |s: &str| {
        !s.is_empty() && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    check(named(&raw.name), format!("name: {:?} is not [a-z0-9-]+", raw.name));
    check(!raw.version.is_empty(), "version: empty".to_owned());
    check(!raw.licence.is_empty(), "licence: empty; a model without a licence is not used".to_owned());
    for (field, file) in [("file", Some(&raw.file)), ("card", raw.card.as_ref())] {
        let beside = |f: &String| !f.is_empty() && f != "." && f != ".." && !f.contains(['/', '\\', '\0']);
        check(
            file.is_none_or(beside),
            format!(
                "{field}: {:?} must lie beside the manifest, without a path",
                file.map_or("", |f| f.as_str())
            ),
        );
    }
    let hash = raw.sha256.len() == 64 && raw.sha256.bytes().all(|b| b.is_ascii_hexdigit());
    check(hash, "sha256: not 64 hexadecimal digits".to_owned());
    for (field, px) in [("width", raw.input.width), ("height", raw.input.height)] {
        check((16..=2048).contains(&px), format!("input.{field}: {px} is not within 16..=2048 px"));
    }
    let normalised = raw.input.mean.is_some() || raw.input.scale.is_some();
    check(
        !(normalised && raw.input.dtype == DType::UInt8),
        "input.mean, input.scale: a uint8 input takes the bytes as they are".to_owned(),
    );
    let numbers = raw.input.mean.iter().chain(raw.input.scale.iter()).flatten().all(|v| v.is_finite());
    check(numbers, "input.mean, input.scale: not a number".to_owned());
    check(
        raw.input.pad.is_none() || raw.input.fit == Fit::Letterbox,
        "input.pad: only with fit = \"letterbox\"".to_owned(),
    );
    let grid = raw.input.width.is_multiple_of(32) && raw.input.height.is_multiple_of(32);
    check(
        raw.output.family != Family::Yolox || grid,
        "input.width, input.height: yolox grids need multiples of 32".to_owned(),
    );
    let iou = raw.output.nms_iou;
    check(iou > 0.0 && iou <= 1.0, format!("output.nms_iou: {iou} is not within 0..1"));
    let most = raw.output.max_detections;
    check((1..=1000).contains(&most), format!("output.max_detections: {most} is not within 1..=1000"));
    check(!raw.label.is_empty(), "label: none".to_owned());
    for (k, label) in raw.label.iter().enumerate() {
        check(!label.name.is_empty(), format!("label[{k}].name: empty"));
        check(label.index < 10_000, format!("label[{k}].index: {} is not within 0..10000", label.index));
        let again = raw.label[..k].iter().any(|l| l.index == label.index);
        check(!again, format!("label[{k}].index: {} is taken twice", label.index));
        let score = label.min_score;
        check((0.0..=1.0).contains(&score), format!("label[{k}].min_score: {score} is not within 0..1"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const GOOD: &str = r#"
name = "street"
version = "1.0.0"
file = "street.onnx"
sha256 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
licence = "Apache-2.0"
provenance = "made here"
[input]
width = 320
height = 192
layout = "nhwc"
dtype = "uint8"
color = "rgb"
fit = "stretch"
[output]
family = "boxes-scores"
nms_iou = 0.5
max_detections = 100
[[label]]
index = 1
name = "bag"
group = "waste"
min_score = 0.3
[[label]]
index = 0
name = "person"
group = "person"
min_score = 0.4
"#;

    #[test]
    fn a_manifest_is_read() {
        let manifest = Manifest::parse(Path::new("models/street.toml"), GOOD).unwrap();
        assert_eq!(manifest.model, Path::new("models/street.onnx"));
        assert_eq!(manifest.sha256, "a".repeat(64));
        let labels: Vec<_> = manifest.labels.iter().map(|l| (l.index, &*l.name, l.group)).collect();
        assert_eq!(labels, [(0, "person", Group::Person), (1, "bag", Group::Waste)]);
    }

    fn check(change: (&str, &str), expect: Expect) {
        assert!(GOOD.contains(change.0), "{}", change.0);
        let text = GOOD.replacen(change.0, change.1, 1);
        let error = Manifest::parse(Path::new("m.toml"), &text).expect_err("must be refused");
        expect.assert_eq(&error.to_string());
    }

    #[test]
    fn every_problem_names_its_field() {
        check(
            ("street.onnx", "../street.onnx"),
            expect![[r#"m.toml: file: "../street.onnx" must lie beside the manifest, without a path"#]],
        );
        check(("AAAA", "AAA"), expect!["m.toml: sha256: not 64 hexadecimal digits"]);
        check(("width = 320", "width = 8"), expect!["m.toml: input.width: 8 is not within 16..=2048 px"]);
        check(
            ("fit = \"stretch\"", "fit = \"stretch\"\nmean = [1.0, 2.0, 3.0]\npad = 3"),
            expect![[
                r#"m.toml: input.mean, input.scale: a uint8 input takes the bytes as they are; input.pad: only with fit = "letterbox""#
            ]],
        );
        check(
            ("boxes-scores\"\nnms_iou = 0.5", "yolox\"\nnms_iou = 1.5"),
            expect!["m.toml: output.nms_iou: 1.5 is not within 0..1"],
        );
        check(("index = 0", "index = 1"), expect!["m.toml: label[1].index: 1 is taken twice"]);
        check(
            ("min_score = 0.3", "min_score = nan"),
            expect!["m.toml: label[0].min_score: NaN is not within 0..1"],
        );
    }

    #[test]
    fn unknown_words_are_refused_with_their_line() {
        let text = GOOD.replace("\"nhwc\"", "\"hwcn\"");
        let error = Manifest::parse(Path::new("m.toml"), &text).expect_err("must be refused").to_string();
        assert!(error.contains("line 11") && error.contains("hwcn"), "{error}");
        let text = GOOD.replace("[output]", "colour = 1\n[output]");
        let error = Manifest::parse(Path::new("m.toml"), &text).expect_err("must be refused").to_string();
        assert!(error.contains("unknown field `colour`"), "{error}");
    }
}
