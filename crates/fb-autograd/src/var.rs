//! A tensor that may be recorded.

use crate::gradients::Gradients;
use crate::tape::{NodeRef, Tape};
use fb_tensor::{Float, Shape, Tensor};
use std::fmt;

/// A tensor together with its place on a tape, or without one: then it is a constant.
///
/// Operations have the names that they have on [`Tensor`]; if an operand is recorded, so is the result.
#[derive(Clone)]
pub struct Var<F: Float = f32> {
    tensor: Tensor<F>,
    node: Option<NodeRef<F>>,
}

impl<F: Float> Var<F> {
    /// A value that nothing is differentiated by.
    pub fn constant(tensor: Tensor<F>) -> Self {
        Self { tensor, node: None }
    }

    pub(crate) fn recorded(tensor: Tensor<F>, node: NodeRef<F>) -> Self {
        Self {
            tensor,
            node: Some(node),
        }
    }

    /// The value.
    #[inline]
    pub fn tensor(&self) -> &Tensor<F> {
        &self.tensor
    }

    /// The value, given away.
    pub fn into_tensor(self) -> Tensor<F> {
        self.tensor
    }

    /// The extents of the axes.
    #[inline]
    pub fn shape(&self) -> &Shape {
        self.tensor.shape()
    }

    /// The extents of the axes as a slice.
    #[inline]
    pub fn dims(&self) -> &[usize] {
        self.tensor.dims()
    }

    /// The only element.
    ///
    /// # Panics
    /// If there is not exactly one.
    #[track_caller]
    pub fn item(&self) -> F {
        self.tensor.item()
    }

    /// Whether it is on a tape, so that gradients flow back through it.
    #[inline]
    pub fn requires_grad(&self) -> bool {
        self.node.is_some()
    }

    /// The same value as a constant: gradients stop here.
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([3.0]));
    /// let y = (&x * &x.detach()).sum();
    /// assert_eq!(y.backward().get(&x).unwrap().to_vec(), [3.0]);
    /// ```
    #[must_use]
    pub fn detach(&self) -> Self {
        Self::constant(self.tensor.clone())
    }

    /// The tape it is on, if any.
    pub fn tape(&self) -> Option<Tape<F>> {
        self.node.as_ref().map(NodeRef::tape)
    }

    #[inline]
    pub(crate) fn node(&self) -> Option<&NodeRef<F>> {
        self.node.as_ref()
    }

    /// The gradients of this number by every leaf that it was computed from. The tape stays as it is.
    ///
    /// # Panics
    /// If there is not exactly one element; use [`Tape::gradients`] with a cotangent for others.
    #[track_caller]
    pub fn backward(&self) -> Gradients<F> {
        assert_eq!(
            self.tensor.len(),
            1,
            "backward() is for one number, found shape {}; give Tape::gradients a cotangent",
            self.shape()
        );
        match &self.node {
            Some(node) => node.gradients(Tensor::full_of(*self.shape(), F::ONE)),
            None => Gradients::empty(),
        }
    }
}

impl<F: Float> fmt::Debug for Var<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Some(node) => write!(f, "Var #{} {:?}", node.index, self.tensor),
            None => write!(f, "constant {:?}", self.tensor),
        }
    }
}

/// Prints the value like [`Tensor`] does.
impl<F: Float> fmt::Display for Var<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.tensor, f)
    }
}
