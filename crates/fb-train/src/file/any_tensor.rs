//! A tensor whose element type is known at run time only, as in a file.

use fb_tensor::{Element, Shape, Tensor};
use std::borrow::Cow;

/// A tensor of one of the types that files hold.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AnyTensor {
    /// 32-bit numbers.
    F32(Tensor<f32>),
    /// 64-bit numbers.
    F64(Tensor<f64>),
    /// Indices.
    I64(Tensor<i64>),
    /// Flags.
    Bool(Tensor<bool>),
}

/// The element types that files hold: `f32`, `f64`, `i64`, `bool`. The trait is sealed.
pub trait Stored: Element + sealed::Sealed {
    #[doc(hidden)]
    fn wrap(tensor: Tensor<Self>) -> AnyTensor;

    #[doc(hidden)]
    fn unwrap(tensor: &AnyTensor) -> Option<&Tensor<Self>>;
}

mod sealed {
    pub trait Sealed {}
}

impl AnyTensor {
    /// The name of the element type, such as `"f32"`.
    pub fn element(&self) -> &'static str {
        match self {
            Self::F32(_) => f32::NAME,
            Self::F64(_) => f64::NAME,
            Self::I64(_) => i64::NAME,
            Self::Bool(_) => bool::NAME,
        }
    }

    /// The extents of the axes.
    pub fn shape(&self) -> &Shape {
        match self {
            Self::F32(tensor) => tensor.shape(),
            Self::F64(tensor) => tensor.shape(),
            Self::I64(tensor) => tensor.shape(),
            Self::Bool(tensor) => tensor.shape(),
        }
    }

    /// The tensor, if its elements are of this type.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// use fb_train::file::AnyTensor;
    /// let tensor = AnyTensor::from(Tensor::from([1.0_f32, 2.0].to_vec()));
    /// assert!(tensor.get::<f32>().is_some());
    /// assert!(tensor.get::<f64>().is_none());
    /// ```
    pub fn get<T: Stored>(&self) -> Option<&Tensor<T>> {
        T::unwrap(self)
    }

    /// The elements as they stand in files: row-major, little-endian, flags as bytes 0 and 1.
    pub(super) fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::F32(tensor) => f(&bytes(&tensor.contiguous(), |v| v.to_le_bytes())),
            Self::F64(tensor) => f(&bytes(&tensor.contiguous(), |v| v.to_le_bytes())),
            Self::I64(tensor) => f(&bytes(&tensor.contiguous(), |v| v.to_le_bytes())),
            Self::Bool(tensor) => f(&bytes(&tensor.contiguous(), |v| [u8::from(v)])),
        }
    }
}

/// The bytes of a contiguous tensor; copied only where the machine orders them differently.
fn bytes<T: Element + bytemuck::NoUninit, const N: usize>(
    tensor: &Tensor<T>,
    little_endian: impl Fn(T) -> [u8; N],
) -> Cow<'_, [u8]> {
    match tensor.as_slice() {
        Some(elements) if cfg!(target_endian = "little") => {
            Cow::Borrowed(bytemuck::cast_slice(elements))
        }
        _ => Cow::Owned(tensor.iter().flat_map(little_endian).collect()),
    }
}

macro_rules! stored {
    ($($type:ty => $variant:ident),*) => {
        $(
            impl sealed::Sealed for $type {}

            impl Stored for $type {
                fn wrap(tensor: Tensor<Self>) -> AnyTensor {
                    AnyTensor::$variant(tensor)
                }

                fn unwrap(tensor: &AnyTensor) -> Option<&Tensor<Self>> {
                    match tensor {
                        AnyTensor::$variant(tensor) => Some(tensor),
                        _ => None,
                    }
                }
            }

            impl From<Tensor<$type>> for AnyTensor {
                fn from(tensor: Tensor<$type>) -> Self {
                    Self::$variant(tensor)
                }
            }
        )*
    };
}

stored!(f32 => F32, f64 => F64, i64 => I64, bool => Bool);
