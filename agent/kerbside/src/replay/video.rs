//! The annotated video of a replay: each frame with what gate and detector saw and with the open incidents.

use std::path::{Path, PathBuf};

use kerbside_domain::frame::Frame;
use kerbside_domain::report::Report;
use kerbside_media::annotated_video::{VideoError, VideoWriter};
use kerbside_media::picture::Drawing;
use kerbside_seeing::incident::Observation;
use kerbside_site::config::Camera;

#[derive(Debug)]
pub(super) struct AnnotatedReplay {
    path: PathBuf,
    fps: f64,
    zones: Vec<Drawing>,
    writer: Option<VideoWriter>,
}

impl AnnotatedReplay {
    pub(super) fn new(path: &Path, camera: &Camera) -> AnnotatedReplay {
        let zones = camera.zones.iter().map(|z| Drawing::Zone { polygon_norm: z.polygon_norm.clone() });
        AnnotatedReplay {
            path: path.to_owned(),
            fps: camera.analysis_fps,
            zones: zones.collect(),
            writer: None,
        }
    }

    pub(super) fn picture(
        &mut self,
        frame: &Frame,
        observation: &Observation,
        open: &[&Report],
    ) -> Result<(), VideoError> {
        let mut drawings = self.zones.clone();
        for region in &observation.gate.regions {
            let label = format!("still {:.0} s", frame.at.mono.since_s(region.still_since));
            drawings.push(Drawing::Box { bbox: region.bbox, label, emphasis: false });
        }
        if let Some(close_up) = &observation.close_up {
            drawings.push(Drawing::Box {
                bbox: close_up.part,
                label: "close-up".to_owned(),
                emphasis: false,
            });
        }
        let close_up = observation.close_up.iter().flat_map(|c| &c.detections);
        for detection in observation.detections.iter().flatten().chain(close_up) {
            let label = format!("{} {:.2}", detection.label, detection.confidence);
            drawings.push(Drawing::Box { bbox: detection.bbox, label, emphasis: false });
        }
        for report in open {
            drawings.push(Drawing::Box {
                bbox: report.bbox,
                label: report.kind.as_str().into(),
                emphasis: true,
            });
        }
        let seconds = frame.at.mono.since_s(kerbside_domain::time::Mono::ZERO);
        let analysed = if observation.detections.is_some() { "detector" } else { "gate only" };
        drawings.push(Drawing::Caption(format!(
            "{seconds:6.1} s  {:?}  {:?}  {analysed}",
            observation.gate.scene, frame.level
        )));
        self.writer(frame)?.write(&frame.rgb, &drawings)
    }

    fn writer(&mut self, frame: &Frame) -> Result<&mut VideoWriter, VideoError> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => VideoWriter::open(&self.path, frame.width, frame.height, self.fps)?,
        };
        Ok(self.writer.insert(writer))
    }

    pub(super) fn finish(self) -> Result<(), VideoError> {
        self.writer.map_or(Ok(()), VideoWriter::finish)
    }
}
