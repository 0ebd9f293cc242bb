//! How long texts of the site may be that travel in every message about an incident: such a message has 4 KiB, and neither address
//! nor code nor name of its matter may be what is left out.

/// Longest name of a camera, zone, rule, grid level, category, office or matter, bytes as a message has it.
pub const NAME_BYTES: usize = 60;
/// Longest address, bytes as a message has it.
pub const ADDRESS_BYTES: usize = 240;
/// Longest text that names where vendors are welcome, bytes as a message has it: it stands in every report of its rule.
pub const WELCOME_BYTES: usize = 180;
/// Longest name of a scheme of codes, bytes.
pub const SCHEME_BYTES: usize = 40;
/// Longest code of a matter, bytes.
pub const CODE_BYTES: usize = 16;

/// Bytes of a text between the quotes of JSON.
pub fn json_bytes(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            '"' | '\\' => 2,
            c if c.is_control() => 6,
            c => c.len_utf8(),
        })
        .sum()
}

/// What is wrong with a text that may have `most` bytes, if anything.
pub fn check(text: &str, most: usize) -> Result<(), String> {
    if text.chars().any(char::is_control) {
        return Err("holds a control character".to_owned());
    }
    let bytes = json_bytes(text);
    if bytes <= most {
        return Ok(());
    }
    let characters = most / 3;
    Err(format!(
        "has {bytes} bytes, at most {most} ({characters} Chinese characters): a message about an incident has 4 KiB"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_json() {
        for text in ["", "街口 3 号", "a \"b\" \\c", "tab\t", "\u{7f}"] {
            let written = serde_json::to_string(text).unwrap();
            assert!(written.len() - 2 <= json_bytes(text), "{text:?}");
        }
        assert_eq!(check("路灯", 6), Ok(()));
        assert!(check("路灯杆", 8).unwrap_err().starts_with("has 9 bytes, at most 8"));
        assert_eq!(check("a\nb", 60).unwrap_err(), "holds a control character");
    }
}
