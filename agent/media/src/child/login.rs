//! The answer to a camera that asks for user and password, over HTTP and RTSP: Basic, or Digest with MD5 or SHA-256.

use kerbside_site::camera_url::Login;

use super::error::CaptureError;
use crate::proto::SourceFault;

/// The `Authorization` of one request. `challenges`: all that the camera offers, as one list; `uri`: as the request names it.
pub(super) fn answer(
    login: &Login,
    challenges: &str,
    method: &str,
    uri: &str,
) -> Result<String, CaptureError> {
    let unknown = |why: &dyn std::fmt::Display| {
        let text = format!("the camera asks for a login that is not spoken here: {why}");
        CaptureError::source(SourceFault::Protocol, text)
    };
    let mut client = http_auth::PasswordClient::try_from(challenges).map_err(|e| unknown(&e))?;
    let (username, password) = (login.user.as_str(), login.password.as_str());
    let parameters = http_auth::PasswordParams { username, password, uri, method, body: Some(&[]) };
    client.respond(&parameters).map_err(|e| unknown(&e))
}
