//! The session description of a camera (RFC 4566), with the parameter sets where a quirk wants them there.

use base64ct::{Base64, Encoding as _};

use super::codec::Codec;
use super::film::Film;
use super::quirks::{Quirk, Quirks};

/// `announced`: another name of the encoding than the film's own.
pub(super) fn describe(film: &Film, quirks: &Quirks, announced: Option<&str>) -> String {
    let encoding = announced.unwrap_or(film.codec.rtp_name());
    let mut parameters = match film.codec {
        Codec::H264 => vec!["packetization-mode=1".to_owned()],
        Codec::H265 => Vec::new(),
    };
    if quirks.has(&Quirk::SetsInSdp) || quirks.has(&Quirk::SetsOnlyInSdp) {
        parameters.push(sets(film));
    }
    let format = match parameters.as_slice() {
        [] => String::new(),
        some => format!("a=fmtp:96 {}\r\n", some.join(";")),
    };
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=live\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n\
         m=video 0 RTP/AVP 96\r\na=rtpmap:96 {encoding}/90000\r\n{format}a=control:track1\r\n"
    )
}

/// The film's parameter sets as parameters of its format.
fn sets(film: &Film) -> String {
    let sets = film.parameter_sets().into_iter().map(|set| (set, Base64::encode_string(set)));
    match film.codec {
        Codec::H264 => {
            let all: Vec<String> = sets.map(|(_, text)| text).collect();
            format!("sprop-parameter-sets={}", all.join(","))
        }
        Codec::H265 => {
            let name = |set: &[u8]| match set.first().map(|head| head >> 1 & 63) {
                Some(32) => "vps",
                Some(33) => "sps",
                _ => "pps",
            };
            let all: Vec<String> = sets.map(|(set, text)| format!("sprop-{}={text}", name(set))).collect();
            all.join(";")
        }
    }
}
