//! A checked manifest.

use std::path::PathBuf;
use std::sync::Arc;

use kerbside_domain::detection::Group;
use kerbside_domain::model::ModelName;
use serde::Deserialize;

use super::words::Words;

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
    /// Ascending by index. Of the family `words` one a sum, in the order of its list.
    pub labels: Vec<Label>,
    /// Of the family `words`, once it was read.
    pub words: Option<Words>,
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
    /// boxes `[1,N,4]` as x0,y0,x1,y1 and scores `[1,N,C]`, all 0..1.
    BoxesScores,
    /// `[1,N,5+C]`, undecoded on grids of stride 8, 16, 32.
    Yolox,
    /// `[1,3N,5+C]`, cx,cy,w,h in model px, objectness, scores: YOLOv5 and v7 with their decoding.
    Yolov5,
    /// `[1,4+C,N]` or `[1,N,4+C]`, cx,cy,w,h in model px: YOLOv8 and its successors.
    Yolov8,
    /// `[1,K,6]`, x0,y0,x1,y1 in model px, score, class from 0: suppression is inside, as in YOLOv10.
    Nms,
    /// TensorFlow's detection outputs: boxes `[1,N,4]` y0,x0,y1,x1, classes `[1,N]` from 1, scores `[1,N]`.
    Ssd,
    /// Probabilities `[1,C]` of the whole picture; [`Words`] says which of them are added.
    Words,
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
    /// How many classes the network tells apart; `None`: not said, at least those of the labels.
    pub classes: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Column of the scores; for `ssd` the class less one.
    pub index: usize,
    pub name: Arc<str>,
    pub group: Group,
    pub min_score: f32,
}

impl Manifest {
    /// Every file that the network needs besides its manifest.
    pub fn companions(&self) -> Vec<&std::path::Path> {
        let words = self.words.iter().flat_map(|words| &words.files);
        std::iter::once(&self.model).chain(words).map(PathBuf::as_path).collect()
    }

    /// How reports name it.
    pub fn model_name(&self) -> ModelName {
        ModelName { name: self.name.clone(), version: self.version.clone(), sha256: self.sha256.clone() }
    }
}
