//! What flows between layers.

use super::Context;
use crate::error::{Error, Result};
use fb_autograd::Var;
use fb_tensor::{Float, Shape, Tensor};
use std::fmt;

/// Something that flows along an edge of a network.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Value<F: Float = f32> {
    /// Numbers, possibly differentiated.
    Float(Var<F>),
    /// Indices, such as the tokens of a text.
    Index(Tensor<i64>),
    /// Which positions count.
    Mask(Tensor<bool>),
}

/// The kind of a [`Value`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueKind {
    /// Numbers.
    Float,
    /// Indices.
    Index,
    /// Masks.
    Mask,
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float => "numbers",
            Self::Index => "indices",
            Self::Mask => "a mask",
        })
    }
}

impl<F: Float> Value<F> {
    /// The kind.
    pub fn kind(&self) -> ValueKind {
        match self {
            Self::Float(_) => ValueKind::Float,
            Self::Index(_) => ValueKind::Index,
            Self::Mask(_) => ValueKind::Mask,
        }
    }

    /// The extents, the batch first.
    pub fn shape(&self) -> &Shape {
        match self {
            Self::Float(x) => x.shape(),
            Self::Index(x) => x.shape(),
            Self::Mask(x) => x.shape(),
        }
    }

    /// The numbers, if that is what it is.
    pub fn as_float(&self) -> Option<&Var<F>> {
        match self {
            Self::Float(x) => Some(x),
            _ => None,
        }
    }
}

impl<F: Float> From<Var<F>> for Value<F> {
    fn from(x: Var<F>) -> Self {
        Self::Float(x)
    }
}

impl<F: Float> From<Tensor<i64>> for Value<F> {
    fn from(x: Tensor<i64>) -> Self {
        Self::Index(x)
    }
}

impl<F: Float> From<Tensor<bool>> for Value<F> {
    fn from(x: Tensor<bool>) -> Self {
        Self::Mask(x)
    }
}

/// The one float tensor that a simple module takes.
pub(super) fn single_float<'a, F: Float>(
    cx: &Context<'_, F>,
    inputs: &'a [Value<F>],
) -> Result<&'a Var<F>> {
    match inputs {
        [Value::Float(x)] => Ok(x),
        _ => Err(not_one(cx, inputs, "one tensor of numbers")),
    }
}

/// The error of a module that is given other inputs than it takes.
#[cold]
pub(crate) fn not_one<F: Float>(cx: &Context<'_, F>, inputs: &[Value<F>], expected: &str) -> Error {
    let kinds: Vec<String> = inputs
        .iter()
        .map(|v| format!("{} {}", v.kind(), v.shape()))
        .collect();
    Error::Data {
        place: cx.place(),
        expected: expected.to_owned(),
        found: if kinds.is_empty() {
            "nothing".to_owned()
        } else {
            kinds.join(" and ")
        },
        help: String::new(),
    }
}
