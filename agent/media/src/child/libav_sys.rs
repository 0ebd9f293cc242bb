//! What `ffmpeg-next` has no safe call for: extradata and dimensions of codec parameters.
//!
//! It needs `unsafe`. Nothing here keeps a pointer; every block copies in or out.
#![allow(unsafe_code)]

use ffmpeg_next::codec::{self, Parameters};
use ffmpeg_next::ffi;
use ffmpeg_next::format::stream::StreamMut;

use crate::tuning::MAX_EXTRADATA;

/// FFmpeg's codec by its name (`h264`, `hevc`, ...).
pub(super) fn codec_id(name: &str) -> Option<codec::Id> {
    let name = std::ffi::CString::new(name).ok()?;
    // SAFETY: `name` is a valid C string for the call; the result is null or points to a static table of FFmpeg.
    let id = unsafe {
        let descriptor = ffi::avcodec_descriptor_get_by_name(name.as_ptr());
        if descriptor.is_null() {
            return None;
        }
        (*descriptor).id
    };
    Some(id.into())
}

/// The codec's extradata as the demuxer gave it.
pub(super) fn extradata(parameters: &Parameters) -> Vec<u8> {
    // SAFETY: `as_ptr` is valid while `parameters` is borrowed; FFmpeg keeps `extradata` either null or pointing to
    // `extradata_size` readable bytes. They are copied before the borrow ends.
    unsafe {
        let raw = parameters.as_ptr();
        let len = usize::try_from((*raw).extradata_size).unwrap_or(0);
        if (*raw).extradata.is_null() || len == 0 || len > MAX_EXTRADATA {
            return Vec::new();
        }
        std::slice::from_raw_parts((*raw).extradata, len).to_vec()
    }
}

/// Width and height, px; zero when unknown.
pub(super) fn dimensions(parameters: &Parameters) -> (u32, u32) {
    // SAFETY: `as_ptr` is valid while `parameters` is borrowed; two plain integers are read.
    let (w, h) = unsafe { ((*parameters.as_ptr()).width, (*parameters.as_ptr()).height) };
    (u32::try_from(w).unwrap_or(0), u32::try_from(h).unwrap_or(0))
}

/// Tells a stream of a file how players must turn its pictures. `None` if FFmpeg has no memory.
pub(super) fn set_turn(track: &mut StreamMut<'_>, matrix: [i32; 9]) -> Option<()> {
    // SAFETY: `as_mut_ptr` is valid while `track` is borrowed. The buffer belongs to the stream and has the size asked for, which is
    // that of the nine numbers copied into it.
    unsafe {
        let kind = ffi::AVPacketSideDataType::AV_PKT_DATA_DISPLAYMATRIX;
        let buffer = ffi::av_stream_new_side_data(track.as_mut_ptr(), kind, size_of_val(&matrix) as _);
        if buffer.is_null() {
            return None;
        }
        std::ptr::copy_nonoverlapping(matrix.as_ptr().cast::<u8>(), buffer, size_of_val(&matrix));
    }
    Some(())
}

/// Puts other extradata into `parameters`. `None` if FFmpeg has no memory or it is too long.
pub(super) fn set_extradata(parameters: &mut Parameters, extradata: &[u8]) -> Option<()> {
    if extradata.len() > MAX_EXTRADATA {
        return None;
    }
    // SAFETY: `as_mut_ptr` is valid while `parameters` is borrowed; `extradata` is null or was allocated by FFmpeg, and is freed
    // as FFmpeg does. The new buffer comes from `av_mallocz` with FFmpeg's padding, and is owned and freed by the parameters.
    unsafe {
        let raw = parameters.as_mut_ptr();
        ffi::av_freep((&raw mut (*raw).extradata).cast());
        (*raw).extradata_size = 0;
        if extradata.is_empty() {
            return Some(());
        }
        let padded = extradata.len() + ffi::AV_INPUT_BUFFER_PADDING_SIZE as usize;
        let buffer = ffi::av_mallocz(padded).cast::<u8>();
        if buffer.is_null() {
            return None;
        }
        std::ptr::copy_nonoverlapping(extradata.as_ptr(), buffer, extradata.len());
        (*raw).extradata = buffer;
        (*raw).extradata_size = extradata.len() as i32;
    }
    Some(())
}

/// Parameters of a video stream for a muxer or a decoder. `tag` is the container's four characters, or 0 for its default.
/// `None` if FFmpeg has no memory or the extradata is too long.
pub(super) fn video_parameters(
    id: codec::Id,
    size: (u32, u32),
    extradata: &[u8],
    tag: u32,
) -> Option<Parameters> {
    let mut parameters = Parameters::new();
    // SAFETY: `Parameters::new` allocates with `avcodec_parameters_alloc`; a null result is checked before use. Plain numbers are
    // written.
    unsafe {
        let raw = parameters.as_mut_ptr();
        if raw.is_null() {
            return None;
        }
        (*raw).codec_type = ffi::AVMediaType::AVMEDIA_TYPE_VIDEO;
        (*raw).codec_id = id.into();
        (*raw).codec_tag = tag;
        (*raw).width = i32::try_from(size.0).ok()?;
        (*raw).height = i32::try_from(size.1).ok()?;
    }
    set_extradata(&mut parameters, extradata)?;
    Some(parameters)
}
