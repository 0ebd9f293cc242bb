//! EXIF: when, where and of what a picture is, put into it before it is signed. Both are done in memory, and the file is written once.

use kerbside_c2pa::SignError;
use kerbside_crypto::hash::{self, hex};
use kerbside_domain::evidence::{EvidenceRequest, EvidenceRole};
use kerbside_domain::time::{Moment, rfc3339};
use kerbside_sheet::exif::{Exif, ExifPlace, Taken, with_exif};

use super::files::{FileError, Place, failed, role_name};
use super::stage::Evidence;
use super::tuning::MAX_SIGNED_PICTURE_BYTES;

impl Evidence {
    /// Writes a picture under its temporary name, with time, place and ids in it, and signed. What is no JPEG stays as it is.
    pub(super) fn write_dated(
        &mut self,
        request: &EvidenceRequest,
        place: &Place,
        role: EvidenceRole,
        captured: Moment,
        picture: &[u8],
    ) -> Result<(), FileError> {
        let dated = with_exif(picture, &self.exif(request, place, role, captured));
        let signed = self.signed_picture(request, place, role, captured, &dated);
        place.write_temporary(signed.as_deref().unwrap_or(&dated))
    }

    /// The same of a picture that a child left under its temporary name.
    pub(super) fn date(
        &mut self,
        request: &EvidenceRequest,
        place: &Place,
        role: EvidenceRole,
        captured: Moment,
    ) -> Result<(), FileError> {
        use std::io::Read as _;
        let temporary = place.temporary();
        let file = place.open_temporary().map_err(failed(&temporary, "opening"))?;
        let mut picture = Vec::new();
        file.take(MAX_SIGNED_PICTURE_BYTES + 1)
            .read_to_end(&mut picture)
            .map_err(failed(&temporary, "reading"))?;
        if picture.len() as u64 > MAX_SIGNED_PICTURE_BYTES {
            self.not_signed(role, &SignError::TooLong("the picture"));
            return Ok(());
        }
        self.write_dated(request, place, role, captured, &picture)
    }

    fn exif(&self, request: &EvidenceRequest, place: &Place, role: EvidenceRole, captured: Moment) -> Exif {
        let (set, name) = (request.subject.set_id(), place.name());
        let camera = self.camera(request.camera);
        let camera_id = camera.map_or("?", |c| c.id.as_str());
        let kind = request.kind.map(|kind| format!(" kind={}", kind.as_str())).unwrap_or_default();
        let edge_id = &self.edge_id;
        let comment = format!(
            "edge={edge_id} camera={camera_id} set={set} revision={} role={}{kind} file={name}",
            request.revision,
            role_name(role)
        );
        let unique_id = hex(&hash::of(format!("{edge_id}/{set}/{name}").as_bytes()));
        let at_camera = camera.and_then(|c| c.point);
        let thing = self.officer.as_ref().and_then(|officer| officer.place(request));
        let exif_place = match thing {
            Some(place) => Some(ExifPlace {
                lon_deg: place.lon_deg,
                lat_deg: place.lat_deg,
                accuracy_m: Some(place.accuracy_m),
            }),
            None => at_camera.map(|(lon_deg, lat_deg)| ExifPlace { lon_deg, lat_deg, accuracy_m: None }),
        };
        Exif {
            taken: captured.quality.is_disciplined().then(|| Taken {
                rfc3339: rfc3339(captured.wall_ms, self.utc_offset_s),
                rfc3339_utc: rfc3339(captured.wall_ms, 0),
            }),
            place: exif_place,
            model: edge_id.clone(),
            unique_id: unique_id.chars().take(32).collect(),
            comment,
        }
    }
}
