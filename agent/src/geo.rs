//! Place and codes: pixel to ground, datum, unit grid, matter codes. Pure.

/// Matter codes by kind, for the site's scheme (edge-config/codes).
#[derive(Clone, Debug, Default)]
pub struct CodeTable {}

/// Unit grids as polygons (GeoJSON, `properties.unit_grid`).
#[derive(Clone, Debug, Default)]
pub struct GridTable {}
