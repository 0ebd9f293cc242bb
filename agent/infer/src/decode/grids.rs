//! The grids on which the YOLO families lay their boxes.

/// Strides of YOLOX, and of the usual head of its relatives, model px.
pub(super) const STRIDES: [u32; 3] = [8, 16, 32];
/// Heads for large pictures (P6) and for small things (P2).
const OTHER_HEADS: [&[u32]; 2] = [&[8, 16, 32, 64], &[4, 8, 16, 32]];

/// How many boxes a network of this input can give: with the usual head first, then with the others.
pub(super) fn counts(width: u32, height: u32, boxes_a_cell: usize) -> [usize; 3] {
    let count = |strides: &[u32]| {
        let cells = strides.iter().map(|&s| (width / s) as usize * (height / s) as usize);
        cells.sum::<usize>() * boxes_a_cell
    };
    [count(&STRIDES), count(OTHER_HEADS[0]), count(OTHER_HEADS[1])]
}
