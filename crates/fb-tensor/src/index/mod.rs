//! Elements picked by index, and tensors joined, padded and repeated.

mod embedding;
mod gather;
mod join;
mod one_hot;
mod pad;
mod select;
mod triangle;

pub use embedding::add_rows;
pub(crate) use embedding::add_rows_slices;

use crate::element::Element;
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Fails at the first index that does not lie in `0..extent`, where `axis` of `shape` has that extent.
pub(crate) fn check_indices(
    op: &'static str,
    indices: &Tensor<i64>,
    axis: usize,
    shape: &Shape,
) -> Result<()> {
    let values = indices.as_slice().expect("callers make indices contiguous");
    let extent = shape[axis] as u64;
    // A negative index is a huge unsigned one.
    match values.iter().position(|&index| index as u64 >= extent) {
        None => Ok(()),
        Some(at) => Err(Error::IndexAt {
            op,
            index: values[at],
            position: multi_index(at, indices.dims()),
            axis,
            shape: shape.to_string(),
        }),
    }
}

/// The multi-index of an element in row-major order, as text.
fn multi_index(mut at: usize, extents: &[usize]) -> String {
    let mut index = Shape::from(extents);
    for (place, &extent) in index.extents_mut().iter_mut().zip(extents).rev() {
        *place = at % extent;
        at /= extent;
    }
    index.to_string()
}

/// The products of the extents before and after an axis.
fn around<T: Element>(t: &Tensor<T>, axis: usize) -> (usize, usize) {
    (
        t.dims()[..axis].iter().product(),
        t.dims()[axis + 1..].iter().product(),
    )
}
