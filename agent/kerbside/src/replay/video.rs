//! The annotated video of a replay: each frame with what gate and detector saw and with the open incidents.

use std::path::{Path, PathBuf};

use kerbside_domain::frame::{BBox, Frame};
use kerbside_domain::report::Report;
use kerbside_media::annotated_video::{VideoError, VideoWriter};
use kerbside_media::picture::Drawing;
use kerbside_seeing::incident::refusal::text;
use kerbside_seeing::incident::{Observation, RuleStanding, Standing};
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
        standing: &[Standing],
    ) -> Result<(), VideoError> {
        let mut drawings = self.zones.clone();
        // What stands in a zone says how far its rules have come; a region elsewhere says how long it has been still.
        for thing in standing.iter().filter(|s| s.incident_id.is_none()) {
            drawings.push(Drawing::Box { bbox: thing.bbox, label: label(thing), emphasis: false });
        }
        let is_told = |bbox: &BBox| standing.iter().any(|s| s.bbox.intersection(bbox) > 0.9 * bbox.area());
        for region in observation.gate.regions.iter().filter(|r| !is_told(&r.bbox)) {
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

/// Rule, dwell and refusal of each rule that asks for such a thing: `no-vending: still 15 s of 20 s`. ASCII, as the picture's
/// letters are.
fn label(thing: &Standing) -> String {
    let of_rule = |rule: &RuleStanding| match &rule.why {
        Some(why) => format!("{}: no, {}", rule.rule, text::short(why)),
        None => format!("{}: still {:.0} s of {:.0} s", rule.rule, rule.dwell.value, rule.dwell.threshold),
    };
    let all: Vec<String> = thing.rules.iter().map(of_rule).collect();
    all.join("; ")
}
