//! Opening a decoder.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::{Parameters, threading};
use ffmpeg_next::{Rational, decoder};

/// A decoder with one thread: frame threads add latency, and the box has other cameras to feed.
pub(super) fn open(parameters: &Parameters, time_base: Rational) -> Result<decoder::Video, ffmpeg::Error> {
    let mut context = ffmpeg::codec::Context::from_parameters(parameters.clone())?;
    context.set_threading(threading::Config { count: 1, ..Default::default() });
    let mut decoder = context.decoder();
    decoder.set_packet_time_base(time_base);
    decoder.video()
}
