//! Evidence: pictures, clip and manifest of an incident, durable before anything names them (invariant 8).
