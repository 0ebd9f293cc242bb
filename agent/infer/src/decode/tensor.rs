//! Numbers as a runtime gives them.

/// One output as the runtime gave it.
pub(crate) struct Tensor<'a> {
    pub(crate) name: &'a str,
    pub(crate) data: &'a [f32],
}
