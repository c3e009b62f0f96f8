//! What may attend to what.

use super::AttentionDropout;
use crate::element::Float;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// How queries attend to keys; see [`Tensor::attention`].
///
/// ```
/// use fb_tensor::{Attention, Tensor};
/// // The second sequence of the batch has one token less: its last key is padding.
/// let tokens = Tensor::from([[true, true, true], [true, true, false]]);
/// let options = Attention::<f32>::new().causal().allow(tokens.reshape([2, 1, 1, 3]));
/// assert!(options.causal && options.mask.is_some());
/// ```
#[derive(Clone, Debug)]
pub struct Attention<F: Float = f32> {
    /// What scores are multiplied with; `None` for `1 / √width`.
    pub scale: Option<f64>,
    /// Whether a query sees the keys up to its own place only. The last query stands at the last key, so with fewer
    /// queries than keys (cached decoding) the queries are the last ones; PyTorch's `is_causal` has the first query stand
    /// at the first key instead, which is the same for as many of both.
    pub causal: bool,
    /// What hides or changes scores besides.
    pub mask: Option<AttentionMask<F>>,
    /// Which weights are silenced at random.
    pub dropout: Option<AttentionDropout>,
}

/// Hides or changes scores; broadcasts to `[batch, heads, queries, keys]`. Not differentiated.
#[derive(Clone, Debug)]
pub enum AttentionMask<F: Float = f32> {
    /// A query may attend to a key where this is `true`.
    Allow(Tensor<bool>),
    /// Added to the scaled scores; −∞ hides. A constant: no gradient goes to it.
    Add(Tensor<F>),
}

impl<F: Float> Default for Attention<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Float> Attention<F> {
    /// Every query attends to every key; scores are divided by the root of the width.
    pub const fn new() -> Self {
        Self {
            scale: None,
            causal: false,
            mask: None,
            dropout: None,
        }
    }

    /// A query sees the keys up to its own place only; see [`Attention::causal`](field@Self::causal).
    #[must_use]
    pub fn causal(self) -> Self {
        Self {
            causal: true,
            ..self
        }
    }

    /// Multiplies scores with this number instead of `1 / √width`.
    #[must_use]
    pub fn scale(self, scale: f64) -> Self {
        Self {
            scale: Some(scale),
            ..self
        }
    }

    /// A query may attend to a key where `mask` is `true` only.
    #[must_use]
    pub fn allow(self, mask: Tensor<bool>) -> Self {
        Self {
            mask: Some(AttentionMask::Allow(mask)),
            ..self
        }
    }

    /// Silences weights at random, after the softmax, as PyTorch's `dropout_p` does.
    #[must_use]
    pub fn dropout(self, dropout: AttentionDropout) -> Self {
        Self {
            dropout: Some(dropout),
            ..self
        }
    }

    /// Adds numbers to the scaled scores.
    #[must_use]
    pub fn bias(self, mask: Tensor<F>) -> Self {
        Self {
            mask: Some(AttentionMask::Add(mask)),
            ..self
        }
    }
}

impl<F: Float> AttentionMask<F> {
    /// The mask's own shape.
    pub fn shape(&self) -> &Shape {
        match self {
            Self::Allow(t) => t.shape(),
            Self::Add(t) => t.shape(),
        }
    }
}
