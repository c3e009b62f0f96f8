//! What outputs are compared with.

use fb_tensor::{Float, Shape, Tensor};

/// The targets of a batch: numbers, or the index of the right class.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Target<F: Float = f32> {
    /// Numbers: `[batch, …]`, usually in the shape of the output.
    Float(Tensor<F>),
    /// Class indices: `[batch]` for outputs `[batch, classes]`.
    Index(Tensor<i64>),
}

impl<F: Float> Target<F> {
    /// The extents, the batch first.
    pub fn shape(&self) -> &Shape {
        match self {
            Self::Float(t) => t.shape(),
            Self::Index(t) => t.shape(),
        }
    }

    /// The number of samples.
    pub fn batch(&self) -> usize {
        self.shape().first().copied().unwrap_or(0)
    }
}

impl<F: Float> From<Tensor<F>> for Target<F> {
    fn from(t: Tensor<F>) -> Self {
        Self::Float(t)
    }
}

macro_rules! from_indices {
    ($($float:ty)*) => {
        $(
            impl From<Tensor<i64>> for Target<$float> {
                fn from(t: Tensor<i64>) -> Self {
                    Self::Index(t)
                }
            }
        )*
    };
}

from_indices! { f32 f64 }
