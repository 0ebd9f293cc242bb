//! Hosts and ports as addresses write them.

/// `host:port`, and `[host]:port` for an address of IP version 6.
pub fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_version_6_stands_in_brackets() {
        assert_eq!(authority("broker.example", 8883), "broker.example:8883");
        assert_eq!(authority("10.0.0.1", 80), "10.0.0.1:80");
        assert_eq!(authority("fe80::1", 80), "[fe80::1]:80");
    }
}
