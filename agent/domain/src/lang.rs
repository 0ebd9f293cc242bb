//! The two languages in which the box speaks to people.

use serde::{Deserialize, Serialize};

/// A language of texts for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese, simplified.
    Zh,
}

impl Lang {
    /// The language of a POSIX locale such as `zh_CN.UTF-8`; English where it is neither.
    pub fn of_locale(locale: &str) -> Lang {
        if locale.starts_with("zh") { Lang::Zh } else { Lang::En }
    }

    /// Of a text in both languages, the one in this language.
    pub fn pick<T>(self, english: T, chinese: T) -> T {
        match self {
            Lang::En => english,
            Lang::Zh => chinese,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_tells_the_language() {
        let langs = ["zh_CN.UTF-8", "zh", "en_US.UTF-8", "C", "de_DE", ""].map(Lang::of_locale);
        assert_eq!(langs, [Lang::Zh, Lang::Zh, Lang::En, Lang::En, Lang::En, Lang::En]);
        assert_eq!((Lang::En.pick("yes", "是"), Lang::Zh.pick("yes", "是")), ("yes", "是"));
    }
}
