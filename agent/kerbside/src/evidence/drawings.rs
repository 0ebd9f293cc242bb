//! What is drawn into the annotated picture. Pure.

use kerbside_domain::evidence::EvidenceRequest;
use kerbside_domain::time::{Moment, rfc3339};
use kerbside_media::picture::Drawing;

use super::camera::EvidenceCamera;

/// Zone, object, people and caption of the annotated picture of a request, as captured at `captured`.
pub(super) fn of_annotated(
    request: &EvidenceRequest,
    camera: Option<&EvidenceCamera>,
    edge_id: &str,
    captured: Moment,
    utc_offset_s: i32,
) -> Vec<Drawing> {
    let mut drawings = Vec::new();
    if let Some(polygon) = camera.and_then(|c| c.zones.get(&request.zone)) {
        drawings.push(Drawing::Zone { polygon_norm: polygon.clone() });
    }
    // The object itself has the incident's own box.
    let (itself, others): (Vec<_>, Vec<_>) = request.objects.iter().partition(|o| o.bbox == request.bbox);
    for object in others {
        let label = format!("{} {:.2}", object.label, object.confidence);
        drawings.push(Drawing::Box { bbox: object.bbox, label, emphasis: false });
    }
    if let Some(kind) = request.kind {
        let confidence = itself.first().map(|o| format!(" {:.2}", o.confidence)).unwrap_or_default();
        let label = format!("{}{confidence}", kind.as_str());
        drawings.push(Drawing::Box { bbox: request.bbox, label, emphasis: true });
    }
    let camera = camera.map_or("?", |c| c.id.as_str());
    let time = rfc3339(captured.wall_ms, utc_offset_s);
    drawings.push(Drawing::Caption(format!("{edge_id} {camera} {time}")));
    drawings
}
