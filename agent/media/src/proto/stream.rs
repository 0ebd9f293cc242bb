//! A stream's description as a header; its extradata is the blob.

use bytes::Bytes;
use kerbside_domain::frame::{StreamInfo, Turn};
use serde::{Deserialize, Serialize};

use super::error::ProtoError;
use super::framing::check_length;
use crate::tuning::{MAX_CODEC_NAME, MAX_PICTURE_SIDE};

/// [`StreamInfo`] without its extradata.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StreamHeader {
    epoch: u32,
    pub(super) codec: String,
    width: u32,
    height: u32,
    turn: Turn,
    time_base: (i32, i32),
    fps: f32,
}

impl StreamHeader {
    /// All but the extradata.
    pub fn of(info: &StreamInfo) -> Self {
        StreamHeader {
            epoch: info.epoch,
            codec: info.codec.clone(),
            width: info.width,
            height: info.height,
            turn: info.turn,
            time_base: info.time_base,
            fps: info.fps,
        }
    }

    /// Refuses what no stream has. A rate that is none counts as unknown, which is what a child says of many a real one.
    pub(super) fn check(&self) -> Result<(), ProtoError> {
        check_length("codec name", self.codec.len(), MAX_CODEC_NAME)?;
        let (width, height) = (self.width, self.height);
        if width.max(height) > MAX_PICTURE_SIDE {
            return Err(ProtoError::Size { what: "stream", width, height });
        }
        Ok(())
    }

    /// The whole description again.
    pub fn with_extradata(self, extradata: Bytes) -> StreamInfo {
        let StreamHeader { epoch, codec, width, height, turn, time_base, fps } = self;
        let fps = if fps.is_finite() && fps > 0.0 { fps } else { 0.0 };
        StreamInfo { epoch, codec, width, height, turn, time_base, fps, extradata }
    }
}
