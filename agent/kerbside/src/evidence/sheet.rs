//! The sheet of an incident, and the masked copies of its pictures: made of pictures that are durable already.

use std::path::{Path, PathBuf};

use kerbside_domain::detection::Detection;
use kerbside_domain::evidence::{EvidenceItem, EvidenceRequest, EvidenceRole};
use kerbside_domain::frame::BBox;
use kerbside_domain::time::{Moment, rfc3339};
use kerbside_sheet::sheet::Panel;
use kerbside_sheet::{Masks, Picture, Sheet, SheetPanels, masks_of, window};
use kerbside_site::config::Mask;
use kerbside_trace::evidence_file;

use super::files::{MASKED, Place, role_name};
use super::folders::folders_of;
use super::manifest::{Manifest, ManifestItem};
use super::shortfall::{Missing, Shortfall};
use super::stage::Evidence;
use super::tuning::{MAX_PICTURE_BYTES, MAX_READ_BYTES, MAX_SHEET_BYTES};

/// A picture on the disk, and when it was taken.
struct Shot {
    path: PathBuf,
    /// RFC 3339 with the site's own offset.
    at: String,
    captured: Option<Moment>,
}

/// A picture in memory, with what is hidden in it.
struct Seen {
    picture: Picture,
    masks: Masks,
    at: String,
}

impl Evidence {
    /// What the officer gets besides the pictures that were asked for: masked copies where the site sends no others, and the sheet.
    pub(super) fn for_the_officer(
        &mut self,
        request: &EvidenceRequest,
        made: &[EvidenceItem],
        shortfalls: &mut Vec<Shortfall>,
    ) -> Vec<EvidenceItem> {
        let Some(officer) = &self.officer else { return Vec::new() };
        let mut items = Vec::new();
        if officer.mask == Mask::All {
            for item in made {
                match self.masked_copy(request, item) {
                    Ok(copy) => items.push(copy),
                    Err(why) => shortfalls.push(Shortfall::Masked(item.role, why)),
                }
            }
        }
        if request.kind.is_some() {
            match self.sheet(request, made) {
                Ok(Some(sheet)) => items.push(sheet),
                Ok(None) => {}
                Err(why) => shortfalls.push(Shortfall::Roles(vec![EvidenceRole::Sheet], why)),
            }
        }
        items
    }

    /// `None`: nothing new was taken of which a sheet could be made.
    fn sheet(
        &mut self,
        request: &EvidenceRequest,
        made: &[EvidenceItem],
    ) -> Result<Option<EvidenceItem>, Missing> {
        let of = |role| made.iter().find(|item| item.role == role);
        let shot = |item: &EvidenceItem| Shot {
            path: PathBuf::from(&item.path),
            at: rfc3339(item.captured.wall_ms, self.utc_offset_s),
            captured: Some(item.captured),
        };
        let (now, before, close_up) = match (of(EvidenceRole::After), of(EvidenceRole::Trigger)) {
            // What is compared is the place with the thing and the place now.
            (Some(after), _) => {
                // The window of an earlier close-up is not known any more, and with it not where its masks belong.
                (shot(after), self.earlier(request, EvidenceRole::Trigger), None)
            }
            (None, Some(trigger)) => {
                let before = of(EvidenceRole::Before).map(shot);
                let before = before.or_else(|| self.earlier(request, EvidenceRole::Before));
                (shot(trigger), before, of(EvidenceRole::CloseUp).map(shot))
            }
            (None, None) => return Ok(None),
        };
        let captured = now.captured.unwrap_or(request.trigger_at);
        let is_after = of(EvidenceRole::After).is_some();
        let panels = self.panels(request, &now, before.as_ref(), close_up.as_ref(), is_after)?;
        let camera_id = self.camera(request.camera).map_or("?", |c| c.id.as_str()).to_owned();
        let Some(officer) = &self.officer else { return Ok(None) };
        let caption = officer.caption(request, &camera_id, captured);
        let masked = caption.masked;
        let jpeg = Sheet::compose(&caption, &panels)
            .and_then(|sheet| sheet.picture.jpeg_within(MAX_SHEET_BYTES))
            .map_err(|error| Missing::Child(error.to_string()))?;
        let place = Place::new(&self.dir, request, EvidenceRole::Sheet, self.utc_offset_s);
        place.write_temporary(&jpeg)?;
        self.date(request, &place, EvidenceRole::Sheet, captured)?;
        self.sign(request, &place, EvidenceRole::Sheet, captured, false);
        self.counters.pictures += 1;
        Ok(Some(EvidenceItem { masked, ..place.adopt(captured)? }))
    }

    fn panels(
        &mut self,
        request: &EvidenceRequest,
        now: &Shot,
        before: Option<&Shot>,
        close_up: Option<&Shot>,
        is_after: bool,
    ) -> Result<SheetPanels, Missing> {
        let thing = request.bbox;
        let now = self.seen(request, now, !is_after)?;
        let size = (now.picture.width(), now.picture.height());
        let compared = window::compared(&thing, size);
        let before = before.map(|shot| self.seen(request, shot, is_after)).transpose()?;
        let close = window::close_up(&thing, size);
        // The close-up's own file has all of the camera's pixels; the trigger picture may have been shrunk.
        let of_file = close_up.and_then(|shot| self.read(&shot.path).ok());
        let with_thing = if is_after { before.as_ref() } else { Some(&now) };
        let large = match (of_file, with_thing) {
            (Some(picture), Some(seen)) => {
                let mut picture = picture;
                seen.masks.in_window(&close).apply(&mut picture);
                picture
            }
            (None, Some(seen)) => cut(&seen.masked(), &close)?,
            (_, None) => cut(&now.masked(), &close)?,
        };
        let enlarged = window::enlargement(&thing, size);
        let note = if enlarged > 1.05 { format!("（放大 {enlarged:.1} 倍）") } else { String::new() };
        let panel = |seen: &Seen, window: &BBox, label: String| {
            let picture = cut(&seen.masked(), window)?;
            Ok::<_, Missing>(Panel { picture, thing: window::in_window(&thing, window), label })
        };
        let (earlier, latest) = if is_after { ("发现时", "现在") } else { ("此前", "现在") };
        Ok(SheetPanels {
            place: Panel { picture: now.masked(), thing, label: format!("现场 {}", clock(&now.at)) },
            close_up: Panel {
                picture: large,
                thing: window::in_window(&thing, &close),
                label: format!("特写{note}"),
            },
            before: before
                .as_ref()
                .map(|seen| panel(seen, &compared, format!("{earlier} {}", clock(&seen.at))))
                .transpose()?,
            now: panel(&now, &compared, format!("{latest} {}", clock(&now.at)))?,
        })
    }

    /// Reads a picture and says what is hidden in it. `is_of_report`: the report's own objects were seen in this very picture.
    fn seen(&mut self, request: &EvidenceRequest, shot: &Shot, is_of_report: bool) -> Result<Seen, Missing> {
        let picture = self.read(&shot.path)?;
        let mut masks = Masks::default();
        if let Some(officer) = self.officer.as_mut().filter(|officer| officer.mask != Mask::None) {
            let compared = window::compared(&request.bbox, (picture.width(), picture.height()));
            // Fail closed: what nobody has looked at does not leave the box as a sheet.
            masks = officer.masks(&picture, &[compared]).map_err(Missing::NotMasked)?;
            if is_of_report {
                masks.extend(masks_of_report(request, &picture));
            }
        }
        Ok(Seen { picture, masks, at: shot.at.clone() })
    }

    /// A copy of a picture with heads and plates hidden, beside it.
    fn masked_copy(
        &mut self,
        request: &EvidenceRequest,
        item: &EvidenceItem,
    ) -> Result<EvidenceItem, Missing> {
        let mut picture = self.read(Path::new(&item.path))?;
        let officer = self.officer.as_mut().ok_or_else(|| Missing::NotMasked("nobody looks".to_owned()))?;
        let quarters =
            [(0.0, 0.0), (0.4, 0.0), (0.0, 0.4), (0.4, 0.4)].map(|(x, y)| BBox { x, y, w: 0.6, h: 0.6 });
        let mut masks = officer.masks(&picture, &quarters).map_err(Missing::NotMasked)?;
        if matches!(item.role, EvidenceRole::Trigger | EvidenceRole::Annotated) {
            masks.extend(masks_of_report(request, &picture));
        }
        masks.apply(&mut picture);
        let jpeg = picture
            .jpeg_within(MAX_PICTURE_BYTES as usize)
            .map_err(|error| Missing::Child(error.to_string()))?;
        let id = format!("r{}-{}{MASKED}", request.revision, role_name(item.role));
        let place = Place::named(&self.dir, request, id, item.role, self.utc_offset_s);
        place.write_temporary(&jpeg)?;
        self.date(request, &place, item.role, item.captured)?;
        self.sign(request, &place, item.role, item.captured, false);
        let (enlarged, from_sub_stream) = (item.enlarged, item.from_sub_stream);
        Ok(EvidenceItem { masked: true, enlarged, from_sub_stream, ..place.adopt(item.captured)? })
    }

    fn read(&self, path: &Path) -> Result<Picture, Missing> {
        use std::io::Read as _;
        let unreadable = |why: String| Missing::Child(format!("{}: {why}", path.display()));
        let file = evidence_file::open(&self.dir, path).map_err(|e| unreadable(e.to_string()))?;
        let mut bytes = Vec::new();
        file.take(MAX_READ_BYTES).read_to_end(&mut bytes).map_err(|e| unreadable(e.to_string()))?;
        Picture::of_jpeg(&bytes).map_err(|error| unreadable(error.to_string()))
    }

    /// The newest picture of a role that an earlier revision made, by the manifests of its incident.
    fn earlier(&self, request: &EvidenceRequest, role: EvidenceRole) -> Option<Shot> {
        let folders = folders_of(&self.dir, request.subject.incident_id()?).ok()?;
        let mut found: Option<(u32, ManifestItem)> = None;
        for folder in folders {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let names =
                entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok());
            for name in names.filter(|name| name.ends_with("manifest.json")) {
                let text = evidence_file::read(&folder, Path::new(&name)).ok();
                let manifest = text.and_then(|text| serde_json::from_slice::<Manifest>(&text).ok());
                let Some(manifest) = manifest.filter(|m| m.revision < request.revision) else { continue };
                let item = manifest.items.into_iter().find(|item| item.role == role && !item.masked);
                if let Some(item) =
                    item.filter(|_| found.as_ref().is_none_or(|(r, _)| *r < manifest.revision))
                {
                    found = Some((manifest.revision, item));
                }
            }
        }
        let (_, item) = found?;
        Some(Shot { path: PathBuf::from(item.path), at: item.captured_at, captured: None })
    }
}

impl Seen {
    fn masked(&self) -> Picture {
        let mut picture = self.picture.clone();
        self.masks.apply(&mut picture);
        picture
    }
}

/// People and vehicles that the report itself names.
fn masks_of_report(request: &EvidenceRequest, picture: &Picture) -> Masks {
    let objects: Vec<Detection> = request
        .objects
        .iter()
        .map(|o| Detection { label: o.label.clone(), group: o.group, confidence: o.confidence, bbox: o.bbox })
        .collect();
    masks_of(&objects, picture.width() as f32 / picture.height().max(1) as f32)
}

fn cut(picture: &Picture, window: &BBox) -> Result<Picture, Missing> {
    picture.cut(window).map_err(|error| Missing::Child(error.to_string()))
}

/// The time of day of an RFC 3339 text.
fn clock(at: &str) -> &str {
    at.get(11..19).unwrap_or_default()
}
