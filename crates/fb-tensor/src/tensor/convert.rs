//! Between element types, and to and from `ndarray`.

use super::Tensor;
use crate::element::Element;
use crate::error::Result;
use crate::layout::Layout;
use crate::shape::Shape;
use crate::storage::Storage;
use ndarray::{ArrayD, ArrayViewD, IxDyn, ShapeBuilder};

impl<T: Element> Tensor<T> {
    /// Each element as another type, through `f64`: real to integer truncates and saturates, anything to `bool` asks
    /// whether it is not zero.
    #[must_use]
    pub fn cast<U: Element>(&self) -> Tensor<U> {
        let source = self.contiguous();
        let input = source.as_slice().expect("made contiguous");
        Tensor::filled_by(*self.shape(), |out| {
            for (y, &x) in out.iter_mut().zip(input) {
                *y = U::of_f64(x.as_f64());
            }
        })
    }

    /// Each element as `f32`.
    #[must_use]
    pub fn to_f32(&self) -> Tensor<f32> {
        self.cast()
    }

    /// Each element as `f64`.
    #[must_use]
    pub fn to_f64(&self) -> Tensor<f64> {
        self.cast()
    }

    /// The elements as an `ndarray` view, without copying.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let t = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).transpose();
    /// assert_eq!(t.view()[[0, 1]], 3.0);
    /// ```
    pub fn view(&self) -> ArrayViewD<'_, T> {
        // `ndarray` takes unsigned strides in its safe constructor, so flipped axes are turned forward, then back.
        let mut layout = *self.layout();
        let flipped: Vec<usize> = (0..self.rank())
            .filter(|&a| self.strides()[a] < 0 && self.dim(a) > 1)
            .collect();
        for &axis in &flipped {
            layout = flip(&layout, axis);
        }
        let strides: Vec<usize> = layout.strides().iter().map(|s| s.unsigned_abs()).collect();
        let shape = IxDyn(self.dims()).strides(IxDyn(&strides));
        let data = if self.is_empty() {
            &[]
        } else {
            &self.storage.as_slice()[layout.offset..]
        };
        // Only zero-sized or one-element axes can have odd strides; ndarray accepts those.
        match ArrayViewD::from_shape(shape, data) {
            Ok(mut view) => {
                for axis in flipped {
                    view.invert_axis(ndarray::Axis(axis));
                }
                view
            }
            Err(_) => ArrayViewD::from_shape(IxDyn(self.dims()), &[])
                .expect("only an empty tensor gets here"),
        }
    }

    /// The elements as an `ndarray` array; copied only if they are shared, pooled or not in row-major order.
    pub fn into_ndarray(self) -> ArrayD<T> {
        let shape = IxDyn(self.dims());
        let len = self.len();
        let whole = self.is_contiguous() && self.layout.offset == 0;
        let (storage, layout) = self.into_storage();
        let elements = match if whole {
            storage.into_vec(len)
        } else {
            Err(storage)
        } {
            Ok(elements) => elements,
            Err(storage) => Self::from_parts(storage, layout).to_vec(),
        };
        ArrayD::from_shape_vec(shape, elements)
            .expect("a tensor has as many elements as its shape says")
    }
}

/// The same elements with one axis reversed.
pub(super) fn flip(layout: &Layout, axis: usize) -> Layout {
    let mut strides = layout.strides_array();
    let reach = strides[axis] * layout.shape[axis].saturating_sub(1) as isize;
    strides[axis] = -strides[axis];
    Layout::new(
        layout.shape,
        strides,
        layout.offset.wrapping_add_signed(reach),
    )
}

/// Takes over the array's allocation if it is in row-major order, copies otherwise.
///
/// # Panics
/// If the array has more than [`MAX_RANK`](crate::MAX_RANK) axes; see [`Tensor::try_from_ndarray`].
impl<T: Element> From<ArrayD<T>> for Tensor<T> {
    #[track_caller]
    fn from(array: ArrayD<T>) -> Self {
        crate::error::OrPanic::or_panic(Self::try_from_ndarray(array))
    }
}

impl<T: Element> Tensor<T> {
    /// Takes over the array's allocation if it is in row-major order, copies otherwise.
    ///
    /// # Errors
    /// The array has more than [`MAX_RANK`](crate::MAX_RANK) axes, or an axis of absurd length beside an empty one.
    pub fn try_from_ndarray(array: ArrayD<T>) -> Result<Self> {
        let shape = Shape::try_new(array.shape())?;
        let len = shape.elements();
        let elements = if array.is_standard_layout() {
            let (mut elements, offset) = array.into_raw_vec_and_offset();
            elements.drain(..offset.unwrap_or(0));
            elements.truncate(len);
            elements
        } else {
            array.iter().copied().collect()
        };
        Ok(Self::from_parts(
            Storage::from_vec(elements),
            Layout::row_major(shape),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ndarray_round_trip_keeps_the_allocation() {
        let array =
            ArrayD::from_shape_vec(IxDyn(&[2, 3]), vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let address = array.as_ptr();
        let tensor = Tensor::from(array.clone());
        assert_eq!(tensor.view(), array);
        let taken = Tensor::from(array);
        assert_eq!(taken.as_slice().unwrap().as_ptr(), address);
        let back = taken.into_ndarray();
        assert_eq!(back.as_ptr(), address);
        assert_eq!(tensor.into_ndarray(), back);
    }

    #[test]
    fn views_of_every_kind_are_lent_as_they_are() {
        let t = Tensor::from_fn([3, 4], |i| (i[0] * 4 + i[1]) as f64);
        for view in [
            t.transpose(),
            t.flip(0),
            t.flip(1).transpose(),
            t.slice_step(1, 0, 4, 2),
            t.unsqueeze(0).expand([2, 3, 4]),
        ] {
            assert_eq!(
                view.view().iter().copied().collect::<Vec<_>>(),
                view.to_vec()
            );
            assert_eq!(
                view.clone()
                    .into_ndarray()
                    .iter()
                    .copied()
                    .collect::<Vec<_>>(),
                view.to_vec()
            );
            assert_eq!(Tensor::from(view.view().to_owned()), view);
        }
        let empty = Tensor::<f32>::zeros([0, 3]);
        assert_eq!(empty.view().shape(), [0, 3]);
        assert_eq!(Tensor::from(empty.into_ndarray()).dims(), [0, 3]);
    }
}
