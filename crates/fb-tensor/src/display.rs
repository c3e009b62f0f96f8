//! Printing of tensors.

use crate::element::Element;
use crate::tensor::Tensor;
use std::fmt;

/// Longer axes are cut to their first and last three positions.
const FULL_AXIS: usize = 8;
const EDGE: usize = 3;

/// Element type and shape, without the elements: `Tensor<f32> [2, 3]`.
impl<T: Element> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor<{}> {}", T::NAME, self.shape())
    }
}

/// The elements in nested brackets, like NumPy; long axes are cut, four decimals unless a precision is given.
///
/// ```
/// use fb_tensor::Tensor;
/// let t = Tensor::from([[1.0, -0.5], [10.0, 2.25]]);
/// assert_eq!(format!("{t:.2}"), "[[ 1.00, -0.50],\n [10.00,  2.25]]");
/// ```
impl<T: Element> fmt::Display for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = f.precision().unwrap_or(4);
        let fractional = matches!(T::NAME, "f32" | "f64" | "f16" | "bf16");
        let cell = |value: T| {
            if fractional {
                format!("{value:.precision$}")
            } else {
                value.to_string()
            }
        };
        let mut cells = Vec::new();
        collect(self, &mut |value| cells.push(cell(value)));
        let width = cells.iter().map(|c| c.chars().count()).max().unwrap_or(0);
        write_axis(self, f, 0, width, &mut cells.into_iter())
    }
}

/// The positions of an axis that are shown, with a gap where `None` stands.
fn shown(extent: usize) -> Vec<Option<usize>> {
    if extent <= FULL_AXIS {
        return (0..extent).map(Some).collect();
    }
    let head = (0..EDGE).map(Some);
    let tail = (extent - EDGE..extent).map(Some);
    head.chain([None]).chain(tail).collect()
}

fn collect<T: Element>(t: &Tensor<T>, visit: &mut impl FnMut(T)) {
    if t.rank() == 0 {
        return visit(t.item());
    }
    for index in shown(t.dim(0)).into_iter().flatten() {
        collect(&t.index_axis(0, index), visit);
    }
}

fn write_axis<T: Element>(
    t: &Tensor<T>,
    f: &mut fmt::Formatter<'_>,
    depth: usize,
    width: usize,
    cells: &mut impl Iterator<Item = String>,
) -> fmt::Result {
    if t.rank() == 0 {
        let cell = cells.next().expect("one cell for each shown element");
        return write!(f, "{cell:>width$}");
    }
    f.write_str("[")?;
    for (i, index) in shown(t.dim(0)).into_iter().enumerate() {
        if i > 0 && t.rank() == 1 {
            f.write_str(", ")?;
        } else if i > 0 {
            write!(f, ",{}{}", "\n".repeat(t.rank() - 1), " ".repeat(depth + 1))?;
        }
        match index {
            Some(index) => write_axis(&t.index_axis(0, index), f, depth + 1, width, cells)?,
            None => f.write_str("...")?,
        }
    }
    f.write_str("]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_axes_are_cut_and_blocks_are_separated() {
        assert_eq!(
            format!("{:.0}", Tensor::arange(20)),
            "[ 0,  1,  2, ..., 17, 18, 19]"
        );
        assert_eq!(
            Tensor::from([[[1_i64, 2]], [[3, 4]]]).to_string(),
            "[[[1, 2]],\n\n [[3, 4]]]"
        );
        assert_eq!(Tensor::scalar(1.5).to_string(), "1.5000");
        assert_eq!(Tensor::<f32>::zeros([0, 2]).to_string(), "[]");
        assert_eq!(format!("{:?}", Tensor::zeros([2, 3])), "Tensor<f32> [2, 3]");
    }
}
