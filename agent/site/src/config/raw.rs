//! Raw structs: the file as it is written, key by key. Nothing is required or checked here: `check` does both, with better
//! messages than serde has.

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use toml::Spanned;

/// A value that may be absent, with its place in the text.
pub(super) type At<T> = Option<Spanned<T>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Root {
    pub(super) schema: At<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Device {
    pub(super) edge_id: At<String>,
    pub(super) division: At<String>,
    pub(super) utc_offset: At<String>,
    pub(super) data_dir: At<String>,
    pub(super) point: At<[f64; 2]>,
    pub(super) address: At<String>,
    pub(super) ring_budget_mb: At<f64>,
    pub(super) confine: At<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Centre {
    pub(super) url: At<String>,
    pub(super) protocol: At<String>,
    pub(super) receipts: At<bool>,
    pub(super) keep_alive_s: At<f64>,
    pub(super) username: At<String>,
    pub(super) password_file: At<String>,
    pub(super) proxy: At<String>,
    pub(super) retain: At<bool>,
    pub(super) require_signed: At<Vec<Spanned<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) ca_file: At<String>,
    pub(super) cert_file: At<String>,
    pub(super) key_file: At<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CentreKey {
    pub(super) id: At<String>,
    pub(super) public: At<String>,
    pub(super) scope: At<Vec<Spanned<String>>>,
    pub(super) not_before: At<String>,
    pub(super) not_after: At<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Patrol {
    pub(super) period_s: At<f64>,
    pub(super) min_watched_share: At<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Models {
    pub(super) street: At<String>,
    pub(super) close_up: At<String>,
    pub(super) witness: At<String>,
    pub(super) runtime: At<String>,
    pub(super) workers: At<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Codes {
    pub(super) scheme: At<String>,
    pub(super) table: At<String>,
    pub(super) categories: At<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grid {
    pub(super) file: At<String>,
    pub(super) division_name: At<String>,
    pub(super) street_name: At<String>,
    pub(super) community_name: At<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Health {
    pub(super) listen: At<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Evidence {
    pub(super) max_bytes: At<Size>,
    pub(super) max_age_days: At<f64>,
    pub(super) min_free: At<Size>,
    pub(super) upload_ca_file: At<String>,
    pub(super) local_uploads: At<bool>,
    pub(super) chain_file: At<String>,
    pub(super) pre_s: At<f64>,
    pub(super) post_s: At<f64>,
    pub(super) clip: At<bool>,
    pub(super) push: At<String>,
    pub(super) mask: At<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gnss {
    pub(super) source: At<String>,
    pub(super) mobile: At<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sensors {
    pub(super) broker: At<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sensor {
    pub(super) id: At<String>,
    pub(super) kind: At<String>,
    pub(super) topic: At<String>,
    pub(super) source: At<String>,
    pub(super) name: At<String>,
    pub(super) unit: At<String>,
    pub(super) max_age_s: At<f64>,
    pub(super) stuck_after_s: At<f64>,
    pub(super) alarm_above: At<f64>,
    pub(super) clear_below: At<f64>,
    pub(super) alarm_for_s: At<f64>,
    pub(super) matter: At<String>,
    pub(super) repeat_s: At<f64>,
    pub(super) point: At<[f64; 2]>,
    pub(super) camera: At<String>,
    pub(super) bbox_norm: At<[f64; 4]>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Modbus {
    pub(super) unit_id: At<f64>,
    pub(super) register: At<String>,
    pub(super) address: At<f64>,
    #[serde(rename = "type")]
    pub(super) form: At<String>,
    pub(super) word_order: At<String>,
    pub(super) byte_order: At<String>,
    pub(super) scale: At<f64>,
    pub(super) offset: At<f64>,
    pub(super) poll_s: At<f64>,
    pub(super) timeout_s: At<f64>,
    pub(super) reset: At<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gpio {
    pub(super) active_low: At<bool>,
    pub(super) bias: At<String>,
    pub(super) debounce_ms: At<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Camera {
    pub(super) id: At<String>,
    pub(super) name: At<String>,
    pub(super) url: At<String>,
    pub(super) main_url: At<String>,
    pub(super) main_ring_mb: At<f64>,
    pub(super) backend: At<String>,
    pub(super) transport: At<String>,
    pub(super) tls_ca_file: At<String>,
    pub(super) tls_fingerprint: At<String>,
    pub(super) tls_verify: At<bool>,
    pub(super) gb28181_id: At<String>,
    pub(super) point: At<[f64; 2]>,
    pub(super) accuracy_m: At<f64>,
    pub(super) analysis_fps: At<f64>,
    pub(super) analysis_width: At<f64>,
    pub(super) ring_s: At<f64>,
    pub(super) ring_mb: At<f64>,
    pub(super) stall_after_s: At<f64>,
    pub(super) restart_after_s: At<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlPoint {
    pub(super) pixel_norm: At<[f64; 2]>,
    pub(super) lon_lat: At<[f64; 2]>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Zone {
    pub(super) id: At<String>,
    pub(super) name: At<String>,
    pub(super) polygon_norm: At<Vec<Spanned<[f64; 2]>>>,
    pub(super) frontage: At<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) id: At<String>,
    pub(super) name: At<String>,
    pub(super) kinds: At<Vec<Spanned<String>>>,
    pub(super) dwell_s: At<f64>,
    pub(super) min_area_norm: At<f64>,
    pub(super) min_size_m2: At<f64>,
    pub(super) sensitivity: At<f64>,
    pub(super) repeat_s: At<f64>,
    pub(super) clear_after_s: At<f64>,
    pub(super) with: At<String>,
    pub(super) with_mode: At<String>,
    pub(super) with_for_s: At<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Warn {
    pub(super) after_s: At<f64>,
    pub(super) wait_s: At<f64>,
    pub(super) by: At<Vec<Spanned<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Output {
    pub(super) id: At<String>,
    pub(super) kind: At<String>,
    pub(super) program: At<Vec<Spanned<String>>>,
    pub(super) file: At<String>,
    pub(super) url: At<String>,
    pub(super) method: At<String>,
    pub(super) body: At<String>,
    pub(super) username: At<String>,
    pub(super) password_file: At<String>,
    pub(super) topic: At<String>,
    pub(super) payload: At<String>,
    pub(super) chip: At<String>,
    pub(super) line: At<f64>,
    pub(super) on_s: At<f64>,
    pub(super) active_low: At<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hours {
    pub(super) days: At<String>,
    pub(super) hours: At<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Permit {
    pub(super) holder: At<String>,
    pub(super) welcome_at: At<String>,
    pub(super) days: At<String>,
    pub(super) hours: At<String>,
}

/// A size in bytes: `2147483648` or `"2 GiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a size such as \"2 GiB\" (B, KB, KiB, MB, MiB, GB, GiB, TB, TiB) or whole bytes")
    }

    fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Size, E> {
        u64::try_from(bytes).map(Size).map_err(|_| E::invalid_value(de::Unexpected::Signed(bytes), &self))
    }

    fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Size, E> {
        Ok(Size(bytes))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
        size(text).map(Size).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// Bytes of a size with its unit; `None` if it is no such thing or has no room in 64 bits.
fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let factor: u64 = match unit.trim() {
        "B" => 1,
        "KB" | "kB" => 1000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        "TB" => 1_000_000_000_000,
        "TiB" => 1 << 40,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * factor as f64;
    (0.0..9.0e18).contains(&bytes).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_units() {
        let cases = [
            ("2 GiB", Some(2 << 30)),
            ("1.5MiB", Some(3 << 19)),
            ("10 kB", Some(10_000)),
            ("7", None),
            ("GiB", None),
            ("2 Gib", None),
            ("1.2.3 GB", None),
            ("99999999999 TiB", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(size(text), bytes, "{text}");
        }
    }
}
