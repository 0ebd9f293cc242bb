//! Just enough of H.264 and H.265 to find parameter sets, places where decoding can begin, and how pictures must be turned, in
//! either packing. Pure; every slice may be hostile.
//!
//! Sources: ITU-T H.264 7.3.1, D.1 and annex B; ITU-T H.265 7.3.1.2, D.2 and annex B; ISO/IEC 14496-15 5.3.3 and 8.3.3.

mod bits;
mod entry;
mod orientation;
mod parameter_sets;
mod sei;
mod units;

pub(super) use entry::{Entry, entry};
pub(super) use orientation::turn;
pub(super) use parameter_sets::ParameterSets;
pub(super) use units::{Packing, trailing_zeros, without_padding};

/// Codecs whose packets carry NAL units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    H264,
    Hevc,
}

impl Family {
    /// By FFmpeg's codec name.
    pub(super) fn of(codec: &str) -> Option<Self> {
        match codec {
            "h264" => Some(Family::H264),
            "hevc" => Some(Family::Hevc),
            _ => None,
        }
    }

    /// The type of a NAL unit.
    fn kind(self, unit: &[u8]) -> Option<u8> {
        let head = unit.first()?;
        Some(match self {
            Family::H264 => head & 0x1f,
            Family::Hevc => (head >> 1) & 0x3f,
        })
    }

    fn is_sequence_set(self, unit: &[u8]) -> bool {
        match self {
            Family::H264 => self.kind(unit) == Some(7),
            Family::Hevc => self.kind(unit) == Some(33),
        }
    }

    /// VPS, SPS or PPS: what a decoder needs before the first picture.
    fn is_parameter_set(self, unit: &[u8]) -> bool {
        match self {
            Family::H264 => matches!(self.kind(unit), Some(7 | 8)),
            Family::Hevc => matches!(self.kind(unit), Some(32..=34)),
        }
    }
}
