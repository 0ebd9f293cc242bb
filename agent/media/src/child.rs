//! The child's side: what reads, demuxes and decodes the bytes of a camera. Nothing here runs in the agent itself.
//!
//! Two programs begin here: [`capture`] for one camera, [`clip`] for one clip job. Both first give up what they do not need
//! (`confine`), and [`probe`] tries what that leaves. `nal`, `stream_clock`, `timestamps` and `wholeness` are pure.

#[cfg(feature = "camera")]
pub mod capture;
#[cfg(feature = "camera")]
pub mod clip;
#[cfg(feature = "camera")]
mod confine;
#[cfg(feature = "camera")]
mod decode;
#[cfg(feature = "camera")]
mod decoder;
#[cfg(feature = "camera")]
pub mod device;
#[cfg(feature = "camera")]
mod error;
#[cfg(feature = "camera")]
mod filter;
#[cfg(feature = "camera")]
mod http;
#[cfg(feature = "camera")]
mod jpeg;
#[cfg(feature = "camera")]
mod libav;
#[cfg(feature = "camera")]
mod libav_log;
#[cfg(feature = "camera")]
mod libav_sys;
#[cfg(feature = "camera")]
mod login;
#[cfg(any(feature = "camera", test))]
#[cfg_attr(not(feature = "camera"), allow(dead_code, unused_imports))]
mod nal;
#[cfg(feature = "camera")]
mod opencv;
#[cfg(feature = "camera")]
mod parameters;
#[cfg(feature = "camera")]
mod parent_link;
#[cfg(feature = "camera")]
pub mod probe;
#[cfg(feature = "camera")]
mod rtsp;
#[cfg(feature = "camera")]
mod stills;
#[cfg(any(feature = "camera", test))]
#[cfg_attr(not(feature = "camera"), allow(dead_code))]
mod stream_clock;
#[cfg(feature = "camera")]
mod syscalls;
#[cfg(any(feature = "camera", test))]
mod timestamps;
#[cfg(feature = "camera")]
mod transcode;
#[cfg(any(feature = "camera", test))]
#[cfg_attr(not(feature = "camera"), allow(dead_code))]
mod wholeness;
