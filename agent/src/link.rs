//! Link: the outbox's way to the broker and back. MQTT 5 or 3.1.1, plain or TLS. An I/O-free state machine with a thin shell.
