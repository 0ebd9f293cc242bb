//! Matter codes: which coded category a kind is filed under, in the scheme the centre runs.
//!
//! The table is data (edge-config/codes), because its source is secondary and centres differ.

use serde::{Deserialize, Serialize};

use kerbside_domain::kind::Kind;

use super::categories::{CategoryTable, NamedCategory};
use super::code_form as form;
use super::csv_table::{CodesError, line_of, reason};
use crate::limits;

/// The scheme in force since 2026-07-01.
pub const CURRENT_SCHEME: &str = "GB/T 47678.5-2026";

/// The coded category under which the centre files a kind: scheme, code and name, never a bare number. On the wire `matter`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matter {
    /// The standard whose code it is.
    pub scheme: String,
    /// The code in that standard.
    pub code: String,
    /// Division (6 digits) and category (5 digits); absent for schemes whose codes are not 5 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code11: Option<String>,
    /// The name that officers know, in Chinese.
    pub name: String,
    /// The codes of other standards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<AlsoCode>,
    /// The heading under which it is counted, and the office that handles it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<NamedCategory>,
}

/// The same matter in another scheme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlsoCode {
    /// The other standard.
    pub scheme: String,
    /// The code in it.
    pub code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: String,
    scheme: String,
    code: String,
    name: String,
    also_scheme: String,
    also_code: String,
}

/// Matter codes by kind, for the site's scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeTable {
    scheme: String,
    rows: Vec<Row>,
    categories: CategoryTable,
}

impl Default for CodeTable {
    fn default() -> Self {
        CodeTable::shipped()
    }
}

impl CodeTable {
    /// The table that comes with the program: edge-config/codes/matters.csv.
    pub fn shipped() -> Self {
        let text = include_str!("../../../../edge-config/codes/matters.csv");
        // A test parses the same text, so a program that passed its tests holds no broken table.
        Self::parse(text).unwrap_or_else(|_| CodeTable {
            scheme: CURRENT_SCHEME.into(),
            rows: Vec::new(),
            categories: CategoryTable::shipped(),
        })
    }

    /// Reads `kind,scheme,code,name,also_scheme,also_code` with a header line.
    pub fn parse(text: &str) -> Result<Self, CodesError> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let mut rows: Vec<Row> = Vec::new();
        for (ix, row) in reader.deserialize::<Row>().enumerate() {
            let row = row.map_err(|e| CodesError::Line { line: line_of(&e, ix), why: reason(&e) })?;
            let fault = |why: String| Err(CodesError::Line { line: ix as u64 + 2, why });
            if row.kind.is_empty() || row.scheme.is_empty() || row.code.is_empty() || row.name.is_empty() {
                return fault("kind, scheme, code and name must not be empty".into());
            }
            if row.also_scheme.is_empty() != row.also_code.is_empty() {
                return fault("also_scheme and also_code come together or not at all".into());
            }
            for (scheme, code) in [(&row.scheme, &row.code), (&row.also_scheme, &row.also_code)] {
                form::check(scheme, code).map_err(|why| CodesError::Line { line: ix as u64 + 2, why })?;
            }
            for (key, text, most) in [
                ("scheme", &row.scheme, limits::SCHEME_BYTES),
                ("also_scheme", &row.also_scheme, limits::SCHEME_BYTES),
                ("code", &row.code, limits::CODE_BYTES),
                ("also_code", &row.also_code, limits::CODE_BYTES),
                ("name", &row.name, limits::NAME_BYTES),
            ] {
                if let Err(why) = limits::check(text, most) {
                    return fault(format!("{key} {why}"));
                }
            }
            if rows.iter().any(|r| r.kind == row.kind && r.scheme == row.scheme) {
                return fault(format!("{} has a code in {} already", row.kind, row.scheme));
            }
            rows.push(row);
        }
        let scheme = rows.first().ok_or(CodesError::Empty)?.scheme.clone();
        let table = CodeTable { scheme, rows, categories: CategoryTable::shipped() };
        Ok(if table.schemes().iter().any(|s| s == CURRENT_SCHEME) {
            table.with_scheme(CURRENT_SCHEME)
        } else {
            table
        })
    }

    /// The table for a centre that runs `scheme`.
    pub fn with_scheme(mut self, scheme: &str) -> Self {
        self.scheme = scheme.to_owned();
        self
    }

    /// The same with these categories and offices.
    pub fn with_categories(mut self, categories: CategoryTable) -> Self {
        self.categories = categories;
        self
    }

    /// The scheme that the centre runs.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// All schemes the table has codes for.
    pub fn schemes(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .rows
            .iter()
            .flat_map(|r| [&r.scheme, &r.also_scheme])
            .filter(|s| !s.is_empty())
            .cloned()
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// The kind has a code in the site's scheme.
    pub fn knows(&self, kind: Kind) -> bool {
        self.matter(kind, "000000").is_some()
    }

    /// The coded matter of a kind in a division (GB/T 2260, 6 digits). `None`: the scheme has no code for it.
    pub fn matter(&self, kind: Kind, division: &str) -> Option<Matter> {
        let of_kind = || self.rows.iter().filter(|r| r.kind == kind.as_str());
        let codes: Vec<AlsoCode> = of_kind()
            .flat_map(|r| [(&r.scheme, &r.code), (&r.also_scheme, &r.also_code)])
            .filter(|(scheme, _)| !scheme.is_empty())
            .map(|(scheme, code)| AlsoCode { scheme: scheme.clone(), code: code.clone() })
            .collect();
        let main = codes.iter().find(|c| c.scheme == self.scheme)?.clone();
        let own_row = of_kind().find(|r| r.scheme == self.scheme);
        let name = own_row.or(of_kind().next())?.name.clone();
        let five = main.code.len() == 5 && main.code.bytes().all(|b| b.is_ascii_digit());
        let code11 = five.then(|| format!("{division}{}", main.code));
        let mut also: Vec<AlsoCode> = codes.into_iter().filter(|c| c.scheme != main.scheme).collect();
        also.dedup();
        let category = Some(self.categories.of(kind));
        Some(Matter { scheme: main.scheme, code: main.code, code11, name, also, category })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_s_example() {
        let matter = CodeTable::shipped().matter(Kind::StallOccupying, "310112").unwrap();
        let text = serde_json::to_string(&matter).unwrap();
        assert_eq!(
            text,
            r#"{"scheme":"GB/T 47678.5-2026","code":"09006","code11":"31011209006","name":"占道经营","also":[{"scheme":"GB/T 30428.2-2013","code":"04-06"}],"category":{"id":"street_order","name":"街面秩序","office":"城管执法"}}"#
        );
    }

    #[test]
    fn every_kind_that_a_camera_sees_has_a_code_in_the_current_scheme() {
        let table = CodeTable::shipped();
        assert_eq!(table.scheme(), CURRENT_SCHEME);
        for kind in Kind::SEEN {
            assert!(table.knows(kind), "{}", kind.as_str());
        }
    }

    #[test]
    fn an_older_centre_gets_its_own_scheme_first() {
        let old = CodeTable::shipped().with_scheme("GB/T 30428.2-2013");
        let matter = old.matter(Kind::WasteExposed, "310112").unwrap();
        assert_eq!((matter.code.as_str(), matter.code11), ("01-10", None));
        assert_eq!(matter.also, [AlsoCode { scheme: CURRENT_SCHEME.into(), code: "06010".into() }]);
        // A bin that overflows has no code there.
        assert!(!old.knows(Kind::BinOverflow));
    }

    #[test]
    fn broken_tables_say_where() {
        let head = "kind,scheme,code,name,also_scheme,also_code\n";
        let cases = [
            (head.to_owned(), "it holds no codes"),
            (format!("{head}a,S,1,n,,\nb,S,2\n"), "line 3: 3 columns instead of 6"),
            (format!("{head}a,S,,n,,\n"), "line 2: kind, scheme, code and name must not be empty"),
            (
                format!("{head}a,S,12345678901234567,n,,\n"),
                "line 2: code has 17 bytes, at most 16 (5 Chinese characters): a message about an incident has 4 KiB",
            ),
            (format!("{head}a,S,1,n,T,\n"), "line 2: also_scheme and also_code come together or not at all"),
            (format!("{head}a,S,1,n,,\na,S,2,n,,\n"), "line 3: a has a code in S already"),
            // Excel took the zero; and made a date of the older scheme's code.
            (
                format!("{head}a,GB/T 47678.5-2026,9006,n,,\n"),
                "line 2: code 9006 of GB/T 47678.5-2026 has 5 digits: was it 09006? A spreadsheet takes leading zeros: \
                 make the column text (设为文本格式)",
            ),
            (
                format!("{head}a,GB/T 47678.5-2026,0900six,n,,\n"),
                "line 2: code 0900six of GB/T 47678.5-2026 is not 5 digits, as 09006",
            ),
            (
                format!("{head}a,GB/T 47678.5-2026,09006,n,GB/T 30428.2-2013,4-6\n"),
                "line 2: code 4-6 of GB/T 30428.2-2013 has 2 digits, a hyphen and 2 digits: was it 04-06? A spreadsheet \
                 takes leading zeros: make the column text (设为文本格式)",
            ),
            (
                format!("{head}a,GB/T 47678.5-2026,09006,n,GB/T 30428.2-2013,4月6日\n"),
                "line 2: code 4月6日 of GB/T 30428.2-2013 is not 2 digits, a hyphen and 2 digits, as 04-06",
            ),
        ];
        for (text, error) in cases {
            assert_eq!(CodeTable::parse(&text).unwrap_err().to_string(), error);
        }
    }
}
