//! The annotated video of a replay: each frame with what gate and detector saw and what stands open.

use std::path::{Path, PathBuf};

use kerbside_domain::frame::Frame;
use kerbside_domain::report::Report;
use kerbside_media::source::annotate::{AnnotateError, Writer};
use kerbside_media::source::cut_job::Mark;
use kerbside_seeing::incident::Observation;
use kerbside_site::config::Camera;

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
        frame: &Frame,
        seen: &Observation,
        open: &[&Report],
    ) -> Result<(), AnnotateError> {
        let mut marks = self.zones.clone();
        for region in &seen.gate.regions {
            let label = format!("still {:.0} s", frame.at.mono.since_s(region.still_since));
            marks.push(Mark::Box { bbox: region.bbox, label, emphasis: false });
        }
        if let Some(close_up) = &seen.close_up {
            marks.push(Mark::Box { bbox: close_up.part, label: "close-up".to_owned(), emphasis: false });
        }
        let close_up = seen.close_up.iter().flat_map(|c| &c.detections);
        for detection in seen.detections.iter().flatten().chain(close_up) {
            let label = format!("{} {:.2}", detection.label, detection.confidence);
            marks.push(Mark::Box { bbox: detection.bbox, label, emphasis: false });
        }
        for report in open {
            marks.push(Mark::Box { bbox: report.bbox, label: report.kind.as_str().into(), emphasis: true });
        }
        let seconds = frame.at.mono.since_s(kerbside_domain::time::Mono::ZERO);
        let asked = if seen.detections.is_some() { "detector" } else { "gate only" };
        marks.push(Mark::Caption(format!(
            "{seconds:6.1} s  {:?}  {:?}  {asked}",
            seen.gate.scene, frame.level
        )));
        self.writer(frame)?.write(&frame.rgb, &marks)
    }

    fn writer(&mut self, frame: &Frame) -> Result<&mut Writer, AnnotateError> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => Writer::open(&self.path, frame.width, frame.height, self.fps)?,
        };
        Ok(self.writer.insert(writer))
    }

    pub(super) fn finish(self) -> Result<(), AnnotateError> {
        self.writer.map_or(Ok(()), Writer::finish)
    }
}
