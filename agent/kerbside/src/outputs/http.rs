//! An IP speaker is asked by HTTP: one request, a second one where it asks for a login (Basic, or Digest with MD5 or SHA-256).

use std::path::PathBuf;

use hyper::header::{AUTHORIZATION, HOST, USER_AGENT, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use kerbside_domain::panics;
use kerbside_site::host::authority;
use tokio::net::TcpStream;

use super::error::OutputError;

/// What shall be asked of whom.
pub(super) struct Order {
    pub(super) method: &'static str,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
    pub(super) body: String,
    pub(super) login: Option<(String, PathBuf)>,
}

impl Order {
    /// Any answer of the 200s counts as spoken. The caller limits the time. No error holds the password.
    pub(super) async fn send(self) -> Result<(), OutputError> {
        let answer = self.ask(None).await?;
        let answer = match (answer.status(), &self.login) {
            (StatusCode::UNAUTHORIZED, Some((user, file))) => {
                let password = std::fs::read_to_string(file).map_err(|error| {
                    OutputError::Refused(format!(
                        "its password in {} cannot be read: {error}",
                        file.display()
                    ))
                })?;
                let login = self.authorization(&answer, user, password.trim_end_matches(['\r', '\n']))?;
                self.ask(Some(login)).await?
            }
            _ => answer,
        };
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::UNAUTHORIZED if self.login.is_none() => {
                Err(self.refused("it asks for user and password (401); write username and password_file"))
            }
            StatusCode::UNAUTHORIZED => Err(self.refused("it rejects user or password (401)")),
            status => Err(self.refused(&format!("it answers {status}"))),
        }
    }

    fn authorization(
        &self,
        answer: &Response<hyper::body::Incoming>,
        username: &str,
        password: &str,
    ) -> Result<String, OutputError> {
        let challenges: Vec<&str> =
            answer.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|v| v.to_str().ok()).collect();
        let unknown =
            |why: String| self.refused(&format!("it asks for a login that is not spoken here: {why}"));
        let mut client =
            http_auth::PasswordClient::try_from(challenges.join(", ").as_str()).map_err(unknown)?;
        let (uri, method, body) = (self.path.as_str(), self.method, Some(self.body.as_bytes()));
        client.respond(&http_auth::PasswordParams { username, password, uri, method, body }).map_err(unknown)
    }

    /// One request on a connection of its own.
    async fn ask(&self, login: Option<String>) -> Result<Response<hyper::body::Incoming>, OutputError> {
        let broken = |error: &dyn std::fmt::Display| self.refused(&error.to_string());
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|e| broken(&e))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
        let task = tokio::spawn(panics::named("outputs", async move { drop(connection.await) }));
        let mut request = Request::builder()
            .method(self.method)
            .uri(&self.path)
            .header(HOST, authority(&self.host, self.port))
            .header(USER_AGENT, concat!("kerbside/", env!("CARGO_PKG_VERSION")));
        if let Some(login) = login {
            request = request.header(AUTHORIZATION, login);
        }
        let answer = match request.body(self.body.clone()) {
            Ok(request) => sender.send_request(request).await.map_err(|e| broken(&e)),
            Err(error) => Err(broken(&error)),
        };
        task.abort();
        answer
    }

    fn refused(&self, why: &str) -> OutputError {
        OutputError::Refused(format!("{}: {why}", authority(&self.host, self.port)))
    }
}
