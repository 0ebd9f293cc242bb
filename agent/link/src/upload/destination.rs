//! Where a granted file goes, and whether it may: https, and never to the box itself or to what hangs on its own wire, unless the
//! site allows it. A grant of a stolen key must not make the box talk to its own services.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use hyper::Uri;
use kerbside_site::config::Proxy;
use kerbside_wire::Grant;
use tokio::net::TcpStream;

use super::put_error::PutError;
use crate::dial::dial;
use crate::tuning::UPLOAD_CONNECT_LIMIT;

/// Of a url that has been looked at.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    pub(super) uri: Uri,
    pub(super) secure: bool,
    /// As the url writes it, an IPv6 address in brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Destination {
    /// Of an HTTP grant; the error never holds the url's query.
    pub(super) fn of(grant: &Grant) -> Result<Destination, String> {
        let uri: Uri = grant.url.parse().map_err(|e| format!("url: {e}"))?;
        let (secure, usual_port) = match uri.scheme_str() {
            Some("https") => (true, 443),
            Some("http") => (false, 80),
            other => return Err(format!("{}: only https is known", other.unwrap_or("no scheme"))),
        };
        let authority = uri.authority().ok_or("url without a host")?;
        if authority.as_str().contains('@') {
            return Err("user and password have no place in a url".to_owned());
        }
        let host = authority.host().to_owned();
        if !secure && !is_loopback(&host) {
            return Err("not https: evidence never goes in the clear".to_owned());
        }
        // "host:99999" has no port that parses, and must not become the usual one.
        let port = match authority.as_str().strip_prefix(&host).and_then(|rest| rest.strip_prefix(':')) {
            None => usual_port,
            Some(_) => authority.port_u16().filter(|port| *port > 0).ok_or("url with a port that is none")?,
        };
        Ok(Destination { secure, host, port, uri })
    }

    /// One at a time goes there, and a failure of one delays the others.
    pub(super) fn key(&self) -> String {
        format!("{}:{}", self.host.to_ascii_lowercase(), self.port)
    }

    /// The name that TLS and DNS know.
    pub(super) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Connects to an address that is allowed. The address that was looked at is the one that is used: a name server cannot
    /// answer twice.
    pub(super) async fn connect(
        &self,
        local_allowed: bool,
        proxy: Option<&Proxy>,
    ) -> Result<TcpStream, PutError> {
        let connected = tokio::time::timeout(UPLOAD_CONNECT_LIMIT, async {
            if let Some(proxy) = proxy.filter(|_| !is_loopback(&self.host)) {
                return self.through(proxy, local_allowed).await;
            }
            let found = tokio::net::lookup_host((self.bare_host(), self.port)).await;
            let found: Vec<SocketAddr> =
                found.map_err(|e| PutError::NotNow(format!("connect: {e}")))?.collect();
            let allowed = self.allowed(&found, local_allowed)?;
            let mut last = PutError::NotNow("connect: the name has no address".to_owned());
            for address in allowed {
                match TcpStream::connect(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(e) => last = PutError::NotNow(format!("connect: {e}")),
                }
            }
            Err(last)
        });
        connected.await.map_err(|e| PutError::NotNow(format!("connect: {e}")))?
    }

    /// The proxy knows the names, and where it may lead to; an address is looked at here too.
    async fn through(&self, proxy: &Proxy, local_allowed: bool) -> Result<TcpStream, PutError> {
        if let Ok(ip) = self.bare_host().parse::<IpAddr>() {
            self.allowed(&[SocketAddr::new(ip, self.port)], local_allowed)?;
        }
        dial(self.bare_host(), self.port, Some(proxy))
            .await
            .map_err(|e| PutError::NotNow(format!("connect: {e}")))
    }

    fn allowed(&self, found: &[SocketAddr], local_allowed: bool) -> Result<Vec<SocketAddr>, PutError> {
        let (near, far): (Vec<_>, Vec<_>) = found.iter().copied().partition(|a| is_near(a.ip()));
        if !self.secure && !far.is_empty() {
            return Err(PutError::Refused("not https: evidence never goes in the clear".to_owned()));
        }
        match near.first() {
            Some(_) if local_allowed => Ok(near.into_iter().chain(far).collect()),
            Some(address) if far.is_empty() => Err(PutError::Refused(format!(
                "{} is this box or its own wire: only with `local_uploads = true` in [evidence]",
                address.ip()
            ))),
            _ => Ok(far),
        }
    }
}

/// By its name alone: what it resolves to is looked at too.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// The box itself by any of its addresses, its link, or no single host at all.
fn is_near(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let of_range = match ip {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    of_range || ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || is_own(ip)
}

/// Whether the system would send from the same address: nothing is sent for the question.
fn is_own(ip: IpAddr) -> bool {
    let any: SocketAddr = match ip {
        IpAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        IpAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let own = UdpSocket::bind(any).and_then(|socket| {
        socket.connect((ip, 9))?;
        socket.local_addr()
    });
    own.is_ok_and(|own| own.ip().to_canonical() == ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(url: &str) -> Result<Destination, String> {
        Destination::of(&Grant { url: url.to_owned(), ..super::super::tests::any_grant() })
    }

    #[test]
    fn urls_are_https_with_a_host_and_a_true_port() {
        let good = destination("https://[2001:db8::7]:8443/a?b=c").unwrap();
        assert_eq!((good.key().as_str(), good.bare_host()), ("[2001:db8::7]:8443", "2001:db8::7"));
        assert_eq!(destination("https://Centre.example/a").unwrap().key(), "centre.example:443");
        for (url, why) in [
            ("ftp://centre.example/x", "ftp: only https"),
            ("/only/a/path", "no scheme"),
            ("https://user:secret@centre.example/x", "user and password"),
            ("https://centre.example:99999/x?secret", "port"),
            ("https://centre.example:0/x", "port"),
        ] {
            let error = destination(url).unwrap_err();
            assert!(error.contains(why) && !error.contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn the_box_and_its_own_wire_are_known_in_every_spelling() {
        for near in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "169.254.169.254",
            "fe80::1",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "::ffff:169.254.1.1",
        ] {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for far in ["192.0.2.7", "2001:db8::7", "203.0.113.200"] {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
    }

    #[test]
    fn without_the_sites_word_nothing_goes_to_the_box_itself() {
        let near: SocketAddr = "127.0.0.1:443".parse().unwrap();
        let far: SocketAddr = "192.0.2.7:443".parse().unwrap();
        let secure = destination("https://centre.example/x").unwrap();
        assert!(matches!(secure.allowed(&[near], false), Err(PutError::Refused(_))));
        assert_eq!(secure.allowed(&[near, far], false).unwrap(), [far], "the other address of the name");
        assert_eq!(secure.allowed(&[near], true).unwrap(), [near]);
        assert!(destination("http://centre.example/x").unwrap_err().contains("in the clear"));
        let plain = destination("http://localhost/x").unwrap();
        assert!(plain.allowed(&[far], true).is_err() && plain.allowed(&[near, far], true).is_err());
        assert!(plain.allowed(&[near], false).is_err());
        assert_eq!(plain.allowed(&[near], true).unwrap(), [near]);
    }
}
