//! What the officer's pictures need besides packets: where the thing is and what it is called, and who looks for people in a picture.

use std::time::Duration;

use kerbside_domain::detection::Detection;
use kerbside_domain::evidence::EvidenceRequest;
use kerbside_domain::frame::BBox;
use kerbside_domain::time::{Moment, Mono, rfc3339};
use kerbside_sheet::{Caption, Masks, Picture, PlaceText, masks_of};
use kerbside_site::config::{Mask, Site};
use kerbside_site::geo::{CodeTable, Matter};
use kerbside_site::place::{Method, Place, Placer};

/// What the networks see in pictures, in shares of each: one list a picture, in their order.
pub type Look = Box<dyn FnMut(&[&Picture]) -> Result<Vec<Vec<Detection>>, String> + Send>;
/// Gets the networks ready to look.
pub type Finder = Box<dyn FnMut() -> Result<Look, String> + Send>;

/// Makes captions and masks.
pub struct Officer {
    placer: Placer,
    codes: CodeTable,
    division: String,
    utc_offset_s: i32,
    edge_id: String,
    pub(super) mask: Mask,
    finder: Finder,
    /// Kept while the pictures of one request are made.
    look: Option<Look>,
}

impl std::fmt::Debug for Officer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Officer(mask: {:?})", self.mask)
    }
}

impl Officer {
    /// Of a site. `finder` is asked only where something is to be masked.
    pub fn new(site: &Site, finder: Finder) -> Officer {
        Officer {
            placer: Placer::new(site),
            codes: site.codes.clone(),
            division: site.device.division.clone(),
            utc_offset_s: site.device.utc_offset_s,
            edge_id: site.device.edge_id.clone(),
            mask: site.evidence.mask,
            finder,
            look: None,
        }
    }

    /// The networks go: most boxes have nothing to look at for hours.
    pub(super) fn rest(&mut self) {
        self.look = None;
    }

    /// Where the box stood then, by GNSS.
    pub(super) fn set_box_point(&mut self, at: Mono, point: (f64, f64), accuracy_m: f64) {
        self.placer.moved(at, point, accuracy_m);
        self.placer.set_box_point(point, accuracy_m);
    }

    /// Where the thing of a request is; `None` for a command, and where nobody knows.
    pub(super) fn place(&self, request: &EvidenceRequest) -> Option<Place> {
        request.kind?;
        let when = request.trigger_at.mono;
        match &request.facts.sensor {
            Some(sensor) => self.placer.place_sensor(sensor, request.camera, request.bbox, when),
            None => self.placer.place_at(request.camera, request.bbox, when),
        }
    }

    fn matter(&self, request: &EvidenceRequest) -> Option<Matter> {
        self.codes.matter(request.kind?, &self.division)
    }

    /// The facts beside the pictures, as known when the newest of them was taken.
    pub(super) fn caption(&self, request: &EvidenceRequest, camera_id: &str, captured: Moment) -> Caption {
        let matter = self.matter(request);
        let place = self.place(request);
        let facts = &request.facts;
        let name = matter.as_ref().map(|m| m.name.clone());
        Caption {
            matter: name.or(request.kind.map(|kind| kind.as_str().to_owned())).unwrap_or_default(),
            code: matter.map(|m| format!("{} {}", m.scheme, m.code)),
            at: date_and_time(captured, self.utc_offset_s),
            clock_synced: captured.quality.is_disciplined(),
            standing: if facts.is_gone { "已清除".to_owned() } else { String::new() },
            dwell_s: facts.dwell_s,
            address: place.as_ref().and_then(|p| p.address.clone()),
            grid: place.as_ref().and_then(|p| p.unit_grid.clone()),
            grid_candidates: place.as_ref().map(|p| p.candidates.clone()).unwrap_or_default(),
            place: place.as_ref().map(|p| PlaceText {
                lon_deg: p.lon_deg,
                lat_deg: p.lat_deg,
                accuracy_m: p.accuracy_m,
                is_measured: p.method == Method::Homography,
            }),
            case_no: facts.case_no.clone(),
            edge_id: self.edge_id.clone(),
            camera_id: camera_id.to_owned(),
            incident: format!("{}.{}", request.subject.set_id(), request.revision),
            masked: self.mask != Mask::None,
        }
    }

    /// What must be hidden in a picture. It is looked at as a whole and, where `windows` are shown of it, in these at their own
    /// scale: who is too small for the first look may be large enough to be known in the second.
    pub(super) fn masks(&mut self, picture: &Picture, windows: &[BBox]) -> Result<Masks, String> {
        let cuts: Vec<Picture> = windows
            .iter()
            .map(|window| picture.cut(window))
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        let looks: Vec<&Picture> = std::iter::once(picture).chain(&cuts).collect();
        if self.look.is_none() {
            self.look = Some((self.finder)()?);
        }
        let seen = self.look.as_mut().ok_or("nobody looks")?(&looks)?;
        let whole = BBox { x: 0.0, y: 0.0, w: 1.0, h: 1.0 };
        let aspect = picture.width() as f32 / picture.height().max(1) as f32;
        let mut masks = Masks::default();
        for (window, seen) in std::iter::once(&whole).chain(windows).zip(seen) {
            let moved: Vec<Detection> =
                seen.into_iter().map(|d| Detection { bbox: d.bbox.within(window), ..d }).collect();
            masks.extend(masks_of(&moved, aspect));
        }
        Ok(masks)
    }
}

/// `2026-11-21 08:31:05 +08:00`.
fn date_and_time(at: Moment, utc_offset_s: i32) -> String {
    let text = rfc3339(at.wall_ms, utc_offset_s);
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let offset = text.get(text.len().saturating_sub(6)..).unwrap_or_default();
    format!("{} {} {offset}", part(0..10), part(11..19))
}

/// The street network of a site, loaded each time that it is made ready.
/// `limit`: how long one look may take.
pub fn finder_of(site: &Site, limit: Duration) -> Finder {
    use bytes::Bytes;
    use kerbside_domain::frame::{CameraIx, Frame, Level};
    let models = site.models.clone();
    Box::new(move || {
        let street = models.street.as_deref().ok_or("no street network")?;
        let loaded = kerbside_infer::load(street, models.runtime.as_deref(), limit);
        let (mut detector, _) = loaded.map_err(|error| error.to_string())?;
        let frame = |picture: &Picture| Frame {
            camera: CameraIx(0),
            seq: 0,
            epoch: 0,
            pts: 0,
            at: Moment::default(),
            level: Level::L2,
            width: picture.width(),
            height: picture.height(),
            rgb: Bytes::copy_from_slice(picture.rgb()),
            luma: Bytes::new(),
        };
        Ok(Box::new(move |pictures: &[&Picture]| {
            pictures.iter().map(|p| detector.detect(&frame(p)).map_err(|error| error.to_string())).collect()
        }))
    })
}
