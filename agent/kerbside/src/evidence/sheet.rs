//! The sheet of an incident, and the masked copies of its pictures: made of pictures that are durable already.

use std::collections::BTreeMap;
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

/// A picture in memory, with heads and plates hidden.
struct Seen {
    picture: Picture,
    /// What is hidden in it.
    masks: Masks,
    at: String,
}

/// What is to be hidden in a picture that was looked at.
#[derive(Clone)]
struct Looked {
    masks: Masks,
    /// Width and height of the picture, px.
    size: (u32, u32),
}

/// The pictures that were looked at for one request: each once, whatever is made of it.
#[derive(Default)]
struct LookedAt(BTreeMap<PathBuf, Looked>);

/// What the boxes of the report mean in a picture.
#[derive(Clone, Copy, PartialEq)]
enum Boxes {
    /// What they name was seen in this very picture.
    Seen,
    /// The place is there, at another time.
    Place,
    /// Nothing: it shows a part of another picture.
    Part,
}

/// Where a whole picture that leaves the box is looked at closely.
const QUARTERS: [BBox; 4] = [
    BBox { x: 0.0, y: 0.0, w: 0.6, h: 0.6 },
    BBox { x: 0.4, y: 0.0, w: 0.6, h: 0.6 },
    BBox { x: 0.0, y: 0.4, w: 0.6, h: 0.6 },
    BBox { x: 0.4, y: 0.4, w: 0.6, h: 0.6 },
];

impl Evidence {
    /// What the officer gets besides the pictures that were asked for: masked copies where the site sends no others, and the sheet.
    pub(super) fn for_the_officer(
        &mut self,
        request: &EvidenceRequest,
        made: &[EvidenceItem],
        shortfalls: &mut Vec<Shortfall>,
    ) -> Vec<EvidenceItem> {
        let Some(officer) = &self.officer else { return Vec::new() };
        let (mut items, mut looked_at) = (Vec::new(), LookedAt::default());
        if officer.mask == Mask::All {
            for item in made {
                match self.masked_copy(request, item, made, &mut looked_at) {
                    Ok(copy) => items.push(copy),
                    Err(why) => shortfalls.push(Shortfall::Masked(item.role, why)),
                }
            }
        }
        if request.kind.is_some() {
            match self.sheet(request, made, &mut looked_at) {
                Ok(Some(sheet)) => items.push(sheet),
                Ok(None) => {}
                Err(why) => shortfalls.push(Shortfall::Roles(vec![EvidenceRole::Sheet], why)),
            }
        }
        if let Some(officer) = &mut self.officer {
            officer.rest();
        }
        items
    }

    /// `None`: nothing new was taken of which a sheet could be made.
    fn sheet(
        &mut self,
        request: &EvidenceRequest,
        made: &[EvidenceItem],
        looked_at: &mut LookedAt,
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
        let panels = self.panels(request, now, before, close_up.as_ref(), is_after, looked_at)?;
        let camera_id = self.camera(request.camera).map_or("?", |c| c.id.as_str()).to_owned();
        let Some(officer) = &self.officer else { return Ok(None) };
        let caption = officer.caption(request, &camera_id, captured);
        let masked = caption.masked;
        let jpeg = Sheet::compose(&caption, &panels)
            .and_then(|sheet| sheet.picture.jpeg_within(MAX_SHEET_BYTES))
            .map_err(|error| Missing::Child(error.to_string()))?;
        let place = Place::new(&self.dir, request, EvidenceRole::Sheet, self.utc_offset_s);
        self.write_dated(request, &place, EvidenceRole::Sheet, captured, &jpeg)?;
        self.counters.pictures += 1;
        Ok(Some(EvidenceItem { masked, ..place.adopt(captured)? }))
    }

    fn panels(
        &mut self,
        request: &EvidenceRequest,
        now: Shot,
        before: Option<Shot>,
        close_up: Option<&Shot>,
        is_after: bool,
        looked_at: &mut LookedAt,
    ) -> Result<SheetPanels, Missing> {
        let thing = request.bbox;
        let (of_now, of_before) =
            if is_after { (Boxes::Place, Boxes::Seen) } else { (Boxes::Seen, Boxes::Place) };
        let now = self.seen(request, now, of_now, looked_at)?;
        let size = (now.picture.width(), now.picture.height());
        let compared = window::compared(&thing, size);
        let before = before.map(|shot| self.seen(request, shot, of_before, looked_at)).transpose()?;
        let close = window::close_up(&thing, size);
        // The close-up's own file has all of the camera's pixels; the trigger picture may have been shrunk.
        let of_file = close_up.and_then(|shot| Some((self.read(&shot.path).ok()?, shot)));
        let with_thing = before.as_ref().filter(|_| is_after).unwrap_or(&now);
        let large = match of_file {
            Some((mut picture, shot)) => {
                let mut masks = self.looked(request, &shot.path, &picture, Boxes::Part, looked_at)?.masks;
                masks.extend(with_thing.masks.in_window(&close));
                masks.apply(&mut picture);
                picture
            }
            None => cut(&with_thing.picture, &close)?,
        };
        let enlarged = window::enlargement(&thing, size);
        let note = if enlarged > 1.05 { format!("（放大 {enlarged:.1} 倍）") } else { String::new() };
        let panel = |seen: &Seen, window: &BBox, label: String| {
            let picture = cut(&seen.picture, window)?;
            Ok::<_, Missing>(Panel { picture, thing: window::in_window(&thing, window), label })
        };
        let (earlier, latest) = if is_after { ("发现时", "现在") } else { ("此前", "现在") };
        Ok(SheetPanels {
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
            place: Panel { label: format!("现场 {}", clock(&now.at)), picture: now.picture, thing },
        })
    }

    /// Reads a picture and hides what must be hidden.
    fn seen(
        &mut self,
        request: &EvidenceRequest,
        shot: Shot,
        boxes: Boxes,
        looked_at: &mut LookedAt,
    ) -> Result<Seen, Missing> {
        let mut picture = self.read(&shot.path)?;
        let masks = self.looked(request, &shot.path, &picture, boxes, looked_at)?.masks;
        masks.apply(&mut picture);
        Ok(Seen { picture, masks, at: shot.at })
    }

    /// What is to be hidden in a picture.
    fn looked(
        &mut self,
        request: &EvidenceRequest,
        path: &Path,
        picture: &Picture,
        boxes: Boxes,
        looked_at: &mut LookedAt,
    ) -> Result<Looked, Missing> {
        if let Some(looked) = looked_at.0.get(path) {
            return Ok(looked.clone());
        }
        let size = (picture.width(), picture.height());
        let mut masks = Masks::default();
        if let Some(officer) = self.officer.as_mut().filter(|officer| officer.mask != Mask::None) {
            let mut windows = Vec::new();
            if officer.mask == Mask::All {
                windows.extend(QUARTERS);
            }
            if boxes != Boxes::Part {
                windows.push(window::compared(&request.bbox, size));
            }
            // Fail closed: what nobody has looked at does not leave the box.
            masks = officer.masks(picture, &windows).map_err(Missing::NotMasked)?;
            if boxes == Boxes::Seen {
                masks.extend(masks_of_report(request, picture));
            }
        }
        let looked = Looked { masks, size };
        looked_at.0.insert(path.to_owned(), looked.clone());
        Ok(looked)
    }

    /// A copy of a picture with heads and plates hidden, beside it.
    fn masked_copy(
        &mut self,
        request: &EvidenceRequest,
        item: &EvidenceItem,
        made: &[EvidenceItem],
        looked_at: &mut LookedAt,
    ) -> Result<EvidenceItem, Missing> {
        let path = Path::new(&item.path);
        let mut picture = self.read(path)?;
        let boxes = match item.role {
            EvidenceRole::Trigger | EvidenceRole::Annotated => Boxes::Seen,
            EvidenceRole::CloseUp => Boxes::Part,
            _ => Boxes::Place,
        };
        let mut masks = self.looked(request, path, &picture, boxes, looked_at)?.masks;
        if boxes == Boxes::Part {
            // Of somebody who is cut off at its edge it shows too little to know a person by, and enough to know a face.
            let whole = self.whole_of(request, made, looked_at)?;
            masks.extend(whole.masks.in_window(&window::close_up(&request.bbox, whole.size)));
        }
        masks.apply(&mut picture);
        let jpeg = picture
            .jpeg_within(MAX_PICTURE_BYTES as usize)
            .map_err(|error| Missing::Child(error.to_string()))?;
        let id = format!("r{}-{}{MASKED}", request.revision, role_name(item.role));
        let place = Place::named(&self.dir, request, id, item.role, self.utc_offset_s);
        self.write_dated(request, &place, item.role, item.captured, &jpeg)?;
        let (enlarged, from_sub_stream) = (item.enlarged, item.from_sub_stream);
        Ok(EvidenceItem { masked: true, enlarged, from_sub_stream, ..place.adopt(item.captured)? })
    }

    /// The picture that the close-up is a part of.
    fn whole_of(
        &mut self,
        request: &EvidenceRequest,
        made: &[EvidenceItem],
        looked_at: &mut LookedAt,
    ) -> Result<Looked, Missing> {
        let trigger = made.iter().find(|item| item.role == EvidenceRole::Trigger);
        let path = trigger.map(|item| Path::new(&item.path));
        let path = path.ok_or_else(|| Missing::NotMasked("its whole picture is not there".to_owned()))?;
        match looked_at.0.get(path) {
            Some(looked) => Ok(looked.clone()),
            None => {
                let picture = self.read(path)?;
                self.looked(request, path, &picture, Boxes::Seen, looked_at)
            }
        }
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
