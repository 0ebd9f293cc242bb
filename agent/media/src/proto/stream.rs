//! A stream's description as a header; its extradata is the blob.

use bytes::Bytes;
use kerbside_domain::frame::StreamInfo;
use serde::{Deserialize, Serialize};

/// [`StreamInfo`] without its extradata.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StreamHeader {
    epoch: u32,
    pub(super) codec: String,
    width: u32,
    height: u32,
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
            time_base: info.time_base,
            fps: info.fps,
        }
    }

    /// The whole description again.
    pub fn with_extradata(self, extradata: Bytes) -> StreamInfo {
        let StreamHeader { epoch, codec, width, height, time_base, fps } = self;
        StreamInfo { epoch, codec, width, height, time_base, fps, extradata }
    }
}
