//! New tensors from numbers.

use super::Tensor;
use crate::element::{Element, Float};
use crate::error::{Error, OrPanic, Result};
use crate::layout::Layout;
use crate::shape::Shape;
use crate::storage::Storage;

impl<T: Element> Tensor<T> {
    /// A tensor with the given elements in row-major order. Takes over the vector's memory.
    ///
    /// # Panics
    /// If the shape holds another number of elements.
    #[track_caller]
    pub fn from_vec(elements: Vec<T>, shape: impl Into<Shape>) -> Self {
        Self::try_from_vec(elements, shape).or_panic()
    }

    /// [`Tensor::from_vec`] for shapes that come from data.
    ///
    /// # Errors
    /// The shape holds another number of elements.
    #[track_caller]
    pub fn try_from_vec(elements: Vec<T>, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if shape.elements() != elements.len() {
            let (expected, found) = (shape.elements(), elements.len());
            return Err(Error::Length {
                op: "from_vec",
                shape: shape.to_string(),
                expected,
                found,
            });
        }
        Ok(Self::from_parts(
            Storage::from_vec(elements),
            Layout::row_major(shape),
        ))
    }

    /// A tensor with a copy of the given elements in row-major order.
    ///
    /// # Panics
    /// If the shape holds another number of elements.
    #[track_caller]
    pub fn from_slice(elements: &[T], shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        if shape.elements() != elements.len() {
            let (expected, found) = (shape.elements(), elements.len());
            crate::error::fail(&Error::Length {
                op: "from_slice",
                shape: shape.to_string(),
                expected,
                found,
            });
        }
        Self::filled_by(shape, |out| out.copy_from_slice(elements))
    }

    /// A tensor whose element at each multi-index is what `f` says.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let t = Tensor::from_fn([2, 3], |i| (10 * i[0] + i[1]) as f32);
    /// assert_eq!(t.to_vec(), [0.0, 1.0, 2.0, 10.0, 11.0, 12.0]);
    /// ```
    pub fn from_fn(shape: impl Into<Shape>, mut f: impl FnMut(&[usize]) -> T) -> Self {
        let shape = shape.into();
        let mut index = vec![0; shape.len()];
        Self::filled_by(shape, |out| {
            for value in out {
                *value = f(&index);
                for axis in (0..shape.len()).rev() {
                    index[axis] += 1;
                    if index[axis] < shape[axis] {
                        break;
                    }
                    index[axis] = 0;
                }
            }
        })
    }

    /// A tensor without axes that holds one number.
    pub fn from_scalar(value: T) -> Self {
        Self::filled_by(Shape::SCALAR, |out| out[0] = value)
    }

    /// A tensor with every element equal to `value`.
    pub fn full_of(shape: impl Into<Shape>, value: T) -> Self {
        Self::filled_by(shape, |out| out.fill(value))
    }

    /// A tensor of zeros (`false` for masks).
    pub fn zeros_of(shape: impl Into<Shape>) -> Self {
        Self::full_of(shape, T::default())
    }

    /// Zeros in the shape of another tensor.
    #[must_use]
    pub fn zeros_like(&self) -> Self {
        Self::zeros_of(*self.shape())
    }
}

impl<F: Float> Tensor<F> {
    /// A tensor of ones.
    pub fn ones_of(shape: impl Into<Shape>) -> Self {
        Self::full_of(shape, F::ONE)
    }

    /// Ones in the shape of another tensor.
    #[must_use]
    pub fn ones_like(&self) -> Self {
        Self::ones_of(*self.shape())
    }

    /// The `n × n` identity matrix.
    pub fn eye_of(n: usize) -> Self {
        Self::from_fn([n, n], |i| if i[0] == i[1] { F::ONE } else { F::ZERO })
    }
}

/// Bare constructors, in `f32`. Their generic twins end in `_of`.
impl Tensor<f32> {
    /// A tensor of zeros.
    ///
    /// ```
    /// assert_eq!(fb_tensor::Tensor::zeros([2]).to_vec(), [0.0, 0.0]);
    /// ```
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        Self::zeros_of(shape)
    }

    /// A tensor of ones.
    pub fn ones(shape: impl Into<Shape>) -> Self {
        Self::ones_of(shape)
    }

    /// A tensor with every element equal to `value`.
    pub fn full(shape: impl Into<Shape>, value: f32) -> Self {
        Self::full_of(shape, value)
    }

    /// A tensor without axes that holds one number.
    pub fn scalar(value: f32) -> Self {
        Self::from_scalar(value)
    }

    /// The `n × n` identity matrix.
    pub fn eye(n: usize) -> Self {
        Self::eye_of(n)
    }

    /// `0, 1, …, n − 1`
    pub fn arange(n: usize) -> Self {
        Self::from_fn([n], |i| i[0] as f32)
    }

    /// `n` numbers from `start` to `end`, both included, at equal distances.
    pub fn linspace(start: f32, end: f32, n: usize) -> Self {
        let last = n.saturating_sub(1).max(1) as f64;
        let (start, end) = (f64::from(start), f64::from(end));
        Self::from_fn([n], |i| (start + (end - start) * i[0] as f64 / last) as f32)
    }
}

macro_rules! from_nested_arrays {
    ($($array:ty, [$($n:ident),*], $($flatten:ident)*;)*) => {
        $(
            /// A tensor from nested arrays.
            ///
            /// ```
            /// use fb_tensor::Tensor;
            /// assert_eq!(*Tensor::from([[1_i64, 2, 3]]).shape(), [1, 3]);
            /// ```
            impl<T: Element, $(const $n: usize),*> From<$array> for Tensor<T> {
                fn from(array: $array) -> Self {
                    Self::from_vec(array.into_iter()$(.$flatten())*.collect(), [$($n),*])
                }
            }
        )*
    };
}

from_nested_arrays! {
    [T; N], [N],;
    [[T; N]; M], [M, N], flatten;
    [[[T; N]; M]; L], [L, M, N], flatten flatten;
}

/// A tensor with one axis. Takes over the vector's memory.
impl<T: Element> From<Vec<T>> for Tensor<T> {
    fn from(elements: Vec<T>) -> Self {
        let len = elements.len();
        Self::from_vec(elements, [len])
    }
}
