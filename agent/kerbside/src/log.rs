//! Logs: `tracing` to stderr, for people on a terminal, as JSON elsewhere.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Level filter from `KERBSIDE_LOG` (default `info`; libraries from `warn` on).
pub fn init() {
    let default = "warn,kerbside=info";
    let filter = match std::env::var("KERBSIDE_LOG") {
        Ok(text) if !text.trim().is_empty() => {
            EnvFilter::try_new(format!("warn,kerbside={text}")).or_else(|_| EnvFilter::try_new(text))
        }
        _ => EnvFilter::try_new(default),
    };
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call, as tests make it, changes nothing.
    let _ = if std::io::stderr().is_terminal() {
        builder.with_target(false).compact().try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
}
