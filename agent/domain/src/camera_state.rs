//! Whether a camera can see, and if not, why.

use serde::{Deserialize, Serialize};

/// Whether a camera can see, and if not, why. Only `Watching` allows "not seen" to be said (invariant 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "reason", rename_all = "snake_case")]
pub enum CameraState {
    /// Pictures arrive and can be judged.
    Watching,
    /// Pictures arrive but show nothing to judge by.
    Blind(Blind),
    /// No pictures arrive.
    Off(Off),
}

/// Why pictures show nothing to judge by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blind {
    /// The background is being learnt.
    Learning,
    /// The light of the whole picture changed.
    LightChanged,
    /// Almost no light, or no signal.
    Black,
    /// Something is in front of the lens.
    Covered,
    /// The camera points elsewhere.
    Moved,
    /// The same picture again and again.
    Frozen,
    /// Packets arrive but cannot be decoded.
    Undecodable,
    /// No model could be loaded: nothing can say what the pictures show. Holds until the process ends.
    NoDetector,
}

impl Blind {
    /// All of them.
    pub const ALL: [Blind; 8] = [
        Blind::Learning,
        Blind::LightChanged,
        Blind::Black,
        Blind::Covered,
        Blind::Moved,
        Blind::Frozen,
        Blind::Undecodable,
        Blind::NoDetector,
    ];

    /// As it is written in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Blind::Learning => "learning",
            Blind::LightChanged => "light_changed",
            Blind::Black => "black",
            Blind::Covered => "covered",
            Blind::Moved => "moved",
            Blind::Frozen => "frozen",
            Blind::Undecodable => "undecodable",
            Blind::NoDetector => "no_detector",
        }
    }
}

/// Why no pictures arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Off {
    /// The source is being opened.
    Connecting,
    /// The camera answers, and refuses for a reason of its own.
    Refused,
    /// Nobody answers at the camera's address.
    Unreachable,
    /// User or password are wrong, or may not watch.
    Unauthorised,
    /// There is no such stream, file or device.
    NotFound,
    /// It speaks another protocol than its address says, or sends its packets in a way that is not allowed here.
    Protocol,
    /// Its certificate convinces nobody.
    Certificate,
    /// No packet for longer than `stall_after_s`.
    Silent,
    /// The stream has a codec that is not supported.
    WrongCodec,
    /// The source is over: a file was played.
    Ended,
    /// A command paused the analysis.
    Paused,
    /// The capture child crashed or was killed.
    Crashed,
}

impl CameraState {
    /// As it is written in messages: the state, and why.
    pub fn words(self) -> (&'static str, Option<&'static str>) {
        match self {
            CameraState::Watching => ("watching", None),
            CameraState::Blind(why) => ("blind", Some(why.as_str())),
            CameraState::Off(why) => ("off", Some(why.as_str())),
        }
    }
}

impl Off {
    /// All of them.
    pub const ALL: [Off; 12] = [
        Off::Connecting,
        Off::Refused,
        Off::Unreachable,
        Off::Unauthorised,
        Off::NotFound,
        Off::Protocol,
        Off::Certificate,
        Off::Silent,
        Off::WrongCodec,
        Off::Ended,
        Off::Paused,
        Off::Crashed,
    ];

    /// As it is written in messages and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Off::Connecting => "connecting",
            Off::Refused => "refused",
            Off::Unreachable => "unreachable",
            Off::Unauthorised => "unauthorised",
            Off::NotFound => "not_found",
            Off::Protocol => "protocol",
            Off::Certificate => "certificate",
            Off::Silent => "silent",
            Off::WrongCodec => "wrong_codec",
            Off::Ended => "ended",
            Off::Paused => "paused",
            Off::Crashed => "crashed",
        }
    }

    /// What a technician does about it, in English and Chinese; `None` where nothing is to be done.
    pub fn cure(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Off::Connecting | Off::Ended | Off::Paused => return None,
            Off::Refused => (
                "read the camera's answer in the log; too many viewers at once is the usual cause",
                "查看日志中摄像机的应答；常见原因是同时观看的客户端过多",
            ),
            Off::Unreachable => {
                ("check power, cable, address and port of the camera", "检查摄像机的供电、网线、地址和端口")
            }
            Off::Unauthorised => (
                "check user and password in url, and whether this user may watch the stream",
                "检查 url 中的用户名和密码，以及该用户是否有观看权限",
            ),
            Off::NotFound => {
                ("check the path in url against the camera's manual", "对照摄像机手册检查 url 中的路径")
            }
            Off::Protocol => (
                "check scheme and port in url, and transport; the log names what the camera answered",
                "检查 url 的协议和端口以及 transport；日志中有摄像机的应答",
            ),
            Off::Certificate => (
                "give tls_ca_file or tls_fingerprint of the camera; kerbside doctor shows the fingerprint",
                "为该摄像机设置 tls_ca_file 或 tls_fingerprint；kerbside doctor 会显示指纹",
            ),
            Off::Silent => (
                "check the network to the camera, and whether it is overloaded",
                "检查到摄像机的网络，以及摄像机是否过载",
            ),
            Off::WrongCodec => ("set H.264 or H.265 in the camera", "在摄像机上改用 H.264 或 H.265"),
            Off::Crashed => (
                "if it happens again, keep the log and tell the developers",
                "如再次发生，请保留日志并告知开发者",
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_written_as_it_reads() {
        for off in Off::ALL {
            assert_eq!(serde_json::to_string(&off).expect("a word"), format!("{:?}", off.as_str()));
        }
        for blind in Blind::ALL {
            assert_eq!(serde_json::to_string(&blind).expect("a word"), format!("{:?}", blind.as_str()));
        }
    }
}
