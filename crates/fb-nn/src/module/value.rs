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

    /// The same value as a constant.
    pub fn detach(&self) -> Self {
        match self {
            Self::Float(x) => Self::Float(x.detach()),
            other => other.clone(),
        }
    }

    /// The same elements in another shape.
    ///
    /// # Panics
    /// If the shape has another number of elements.
    #[track_caller]
    #[must_use]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Self {
        match self {
            Self::Float(x) => Self::Float(x.reshape(shape)),
            Self::Index(x) => Self::Index(x.reshape(shape)),
            Self::Mask(x) => Self::Mask(x.reshape(shape)),
        }
    }

    /// The samples in the given order.
    ///
    /// # Panics
    /// If a row is not there.
    #[track_caller]
    #[must_use]
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        match self {
            Self::Float(x) => Self::Float(x.select_rows(rows)),
            Self::Index(x) => Self::Index(x.select_rows(rows)),
            Self::Mask(x) => Self::Mask(x.select_rows(rows)),
        }
    }

    /// The values at one place of an axis, which goes.
    ///
    /// # Panics
    /// If the place is not there.
    #[track_caller]
    #[must_use]
    pub fn index_axis(&self, axis: usize, index: usize) -> Self {
        match self {
            Self::Float(x) => Self::Float(x.index_axis(axis, index)),
            Self::Index(x) => Self::Index(x.index_axis(axis, index)),
            Self::Mask(x) => Self::Mask(x.index_axis(axis, index)),
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

impl From<Tensor<f32>> for Value<f32> {
    fn from(x: Tensor<f32>) -> Self {
        Self::Float(Var::constant(x))
    }
}

impl From<Tensor<f64>> for Value<f64> {
    fn from(x: Tensor<f64>) -> Self {
        Self::Float(Var::constant(x))
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
