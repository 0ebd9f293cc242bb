//! Health: counters of every stage, Prometheus text and `/healthz` on loopback, the watchdog.
