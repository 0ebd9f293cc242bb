//! The annotated video of a replay: each look with what gate and detector saw and what stands open.

use std::path::{Path, PathBuf};

use crate::config::Camera;
use crate::detector::Detection;
use crate::evidence::Mark;
use crate::frame::Look;
use crate::gate::GateReport;
use crate::incident::Report;
use crate::source::annotate::{AnnotateError, Writer};

#[derive(Debug)]
pub(super) struct Film {
    path: PathBuf,
    fps: f64,
    zones: Vec<Mark>,
    writer: Option<Writer>,
}

impl Film {
    pub(super) fn new(path: &Path, camera: &Camera) -> Film {
        let zones = camera.zones.iter().map(|z| Mark::Zone { polygon_norm: z.polygon_norm.clone() });
        Film { path: path.to_owned(), fps: camera.looks_per_s, zones: zones.collect(), writer: None }
    }

    pub(super) fn picture(
        &mut self,
        look: &Look,
        gate: &GateReport,
        detections: Option<&[Detection]>,
        open: &[&Report],
    ) -> Result<(), AnnotateError> {
        let mut marks = self.zones.clone();
        for region in &gate.regions {
            let label = format!("still {:.0} s", look.at.mono.since_s(region.still_since));
            marks.push(Mark::Box { bbox: region.bbox, label, emphasis: false });
        }
        for detection in detections.unwrap_or_default() {
            let label = format!("{} {:.2}", detection.label, detection.confidence);
            marks.push(Mark::Box { bbox: detection.bbox, label, emphasis: false });
        }
        for report in open {
            marks.push(Mark::Box { bbox: report.bbox, label: report.kind.as_str().into(), emphasis: true });
        }
        let seconds = look.at.mono.since_s(crate::time::Mono::ZERO);
        let asked = if detections.is_some() { "detector" } else { "gate only" };
        marks.push(Mark::Caption(format!("{seconds:6.1} s  {:?}  {:?}  {asked}", gate.scene, look.level)));
        self.writer(look)?.write(&look.rgb, &marks)
    }

    fn writer(&mut self, look: &Look) -> Result<&mut Writer, AnnotateError> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => Writer::open(&self.path, look.width, look.height, self.fps)?,
        };
        Ok(self.writer.insert(writer))
    }

    pub(super) fn finish(self) -> Result<(), AnnotateError> {
        self.writer.map_or(Ok(()), Writer::finish)
    }
}
