//! One entry: a thing, a rule, and why it was no incident. As it is stored, and as a line of text.

use kerbside_domain::frame::BBox;
use kerbside_domain::lang::Lang;
use kerbside_domain::time::rfc3339;
use kerbside_seeing::incident::refusal::{Fate, Thing, text};
use kerbside_seeing::incident::{Refusal, WhyNot};
use serde::{Deserialize, Serialize};

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Names thing and rule.
    pub id: String,
    pub camera: String,
    pub zone: String,
    pub rule: String,
    pub thing: Thing,
    /// RFC 3339, in the site's offset.
    pub from: String,
    /// When it was seen last.
    pub to: String,
    /// The same, ms since the Unix epoch.
    pub from_ms: i64,
    pub to_ms: i64,
    /// Nobody vouched for the clock.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undated: bool,
    pub why: WhyNot,
    pub fate: Fate,
    pub picture: Picture,
}

/// The thing cut out of its frame, with a margin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Picture {
    /// A JPEG beside the entry.
    File(String),
    None(NoPicture),
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoPicture {
    /// The evidence of reports came first, or one had just been made.
    Busy,
    /// The camera's ring does not hold the moment any more.
    NotInRing,
    /// The disk is left to reports.
    DiskNearlyFull,
    /// It could not be decoded or written.
    Failed,
    /// A replay makes none.
    Replay,
}

impl NoPicture {
    fn text(self, lang: Lang) -> &'static str {
        match self {
            NoPicture::Busy => {
                lang.pick("no picture: evidence of reports came first", "无截图：案件证据优先")
            }
            NoPicture::NotInRing => {
                lang.pick("no picture: not in the ring any more", "无截图：环形缓存已无此时刻")
            }
            NoPicture::DiskNearlyFull => lang.pick("no picture: the disk is nearly full", "无截图：磁盘将满"),
            NoPicture::Failed => lang.pick("no picture: it could not be made", "无截图：生成失败"),
            NoPicture::Replay => "",
        }
    }
}

impl Entry {
    /// As the core says it, of a camera with this id.
    pub fn of(refusal: &Refusal, camera_id: &str, utc_offset_s: i32, picture: Picture) -> Entry {
        let Refusal { id, zone, rule, thing, from, to, why, fate, .. } = refusal.clone();
        Entry {
            id,
            camera: camera_id.to_owned(),
            zone,
            rule,
            thing,
            from: rfc3339(from.wall_ms, utc_offset_s),
            to: rfc3339(to.wall_ms, utc_offset_s),
            from_ms: from.wall_ms,
            to_ms: to.wall_ms,
            undated: !to.is_vouched(),
            why,
            fate,
            picture,
        }
    }

    /// `stall at 0.42,0.42 (0.10 x 0.20)  sidewalk/no-vending  57 s, gone  gone or changed before its dwell: stood 48 of 50 s`
    pub fn sentence(&self, lang: Lang) -> String {
        let (thing, place) = (text::thing(lang, &self.thing), place(&self.thing.bbox));
        let seen_s = self.to_ms.saturating_sub(self.from_ms) as f64 / 1000.0;
        let (zone, rule, fate) = (&self.zone, &self.rule, text::fate(lang, &self.fate));
        let why = text::why(lang, &self.why);
        lang.pick(
            format!("{thing} at {place}  {zone}/{rule}  {seen_s:.0} s, {fate}  {why}"),
            format!("{thing} 位于 {place}  {zone}/{rule}  {seen_s:.0} 秒，{fate}  {why}"),
        )
    }

    /// With its time, camera and picture.
    pub fn line(&self, lang: Lang) -> String {
        let picture = match &self.picture {
            Picture::File(name) => name,
            Picture::None(why) => why.text(lang),
        };
        format!("{}  {}  {}  {picture}", self.from, self.camera, self.sentence(lang)).trim_end().to_owned()
    }
}

/// A box as text: left and upper edge, width and height, in shares of the picture.
pub(crate) fn place(bbox: &BBox) -> String {
    format!("{:.2},{:.2} ({:.2} x {:.2})", bbox.x, bbox.y, bbox.w, bbox.h)
}
