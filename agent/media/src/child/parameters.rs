//! Codec parameters of a stream that lies in the ring, for a muxer or a decoder.

use ffmpeg_next::codec::Parameters;
use kerbside_domain::frame::{Packet, StreamInfo};

use super::libav_sys;
use super::nal::{Family, Packing, ParameterSets};

/// What a decoder or muxer must know of the stream that `packets` belong to.
pub(super) fn of_stream(stream: &StreamInfo, packets: &[Packet]) -> Result<Parameters, String> {
    let id = libav_sys::codec_id(&stream.codec).ok_or_else(|| format!("unknown codec {}", stream.codec))?;
    // Safari plays H.265 only under this name; the others have one name each.
    let tag = if stream.codec == "hevc" { u32::from_le_bytes(*b"hvc1") } else { 0 };
    let size = (stream.width, stream.height);
    libav_sys::video_parameters(id, size, &extradata(stream, packets), tag)
        .ok_or_else(|| "no memory".to_string())
}

/// The stream's own extradata, or the parameter sets inside the first key packet.
fn extradata(stream: &StreamInfo, packets: &[Packet]) -> Vec<u8> {
    if !stream.extradata.is_empty() {
        return stream.extradata.to_vec();
    }
    let (Some(family), Some(key)) = (Family::of(&stream.codec), packets.iter().find(|p| p.key)) else {
        return Vec::new();
    };
    let units = Packing::AnnexB.units(&key.data);
    ParameterSets::of_units(family, &units).extradata(family, Packing::AnnexB, &[])
}
