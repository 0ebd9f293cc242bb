//! Categories: under which of the eight headings of grid work a kind is counted, how the site calls it, and which office handles
//! it. The table is data (edge-config/codes/categories.csv): cities name and assign them differently.

use kerbside_domain::kind::{Category, Kind};
use serde::{Deserialize, Serialize};

use super::csv_table::{CodesError, line_of, reason};
use crate::limits;

/// A category as a message names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedCategory {
    /// Which of the eight.
    pub id: Category,
    /// How the site calls it.
    pub name: String,
    /// The office that handles the kind, if the site says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: String,
    category: String,
    name: String,
    office: String,
}

/// Categories by kind. A kind without a row has its usual category and no office.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CategoryTable {
    rows: Vec<(Kind, NamedCategory)>,
}

impl CategoryTable {
    /// The table that comes with the program: edge-config/codes/categories.csv.
    pub fn shipped() -> Self {
        // A test parses the same text, so a program that passed its tests holds no broken table.
        Self::parse(include_str!("../../../../edge-config/codes/categories.csv")).unwrap_or_default()
    }

    /// Reads `kind,category,name,office` with a header line; `office` may be empty.
    pub fn parse(text: &str) -> Result<Self, CodesError> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let mut rows: Vec<(Kind, NamedCategory)> = Vec::new();
        for (ix, row) in reader.deserialize::<Row>().enumerate() {
            let row = row.map_err(|e| CodesError::Line { line: line_of(&e, ix), why: reason(&e) })?;
            let named = checked(&rows, row).map_err(|why| CodesError::Line { line: ix as u64 + 2, why })?;
            rows.push(named);
        }
        if rows.is_empty() { Err(CodesError::NoCategories) } else { Ok(CategoryTable { rows }) }
    }

    /// The category of a kind.
    pub fn of(&self, kind: Kind) -> NamedCategory {
        let row = self.rows.iter().find(|r| r.0 == kind).map(|r| r.1.clone());
        row.unwrap_or_else(|| {
            let id = kind.category();
            let named = self.rows.iter().find(|r| r.1.id == id);
            let name = named.map_or_else(|| id.name().to_owned(), |r| r.1.name.clone());
            NamedCategory { id, name, office: None }
        })
    }
}

fn checked(before: &[(Kind, NamedCategory)], row: Row) -> Result<(Kind, NamedCategory), String> {
    let kind = Kind::parse(&row.kind).ok_or_else(|| format!("unknown kind `{}`", row.kind))?;
    let id = Category::parse(&row.category).ok_or_else(|| {
        let known: Vec<&str> = Category::ALL.into_iter().map(Category::as_str).collect();
        format!("unknown category `{}`; allowed: {}", row.category, known.join(", "))
    })?;
    if row.name.is_empty() {
        return Err("name must not be empty".into());
    }
    for (key, text) in [("name", &row.name), ("office", &row.office)] {
        limits::check(text, limits::NAME_BYTES).map_err(|why| format!("{key} {why}"))?;
    }
    if before.iter().any(|b| b.0 == kind) {
        return Err(format!("{} has a category already", row.kind));
    }
    if let Some(other) = before.iter().find(|b| b.1.id == id && b.1.name != row.name) {
        return Err(format!(
            "category {} is called {} above and {} here",
            id.as_str(),
            other.1.name,
            row.name
        ));
    }
    let office = Some(row.office).filter(|o| !o.is_empty());
    Ok((kind, NamedCategory { id, name: row.name, office }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_of_the_eight() {
        let table = CategoryTable::shipped();
        assert!(!table.rows.is_empty());
        for kind in Kind::ALL {
            let named = table.of(kind);
            assert_eq!(named.id, kind.category(), "{}", kind.as_str());
            assert!(named.office.is_some(), "{}", kind.as_str());
        }
        assert_eq!(Category::ALL.len(), 8);
        for category in Category::ALL {
            assert_eq!(Category::parse(category.as_str()), Some(category));
        }
    }

    #[test]
    fn a_site_may_call_them_otherwise_and_a_kind_without_a_row_has_the_usual_one() {
        let text = "kind,category,name,office\nbin.overflow,livelihood,便民,\nwaste.exposed,city_appearance,环境卫生,街道办\n";
        let table = CategoryTable::parse(text).unwrap();
        let of = |kind: Kind| {
            let named = table.of(kind);
            (named.id, named.name, named.office)
        };
        assert_eq!(of(Kind::BinOverflow), (Category::Livelihood, "便民".into(), None));
        assert_eq!(
            of(Kind::WasteExposed),
            (Category::CityAppearance, "环境卫生".into(), Some("街道办".into()))
        );
        assert_eq!(of(Kind::PileGoods), (Category::CityAppearance, "环境卫生".into(), None));
        assert_eq!(of(Kind::StallOccupying), (Category::StreetOrder, "街面秩序".into(), None));
    }

    #[test]
    fn broken_tables_say_where() {
        let head = "kind,category,name,office\n";
        let long = "长".repeat(30);
        let cases = [
            (head.to_owned(), "it holds no categories".to_owned()),
            (format!("{head}waste.exposd,city_appearance,n,\n"), "line 2: unknown kind `waste.exposd`".into()),
            (
                format!("{head}waste.exposed,waste,n,\n"),
                "line 2: unknown category `waste`; allowed: city_appearance, street_order, public_facilities, environment, \
                 public_safety, social_order, disputes, livelihood"
                    .into(),
            ),
            (
                format!("{head}waste.exposed,city_appearance,a,\nbin.overflow,city_appearance,b,\n"),
                "line 3: category city_appearance is called a above and b here".into(),
            ),
            (
                format!("{head}waste.exposed,city_appearance,{long},\n"),
                "line 2: name has 90 bytes, at most 60 (20 Chinese characters): a message about an incident has 4 KiB".into(),
            ),
        ];
        for (text, error) in cases {
            assert_eq!(CategoryTable::parse(&text).unwrap_err().to_string(), error);
        }
    }
}
