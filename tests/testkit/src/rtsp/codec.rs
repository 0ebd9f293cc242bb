//! The codecs of films: their names, and what their NAL units are.

/// How a film is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    H264,
    H265,
}

impl Codec {
    /// Its name in a session description (RFC 6184, RFC 7798).
    pub(super) fn rtp_name(self) -> &'static str {
        match self {
            Codec::H264 => "H264",
            Codec::H265 => "H265",
        }
    }

    fn kind(self, nal: &[u8]) -> Option<u8> {
        nal.first().map(|head| match self {
            Codec::H264 => head & 31,
            Codec::H265 => head >> 1 & 63,
        })
    }

    pub(super) fn is_parameter_set(self, nal: &[u8]) -> bool {
        match self {
            Codec::H264 => matches!(self.kind(nal), Some(7 | 8)),
            Codec::H265 => matches!(self.kind(nal), Some(32..=34)),
        }
    }

    pub(super) fn is_delimiter(self, nal: &[u8]) -> bool {
        self.kind(nal)
            == Some(match self {
                Codec::H264 => 9,
                Codec::H265 => 35,
            })
    }

    pub(super) fn is_key(self, nal: &[u8]) -> bool {
        match self {
            Codec::H264 => self.kind(nal) == Some(5),
            Codec::H265 => matches!(self.kind(nal), Some(16..=21)),
        }
    }

    /// FFmpeg's encoder, its option for what follows, and what every film needs: delimiters, parameter sets before each key
    /// frame, no picture out of order.
    pub(super) fn encoder(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Codec::H264 => ("libx264", "-x264-params", "repeat-headers=1:aud=1:scenecut=0:bframes=0"),
            Codec::H265 => {
                ("libx265", "-x265-params", "repeat-headers=1:aud=1:scenecut=0:bframes=0:log-level=none")
            }
        }
    }
}
