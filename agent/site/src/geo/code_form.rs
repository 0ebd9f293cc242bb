//! The form of a code in the schemes that are known: what a spreadsheet made of it must not become a code at the centre.

/// A scheme whose codes have a fixed form.
struct Form {
    scheme: &'static str,
    /// Digits of each part; parts are joined by hyphens.
    parts: &'static [usize],
    text: &'static str,
    example: &'static str,
}

const FORMS: [Form; 2] = [
    Form { scheme: "GB/T 47678.5-2026", parts: &[5], text: "5 digits", example: "09006" },
    Form {
        scheme: "GB/T 30428.2-2013",
        parts: &[2, 2],
        text: "2 digits, a hyphen and 2 digits",
        example: "04-06",
    },
];

/// Whether the code has the form of its scheme; of an unknown scheme every code has.
pub(super) fn check(scheme: &str, code: &str) -> Result<(), String> {
    let Some(form) = FORMS.iter().find(|form| form.scheme == scheme) else { return Ok(()) };
    let Some(padded) = padded(form, code) else {
        return Err(format!("code {code} of {scheme} is not {}, as {}", form.text, form.example));
    };
    if padded == code {
        return Ok(());
    }
    Err(format!(
        "code {code} of {scheme} has {}: was it {padded}? A spreadsheet takes leading zeros: make the column text \
         (设为文本格式)",
        form.text
    ))
}

/// The code with the leading zeros that are missing; `None`: zeros are not all that is wrong.
fn padded(form: &Form, code: &str) -> Option<String> {
    let parts: Vec<&str> = code.split('-').collect();
    if parts.len() != form.parts.len() {
        return None;
    }
    let full = parts.iter().zip(form.parts).map(|(part, &digits)| {
        let fits = !part.is_empty() && part.len() <= digits && part.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| format!("{part:0>digits$}"))
    });
    Some(full.collect::<Option<Vec<String>>>()?.join("-"))
}
