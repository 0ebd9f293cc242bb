//! Unit grids: the smallest of the four levels a city is divided into, as polygons from GeoJSON.

use geojson::{FeatureCollection, GeometryValue};
use serde::{Deserialize, Serialize};

use super::datum::LocalPlane;
use crate::limits;

/// Why a file of unit grids cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GridError {
    /// No FeatureCollection.
    #[error("not a GeoJSON FeatureCollection: {0}")]
    NotGeoJson(String),
    /// A feature is wrong.
    #[error("feature {feature}: {why}")]
    Feature {
        /// Counted from 1.
        feature: usize,
        /// For people.
        why: String,
    },
    /// No feature at all.
    #[error("it holds no grids")]
    Empty,
}

/// Names of the four levels of a grid code, as far as a site gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GridNames {
    /// Of the division (6 digits).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<String>,
    /// Of the street (the next 3 characters).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    /// Of the community (the next 3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community: Option<String>,
    /// Of the unit grid itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_grid: Option<String>,
}

impl GridNames {
    /// The site gives none.
    pub fn is_empty(&self) -> bool {
        *self == GridNames::default()
    }

    /// These, and those of `others` where these have none.
    fn or(self, others: &GridNames) -> GridNames {
        GridNames {
            division: self.division.or_else(|| others.division.clone()),
            street: self.street.or_else(|| others.street.clone()),
            community: self.community.or_else(|| others.community.clone()),
            unit_grid: self.unit_grid,
        }
    }
}

/// A closed ring of lon_deg, lat_deg.
type Ring = Vec<(f64, f64)>;

#[derive(Clone, Debug, PartialEq)]
struct UnitGrid {
    /// 15 characters: division 6, street 3, community 3, grid 3.
    code: String,
    names: GridNames,
    /// Each polygon: outer ring, then holes.
    polygons: Vec<Vec<Ring>>,
    /// West, south, east, north.
    bounds: [f64; 4],
}

/// Unit grids as polygons (GeoJSON, `properties.unit_grid`; names in `name`, `community_name`, `street_name`, `division_name`).
/// Empty: the site has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GridTable {
    grids: Vec<UnitGrid>,
    /// Of the levels above the unit grid, where a grid has none of its own.
    names: GridNames,
}

/// Which grid a place lies in, and which it might lie in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// The grid that holds the place.
    pub unit_grid: Option<String>,
    /// Every grid the accuracy circle touches, nearest first, if it crosses a border; else empty.
    pub candidates: Vec<String>,
    /// Names of the levels.
    pub names: GridNames,
}

impl GridTable {
    /// Reads a FeatureCollection of Polygon or MultiPolygon features, WGS-84.
    pub fn parse(text: &str) -> Result<Self, GridError> {
        let collection: FeatureCollection =
            text.parse().map_err(|e: geojson::Error| GridError::NotGeoJson(e.to_string()))?;
        let mut grids: Vec<UnitGrid> = Vec::new();
        for (ix, feature) in collection.features.iter().enumerate() {
            let grid = unit_grid(feature).map_err(|why| GridError::Feature { feature: ix + 1, why })?;
            if grids.iter().any(|g| g.code == grid.code) {
                let why = format!("unit_grid {} is there already", grid.code);
                return Err(GridError::Feature { feature: ix + 1, why });
            }
            grids.push(grid);
        }
        if grids.is_empty() {
            Err(GridError::Empty)
        } else {
            Ok(GridTable { grids, names: GridNames::default() })
        }
    }

    /// The same with names for the levels above the unit grid.
    pub fn with_names(mut self, names: GridNames) -> Self {
        self.names = names;
        self
    }

    /// The site has no grids.
    pub fn is_empty(&self) -> bool {
        self.grids.is_empty()
    }

    /// Looks up a place that is known to `accuracy_m`.
    pub fn locate(&self, point: (f64, f64), accuracy_m: f64) -> Located {
        let plane = LocalPlane::new(point);
        let reach_lat = accuracy_m / 110_000.0;
        let reach_lon = reach_lat / point.1.to_radians().cos().max(0.01);
        let mut near: Vec<(bool, f64, &UnitGrid)> = Vec::new();
        for grid in &self.grids {
            let [west, south, east, north] = grid.bounds;
            if point.0 < west - reach_lon || point.0 > east + reach_lon {
                continue;
            }
            if point.1 < south - reach_lat || point.1 > north + reach_lat {
                continue;
            }
            let inside = grid.polygons.iter().any(|p| contains(p, point));
            let border_m =
                grid.polygons.iter().flatten().map(|r| ring_distance_m(&plane, r)).fold(f64::MAX, f64::min);
            if inside || border_m <= accuracy_m {
                near.push((inside, border_m, grid));
            }
        }
        near.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.total_cmp(&b.1)).then(a.2.code.cmp(&b.2.code)));
        let holder = near.first().filter(|g| g.0).map(|g| g.2);
        let crosses = near.iter().any(|g| g.1 <= accuracy_m);
        let candidates = if crosses { near.iter().map(|g| g.2.code.clone()).collect() } else { Vec::new() };
        let names = holder.map(|g| g.names.clone()).unwrap_or_default().or(&self.names);
        Located { unit_grid: holder.map(|g| g.code.clone()), candidates, names }
    }
}

fn unit_grid(feature: &geojson::Feature) -> Result<UnitGrid, String> {
    let code =
        feature.property("unit_grid").and_then(|v| v.as_str()).ok_or("properties.unit_grid is missing")?;
    if code.len() != 15 || !code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) {
        return Err(format!("unit_grid \"{code}\" must be 15 characters of 0-9 and A-Z"));
    }
    let name = |key: &str| -> Result<Option<String>, String> {
        let Some(value) = feature.property(key).filter(|v| !v.is_null()) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| format!("properties.{key} is no text"))?;
        limits::check(text, limits::NAME_BYTES).map_err(|why| format!("properties.{key} {why}"))?;
        Ok(Some(text.to_owned()).filter(|t| !t.is_empty()))
    };
    let names = GridNames {
        division: name("division_name")?,
        street: name("street_name")?,
        community: name("community_name")?,
        unit_grid: name("name")?,
    };
    let geometry = feature.geometry.as_ref().ok_or("it has no geometry")?;
    let polygons = match &geometry.value {
        GeometryValue::Polygon { coordinates } => vec![rings(coordinates)?],
        GeometryValue::MultiPolygon { coordinates } => {
            coordinates.iter().map(|p| rings(p)).collect::<Result<Vec<_>, _>>()?
        }
        _ => return Err("its geometry must be a Polygon or MultiPolygon".into()),
    };
    let mut bounds = [f64::MAX, f64::MAX, f64::MIN, f64::MIN];
    for &(lon, lat) in polygons.iter().flatten().flatten() {
        bounds = [bounds[0].min(lon), bounds[1].min(lat), bounds[2].max(lon), bounds[3].max(lat)];
    }
    Ok(UnitGrid { code: code.to_owned(), names, polygons, bounds })
}

fn rings(polygon: &[Vec<geojson::Position>]) -> Result<Vec<Ring>, String> {
    if polygon.is_empty() {
        return Err("a polygon has no ring".into());
    }
    polygon
        .iter()
        .map(|ring| {
            let points: Ring = ring
                .iter()
                .map(|p| match p.as_slice() {
                    [lon, lat, ..] if lon.abs() <= 180.0 && lat.abs() <= 90.0 => Ok((*lon, *lat)),
                    _ => Err(format!("{:?} is no [longitude, latitude]", p.as_slice())),
                })
                .collect::<Result<_, _>>()?;
            if points.len() < 4 || points.first() != points.last() {
                return Err("a ring needs at least 4 positions, the last like the first".into());
            }
            Ok(points)
        })
        .collect()
}

/// Inside the outer ring and in no hole (even-odd rule over all rings).
fn contains(polygon: &[Ring], (x, y): (f64, f64)) -> bool {
    let mut inside = false;
    for ring in polygon {
        for edge in ring.windows(2) {
            let [(x0, y0), (x1, y1)] = [edge[0], edge[1]];
            if (y0 > y) != (y1 > y) && x < (x1 - x0) * (y - y0) / (y1 - y0) + x0 {
                inside = !inside;
            }
        }
    }
    inside
}

/// Distance of the plane's origin to the nearest edge, m.
fn ring_distance_m(plane: &LocalPlane, ring: &Ring) -> f64 {
    ring.windows(2)
        .map(|edge| {
            let ((x0, y0), (x1, y1)) = (plane.metres(edge[0]), plane.metres(edge[1]));
            let (dx, dy) = (x1 - x0, y1 - y0);
            let length2 = dx * dx + dy * dy;
            let t = if length2 > 0.0 { (-(x0 * dx + y0 * dy) / length2).clamp(0.0, 1.0) } else { 0.0 };
            (x0 + t * dx).hypot(y0 + t * dy)
        })
        .fold(f64::MAX, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> GridTable {
        GridTable::parse(include_str!("../../../../edge-config/grids/example.geojson")).unwrap()
    }

    #[test]
    fn a_place_well_inside_has_one_grid() {
        let got = example().locate((121.3755, 31.1115), 10.0);
        assert_eq!((got.unit_grid.as_deref(), got.candidates.len()), (Some("310112001002001"), 0));
    }

    #[test]
    fn levels_have_the_names_of_the_grid_or_of_the_site() {
        let of_site = |level: &str| Some(format!("{level} of the site"));
        let names = GridNames {
            division: of_site("division"),
            street: of_site("street"),
            community: None,
            unit_grid: None,
        };
        let text = r#"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"unit_grid":"310112001002001",
            "name":"第一网格","street_name":"莘庄镇"},"geometry":{"type":"Polygon","coordinates":[[[121,31],[122,31],[122,32],[121,31]]]}}]}"#;
        let table = GridTable::parse(text).unwrap().with_names(names.clone());
        let inside = table.locate((121.8, 31.2), 1.0).names;
        let texts = [inside.division, inside.street, inside.community, inside.unit_grid];
        assert_eq!(texts.map(|t| t.unwrap_or_default()), ["division of the site", "莘庄镇", "", "第一网格"]);
        assert_eq!(table.locate((10.0, 10.0), 1.0).names, names);
        let wrong = text.replace("\"莘庄镇\"", "7");
        let error = GridTable::parse(&wrong).unwrap_err().to_string();
        assert_eq!(error, "feature 1: properties.street_name is no text");
    }

    #[test]
    fn near_a_border_both_sides_are_named() {
        let got = example().locate((121.37595, 31.1115), 15.0);
        assert_eq!(got.unit_grid.as_deref(), Some("310112001002001"));
        assert_eq!(got.candidates, ["310112001002001", "310112001002002"]);
        // The same place known better lies in one.
        assert!(example().locate((121.37595, 31.1115), 3.0).candidates.is_empty());
    }

    #[test]
    fn outside_all_grids_there_is_none() {
        assert_eq!(example().locate((121.40, 31.20), 30.0), Located::default());
        assert_eq!(GridTable::default().locate((121.3755, 31.1115), 10.0), Located::default());
    }

    #[test]
    fn broken_files_say_which_feature() {
        let with = |code: &str, coordinates: &str| {
            format!(
                r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","properties":{{"unit_grid":"{code}"}},"geometry":{{"type":"Polygon","coordinates":{coordinates}}}}}]}}"#
            )
        };
        let ring = "[[[1,1],[2,1],[2,2],[1,1]]]";
        let cases = [
            (
                with("31011200100200", ring),
                "feature 1: unit_grid \"31011200100200\" must be 15 characters of 0-9 and A-Z",
            ),
            (
                with("310112001002001", "[[[1,1],[2,1],[1,1]]]"),
                "feature 1: a ring needs at least 4 positions, the last like the first",
            ),
            (with("310112001002001", "[]"), "feature 1: a polygon has no ring"),
            (r#"{"type":"FeatureCollection","features":[]}"#.to_owned(), "it holds no grids"),
        ];
        for (text, error) in cases {
            assert_eq!(GridTable::parse(&text).unwrap_err().to_string(), error);
        }
        assert!(GridTable::parse("{").is_err());
    }
}
