//! RTSP in the capture child: the session by the `retina` crate (logins, transports, RTP sequence and time, keep-alives), pictures
//! out of packets by [`access_units`], decoding by FFmpeg as for every source.
//!
//! A camera's packets come inside the connection or over UDP. What `retina` has no pictures of goes to FFmpeg's own RTSP client.

mod access_units;
mod fault;

use std::time::Duration;

use bytes::Bytes;
use ffmpeg_next::packet::Flags;
use ffmpeg_next::{Packet, Rational};
use futures_util::StreamExt as _;
use kerbside_domain::frame::{StreamInfo, Turn};
use kerbside_site::camera_url::NetworkUrl;
use retina::client::{
    Credentials, Demuxed, Described, InitialSequenceNumberPolicy, InitialTimestampPolicy, PacketItem,
    PlayOptions, Playing, Session, SessionOptions, SetupOptions, TeardownPolicy, Transport,
    UnknownRtcpSsrcPolicy,
};
use retina::codec::{CodecItem, FrameFormat, ParametersRef};

use self::access_units::{AccessUnit, AccessUnits, Payload};
use super::error::CaptureError;
use super::libav::{self, StreamReader};
use super::libav_sys;
use super::nal::{Family, Packing, ParameterSets};
use super::parent_link::ParentLink;
use crate::proto::{OpenSource, OpenTransport, SourceFault};
use crate::tuning::{TEARDOWN_LIMIT, UNITS_BEFORE_SETS};

/// The name of this client, in its requests.
const USER_AGENT: &str = concat!("kerbside/", env!("CARGO_PKG_VERSION"));

/// Opens an RTSP camera and reads it until it ends.
pub(super) fn run(url: &NetworkUrl, open: &OpenSource, parent: &mut ParentLink) -> Result<(), CaptureError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| CaptureError::source(SourceFault::Other, format!("no runtime: {e}")))?;
    let camera = Camera { url, open, limit: Duration::from_secs_f64(open.timeout_s) };
    let watched = runtime.block_on(camera.watch(parent));
    // The session says goodbye in the background.
    runtime.block_on(async { tokio::time::sleep(Duration::ZERO).await });
    runtime.shutdown_timeout(TEARDOWN_LIMIT);
    match watched? {
        Watched::Ended => Ok(()),
        Watched::OtherCodec => libav::run(open, parent),
    }
}

enum Watched {
    Ended,
    /// A codec that this client puts no pictures together of.
    OtherCodec,
}

struct Camera<'a> {
    url: &'a NetworkUrl,
    open: &'a OpenSource,
    /// Longest silence.
    limit: Duration,
}

/// What a camera announced about its video.
struct Announced {
    index: usize,
    info: StreamInfo,
}

impl Camera<'_> {
    async fn watch(&self, parent: &mut ParentLink) -> Result<Watched, CaptureError> {
        let Some((session, announced)) = self.set_up().await? else { return Ok(Watched::OtherCodec) };
        let options = PlayOptions::default()
            .initial_timestamp(InitialTimestampPolicy::Ignore)
            .initial_seq(InitialSequenceNumberPolicy::Ignore)
            .unknown_rtcp_ssrc(UnknownRtcpSsrcPolicy::ProcessPackets);
        let session = self.answered(session.play(options)).await?;
        let flow = match Family::of(&announced.info.codec) {
            Some(family) => Flow::Packets(session, AccessUnits::new(family)),
            None => Flow::Pictures(session.demuxed().map_err(fault::of_answer)?),
        };
        self.read(flow, announced.info, parent).await?;
        Ok(Watched::Ended)
    }

    /// A session with its video stream set up; `None`: a codec for others.
    async fn set_up(&self) -> Result<Option<(Session<Described>, Announced)>, CaptureError> {
        let transports: &[Transport] = match self.open.transport {
            OpenTransport::Tcp => &[Transport::Tcp(Default::default())],
            OpenTransport::Udp => &[Transport::Udp(Default::default())],
            OpenTransport::Auto => &[Transport::Tcp(Default::default()), Transport::Udp(Default::default())],
        };
        let mut refused = None;
        for transport in transports {
            let mut session = self.describe().await?;
            let Some(announced) = announced(&session)? else { return Ok(None) };
            let options =
                SetupOptions::default().transport(transport.clone()).frame_format(FrameFormat::SIMPLE);
            let set_up = tokio::time::timeout(self.limit, session.setup(announced.index, options)).await;
            match set_up.map_err(|_| self.silent())? {
                Ok(()) => {
                    let info =
                        StreamInfo { extradata: parameter_sets(&session, announced.index), ..announced.info };
                    return Ok(Some((session, Announced { info, ..announced })));
                }
                Err(error) if error.status_code() == Some(fault::UNSUPPORTED_TRANSPORT) => {
                    refused = Some(error)
                }
                Err(error) => return Err(fault::of_answer(error)),
            }
        }
        Err(refused.map_or_else(|| self.silent(), fault::of_transport(self.open.transport)))
    }

    async fn describe(&self) -> Result<Session<Described>, CaptureError> {
        let login = self.url.login.clone();
        let login = login.map(|login| Credentials { username: login.user, password: login.password });
        let options = SessionOptions::default()
            .creds(login)
            .user_agent(USER_AGENT.to_owned())
            .teardown(TeardownPolicy::Auto);
        // Never TLS: the parent holds a TLS camera's connection.
        let address = url::Url::parse(&self.url.without_login())
            .map_err(|e| CaptureError::source(SourceFault::Protocol, format!("the address: {e}")))?;
        match tokio::time::timeout(self.limit, Session::describe(address, options)).await {
            Err(_) => Err(self.silent()),
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => match error.status_code().filter(|status| (300..400).contains(status)) {
                Some(_) => Err(fault::redirected(self.url, error)),
                None => Err(fault::of_answer(error)),
            },
        }
    }

    async fn answered<T>(
        &self,
        request: impl Future<Output = Result<T, retina::Error>>,
    ) -> Result<T, CaptureError> {
        let answer = tokio::time::timeout(self.limit, request).await;
        answer.map_err(|_| self.silent())?.map_err(fault::of_answer)
    }

    /// Reads pictures until the stream ends, or the parent wants the end.
    async fn read(
        &self,
        mut flow: Flow,
        info: StreamInfo,
        parent: &mut ParentLink,
    ) -> Result<(), CaptureError> {
        let mut reader = LazyReader::new(self.open, info);
        let mut pictures = Vec::new();
        let farewell = parent.farewell();
        let mut heard = parent.now();
        loop {
            let left_s = (self.open.timeout_s - parent.now().since_s(heard)).max(0.0);
            let next = tokio::time::timeout(Duration::from_secs_f64(left_s), flow.next(&mut pictures));
            let came = tokio::select! {
                biased;
                () = farewell.wanted() => return Ok(()),
                came = next => came,
            };
            match came.map_err(|_| self.silent())? {
                None => return Err(CaptureError::closed()),
                Some(Err(error)) => return Err(fault::of_stream(&error)),
                Some(Ok(Came::Video { lost })) => {
                    heard = parent.now();
                    parent.stats.lost += u64::from(lost);
                }
                Some(Ok(Came::Report)) => parent.between_packets()?,
            }
            for picture in pictures.drain(..) {
                reader.packet(picture, parent)?;
            }
        }
    }

    fn silent(&self) -> CaptureError {
        CaptureError::silent(self.open.timeout_s)
    }
}

/// What a playing session gives.
enum Flow {
    /// H.264 and H.265: put together by us, byte by byte as they came.
    Packets(Session<Playing>, AccessUnits),
    /// JPEG: put together by `retina` (RFC 2435).
    Pictures(Demuxed),
}

/// What came last.
enum Came {
    Video {
        /// RTP packets that are missing before it.
        lost: u16,
    },
    /// A report about the stream (RTCP): no sign that pictures come.
    Report,
}

impl Flow {
    async fn next(&mut self, pictures: &mut Vec<AccessUnit>) -> Option<Result<Came, retina::Error>> {
        match self {
            Flow::Packets(session, units) => Some(session.next().await?.map(|item| match item {
                PacketItem::Rtp(packet) => {
                    let (time, marker, lost) = (packet.timestamp().timestamp(), packet.mark(), packet.loss());
                    pictures.extend(units.push(Payload { bytes: packet.payload(), time, marker, lost }));
                    Came::Video { lost }
                }
                _ => Came::Report,
            })),
            Flow::Pictures(frames) => Some(frames.next().await?.map(|item| match item {
                CodecItem::VideoFrame(frame) => {
                    let (time, lost) = (frame.timestamp().timestamp(), frame.loss());
                    let data = frame.into_data();
                    pictures.push(AccessUnit { time, key: true, lost: u32::from(lost), data });
                    Came::Video { lost }
                }
                _ => Came::Report,
            })),
        }
    }
}

/// The first video stream that can be put together here.
fn announced(session: &Session<Described>) -> Result<Option<Announced>, CaptureError> {
    let videos = || session.streams().iter().enumerate().filter(|(_, stream)| stream.media() == "video");
    if videos().next().is_none() {
        return Err(CaptureError::source(SourceFault::NoVideo, "the source has no video stream"));
    }
    let codec = |encoding: &str| match encoding {
        "h264" => Some("h264"),
        "h265" => Some("hevc"),
        "jpeg" => Some("mjpeg"),
        _ => None,
    };
    let known = videos().find_map(|(ix, stream)| Some((ix, stream, codec(stream.encoding_name())?)));
    let Some((index, stream, codec)) = known else { return Ok(None) };
    let rate = i32::try_from(stream.clock_rate_hz()).ok().filter(|rate| *rate > 0);
    let rate =
        rate.ok_or_else(|| CaptureError::source(SourceFault::Protocol, "a clock of 0 Hz is announced"))?;
    let (width, height) = match stream.parameters() {
        Some(ParametersRef::Video(video)) => video.pixel_dimensions(),
        _ => (0, 0),
    };
    let fps = stream.framerate().filter(|fps| (0.1..=240.0).contains(fps)).unwrap_or(0.0);
    let (codec, time_base, extradata) = (codec.to_owned(), (1, rate), Bytes::new());
    let turn = Turn::NONE;
    let info = StreamInfo { epoch: 1, codec, width, height, turn, time_base, fps, extradata };
    Ok(Some(Announced { index, info }))
}

/// The parameter sets of the session description, as a byte stream.
fn parameter_sets(session: &Session<Described>, index: usize) -> Bytes {
    match session.streams().get(index).and_then(|stream| stream.parameters()) {
        Some(ParametersRef::Video(video)) => Bytes::copy_from_slice(video.extra_data()),
        _ => Bytes::new(),
    }
}

/// Begins to read once the first parameter sets have come: what is announced before has no size.
struct LazyReader<'a> {
    open: &'a OpenSource,
    info: StreamInfo,
    waited: u32,
    reader: Option<StreamReader>,
}

impl<'a> LazyReader<'a> {
    fn new(open: &'a OpenSource, info: StreamInfo) -> Self {
        LazyReader { open, info, waited: 0, reader: None }
    }

    fn packet(&mut self, picture: AccessUnit, parent: &mut ParentLink) -> Result<(), CaptureError> {
        if self.reader.is_none() && !self.is_ready(&picture.data) {
            return Ok(());
        }
        let mut packet = Packet::copy(&picture.data);
        packet.set_pts(Some(picture.time));
        packet.set_flags(if picture.key { Flags::KEY } else { Flags::empty() });
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                let reader = self.begin(&packet, parent)?;
                self.reader.insert(reader)
            }
        };
        if picture.lost > 0 {
            reader.lost();
        }
        reader.packet(packet, parent)
    }

    /// The stream can be described, or never will be.
    fn is_ready(&mut self, data: &[u8]) -> bool {
        let Some(family) = Family::of(&self.info.codec) else { return true };
        let sets = ParameterSets::of_extradata(family, data);
        if self.info.extradata.is_empty() && !sets.is_empty() {
            self.info.extradata = Bytes::from(sets.extradata(family, Packing::AnnexB, &[]));
        }
        self.waited += 1;
        !self.info.extradata.is_empty() || self.waited > UNITS_BEFORE_SETS
    }

    fn begin(&self, packet: &Packet, parent: &mut ParentLink) -> Result<StreamReader, CaptureError> {
        let mut info = self.info.clone();
        let time_base = Rational(info.time_base.0, info.time_base.1);
        let parameters = |info: &StreamInfo| {
            let id = libav_sys::codec_id(&info.codec);
            id.and_then(|id| libav_sys::video_parameters(id, (info.width, info.height), &info.extradata, 0))
                .ok_or_else(|| CaptureError::source(SourceFault::Other, "no memory"))
        };
        if (info.width, info.height) == (0, 0)
            && let Some(size) = libav::measure(&parameters(&info)?, time_base, packet)
        {
            (info.width, info.height) = size;
        }
        StreamReader::of(self.open, info.clone(), 0, parameters(&info)?, true, parent)
    }
}
